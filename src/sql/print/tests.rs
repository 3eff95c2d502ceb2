//! What is printed reads back as the same tree, whatever stands in names and literals.

use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::dialect::{DuckDbDialect, PostgreSqlDialect, SQLiteDialect};
use datafusion::sql::sqlparser::parser::Parser;

use super::*;

const ROUNDS: u64 = 100_000;

/// A small generator of its own: the same texts in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }

    /// Text from the pieces that break naive quoting.
    fn nasty(&mut self) -> String {
        const PIECES: &[&str] = &[
            "'",
            "''",
            "\\",
            "\\\\",
            "\\'",
            "\"",
            "\"\"",
            "\\\"",
            "--",
            "/*",
            "*/",
            ";",
            "$$",
            "$a$",
            "$1",
            "E'",
            "U&'",
            "X'",
            "\n",
            "\r",
            "\t",
            " ",
            "%",
            "_",
            "a",
            "Z",
            "0",
            "ß",
            "\u{2019}",
            "\u{ff07}",
            "\u{1f418}",
            "\u{7f}",
            "\\x41",
            "\\u0027",
            "\\047",
            "\\n",
            "UNION ALL SELECT",
            ")",
            "(",
            "::text",
            "\u{feff}",
            "\u{202e}",
            "`",
            "[",
            "]",
            "?",
            ":a",
            "@",
            "#",
            "{",
            "}",
            "\u{1}",
            "NULL",
            "\u{e000}",
            "\u{301}",
        ];
        (0..self.below(7)).map(|_| PIECES[self.below(PIECES.len() as u64) as usize]).collect()
    }

    fn name(&mut self) -> String {
        format!("{}{}", ["a", "", "\"", "\\"][self.below(4) as usize], self.nasty()).replace('\0', "") + "n"
    }
}

fn parse_select(dialect: Dialect, sql: &str) -> ast::Select {
    let statements = match dialect {
        Dialect::Postgres => Parser::parse_sql(&PostgreSqlDialect {}, sql),
        Dialect::Sqlite => Parser::parse_sql(&SQLiteDialect {}, sql),
        Dialect::DuckDb => Parser::parse_sql(&DuckDbDialect {}, sql),
    }
    .unwrap_or_else(|e| panic!("{e}: {sql}"));
    assert_eq!(statements.len(), 1, "{sql}");
    let ast::Statement::Query(query) = statements.into_iter().next().unwrap() else { panic!("{sql}") };
    let ast::SetExpr::Select(select) = *query.body else { panic!("{sql}") };
    *select
}

/// The value of a string literal as its dialect's lexer reads it.
fn string_of(expr: &ast::Expr) -> String {
    match expr {
        ast::Expr::Value(value) => match &value.value {
            ast::Value::SingleQuotedString(s) | ast::Value::EscapedStringLiteral(s) => s.clone(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

const DIALECTS: [Dialect; 3] = [Dialect::Postgres, Dialect::Sqlite, Dialect::DuckDb];

#[test]
fn text_reads_back() {
    for dialect in DIALECTS {
        let mut random = Random(42);
        for _ in 0..ROUNDS {
            let text = random.nasty();
            let sql = format!("SELECT {} AS c0, 1", quote_literal(dialect, &text).unwrap());
            let select = parse_select(dialect, &sql);
            assert_eq!(select.projection.len(), 2, "{sql}");
            let ast::SelectItem::ExprWithAlias { expr, .. } = &select.projection[0] else { panic!("{sql}") };
            assert_eq!(string_of(expr), text, "{sql}");
        }
    }
}

#[test]
fn text_reads_back_through_our_own_lexer() {
    let mut random = Random(43);
    for _ in 0..ROUNDS {
        let text = random.nasty();
        let sql = format!("SELECT {}", quote_literal(Dialect::Postgres, &text).unwrap());
        let statements = crate::sql::parse(&sql).unwrap();
        let crate::sql::StatementKind::Query(query) = &statements[0].kind else { panic!("{sql}") };
        let ast::SetExpr::Select(select) = &*query.body else { panic!("{sql}") };
        let ast::SelectItem::UnnamedExpr(expr) = &select.projection[0] else { panic!("{sql}") };
        assert_eq!(string_of(expr), text, "{sql}");
    }
}

#[test]
fn names_read_back() {
    for dialect in DIALECTS {
        let mut random = Random(44);
        for _ in 0..ROUNDS {
            let (schema, table, column) = (random.name(), random.name(), random.name());
            let select = Select {
                columns: vec![Output { expr: Expr::column(column.clone()) }],
                from: Table { schema: Some(schema.clone()), name: table.clone() },
                predicate: None,
                order: vec![],
                limit: Some(3),
            };
            let sql = select.to_sql(dialect).unwrap();
            let tree = parse_select(dialect, &sql);
            let ast::SelectItem::ExprWithAlias { expr: ast::Expr::CompoundIdentifier(idents), alias } =
                &tree.projection[0]
            else {
                panic!("{sql}")
            };
            assert_eq!((idents[0].value.as_str(), &idents[1].value, alias.value.as_str()), ("t", &column, "c0"));
            let ast::TableFactor::Table { name, alias, .. } = &tree.from[0].relation else { panic!("{sql}") };
            let parts: Vec<&str> = name.0.iter().map(|p| p.as_ident().unwrap().value.as_str()).collect();
            assert_eq!(parts, [&schema, &table], "{sql}");
            assert_eq!(alias.as_ref().unwrap().name.value, "t");
        }
    }
}

/// A random condition. Only forms whose tree says what they were.
fn condition(random: &mut Random, dialect: Dialect, depth: u32) -> Expr {
    let leaf = |random: &mut Random| Expr::column(random.name());
    let boxed = |expr| Box::new(expr);
    let text = |random: &mut Random| Expr::Literal(Literal::Text(random.nasty()));
    match random.below(if depth == 0 { 4 } else { 9 }) {
        0 => Expr::IsNull { expr: boxed(leaf(random)), negated: random.below(2) == 0 },
        1 => Expr::InList {
            expr: boxed(leaf(random)),
            list: (0..=random.below(4)).map(|_| text(random)).collect(),
            negated: random.below(2) == 0,
        },
        2 => Expr::Between {
            expr: boxed(leaf(random)),
            low: boxed(text(random)),
            high: boxed(text(random)),
            negated: random.below(2) == 0,
        },
        3 => {
            let op = [CompareOp::Eq, CompareOp::Lt, CompareOp::GtEq, CompareOp::NotEq][random.below(4) as usize];
            let number = Literal::Int(random.below(1000) as i64 - 500);
            let right = if random.below(2) == 0 { text(random) } else { Expr::Literal(number) };
            Expr::compare(leaf(random), op, right)
        }
        4 | 5 => Expr::And((0..2 + random.below(3)).map(|_| condition(random, dialect, depth - 1)).collect()),
        6 => Expr::Or((0..2 + random.below(3)).map(|_| condition(random, dialect, depth - 1)).collect()),
        7 => Expr::Not(boxed(condition(random, dialect, depth - 1))),
        _ if dialect == Dialect::Sqlite => Expr::Not(boxed(condition(random, dialect, depth - 1))),
        _ => Expr::Like {
            expr: boxed(leaf(random)),
            pattern: random.nasty().replace('\\', ""),
            negated: random.below(2) == 0,
        },
    }
}

/// The tree that a parsed condition stands for.
fn read_back(expr: &ast::Expr) -> Expr {
    let inner = |expr: &ast::Expr| Box::new(read_back(expr));
    match expr {
        ast::Expr::Nested(expr) => read_back(expr),
        ast::Expr::CompoundIdentifier(idents) if idents.len() == 2 && idents[0].value == "t" => {
            Expr::column(idents[1].value.clone())
        }
        ast::Expr::Value(value) => match &value.value {
            ast::Value::Number(n, _) => Expr::Literal(Literal::Int(n.parse().unwrap())),
            _ => Expr::Literal(Literal::Text(string_of(expr))),
        },
        ast::Expr::UnaryOp { op: ast::UnaryOperator::Minus, expr } => match read_back(expr) {
            Expr::Literal(Literal::Int(n)) => Expr::Literal(Literal::Int(-n)),
            other => panic!("{other:?}"),
        },
        ast::Expr::UnaryOp { op: ast::UnaryOperator::Not, expr } => Expr::Not(inner(expr)),
        ast::Expr::IsNull(expr) => Expr::IsNull { expr: inner(expr), negated: false },
        ast::Expr::IsNotNull(expr) => Expr::IsNull { expr: inner(expr), negated: true },
        ast::Expr::InList { expr, list, negated } => {
            Expr::InList { expr: inner(expr), list: list.iter().map(read_back).collect(), negated: *negated }
        }
        ast::Expr::Between { expr, negated, low, high } => {
            Expr::Between { expr: inner(expr), low: inner(low), high: inner(high), negated: *negated }
        }
        ast::Expr::Like { negated, expr, pattern, .. } => {
            Expr::Like { expr: inner(expr), pattern: string_of(pattern), negated: *negated }
        }
        ast::Expr::BinaryOp { left, op, right } => {
            let chain = |expr: &ast::Expr, and: bool| match (read_back(expr), matches!(expr, ast::Expr::Nested(_)), and)
            {
                (Expr::And(list), false, true) | (Expr::Or(list), false, false) => list,
                (other, _, _) => vec![other],
            };
            let compare = |op| Expr::Compare { op, left: inner(left), right: inner(right) };
            match op {
                ast::BinaryOperator::And => Expr::And([chain(left, true), vec![read_back(right)]].concat()),
                ast::BinaryOperator::Or => Expr::Or([chain(left, false), vec![read_back(right)]].concat()),
                ast::BinaryOperator::Eq => compare(CompareOp::Eq),
                ast::BinaryOperator::NotEq => compare(CompareOp::NotEq),
                ast::BinaryOperator::Lt => compare(CompareOp::Lt),
                ast::BinaryOperator::GtEq => compare(CompareOp::GtEq),
                other => panic!("{other}"),
            }
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn conditions_read_back() {
    for dialect in DIALECTS {
        let mut random = Random(45);
        for _ in 0..ROUNDS / 4 {
            let predicate = condition(&mut random, dialect, 2);
            let select = Select {
                columns: vec![],
                from: Table { schema: None, name: "x".to_owned() },
                predicate: Some(predicate.clone()),
                order: vec![],
                limit: None,
            };
            let sql = select.to_sql(dialect).unwrap();
            let tree = parse_select(dialect, &sql);
            assert_eq!(read_back(tree.selection.as_ref().unwrap()), predicate, "{sql}");
        }
    }
}

#[test]
fn sqlite_reads_the_same() {
    let connection = rusqlite::Connection::open_in_memory().unwrap();
    let mut random = Random(46);
    for _ in 0..5_000 {
        let text = random.nasty();
        let bytes: Vec<u8> = (0..random.below(20)).map(|_| random.below(256) as u8).collect();
        let mut blob = String::new();
        Literal::Bytes(bytes.clone()).print(Dialect::Sqlite, &mut blob).unwrap();
        let name = quote_identifier(&random.name()).unwrap();
        let sql = format!("SELECT {} AS {name}, {blob}", quote_literal(Dialect::Sqlite, &text).unwrap());
        let (got, got_bytes): (String, Vec<u8>) =
            connection.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert_eq!((got, got_bytes), (text, bytes), "{sql}");
    }
    for _ in 0..300 {
        let (table, column, text) = (random.name(), random.name(), random.nasty());
        let (t, c) = (quote_identifier(&table).unwrap(), quote_identifier(&column).unwrap());
        connection.execute_batch(&format!("CREATE TABLE {t} ({c} TEXT)")).unwrap();
        connection.execute(&format!("INSERT INTO {t} VALUES (?1), ('other')"), [&text]).unwrap();
        let select = Select {
            columns: vec![Output { expr: Expr::column(column.clone()) }],
            from: Table { schema: Some("main".to_owned()), name: table },
            predicate: Some(Expr::compare(
                Expr::column(column),
                CompareOp::Eq,
                Expr::Literal(Literal::Text(text.clone())),
            )),
            order: vec![],
            limit: Some(10),
        };
        let sql = select.to_sql(Dialect::Sqlite).unwrap();
        let got: String = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
        assert_eq!(got, text, "{sql}");
        connection.execute_batch(&format!("DROP TABLE {t}")).unwrap();
    }
}

#[test]
fn a_lost_column_is_an_error_in_sqlite_and_no_string() {
    let connection = rusqlite::Connection::open_in_memory().unwrap();
    connection.execute_batch("CREATE TABLE x (a TEXT)").unwrap();
    let select = Select {
        columns: vec![Output { expr: Expr::column("gone") }],
        from: Table { schema: None, name: "x".to_owned() },
        predicate: None,
        order: vec![],
        limit: None,
    };
    assert!(connection.prepare(&select.to_sql(Dialect::Sqlite).unwrap()).is_err());
}

fn literal(dialect: Dialect, literal: Literal) -> Result<String> {
    Expr::Literal(literal).to_sql(dialect)
}

#[test]
fn literals_have_their_form() {
    let pg = |value| literal(Dialect::Postgres, value).unwrap();
    assert_eq!(pg(Literal::Text("a\\'b".to_owned())), r"E'a\\''b'");
    assert_eq!(pg(Literal::Int(-1)), "(-1)");
    assert_eq!(pg(Literal::Int(i64::MIN)), "(-9223372036854775807 - 1)");
    assert_eq!(pg(Literal::Bytes(vec![0, 255])), r"CAST(E'\\x00FF' AS bytea)");
    assert_eq!(pg(Literal::Date("2024-02-29".to_owned())), "CAST(E'2024-02-29' AS date)");
    assert_eq!(
        pg(Literal::TimestampTz("2024-02-29 10:00:00.5".to_owned())),
        "CAST(E'2024-02-29 10:00:00.5+00' AS timestamptz)"
    );
    assert_eq!(literal(Dialect::Sqlite, Literal::Bool(true)).unwrap(), "1");
    assert_eq!(literal(Dialect::DuckDb, Literal::Bytes(vec![1])).unwrap(), r"CAST('\x01' AS BLOB)");
}

#[test]
fn what_is_unsafe_is_refused() {
    for dialect in DIALECTS {
        for bad in [
            Literal::Text("a\0b".to_owned()),
            Literal::Float(f64::NAN),
            Literal::Float(f64::INFINITY),
            Literal::Decimal("1e5".to_owned()),
            Literal::Decimal("1;".to_owned()),
            Literal::Decimal("--1".to_owned()),
            Literal::Decimal(String::new()),
            Literal::Decimal("NaN".to_owned()),
            Literal::Date("2024-13-01".to_owned()),
            Literal::Date("infinity".to_owned()),
            Literal::Time("25:00:00".to_owned()),
            Literal::Timestamp("2024-01-01' OR 1=1".to_owned()),
            Literal::Uuid("x".to_owned()),
        ] {
            assert!(literal(dialect, bad.clone()).is_err(), "{bad:?}");
        }
        assert!(Expr::column("").to_sql(dialect).is_err());
        assert!(Expr::column("a\0").to_sql(dialect).is_err());
    }
    let like =
        |pattern: &str| Expr::Like { expr: Box::new(Expr::column("a")), pattern: pattern.to_owned(), negated: false };
    assert!(like("a\\").to_sql(Dialect::Postgres).is_err());
    assert!(like("a\\\\").to_sql(Dialect::Postgres).is_ok());
    assert!(like("a").to_sql(Dialect::Sqlite).is_err());
    let deep = (0..200).fold(Expr::column("a"), |expr, _| Expr::Not(Box::new(expr)));
    assert!(deep.to_sql(Dialect::Postgres).is_err());
}

#[test]
fn statements_have_their_form() {
    let select = Select {
        columns: vec![],
        from: Table { schema: Some("public".to_owned()), name: "orders".to_owned() },
        predicate: Some(Expr::And(vec![])),
        order: vec![Order { expr: Expr::column("id"), descending: true, nulls_first: false }],
        limit: Some(u64::MAX),
    };
    assert_eq!(
        copy_binary(&select).unwrap(),
        "COPY (SELECT NULL AS c0 FROM \"public\".\"orders\" AS t WHERE TRUE ORDER BY t.\"id\" DESC NULLS LAST \
         LIMIT 9223372036854775807) TO STDOUT (FORMAT binary)"
    );
}
