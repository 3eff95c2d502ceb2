//! The allow-list: nothing but SELECT, EXPLAIN, SET, SHOW and transaction statements runs; no file, no setting of an engine.
//! Must not know: names and grants.

use std::path::Path;

use super::texts;
use crate::harness::federation::Federation;
use crate::harness::raw::{Raw, bind, error, execute, parse, transcript};

/// Statements that must not do anything; `@` is a path in the test's folder.
const REFUSED: &[&str] = &[
    "copy shop.orders to '@/out.csv'",
    "copy (select * from shop.orders) to '@/out.csv'",
    "copy (select * from shop.orders) to '@/out.parquet' stored as parquet",
    "copy shop.orders to program 'touch @/out.txt'",
    "copy shop.orders from '@/in.csv'",
    "copy shop.orders from program 'cat @/in.csv'",
    "create external table stolen stored as csv location '@/in.csv'",
    "create external table stolen (a text) stored as csv location '/etc/passwd'",
    "create table t (a int)",
    "create table t as select * from shop.orders",
    "create temp table t as select 1",
    "create view v as select 1",
    "create or replace view shop.orders as select 1",
    "create function f() returns int language sql as 'select 1'",
    "create schema s",
    "create database d",
    "create role r",
    "drop table shop.orders",
    "drop schema shop cascade",
    "drop view shop.orders",
    "truncate shop.orders",
    "alter table shop.orders add column x int",
    "insert into shop.orders (o_orderkey) values (1)",
    "insert into lake.rates values (1, 'x', 1)",
    "insert into crm.nation values (99, 'x', 1)",
    "update shop.orders set o_custkey = 1",
    "delete from crm.nation",
    "merge into shop.orders using crm.nation on true when matched then delete",
    "with x as (delete from shop.orders returning 1) select * from x",
    "select * into stolen from shop.orders",
    "select * from shop.orders for update",
    "set datafusion.execution.batch_size = 1",
    "set datafusion.catalog.information_schema = true",
    "set \"datafusion.execution.batch_size\" = '1'",
    "show datafusion.execution.batch_size",
    "reset datafusion.execution.batch_size",
    "select set_config('datafusion.execution.batch_size', '1', false)",
    "explain analyze insert into crm.nation values (98, 'x', 1)",
    "explain copy shop.orders to '@/out.csv'",
    "prepare p as insert into crm.nation values (98, 'x', 1)",
    "grant select on shop.orders to bob",
    "lock table shop.orders",
    "load 'x'",
    "do 'begin end'",
    "call x()",
    "execute immediate 'select 1'",
    "attach '@/crm.db' as x",
    "install httpfs",
    "pragma table_info(nation)",
    "describe shop.orders",
    "show tables",
    "show columns from shop.orders",
    "show functions",
    "use shop",
    "kill 1",
    // Paths and URLs in the place of tables.
    "select * from '/etc/passwd'",
    "select * from \"/etc/passwd\"",
    "select * from '@/in.csv'",
    "select * from \"@/in.csv\"",
    "select * from \"in.csv\"",
    "select * from 'https://example.com/x.csv'",
    "select * from \"s3://bucket/x.parquet\"",
    // Functions of engines that PostgreSQL does not have.
    "select * from parquet_metadata('@/in.parquet')",
    "select * from read_csv('@/in.csv')",
    "select * from range(5)",
    "select * from metadata_cache()",
    "select * from statistics_cache()",
    "select arrow_typeof(1)",
    "select arrow_cast(1, 'Int8')",
    "select struct(1, 2)",
    "select named_struct('a', 1)",
    "select make_array(1, 2)",
    "select nvl(1, 2)",
    "select today()",
    "select sha256('x') = digest('x', 'sha256')",
    "select approx_distinct(o_orderkey) from shop.orders",
    "select pg_read_file('/etc/passwd')",
    "select pg_ls_dir('/')",
    "select lo_import('/etc/passwd')",
    "select pg_sleep(0) from dblink('host=127.0.0.1', 'select 1') as t(a int)",
];

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_but_reading_happens() {
    let federation = Federation::start().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("in.csv"), "a,b\n1,2\n").unwrap();
    std::fs::copy(federation.files.path().join("lake/lineitem/part-0.parquet"), folder.path().join("in.parquet"))
        .unwrap();
    let (before, sqlite) = (files(folder.path()), std::fs::read(federation.files.path().join("crm.db")).unwrap());
    let own = files(federation.tusk.directory());

    let mut done = Vec::new();
    for user in ["root", "bob"] {
        let mut raw = Raw::login(federation.tusk.port(), user, "tusk");
        for sql in REFUSED {
            let sql = sql.replace('@', &folder.path().display().to_string());
            for extended in [false, true] {
                let answer = if extended {
                    raw.batch(&[parse("", &sql, &[]), bind("", "", 0, &[], &[]), execute("", 0)])
                } else {
                    raw.ask(&sql)
                };
                match answer.iter().find(|message| message.tag == b'E').map(|message| message.fields()) {
                    None => done.push(format!("{user}: {sql}\n{}", transcript(&answer))),
                    Some(fields) if fields[&'C'].starts_with("XX") => {
                        done.push(format!("{user}: {sql}: an internal error: {fields:?}"))
                    }
                    Some(fields) if fields[&'S'] != "ERROR" => {
                        done.push(format!("{user}: {sql}: ended the session: {fields:?}"))
                    }
                    Some(_) => {}
                }
            }
        }
        assert_eq!(texts(&mut raw, "select 1"), ["1"]);
    }
    assert!(done.is_empty(), "{} were not refused:\n{}", done.len(), done.join("\n"));

    assert_eq!(files(folder.path()), before, "a file was written or taken away");
    assert_eq!(files(federation.tusk.directory()), own, "a file was written beside the config");
    assert!(std::fs::read(federation.files.path().join("crm.db")).unwrap() == sqlite, "the SQLite file changed");
    assert_eq!(files(federation.files.path()), ["crm.db", "lake"], "something was left beside the SQLite file");
    let oracle = federation.postgres.connect().await;
    let rows: i64 = oracle.query_one("select count(*) from orders", &[]).await.unwrap().get(0);
    assert_eq!(rows, 1500);
}

/// Several statements in one message: what is refused stops what comes behind it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_statement_stops_its_message() {
    let federation = Federation::start().await;
    let mut ana = Raw::login(federation.tusk.port(), "ana", "tusk");
    let answer = ana.ask("select 1; drop table shop.orders; select 2");
    assert_eq!(answer.iter().filter(|message| message.tag == b'D').count(), 1);
    assert_eq!(error(&answer)[&'S'], "ERROR");
    let path = federation.tusk.directory().join("stolen.csv");
    let answer = ana.ask(&format!("select 1; copy shop.orders to '{}'", path.display()));
    assert_eq!(error(&answer)[&'S'], "ERROR");
    assert!(!path.exists());
}
