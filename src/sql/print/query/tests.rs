//! What is printed reads back as the same tree, whatever the client wrote; and what is not on a list is refused.

use super::*;
use crate::sql::{Scope, StatementKind, parse};

const ROUNDS: u64 = 5_000;

pub(super) fn own() -> OwnValues {
    OwnValues {
        functions: vec![SourceFunction { schema: "public".into(), seen: Some("shop".into()), name: "tax".into() }],
        user: "a'na".into(),
        database: "tusk".into(),
        schema: Some("shop".into()),
        pid: 7,
        version: "PostgreSQL 15".into(),
        now: None,
    }
}

/// Prints a statement; tables are of the schema `s"x` there, `shop` here, and `hidden` has the columns `a` and `b` only.
fn printed_with(sql: &str, own: &OwnValues) -> Result<PrintedQuery> {
    let statement = parse(sql)?.remove(0);
    let StatementKind::Query(query) = &statement.kind else { panic!("{sql}: {:?}", statement.kind) };
    let remote = |table: &TableRef| RemoteTable {
        schema: "s\"x".into(),
        name: table.table.clone(),
        columns: (table.table == "hidden").then(|| vec!["a".to_owned(), "b\"".to_owned()]),
        seen: (table.schema.clone().unwrap_or_else(|| "shop".into()), table.table.clone()),
    };
    let relations: Vec<_> =
        Scope::of(query).relations.into_iter().map(|table| (table.clone(), remote(&table))).collect();
    print_query(&PrintRequest { statement: &statement, query, relations: &relations, own })
}

fn printed(sql: &str) -> Result<String> {
    printed_with(sql, &own()).map(|printed| printed.sql)
}

fn sql(sql: &str) -> String {
    printed(sql).unwrap_or_else(|error| panic!("{sql}: {error} {error:?}"))
}

#[test]
fn skeletons_have_no_values() {
    let skeleton = |sql: &str| printed_with(sql, &own()).unwrap().skeleton();
    let same = skeleton("select a, 'x' from t where a = 5 and b in ('y', 'z') limit 3");
    assert_eq!(
        same,
        "SELECT \"a\", \0t FROM \"s\"\"x\".\"t\" AS \"t\" WHERE (\"a\" = \0i) AND (\"b\" IN (\0t, \0t)) LIMIT \0i"
    );
    assert_eq!(skeleton("select a, 'it''s \\' from t where a = 77 and b in ('', 'é') limit 1"), same);
    for (one, other) in [
        ("select a from t where a = 5", "select a from t where a = 5000000000"),
        ("select a from t where a = 5", "select a from t where a = 5.0"),
        ("select a from t where a = 5", "select a from t where a = '5'"),
        ("select a::numeric(5, 2) from t", "select a::numeric(5, 3) from t"),
        ("select '1'::varchar(5) from t", "select '1'::varchar(6) from t"),
        ("select b'1' from t", "select b'10' from t"),
        ("select a from t where a = 5", "select a from t where a = $1"),
    ] {
        assert_ne!(skeleton(one), skeleton(other), "{one}");
    }
}

#[test]
fn names_and_literals_are_ours() {
    for (written, expected) in [
        ("select 1", "SELECT 1"),
        ("select tax(1), shop.tax(2)", "SELECT \"public\".\"tax\"(1), \"public\".\"tax\"(2)"),
        ("select * from public.tax(1) t", "SELECT * FROM \"public\".\"tax\"(1) AS \"t\""),
        ("select a from t", "SELECT \"a\" FROM \"s\"\"x\".\"t\" AS \"t\""),
        ("select T.A from shop.T x", "SELECT \"t\".\"a\" FROM \"s\"\"x\".\"t\" AS \"x\""),
        (
            "select shop.t.a, tusk.shop.t.b, shop.t.* from shop.t",
            "SELECT \"t\".\"a\", \"t\".\"b\", \"t\".* FROM \"s\"\"x\".\"t\" AS \"t\"",
        ),
        (
            "select * from only t, only (hidden) h",
            "SELECT * FROM ONLY \"s\"\"x\".\"t\" AS \"t\", (SELECT \"a\", \"b\"\"\" FROM ONLY \"s\"\"x\".\"hidden\") AS \"h\"",
        ),
        (
            "select * from t tablesample system (1.5) join only t u tablesample bernoulli (a) repeatable (3) on true",
            "SELECT * FROM (\"s\"\"x\".\"t\" AS \"t\" TABLESAMPLE SYSTEM (1.5) JOIN ONLY \"s\"\"x\".\"t\" AS \"u\" TABLESAMPLE BERNOULLI (\"a\") \
          REPEATABLE (3) ON TRUE)",
        ),
        (
            "select * from t, lateral rows from (unnest(a, b), generate_series(1, a)) with ordinality as r (x, y, z, n)",
            "SELECT * FROM \"s\"\"x\".\"t\" AS \"t\", LATERAL ROWS FROM (unnest(\"a\", \"b\"), pg_catalog.\"generate_series\"(1, \"a\")) WITH ORDINALITY \
          AS \"r\" (\"x\", \"y\", \"z\", \"n\")",
        ),
        (
            "with recursive r (a) as (select 1 union all select a from r) search depth first by A set \"o\"\"\" cycle a set c to 'it''s' default 'no' using p \
             select o from r",
            "WITH RECURSIVE \"tusk_with_1\" (\"a\") AS ((SELECT 1) UNION ALL (SELECT \"a\" FROM \"tusk_with_1\" AS \"r\")) SEARCH DEPTH FIRST BY \"a\" SET \"o\"\"\" \
          CYCLE \"a\" SET \"c\" TO E'it''s' DEFAULT E'no' USING \"p\" SELECT \"o\" FROM \"tusk_with_1\" AS \"r\"",
        ),
        ("select * from hidden h", "SELECT * FROM (SELECT \"a\", \"b\"\"\" FROM \"s\"\"x\".\"hidden\") AS \"h\""),
        ("select '\\'') union select 1 --' as \"x\\\"", "SELECT E'\\\\'') union select 1 --' AS \"x\\\""),
        (
            "select a from t, hidden h for no key update of T, h skip locked for key share for share of h nowait for update",
            "SELECT \"a\" FROM \"s\"\"x\".\"t\" AS \"t\", (SELECT \"a\", \"b\"\"\" FROM \"s\"\"x\".\"hidden\") AS \"h\" \
             FOR NO KEY UPDATE OF \"t\", \"h\" SKIP LOCKED FOR KEY SHARE FOR SHARE OF \"h\" NOWAIT FOR UPDATE",
        ),
        (
            "with pg_authid as (select 1 as q) select q from pg_authid",
            "WITH \"tusk_with_1\" AS (SELECT 1 AS \"q\") SELECT \"q\" FROM \"tusk_with_1\" AS \"pg_authid\"",
        ),
        (
            "select -(-a), - -1, a - -1 from t",
            "SELECT - (- \"a\"), - (- 1), \"a\" - (- 1) FROM \"s\"\"x\".\"t\" AS \"t\"",
        ),
        (
            "select lower(a)::varchar(3), date '2020-01-01' from t",
            "SELECT pg_catalog.\"lower\"(\"a\")::pg_catalog.\"varchar\"(3), E'2020-01-01'::pg_catalog.\"date\" FROM \"s\"\"x\".\"t\" AS \"t\"",
        ),
        (
            "select current_user, version() v, current_schema, pg_backend_pid()",
            "SELECT (E'a''na'::pg_catalog.\"name\") AS \"current_user\", (E'PostgreSQL 15'::pg_catalog.\"text\") AS \"v\", \
          (E'shop'::pg_catalog.\"name\") AS \"current_schema\", (E'7'::pg_catalog.\"int4\") AS \"pg_backend_pid\"",
        ),
        ("select pg_typeof(1)::text", "SELECT pg_catalog.\"pg_typeof\"(1)::pg_catalog.\"text\""),
        ("select now(), current_timestamp(3)", "SELECT pg_catalog.now(), CURRENT_TIMESTAMP(3)"),
        (
            "select x[1], x[1:2], t.x[3] from t",
            "SELECT (\"x\")[1], (\"x\")[1 : 2], (\"t\".\"x\")[3] FROM \"s\"\"x\".\"t\" AS \"t\"",
        ),
        (
            "select a = any (select 1), a = any (array[1,2]), a in (1, 2), (a, 1) = (1, 2) from t",
            "SELECT \"a\" = ANY (SELECT 1), \"a\" = ANY (ARRAY[1, 2]), \"a\" IN (1, 2), (ROW(\"a\", 1)) = (ROW(1, 2)) FROM \"s\"\"x\".\"t\" AS \"t\"",
        ),
        (
            "select extract(year from a), position('x' in b), substring(b from 2 for 3), trim(both 'x' from b) from t",
            "SELECT EXTRACT(E'year' FROM \"a\"), POSITION(E'x' IN \"b\"), SUBSTRING(\"b\" FROM 2 FOR 3), pg_catalog.\"btrim\"(\"b\", E'x') \
          FROM \"s\"\"x\".\"t\" AS \"t\"",
        ),
    ] {
        assert_eq!(sql(written), expected, "{written}");
    }
}

#[test]
fn a_moment_of_a_transaction_is_a_value() {
    let own = OwnValues { now: Some("2026-01-02 03:04:05.000006+00".into()), ..own() };
    let sql = |sql: &str| printed_with(sql, &own).unwrap().sql;
    assert_eq!(
        sql("select now(), current_date"),
        "SELECT ((E'2026-01-02 03:04:05.000006+00'::pg_catalog.timestamptz)::pg_catalog.timestamptz) AS \"now\", \
         ((E'2026-01-02 03:04:05.000006+00'::pg_catalog.timestamptz)::pg_catalog.date) AS \"current_date\""
    );
    assert!(sql("select clock_timestamp()").contains("clock_timestamp"));
}

#[test]
fn places_lead_back_to_the_client() {
    let text = "select 'ß', nope + 1 from t where lower(b) like 'x'";
    let found = printed_with(text, &own()).unwrap();
    let at = |needle: &str| {
        let place = u32::try_from(found.sql.split(needle).next().unwrap().chars().count()).unwrap() + 1;
        let there = found.places.iter().find(|(here, _)| *here == place).map(|(_, there)| *there as usize).unwrap();
        text.chars().skip(there - 1).collect::<String>()
    };
    assert!(at("\"nope\"").starts_with("nope"));
    assert!(at("+ 1").starts_with("+ 1"));
    assert!(at("pg_catalog.\"lower\"").starts_with("lower(b)"));
    assert!(at("LIKE").starts_with("like"));
    assert!(at("\"s\"\"x\"").starts_with("t where"));
    assert!(found.places.is_sorted());
}

#[test]
fn what_is_not_on_a_list_is_refused() {
    for sql in [
        "select pg_read_file('x')",
        "select pg_catalog.pg_read_file('x')",
        "select public.lower('x')",
        "select ('/etc/passwd'::text).pg_read_file",
        "select ('x'::text).nextval",
        "select (a).secret from t",
        "select t.pg_typeof from t",
        "select 'pg_authid'::regclass",
        "select cast('x' as regtype)",
        "select regclass 'pg_authid'",
        "select pg_typeof(1)",
        "select pg_typeof(1) = 'int'",
        "select query_to_xml('select 1', true, true, '')",
        "select ts_stat('select 1')",
        "select ts_rewrite('a', 'select 1')",
        "select set_config('a', 'b', false)",
        "select current_setting('a')",
        "select nextval('s')",
        "select has_table_privilege('t', 'select')",
        "select to_regclass('t')",
        "select to_tsvector(a::text || '', 'x'), to_tsvector($1, 'x') from t",
        "select to_tsvector('secret.config', 'x')",
        "select a from hidden tablesample system (1)",
        "select * from rows from (pg_ls_dir('.'))",
        "select * from rows from (generate_series(1, 2), (select 1))",
        "select * from \"rows from\"(generate_series(1, 2))",
        "select a from (select a from t) t tablesample system (1)",
        "select 1 operator(public.+) 2",
        "select a collate public.x from t",
        "select null::shop.mood",
        "select null::money",
        "select null::aclitem",
        "select * from shop.t, other.t",
        "select shop.x.a from shop.t x",
        "select other.t.a from shop.t",
        "select shop.t.a from (select 1 as a) t, shop.t",
        "select inet_server_addr()",
        "select txid_current()",
        "select format_type(23, 0)",
        "select lo_get(1)",
        "select dblink('x')",
        "select * from pg_ls_dir('.')",
        "select * from current_database()",
    ] {
        match printed(sql) {
            Err(error) => assert_eq!(error.state().code(), "0A000", "{sql}: {error}"),
            Ok(printed) => panic!("{sql}\n{printed}"),
        }
    }
}

/// A small generator of its own: the same statements in every run.
pub(super) struct Random(pub(super) u64);

const OPERATORS: &[&str] = &[
    "+",
    "-",
    "*",
    "/",
    "%",
    "^",
    "||",
    "=",
    "<>",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "and",
    "or",
    "~",
    "!~*",
    "->",
    "->>",
    "#>",
    "@>",
    "<@",
    "?",
    "?|",
    "&&",
    "<<",
    ">>",
    "&",
    "|",
    "#",
    "^@",
    "<->",
    "is distinct from",
    "is not distinct from",
    "operator(pg_catalog.+)",
    "like",
    "not ilike",
    "similar to",
];

impl Random {
    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }

    pub(super) fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        let at = self.below(choices.len() as u64);
        choices[usize::try_from(at).unwrap()]
    }

    pub(super) fn nasty(&mut self) -> String {
        const PIECES: &[&str] = &[
            "'",
            "\\",
            "\"",
            "--",
            "/*",
            "*/",
            ";",
            "$$",
            "$1",
            "E'",
            "a",
            "Z",
            "ß",
            "\n",
            " ",
            "\u{1f418}",
            "::",
            "(",
            ")",
            "\\'",
        ];
        let count = self.below(6);
        (0..count).map(|_| self.of(PIECES)).collect()
    }

    pub(super) fn name(&mut self) -> String {
        if self.below(3) == 0 {
            let name = format!("x{}", self.nasty()).replace('"', "\"\"");
            return format!("\"{name}\"");
        }
        self.of(&["a", "b", "Id", "\"Mixed\"", "\"select\""]).to_owned()
    }

    pub(super) fn literal(&mut self) -> String {
        match self.below(6) {
            0 => format!("'{}'", self.nasty().replace('\'', "''")),
            1 => format!("E'{}'", self.nasty().replace('\\', "\\\\").replace('\'', "\\'")),
            2 => self.of(&["1", "2147483648", "1.5", "1e10", ".5", "7."]).to_owned(),
            3 => self.of(&["true", "false", "null", "$1", "B'01'", "X'1F'"]).to_owned(),
            4 => self.of(&["date '2020-01-01'", "interval '1 day'", "interval '1' year"]).to_owned(),
            _ => format!("$q${}$q$", self.nasty().replace('$', "")),
        }
    }

    pub(super) fn expression(&mut self, depth: u64) -> String {
        if depth == 0 {
            return match self.below(3) {
                0 => self.literal(),
                1 => format!("t.{}", self.name()),
                _ => self.name(),
            };
        }
        let one = |random: &mut Random| random.expression(depth - 1);
        let (a, b) = (one(self), one(self));
        match self.below(22) {
            0..=3 => {
                let op = self.of(OPERATORS);
                format!("({a}) {op} ({b})")
            }
            4 => format!("{} {a}", self.of(&["-", "+", "not", "~", "@", "|/"])),
            5 => format!(
                "({a}) {}",
                self.of(&["is null", "is not null", "isnull", "is true", "is not unknown", "is false"])
            ),
            6 => format!(
                "({a})::{}",
                self.of(&["int", "text", "varchar(3)", "numeric(10,2)", "timestamptz", "int[]", "\"char\"", "char(2)"])
            ),
            7 => format!("case when {a} then {b} else null end"),
            8 => format!("case ({a}) when {b} then 1 end"),
            9 => format!(
                "{}({a}, {b})",
                self.of(&["coalesce", "nullif", "greatest", "concat", "pg_catalog.concat", "format", "row"])
            ),
            10 => format!("({a}) in ({b}, {a})"),
            11 => format!("({a}) not between ({b}) and ({a})"),
            12 => format!("({a}) = any (array[{b}, {a}])"),
            13 => format!("exists (select {a} from t where {b})"),
            14 => format!("(select {a} from t limit 1)"),
            15 => format!("extract({} from {a})", self.of(&["year", "epoch", "dow"])),
            16 => format!("substring({a} from {b})"),
            17 => format!(
                "sum({a}) filter (where {b}) over (partition by {a} order by {b} desc nulls last rows between 1 preceding and current row)"
            ),
            18 => format!("array_agg(distinct {a} order by {b})"),
            19 => format!("({a}) at time zone ({b})"),
            20 => format!("({a}) collate \"C\""),
            _ => format!("(array[{a}, {b}])[1:2]"),
        }
    }

    pub(super) fn query(&mut self, depth: u64) -> String {
        let (a, b, c) = (self.expression(depth), self.expression(depth / 2), self.expression(1));
        let (n, m) = (self.name(), self.name());
        match self.below(9) {
            0 => format!("select {a}, {b} as {n} from t where {c} order by 1 desc, {b} limit 3 offset 1"),
            1 => format!(
                "select distinct on ({c}) {a} from t as {n} left join u on ({b}) group by {c}, rollup ({a}), grouping sets ((a, b), ())"
            ),
            2 => format!(
                "with {n} as (select {a}) select {b} from {n} as {m} union all (select 1 order by 1) except select {c}"
            ),
            3 => format!("with recursive {n} (x) as (select {a} union all select {b} from {n}) table {n}"),
            4 => format!(
                "select * from t, lateral (select {a}) {n} (x) cross join generate_series(1, 2) with ordinality g(p, q) where {b}"
            ),
            5 => format!("values ({a}, {b}), (1, {c})"),
            6 => {
                let lock =
                    self.of(&["", "for update", "for no key update of t, u nowait", "for share of u", "for key share"]);
                format!("select {a} from t natural join u where {b} having {c} fetch first 2 rows only {lock}")
            }
            7 => format!("select t.*, {a} from shop.t join (u join v using (a, b)) on true window w as (order by {c})"),
            _ => format!("select ({a}) as {n} from (select {b} as {m}) x, json_to_record('1') as r(a int, b text)"),
        }
    }
}

/// What was printed is parsed by our parser and printed again: the same text, so the same tree. Every operand is in parentheses in it,
/// so two trees have no text in common.
#[test]
fn thousands_of_statements_read_back_as_they_were_meant() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut done, mut refused) = (0, 0);
    for _ in 0..ROUNDS {
        let depth = random.below(4);
        let text = random.query(depth);
        let Ok(statements) = parse(&text) else { continue };
        assert_eq!(statements.len(), 1, "{text}");
        let first = match printed(&text) {
            Ok(first) => first,
            Err(error) => {
                assert_eq!(error.state().code(), "0A000", "{text}: {error}");
                refused += 1;
                continue;
            }
        };
        let again = printed(&first).unwrap_or_else(|error| panic!("{text}\n{first}\n{error}"));
        assert_eq!(again, first, "{text}");
        done += 1;
    }
    assert!(done > ROUNDS / 2 && refused < done / 20, "{done} printed, {refused} refused");
}
