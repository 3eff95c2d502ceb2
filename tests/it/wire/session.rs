//! What SQL says of its session: variables, transactions, locks, notifications, EXPLAIN; scripts played to Tusk and to PostgreSQL.
//! Must not know: how it is kept.

use super::{Pair, none};
use crate::harness::raw::{Message, Raw, error, rows, transcript};

/// One script a line, its messages parted by `@@`, each played on a connection of its own as a user who may only read.
const SCRIPTS: &str = include_str!("session.txt");

fn scripts() -> impl Iterator<Item = &'static str> {
    SCRIPTS.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn play(raw: &mut Raw, script: &str) -> Vec<Message> {
    script.split("@@").flat_map(|message| raw.ask(message.trim())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_answer_as_postgresql() {
    let pair = Pair::start().await;
    let oracle = pair.federation.oracle().await;
    oracle
        .batch_execute(
            "create role ana login; alter role ana set timezone = 'UTC'; grant usage on schema shop to ana; \
             grant select on all tables in schema shop to ana",
        )
        .await
        .unwrap();
    let mut findings = Vec::new();
    for script in scripts() {
        let told = |port, database: &str| {
            let script = script.replace("DATABASE", database);
            transcript(&play(&mut Raw::login(port, "ana", database), &script)).replace(database, "DATABASE")
        };
        let ours = told(pair.federation.tusk.port(), "tusk");
        let theirs = told(pair.federation.postgres.port(), "oracle");
        if ours != theirs {
            findings.push(format!("--- {script}\nTusk:\n{ours}PostgreSQL:\n{theirs}"));
        }
    }
    assert!(scripts().count() > 200);
    none(&findings);
}

/// EXPLAIN's forms for machines: PostgreSQL's outer form, a value that parses, the column's type.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn explain_speaks_every_form() {
    let pair = Pair::start().await;
    let mut tusk = pair.tusk();
    let join = "select o_orderkey from shop.orders join crm.nation on n_nationkey = o_custkey where n_name <> 'x\"<&>'";
    for analyze in ["", ", analyze", ", analyze, timing off, summary off", ", verbose, settings, summary"] {
        tusk.ask("set enable_sort = off");
        let text = |tusk: &mut Raw, format: &str| {
            let answer = tusk.ask(&format!("explain (format {format}{analyze}) {join}"));
            let oid = answer.iter().find(|message| message.tag == b'T').unwrap().columns()[0].oid;
            let rows = rows(&answer);
            assert_eq!(rows.len(), 1, "{}", transcript(&answer));
            (oid, rows[0][0].clone().unwrap())
        };
        let (oid, json) = text(&mut tusk, "json");
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        let plan = &value[0]["Plan"];
        assert!(oid == 114 && plan["Node Type"].is_string() && plan["Plans"].is_array(), "{json}");
        assert_eq!(value[0]["Route"], "federated");
        let sent: Vec<_> = value[0]["Sent"].as_array().unwrap().iter().map(|read| read["Source"].clone()).collect();
        assert!(sent.contains(&"crm".into()) && sent.contains(&"shop".into()), "{json}");
        assert_eq!(value[0]["Execution Time"].is_number(), analyze == ", analyze", "{json}");
        assert_eq!(value[0]["Rows"].is_number(), analyze.contains("analyze"), "{json}");
        assert_eq!(
            value[0]["Planning Time"].is_number(),
            matches!(analyze, ", analyze" | ", verbose, settings, summary")
        );
        assert_eq!(value[0]["Settings"][0]["Name"] == "enable_sort", analyze.contains("settings"), "{json}");
        let (oid, xml) = text(&mut tusk, "xml");
        assert!(oid == 142 && xml.starts_with("<explain xmlns=\"http://www.postgresql.org/2009/explain\">\n  <Query>\n    <Plan>\n      <Node-Type>"), "{xml}");
        assert!(xml.ends_with("</Query>\n</explain>") && xml.contains("x\"&lt;&amp;&gt;"), "{xml}");
        let (oid, yaml) = text(&mut tusk, "yaml");
        assert!(oid == 25 && yaml.starts_with("- Plan: \n    Node Type: \""), "{yaml}");
    }
    let text = transcript(&tusk.ask(&format!("explain (settings, summary) {join}")));
    assert!(text.contains("Settings: enable_sort = \\'off\\'") && text.contains("Planning Time: "), "{text}");
    // It authorises like the statement, with every option.
    let mut bob = Raw::login(pair.federation.tusk.port(), "bob", "tusk");
    for options in ["", "analyze", "(format json)", "(analyze, verbose, format xml)"] {
        assert_eq!(error(&bob.ask(&format!("explain {options} select o_totalprice from shop.orders")))[&'C'], "42703");
        assert_eq!(error(&bob.ask(&format!("explain {options} select * from crm.nation")))[&'C'], "42P01");
    }
}

/// Maintenance tells of what a user may see, and of nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn maintenance_tells_a_role_of_its_own_world() {
    let pair = Pair::start().await;
    let mut bob = Raw::login(pair.federation.tusk.port(), "bob", "tusk");
    for statement in ["vacuum", "analyze"] {
        let text = transcript(&bob.ask(statement));
        assert!(text.contains("skipping \"orders\"") && text.contains("skipping \"rates\""), "{text}");
        assert!(!text.contains("nation") && !text.contains("customer"), "{text}");
    }
    for (hidden, missing) in [("crm.nation", "crm.no"), ("shop.customer", "shop.no")] {
        for statement in
            ["vacuum @", "analyze @", "cluster @", "reindex table @", "begin; lock table @ in access share mode"]
        {
            let answer = |raw: &mut Raw, name: &str| {
                let text = transcript(&raw.ask(&statement.replace('@', name)));
                raw.ask("rollback");
                text.replace(name, "@")
            };
            assert_eq!(answer(&mut bob, hidden), answer(&mut bob, missing), "{statement} {hidden}");
        }
    }
}

/// What a session keeps is bounded, each bound with its SQLSTATE.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_session_keeps_is_bounded() {
    let pair = Pair::start().await;
    let mut tusk = pair.tusk();
    let mut until_refused = |most: usize, make: &dyn Fn(usize) -> String| {
        let refused = (0..most).find_map(|number| {
            let answer = tusk.ask(&make(number));
            answer.iter().any(|message| message.tag == b'E').then(|| error(&answer)[&'C'].clone())
        });
        tusk.ask("rollback; discard all");
        refused
    };
    assert_eq!(until_refused(2_000, &|number| format!("set a.v{number} = 1")).as_deref(), Some("53400"));
    assert_eq!(
        until_refused(20, &|number| format!("set a.v{number} = '{}'", "x".repeat(900_000))).as_deref(),
        Some("53400")
    );
    let long = "select set_config('search_path', repeat('x', 2000000), false)";
    assert_eq!(until_refused(1, &|_| long.to_owned()).as_deref(), Some("54000"));
    let many = "savepoint a; ".repeat(5_000);
    assert_eq!(
        until_refused(5, &|number| format!("{} {many}", if number == 0 { "begin;" } else { "" })).as_deref(),
        Some("54000")
    );
    let many: String = (0..6_000).map(|number| format!("listen c{number}; ")).collect();
    assert_eq!(
        until_refused(3, &|number| many.replace("listen c", &format!("listen c{number}_"))).as_deref(),
        Some("53400")
    );
}

/// One table feeds SHOW, `pg_settings` and `current_setting`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_face_of_the_variables_is_the_same() {
    let pair = Pair::start().await;
    let mut tusk = pair.tusk();
    // What another session of the user, or this one before, saw of itself is not shown again.
    let bytea = "select setting from pg_settings where name = 'bytea_output'";
    assert_eq!(rows(&tusk.ask(bytea))[0][0].as_deref(), Some("hex"));
    tusk.ask("set statement_timeout = '90s'; set a.b = 'x'; set bytea_output = escape");
    assert_eq!(rows(&tusk.ask(bytea))[0][0].as_deref(), Some("escape"));
    assert_eq!(rows(&pair.tusk().ask(bytea))[0][0].as_deref(), Some("hex"));
    let shown: Vec<_> = rows(&tusk.ask("show all"));
    let settings = rows(&tusk.ask("select name, setting, short_desc from pg_settings"));
    let names = |rows: &[Vec<Option<String>>]| rows.iter().map(|row| row[0].clone()).collect::<Vec<_>>();
    assert_eq!(names(&shown), names(&settings));
    assert!(shown.len() > 150);
    let function = rows(&tusk.ask("select name, setting, short_desc from pg_show_all_settings()"));
    assert_eq!(function, settings);
    for row in &shown {
        let name = row[0].as_deref().unwrap();
        assert_eq!(rows(&tusk.ask(&format!("show \"{name}\"")))[0][0], row[1], "{name}");
        assert_eq!(rows(&tusk.ask(&format!("select current_setting('{name}')")))[0][0], row[1], "{name}");
    }
    let row = rows(&tusk.ask(
        "select setting, unit, vartype, context, source, min_val, max_val, boot_val, reset_val, enumvals from pg_settings \
         where name in ('statement_timeout', 'bytea_output') order by name",
    ));
    let text = |row: &[Option<String>]| {
        row.iter().map(|value| value.clone().unwrap_or("-".into())).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(text(&row[0]), "escape - enum user session - - hex hex {escape,hex}");
    assert_eq!(text(&row[1]), "90000 ms integer user session 0 2147483647 0 0 -");
}
