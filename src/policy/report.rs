//! The effective permissions as text, for `tusk check`.
//! Must not know: where it is printed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Identity, Policy, Privilege, Quota};
use crate::config::{
    GrantSettings, Patterns, ScramVerifier, Settings, SourceSettings, SourceSpec, certain_schemas, show_bytes,
    show_duration, wildcard,
};

/// Every user with roles, grants and limits, and notes on what does not do what it seems to.
#[must_use]
pub fn report(settings: &Settings) -> String {
    let policy = Policy::new(settings);
    let mut text = String::new();
    if settings.users.is_empty() {
        text.push_str("no user is defined: nobody can log in\n");
    }
    for user in &settings.users {
        if let Some(identity) = policy.identity(&user.name) {
            one_user(&mut text, &identity, settings);
        }
        let unusable = |verifier: &str| ScramVerifier::parse(verifier).is_ok_and(|verifier| !verifier.usable());
        if user.password.as_ref().is_some_and(|password| unusable(password.expose())) {
            text.push_str("  note: the verifier's keys have the wrong length, so no password matches\n");
        }
        text.push('\n');
    }
    for role in settings.roles.iter().filter(|role| !held(settings, &role.name)) {
        let _ = writeln!(text, "note: nobody has the role \"{}\"", role.name);
    }
    text
}

fn held(settings: &Settings, role: &str) -> bool {
    let named = |names: &[String]| names.iter().any(|name| name == role);
    settings.users.iter().any(|user| named(&user.roles)) || settings.roles.iter().any(|other| named(&other.member_of))
}

fn one_user(text: &mut String, identity: &Identity, settings: &Settings) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "user {}", identity.user());
    let roles: Vec<&str> = identity.roles().iter().map(|role| role.name.as_str()).collect();
    let _ = writeln!(text, "  roles:      {}", if roles.is_empty() { "none".to_owned() } else { roles.join(", ") });
    if identity.admin() {
        let _ = writeln!(text, "  admin:      yes (views of all sessions, kill, reload, refresh; no table)");
    }
    let _ = writeln!(text, "  limits:     {}", limits(identity.limits()));
    for (what, map) in [("set:        ", identity.set()), ("attributes: ", identity.attributes())] {
        if !map.is_empty() {
            let _ = writeln!(text, "  {what}{}", pairs(map));
        }
    }
    let mut rows = vec![["TABLES", "PRIVILEGES", "COLUMNS", "ROWS", "MASKED", "ROLE"].map(str::to_owned).to_vec()];
    let mut notes: Vec<String> = Vec::new();
    for role in identity.roles() {
        for grant in &role.grants {
            rows.push(grant_row(grant, &role.name));
            notes.extend(grant_notes(grant, settings));
        }
    }
    if rows.len() == 1 {
        text.push_str("  no table is granted\n");
    } else {
        table(text, &rows);
    }
    notes.sort();
    notes.dedup();
    for note in notes {
        let _ = writeln!(text, "  note: {note}");
    }
}

fn grant_row(grant: &GrantSettings, role: &str) -> Vec<String> {
    let privileges: Vec<&str> = grant.privileges.iter().map(|privilege| privilege_name(*privilege)).collect();
    vec![
        tables(&grant.tables),
        privileges.join(", "),
        grant.columns.as_ref().map_or("all".to_owned(), |columns| columns.join(", ")),
        grant.row_filter.clone().unwrap_or_else(|| "all".to_owned()),
        if grant.mask.is_empty() { "none".to_owned() } else { pairs(&grant.mask) },
        role.to_owned(),
    ]
}

/// What a reader of the table would otherwise take for granted.
fn grant_notes(grant: &GrantSettings, settings: &Settings) -> Vec<String> {
    let mut notes = Vec::new();
    let name = tables(&grant.tables);
    if grant.row_filter.is_some() || !grant.mask.is_empty() {
        notes.push(format!(
            "{name}: REFUSED: row filters and masks do not take effect in this version, so what this grant gives is \
             denied (as if it did not exist), unless other grants give the same columns without them"
        ));
    }
    if grant.privileges.iter().any(|privilege| *privilege != Privilege::Select) {
        let patterns = grant.tables.texts().filter(|pattern| !pattern.starts_with('!'));
        let mut schemas =
            patterns.map(|pattern| pattern.split_once('.').map_or(String::new(), |(schema, _)| schema.to_owned()));
        if !schemas.any(|schema| mounted_by(&schema, settings, is_writable)) {
            notes.push(format!("{name}: what it lets write takes effect nowhere: no source of these is writable"));
        }
    }
    for pattern in grant.tables.texts().filter(|pattern| !pattern.starts_with('!')) {
        let schema = pattern.split_once('.').map_or("", |(schema, _)| schema);
        if !mounted_by(schema, settings, |_| true) {
            notes.push(format!("{pattern}: no source mounts such a schema"));
        }
    }
    notes
}

fn is_writable(source: &SourceSettings) -> bool {
    matches!(&source.spec, SourceSpec::Postgres(postgres) if postgres.writable)
}

/// Whether some such source mounts, or may mount, a schema of this pattern.
fn mounted_by(pattern: &str, settings: &Settings, such: impl Fn(&SourceSettings) -> bool) -> bool {
    settings.sources.iter().filter(|source| such(source)).any(|source| {
        let certain = certain_schemas(source).iter().any(|schema| wildcard(pattern.as_bytes(), schema.as_bytes()));
        let open_ended = matches!(&source.spec, SourceSpec::Postgres(postgres) if postgres.schemas.is_none());
        certain || (open_ended && (pattern.starts_with(&format!("{}_", source.name)) || pattern.contains(['*', '?'])))
    })
}

fn tables(patterns: &Patterns) -> String {
    patterns.texts().collect::<Vec<_>>().join(", ")
}

fn privilege_name(privilege: Privilege) -> &'static str {
    match privilege {
        Privilege::Select => "select",
        Privilege::Insert => "insert",
        Privilege::Update => "update",
        Privilege::Delete => "delete",
    }
}

fn pairs(map: &BTreeMap<String, String>) -> String {
    map.iter().map(|(key, value)| format!("{key} = {value}")).collect::<Vec<_>>().join(", ")
}

fn limits(quota: &Quota) -> String {
    let limits: Vec<String> = [
        ("statement_timeout", quota.statement_timeout.map(show_duration)),
        ("max_rows", quota.max_rows.map(|n| n.to_string())),
        ("max_bytes", quota.max_bytes.map(show_bytes)),
        ("max_memory", quota.max_memory.map(show_bytes)),
        ("max_concurrent", quota.max_concurrent.map(|n| n.to_string())),
        ("max_queued", quota.max_queued.map(|n| n.to_string())),
        ("queue_timeout", quota.queue_timeout.map(show_duration)),
        ("statements_per_minute", quota.statements_per_minute.map(|n| n.to_string())),
        ("max_connections", quota.max_connections.map(|n| n.to_string())),
        ("max_rows_read", quota.max_rows_read.map(|n| n.to_string())),
    ]
    .into_iter()
    .filter_map(|(name, value)| value.map(|value| format!("{name} = {value}")))
    .collect();
    if limits.is_empty() { "none".to_owned() } else { limits.join(", ") }
}

/// Columns as wide as their widest cell, the last one open.
fn table(text: &mut String, rows: &[Vec<String>]) {
    let columns = rows.first().map_or(0, Vec::len);
    let widths: Vec<usize> =
        (0..columns).map(|i| rows.iter().map(|row| row[i].chars().count()).max().unwrap_or(0)).collect();
    for row in rows {
        let mut line = String::from("  ");
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::super::role::tests::settings;
    use super::*;

    #[test]
    fn a_reader_sees_what_holds() {
        let text = report(&settings(
            "[[source]]\nname = \"shop\"\ntype = \"sqlite\"\npath = \"x\"\n\
             [[user]]\nname = \"ana\"\nroles = [\"analyst\"]\n\
             password = \"SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy\"\n[[role]]\nname = \"idle\"\n\
             [[role]]\nname = \"analyst\"\n[[role.grant]]\ntables = [\"shop.orders\", \"lake.*\"]\n\
             [[role.grant]]\ntables = [\"shop.customer\"]\ncolumns = [\"a\", \"b\"]\nrow_filter = \"a = 3\"\n\
             mask = { b = \"'*'\" }\n[role.limits]\nmax_bytes = \"1GiB\"\nstatement_timeout = \"30s\"\n",
        ));
        for words in [
            "user ana",
            "roles:      analyst",
            "limits:     statement_timeout = 30s, max_bytes = 1GiB",
            "shop.orders, lake.*  select",
            "a, b",
            "b = '*'",
            "note: lake.*: no source mounts such a schema",
            "shop.customer: REFUSED: row filters and masks do not take effect",
            "the verifier's keys have the wrong length",
            "note: nobody has the role \"idle\"",
        ] {
            assert!(text.contains(words), "{words} is missing in\n{text}");
        }
        assert!(!text.contains("c2FsdA"), "{text}");
        assert!(report(&Settings::default()).contains("nobody can log in"));
    }
}
