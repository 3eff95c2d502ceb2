//! The configuration as an operator meets it: mistakes all at once, the reference file, what `tusk check` says.
//! Must not know: how it is parsed.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

use crate::harness::daemon::{binary, repository};

fn tusk(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(binary())
        .args(arguments)
        .current_dir(directory)
        .env_remove("TUSK_CONFIG")
        .env_remove("TUSK_LOG")
        .output()
        .unwrap()
}

fn texts(output: &Output) -> (String, String) {
    (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Three mistakes that only a look at the whole file finds, and a port that stays free.
#[test]
fn three_mistakes_are_told_at_once_and_nothing_is_bound() {
    let directory = tempfile::tempdir().unwrap();
    // Held by the test: if the daemon tried to bind it, it would say so.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = format!(
        r#"[server]
listen = ["{address}"]
auth = "trust"
startup_timeout = "10 parsecs"

[http]
listen = "{address}"

[[source]]
name = "shop"
type = "postgres"
url = "postgres://tusk:geheim@127.0.0.1/shop"

[[role]]
name = "reader"
[[role.grant]]
tables = ["shop.*"]
privilege = ["select"]
"#,
        address = taken.local_addr().unwrap()
    );
    std::fs::write(directory.path().join("t.toml"), config).unwrap();
    for command in ["serve", "check"] {
        let output = tusk(directory.path(), &[command, "-c", "t.toml"]);
        let (out, err) = texts(&output);
        assert_eq!((output.status.code(), out.as_str()), (Some(78), ""), "{err}");
        let lines: Vec<&str> = err.lines().collect();
        assert_eq!(lines.len(), 3, "{err}");
        for (line, (place, word)) in
            lines.iter().zip([(":4: ", "startup_timeout"), (":12: ", "password"), (":18: ", "privileges")])
        {
            assert!(line.starts_with("t.toml") || line.contains("/t.toml"), "{line}");
            assert!(line.contains(place) && (line.contains(word) || line.contains("parsecs")), "{line}");
        }
        assert!(!err.contains("geheim"), "a secret is printed: {err}");
        assert!(!err.contains("listen on"), "{err}");
    }
}

#[test]
fn a_file_that_is_no_config_is_one_mistake() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("syntax.toml"), "[server\nlisten = 1\n").unwrap();
    for (file, says) in [("syntax.toml", "syntax.toml:1: "), ("missing.toml", "missing.toml: ")] {
        let output = tusk(directory.path(), &["serve", "-c", file]);
        let (out, err) = texts(&output);
        assert_eq!((output.status.code(), out.as_str()), (Some(78), ""));
        assert!(err.contains(says) && err.lines().count() == 1, "{err}");
    }
}

/// The reference file has every key at its default, so it is the same as an empty one.
#[test]
fn the_reference_file_is_the_defaults() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::copy(repository("config/tusk.toml"), directory.path().join("tusk.toml")).unwrap();
    std::fs::write(directory.path().join("empty.toml"), "").unwrap();
    let output = tusk(directory.path(), &["check", "-c", "tusk.toml", "--against", "empty.toml"]);
    let (out, err) = texts(&output);
    assert_eq!((output.status.code(), err.as_str()), (Some(0), ""), "{out}");
    assert!(out.ends_with("a reload from empty.toml would change:\n  nothing\n"), "{out}");
}

/// Every key of the contract, the examples switched on.
#[test]
fn every_key_of_the_contract_parses() {
    let directory = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(repository("tests/golden/all_keys.toml")).unwrap();
    std::fs::write(directory.path().join("all.toml"), text).unwrap();
    let output = Command::new(binary())
        .args(["check", "-c", "all.toml"])
        .current_dir(directory.path())
        .env("SHOP_PASSWORD", "geheim")
        .output()
        .unwrap();
    let (out, err) = texts(&output);
    assert!(!out.contains("geheim") && !err.contains("geheim"));
    assert!(!err.contains("unknown key"), "{err}");
    if output.status.code() != Some(0) {
        // Of what it names, files need not exist here.
        assert!(err.lines().all(|line| line.contains("tls/") || line.contains("secrets/")), "{err}");
    }
}

#[test]
fn check_prints_the_effective_permissions() {
    let directory = tempfile::tempdir().unwrap();
    let config = r#"[server]
auth = "trust"

[[role]]
name = "analyst"
[[role.grant]]
tables = ["shop.orders", "lake.*"]
privileges = ["select"]
[[role.grant]]
tables = ["shop.customer"]
columns = ["c_custkey", "c_name"]
privileges = ["select"]
[role.limits]
statement_timeout = "30s"

[[role]]
name = "unused"

[[user]]
name = "ana"
roles = ["analyst"]

[[source]]
name = "shop"
type = "postgres"
url = "postgres://tusk@127.0.0.1/shop"
"#;
    std::fs::write(directory.path().join("t.toml"), config).unwrap();
    let output = tusk(directory.path(), &["check", "-c", "t.toml"]);
    let (out, err) = texts(&output);
    assert_eq!((output.status.code(), err.as_str()), (Some(0), ""));
    for words in [
        "t.toml: no mistakes",
        "user ana",
        "shop.orders",
        "lake.*",
        "shop.customer",
        "c_custkey, c_name",
        "30s",
        "\"unused\"",
    ] {
        assert!(out.contains(words), "{words} is missing in\n{out}");
    }
}

#[test]
fn the_command_line_is_documented_by_itself() {
    let directory = tempfile::tempdir().unwrap();
    let help = tusk(directory.path(), &["--help"]);
    let (out, _) = texts(&help);
    assert_eq!(help.status.code(), Some(0));
    for command in ["serve", "demo", "check", "hash-password", "version"] {
        assert!(out.contains(command), "{out}");
    }
    assert_eq!(texts(&tusk(directory.path(), &["version"])).0, format!("tusk {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(tusk(directory.path(), &["nothing"]).status.code(), Some(2));
}
