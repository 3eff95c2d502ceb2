//! Values of every type, compared, sorted and grouped away from their source: as PostgreSQL does, or not at all.
//! Must not know: how types are carried inside.

use super::tables;
use super::values::{NAMES, OF_SOURCES, TYPES};
use crate::harness::federation::over;
use crate::harness::postgres::TestPostgres;
use crate::harness::raw::{Message, Raw, rows};
use crate::harness::routes::{goes, routed};

/// What is asked of a column `v` of the table `m`; the rows of each come in one order.
const STATEMENTS: &[&str] = &[
    "select id from m where v is not null order by v, id",
    "select id from m order by v desc nulls last, id",
    "select x.id, y.id from m x join m y on x.v = y.v order by 1, 2",
    "select x.id, y.id from m x join m y on x.v <> y.v order by 1, 2",
    "select x.id, y.id from m x join m y on x.v < y.v order by 1, 2",
    "select x.id, y.id from m x join m y on x.v >= y.v order by 1, 2",
    "select x.id, y.id from m x join m y on x.v is not distinct from y.v order by 1, 2",
    "select min(id), count(*) from m group by v order by 1",
    "select count(distinct v) from m",
    "select count(*) from (select distinct v from m) q",
    "select count(*) from (select v from m union select v from m where id < 2) q",
    "select count(*) from (select v from m except select v from m where id < 2) q",
    "select count(*) from (select v from m intersect select v from m where id < 3) q",
    "select min(v)::text, max(v)::text from m",
    "select id from m where v in (select v from m where id < 2) order by id",
    "select id from m where v not in (select v from m where id < 2) order by id",
    "select x.id, y.id, greatest(x.v, y.v)::text, least(x.v, y.v)::text from m x, m y order by 1, 2",
    "select id, rank() over (order by v) from m where v is not null order by id",
    "select id, count(*) over (partition by v) from m order by id",
    "select x.id, y.id from m x join m y on (x.v, 1) < (y.v, 1) order by 1, 2",
    "select x.id, y.id from m x join m y on x.v between y.v and x.v order by 1, 2",
    "select id, nullif(v, v)::text from m order by id",
    "select min(id) from (select distinct on (v) v, id from m where v is not null order by v, id) q group by v order by 1",
];

type Said = Result<Vec<Vec<Option<String>>>, String>;

fn said(answer: &[Message]) -> Said {
    match answer.iter().find(|message| message.tag == b'E') {
        Some(failed) => Err(failed.fields()[&'C'].clone() + " " + &failed.fields()[&'M']),
        None => Ok(rows(answer)),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn away_from_their_source_values_compare_as_there() {
    let postgres = TestPostgres::start();
    postgres.exec(&tables()).await;
    let tusk = over(&postgres, "", "");
    let mut ours = routed(&tusk, "ana", "federated");
    let mut theirs = Raw::login(postgres.port(), "postgres", "postgres");
    goes(&mut ours, "federated", "select c, a from shop.m0 order by id");
    let (mut findings, mut answered) = (Vec::new(), 0);
    for (at, (ty, _)) in TYPES.iter().chain(OF_SOURCES).chain(NAMES).enumerate() {
        for (column, statement) in ["c", "a"].iter().flat_map(|column| STATEMENTS.iter().map(move |sql| (column, sql)))
        {
            let sql = |schema: &str| format!("with m as (select id, {column} as v from {schema}m{at}) {statement}");
            let (mine, own) = (said(&ours.ask(&sql("shop."))), said(&theirs.ask(&sql(""))));
            answered += usize::from(mine.is_ok());
            let alike = match (&mine, &own) {
                (Ok(mine), Ok(own)) => mine == own,
                // What is refused here may be answered there; what fails there is not answered here.
                (Err(refusal), _) => !refusal.starts_with("XX"),
                (Ok(_), Err(_)) => false,
            };
            if !alike {
                findings.push(format!("{ty}: {}\n  Tusk:       {mine:?}\n  PostgreSQL: {own:?}", sql("")));
            }
        }
    }
    assert!(answered > 500, "only {answered} statements were answered");
    assert!(findings.is_empty(), "{} differ:\n{}", findings.len(), findings.join("\n"));
}
