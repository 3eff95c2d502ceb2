//! The two servers that transcripts are played to: a PostgreSQL with the tables, and a Tusk over a PostgreSQL with the same.
//! Must not know: transcripts.

use crate::harness::daemon::{Daemon, Setup};
use crate::harness::postgres::{Options, TestPostgres};

/// The tables, in the schema that is searched.
const TABLES: &str = r#"
create table item (id int primary key, name text not null, price numeric(10,2), sold date, note varchar(20));
insert into item values
  (1, 'anvil', 12.50, '2024-02-29', 'heavy'), (2, 'bolt', 0.05, '2024-03-01', null), (3, 'chain', 7.00, null, ''),
  (4, 'drill', 99.99, '2023-12-31', 'it''s "loud"'), (5, 'émail', 3.10, '2024-01-01', E'tab\there'),
  (6, 'file', null, '2024-05-05', E'line\nbreak'), (7, 'glue', 1.00, '2024-06-06', E'back\\slash'),
  (8, 'hook', 2.25, '1999-01-01', 'NULL'), (9, 'iron', -4.00, '2024-08-08', 'a,b;c|d'), (10, 'jack', 55.00, null, null);
create table kinds (
  id int primary key, b bool, i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, n numeric, n2 numeric(12,4), t text, v varchar(8),
  c char(6), y bytea, d date, tm time, tz timetz, ts timestamp, tstz timestamptz, iv interval, u uuid, j json, jb jsonb,
  ia int4[], ta text[], o oid, nm name, ip inet);
insert into kinds values
  (1, true, 1, 2, 3, 1.5, 0.1, 12345.678900, 1.5, 'text', 'var', 'chr', '\xdeadbeef', '2024-02-29', '12:34:56.789', '12:34:56+02',
   '2024-02-29 12:34:56.789', '2024-07-01 12:00:00+00', '1 year 2 mons 3 days 04:05:06.5', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
   '{"a" : 1}', '{"b": [1, 2]}', '{1,NULL,3}', '{a,"b c",NULL,"q\"q"}', 42, 'a_name', '10.0.0.1/8'),
  (2, false, -32768, -2147483648, -9223372036854775808, '-Infinity', 'NaN', 'NaN', -99999999.9999, '', '', '', '', '-infinity', '24:00',
   '23:59:59.999999-15:59', '4000-01-01 00:00:00 BC', 'infinity', '-1 mons +1 day -00:00:00.000001',
   '00000000-0000-0000-0000-000000000000', '[]', 'null', '{}', '{}', 0, '', '::1'),
  (3, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null,
   null, null, null, null),
  (4, true, 32767, 2147483647, 9223372036854775807, 3.4028235e38, 5e-324, 123456789012345678901234567890.123456789, 0, E'a\tb\nc\\d"e',
   'ümlaut', 'padded', '\x5c00', '5874897-12-31', '00:00', '00:00:00+00', 'infinity', '0044-03-15 12:00:00+00 BC', '178000000 years',
   'ffffffff-ffff-ffff-ffff-ffffffffffff', '"x"', '{"z": null, "a": "ä"}', '[0:1]={7,8}', '{{a,b},{c,NULL}}', 4294967295, 'pg_class', '192.168.0.0/24');
create table sink (id int primary key, name text, amount numeric(8,2), day date);
create view numbers as select g as n, repeat('x', 100) as filling from generate_series(1, 5000) g;
create view slow as select 1 as a from pg_sleep(60);
"#;

const CONFIG: &str = r#"
[[source]]
name = "shop"
type = "postgres"
url = "postgres://postgres@127.0.0.1:PORT/postgres?sslmode=disable"
writable = true

[[role]]
name = "reader"
[[role.grant]]
tables = ["shop.*"]
privileges = ["select"]
[[role.grant]]
tables = ["shop.sink"]
privileges = ["select", "insert", "update", "delete"]

[[user]]
name = "ana"
roles = ["reader"]
"#;

/// Starts both. The source is the database `postgres` of the same cluster, its schema `public` seen as `shop`.
pub(crate) async fn start() -> (TestPostgres, Daemon) {
    let options = Options {
        initdb: ["--no-locale", "--lc-ctype=C.UTF-8", "--lc-collate=C.UTF-8", "--encoding=UTF8"]
            .map(String::from)
            .to_vec(),
        conf: vec!["timezone = 'UTC'".into(), "log_timezone = 'UTC'".into()],
        hba: "local all all trust\nhost all,replication all all trust\n".into(),
        ..Options::default()
    };
    let postgres = TestPostgres::start_with(&options);
    let source = postgres.connect().await;
    source.batch_execute(TABLES).await.unwrap();
    for statement in ["create role ana login", "create database tusk"] {
        source.batch_execute(statement).await.unwrap();
    }
    let oracle = postgres.connect_to("tusk").await;
    let setting = "create schema shop; alter database tusk set search_path = \"$user\", shop; set search_path = shop";
    oracle.batch_execute(setting).await.unwrap();
    oracle.batch_execute(TABLES).await.unwrap();
    let grants = "grant usage on schema shop to ana; grant select on all tables in schema shop to ana; \
                  grant insert, update, delete on sink to ana; revoke create on database tusk from ana; \
                  revoke temporary on database tusk from public; analyze";
    oracle.batch_execute(grants).await.unwrap();
    let config = CONFIG.replace("PORT", &postgres.port().to_string());
    let tusk = Daemon::start(&Setup::trusting(config));
    (postgres, tusk)
}
