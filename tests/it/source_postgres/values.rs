//! Every type through the binary COPY (or its text form) into Arrow and back to text: what comes out is PostgreSQL's own text.
//! Must not know: how values are stored.

use std::fmt::Write;

use tusk::source::Connector;
use tusk::types::{FormatOptions, binary_readable, row_text};

use super::*;

/// A type and values of it, as PostgreSQL reads them. NULL is added to each.
const CASES: &[(&str, &[&str])] = &[
    ("boolean", &["t", "f"]),
    ("smallint", &["-32768", "0", "32767"]),
    ("integer", &["-2147483648", "0", "2147483647"]),
    ("bigint", &["-9223372036854775808", "0", "9223372036854775807"]),
    ("oid", &["0", "4294967295"]),
    ("real", &["0", "-0", "1e-45", "3.4028235e38", "NaN", "Infinity", "-Infinity", "0.1", "1e6", "123456.7"]),
    (
        "double precision",
        &["0", "-0", "5e-324", "1.7976931348623157e308", "NaN", "Infinity", "-Infinity", "0.1", "1e15", "1e16"],
    ),
    ("numeric(10,2)", &["-99999999.99", "0", "0.01", "99999999.99"]),
    ("numeric(38,0)", &["-99999999999999999999999999999999999999", "99999999999999999999999999999999999999"]),
    ("numeric(38,38)", &["0.00000000000000000000000000000000000001", "-0.99999999999999999999999999999999999999"]),
    ("numeric(50,20)", &["123456789012345678901234567890.12345678901234567890", "-0.00000000000000000001"]),
    ("numeric(76,0)", &["9999999999999999999999999999999999999999999999999999999999999999999999999999", "-1"]),
    (
        "numeric(100,10)",
        &["1", "123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890.5"],
    ),
    ("numeric(5,-2)", &["1200", "-9999900"]),
    (
        "numeric",
        &[
            "1.50",
            "0",
            "0.000",
            "-0.0000000001",
            "NaN",
            "Infinity",
            "-Infinity",
            "1e100",
            "1e-50",
            "10000",
            "12345678.9",
        ],
    ),
    ("text", &["", " ", "a", "é€𝄞", "tab\tnew\nline", "back\\slash", "{\"quotes\"}", "NULL", "\\N"]),
    ("varchar(5)", &["", "abc", "éééé "]),
    ("char(5)", &["", "abc", "abcde"]),
    ("\"char\"", &["", "a"]),
    ("name", &["", "pg_class"]),
    ("bytea", &["", "\\x00", "\\x00ff10"]),
    ("json", &["{\"a\" :  [1, null]}", "null", "\"\\u00e9\""]),
    ("jsonb", &["{\"b\": 1, \"a\" :  [1, null, 1.50]}", "null", "\"é\"", "1e3"]),
    ("xml", &["<a>b</a>"]),
    (
        "date",
        &[
            "4714-11-24 BC",
            "4000-01-01 BC",
            "0001-01-01",
            "1970-01-01",
            "3000-01-01",
            "5874897-12-31",
            "infinity",
            "-infinity",
        ],
    ),
    ("time", &["00:00", "23:59:59.999999", "24:00:00"]),
    ("timetz", &["00:00+15:59", "23:59:59.999999-15:59:59", "24:00:00+00"]),
    (
        "timestamp",
        &[
            "4000-01-01 12:34:56 BC",
            "1969-12-31 23:59:59.999999",
            "1970-01-01",
            "3000-01-01 00:00:00.000001",
            "9999-12-31",
            "infinity",
            "-infinity",
        ],
    ),
    ("timestamp(3)", &["2020-01-01 00:00:00.1239", "2020-01-01"]),
    (
        "timestamptz",
        &["4000-01-01 12:34:56+05 BC", "1969-12-31 23:59:59.999999+00", "3000-01-01 00:00+14", "infinity", "-infinity"],
    ),
    (
        "interval",
        &[
            "0",
            "1 year 2 months 3 days 04:05:06.789",
            "-1 month +1 day -00:00:01",
            "178000000 years",
            "1.000001 s",
            "-25:00",
        ],
    ),
    ("uuid", &["00000000-0000-0000-0000-000000000000", "FFFFFFFF-ffff-4fff-8fff-ffffffffffff"]),
    ("inet", &["192.168.0.1", "192.168.0.1/24", "::1", "fe80::/10"]),
    ("cidr", &["10.0.0.0/8", "::/0"]),
    ("macaddr", &["08:00:2b:01:02:03"]),
    ("macaddr8", &["08:00:2b:01:02:03:04:05"]),
    ("bit(3)", &["101"]),
    ("varbit", &["", "1", "010101010101"]),
    ("integer[]", &["{}", "{1,NULL,-2}", "{{1,2},{3,4}}", "[2:3]={5,6}"]),
    ("text[]", &["{}", "{a,NULL,\"NULL\",\"\",\"with space\",\"quote\\\"\",\"a,b\",\"{}\",\"back\\\\slash\"}"]),
    ("numeric[]", &["{1.50,NaN,NULL}"]),
    ("boolean[]", &["{t,f,NULL}"]),
    ("timestamptz[]", &["{\"2020-01-01 00:00+02\",infinity,NULL}"]),
    ("date[]", &["{2020-01-01,-infinity}"]),
    ("uuid[]", &["{00000000-0000-0000-0000-000000000001}"]),
    ("jsonb[]", &["{\"{\\\"a\\\": 1}\"}"]),
    ("bytea[]", &["{\"\\\\x00ff\",NULL}"]),
    ("float8[]", &["{0.1,NaN,-0}"]),
    ("box[]", &["{(1,1),(0,0);(2,2),(1,1)}"]),
    ("int4range", &["empty", "[1,5)", "(,)", "[3,)"]),
    ("tstzrange", &["[2020-01-01 00:00+02,)"]),
    ("int4multirange", &["{}", "{[1,3),[5,7)}"]),
    ("point", &["(1.5,-2)"]),
    ("polygon", &["((0,0),(1,0),(1,1))"]),
    ("circle", &["<(1,2),3>"]),
    ("tsvector", &["'a':1 'b':2A"]),
    ("tsquery", &["'a' & 'b'"]),
    ("pg_lsn", &["16/B374D848"]),
    ("jsonpath", &["$.a[*]"]),
    ("oidvector", &["1 2 3"]),
    ("regclass", &["pg_class", "-"]),
    ("xid", &["7"]),
    ("public.mood", &["sad", "a b", "é"]),
    ("public.mood[]", &["{sad,NULL,\"a b\"}"]),
    ("public.short", &["", "abc"]),
    ("public.price", &["0.01", "12345678.90"]),
    ("public.numbers", &["{1,NULL}"]),
    ("public.short[]", &["{abc,NULL,\"\"}"]),
    ("public.pair", &["(1,x)", "(,\"a,b\")"]),
    ("public.pair[]", &["{\"(1,x)\",NULL}"]),
];

const TYPES: &str = "create type mood as enum ('sad', 'a b', 'é'); create domain short as varchar(10); \
    create domain price as numeric(10,2); create domain numbers as int[]; create type pair as (a int, b text);";

async fn server() -> TestPostgres {
    let postgres = TestPostgres::start();
    postgres.exec(ACCOUNT).await;
    postgres.exec(TYPES).await;
    let mut sql = String::new();
    for (number, (ty, values)) in CASES.iter().enumerate() {
        write!(sql, "create table public.c{number:03} (n serial, v {ty});").unwrap();
        for value in *values {
            write!(sql, "insert into public.c{number:03} (v) values ($value${value}$value$);").unwrap();
        }
        write!(sql, "insert into public.c{number:03} (v) values (null);").unwrap();
    }
    postgres.exec(&sql).await;
    postgres
}

#[tokio::test]
async fn every_type_comes_through_as_postgresql_prints_it() {
    let postgres = server().await;
    let shop = connector(&settings(&postgres));
    let found = shop.introspect().await.unwrap();
    assert_eq!((found.tables.len(), found.problems.len()), (CASES.len(), 0));
    let watcher = postgres.connect().await;
    watcher.batch_execute("set timezone = 'UTC'; set search_path = ''").await.unwrap();
    let mut wrong = String::new();
    for (table, (ty, values)) in found.tables.iter().zip(CASES) {
        let column = &table.columns[1];
        let as_text = !binary_readable(column.ty.oid) || !column.remote_type.is_empty();
        let schema = Arc::new(table.arrow_schema().project(&[1]).unwrap());
        let cast = if as_text { "v::text" } else { "v" };
        let mut wanted = query(&format!("select {cast} from public.{} order by n", table.name), &schema);
        wanted.as_text = vec![as_text];
        let batches = match shop.read(wanted).try_collect::<Vec<_>>().await {
            Ok(batches) => batches,
            Err(error) => {
                writeln!(wrong, "{ty}: {}", error.chain()).unwrap();
                continue;
            }
        };
        assert_eq!(batches[0].num_rows(), values.len() + 1);
        // Casts to text differ from the type's own text for inet, char and boolean.
        let printed = "case when v is distinct from null then pg_catalog.format('%s', v) end";
        let expected =
            watcher.query(&format!("select {printed} from public.{} order by n", table.name), &[]).await.unwrap();
        for (row, expected) in expected.iter().enumerate() {
            let expected: Option<String> = expected.get(0);
            let got = row_text(schema.field(0), batches[0].column(0), row, &FormatOptions::default()).unwrap();
            if got != expected {
                writeln!(wrong, "{ty}: {got:?}, PostgreSQL says {expected:?}").unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[tokio::test]
async fn values_beyond_our_types_are_refused_and_never_changed() {
    let postgres = TestPostgres::start();
    postgres.exec(ACCOUNT).await;
    let shop = connector(&settings(&postgres));
    // PostgreSQL's timestamps reach further than microseconds since 1970 in 64 bits.
    let select = "select '294276-12-31 23:59:59.999999'::timestamp";
    let error = rows(&shop, select, &[("at", 1114)]).await.unwrap_err();
    assert_eq!(error.state().code(), "22008");
    assert!(error.message().starts_with("source \"shop\": "), "{}", error.message());
}
