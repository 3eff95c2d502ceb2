//! Sources fail alone: a name and a SQLSTATE for the one that is down, no secret, and the others go on.
//! Must not know: how sources are reached.

use std::time::Duration;

use crate::harness::daemon::{Daemon, Setup};
use crate::harness::federation::{Federation, over};
use crate::harness::postgres::{TestPostgres, eventually};
use crate::harness::raw::{Raw, error, rows, transcript};

fn code(raw: &mut Raw, sql: &str) -> String {
    let answer = raw.ask(sql);
    answer.iter().find(|message| message.tag == b'E').map_or("ok".into(), |message| message.fields()[&'C'].clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_goes_and_comes_back() {
    let mut federation =
        Federation::start_with("connect_timeout = \"1s\"", "[cache]\nschema_negative_ttl = \"200ms\"\n").await;
    let mut ana = Raw::login(federation.tusk.port(), "ana", "tusk");
    let (live, files) = ("select count(*) from shop.orders", "select count(*) from lake.rates r, crm.nation n");
    for _ in 0..3 {
        assert_eq!((code(&mut ana, live), code(&mut ana, files)), ("ok".into(), "ok".into()));
        federation.postgres.stop();
        let answer = ana.ask(live);
        let fields = error(&answer);
        assert!(["08001", "08006"].contains(&fields[&'C'].as_str()), "{fields:?}");
        let fields = error(&ana.ask(live));
        assert_eq!(fields[&'C'], "08001", "{fields:?}");
        assert!(fields[&'M'].contains("\"shop\""), "{fields:?}");
        let said = format!("{fields:?}");
        for secret in ["postgres@", &federation.postgres.port().to_string(), "127.0.0.1"] {
            assert!(!said.contains(secret), "{secret}: {said}");
        }
        // The others, also in a statement of the same session.
        assert_eq!(rows(&ana.ask(files)), [[Some("525".to_owned())]]);
        assert_eq!(code(&mut ana, "select 1"), "ok");
        federation.postgres.start_again();
        eventually("the source answers again", Duration::from_secs(5), async || code(&mut ana, live) == "ok").await;
    }
    assert!(!federation.tusk.log().contains("panicked"));
}

/// The daemon starts with its sources down, and says which.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_daemon_starts_with_its_sources_down() {
    let mut postgres = TestPostgres::start();
    postgres.exec("create table t (a int)").await;
    postgres.stop();
    let tusk = over(&postgres, "connect_timeout = \"1s\"", "[cache]\nschema_negative_ttl = \"200ms\"\n");
    let mut root = Raw::login(tusk.port(), "root", "tusk");
    let fields = error(&root.ask("select * from shop.t"));
    assert_eq!(fields[&'C'], "08001");
    let sources = rows(&root.ask("select source_name, up, sqlstate from tusk.sources"));
    assert_eq!(sources, [[Some("shop".to_owned()), Some("f".to_owned()), Some("08001".to_owned())]]);
    assert_eq!(tusk.page("/livez").0, 200);
    assert_eq!(tusk.page("/readyz").0, 503);
    postgres.start_again();
    eventually("the source is up", Duration::from_secs(10), async || code(&mut root, "select * from shop.t") == "ok")
        .await;
    eventually("readyz says so", Duration::from_secs(10), async || tusk.page("/readyz").0 == 200).await;
}

/// A password that the source refuses: its name, never the password; not in the log either.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_password_is_not_told() {
    let postgres = TestPostgres::start();
    postgres
        .exec("create role reader login password 'right'; create table t (a int); grant select on t to reader")
        .await;
    let config = format!(
        "[[source]]\nname = \"shop\"\ntype = \"postgres\"\nurl = \"postgres://reader@127.0.0.1:{}/postgres?sslmode=disable\"\n\
         password = {{ env = \"SHOP_PASSWORD\" }}\n[[role]]\nname = \"r\"\n[[role.grant]]\ntables = [\"*.*\"]\nprivileges = [\"select\"]\n\
         [[user]]\nname = \"ana\"\nroles = [\"r\"]\n",
        postgres.port()
    );
    for (password, outcome) in [("Geheimwort", "08001"), ("right", "ok")] {
        let environment = vec![("SHOP_PASSWORD".to_owned(), password.to_owned())];
        let tusk = Daemon::start(&Setup { environment, ..Setup::trusting(config.clone()) });
        let mut ana = Raw::login(tusk.port(), "ana", "tusk");
        let answer = ana.ask("select * from shop.t");
        assert_eq!(code(&mut ana, "select * from shop.t"), outcome);
        let everything = transcript(&answer) + &tusk.log() + &tusk.page("/readyz").1 + &tusk.page("/metrics").1;
        assert!(!everything.contains("Geheimwort"), "{everything}");
        assert!(outcome == "ok" || error(&answer)[&'M'].contains("\"shop\""));
    }
}

/// Files that are broken are errors with their names; their neighbours are read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_files_are_errors_that_name_them() {
    let federation = Federation::start().await;
    let lake = federation.files.path().join("lake");
    let whole = std::fs::read(lake.join("lineitem/part-0.parquet")).unwrap();
    std::fs::create_dir(lake.join("cut")).unwrap();
    std::fs::write(lake.join("cut/one.parquet"), &whole[..whole.len() / 2]).unwrap();
    std::fs::write(lake.join("bad.csv"), "a,b\n1,2\n3\n").unwrap();
    std::fs::write(lake.join("worse.csv"), "a,b\n1,2\n3,4,5\n").unwrap();
    std::fs::write(lake.join("half.ndjson"), "{\"a\": 1}\n{\"a\": \n").unwrap();
    std::fs::write(lake.join("zero.parquet"), "").unwrap();
    let mut root = Raw::login(federation.tusk.port(), "root", "tusk");
    root.ask("select tusk.refresh('lake')");
    for (table, file) in [
        ("cut", "one.parquet"),
        ("bad", "bad.csv"),
        ("worse", "worse.csv"),
        ("half", "half.ndjson"),
        ("zero", "zero.parquet"),
    ] {
        let fields = error(&root.ask(&format!("select * from lake.{table}")));
        let told = format!(
            "{} {}",
            fields[&'M'],
            fields.get(&'D').cloned().unwrap_or_default() + fields.get(&'W').map_or("", |text| text)
        );
        assert!(!fields[&'C'].starts_with("XX000"), "{table}: {fields:?}");
        assert!(told.contains(file) || fields[&'C'] == "42P01", "{table}: {fields:?}");
        if file.ends_with("csv") {
            assert!(told.contains('3'), "the line is not named: {fields:?}");
        }
    }
    assert_eq!(rows(&root.ask("select count(*) from lake.lineitem")), [[Some("6000".to_owned())]]);
    assert!(!federation.tusk.log().contains("panicked"));
}
