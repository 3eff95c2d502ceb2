//! The SQLSTATEs that clients act upon: PostgreSQL's code, text and position for PostgreSQL's mistakes.
//! Must not know: where an error is made.

use crate::harness::daemon::{Daemon, Setup};
use crate::harness::federation::Federation;
use crate::harness::raw::{Raw, bind, error, execute, parse, rows, transcript};
use crate::harness::routes::{ROUTES, routed};

/// Mistakes, a line each, behind the code that PostgreSQL gives them. Those about tables of `shop` alone are told by that source or, on the
/// federated route, here; those about tables of `lake` and `crm` always here.
const MISTAKES: &str = include_str!("../golden/mistakes.txt");

/// Why a login is refused, before or after who it is was seen; `None`: it is not.
fn refusal(raw: &mut Raw) -> Option<std::collections::BTreeMap<char, String>> {
    loop {
        let message = raw.read();
        match message.tag {
            b'E' => return Some(message.fields()),
            b'Z' => return None,
            _ => {}
        }
    }
}

/// What this route tells of a statement in other words than PostgreSQL, which told it with this code.
fn told_otherwise(tusk: &mut Raw, sql: &str, code: &str, theirs: &str) -> Option<String> {
    // Also what comes before it: what fails while it is planned has no description of rows, what fails when it runs has.
    let ours = transcript(&tusk.ask(sql));
    if ours != theirs {
        return Some(format!("--- {sql}\nTusk:       {ours}PostgreSQL: {theirs}"));
    }
    let prepared = tusk.batch(&[parse("", sql, &[]), bind("", "", 0, &[], &[]), execute("", 0)]);
    let told = prepared.iter().find(|message| message.tag == b'E').map(|message| message.fields()[&'C'].clone());
    assert_eq!(rows(&tusk.ask("select 1")).len(), 1, "{sql}");
    let wrong = told.as_deref() != Some(code) && !sql.contains(['$', ';']);
    wrong.then(|| format!("--- {sql} (extended)\n{}", transcript(&prepared)))
}

/// Simple: code, text, detail, hint and position. Extended: the same, wherever in the cycle it comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mistakes_are_told_in_postgresqls_words() {
    let federation = Federation::start().await;
    let mut findings = Vec::new();
    for (code, sql) in MISTAKES.lines().filter_map(|line| line.split_once(' ')) {
        let mut postgres = Raw::login(federation.postgres.port(), "postgres", "oracle");
        let theirs = transcript(&postgres.ask(sql));
        assert!(theirs.contains(&format!("C={code} ")), "{sql}: the list says {code}, PostgreSQL\n{theirs}");
        // A statement without a source is answered here on either route.
        let ways = if sql.contains("shop.") { ROUTES.len() } else { 1 };
        for route in ROUTES.into_iter().take(ways) {
            let mut tusk = routed(&federation.tusk, "ana", route);
            let finding = told_otherwise(&mut tusk, sql, code, &theirs);
            findings.extend(finding.map(|finding| format!("route {route}: {finding}")));
        }
    }
    assert!(findings.is_empty(), "{} differ:\n{}", findings.len(), findings.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_of_connections() {
    let users = "[[role]]\nname = \"r\"\n[[role]]\nname = \"a\"\nadmin = true\n[[user]]\nname = \"ana\"\nroles = [\"r\"]\n\
                 [[user]]\nname = \"root\"\nroles = [\"a\"]\n";
    let setup = Setup { server: "auth = \"trust\"\nmax_connections = 8".into(), ..Setup::trusting(users) };
    let tusk = Daemon::start(&setup);
    let mut open = Vec::new();
    let refused = loop {
        let mut raw = Raw::open(tusk.port());
        raw.start(&[("user", "ana"), ("database", "tusk")]);
        if let Some(refused) = refusal(&mut raw) {
            break refused;
        }
        open.push(raw);
        assert!(open.len() <= 8, "more than max_connections were let in");
    };
    assert_eq!((refused[&'C'].as_str(), refused[&'S'].as_str()), ("53300", "FATAL"));
    assert!(open.len() >= 4, "{} were let in", open.len());
    // Who is in is served, and a place that becomes free is taken.
    assert_eq!(rows(&open[0].ask("select 1")).len(), 1);
    open[0].bytes(b"X\0\0\0\x04");
    assert!(open[0].try_read().is_none());
    let again = crate::harness::daemon::wait_for(std::time::Duration::from_secs(5), || {
        let mut raw = Raw::open(tusk.port());
        raw.start(&[("user", "ana"), ("database", "tusk")]);
        refusal(&mut raw).is_none().then_some(())
    });
    assert!(again.is_some());
}

/// What Tusk does not have is said, and never approximated.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_supported_says_so() {
    let federation = Federation::start().await;
    let mut tusk = Raw::login(federation.tusk.port(), "ana", "tusk");
    for sql in [
        "insert into shop.orders (o_orderkey) values (1)",
        "create table t (a int)",
        "create materialized view v as select 1",
        "select * from shop.orders for update",
        "select * from lake.rates tablesample system (1)",
        "create role r",
    ] {
        let fields = error(&tusk.ask(sql));
        assert!(["0A000", "25006", "42501"].contains(&fields[&'C'].as_str()), "{sql}: {fields:?}");
        assert!(!fields[&'M'].is_empty() && !fields[&'M'].ends_with('.'), "{fields:?}");
    }
    // What may not write is told so when it runs, as in PostgreSQL.
    let insert = parse("", "insert into shop.orders (o_orderkey) values ($1)", &[]);
    let run = [insert, bind("", "", 0, &[Some(b"1")], &[]), execute("", 0)];
    assert_eq!(error(&tusk.batch(&run))[&'C'], "25006");
    // A message that does not exist, and one of the wrong state.
    let mut broken = Raw::login(federation.tusk.port(), "ana", "tusk");
    broken.send(b'y', b"nonsense");
    assert_eq!(error(&broken.until(b'E'))[&'C'], "08P01");
    let mut nul = Raw::login(federation.tusk.port(), "ana", "tusk");
    nul.send(b'Q', b"select 1");
    assert_eq!(error(&nul.until(b'E'))[&'C'], "08P01");
    let mut latin = Raw::login(federation.tusk.port(), "ana", "tusk");
    latin.send(b'Q', b"select '\xe4'\0");
    assert_eq!(error(&latin.until(b'E'))[&'C'], "22021");
}
