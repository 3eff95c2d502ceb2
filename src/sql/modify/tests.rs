//! Statements that write are read as PostgreSQL reads them.

use crate::sql::{Modify, Scope, Statement, StatementKind, WriteAction, Writing, parse};

fn one(sql: &str) -> Statement {
    parse(sql).unwrap_or_else(|error| panic!("{sql}: {error} {error:?}")).remove(0)
}

fn writing(sql: &str) -> Writing {
    match one(sql).kind {
        StatementKind::Modify(writing) => *writing,
        other => panic!("{sql}: {other:?}"),
    }
}

/// The statement that writes, if it is alone.
fn modify(sql: &str) -> Modify {
    let writing = writing(sql);
    let mut writers = writing.writers();
    match (writers.next(), writers.next()) {
        (Some(only), None) => only.clone(),
        _ => panic!("{sql}"),
    }
}

fn error(sql: &str) -> (String, String, Option<u32>) {
    let error = match parse(sql) {
        Err(error) => error,
        Ok(mut found) => found.remove(0).refusal().unwrap_or_else(|| panic!("{sql} passes")),
    };
    (error.state().code().to_owned(), error.to_string(), error.position())
}

#[test]
fn what_is_written_and_read() {
    use WriteAction::{Delete, Insert, Update};
    type Wanted = &'static [(WriteAction, Option<&'static [&'static str]>)];
    let cases: &[(&str, Wanted, bool, bool)] = &[
        ("insert into t values (1, 2)", &[(Insert, None)], false, false),
        ("insert into t default values", &[(Insert, Some(&[]))], false, false),
        ("insert into t (A, \"B\") values (1, default) returning a", &[(Insert, Some(&["a", "B"]))], true, true),
        ("insert into t (a) values (1) returning 1", &[(Insert, Some(&["a"]))], true, false),
        ("insert into t (a) select b from u where c = 1", &[(Insert, Some(&["a"]))], false, false),
        ("insert into t (a) values (1) on conflict do nothing", &[(Insert, Some(&["a"]))], false, false),
        ("insert into t (a) values (1) on conflict (a) do nothing", &[(Insert, Some(&["a"]))], false, true),
        (
            "insert into t (a) values (1) on conflict on constraint k do update set b = 1, (c, b) = (1, 2)",
            &[(Insert, Some(&["a"])), (Update, Some(&["b", "c"]))],
            false,
            false,
        ),
        ("update t set a = 1", &[(Update, Some(&["a"]))], false, false),
        ("update t set a = default, b[1] = 2, c.d = 3", &[(Update, Some(&["a", "b", "c"]))], false, false),
        ("update t set a = b", &[(Update, Some(&["a"]))], false, true),
        ("update t as x set a = u.b from u", &[(Update, Some(&["a"]))], false, false),
        ("update t as x set a = u.b from u where x.a = 1", &[(Update, Some(&["a"]))], false, true),
        ("update t set a = current_role", &[(Update, Some(&["a"]))], false, false),
        ("update t set a = 1 returning *", &[(Update, Some(&["a"]))], true, true),
        ("update t set a = u.b from u returning u.*", &[(Update, Some(&["a"]))], true, false),
        ("update t set a = 1 returning old.a", &[(Update, Some(&["a"]))], true, true),
        ("update t set a = 1 returning new.*", &[(Update, Some(&["a"]))], true, true),
        ("delete from t", &[(Delete, None)], false, false),
        ("delete from t where a = 1", &[(Delete, None)], false, true),
        ("delete from t using u where count(t.*) > 1", &[(Delete, None)], false, true),
        (
            "merge into t using u on t.a = u.a when matched and u.b then delete when matched then update set b = 1 \
             when not matched then insert (a) values (u.a) when not matched then do nothing",
            &[(Insert, Some(&["a"])), (Update, Some(&["b"])), (Delete, None)],
            false,
            true,
        ),
        (
            "merge into t using u on false when not matched and u.b then insert values (1, 2) when not matched then insert (a) values (1)",
            &[(Insert, None)],
            false,
            false,
        ),
    ];
    for (sql, wanted, returns, reads) in cases {
        let found = modify(sql);
        let writes: Vec<_> = found.writes().into_iter().map(|written| (written.action, written.columns)).collect();
        let wanted: Vec<_> = wanted
            .iter()
            .map(|(action, columns)| (*action, columns.map(|c| c.iter().map(|c| (*c).to_owned()).collect::<Vec<_>>())))
            .collect();
        assert_eq!(writes, wanted, "{sql}");
        assert_eq!(found.returns_rows(), *returns, "{sql}");
        assert_eq!(found.reads_target(), *reads, "{sql}");
    }
    assert_eq!(modify("insert into t values (1, 2), (3, 4)").insert_width(), Some(2));
    assert_eq!(modify("insert into t select 1, 2, 3 union select 4, 5, 6").insert_width(), Some(3));
    assert_eq!(modify("insert into t select * from u").insert_width(), None);
}

#[test]
fn the_target_comes_first_and_is_no_common_table_expression() {
    for (sql, label, relations, parameters) in [
        ("insert into s.t as x (a) select $2 from u", "x", "s.t u", 2),
        ("with t as (select 1 from q) update t set a = 1 from t, v where t.a = $1", "t", "t q v", 1),
        ("with a as (select 1 from b), b as (select 2 from a) delete from c using a, b, d", "c", "c b d", 0),
        ("with recursive a as (select 1 from b), b as (select 2 from a) delete from c using a, b, d", "c", "c d", 0),
        (
            "delete from T y where exists (with z as (select 1) select from z, w) returning (select 1 from z)",
            "y",
            "t w z",
            0,
        ),
        (
            "merge into t using (select * from u join v on true) q on q.a = t.a when matched then update set a = (select 1 from w)",
            "t",
            "t u v w",
            0,
        ),
        (
            "insert into t values ((select 1 from u)) on conflict (a) do update set a = (select 2 from v) returning (select 3 from w)",
            "t",
            "t u v w",
            0,
        ),
        ("update t set a = (select 1 from u) from v where a = (select 2 from w)", "t", "t u v w", 0),
    ] {
        let statement = one(sql);
        let scope = Scope::of_statement(&statement);
        let names: Vec<_> = scope
            .relations
            .iter()
            .map(|r| r.schema.iter().chain([&r.table]).cloned().collect::<Vec<_>>().join("."))
            .collect();
        assert_eq!(names.join(" "), relations, "{sql}");
        assert_eq!(scope.parameters, parameters, "{sql}");
        assert_eq!(modify(sql).label(), label, "{sql}");
    }
    let found = modify("select 1; update ä.t set a = 1".split_once("; ").unwrap().1);
    assert_eq!(found.target().position, 8);
}

#[test]
fn clients_statements_are_read() {
    for sql in [
        // pgbench
        "UPDATE pgbench_accounts SET abalance = abalance + $1 WHERE aid = $2;",
        "INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES ($1, $2, $3, $4, CURRENT_TIMESTAMP)",
        // pgjdbc, with generated keys; its rewritten batches
        "INSERT INTO \"public\".\"t\"(\"a\",\"b\") VALUES ($1,$2),($3,$4)\nRETURNING *",
        "insert into t (a, b) values ($1, $2) RETURNING \"id\"",
        // SQLAlchemy: insertmanyvalues, with and without the order kept
        "INSERT INTO t (a, b) SELECT p0::INTEGER, p1::VARCHAR FROM (VALUES ($1::INTEGER, $2::VARCHAR, 0), ($3::INTEGER, $4::VARCHAR, 1)) \
         AS imp_sen(p0, p1, sen_counter) ORDER BY sen_counter RETURNING t.id, t.id AS id__1",
        "UPDATE t SET a=$1::INTEGER WHERE t.id = $2::INTEGER",
        "DELETE FROM t WHERE t.id = $1::INTEGER",
        "INSERT INTO t (id) VALUES (DEFAULT) RETURNING t.id",
        "INSERT INTO t (a) VALUES ($1) ON CONFLICT (a) DO UPDATE SET b = excluded.b WHERE (t.b IS NULL)",
        // Django
        "INSERT INTO \"app_t\" (\"a\", \"b\") VALUES ('x', 1), ('y', 2) RETURNING \"app_t\".\"id\"",
        "INSERT INTO \"app_t\" (\"a\") VALUES ('x') ON CONFLICT(\"a\") DO UPDATE SET \"a\" = EXCLUDED.\"a\"",
        "INSERT INTO \"app_t\" (\"a\") VALUES ('x') ON CONFLICT DO NOTHING",
        "UPDATE \"app_t\" SET \"a\" = CASE WHEN (\"app_t\".\"id\" = 1) THEN 'x' ELSE NULL END WHERE \"app_t\".\"id\" IN (1, 2)",
        "DELETE FROM \"app_t\" WHERE \"app_t\".\"id\" IN (SELECT U0.\"id\" FROM \"app_t\" U0 WHERE U0.\"a\" = 'x')",
        "UPDATE \"app_t\" SET \"n\" = (\"app_t\".\"n\" + 1)",
        "INSERT INTO \"app_t\" (\"a\", \"b\") SELECT * FROM UNNEST((ARRAY[1, 2])::integer[], (ARRAY['x', 'y'])::text[]) RETURNING \"app_t\".\"id\"",
        "UPDATE \"app_t\" SET \"a\" = (CASE WHEN (\"app_t\".\"id\" = 1) THEN 2 ELSE NULL END)::integer WHERE \"app_t\".\"id\" IN (1)",
        // Hibernate
        "merge into t as t1_0 using (select cast($1 as bigint) id, cast($2 as varchar) n) as s on (t1_0.id=s.id) \
         when not matched then insert (id,n) values (s.id,s.n) when matched then update set n=s.n",
        "update t t1_0 set n=$1 where t1_0.id=$2",
        // psql
        "insert into t values(1,'a'),(2,'b');",
        "delete from t *",
        "update only_t set a=1",
        // the rest of the grammar
        "insert into t (a, b.c, d[1], e[1:2]) overriding system value values (1, 2, 3, '{}')",
        "insert into t overriding user value select * from u",
        "insert into t table u",
        "insert into t (table u)",
        "insert into t (a) (select 1)",
        "insert into t ((select 1))",
        "insert into t with q as (select 1) select * from q",
        "with q as (select 1) insert into t select * from q",
        "with q(a) as materialized (select 1), r as (values (1)) insert into t table q",
        "insert into t values (1) on conflict (lower(a), (b || c), d collate \"C\") where d > 1 do nothing",
        "insert into t values (1) on conflict on constraint \"K\" do update set a = default, (b, c) = row(1, default), (d, e) = (select 1, 2)",
        "update t x set (a, b) = (1, default), (c) = row(2) from u, lateral (select 1) q where x.a = u.a",
        "update t set set = 1",
        "update t as set set set = 1",
        "update t set a = 1 where current = 2 and of = 3",
        "delete from t as d using u join v using (a), w where d.a = w.a returning d.*, *, a as b, c d, 1 + 1",
        "merge into t as x using u y on x.a = y.a when matched and x.b = 1 then update set (a, b) = (y.a, default) \
         when matched then do nothing when not matched and y.c then insert overriding user value values (1, default) when not matched then insert default values",
        "merge into t using (values (1, 2)) as v (a, b) on t.a = v.a when matched then delete",
        "merge into t using u join v on u.a = v.a on t.a = u.a when not matched then do nothing",
        "explain (analyze, costs off) update t set a = 1",
        "explain insert into t values (1)",
        "explain analyze verbose with q as (select 1) delete from t",
        "prepare p (int) as insert into t values ($1) returning a",
        "prepare p as merge into t using u on true when matched then delete",
    ] {
        let statement = one(sql);
        let inner = match &statement.kind {
            StatementKind::Explain { statement, .. } | StatementKind::Prepare { statement, .. } => statement,
            _ => &statement,
        };
        assert!(matches!(inner.kind, StatementKind::Modify(_)), "{sql}: {:?}", inner.kind);
    }
}

#[test]
fn what_is_refused_says_so() {
    for (sql, code, message, position) in [
        ("insert t values (1)", "42601", "syntax error at or near \"t\"", 8),
        ("insert", "42601", "syntax error at end of input", 7),
        ("delete t", "42601", "syntax error at or near \"t\"", 8),
        ("update t a = 1", "42601", "syntax error at or near \"=\"", 12),
        ("update t set a", "42601", "syntax error at end of input", 15),
        ("update t set a = 1 order by a", "42601", "syntax error at or near \"order\"", 20),
        ("update t set a = 1 limit 1", "42601", "syntax error at or near \"limit\"", 20),
        ("update a.b.c.d set a = 1", "42601", "improper qualified name (too many dotted names): a.b.c.d", 8),
        ("update select set a = 1", "42601", "syntax error at or near \"select\"", 8),
        ("insert into t x values (1)", "42601", "syntax error at or near \"x\"", 15),
        ("insert into t (a) default values", "42601", "syntax error at or near \"default\"", 19),
        ("insert into t () values (1)", "42601", "syntax error at or near \")\"", 16),
        ("insert into t values (1) on conflict", "42601", "syntax error at end of input", 37),
        ("insert into t set a = 1", "42601", "syntax error at or near \"set\"", 15),
        ("insert into t insert into u values (1)", "42601", "syntax error at or near \"insert\"", 15),
        ("delete from t where", "42601", "syntax error at end of input", 20),
        ("delete from t limit 1", "42601", "syntax error at or near \"limit\"", 15),
        ("merge into t using u on true", "42601", "syntax error at end of input", 29),
        (
            "merge into t using u on true when matched then insert values (1)",
            "42601",
            "syntax error at or near \"insert\"",
            48,
        ),
        ("update t set a = default + 1", "42601", "DEFAULT is not allowed in this context", 18),
        ("insert into t select default", "42601", "DEFAULT is not allowed in this context", 22),
        ("insert into t values (default) limit 1", "42601", "DEFAULT is not allowed in this context", 23),
        ("delete from t where a = default", "42601", "DEFAULT is not allowed in this context", 25),
        ("declare c cursor for insert into t values (1)", "42601", "syntax error at or near \"insert\"", 22),
        ("declare c cursor for with q as (select 1) delete from t", "42601", "syntax error at or near \"delete\"", 43),
        ("delete from t where current of select", "42601", "syntax error at or near \"select\"", 32),
        (
            "insert into t values (1) on conflict (a text_ops) do nothing",
            "0A000",
            "an operator class in ON CONFLICT is not supported",
            41,
        ),
        (
            "merge into t using u on true when not matched by source then delete",
            "42601",
            "syntax error at or near \"delete\"",
            62,
        ),
        (
            "merge into t using u on true when not matched by target then do nothing",
            "0A000",
            "MERGE ... WHEN NOT MATCHED BY is not supported",
            50,
        ),
        (
            "merge into t using u on true when matched then delete returning a",
            "0A000",
            "RETURNING of MERGE is not supported",
            65,
        ),
    ] {
        assert_eq!(error(sql), (code.to_owned(), message.to_owned(), Some(position)), "{sql}");
    }
}

#[test]
fn queries_of_with_write() {
    use WriteAction::{Delete, Insert, Update};
    type Wanted<'a> = &'a [(&'a str, &'a [WriteAction])];
    let cases: &[(&str, &str, bool, Wanted<'_>, &str)] = &[
        ("with x as (insert into t values (1) returning a) select * from x", "SELECT", true, &[("t", &[Insert])], "t"),
        (
            "with x (p, q) as materialized (update t as y set a = 1 from u returning *), z as not materialized (delete from v) table x",
            "SELECT",
            true,
            &[("y", &[Update]), ("v", &[Delete])],
            "t v u",
        ),
        (
            "with x as (delete from t returning *) insert into x table x",
            "INSERT",
            false,
            &[("t", &[Delete]), ("x", &[Insert])],
            "t x",
        ),
        (
            "with x as (select * from x), y as (delete from x using x z returning *) update y set a = 1 from y w returning w.*",
            "UPDATE",
            true,
            &[("x", &[Delete]), ("y", &[Update])],
            "x y x",
        ),
        (
            "with recursive a as (delete from b using c), c as (select * from a) delete from d using a, b, c",
            "DELETE",
            false,
            &[("b", &[Delete]), ("d", &[Delete])],
            "b d b",
        ),
        (
            "with a as (delete from b using c), c as (select * from d) select * from c, a, b",
            "SELECT",
            true,
            &[("b", &[Delete])],
            "b c d b",
        ),
        (
            "with x as (with y as (select 1 from u), t as (select 2 from y) insert into t select * from t, y, x returning 1) select from x, y",
            "SELECT",
            true,
            &[("t", &[Insert])],
            "t u x y",
        ),
        (
            "with x as (insert into t as n (a) values ($2) on conflict (a) do update set a = 2) merge into t using u on true when matched then delete",
            "MERGE",
            false,
            &[("n", &[Insert, Update]), ("t", &[Delete])],
            "t t u",
        ),
    ];
    for (sql, tag, returns, wanted, relations) in cases {
        let statement = one(sql);
        assert!(statement.writes(), "{sql}");
        let scope = Scope::of_statement(&statement);
        let names: Vec<&str> = scope.relations.iter().map(|table| table.table.as_str()).collect();
        assert_eq!(names.join(" "), *relations, "{sql}");
        let writing = writing(sql);
        assert_eq!((statement.tag(), writing.tag(), writing.returns_rows()), (*tag, *tag, *returns), "{sql}");
        let found: Vec<(String, Vec<WriteAction>)> = writing
            .writers()
            .map(|modify| (modify.label(), modify.writes().into_iter().map(|written| written.action).collect()))
            .collect();
        let wanted: Vec<_> = wanted.iter().map(|(label, actions)| ((*label).to_owned(), actions.to_vec())).collect();
        assert_eq!(found, wanted, "{sql}");
        for (writer, table) in writing.writers().zip(&scope.relations) {
            assert_eq!(writer.target(), *table, "{sql}");
        }
    }
    assert_eq!(Scope::of_statement(&one(cases[7].0)).parameters, 2);
}

#[test]
fn rows_are_locked_in_what_writes() {
    for (sql, tag) in [
        ("insert into t select * from u for update", Some("SELECT FOR UPDATE")),
        (
            "with q as (select a from t order by a limit 1 for no key update skip locked) update t set b = 1 from q where q.a = t.a",
            Some("SELECT FOR NO KEY UPDATE"),
        ),
        ("delete from t where a in (select a from t for share of t)", Some("SELECT FOR SHARE")),
        ("with x as (delete from t returning a) select a from x, u for key share of u", Some("SELECT FOR KEY SHARE")),
        ("with x as (insert into t select a from u for update) select 1", Some("SELECT FOR UPDATE")),
        ("with x as (delete from t returning a) select 'for update' from x", None),
    ] {
        let statement = one(sql);
        assert!(statement.writes(), "{sql}");
        assert_eq!(statement.locks(), tag, "{sql}");
    }
    assert_eq!(error("with x as (delete from t) select 1 into n").0, "25006");
}

#[test]
fn what_only_looks_like_it_is_a_query() {
    for sql in [
        "with x as (select * from json_to_recordset('[]') as r (delete int, update text)) select * from x",
        "with x (insert, merge) as (values (1, 2)) select insert, merge from x for update",
        "with x as (select 1 as update) select f(1) delete from x",
        "with x as (select 'as (delete from t)') table x",
        "select * from f() as r (update int)",
    ] {
        let statement = one(sql);
        assert!(matches!(statement.kind, StatementKind::Query(_)), "{sql}: {:?}", statement.kind);
        assert!(!statement.writes(), "{sql}");
    }
}

#[test]
fn what_writes_below_the_top_is_refused() {
    let below = "WITH clause containing a data-modifying statement must be at the top level";
    for (sql, code, message, position) in [
        ("select * from (with x as (delete from t returning *) select * from x) q", "0A000", below, Some(21)),
        ("with x as (with y as (update t set a = 1 returning *) select * from y) table x", "0A000", below, Some(17)),
        ("with x as (with y as (delete from t returning *) select * from y) delete from t", "0A000", below, Some(17)),
        ("with x as (with y as (delete from t returning *) delete from u) select 1", "0A000", below, Some(17)),
        ("insert into u with x as (delete from t returning *) select * from x", "0A000", below, Some(20)),
        ("insert into u (with x as (delete from t returning *) select * from x)", "0A000", below, Some(21)),
        ("select 1 union (with x as (delete from t returning *) select 2)", "0A000", below, Some(22)),
        (
            "with z as (select 1) select (with x as (insert into t values (1) on conflict (lower(a)) do nothing returning 1) table x)",
            "0A000",
            below,
            Some(35),
        ),
        (
            "with x as (merge into t using u on true when matched then delete) select 1",
            "0A000",
            "MERGE not supported in WITH query",
            Some(6),
        ),
        ("select * from (delete from t) x", "42601", "syntax error at or near \"from\"", Some(23)),
        (
            "with x as (delete from t) with y as (select 1) select 1",
            "42601",
            "syntax error at or near \"with\"",
            Some(27),
        ),
        ("with x as (delete from t) select 1 returning 2", "42601", "syntax error at or near \"returning\"", Some(36)),
        ("with x as (delete t) select 1", "42601", "syntax error at or near \"t\"", Some(19)),
        ("with x as (delete from t", "42601", "syntax error at end of input", Some(25)),
        ("with x as (delete from t limit 1) select 1", "42601", "syntax error at or near \"limit\"", Some(26)),
        (
            "with x as (delete from a.b.c.d) select 1",
            "42601",
            "improper qualified name (too many dotted names): a.b.c.d",
            Some(24),
        ),
        (
            "with x as (update t set a = default + 1) select 1",
            "42601",
            "DEFAULT is not allowed in this context",
            Some(29),
        ),
        ("with x as (delete from t) select default", "42601", "DEFAULT is not allowed in this context", Some(34)),
        (
            "declare c cursor for with x as (delete from t) insert into u values (1)",
            "42601",
            "syntax error at or near \"insert\"",
            Some(48),
        ),
    ] {
        assert_eq!(error(sql), (code.to_owned(), message.to_owned(), position), "{sql}");
    }
}

#[test]
fn what_tusk_does_not_have_says_so() {
    for (sql, message) in [
        (
            "declare c cursor for with x as (update t set a = 1 returning a) table x",
            "DECLARE CURSOR must not contain data-modifying statements in WITH",
        ),
        (
            "explain declare c cursor with hold for with x as (delete from t) select 1",
            "DECLARE CURSOR must not contain data-modifying statements in WITH",
        ),
        (
            "copy (with x as (delete from t returning a) insert into t table x) to stdout",
            "COPY query must have a RETURNING clause",
        ),
        ("copy (insert into t values (1)) to stdout", "COPY query must have a RETURNING clause"),
        ("copy (merge into t using u on true when matched then delete) to stdout", "MERGE not supported in COPY"),
        (
            "insert into t select * into n from u",
            "a query that makes a table, in a data-modifying statement, is not supported",
        ),
    ] {
        assert_eq!(error(sql), ("0A000".to_owned(), message.to_owned(), None), "{sql}");
    }
}
