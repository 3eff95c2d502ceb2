//! Every type of a PostgreSQL source, NULLs and extremes included, comes through Tusk as it comes from the source itself.
//! Must not know: how types are carried inside.

use crate::harness::federation::over;
use crate::harness::postgres::TestPostgres;
use crate::harness::raw::{Message, Raw, bind, describe, error, execute, parse, printable, rows};
use crate::harness::routes::{ROUTES, goes, routed};

/// A type, and its values as literals of it.
pub(crate) const TYPES: &[(&str, &[&str])] = &[
    ("boolean", &["true", "false"]),
    ("smallint", &["-32768", "0", "32767"]),
    ("integer", &["-2147483648", "0", "2147483647"]),
    ("bigint", &["-9223372036854775808", "0", "9223372036854775807"]),
    ("oid", &["0", "4294967295"]),
    ("real", &["0", "-0", "1.5", "3.4028235e38", "1e-45", "NaN", "Infinity", "-Infinity", "0.1", "16777217"]),
    (
        "double precision",
        &["0", "-0", "0.1", "1.7976931348623157e308", "5e-324", "NaN", "Infinity", "-Infinity", "1e15", "1e16"],
    ),
    (
        "numeric",
        &[
            "0",
            "-0.0",
            "1.50",
            "1.500",
            "NaN",
            "Infinity",
            "-Infinity",
            "12345678901234567890123456789012345678901234567890.5",
            "1e-30",
            "-1e100",
            "0.00001",
        ],
    ),
    ("numeric(15,2)", &["0", "-9999999999999.99", "9999999999999.99", "1.5"]),
    ("numeric(38,10)", &["-9999999999999999999999999999.9999999999", "0.0000000001"]),
    ("numeric(60,20)", &["-1234567890123456789012345678901234567890.12345678901234567890", "0"]),
    ("numeric(100,50)", &["1234567890.12345678901234567890123456789012345678901234567890"]),
    ("numeric(5,0)", &["99999", "-1"]),
    ("numeric(3,-2)", &["12300", "-99900"]),
    ("numeric(2,4)", &["0.0012", "-0.0099"]),
    ("text", &["", "a", "ä€😀", "line\nbreak\ttab", "it's", "\\N", "\\", "NULL", " "]),
    ("varchar(10)", &["", "0123456789", "ä"]),
    ("varchar", &["x"]),
    ("char(5)", &["", "ab", "abcde"]),
    ("\"char\"", &["", "x"]),
    ("name", &["a_name"]),
    ("bytea", &["", "\\x00", "\\xdeadbeef", "\\x5c27"]),
    (
        "date",
        &[
            "2024-02-29",
            "0001-01-01",
            "3000-01-01",
            "4000-01-01 BC",
            "4713-01-01 BC",
            "5874897-12-31",
            "infinity",
            "-infinity",
        ],
    ),
    ("time", &["00:00:00", "23:59:59.999999", "24:00:00"]),
    ("time(2)", &["12:34:56.78"]),
    ("timetz", &["00:00:00+00", "23:59:59.999999-15:59", "24:00:00+05:30"]),
    (
        "timestamp",
        &[
            "1970-01-01 00:00:00",
            "1969-12-31 23:59:59.999999",
            "3000-01-01 12:00:00",
            "4000-06-01 00:00:00 BC",
            "infinity",
            "-infinity",
            "0001-01-01 00:00:00",
        ],
    ),
    ("timestamp(3)", &["2024-06-01 12:00:00.123"]),
    (
        "timestamptz",
        &[
            "1970-01-01 00:00:00+00",
            "1969-12-31 23:59:59.999999+00",
            "3000-01-01 12:00:00+02",
            "4000-06-01 00:00:00+00 BC",
            "infinity",
            "-infinity",
            "2024-07-01 00:00:00+05:30",
        ],
    ),
    (
        "interval",
        &[
            "0",
            "1 year 2 mons 3 days 04:05:06.789",
            "-1 year -2 mons +3 days -04:05:06",
            "178000000 years",
            "-00:00:00.000001",
            "1 mon -1 day",
        ],
    ),
    ("uuid", &["00000000-0000-0000-0000-000000000000", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"]),
    ("json", &["{\"a\" : [1, null, \"x\"],  \"a\": 2}", "null", "\"ä\""]),
    ("jsonb", &["{\"b\": 1, \"a\": [1.50, null]}", "null", "1e3"]),
    ("xml", &["<a>b</a>"]),
    ("inet", &["10.0.0.1", "10.0.0.0/8", "::1", "2001:db8::/32"]),
    ("cidr", &["10.0.0.0/8", "2001:db8::/32"]),
    ("macaddr", &["08:00:2b:01:02:03"]),
    ("macaddr8", &["08:00:2b:01:02:03:04:05"]),
    ("bit(5)", &["10101"]),
    ("bit varying(8)", &["", "1"]),
    ("point", &["(1.5,-2)"]),
    ("int4range", &["[1,5)", "empty", "(,)"]),
    ("daterange", &["[2024-01-01,2024-02-01)"]),
    ("tsvector", &["'a':1 'fat':2"]),
    ("mood", &["sad", "happy day"]),
    ("positive", &["1", "2147483647"]),
    ("short_text", &["", "abc"]),
    ("money_amount", &["1.50"]),
    ("pair", &["(1,x)", "(,\"a b\")"]),
    ("integer[]", &["{}", "{1,2,NULL}", "{{1,2},{3,4}}", "[0:1]={7,8}"]),
    ("bigint[]", &["{-9223372036854775808,9223372036854775807}"]),
    ("text[]", &["{}", "{a,NULL,\"NULL\",\"\",\"x y\",\"q\\\"q\",\"b\\\\b\",\"{}\"}"]),
    ("numeric[]", &["{1.50,NaN,NULL}"]),
    ("boolean[]", &["{t,f,NULL}"]),
    ("timestamptz[]", &["{\"2024-01-01 00:00:00+00\",infinity,NULL}"]),
    ("date[]", &["{2024-01-01,\"0044-03-15 BC\"}"]),
    ("uuid[]", &["{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11,NULL}"]),
    ("mood[]", &["{sad,NULL}"]),
    ("double precision[]", &["{0.1,NaN}"]),
];

/// Types that PostgreSQL sends in binary as their own, which Tusk hands out as text: compared in text only.
pub(crate) const TEXT_ONLY: &[&str] = &["mood", "mood[]", "pair"];

pub(crate) fn column(at: usize) -> String {
    // Names that need quotes, too.
    if at.is_multiple_of(3) { format!("\"Mixed Case {at}\"") } else { format!("c{at}") }
}

/// One table a type: a row a value, and a NULL.
pub(crate) async fn fill(postgres: &TestPostgres) {
    let mut sql = String::from(
        "create type mood as enum ('sad', 'happy day'); create domain positive as integer check (value > 0); \
         create domain short_text as varchar(5); create domain money_amount as numeric(10,2); create type pair as (a int, b text);",
    );
    for (at, (ty, values)) in TYPES.iter().enumerate() {
        sql += &format!("create table t{at} (id int primary key, {} {ty});", column(at));
        for (id, value) in values.iter().enumerate() {
            sql +=
                &format!("insert into t{at} values ({id}, E'{}');", value.replace('\\', "\\\\").replace('\'', "\\'"));
        }
        sql += &format!("insert into t{at} values (1000, null);");
    }
    postgres.exec(&sql).await;
}

fn select(raw: &mut Raw, sql: &str, format: i16) -> Vec<Message> {
    raw.batch(&[parse("", sql, &[]), bind("", "", 0, &[], &[0, format]), describe(b'P', ""), execute("", 0)])
}

/// What a client reads: types and rows, or the error.
fn shown(answer: &[Message], types: bool) -> Vec<String> {
    let one = |message: &Message| match message.tag {
        b'T' if types => Some(
            message
                .columns()
                .iter()
                .map(|c| format!("{} {} {} {} {}", c.name, c.oid, c.length, c.typmod, c.format))
                .collect(),
        ),
        b'D' => Some(
            message
                .values()
                .iter()
                .map(|value| value.as_deref().map_or("NULL".into(), printable))
                .collect::<Vec<_>>()
                .join(" | "),
        ),
        b'E' => Some(format!("{:?}", message.fields())),
        _ => None,
    };
    answer.iter().filter_map(one).collect()
}

/// What this route tells of the tables of all types in other words than PostgreSQL, in both formats.
fn columns_that_differ(route: &str, ours: &mut Raw, theirs: &mut Raw) -> Vec<String> {
    let mut findings = Vec::new();
    for (at, (ty, _)) in TYPES.iter().enumerate() {
        for format in [0, 1] {
            if format == 1 && TEXT_ONLY.contains(ty) {
                continue;
            }
            let sql = |schema: &str| format!("select id, {} from {schema}t{at} order by id", column(at));
            let types = !TEXT_ONLY.contains(ty);
            let (mine, own) =
                (shown(&select(ours, &sql("shop."), format), types), shown(&select(theirs, &sql(""), format), types));
            if mine != own {
                findings.push(format!(
                    "--- {ty}, format {format}, route {route}\nTusk:\n  {}\nPostgreSQL:\n  {}",
                    mine.join("\n  "),
                    own.join("\n  ")
                ));
            }
        }
    }
    findings
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_type_comes_through_in_both_formats() {
    let postgres = TestPostgres::start();
    fill(&postgres).await;
    let tusk = over(&postgres, "", "");
    let mut theirs = Raw::login(postgres.port(), "postgres", "postgres");
    theirs.ask("set timezone = 'UTC'");
    let mut findings = Vec::new();
    for route in ROUTES {
        let mut ours = routed(&tusk, "ana", route);
        ours.ask("set timezone = 'UTC'");
        goes(&mut ours, route, "select * from shop.t1 order by id");
        findings.extend(columns_that_differ(route, &mut ours, &mut theirs));
    }
    assert!(findings.is_empty(), "{} differ:\n{}", findings.len(), findings.join("\n"));
}

/// Types with an operator `=` whose values find their rows.
const COMPARABLE: &[&str] = &[
    "boolean",
    "smallint",
    "integer",
    "bigint",
    "oid",
    "real",
    "double precision",
    "numeric",
    "numeric(15,2)",
    "numeric(38,10)",
    "text",
    "varchar(10)",
    "bytea",
    "date",
    "time",
    "timestamp",
    "timestamptz",
    "interval",
    "uuid",
];

/// Values that find other rows on this route, or none, than at PostgreSQL.
fn parameters_that_differ(route: &str, ours: &mut Raw, theirs: &mut Raw) -> Vec<String> {
    let mut findings = Vec::new();
    for (at, (ty, _)) in TYPES.iter().enumerate().filter(|(_, (ty, _))| COMPARABLE.contains(ty)) {
        for format in [0, 1] {
            let sql = format!("select id, {} from t{at} where id < 1000 order by id", column(at));
            let all = select(theirs, &sql, format);
            for row in all.iter().filter(|message| message.tag == b'D') {
                let values = row.values();
                let again = |raw: &mut Raw, schema: &str| {
                    let sql = format!("select id from {schema}t{at} where {} = $1 order by id", column(at));
                    let answer = raw.batch(&[
                        parse("", &sql, &[]),
                        bind("", "", format, &[values[1].as_deref()], &[0]),
                        execute("", 0),
                    ]);
                    shown(&answer, false)
                };
                let (mine, own) = (again(ours, "shop."), again(theirs, ""));
                if mine != own {
                    let value = values[1].as_deref().map(printable);
                    findings.push(format!(
                        "{ty}, format {format}, {value:?}, route {route}: Tusk {mine:?}, PostgreSQL {own:?}"
                    ));
                }
            }
        }
    }
    findings
}

/// A value taken from the result and given back as a parameter finds its row again, in both formats.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_go_back_as_parameters() {
    let postgres = TestPostgres::start();
    fill(&postgres).await;
    let tusk = over(&postgres, "", "");
    let mut theirs = Raw::login(postgres.port(), "postgres", "postgres");
    let mut findings = Vec::new();
    for route in ROUTES {
        let mut ours = routed(&tusk, "ana", route);
        goes(&mut ours, route, "select id from shop.t1 where c1 = 1 order by id");
        findings.extend(parameters_that_differ(route, &mut ours, &mut theirs));
    }
    assert!(findings.is_empty(), "{} differ:\n{}", findings.len(), findings.join("\n"));
}

/// What cannot be held is refused by name, never changed: NaN where a precision makes it a decimal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_held_is_refused() {
    let postgres = TestPostgres::start();
    postgres.exec("create table t (a numeric(15,2), b int); insert into t values (1, 1), ('NaN', 2)").await;
    let tusk = over(&postgres, "", "");
    let mut ours = Raw::login(tusk.port(), "ana", "tusk");
    // What is handed on as it comes is not held.
    assert_eq!(rows(&ours.ask("select a from shop.t order by b"))[1], [Some("NaN".to_owned())]);
    ours.ask("set tusk.route = federated");
    let fields = error(&ours.ask("select a from shop.t"));
    assert_eq!(fields[&'C'], "22003", "{fields:?}");
    assert!(fields[&'M'].contains("NaN") && fields[&'M'].contains("\"shop\""), "{fields:?}");
    assert_eq!(rows(&ours.ask("select b from shop.t order by 1")).len(), 2);
}

/// The session's time zone and date style decide how times are written, as in PostgreSQL.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_zones_and_styles_are_the_sessions() {
    let postgres = TestPostgres::start();
    postgres
        .exec("create table t (a timestamptz, b timestamp, c date, d interval, e bytea); insert into t values \
               ('2024-07-01 12:00+00', '2024-07-01 12:00', '2024-07-01', '1 day 02:03:04.5', '\\x01ff'), \
               ('1900-01-01 00:00+00', '1900-01-01', '0044-03-15 BC', '-1 mon', ''), ('infinity', '-infinity', 'infinity', '0', null)")
        .await;
    let tusk = over(&postgres, "", "");
    let mut findings = Vec::new();
    let settings = [
        "set timezone = 'Europe/Berlin'",
        "set timezone = 'America/New_York'",
        "set timezone = 'Asia/Kolkata'",
        "set timezone = '-3'",
        "set timezone = 'UTC'; set datestyle = 'SQL, DMY'",
        "set datestyle = 'German'",
        "set datestyle = 'Postgres'",
        "set intervalstyle = 'iso_8601'",
        "set intervalstyle = 'sql_standard'",
        "set intervalstyle = 'postgres_verbose'",
        "set bytea_output = 'escape'",
        "set extra_float_digits = 0",
    ];
    for setting in settings {
        let run = |port: u16, user: &str, database: &str, table: &str| {
            let mut raw = Raw::login(port, user, database);
            let mut answer = raw.ask(setting);
            answer.extend(raw.ask(&format!("select *, 0.1::float4 / 3, 0.1::float8 / 3 from {table} order by a")));
            shown(&answer, false)
        };
        let mine = run(tusk.port(), "ana", "tusk", "shop.t");
        let own = run(postgres.port(), "postgres", "postgres", "t");
        if mine != own {
            findings.push(format!(
                "--- {setting}\nTusk:\n  {}\nPostgreSQL:\n  {}",
                mine.join("\n  "),
                own.join("\n  ")
            ));
        }
    }
    assert!(findings.is_empty(), "{} differ:\n{}", findings.len(), findings.join("\n"));
}
