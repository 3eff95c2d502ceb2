//! Statements that one PostgreSQL runs as a whole: its answers, and no way around what a role may see.
//! Must not know: how they are printed.

mod beside;
mod current;
mod denied;
mod failures;
mod forms;
mod functions;
mod held;
mod own_account;
mod relay;
mod rows;
mod same;
mod shared;
mod skeletons;
mod transactions;
mod writes;

use crate::harness::daemon::Daemon;
use crate::harness::federation::over;
use crate::harness::postgres::TestPostgres;
use crate::harness::raw::Raw;

/// Tables of many types, in the source and in a schema `shop` of the database `oracle`, where statements mean the same.
const TABLES: &str = r#"
create type @.mood as enum ('sad', 'ok', 'happy');
create table @.items (id int primary key, name text, price numeric(10,2), tags text[], doc jsonb, feeling @.mood, made timestamptz, day date,
    ratio float8, flag boolean, span interval, code char(4), ip inet, bits bit(3), data bytea, u uuid, period tstzrange);
insert into @.items select i, 'item ' || i, i * 1.5, array['a', 'b' || i], jsonb_build_object('n', i, 'list', jsonb_build_array(i, 'x')),
    (array['sad', 'ok', 'happy'])[1 + i % 3]::@.mood, '2020-01-01 12:00:00+00'::timestamptz + i * interval '1 day 1 hour', date '2020-01-01' + i,
    i / 7.0, i % 2 = 0, i * interval '1 hour', lpad(i::text, 3, 'c'), ('10.0.0.' || i)::inet, (i % 8)::bit(3), decode(lpad(to_hex(i), 4, '0'), 'hex'),
    ('00000000-0000-0000-0000-' || lpad(i::text, 12, '0'))::uuid, tstzrange('2020-01-01', '2020-01-02')
    from generate_series(1, 50) i;
insert into @.items (id) values (51);
create table @.parts (item int, part int, label varchar(20), primary key (item, part));
insert into @.parts select i, p, 'part ' || p from generate_series(1, 50) i, generate_series(1, 3) p;
create table @.emps (id int, boss int, name text, salary numeric);
insert into @.emps values (1, null, 'Ann', 10), (2, 1, 'Bob', 7), (3, 1, 'Cid', 7), (4, 2, 'Dot', 5), (5, 4, 'O''Neil \', null);
create view @.cheap as select id, name, price from @.items where price < 20;
analyze;
"#;

/// A Tusk over a PostgreSQL with these tables; in the database `oracle` of that they are in a schema called as it is here.
async fn start(source: &str, rest: &str) -> (TestPostgres, Daemon) {
    let postgres = TestPostgres::start();
    postgres.exec("create database oracle").await;
    postgres.exec(&TABLES.replace('@', "public")).await;
    let oracle = postgres.connect_to("oracle").await;
    oracle.batch_execute(&format!("create schema shop; {}", TABLES.replace('@', "shop"))).await.unwrap();
    let daemon = over(&postgres, source, rest);
    (postgres, daemon)
}

/// A session of this user that passes statements through.
fn passing(daemon: &Daemon, user: &str) -> Raw {
    let mut raw = Raw::login(daemon.port(), user, "tusk");
    raw.ask("set tusk.route = passthrough");
    raw
}

/// Roles that write: `wes` everything, `nan` some columns of `stock`.
const WRITERS: &str = r#"
[[role]]
name = "writer"
[[role.grant]]
tables = ["shop.*"]
privileges = ["select", "insert", "update", "delete"]
[[role]]
name = "narrow"
[[role.grant]]
tables = ["shop.stock"]
columns = ["id", "name", "amount"]
privileges = ["select"]
[[role.grant]]
tables = ["shop.stock"]
columns = ["id", "name"]
privileges = ["insert", "update"]
[[role.grant]]
tables = ["shop.emps"]
privileges = ["insert", "delete"]
[[user]]
name = "wes"
roles = ["writer"]
[[user]]
name = "nan"
roles = ["narrow"]
[[role]]
name = "parent"
[[role.grant]]
tables = ["shop.parents"]
privileges = ["select", "insert", "update", "delete"]
[[user]]
name = "pia"
roles = ["parent"]
"#;

/// Tables to write to, in the source and in the database `oracle`.
const STOCK: &str = "
create table @.places (id int primary key, name text not null);
create table @.stock (id int primary key, name text not null default 'nameless', amount int check (amount >= 0), secret text default 'classified',
    made int generated always as (amount * 2) stored, place int references @.places, late int unique deferrable initially deferred);
create table @.parents (k int primary key);
create table @.childs (k int not null references @.parents on delete set null on update cascade, secret text, check (k < 100));
insert into @.parents values (1), (2);
insert into @.childs values (1, 'top secret'), (2, 'salary');
create table @.log (n int generated always as identity, note text, at date default '2020-01-01');
insert into @.places values (1, 'attic'), (2, 'cellar');
insert into @.stock (id, name, amount, place) select i, 'thing ' || i, i * 10, 1 + i % 2 from generate_series(1, 10) i;
";

/// A source that may be written to.
async fn writable(rest: &str) -> (TestPostgres, Daemon) {
    let postgres = TestPostgres::start();
    postgres.exec("create database oracle").await;
    let tables = format!("{TABLES}{STOCK}");
    postgres.exec(&tables.replace('@', "public")).await;
    let oracle = postgres.connect_to("oracle").await;
    oracle.batch_execute(&format!("create schema shop; {}", tables.replace('@', "shop"))).await.unwrap();
    let daemon = over(&postgres, "writable = true\nconnect_timeout = \"2s\"", &format!("{WRITERS}{rest}"));
    (postgres, daemon)
}
