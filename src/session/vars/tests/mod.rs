//! Tests of session variables; the expected texts are PostgreSQL 15's own.
//! Must not know: how values are kept.

mod page;

use super::*;

fn set(vars: &mut SessionVars, name: &str, text: &str) -> String {
    match vars.set(name, text, Scope::Session) {
        Ok(()) => vars.show(name).unwrap(),
        Err(error) => {
            let rest = [error.detail(), error.hint()].into_iter().flatten().map(|text| format!(" | {text}"));
            format!("{}: {}{}", error.state(), error.message(), rest.collect::<String>())
        }
    }
}

#[test]
fn the_table_is_sorted_and_every_default_parses() {
    let lower: Vec<String> = VARIABLES.iter().map(|variable| variable.name.to_ascii_lowercase()).collect();
    assert!(lower.windows(2).all(|pair| pair[0] < pair[1]));
    for variable in VARIABLES {
        assert!(value::parse(variable, variable.name, variable.default).is_ok(), "{}", variable.name);
        assert_eq!(find(variable.name), find(&variable.name.to_uppercase()));
    }
    assert_eq!(*SessionVars::new().format(), FormatOptions::default());
}

#[test]
fn numbers_with_units() {
    let mut vars = SessionVars::new();
    let hint = "Valid units for this parameter are \"us\", \"ms\", \"s\", \"min\", \"h\", and \"d\".";
    let invalid = |text: &str, hint: &str| {
        let tail = if hint.is_empty() { String::new() } else { format!(" | {hint}") };
        format!("22023: invalid value for parameter \"statement_timeout\": \"{text}\"{tail}")
    };
    for (text, shown) in [
        ("33000", "33s".to_owned()),
        ("1234ms", "1234ms".to_owned()),
        ("5min", "5min".to_owned()),
        ("90s", "90s".to_owned()),
        ("1.5s", "1500ms".to_owned()),
        ("1.5ms", "2ms".to_owned()),
        (" 1 h ", "1h".to_owned()),
        ("0x10", "16ms".to_owned()),
        ("2.5", "2ms".to_owned()),
        ("24d", "24d".to_owned()),
        ("1us", "0".to_owned()),
        ("600us", "1ms".to_owned()),
        ("5 fort", invalid("5 fort", hint)),
        ("abc", invalid("abc", "")),
        ("", invalid("", "")),
        ("99999999999", invalid("99999999999", "Value exceeds integer range.")),
        ("25d", invalid("25d", "Value exceeds integer range.")),
        (
            "-1",
            "22023: -1 ms is outside the valid range for parameter \"statement_timeout\" (0 .. 2147483647)".to_owned(),
        ),
    ] {
        assert_eq!(set(&mut vars, "statement_timeout", text), shown, "{text}");
    }
    for (text, shown) in [("64MB", "64MB"), ("100", "100kB"), ("1.5GB", "1536MB"), ("2097152", "2GB")] {
        assert_eq!(set(&mut vars, "work_mem", text), shown);
    }
    let extra = "22023: 4 is outside the valid range for parameter \"extra_float_digits\" (-15 .. 3)";
    assert_eq!(set(&mut vars, "extra_float_digits", "4"), extra);
    assert_eq!(set(&mut vars, "extra_float_digits", "3 "), "3");
    assert_eq!(vars.format().extra_float_digits, 3);
    let real = "22023: -1 is outside the valid range for parameter \"seq_page_cost\" (0 .. 1.79769e+308)";
    assert_eq!(set(&mut vars, "seq_page_cost", "-1"), real);
    assert_eq!(set(&mut vars, "seq_page_cost", "1.50"), "1.5");
}

#[test]
fn switches_and_words() {
    let mut vars = SessionVars::new();
    for (text, shown) in [("of", "off"), ("tru", "on"), ("1", "on"), ("NO", "off"), ("yes", "on")] {
        assert_eq!(set(&mut vars, "jit", text), shown);
    }
    for text in ["o", "maybe", "2", ""] {
        assert_eq!(set(&mut vars, "jit", text), "22023: parameter \"jit\" requires a Boolean value");
    }
    assert_eq!(set(&mut vars, "intervalstyle", "ISO_8601"), "iso_8601");
    let hint = "22023: invalid value for parameter \"intervalstyle\": \"foo\" | Available values: postgres, \
                postgres_verbose, sql_standard, iso_8601.";
    assert_eq!(set(&mut vars, "intervalstyle", "foo"), hint);
    assert_eq!(set(&mut vars, "client_min_messages", "info"), "info");
    assert_eq!(set(&mut vars, "constraint_exclusion", "true"), "on");
    assert_eq!(set(&mut vars, "default_transaction_isolation", "READ COMMITTED"), "read committed");
}

#[test]
fn texts_with_rules() {
    let mut vars = SessionVars::new();
    for (text, shown) in [("DMY", "ISO, DMY"), ("german", "German, DMY"), ("iso,mdy", "ISO, MDY"), ("", "ISO, MDY")] {
        assert_eq!(set(&mut vars, "datestyle", text), shown);
    }
    let bad = "22023: invalid value for parameter \"DateStyle\": \"foo\" | Unrecognized key word: \"foo\".";
    assert_eq!(set(&mut vars, "datestyle", "foo"), bad);
    assert_eq!(set(&mut vars, "timezone", "europe/berlin"), "Europe/Berlin");
    assert_eq!(set(&mut vars, "TIMEZONE", "3"), "<+03>-03");
    for (text, shown) in [("'utf-8'", "UTF8"), ("UNICODE", "UNICODE"), ("sql_ascii", "SQL_ASCII"), ("utf8", "UTF8")] {
        assert_eq!(set(&mut vars, "client_encoding", text), shown);
    }
    assert!(set(&mut vars, "client_encoding", "foo").starts_with("22023"));
    assert!(set(&mut vars, "client_encoding", "latin1").starts_with("0A000"));
    assert_eq!(set(&mut vars, "application_name", "h\u{e9}llo"), "h??llo");
    assert_eq!(set(&mut vars, "search_path", "a, \"B c\""), "a, \"B c\"");
    assert_eq!(vars.search_path(), ["a", "B c"]);
    assert!(set(&mut vars, "search_path", "a,,b").contains("List syntax is invalid"));
    assert!(set(&mut vars, "standard_conforming_strings", "off").starts_with("0A000"));
    assert_eq!(set(&mut vars, "standard_conforming_strings", "on"), "on");
}

#[test]
fn what_nobody_may_set() {
    let mut vars = SessionVars::new();
    assert_eq!(set(&mut vars, "server_version", "1"), "55P02: parameter \"server_version\" cannot be changed");
    let restart = "55P02: parameter \"max_connections\" cannot be changed without restarting the server";
    assert_eq!(set(&mut vars, "max_connections", "1"), restart);
    assert_eq!(set(&mut vars, "log_statement", "all"), "42501: permission denied to set parameter \"log_statement\"");
    assert_eq!(set(&mut vars, "nope", "1"), "42704: unrecognized configuration parameter \"nope\"");
    assert_eq!(vars.show("nope").unwrap_err().state(), SqlState::UNDEFINED_OBJECT);
    assert_eq!(vars.show("foo.bar").unwrap_err().state(), SqlState::UNDEFINED_OBJECT);
    assert_eq!(set(&mut vars, "foo.bar", "x"), "x");
    vars.reset("foo.bar", Scope::Session).unwrap();
    assert_eq!(vars.show("Foo.Bar").unwrap(), "");
    assert!(set(&mut vars, "foo.1a", "x").starts_with("42602"));
    assert!(set(&mut vars, "tusk.nope", "x").contains("is a reserved prefix"));
    assert!(set(&mut vars, "datafusion.execution.batch_size", "1").starts_with("42602"));
    assert_eq!(vars.reset("server_version", Scope::Session).unwrap_err().state().code(), "55P02");
    assert!(set(&mut vars, "session_authorization", "bob").contains("role \"bob\" does not exist"));
}

#[test]
fn transactions_undo_and_local_ends() {
    let mut vars = SessionVars::new();
    let show = |vars: &SessionVars| vars.show("statement_timeout").unwrap();
    vars.begin();
    vars.set("statement_timeout", "7s", Scope::Session).unwrap();
    vars.push();
    vars.set("statement_timeout", "8s", Scope::Session).unwrap();
    vars.set("statement_timeout", "9s", Scope::Local).unwrap();
    assert_eq!(show(&vars), "9s");
    vars.rollback_to(0);
    assert_eq!(show(&vars), "7s");
    vars.release(0);
    vars.commit();
    assert_eq!(show(&vars), "7s");
    vars.begin();
    vars.set("statement_timeout", "11s", Scope::Session).unwrap();
    vars.set("statement_timeout", "12s", Scope::Local).unwrap();
    assert_eq!((show(&vars), vars.statement_timeout()), ("12s".to_owned(), Some(Duration::from_secs(12))));
    vars.commit();
    assert_eq!(show(&vars), "11s");
    vars.begin();
    vars.set("statement_timeout", "13s", Scope::Session).unwrap();
    vars.set("timezone", "Asia/Tokyo", Scope::Session).unwrap();
    assert_eq!(vars.format().time_zone.name(), "Asia/Tokyo");
    vars.rollback();
    assert_eq!((show(&vars), vars.format().time_zone.name()), ("11s".to_owned(), "UTC"));
}

#[test]
fn a_transaction_has_its_own_isolation() {
    let mut vars = SessionVars::new();
    let show = |vars: &SessionVars| vars.show("transaction_isolation").unwrap();
    vars.begin();
    vars.set("default_transaction_isolation", "serializable", Scope::Session).unwrap();
    assert_eq!(show(&vars), "read committed");
    vars.commit();
    assert_eq!(show(&vars), "serializable");
    vars.begin();
    vars.set("transaction_isolation", "repeatable read", Scope::Local).unwrap();
    assert_eq!(show(&vars), "repeatable read");
    vars.reset_all();
    assert_eq!(show(&vars), "repeatable read");
    vars.commit();
    assert_eq!(show(&vars), "read committed");
}

#[test]
fn reset_goes_back_to_the_session_defaults() {
    let mut vars = SessionVars::new();
    vars.set_default("server_version", "16.1", Source::ConfigurationFile).unwrap();
    vars.set_default("statement_timeout", "20s", Source::User).unwrap();
    vars.set_default("statement_timeout", "33s", Source::Client).unwrap();
    assert!(vars.set_default("server_version", "1", Source::Client).is_err());
    assert_eq!(vars.show("server_version").unwrap(), "16.1");
    vars.set("statement_timeout", "1s", Scope::Session).unwrap();
    assert_eq!(vars.shown("statement_timeout").unwrap().source, Source::Session);
    vars.reset("statement_timeout", Scope::Session).unwrap();
    assert_eq!(vars.show("statement_timeout").unwrap(), "33s");
    vars.set("statement_timeout", "1s", Scope::Session).unwrap();
    vars.reset_all();
    assert_eq!(vars.show("statement_timeout").unwrap(), "33s");
}

#[test]
fn clients_are_told_of_changes_once() {
    let mut vars = SessionVars::new();
    let first = vars.take_changed();
    assert_eq!(first.len(), VARIABLES.iter().filter(|variable| variable.reported).count());
    assert!(first.contains(&("server_version", crate::names::SERVER_VERSION.to_owned())));
    assert!(vars.take_changed().is_empty());
    vars.set("application_name", "x", Scope::Session).unwrap();
    vars.set("work_mem", "1MB", Scope::Session).unwrap();
    assert_eq!(vars.take_changed(), [("application_name", "x".to_owned())]);
    vars.begin();
    vars.set("timezone", "Asia/Tokyo", Scope::Session).unwrap();
    assert_eq!(vars.take_changed(), [("TimeZone", "Asia/Tokyo".to_owned())]);
    vars.rollback();
    assert_eq!(vars.take_changed(), [("TimeZone", "UTC".to_owned())]);
}
