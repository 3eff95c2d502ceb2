//! `docs/settings.md`: the page about session variables, written from their table. `REWRITE=1` writes it anew.
//! Must not know: values of a session.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use super::super::{Context, Kind, Unit, VARIABLES, Variable, value};

/// Variables that change what Tusk does; the others are kept and shown, so that clients which set them get on.
const EFFECTIVE: &[&str] = &[
    "application_name",
    "bytea_output",
    "client_encoding",
    "client_min_messages",
    "DateStyle",
    "default_transaction_deferrable",
    "default_transaction_isolation",
    "default_transaction_read_only",
    "extra_float_digits",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "IntervalStyle",
    "search_path",
    "statement_timeout",
    "tcp_keepalives_count",
    "tcp_keepalives_idle",
    "tcp_keepalives_interval",
    "tcp_user_timeout",
    "TimeZone",
    "transaction_timeout",
    "tusk.route",
];

const HEAD: &str = "# Session variables

Written from `src/session/vars/table.rs` by a test (`REWRITE=1 cargo test --lib settings_page`); do not edit.

A client sets a variable with `SET`, `SET LOCAL`, `set_config()`, as a parameter of the start-up packet, or in its `options`
(`-c name=value`); a user's entry in the configuration sets its defaults. `SHOW`, `current_setting()` and `pg_settings` tell its value.
Names with a dot that are not listed here can be made up, as in PostgreSQL (at most 1,000 in a session, of 4 MiB together).
Those marked with \u{2022} change what Tusk does. The others are PostgreSQL's: they are checked, kept and shown, and change nothing.
";

fn who(context: Context) -> &'static str {
    match context {
        Context::Internal => "nobody",
        Context::Postmaster => "the configuration",
        Context::Superuser => "a superuser (there is none)",
        Context::User => "everybody",
    }
}

fn values(variable: &Variable) -> String {
    let unit = |unit: Unit| unit.name().map(|unit| format!(" {unit}")).unwrap_or_default();
    match variable.kind {
        Kind::Bool => "`on`, `off`".to_owned(),
        Kind::Int { min, max, .. } if min == max => String::new(),
        Kind::Int { unit: of, min, max } => format!("{min} to {max}{}", unit(of)),
        Kind::Real { unit: of, min, max } if max == f64::MAX => format!("from {min}{}", unit(of)),
        Kind::Real { unit: of, min, max } => format!("{min} to {max}{}", unit(of)),
        Kind::Enum(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        Kind::Text(_) => "text".to_owned(),
    }
}

fn page() -> String {
    let mut categories: BTreeMap<&str, Vec<&Variable>> = BTreeMap::new();
    for variable in VARIABLES {
        categories.entry(variable.category).or_default().push(variable);
    }
    let mut page = HEAD.to_owned();
    for (category, variables) in categories {
        let _ =
            write!(page, "\n## {category}\n\n| | name | default | values | set by | |\n|---|---|---|---|---|---|\n");
        for variable in variables {
            let default = value::parse(variable, variable.name, variable.default).unwrap();
            let shown = value::show(variable, &default);
            let shown = if shown.is_empty() { String::new() } else { format!("`{shown}`") };
            let _ = writeln!(
                page,
                "| {} | `{}` | {shown} | {} | {} | {} |",
                if EFFECTIVE.contains(&variable.name) { "\u{2022}" } else { "" },
                variable.name,
                values(variable),
                who(variable.context),
                variable.description,
            );
        }
    }
    page
}

#[test]
fn settings_page_is_that_of_the_table() {
    for name in EFFECTIVE {
        assert!(VARIABLES.iter().any(|variable| variable.name == *name), "{name}");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/settings.md");
    if std::env::var_os("REWRITE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, page()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page(), "docs/settings.md is not that of the table: run with REWRITE=1");
}
