//! The main job: one statement over every kind of source gives the rows that PostgreSQL gives over all of them.
//! Must not know: how it is done.

use std::process::Command;

use tokio_postgres::{Client, SimpleQueryMessage};

use crate::harness::federation::Federation;
use crate::harness::raw::{self, Message, bind, describe, parse, transcript};
use crate::harness::routes::{ROUTES, goes, routed};

/// Five tables of three sources and more, with filters, grouping, order and limit.
const FIVE_WAY: &str = "\
    select r.r_name, n.n_name, count(*) as orders, sum(l.l_extendedprice * (1 - l.l_discount)) as revenue, min(o.o_orderdate) as first, \
           avg(l.l_quantity) as quantity \
    from shop.customer c \
    join shop.orders o on o.o_custkey = c.c_custkey \
    join lake.lineitem l on l.l_orderkey = o.o_orderkey \
    join crm.nation n on n.n_nationkey = c.c_nationkey \
    join crm.region r on r.r_regionkey = n.n_regionkey \
    where o.o_orderdate >= date '1993-01-01' and c.c_mktsegment = 'BUILDING' and l.l_returnflag <> 'A' and r.r_name in ('ASIA', 'EUROPE') \
    group by r.r_name, n.n_name \
    having count(*) > 1 \
    order by revenue desc, n.n_name limit 10";

/// Statements of many shapes; each has one right answer and one order.
const STATEMENTS: &[&str] = &[
    FIVE_WAY,
    "select o_orderkey, o_totalprice, o_orderdate, o_orderstatus, o_shippriority from shop.orders where o_custkey = 7 order by 1",
    "select c_custkey, c_name, c_acctbal, c_mktsegment, c_comment from shop.customer where c_acctbal > 5000.50 order by c_custkey limit 20",
    "select count(*), count(o_shippriority), sum(o_totalprice), min(o_totalprice), max(o_orderdate) from shop.orders",
    "select o_orderstatus, avg(o_totalprice), sum(o_shippriority) from shop.orders group by 1 order by 1",
    "select l_returnflag, sum(l_quantity), sum(l_extendedprice), sum(l_extendedprice * (1 - l_discount)), avg(l_discount), count(*) \
     from lake.lineitem where l_shipdate <= date '1998-09-02' group by l_returnflag order by l_returnflag",
    "select e.kind, count(*), sum(e.duration), avg(e.duration) from lake.events e join shop.customer c on c.c_custkey = e.custkey \
     where c.c_nationkey < 10 group by e.kind order by e.kind",
    "select r.year, r.currency, r.rate from lake.rates r where r.currency = 'EUR' order by r.year",
    "select n.n_name, count(c.c_custkey) from crm.nation n left join shop.customer c on c.c_nationkey = n.n_nationkey \
     and c.c_acctbal > 9000 group by n.n_name order by 2 desc, 1 limit 7",
    "select c_custkey from shop.customer c where exists (select 1 from shop.orders o where o.o_custkey = c.c_custkey and o.o_totalprice > 390000) \
     order by 1 limit 30",
    "select c_custkey from shop.customer where c_custkey not in (select o_custkey from shop.orders where o_custkey is not null) order by 1",
    "with big as (select o_custkey, sum(o_totalprice) as total from shop.orders group by o_custkey) \
     select c.c_name, big.total from big join shop.customer c on c.c_custkey = big.o_custkey where big.total > 1500000 order by 2 desc, 1",
    "select extract(year from o_orderdate) as y, count(*) from shop.orders group by 1 order by 1",
    "select c_comment, length(c_comment), upper(c_name), substring(c_name from 10 for 4) from shop.customer order by c_custkey limit 25",
    "select c_comment is null as missing, count(*) from shop.customer group by 1 order by 1",
    "select o_orderkey, case when o_totalprice > 200000 then 'big' when o_totalprice is null then 'none' else 'small' end from shop.orders \
     order by o_orderkey limit 10",
    "select o_shippriority, o_orderkey from shop.orders order by o_shippriority nulls first, o_orderkey desc limit 15",
    "select o_shippriority, o_orderkey from shop.orders order by o_shippriority desc, o_orderkey limit 100",
    "select distinct c_mktsegment from shop.customer order by 1",
    "select n_name from crm.nation where n_regionkey = 2 union all select r_name from crm.region where r_regionkey > 2 order by 1",
    "select c_name from shop.customer where c_name like 'Customer#00000001%' order by c_name",
    "select c_custkey, c_comment from shop.customer where c_comment = 'it''s \\ a \"comment\" 17' or c_custkey = 3 order by 1",
    "select l_shipdate, count(*) from lake.lineitem where l_shipdate between date '1995-03-01' and date '1995-03-05' group by 1 order by 1",
    "select count(*) from lake.lineitem where l_shipdate is null",
    "select o_orderdate + 30, o_orderdate - date '1992-01-01' from shop.orders order by o_orderkey limit 5",
    "select coalesce(o_shippriority, -1), nullif(o_orderstatus, 'F') from shop.orders order by o_orderkey limit 12",
    "select o_custkey, o_totalprice, rank() over (partition by o_custkey order by o_totalprice desc) from shop.orders where o_custkey < 4 order by 1, 2",
    "select 1 as one, 'text' as t, 1.50 as n, null as nothing, true as yes",
];

/// Rows in their text form, by the simple protocol.
async fn simple(client: &Client, sql: &str) -> Result<Vec<Vec<Option<String>>>, String> {
    let messages = client.simple_query(sql).await.map_err(|error| format!("{error:?}"))?;
    Ok(messages
        .iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect()),
            _ => None,
        })
        .collect())
}

/// A session of Tusk on a route, and one of the oracle: by a driver, and by hand for what a driver does not show.
struct Pair {
    route: &'static str,
    tusk: Client,
    oracle: Client,
    ours: raw::Raw,
    theirs: raw::Raw,
}

impl Pair {
    async fn start(federation: &Federation, route: &'static str) -> Pair {
        let login = format!("user=ana dbname=tusk options='-c tusk.route={route}'");
        let tusk = federation.tusk.try_connect(&login).await.unwrap();
        assert_eq!(simple(&tusk, "show tusk.route").await.unwrap(), [[Some(route.to_owned())]]);
        let mut ours = routed(&federation.tusk, "ana", route);
        goes(&mut ours, route, "select o_orderkey from shop.orders");
        let theirs = raw::Raw::login(federation.postgres.port(), "postgres", "oracle");
        Pair { route, tusk, oracle: federation.oracle().await, ours, theirs }
    }

    /// What differs of a statement.
    async fn compare(&mut self, sql: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        wrong.extend(self.texts(sql).await);
        wrong.extend(self.descriptions(sql));
        wrong.extend(self.binary(sql).await);
        wrong.into_iter().map(|what| format!("route {}: {sql}\n  {what}", self.route)).collect()
    }

    /// The rows as text, by the simple protocol.
    async fn texts(&self, sql: &str) -> Option<String> {
        let expected = simple(&self.oracle, sql).await.unwrap();
        let rows = match simple(&self.tusk, sql).await {
            Ok(rows) if rows == expected => return None,
            Ok(rows) => rows,
            Err(error) => return Some(error),
        };
        let at = rows.iter().zip(&expected).position(|(a, b)| a != b).unwrap_or(rows.len().min(expected.len()));
        Some(format!(
            "rows: {} expected {}; first difference at {at}: {:?} expected {:?}",
            rows.len(),
            expected.len(),
            rows.get(at),
            expected.get(at)
        ))
    }

    /// What a client is told of the columns: by the simple protocol, of a statement, and of a portal whose values come in binary.
    fn descriptions(&mut self, sql: &str) -> Option<String> {
        let asked = |raw: &mut raw::Raw| {
            let mut answers = raw.ask(sql);
            answers.extend(raw.batch(&[
                parse("", sql, &[]),
                describe(b'S', ""),
                bind("", "", 0, &[], &[1]),
                describe(b'P', ""),
            ]));
            answers
        };
        let (ours, theirs) = (asked(&mut self.ours), asked(&mut self.theirs));
        let (mine, own) = (described(&ours), described(&theirs));
        assert_eq!(own.len(), 3, "{sql}: {}", transcript(&theirs));
        (mine != own).then(|| format!("columns {}\n  expected {}", mine.join("\n    "), own.join("\n    ")))
    }

    /// The extended protocol by a driver: the same types, the same bytes in binary.
    async fn binary(&self, sql: &str) -> Option<String> {
        let theirs = self.oracle.prepare(sql).await.unwrap();
        let ours = match self.tusk.prepare(sql).await {
            Ok(ours) => ours,
            Err(error) => return Some(format!("prepare: {error:?}")),
        };
        let names = |statement: &tokio_postgres::Statement| -> Vec<(String, u32)> {
            statement.columns().iter().map(|column| (column.name().to_owned(), column.type_().oid())).collect()
        };
        if names(&ours) != names(&theirs) {
            return Some(format!("columns {:?}\n  expected {:?}", names(&ours), names(&theirs)));
        }
        let expected = self.oracle.query(&theirs, &[]).await.unwrap();
        let bytes = |rows: &[tokio_postgres::Row]| -> Vec<Vec<Option<Raw>>> {
            rows.iter().map(|row| (0..row.len()).map(|at| row.get::<_, Option<Raw>>(at)).collect()).collect()
        };
        match self.tusk.query(&ours, &[]).await {
            Err(error) => Some(format!("extended: {error:?}")),
            Ok(rows) => (bytes(&rows) != bytes(&expected)).then(|| "binary rows differ".to_owned()),
        }
    }
}

/// The columns of each description among messages: name, type, length, modifier and format. Which table a column is of is left out: oids
/// are each server's own, and only Tusk knows that a file is a table.
fn described(messages: &[Message]) -> Vec<String> {
    let column = |column: raw::Column| {
        let raw::Column { name, oid, length, typmod, format, .. } = column;
        format!("{name} {oid} {length} {typmod} {format}")
    };
    let descriptions = messages.iter().filter(|message| message.tag == b'T');
    descriptions.map(|message| message.columns().into_iter().map(column).collect::<Vec<_>>().join(", ")).collect()
}

/// The statements to ask on a route. Another than the default makes a difference to some: what reads the live PostgreSQL alone runs there or here, everything else here.
fn statements(route: &str) -> Vec<&'static str> {
    let here = |sql: &str| !sql.contains("shop.") || sql.contains("lake.") || sql.contains("crm.");
    STATEMENTS.iter().copied().filter(|sql| route == "auto" || !here(sql)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_equal_postgresql_through_every_door() {
    let federation = Federation::start().await;
    let mut wrong = Vec::new();
    for route in ROUTES {
        let mut pair = Pair::start(&federation, route).await;
        for sql in statements(route) {
            wrong.extend(pair.compare(sql).await);
        }
    }
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n"));

    psql_prints_the_same(&federation);
    for route in ROUTES {
        psycopg_reads_the_same(&federation, route);
    }
}

/// The bytes of a value, whatever its type.
#[derive(PartialEq, Debug)]
struct Raw(Vec<u8>);

impl<'a> tokio_postgres::types::FromSql<'a> for Raw {
    fn from_sql(
        _: &tokio_postgres::types::Type,
        raw: &'a [u8],
    ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Raw(raw.to_vec()))
    }

    fn accepts(_: &tokio_postgres::types::Type) -> bool {
        true
    }
}

fn psql_prints_the_same(federation: &Federation) {
    let (ours, errors) = federation.tusk.psql("ana", &["-c", FIVE_WAY]);
    assert_eq!(errors, "");
    let theirs = Command::new("psql")
        .args([
            "-X",
            "-h",
            "127.0.0.1",
            "-p",
            &federation.postgres.port().to_string(),
            "-U",
            "postgres",
            "-d",
            "oracle",
            "-c",
            FIVE_WAY,
        ])
        .output()
        .unwrap();
    assert_eq!(ours, String::from_utf8(theirs.stdout).unwrap());
    assert!(ours.contains("rows)"), "{ours}");
}

/// psycopg 3, text and binary, against both servers, on this route of Tusk. `tests/run.sh` installs it.
fn psycopg_reads_the_same(federation: &Federation, route: &str) {
    let Ok(python) = std::env::var("TUSK_TEST_PYTHON") else {
        eprintln!("skipped: psycopg 3 (run tests/run.sh, which installs it)");
        return;
    };
    let script = r#"
import sys, psycopg
ours, theirs = (psycopg.connect(f"host=127.0.0.1 port={sys.argv[i]} user={sys.argv[i+1]} dbname={sys.argv[i+2]} options='{sys.argv[i+3]}'", autocommit=True) for i in (1, 5))
bad = 0
for sql in sys.stdin.read().split("\0"):
    for binary in (False, True):
        got = [list(map(repr, row)) for row in ours.cursor(binary=binary).execute(sql)]
        want = [list(map(repr, row)) for row in theirs.cursor(binary=binary).execute(sql)]
        if got != want: bad += 1; print("differs:", binary, sql, got[:2], want[:2])
    got = ours.execute("select count(*) from shop.orders where o_totalprice > %s and o_orderdate < %s and o_orderstatus = %s", (1000, "1995-01-01", "F")).fetchall()
    want = theirs.execute("select count(*) from shop.orders where o_totalprice > %s and o_orderdate < %s and o_orderstatus = %s", (1000, "1995-01-01", "F")).fetchall()
    if got != want: bad += 1; print("parameters differ:", got, want)
sys.exit(1 if bad else 0)
"#;
    let mut child = Command::new(python)
        .args(["-c", script, &federation.tusk.port().to_string(), "ana", "tusk", &format!("-c tusk.route={route}")])
        .args([&federation.postgres.port().to_string(), "postgres", "oracle", ""])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), statements(route).join("\0").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{route}: {text}");
}
