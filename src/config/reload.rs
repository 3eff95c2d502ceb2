//! What a reload would change: two settings compared, section by section.
//! Must not know: which changes take effect while the daemon runs.

use super::{RoleSettings, Settings, SourceSettings, SourceSpec, UserSettings};

/// The differences from `old` to `new`, one line each; empty if there are none. Secrets are compared, never shown.
#[must_use]
pub fn changes(old: &Settings, new: &Settings) -> Vec<String> {
    let mut lines = Vec::new();
    section(&mut lines, "server", &old.server, &new.server);
    section(&mut lines, "http", &old.http, &new.http);
    section(&mut lines, "engine", &old.engine, &new.engine);
    section(&mut lines, "cache", &old.cache, &new.cache);
    section(&mut lines, "history", &old.history, &new.history);
    section(&mut lines, "log", &old.log, &new.log);
    section(&mut lines, "telemetry", &old.otlp, &new.otlp);
    named(&mut lines, "source", &old.sources, &new.sources);
    named(&mut lines, "role", &old.roles, &new.roles);
    named(&mut lines, "user", &old.users, &new.users);
    if old.expects != new.expects {
        lines.push("expect: changed".to_owned());
    }
    lines
}

/// One section, with the keys that differ.
fn section<T: PartialEq + std::fmt::Debug>(lines: &mut Vec<String>, name: &str, old: &T, new: &T) {
    if old != new {
        lines.push(format!("[{name}]: changed{}", differing_keys(&format!("{old:#?}"), &format!("{new:#?}"))));
    }
}

/// An entry of a list that has a name of its own.
trait Named: PartialEq {
    fn name(&self) -> &str;

    /// The pretty debug form whose outermost fields are the keys of the file.
    fn keys(&self) -> String;
}

impl Named for SourceSettings {
    fn name(&self) -> &str {
        &self.name
    }

    fn keys(&self) -> String {
        let spec = match &self.spec {
            SourceSpec::Postgres(spec) => format!("{spec:#?}"),
            SourceSpec::Files(spec) => format!("{spec:#?}"),
            SourceSpec::Sqlite(spec) => format!("{spec:#?}"),
        };
        format!("    type: {}\n    tables: {:?}\n{spec}", self.kind().name(), self.tables)
    }
}

impl Named for RoleSettings {
    fn name(&self) -> &str {
        &self.name
    }

    fn keys(&self) -> String {
        format!("{self:#?}")
    }
}

impl Named for UserSettings {
    fn name(&self) -> &str {
        &self.name
    }

    fn keys(&self) -> String {
        format!("{self:#?}")
    }
}

/// Entries with names: added, removed, changed, or in another order.
fn named<T: Named>(lines: &mut Vec<String>, what: &str, old: &[T], new: &[T]) {
    let find = |list: &'_ [T], name: &str| list.iter().position(|entry| entry.name() == name);
    for entry in old.iter().filter(|entry| find(new, entry.name()).is_none()) {
        lines.push(format!("{what} \"{}\": removed", entry.name()));
    }
    for entry in new {
        match find(old, entry.name()).map(|place| &old[place]) {
            None => lines.push(format!("{what} \"{}\": added", entry.name())),
            Some(before) if before != entry => {
                let keys = differing_keys(&before.keys(), &entry.keys());
                lines.push(format!("{what} \"{}\": changed{keys}", entry.name()));
            }
            Some(_) => {}
        }
    }
    let places: Vec<usize> = new.iter().filter_map(|entry| find(old, entry.name())).collect();
    // Matters for sources: the default search_path follows the file.
    if !places.is_sorted() {
        lines.push(format!("{what}s: in another order"));
    }
}

/// The keys of the outermost struct whose lines differ, from its pretty debug form (which hides secrets).
fn differing_keys(old: &str, new: &str) -> String {
    let (old, new) = (fields(old), fields(new));
    let mut keys: Vec<&str> = new.iter().filter(|field| !old.contains(field)).map(|(key, _)| *key).collect();
    keys.extend(old.iter().filter(|(key, _)| !new.iter().any(|(other, _)| other == key)).map(|(key, _)| *key));
    match keys.as_slice() {
        // Equal to look at, different to compare: a secret.
        [] if !old.is_empty() => " (secret)".to_owned(),
        [] => String::new(),
        keys => format!(" ({})", keys.join(", ")),
    }
}

/// Key and text of each field: lines of one indent begin a field, deeper ones continue it.
fn fields(text: &str) -> Vec<(&str, String)> {
    let mut fields: Vec<(&str, String)> = Vec::new();
    for line in text.lines() {
        let Some(rest) = line.strip_prefix("    ") else { continue };
        match rest.split_once(": ") {
            Some((key, value)) if !rest.starts_with(' ') => fields.push((key, value.to_owned())),
            _ => {
                if let Some((_, value)) = fields.last_mut() {
                    value.push_str(rest);
                }
            }
        }
    }
    fields
}
