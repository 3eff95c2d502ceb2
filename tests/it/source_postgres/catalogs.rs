//! What introspection finds: tables, columns, types, keys, collations; and what the account may not see.
//! Must not know: rows.

use tusk::source::{Connector, RemoteSchema, RemoteTable, TableKind};
use tusk::types::OwnForm;

use super::*;
use crate::harness::postgres::Options;

const SCHEMA: &str = r#"
create role tusk login password 'right';
create schema "Odd ""S"; create schema closed; create schema other;
grant usage on schema "Odd ""S", other, public to tusk;
create type mood as enum ('sad', 'ok', 'a b');
create type pair as (a int, b text);
create domain short as varchar(10);
create domain shorter as short not null;
create domain numbers as int[];
create domain price as money;
create table public.kinds (
    id int, part int, n numeric(10,2), plain numeric, d shorter, many shorter[], list numbers, m mood, moods mood[], p pair,
    tz timestamptz(3), label varchar(5), fixed char(3), "Mixed "" Case" text, c text collate "C", l text collate "und-x-icu",
    cash money, hidden price default '1', gone int, g int generated always as (1) stored, day date default '2020-01-01',
    nm name, u uuid, bits bit(3), primary key (part, id)
);
alter table public.kinds drop column gone;
comment on table public.kinds is 'all kinds'; comment on column public.kinds.n is 'amount';
create view public.seen as select id, n from public.kinds;
create materialized view public.kept as select 1 as one;
create table public.parts (a int primary key, b text) partition by range (a);
create table public.parts_1 partition of public.parts for values from (0) to (1000);
insert into public.parts select i, 'x' from generate_series(1, 200) i; analyze public.parts_1;
create table public.audit_log (a int);
create table public.partly (a int, b int, c int, primary key (a));
create table public.denied (a int);
create table closed.t (a int);
create table other.t (a int);
create table "Odd ""S"."Tab""le" ("Col""umn" int);
create table public.empty ();
grant select on all tables in schema public, closed, other, "Odd ""S" to tusk;
revoke all on public.denied, public.partly from tusk;
grant select (b, c) on public.partly to tusk;
"#;

fn table<'a>(found: &'a RemoteSchema, name: &str) -> &'a RemoteTable {
    found.tables.iter().find(|table| table.name == name).unwrap_or_else(|| panic!("no table {name}"))
}

#[tokio::test]
async fn what_the_account_may_read_is_found_as_it_is() {
    let postgres = TestPostgres::start();
    postgres.exec(SCHEMA).await;
    let shop = PostgresConnector::new("shop", &settings(&postgres), &Patterns::new(&["*".into(), "!audit_*".into()]));
    let found = shop.unwrap().introspect().await.unwrap();
    let names: Vec<_> = found.tables.iter().map(|table| (table.schema.as_str(), table.name.as_str())).collect();
    assert_eq!(
        names,
        [
            ("Odd \"S", "Tab\"le"),
            ("other", "t"),
            ("public", "empty"),
            ("public", "kept"),
            ("public", "kinds"),
            ("public", "partly"),
            ("public", "parts"),
            ("public", "parts_1"),
            ("public", "seen"),
        ]
    );
    assert_eq!(table(&found, "seen").kind, TableKind::View);
    assert_eq!(table(&found, "kept").kind, TableKind::MaterializedView);
    assert_eq!(table(&found, "empty").columns.len(), 0);
    assert_eq!(table(&found, "Tab\"le").columns[0].name, "Col\"umn");
    let parts = table(&found, "parts");
    assert_eq!((parts.kind, parts.estimated_rows), (TableKind::Partitioned, Some(200)));
    // Only the columns that may be read; the key is not among them.
    let partly = table(&found, "partly");
    assert_eq!(partly.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), ["b", "c"]);
    assert!(partly.primary_key.is_empty());
    assert_eq!(found.problems, Vec::<String>::new());
}

#[tokio::test]
async fn types_are_resolved() {
    let postgres = TestPostgres::start();
    postgres.exec(SCHEMA).await;
    let found = connector(&settings(&postgres)).introspect().await.unwrap();
    let kinds = table(&found, "kinds");
    assert_eq!((kinds.comment.as_deref(), kinds.estimated_rows), (Some("all kinds"), None));
    let key: Vec<_> = kinds.primary_key.iter().map(|position| kinds.columns[*position].name.as_str()).collect();
    assert_eq!(key, ["part", "id"], "in the order of the key");
    let seen: Vec<_> = kinds
        .columns
        .iter()
        .map(|column| {
            (column.name.as_str(), column.ty.oid, column.ty.typmod, column.remote_type.as_str(), column.bytewise)
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("id", 23, -1, "", true),
            ("part", 23, -1, "", true),
            ("n", 1700, 655_366, "", true),
            ("plain", 1700, -1, "", true),
            ("d", 1043, 14, "", true),
            ("many", 1015, -1, "\"pg_catalog\".\"varchar\"[]", false),
            ("list", 1007, -1, "", true),
            ("m", 25, -1, "\"public\".\"mood\"", false),
            ("moods", 1009, -1, "\"public\".\"mood\"[]", false),
            ("p", 25, -1, "\"public\".\"pair\"", false),
            ("tz", 1184, 3, "", true),
            ("label", 1043, 9, "", true),
            ("fixed", 1042, 7, "", true),
            ("Mixed \" Case", 25, -1, "", true),
            ("c", 25, -1, "", true),
            ("l", 25, -1, "", false),
            ("cash", 790, -1, "\"pg_catalog\".\"money\"", false),
            ("hidden", 790, -1, "\"pg_catalog\".\"money\"", false),
            ("g", 23, -1, "", true),
            ("day", 1082, -1, "", true),
            ("nm", 19, -1, "", true),
            ("u", 2950, -1, "", true),
            ("bits", 1560, 3, "", true),
        ]
    );
    let column = |name: &str| kinds.columns.iter().find(|column| column.name == name).unwrap();
    let own = |name: &str| column(name).own.as_ref().map(|own| (own.of.name.as_str(), own.of.form.clone(), own.array));
    let labels = OwnForm::Enum(["sad", "ok", "a b"].map(str::to_owned).to_vec());
    assert_eq!((own("m"), own("moods")), (Some(("mood", labels.clone(), false)), Some(("mood", labels, true))));
    assert_eq!(own("p"), Some(("pair", OwnForm::Composite, false)));
    assert_eq!(
        (own("cash"), own("hidden")),
        (Some(("money", OwnForm::Other, false)), Some(("money", OwnForm::Other, false)))
    );
    assert!(["d", "many", "list", "n", "l"].iter().all(|name| own(name).is_none()));
    assert!(column("id").not_null && !column("n").not_null);
    assert_eq!(column("day").default.as_deref(), Some("'2020-01-01'::date"));
    // What a generated column is computed from stands where a default stands, as in pg_attrdef.
    assert_eq!((column("g").default.as_deref(), column("g").generated), (Some("1"), true));
    assert_eq!(column("n").comment.as_deref(), Some("amount"));
}

#[tokio::test]
async fn mounted_schemas_and_the_collation_of_the_database() {
    let icu = ["--encoding=UTF8", "--locale-provider=icu", "--icu-locale=und", "--locale=C"];
    let options = Options { initdb: icu.map(String::from).to_vec(), ..Options::default() };
    let postgres = TestPostgres::start_with(&options);
    postgres.exec(SCHEMA).await;
    let mut only = settings(&postgres);
    only.schemas = Some([("other".to_owned(), "elsewhere".to_owned()), ("missing".to_owned(), "m".to_owned())].into());
    let found = connector(&only).introspect().await.unwrap();
    assert_eq!(found.tables.len(), 1);
    assert_eq!((found.tables[0].schema.as_str(), found.tables[0].name.as_str()), ("other", "t"));
    // The database sorts as ICU says, whatever its C library would: only what says "C" itself is bytewise.
    let found = connector(&settings(&postgres)).introspect().await.unwrap();
    let columns = &table(&found, "kinds").columns;
    let bytewise = |name: &str| columns.iter().find(|column| column.name == name).unwrap().bytewise;
    assert!(bytewise("c") && bytewise("nm") && !bytewise("label") && !bytewise("l"));
}
