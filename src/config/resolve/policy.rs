//! `[[role]]`, `[[user]]`, `[[expect]]`: references, cycles, grants that make sense.
//! Must not know: how a grant is enforced.

use std::collections::BTreeMap;

use toml::Value;

use super::super::errors::{Span, did_you_mean};
use super::super::file::{At, RawExpect, RawGrant, RawLimits, RawRole, RawUser};
use super::super::{
    AuthMethod, ExpectSettings, GrantSettings, LimitSettings, Patterns, Privilege, RoleSettings, Settings, UserSettings,
};
use super::Context;
use super::checks::{any_name, distinct, patterns};
use super::secrets::user_verifier;

pub(super) fn roles(raw: Vec<At<RawRole>>, cx: &mut Context<'_, '_>) -> Vec<RoleSettings> {
    let names: Vec<String> =
        raw.iter().filter_map(|role| role.get_ref().name.as_ref()).map(|n| n.get_ref().clone()).collect();
    let mut roles: Vec<RoleSettings> = Vec::with_capacity(raw.len());
    let mut member_spans: Vec<(String, Span)> = Vec::new();
    for role in raw {
        let at = role.span();
        let role = role.into_inner();
        let Some(name) = role.name else {
            cx.mistakes.missing(&at, "name", "[[role]]");
            grants(role.grant, cx);
            continue;
        };
        own_name(&name, "role", roles.iter().map(|role| role.name.as_str()), cx);
        let member_of = role.member_of.map_or_else(Vec::new, |members| {
            references(members.get_ref(), &names, cx);
            member_spans.push((name.get_ref().clone(), members.span()));
            distinct(members.get_ref(), "role", cx)
        });
        roles.push(RoleSettings {
            name: name.into_inner(),
            admin: role.admin.unwrap_or(false),
            member_of,
            grants: grants(role.grant, cx),
            limits: limits(&role.limits),
        });
    }
    for (name, at) in &member_spans {
        if reaches(&roles, name, name) {
            cx.mistake(at, format!("role \"{name}\" is a member of itself, through member_of"));
        }
    }
    roles
}

/// Checks a name and that no other has it.
fn own_name<'n>(name: &At<String>, what: &str, mut others: impl Iterator<Item = &'n str>, cx: &mut Context<'_, '_>) {
    any_name(name.get_ref(), what, &name.span(), cx);
    if others.any(|other| other == name.get_ref()) {
        cx.mistake(&name.span(), format!("{what} \"{}\" is defined twice", name.get_ref()));
    }
}

/// Checks that roles exist.
fn references(raw: &[At<String>], names: &[String], cx: &mut Context<'_, '_>) {
    for name in raw.iter().filter(|name| !names.contains(name.get_ref())) {
        let text = name.get_ref();
        let guess = did_you_mean(text, names.iter().map(String::as_str));
        cx.mistake(&name.span(), format!("role \"{}\" is not defined{guess}", text.escape_debug()));
    }
}

/// Whether `member_of` leads from one role to another in one step or more.
fn reaches(roles: &[RoleSettings], from: &str, to: &str) -> bool {
    let mut seen: Vec<&str> = Vec::new();
    let mut next = vec![from];
    while let Some(name) = next.pop() {
        for member in roles.iter().filter(|role| role.name == name).flat_map(|role| &role.member_of) {
            if member == to {
                return true;
            }
            if !seen.contains(&member.as_str()) {
                seen.push(member);
                next.push(member);
            }
        }
    }
    false
}

fn grants(raw: Vec<At<RawGrant>>, cx: &mut Context<'_, '_>) -> Vec<GrantSettings> {
    raw.into_iter()
        .map(|grant| {
            let at = grant.span();
            one_grant(grant.into_inner(), &at, cx)
        })
        .collect()
}

fn one_grant(raw: RawGrant, at: &Span, cx: &mut Context<'_, '_>) -> GrantSettings {
    let tables = match &raw.tables {
        Some(tables) => {
            if tables.get_ref().is_empty() {
                cx.mistake(&tables.span(), "a grant on no table grants nothing");
            }
            patterns(tables.get_ref(), true, cx)
        }
        None => {
            cx.mistakes.missing(at, "tables", "[[role.grant]]");
            Patterns::default()
        }
    };
    let privileges = raw.privileges.map_or_else(
        || vec![Privilege::Select],
        |privileges| {
            if privileges.get_ref().is_empty() {
                cx.mistake(&privileges.span(), "a grant of no privilege grants nothing");
            }
            let mut list: Vec<Privilege> = privileges.into_inner().into_iter().map(|privilege| privilege.0).collect();
            list.sort_unstable();
            list.dedup();
            list
        },
    );
    let columns = raw.columns.map(|columns| {
        if columns.get_ref().is_empty() {
            cx.mistake(&columns.span(), "a grant on no column grants nothing: leave the key out for all columns");
        }
        distinct(columns.get_ref(), "column", cx)
    });
    let row_filter = raw.row_filter.map(|filter| {
        if filter.get_ref().trim().is_empty() {
            cx.mistake(&filter.span(), "row_filter is empty: leave the key out for all rows");
        }
        filter.into_inner()
    });
    for (column, expression) in &raw.mask {
        any_name(column, "column", &expression.span(), cx);
        if columns.as_ref().is_some_and(|columns| !columns.contains(column)) {
            cx.mistake(&expression.span(), format!("mask on column \"{column}\", which is not in columns"));
        }
        if expression.get_ref().trim().is_empty() {
            cx.mistake(&expression.span(), format!("the mask of column \"{column}\" is empty"));
        }
    }
    let mask = raw.mask.into_iter().map(|(column, expression)| (column, expression.into_inner())).collect();
    GrantSettings { tables, privileges, columns, row_filter, mask }
}

/// Zero means "no limit", as absent does.
fn limits(raw: &RawLimits) -> LimitSettings {
    LimitSettings {
        statement_timeout: raw.statement_timeout.map(|d| d.0).filter(|d| !d.is_zero()),
        max_rows: raw.max_rows.filter(|n| *n > 0),
        max_bytes: raw.max_bytes.map(|size| size.0).filter(|n| *n > 0),
        max_memory: raw.max_memory.map(|size| size.0).filter(|n| *n > 0),
        max_concurrent: raw.max_concurrent.filter(|n| *n > 0),
        max_queued: raw.max_queued.filter(|n| *n > 0),
        queue_timeout: raw.queue_timeout.map(|d| d.0).filter(|d| !d.is_zero()),
        statements_per_minute: raw.statements_per_minute.filter(|n| *n > 0),
        max_connections: raw.max_connections.filter(|n| *n > 0),
        max_rows_read: raw.max_rows_read.filter(|n| *n > 0),
    }
}

pub(super) fn users(raw: Vec<At<RawUser>>, settings: &Settings, cx: &mut Context<'_, '_>) -> Vec<UserSettings> {
    let names: Vec<String> = settings.roles.iter().map(|role| role.name.clone()).collect();
    let mut users: Vec<UserSettings> = Vec::with_capacity(raw.len());
    for user in raw {
        let at = user.span();
        let user = user.into_inner();
        match &user.name {
            Some(name) => own_name(name, "user", users.iter().map(|user| user.name.as_str()), cx),
            None => cx.mistakes.missing(&at, "name", "[[user]]"),
        }
        let roles = user.roles.map_or_else(Vec::new, |roles| {
            references(roles.get_ref(), &names, cx);
            distinct(roles.get_ref(), "role", cx)
        });
        if user.password.is_none() && settings.server.auth == AuthMethod::ScramSha256 {
            // Such a user could never log in.
            let what = user.name.as_ref().map_or("[[user]]".to_owned(), |name| format!("user \"{}\"", name.get_ref()));
            cx.mistakes.missing(&at, "password", &what);
        }
        let password = user.password.as_ref().and_then(|password| user_verifier(password, cx));
        let set = texts(&user.set, "set", cx);
        let attributes = texts(&user.attributes, "attributes", cx);
        if let Some(name) = user.name {
            users.push(UserSettings { name: name.into_inner(), roles, password, set, attributes });
        }
    }
    users
}

/// Values of session variables and attributes: text, numbers and booleans, all kept as text.
fn texts(raw: &BTreeMap<String, At<Value>>, what: &str, cx: &mut Context<'_, '_>) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    for (key, value) in raw {
        let text = match value.get_ref() {
            Value::String(text) if !text.contains('\0') => text.clone(),
            Value::Integer(number) => number.to_string(),
            Value::Float(number) => number.to_string(),
            Value::Boolean(yes) => yes.to_string(),
            _ => {
                cx.mistake(
                    &value.span(),
                    format!("{what}: the value of \"{key}\" must be text, a number or a boolean"),
                );
                continue;
            }
        };
        any_name(key, what, &value.span(), cx);
        texts.insert(key.clone(), text);
    }
    texts
}

pub(super) fn expects(
    raw: Vec<At<RawExpect>>,
    roles: &[RoleSettings],
    cx: &mut Context<'_, '_>,
) -> Vec<ExpectSettings> {
    let names: Vec<String> = roles.iter().map(|role| role.name.clone()).collect();
    raw.into_iter()
        .filter_map(|expect| {
            let at = expect.span();
            let expect = expect.into_inner();
            for (key, value) in [("role", &expect.role), ("query", &expect.query)] {
                if value.is_none() {
                    cx.mistakes.missing(&at, key, "[[expect]]");
                }
            }
            if let Some(role) = &expect.role {
                references(std::slice::from_ref(role), &names, cx);
            }
            if let Some(query) = expect.query.as_ref().filter(|query| query.get_ref().trim().is_empty()) {
                cx.mistake(&query.span(), "query is empty");
            }
            Some(ExpectSettings {
                role: expect.role?.into_inner(),
                query: expect.query?.into_inner(),
                deny: expect.deny.unwrap_or(false),
            })
        })
        .collect()
}
