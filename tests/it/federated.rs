//! The main job: one statement over every kind of source gives the rows that PostgreSQL gives over all of them.
//! Must not know: how it is done.

use std::process::Command;

use tokio_postgres::{Client, SimpleQueryMessage};

use crate::harness::federation::Federation;

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

#[tokio::test(flavor = "multi_thread")]
async fn rows_equal_postgresql_through_every_door() {
    let federation = Federation::start().await;
    let oracle = federation.oracle().await;
    let tusk = federation.tusk.connect("ana").await;
    let mut wrong = Vec::new();
    for sql in STATEMENTS {
        let expected = simple(&oracle, sql).await.unwrap();
        match simple(&tusk, sql).await {
            Ok(rows) if rows == expected => {}
            Ok(rows) => {
                let at = rows.iter().zip(&expected).position(|(a, b)| a != b).unwrap_or(rows.len().min(expected.len()));
                wrong.push(format!(
                    "{sql}\n  rows: {} expected {}; first difference at {at}: {:?} expected {:?}",
                    rows.len(),
                    expected.len(),
                    rows.get(at),
                    expected.get(at)
                ));
            }
            Err(error) => wrong.push(format!("{sql}\n  {error}")),
        }
        // The extended protocol: the same types, the same bytes in binary.
        let ours = tusk.prepare(sql).await;
        let theirs = oracle.prepare(sql).await.unwrap();
        match ours {
            Err(error) => wrong.push(format!("{sql}\n  prepare: {error:?}")),
            Ok(ours) => {
                let names = |statement: &tokio_postgres::Statement| -> Vec<(String, u32)> {
                    statement.columns().iter().map(|column| (column.name().to_owned(), column.type_().oid())).collect()
                };
                if names(&ours) != names(&theirs) {
                    wrong.push(format!("{sql}\n  columns {:?}\n  expected {:?}", names(&ours), names(&theirs)));
                    continue;
                }
                let (a, b) = (tusk.query(&ours, &[]).await, oracle.query(&theirs, &[]).await.unwrap());
                match a {
                    Err(error) => wrong.push(format!("{sql}\n  extended: {error:?}")),
                    Ok(a) => {
                        let raw = |rows: &[tokio_postgres::Row]| -> Vec<Vec<Option<Raw>>> {
                            rows.iter()
                                .map(|row| (0..row.len()).map(|at| row.get::<_, Option<Raw>>(at)).collect())
                                .collect()
                        };
                        if raw(&a) != raw(&b) {
                            wrong.push(format!("{sql}\n  binary rows differ"));
                        }
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n"));

    psql_prints_the_same(&federation);
    psycopg_reads_the_same(&federation);
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

/// psycopg 3, text and binary, against both servers. `tests/run.sh` installs it.
fn psycopg_reads_the_same(federation: &Federation) {
    let Ok(python) = std::env::var("TUSK_TEST_PYTHON") else {
        eprintln!("skipped: psycopg 3 (run tests/run.sh, which installs it)");
        return;
    };
    let script = r#"
import sys, psycopg
ours, theirs = (psycopg.connect(f"host=127.0.0.1 port={sys.argv[i]} user={sys.argv[i+1]} dbname={sys.argv[i+2]}", autocommit=True) for i in (1, 4))
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
        .args(["-c", script, &federation.tusk.port().to_string(), "ana", "tusk"])
        .args([&federation.postgres.port().to_string(), "postgres", "oracle"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), STATEMENTS.join("\0").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
}
