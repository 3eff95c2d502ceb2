//! Messages into statements. Texts, codes and positions are PostgreSQL 15's.

use super::*;
use crate::sql::{
    Copy, CopyFormat, CopyOptions, CopyWhat, Direction, Discard, ExplainOption, ForceColumns, Header, SetArgument,
    SetScope, SetValue, StatementKind as Is, TransactionModes,
};

fn one(message: &str) -> Statement {
    let mut statements = parse(message).unwrap_or_else(|e| panic!("{message}: {e}"));
    assert_eq!(statements.len(), 1, "{message}");
    statements.remove(0)
}

fn failure(message: &str) -> (&'static str, String, Option<u32>) {
    let error = parse(message).map(|_| ()).expect_err(message);
    (error.state().code(), error.message().to_owned(), error.position())
}

#[test]
fn messages_are_cut_at_semicolons() {
    for empty in ["", " ", ";", ";;;", "-- x", "/* a /* b */ */", " ; -- ;\n ;"] {
        assert!(parse(empty).unwrap().is_empty(), "{empty}");
    }
    let statements = parse("/* ü */ select 'a;b' ; -- c\n select 2;").unwrap();
    let found: Vec<_> = statements.iter().map(|s| (s.text.as_str(), s.offset)).collect();
    assert_eq!(found, [("select 'a;b'", 8), ("select 2", 29)]);
}

#[test]
fn syntax_errors_are_postgresqls() {
    let cases = [
        ("selec 1", "syntax error at or near \"selec\"", 1),
        ("select 1 +", "syntax error at end of input", 11),
        ("select (1", "syntax error at end of input", 10),
        ("select 1)", "syntax error at or near \")\"", 9),
        ("select 1; selec 2", "syntax error at or near \"selec\"", 11),
        ("select 1 +; select 2", "syntax error at or near \";\"", 11),
        ("select 'a' 'b'", "syntax error at or near \"'b'\"", 12),
        ("select * , from t", "syntax error at or near \"from\"", 12),
        ("select case end", "syntax error at or near \"end\"", 13),
        ("select 1 order", "syntax error at end of input", 15),
        ("select * from a join b", "syntax error at end of input", 23),
        ("select 1 from where", "syntax error at or near \"where\"", 15),
        ("select 1 limit 1,2", "LIMIT #,# syntax is not supported", 10),
        ("select 1 from (select 1)", "subquery in FROM must have an alias", 15),
        ("select 1 from (values (1))", "VALUES in FROM must have an alias", 15),
        ("select ü, 1 2", "syntax error at or near \"2\"", 13),
        ("begin foo", "syntax error at or near \"foo\"", 7),
        ("set x", "syntax error at end of input", 6),
        ("explain explain select 1", "syntax error at or near \"explain\"", 9),
        ("copy select 1 to stdout", "syntax error at or near \"select\"", 6),
    ];
    for (message, text, position) in cases {
        assert_eq!(failure(message), ("42601", text.to_owned(), Some(position)), "{message}");
    }
    assert_eq!(failure("select $0"), ("42P02", "there is no parameter $0".to_owned(), Some(8)));
}

#[test]
fn queries_of_every_form() {
    for query in [
        "select",
        "select from t",
        "values (1), (2)",
        "table t",
        "(select 1) union all (select 2)",
        "with a as (select 1) select * from a",
        "with recursive t(n) as (values (1) union all select n + 1 from t) table t",
        "select a isnull, b notnull from only t",
        "select x::text collate \"C\", trim(leading from 'x') from t",
        "select date, name, type, format, top, qualify, minus from t format",
        "select 1 fetch first row only",
    ] {
        let statement = one(query);
        assert!(matches!(statement.kind, Is::Query(_)), "{query}");
        assert_eq!(statement.tag(), "SELECT");
    }
    assert_eq!(one("select $3, $1").parameter_count(), 3);
    assert_eq!(one("select 1").verb(), "select");
}

#[test]
fn what_changes_more_than_rows_is_refused_as_in_a_read_only_transaction() {
    assert!(one("explain with x as (select 1) delete from t").refusal().is_none());
    assert_eq!(one("select a from t for update").locks(), Some("SELECT FOR UPDATE"));
    assert_eq!(one("select * from (select a from t for share) x").locks(), Some("SELECT FOR SHARE"));
    assert_eq!(one("select a from t for no key update").locks(), Some("SELECT FOR NO KEY UPDATE"));
    assert_eq!(
        one("(select a from t for key share of t nowait) union all select 1").locks(),
        Some("SELECT FOR KEY SHARE")
    );
    assert_eq!(
        one("with w as (select a from t for key share skip locked) table w").locks(),
        Some("SELECT FOR KEY SHARE")
    );
    assert_eq!(
        one("select a as key, 'for no key update' from share for update of no, key").locks(),
        Some("SELECT FOR UPDATE")
    );
    for (sql, tag) in [
        ("create table t (a int)", "CREATE TABLE"),
        ("create temp table t as select 1", "CREATE TABLE AS"),
        ("create or replace view v as select 1", "CREATE VIEW"),
        ("create unique index i on t (a)", "CREATE INDEX"),
        ("drop materialized view v", "DROP MATERIALIZED VIEW"),
        ("alter table t add b int", "ALTER TABLE"),
        ("truncate t", "TRUNCATE TABLE"),
        ("grant select on t to public", "GRANT"),
        ("comment on table t is 'x'", "COMMENT"),
        ("select 1 into t", "SELECT INTO"),
    ] {
        let refusal = one(sql).refusal().unwrap_or_else(|| panic!("{sql}"));
        assert_eq!(refusal.state().code(), "25006", "{sql}");
        assert_eq!(refusal.message(), format!("cannot execute {tag} in a read-only transaction"), "{sql}");
    }
    for (sql, code) in [
        ("copy t to '/tmp/x'", "42501"),
        ("copy t to program 'cat'", "42501"),
        ("do $$ $$", "0A000"),
        ("load 'x'", "42501"),
    ] {
        assert_eq!(one(sql).refusal().unwrap().state().code(), code, "{sql}");
    }
    assert!(one("select 1").refusal().is_none());
}

fn set(sql: &str) -> (SetScope, String, SetValue) {
    let Is::Set(mut assignments) = one(sql).kind else { panic!("{sql}") };
    let assignment = assignments.remove(0);
    (assignment.scope, assignment.name, assignment.value)
}

fn text(value: &str) -> SetValue {
    SetValue::List(vec![SetArgument::Text(value.to_owned())])
}

#[test]
fn settings() {
    let session = SetScope::Session;
    assert_eq!(set("SET TIME ZONE 'UTC'"), (session, "timezone".to_owned(), text("UTC")));
    assert_eq!(
        set("set time zone interval '+02:00' hour to minute"),
        (session, "timezone".to_owned(), text("INTERVAL '+02:00'"))
    );
    assert_eq!(set("set time zone local").2, SetValue::Default);
    assert_eq!(set("set names 'utf8'"), (session, "client_encoding".to_owned(), text("utf8")));
    assert_eq!(set("set schema 'x'"), (session, "search_path".to_owned(), text("x")));
    assert_eq!(set("set local a.b to default"), (SetScope::Local, "a.b".to_owned(), SetValue::Default));
    assert_eq!(set("set session x = -3").2, SetValue::List(vec![SetArgument::Number("-3".to_owned())]));
    let (_, name, value) = set("SET search_path TO a, \"B c\", 'd'");
    assert_eq!((name.as_str(), value.text(true)), ("search_path", Some("a, \"B c\", d".to_owned())));
    assert_eq!(set("set datestyle = iso, mdy").2.text(false), Some("iso, mdy".to_owned()));
    assert_eq!(
        set("set session characteristics as transaction isolation level read committed"),
        (session, "default_transaction_isolation".to_owned(), text("read committed"))
    );
    let Is::Set(both) = one("set transaction isolation level serializable, read only").kind else { panic!() };
    let found: Vec<_> = both.iter().map(|a| (a.scope, a.name.as_str())).collect();
    assert_eq!(found, [(SetScope::Local, "transaction_isolation"), (SetScope::Local, "transaction_read_only")]);
    assert!(matches!(one("show transaction isolation level").kind, Is::Show(name) if name == "transaction_isolation"));
    assert!(matches!(one("SHOW TimeZone").kind, Is::Show(name) if name == "timezone"));
    assert!(matches!(one("show all").kind, Is::ShowAll));
    assert!(matches!(one("reset time zone").kind, Is::Reset(name) if name == "timezone"));
    assert!(matches!(one("reset all").kind, Is::ResetAll));
}

#[test]
fn transactions() {
    let begin = one("begin isolation level repeatable read read only, not deferrable");
    let expected =
        TransactionModes { isolation: Some("repeatable read"), read_only: Some(true), deferrable: Some(false) };
    assert!(matches!(begin.kind, Is::Begin { start: false, modes } if modes == expected));
    for (sql, tag) in [
        ("begin work", "BEGIN"),
        ("start transaction", "START TRANSACTION"),
        ("commit and chain", "COMMIT"),
        ("end", "COMMIT"),
        ("abort", "ROLLBACK"),
        ("rollback to savepoint a", "ROLLBACK"),
        ("savepoint a", "SAVEPOINT"),
        ("release a", "RELEASE"),
    ] {
        let statement = one(sql);
        assert_eq!(statement.tag(), tag);
    }
    assert!(one("rollback to a").runs_in_failed_transaction() && !one("savepoint a").runs_in_failed_transaction());
}

#[test]
fn prepared_statements_and_cursors() {
    let Is::Prepare { name, types, statement } = one("prepare p (int, numeric(10,2), text[]) as select $1").kind else {
        panic!()
    };
    assert_eq!(
        (name.as_str(), types.iter().map(|(ty, _)| ty.as_str()).collect::<Vec<_>>().join("|")),
        ("p", "int|numeric(10,2)|text[]".to_owned())
    );
    assert_eq!((statement.text.as_str(), statement.parameter_count()), ("select $1", 1));
    assert!(matches!(one("execute p (1, 'a' || 'b')").kind, Is::Execute { arguments, .. } if arguments.len() == 2));
    assert!(matches!(one("execute p").kind, Is::Execute { arguments, .. } if arguments.is_empty()));
    assert!(matches!(one("deallocate prepare all").kind, Is::Deallocate(None)));
    let Is::DeclareCursor(declare) = one("declare \"C 1\" binary no scroll cursor with hold for select 1").kind else {
        panic!()
    };
    assert!(declare.name == "C 1" && declare.binary && declare.hold && declare.scroll == Some(false));
    for (sql, direction) in [
        ("fetch c", Direction::Forward(1)),
        ("fetch next from c", Direction::Forward(1)),
        ("fetch 100 in \"C\"", Direction::Forward(100)),
        ("fetch all c", Direction::Forward(i64::MAX)),
        ("fetch backward 3 from c", Direction::Backward(3)),
        ("fetch absolute -1 from c", Direction::Absolute(-1)),
        ("fetch last from c", Direction::Absolute(-1)),
        ("fetch relative 0 c", Direction::Relative(0)),
        ("fetch -5 from c", Direction::Forward(-5)),
    ] {
        assert!(matches!(one(sql).kind, Is::Fetch(fetch) if fetch.direction == direction), "{sql}");
    }
    assert!(matches!(one("move 5 in c").kind, Is::Move(_)));
    assert!(matches!(one("close all").kind, Is::ClosePortal(None)));
    assert!(matches!(one("discard temporary").kind, Is::Discard(Discard::Temp)));
    assert!(matches!(one("unlisten *").kind, Is::Unlisten(None)));
    assert!(matches!(one("notify x, 'y'").kind, Is::Notify { payload, .. } if payload == "y"));
}

#[test]
fn explain_in_both_syntaxes() {
    for (sql, wanted) in [
        ("explain select 1", ""),
        ("explain analyze verbose select 1", "analyze verbose"),
        ("explain (analyze, verbose off, format json) select 1", "analyze verbose=off format=json"),
        ("explain (select 1)", ""),
        ("explain ((select 1))", ""),
    ] {
        let Is::Explain { options, statement } = one(sql).kind else { panic!("{sql}") };
        let text = |option: &ExplainOption| match &option.value {
            Some(value) => format!("{}={value}", option.name),
            None => option.name.clone(),
        };
        assert_eq!(options.iter().map(text).collect::<Vec<_>>().join(" "), wanted, "{sql}");
        assert!(matches!(statement.kind, Is::Query(_)));
    }
}

fn copy(sql: &str) -> Copy {
    match one(sql).kind {
        Is::Copy(copy) => *copy,
        other => panic!("{sql}: {other:?}"),
    }
}

fn copy_options(sql: &str) -> Result<CopyOptions> {
    let copy = copy(sql);
    CopyOptions::of(&copy.options, copy.from, &|name| name == "utf8")
}

#[test]
fn copy_to_stdout() {
    let csv = copy("copy t (a, \"B\") to stdout with (format csv, header, null 'x', force_quote (a))");
    let CopyWhat::Table { table, columns } = csv.what else { panic!("no table") };
    assert_eq!((table.table.as_str(), table.schema, columns), ("t", None, vec!["a".to_owned(), "B".to_owned()]));
    let options =
        copy_options("copy t to stdout with (format csv, header, null 'x', force_quote (a), encoding utf8)").unwrap();
    assert!(options.format == CopyFormat::Csv && options.header == Header::On && options.null == "x");
    assert!(options.delimiter == b',' && options.encoding.as_deref() == Some("utf8"));
    assert_eq!(options.force_quote, ForceColumns::Named(vec!["a".to_owned()]));
    for binary in [
        "copy (select 1) to stdout (format binary)",
        "COPY (SELECT 1) TO STDOUT (FORMAT \"binary\")",
        "copy binary t to stdout",
        "copy t to stdout with binary",
    ] {
        assert_eq!(copy_options(binary).unwrap().format, CopyFormat::Binary, "{binary}");
    }
    let old = copy_options("copy t to stdout csv header delimiter as ';' force quote *").unwrap();
    assert!(old.header == Header::On && old.delimiter == b';' && old.force_quote == ForceColumns::All);
    assert_eq!(copy_options("copy s.t to stdin").unwrap().null, "\\N");
    assert_eq!(
        copy_options("copy s.t from stdout using delimiters '|' freeze").map(|o| (o.delimiter, o.freeze)).unwrap(),
        (b'|', true)
    );
    assert!(copy("copy t from stdin where a = 1").filtered);
    let CopyWhat::Query(query) = copy("copy (select ')', \"(\") to stdout").what else { panic!("no query") };
    assert_eq!(query.text, "select ')', \"(\"");
}

#[test]
fn options_of_copy_are_checked_as_in_postgresql() {
    for (sql, state, message, position) in [
        ("copy t to stdout (format xml)", "22023", "COPY format \"xml\" not recognized", Some(19)),
        ("copy t to stdout (delimiter 'ab')", "0A000", "COPY delimiter must be a single one-byte character", None),
        ("copy t to stdout (foo)", "42601", "option \"foo\" not recognized", Some(19)),
        ("copy t to stdout (header, header)", "42601", "conflicting or redundant options", Some(27)),
        ("copy t to stdout (header 1.0)", "42601", "header requires a Boolean value or \"match\"", None),
        ("copy t to stdout (header '1')", "42601", "header requires a Boolean value or \"match\"", None),
        ("copy t to stdout (header match)", "0A000", "cannot use \"match\" with HEADER in COPY TO", None),
        ("copy t to stdout (null)", "42601", "null requires a parameter", None),
        (
            "copy t to stdout (encoding nope)",
            "22023",
            "argument to option \"encoding\" must be a valid encoding name",
            Some(19),
        ),
        ("copy t from stdin csv force quote a", "0A000", "COPY force quote only available using COPY TO", None),
    ] {
        let error = copy_options(sql).expect_err(sql);
        assert_eq!((error.state().code(), error.message(), error.position()), (state, message, position));
    }
    for (sql, text, position) in [
        ("copy (select 1) from stdin", "syntax error at or near \"from\"", 17),
        ("copy (select 1) to stdout using delimiters ','", "syntax error at or near \"using\"", 27),
        ("copy binary (select 1) to stdout", "syntax error at or near \"(\"", 13),
        ("copy t to stdout where a = 1", "WHERE clause not allowed with COPY TO", 18),
        ("copy t to stdout (format csv,)", "syntax error at or near \")\"", 30),
        ("copy t.a.b.c to stdout", "improper qualified name (too many dotted names): t.a.b.c", 6),
    ] {
        assert_eq!(failure(sql), ("42601", text.to_owned(), Some(position)), "{sql}");
    }
}

#[test]
fn operators_bind_as_in_postgresql() {
    for (sql, tree) in [
        ("-2 ^ 2", "(-2) ^ 2"),
        ("a is distinct from b and c", "(a is distinct from b) and c"),
        ("@ -1 + 2", "@ (-1 + 2)"),
        ("a ~ b || c", "(a ~ b) || c"),
        ("not a = b", "not (a = b)"),
    ] {
        let shape = |sql: &str| shape(&unnested(parse_expression(sql).unwrap()));
        assert_eq!(shape(sql), shape(tree));
    }
}

/// The tree in Polish notation.
fn shape(expr: &ast::Expr) -> String {
    match expr {
        ast::Expr::BinaryOp { left, op, right } => format!("({op} {} {})", shape(left), shape(right)),
        ast::Expr::UnaryOp { op, expr } => format!("({op} {})", shape(expr)),
        ast::Expr::IsDistinctFrom(left, right) => format!("(distinct {} {})", shape(left), shape(right)),
        other => other.to_string(),
    }
}

fn unnested(expr: ast::Expr) -> ast::Expr {
    match expr {
        ast::Expr::Nested(inner) => unnested(*inner),
        ast::Expr::BinaryOp { left, op, right } => {
            ast::Expr::BinaryOp { left: Box::new(unnested(*left)), op, right: Box::new(unnested(*right)) }
        }
        ast::Expr::UnaryOp { op, expr } => ast::Expr::UnaryOp { op, expr: Box::new(unnested(*expr)) },
        ast::Expr::IsDistinctFrom(left, right) => {
            ast::Expr::IsDistinctFrom(Box::new(unnested(*left)), Box::new(unnested(*right)))
        }
        other => other,
    }
}

#[test]
fn columns_of_a_function_without_another_name() {
    for (sql, name, columns) in [
        ("select * from f('x') as (a int, b text)", "f", 2),
        ("select * from pg_catalog.f((1)) as (\"A\" int) where true", "f", 1),
        ("select * from f() with ordinality as (a int)", "f", 1),
    ] {
        let StatementKind::Query(query) = one(sql).kind else { panic!("{sql}") };
        let ast::SetExpr::Select(select) = *query.body else { panic!("{sql}") };
        let (ast::TableFactor::Table { alias, .. } | ast::TableFactor::Function { alias, .. }) =
            &select.from[0].relation
        else {
            panic!("{sql}")
        };
        let alias = alias.as_ref().unwrap();
        assert_eq!((alias.name.value.as_str(), alias.columns.len()), (name, columns), "{sql}");
        assert!(alias.columns.iter().all(|column| column.data_type.is_some()), "{sql}");
    }
    // Queries of WITH, and windows.
    one(
        "with f(a) as (select 1), g(b) as materialized (values (1)) select sum(a) over w from f window w as (order by a)",
    );
}
