//! The SQLSTATEs that clients act upon: PostgreSQL's code, text and position for PostgreSQL's mistakes.
//! Must not know: where an error is made.

use crate::harness::daemon::{Daemon, Setup};
use crate::harness::federation::Federation;
use crate::harness::raw::{Raw, bind, error, execute, parse, rows, transcript};

/// Mistakes, with the code that PostgreSQL gives them.
const MISTAKES: &[(&str, &str)] = &[
    ("42601", "selec 1"),
    ("42601", "select * form shop.orders"),
    ("42601", "select from where"),
    ("42601", "select 1 from shop.orders where"),
    ("42601", "select ,"),
    ("42601", "select 'ä', 'ö' frm x y"),
    ("42601", "select 'unterminated"),
    ("42P01", "select * from shop.nothing"),
    ("42P01", "select * from nothing"),
    ("42P01", "select 'ä' from shop.nothing"),
    ("42P01", "select x.a from shop.orders"),
    ("42P01", "select * from noschema.nothing"),
    ("42703", "select nothing from shop.orders"),
    ("42703", "select o.nothing from shop.orders o"),
    ("42703", "select o_orderkey from shop.orders where nothing = 1"),
    ("42703", "select 1 order by nothing"),
    ("42703", "select o_orderkey from shop.orders group by nothing"),
    ("42702", "select o_orderkey from shop.orders a join shop.orders b on a.o_orderkey = b.o_orderkey"),
    ("42712", "select 1 from shop.orders, shop.orders"),
    ("42803", "select o_custkey, count(*) from shop.orders"),
    ("42803", "select 1 from shop.orders where count(*) > 1"),
    ("42883", "select nofunction(1)"),
    ("42883", "select nofunction(1, 'a', o_orderkey) from shop.orders"),
    ("42883", "select 1 + true"),
    ("42883", "select o_orderkey from shop.orders where o_orderkey = 'a'::text"),
    ("42883", "select o_orderkey from shop.orders where o_orderdate > 5"),
    ("42883", "select upper(1)"),
    ("42804", "select 1 where 1"),
    ("42804", "select case when 1 then 2 end"),
    ("42804", "select 1 union select 'a'::text"),
    ("42804", "select o_orderkey from shop.orders where o_orderkey and true"),
    ("42804", "select case when true then 1 else 'a'::text end"),
    ("42601", "select 1 union select 1, 2"),
    ("42P10", "select o_orderkey from shop.orders order by 5"),
    ("22012", "select 1 / 0"),
    ("22012", "select 1.5 % 0"),
    ("22012", "select 1.0::float8 / 0"),
    ("22012", "select o_orderkey / (o_orderkey - o_orderkey) from shop.orders limit 1"),
    ("22P02", "select 'a'::int"),
    ("22P02", "select '1.5'::int"),
    ("22P02", "select 'maybe'::bool"),
    ("22P02", "select int 'ä'"),
    ("22P02", "select 'x'::uuid"),
    ("22P02", "select o_orderkey from shop.orders where o_orderkey = 'abc'"),
    ("22P02", "select 1 + 'a'"),
    ("22007", "select 'soon'::date"),
    ("22007", "select 'x'::timestamp"),
    ("22008", "select '2024-02-30'::date"),
    ("22003", "select 2147483647 + 1"),
    ("22003", "select 9223372036854775807 + 1"),
    ("22003", "select 99999::int2"),
    ("22003", "select '3000000000'::int"),
    ("22003", "select -(-2147483648)::int"),
    ("22003", "select 1e400::float8"),
    ("22003", "select o_orderkey * 9223372036854775807 from shop.orders where o_orderkey = 2"),
    ("22003", "select 12345.6::numeric(4,2)"),
    ("22011", "select substring('abc' from 1 for -1)"),
    ("2201W", "select 1 limit -1"),
    ("2201X", "select 1 offset -1"),
    ("21000", "select (select o_orderkey from shop.orders)"),
    ("22025", "select 'ab' like 'a\\'"),
    ("2201B", "select 'a' ~ '('"),
    ("42P02", "select $1"),
    ("42704", "select 1::nothing"),
    ("42704", "set nothing = 1"),
    ("42704", "show nothing"),
    ("22023", "set timezone = 'Nowhere'"),
    ("42846", "select true::date"),
    ("26000", "deallocate nothing"),
    ("34000", "close nothing"),
    ("25P01", "savepoint a"),
];

/// Known differences: Tusk's error is PostgreSQL's, but for the place that it points at.
const UNPLACED: &[&str] = &[
    "select o_custkey, count(*) from shop.orders",
    "select 1 + true",
    "select o_orderkey from shop.orders where o_orderkey = 'a'::text",
    "select o_orderkey from shop.orders where o_orderdate > 5",
    "select 1 union select 1, 2",
    "select $1",
    "select 1::nothing",
    "select true::date",
];

/// An error without its position.
fn unplaced(text: &str) -> String {
    text.split(' ').filter(|word| !word.starts_with("P=")).collect::<Vec<_>>().join(" ")
}

/// Simple: code, text, detail, hint and position. Extended: the same, wherever in the cycle it comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mistakes_are_told_in_postgresqls_words() {
    let federation = Federation::start().await;
    let mut findings = Vec::new();
    for (code, sql) in MISTAKES {
        let mut tusk = Raw::login(federation.tusk.port(), "ana", "tusk");
        let mut postgres = Raw::login(federation.postgres.port(), "postgres", "oracle");
        // A server may say what the columns are before it meets an error: where constants are folded differs. The error does not.
        let said = |raw: &mut Raw| {
            let answer = raw.ask(sql);
            transcript(&answer.into_iter().filter(|message| message.tag != b'T').collect::<Vec<_>>())
        };
        let (ours, theirs) = (said(&mut tusk), said(&mut postgres));
        assert!(theirs.contains(&format!("C={code} ")), "{sql}: the list says {code}, PostgreSQL\n{theirs}");
        let same = if UNPLACED.contains(sql) { unplaced(&ours) == unplaced(&theirs) } else { ours == theirs };
        if !same {
            findings.push(format!("--- {sql}\nTusk:       {ours}PostgreSQL: {theirs}"));
            continue;
        }
        let prepared = tusk.batch(&[parse("", sql, &[]), bind("", "", 0, &[], &[]), execute("", 0)]);
        let told = prepared.iter().find(|message| message.tag == b'E').map(|message| message.fields()[&'C'].clone());
        if told.as_deref() != Some(code) && !sql.contains("$1") {
            findings.push(format!("--- {sql} (extended)\n{}", transcript(&prepared)));
        }
        assert_eq!(rows(&tusk.ask("select 1")).len(), 1, "{sql}");
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
        let first = raw.read();
        if first.tag == b'E' {
            break first.fields();
        }
        raw.until(b'Z');
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
        (raw.read().tag == b'R').then_some(())
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
        "select * from shop.orders tablesample system (1)",
        "listen x",
        "prepare p as select 1",
        "fetch 1 from c",
    ] {
        let fields = error(&tusk.ask(sql));
        assert!(["0A000", "25006", "42501"].contains(&fields[&'C'].as_str()), "{sql}: {fields:?}");
        assert!(!fields[&'M'].is_empty() && !fields[&'M'].ends_with('.'), "{fields:?}");
    }
    assert_eq!(
        error(&tusk.batch(&[parse("", "insert into shop.orders (o_orderkey) values ($1)", &[])]))[&'S'],
        "ERROR"
    );
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
