//! COPY TO STDOUT against a real PostgreSQL, byte for byte: every type, every option, every error, both protocols, real clients.
//! Must not know: how rows are encoded inside.

use super::{Pair, Script, kinds, none};
use crate::harness::federation::over;
use crate::harness::postgres::TestPostgres;
use crate::harness::raw::{Raw, bind, describe, error, execute, frame, parse, transcript};
use crate::types_roundtrip::{TEXT_ONLY, TYPES, column, fill};

/// Statements whose whole answer is PostgreSQL's: data, boundaries of messages, errors, positions.
const COPIES: &[&str] = &[
    "copy shop.orders to stdout",
    "copy shop.customer (c_name, c_custkey) to stdout",
    "COPY BINARY shop.orders TO STDOUT",
    "copy shop.orders to stdout with binary",
    "copy shop.orders to stdout (format \"binary\")",
    "copy shop.customer to stdout with csv header",
    "copy shop.customer to stdout (format csv, header)",
    "copy shop.customer to stdout (header)",
    "copy shop.customer to stdin",
    "copy shop.customer to stdout with",
    "copy shop.customer to stdout using delimiters '|'",
    "copy shop.customer to stdout with delimiter as '|' null as 'nil'",
    "copy tusk.shop.customer to stdout",
    "copy (select * from shop.orders where false) to stdout",
    "copy (select * from shop.orders where false) to stdout (format csv, header)",
    "copy (select * from shop.orders where false) to stdout (format binary)",
    "copy (select) to stdout",
    "copy (select) to stdout (format csv, header)",
    "copy (select) to stdout (format binary)",
    "copy (select from shop.orders where o_orderkey < 4) to stdout (format binary)",
    "copy (select 1 as a, null as b, 'x' as c) to stdout (format csv, header, force_quote *)",
    "copy (values (1, 'one'), (2, null)) to stdout (format csv, header on, force_quote (column2))",
    "copy (select 1 as a, 2 as a) to stdout (format csv, force_quote (a))",
    "copy ((select 1)) to stdout",
    "copy (with x as (select 1 as y) select * from x) to stdout",
    "copy (table shop.customer) to stdout (format csv)",
    "copy (select c_name from shop.customer join shop.orders on o_custkey = c_custkey where o_orderkey = 11) to stdout",
    "copy (select n_nationkey from crm.nation order by 1) to stdout; select 1; copy (select 2) to stdout binary",
    "begin; copy (select 1) to stdout; commit",
    "copy (select 1) to stdout; copy (select nope) to stdout; select 2",
    // Errors of names.
    "copy nosuch to stdout",
    "copy shop.nosuch to stdout",
    "copy no.such to stdout",
    "copy other.shop.orders to stdout",
    "copy shop.orders (nope) to stdout",
    "copy shop.orders (o_orderkey, o_orderkey) to stdout",
    "copy shop.orders (o_orderkey, xmin) to stdout",
    "copy (select nope from shop.orders) to stdout",
    "copy (select 1/0) to stdout",
    "copy (select $1) to stdout",
    "copy (select * from shop.nope) to stdout",
    "copy pg_catalog.pg_tables to stdout",
    "copy pg_tables to stdout (format xml)",
    "copy information_schema.tables to stdout",
    "copy pg_class to stdout (format xml)",
    // Errors of options.
    "copy shop.orders to stdout (format xml)",
    "copy shop.orders to stdout (format 'CSV')",
    "copy shop.orders to stdout (format)",
    "copy shop.orders to stdout (foo)",
    "copy shop.orders to stdout (foo 1, format xml)",
    "copy shop.orders to stdout (\"HEADER\" true)",
    "copy shop.orders to stdout (header, header)",
    "copy shop.orders to stdout (format csv, format csv)",
    "copy shop.orders to stdout (header 2)",
    "copy shop.orders to stdout (header 1.0)",
    "copy shop.orders to stdout (header 'yes')",
    "copy shop.orders to stdout (header match, format csv)",
    "copy shop.orders to stdout (header 'MATCH')",
    "copy shop.orders to stdout (format binary, header)",
    "copy shop.orders to stdout (format binary, delimiter ',')",
    "copy shop.orders to stdout (format binary, null 'x')",
    "copy shop.orders to stdout (format binary, quote 'x')",
    "copy shop.orders to stdout (delimiter)",
    "copy shop.orders to stdout (delimiter 1.5)",
    "copy shop.orders to stdout (delimiter '')",
    "copy shop.orders to stdout (delimiter 'ab')",
    "copy shop.orders to stdout (delimiter 'é')",
    "copy shop.orders to stdout (delimiter E'\\n')",
    "copy shop.orders to stdout (delimiter 'a')",
    "copy shop.orders to stdout (delimiter '\\')",
    "copy shop.orders to stdout (delimiter '.')",
    "copy shop.orders to stdout (format csv, delimiter '\"')",
    "copy shop.orders to stdout (format csv, quote 'ab')",
    "copy shop.orders to stdout (format csv, escape 'ab')",
    "copy shop.orders to stdout (quote '\"')",
    "copy shop.orders to stdout (escape '\"')",
    "copy shop.orders to stdout (null E'a\\nb')",
    "copy shop.orders to stdout (null E'a\\tb')",
    "copy shop.orders to stdout (format csv, null ',')",
    "copy shop.orders to stdout (format csv, null 'a\"b')",
    "copy shop.orders to stdout (null, null)",
    "copy shop.orders to stdout (force_quote *)",
    "copy shop.orders to stdout (format csv, force_quote)",
    "copy shop.orders to stdout (format csv, force_quote o_orderkey)",
    "copy shop.orders to stdout (format csv, force_quote (*))",
    "copy shop.orders to stdout (format csv, force_quote (nope))",
    "copy shop.orders to stdout (format csv, force_quote (o_orderkey, o_orderkey))",
    "copy shop.orders (o_orderkey) to stdout (format csv, force_quote (o_custkey))",
    "copy (select 1 as a) to stdout (format csv, force_quote (nope))",
    "copy shop.orders to stdout (force_not_null (o_orderkey))",
    "copy shop.orders to stdout (format csv, force_not_null (o_orderkey))",
    "copy shop.orders to stdout (format csv, force_null (o_orderkey))",
    "copy shop.orders to stdout csv force null o_orderkey",
    "copy shop.orders to stdout (freeze, freeze)",
    "copy shop.orders to stdout (freeze 2)",
    "copy shop.orders to stdout (encoding 'nope')",
    "copy shop.orders to stdout (encoding)",
    // Errors of grammar.
    "copy shop.orders to stdout ()",
    "copy shop.orders to stdout (format csv,)",
    "copy shop.orders to stdout (format csv header)",
    "copy shop.orders to stdout where a = 1",
    "copy (select 1) to stdout where a = 1",
    "copy binary (select 1) to stdout",
    "copy binary shop.orders to stdout binary",
    "copy shop.orders to stdout csv binary",
    "copy shop.orders to stdout csv header header",
    "copy shop.orders to stdout encoding latin1",
    "copy shop.orders to program stdout",
    "copy (select 1) to program stdout",
    "copy (select 1) from stdin",
    "copy (create table x (a int)) to stdout",
    "copy (copy shop.orders to stdout) to stdout",
    "copy shop.orders () to stdout",
    "copy shop.orders (a to stdout",
    "copy to stdout",
    "copy shop.orders",
    "copy shop.orders to",
    "copy shop.orders to stdout foo",
    "copy shop.orders to stdout with (format csv) header",
    "copy only shop.orders to stdout",
    "copy shop.orders * to stdout",
    "copy a.b.c.d to stdout",
    "copy shop.orders to stdout with oids",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_answer_as_postgresql() {
    let pair = Pair::start().await;
    let mut findings = Vec::new();
    let (mut tusk, mut postgres) = (pair.tusk(), pair.postgres());
    for sql in COPIES {
        let ours = transcript(&tusk.ask(sql));
        // The oracle's database has another name.
        let theirs = transcript(&postgres.ask(&sql.replace("copy tusk.", "copy oracle.")));
        if ours != theirs {
            let short = |text: &str| text.lines().take(8).map(|line| format!("{line:.200}\n")).collect::<String>();
            findings.push(format!("--- {sql}\nTusk:\n{}PostgreSQL:\n{}", short(&ours), short(&theirs)));
        }
    }
    none(&findings);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_extended_protocol_copies_as_postgresql() {
    let pair = Pair::start().await;
    let whole: Script = |raw| {
        let sql =
            "copy (select o_orderkey, o_orderdate from shop.orders where o_orderkey < 9) to stdout (format binary)";
        raw.batch(&[
            parse("c", sql, &[]),
            describe(b'S', "c"),
            bind("", "c", 0, &[], &[]),
            describe(b'P', ""),
            execute("", 0),
        ])
    };
    let again: Script = |raw| {
        let mut answers = raw.batch(&[parse("c", "copy shop.customer to stdout csv", &[])]);
        for rows in [0, 1, -1] {
            answers.extend(raw.batch(&[bind("", "c", 0, &[], &[1]), execute("", rows)]));
        }
        answers.extend(raw.batch(&[bind("p", "c", 0, &[], &[]), execute("p", 0), execute("p", 0)]));
        answers
    };
    let late: Script = |raw| {
        // Nothing is said of names and options before it runs.
        let mut answers = Vec::new();
        for sql in ["copy nosuch to stdout", "copy shop.orders to stdout (format xml)", "copy (select nope) to stdout"]
        {
            answers.extend(raw.batch(&[parse("", sql, &[]), describe(b'S', "")]));
            answers.extend(raw.batch(&[bind("", "", 0, &[], &[]), describe(b'P', ""), execute("", 0)]));
        }
        answers.extend(raw.batch(&[parse("", "copy shop.orders to stdout (", &[])]));
        answers
    };
    let pipeline: Script = |raw| {
        raw.batch(&[
            parse("a", "copy (select 1) to stdout", &[]),
            bind("", "a", 0, &[], &[]),
            execute("", 0),
            parse("b", "select 2", &[]),
            bind("", "b", 0, &[], &[]),
            execute("", 0),
            bind("", "a", 0, &[], &[]),
            execute("", 0),
        ])
    };
    let blocks: Script = |raw| {
        let copy = [parse("", "copy (select 1) to stdout", &[]), bind("", "", 0, &[], &[]), execute("", 0)];
        let mut answers = raw.ask("begin");
        answers.extend(raw.batch(&copy));
        answers.extend(raw.ask("select nope"));
        answers.extend(raw.batch(&copy));
        answers.extend(raw.ask("copy (select 1) to stdout"));
        answers.extend(raw.ask("rollback"));
        answers
    };
    let parameters: Script = |raw| {
        let mut answers =
            raw.batch(&[parse("", "copy (select 1 as a) to stdout", &[]), bind("", "", 0, &[Some(b"1")], &[])]);
        // Data of a COPY that nobody asked for.
        raw.bytes(&[frame(b'd', b"1\n"), frame(b'c', b""), frame(b'f', b"no\0")].concat());
        answers.extend(raw.ask("select 1"));
        answers
    };
    pair.same(&[
        ("whole", whole),
        ("again", again),
        ("late", late),
        ("pipeline", pipeline),
        ("blocks", blocks),
        ("parameters", parameters),
    ]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_between_rows_ends_the_data() {
    let pair = Pair::start().await;
    let sql = "copy (select 1000 / (o_orderkey - 1400) from shop.orders order by o_orderkey) to stdout";
    for raw in [&mut pair.tusk(), &mut pair.postgres()] {
        for answer in [raw.ask(sql), raw.batch(&[parse("", sql, &[]), bind("", "", 0, &[], &[]), execute("", 0)])] {
            let told = kinds(&answer);
            assert!(told.ends_with("EZ") && told.contains('H') && !told.contains(['c', 'C']), "{told}");
            assert_eq!(error(&answer)[&'C'], "22012");
        }
        assert_eq!(kinds(&raw.ask("select 1")), "TDCZ");
    }
}

/// Texts with everything in them that is special in some format.
const NASTY: &[&str] = &[
    "",
    " ",
    "\\",
    "\\\\",
    "\\.",
    "\\N",
    "NULL",
    "null",
    "nil",
    "a,b",
    "a;b",
    "a|b",
    "\"",
    "\"\"",
    "it's",
    "'",
    "say \"hi\", it's \\ok",
    "tab\there",
    "line\nfeed",
    "carriage\rreturn",
    "\r\n",
    "\n",
    "\u{8}\u{b}\u{c}",
    "\u{1}\u{2}\u{1f}\u{7f}",
    "ä€😀",
    "ÿÿ",
    "x",
    "A",
    "1",
    "-",
    "trailing\\",
    "#comment",
];

const FORMATS: &[&str] = &[
    "format text",
    "format text, header",
    "format text, delimiter '|'",
    "format text, delimiter ',', null ''",
    "format text, delimiter E'\\x01', null 'nil'",
    "format text, delimiter 'A'",
    "format text, delimiter '\"'",
    "format text, null 'ä'",
    "format text, null ''",
    "format csv",
    "format csv, header",
    "format csv, force_quote *",
    "format csv, force_quote (b), header",
    "format csv, null 'NULL'",
    "format csv, null 'NULL', force_quote *",
    "format csv, delimiter ';'",
    "format csv, delimiter E'\\t'",
    "format csv, delimiter 'x', null 'nil'",
    "format csv, delimiter '1'",
    "format csv, delimiter '-'",
    "format csv, quote ''''",
    "format csv, quote '''', escape '\\'",
    "format csv, escape '\\'",
    "format csv, quote '1', delimiter '2', header",
    "format csv, quote '\\', escape '\"'",
    "format csv, escape 'a'",
    "format csv, encoding 'utf-8'",
    "format text, encoding 'SQL_ASCII'",
    "format binary",
    "format binary, encoding 'latin1', freeze",
];

/// A server with a table of nasty texts, and Tusk over it.
async fn nasty() -> (TestPostgres, crate::harness::daemon::Daemon) {
    let postgres = TestPostgres::start();
    let mut sql = String::from(
        "create table nasty (a int, b text, \"C, \"\"d\"\"\" varchar, e numeric, f date, g boolean, h float8, i bytea);",
    );
    for (at, text) in NASTY.iter().enumerate() {
        let text = text.replace('\\', "\\\\").replace('\'', "''");
        sql += &format!(
            "insert into nasty values ({at}, E'{text}', E'{text}', {at}.5, date '2024-01-01' + {at}, {at} % 2 = 0, {at} / 3.0, convert_to(E'{text}', 'UTF8'));"
        );
    }
    sql += "insert into nasty default values;\
            create table wide as select 1 as c1; create table empty (); insert into empty default values; \
            create table lone (b text); insert into lone select b from nasty order by a; \
            create table made (a int, b int generated always as (a * 2) stored, c text); insert into made values (1, default, 'x'); \
            create view seen as select 1 as a; create materialized view kept as select 1 as a;";
    sql += &format!(
        "do $$ begin execute (select 'alter table wide ' || string_agg('add column c' || n || ' text default repeat(''{}'', 50)', ', ') from generate_series(2, 1000) n); end $$;",
        "x,\\"
    );
    postgres.exec(&sql).await;
    let tusk = over(&postgres, "", "");
    (postgres, tusk)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_option_writes_what_postgresql_writes() {
    let (postgres, tusk) = nasty().await;
    let mut ours = Raw::login(tusk.port(), "ana", "tusk");
    let mut theirs = Raw::login(postgres.port(), "postgres", "postgres");
    for raw in [&mut ours, &mut theirs] {
        raw.ask("set timezone = 'UTC'");
    }
    let mut findings = Vec::new();
    let mut compare = |sql: &str| {
        let said = transcript(&ours.ask(&sql.replace('@', "shop")));
        let wanted = transcript(&theirs.ask(&sql.replace('@', "public")));
        if said != wanted {
            let (at, _) =
                said.lines().zip(wanted.lines()).enumerate().find(|(_, (a, b))| a != b).unwrap_or((0, ("", "")));
            let short = |text: &str| format!("{:.300}", text.lines().nth(at).unwrap_or_default());
            findings.push(format!("--- {sql}\nTusk: {}\nPostgreSQL: {}", short(&said), short(&wanted)));
        }
    };
    for format in FORMATS {
        compare(&format!("copy (select * from @.nasty order by a) to stdout ({format})"));
        compare(&format!(
            "copy (select b from @.nasty order by a) to stdout ({})",
            format.replace("force_quote (b), ", "")
        ));
    }
    for style in [
        "set datestyle = 'SQL, DMY'",
        "set datestyle = 'German'",
        "set bytea_output = 'escape'",
        "set extra_float_digits = -5",
    ] {
        compare(style);
        for format in ["format text", "format csv, delimiter '/'", "format csv, delimiter '.'", "format binary"] {
            compare(&format!("copy (select * from @.nasty order by a) to stdout ({format})"));
        }
    }
    for table in ["wide", "empty", "lone", "made", "made (c, a)", "made (b)", "seen", "kept"] {
        for format in ["", "csv", "csv header", "binary"] {
            compare(&format!("copy @.{table} to stdout {format}"));
        }
    }
    // Other encodings: what they have, and the error for what they have not.
    compare("copy (select b from @.nasty where b in ('ÿÿ', 'x') order by b) to stdout (encoding 'latin1', header)");
    compare(
        "copy (select b from @.nasty where b in ('ÿÿ', 'x') order by b) to stdout (format csv, encoding win1252, null 'ä')",
    );
    compare("copy (select b from @.nasty where b like 'ä%') to stdout (encoding 'ISO-8859-1')");
    compare("copy (select '€ Šš Žž Œœ Ÿ' as b) to stdout (encoding latin9)");
    compare("copy (select '€ ‚ƒ„…†‡ˆ‰Š‹Œ Ž ‘’“”•–—˜™š›œ žŸ' as b) to stdout (encoding win1252)");

    none(&findings);
    let fields = error(&ours.ask("copy shop.lone to stdout (encoding 'sjis')"));
    assert_eq!(
        (fields[&'C'].as_str(), fields[&'M'].as_str()),
        ("0A000", "conversion between SJIS and UTF8 is not supported")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_type_is_copied_as_postgresql_copies_it() {
    let postgres = TestPostgres::start();
    fill(&postgres).await;
    let tusk = over(&postgres, "", "");
    let mut ours = Raw::login(tusk.port(), "ana", "tusk");
    let mut theirs = Raw::login(postgres.port(), "postgres", "postgres");
    for raw in [&mut ours, &mut theirs] {
        raw.ask("set timezone = 'UTC'");
    }
    let mut findings = Vec::new();
    for (at, (ty, _)) in TYPES.iter().enumerate() {
        for format in ["format text", "format csv", "format csv, force_quote *", "format binary"] {
            if format == "format binary" && TEXT_ONLY.contains(ty) {
                continue;
            }
            let sql = |schema: &str| {
                format!("copy (select id, {} from {schema}.t{at} order by id) to stdout ({format})", column(at))
            };
            let (said, wanted) = (transcript(&ours.ask(&sql("shop"))), transcript(&theirs.ask(&sql("public"))));
            if said != wanted {
                findings.push(format!("--- {ty}, {format}\nTusk:\n{said}PostgreSQL:\n{wanted}"));
            }
        }
    }
    none(&findings);
}
