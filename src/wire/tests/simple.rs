//! The simple protocol, transactions and variables.
//! Must not know: the extended protocol.

use super::*;

#[tokio::test]
async fn a_session_begins_as_clients_expect() {
    let house = House::new();
    let client = house.client_with(&[("application_name", "probe"), ("DateStyle", "German")], 65536).await;
    let get = |name: &str| client.params.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    assert_eq!(get("application_name"), Some("probe"));
    assert_eq!(get("DateStyle"), Some("German, DMY"));
    assert_eq!(get("session_authorization"), Some("ana"));
    for name in ["server_version", "server_encoding", "client_encoding", "TimeZone", "is_superuser", "IntervalStyle"] {
        assert!(get(name).is_some(), "{name}");
    }
    assert_eq!((client.key.len(), house.registry.get(client.pid).unwrap().application_name.as_str()), (4, "probe"));
}

#[tokio::test]
async fn a_bad_start_up_parameter_is_fatal() {
    let house = House::new();
    for (name, value, code) in [("nope", "1", "42704"), ("statement_timeout", "x", "22023")] {
        let answer = house.connect(&[(name, value)], 65536).rest().await;
        assert_eq!(answer[0].field(b'S').as_deref(), Some("FATAL"));
        assert_eq!(answer[0].field(b'C').as_deref(), Some(code));
    }
    assert!(house.registry.is_empty());
}

#[tokio::test]
async fn statements_and_their_tags() {
    let house = House::new();
    let mut client = house.client().await;
    for (text, expected) in [
        ("select 1", "<0> SELECT 1 I"),
        ("", "EMPTY I"),
        (";; ", "EMPTY I"),
        ("-- ping", "EMPTY I"),
        ("select 1; select 2; select rows(2)", "<0> SELECT 1 <0> SELECT 1 <0> <1> SELECT 2 I"),
        ("select 1; select 1/0; select 3", "<0> SELECT 1 22012 I"),
        ("selekt", "42601 I"),
        ("select 1; selekt", "42601 I"),
        ("show work_mem", "<8MB> SHOW I"),
        ("set application_name = 'x'", "SET I"),
        ("reset application_name", "RESET I"),
        ("discard all", "DISCARD ALL I"),
        ("set session characteristics as transaction isolation level serializable", "SET I"),
        ("show transaction isolation level", "<serializable> SHOW I"),
        ("deallocate all", "DEALLOCATE ALL I"),
        ("close all", "CLOSE CURSOR ALL I"),
        ("unlisten *", "UNLISTEN I"),
        ("show nope", "42704 I"),
        ("listen x", "LISTEN I"),
        ("select $1", "42P02 I"),
    ] {
        assert_eq!(client.run(text).await, expected, "{text}");
    }
}

#[tokio::test]
async fn transactions_as_in_postgresql() {
    let house = House::new();
    let mut client = house.client().await;
    for (text, expected) in [
        ("begin", "BEGIN T"),
        ("begin", "[25001] BEGIN T"),
        ("select 1", "<0> SELECT 1 T"),
        ("select 1/0", "22012 E"),
        ("select 1", "25P02 E"),
        ("savepoint s", "25P02 E"),
        ("", "EMPTY E"),
        ("commit", "ROLLBACK I"),
        ("commit", "[25P01] COMMIT I"),
        ("rollback", "[25P01] ROLLBACK I"),
        ("savepoint s", "25P01 I"),
        ("start transaction read only", "START TRANSACTION T"),
        ("show transaction_read_only", "<on> SHOW T"),
        ("savepoint s1", "SAVEPOINT T"),
        ("select 1/0", "22012 E"),
        ("rollback to savepoint s1", "ROLLBACK T"),
        ("select 5", "<0> SELECT 1 T"),
        ("release nope", "3B001 E"),
        ("end", "ROLLBACK I"),
        ("begin; set statement_timeout = '7s'; select 1/0", "BEGIN SET 22012 E"),
        ("rollback", "ROLLBACK I"),
        ("show statement_timeout", "<0> SHOW I"),
        ("set statement_timeout = '5s'; select 1/0", "SET 22012 I"),
        ("show statement_timeout", "<0> SHOW I"),
        ("set statement_timeout = '5s'; commit; select 1/0", "SET [25P01] COMMIT 22012 I"),
        ("show statement_timeout", "<5s> SHOW I"),
        ("set local statement_timeout = '1s'", "[25P01] SET I"),
        ("set local work_mem = '1MB'; show work_mem", "SET <1MB> SHOW I"),
        ("show work_mem", "<8MB> SHOW I"),
        ("begin; discard all", "BEGIN 25001 E"),
        ("rollback and chain", "ROLLBACK T"),
        ("commit", "COMMIT I"),
        ("commit and chain", "25P01 I"),
        ("begin isolation level repeatable read; select 1", "BEGIN <0> SELECT 1 T"),
        ("set transaction isolation level read committed", "25001 E"),
        ("abort", "ROLLBACK I"),
    ] {
        assert_eq!(client.run(text).await, expected, "{text}");
    }
}

#[tokio::test]
async fn changes_are_reported_also_when_undone() {
    let house = House::new();
    let mut client = house.client().await;
    let (kinds, answer) = client.ask(&[query("set timezone to 'Asia/Tokyo'")]).await;
    assert_eq!((kinds.as_str(), answer[1].text().as_str()), ("CSZ", "TimeZone\0Asia/Tokyo"));
    client.run("begin").await;
    client.run("set timezone to 'UTC'").await;
    let (kinds, answer) = client.ask(&[query("rollback")]).await;
    assert_eq!((kinds.as_str(), answer[1].text().as_str()), ("CSZ", "TimeZone\0Asia/Tokyo"));
}

#[tokio::test]
async fn errors_have_their_fields_and_bugs_say_nothing() {
    let house = House::new();
    let mut client = house.client().await;
    let (_, answer) = client.ask(&[query("select * from no_such_table")]).await;
    let fields: Vec<_> = b"SVCP".iter().map(|code| answer[0].field(*code).unwrap()).collect();
    assert_eq!(fields, ["ERROR", "ERROR", "42P01", "15"]);
    let (_, answer) = client.ask(&[query("select bug()")]).await;
    assert_eq!(errors(&answer), [("XX000".to_owned(), "internal error".to_owned())]);
    assert!(answer[0].field(b'D').unwrap().starts_with("Query id: "));
    assert!(!String::from_utf8_lossy(&answer[0].body).contains("secret"));
    assert_eq!(client.run("set client_min_messages = error").await, "SET I");
    assert_eq!(client.run("commit").await, "COMMIT I");
}
