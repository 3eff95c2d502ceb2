//! What PostgreSQL's lexer does, with its words for what is wrong. Checked against PostgreSQL 15.

use super::*;

fn values(source: &str) -> Vec<(Kind, String, u32)> {
    let lexed = lex(source, &mut |_, _| Ok(())).unwrap_or_else(|e| panic!("{source}: {e}"));
    lexed.lexemes.iter().map(|lexeme| (lexeme.kind, lexed.value(lexeme).to_owned(), lexeme.position)).collect()
}

fn texts(source: &str) -> Vec<String> {
    values(source).into_iter().map(|(_, value, _)| value).collect()
}

fn failure(source: &str) -> (&'static str, String, Option<u32>) {
    let error = lex(source, &mut |_, _| Ok(())).map(|_| ()).expect_err(source);
    (error.state().code(), error.message().to_owned(), error.position())
}

#[test]
fn operators_end_where_postgresql_ends_them() {
    assert_eq!(texts("1+-2"), ["1", "+", "-", "2"]);
    assert_eq!(texts("a<-b"), ["a", "<", "-", "b"]);
    assert_eq!(texts("a@-b"), ["a", "@-", "b"]);
    assert_eq!(texts("a--b"), ["a"]);
    assert_eq!(texts("a-/*x*/-b"), ["a", "-", "-", "b"]);
    assert_eq!(texts("a::int:=b"), ["a", "::", "int", ":=", "b"]);
    assert_eq!(texts("a->>'b'"), ["a", "->>", "b"]);
    assert_eq!(texts("*/-"), ["*/", "-"]);
}

#[test]
fn strings_have_their_values() {
    assert_eq!(texts("'it''s'"), ["it's"]);
    assert_eq!(texts(r"'a\'"), [r"a\"]);
    assert_eq!(texts(r"E'a\'b\n\x41\101\u0041\U0001F418\\'"), ["a'b\nAAA\u{1f418}\\"]);
    assert_eq!(texts(r"E'\ud83d\udc18'"), ["\u{1f418}"]);
    assert_eq!(texts(r"U&'\0041\+00004100'"), ["A\u{41}00"]);
    assert_eq!(texts("U&'!0041' UESCAPE '!'"), ["A"]);
    assert_eq!(texts("U&\"!0041\" uescape '!'"), ["A"]);
    assert_eq!(texts("$$a'b$$ $x$ $$ $x$"), ["a'b", " $$ "]);
    assert_eq!(texts("'a'\n  'b'"), ["ab"]);
    assert_eq!(texts("'a' -- c\n 'b'"), ["ab"]);
    assert_eq!(texts("'a' 'b'"), ["a", "b"]);
    assert_eq!(texts("n'x'"), ["x"]);
    assert_eq!(texts("\"a\"\"b\""), ["a\"b"]);
    assert_eq!(values("FooBar \"FooBar\"")[0], (Kind::Word, "foobar".to_owned(), 1));
    assert_eq!(values("FooBar \"FooBar\"")[1], (Kind::Quoted, "FooBar".to_owned(), 8));
}

#[test]
fn numbers_and_parameters() {
    assert_eq!(texts("1 1.5 .5 5. 1e10 1.e-5 $12"), ["1", "1.5", ".5", "5.", "1e10", "1.e-5", "$12"]);
    assert_eq!(failure("select 1a").1, "trailing junk after numeric literal at or near \"1a\"");
    assert_eq!(failure("select 0x1F").1, "trailing junk after numeric literal at or near \"0x1F\"");
    assert_eq!(failure("select $1a").1, "trailing junk after parameter at or near \"$1a\"");
}

#[test]
fn positions_are_characters() {
    let found = values("é 'ü' x");
    assert_eq!(found.iter().map(|(_, _, position)| *position).collect::<Vec<_>>(), [1, 3, 7]);
}

#[test]
fn what_never_ends_is_an_error_in_postgresqls_words() {
    let cases = [
        ("select 'abc", "unterminated quoted string at or near \"'abc\""),
        ("select E'abc\\'", "unterminated quoted string at or near \"E'abc\\'\""),
        ("select \"abc", "unterminated quoted identifier at or near \"\"abc\""),
        ("select /* a /* b */", "unterminated /* comment at or near \"/* a /* b */\""),
        ("select $a$abc$$", "unterminated dollar-quoted string at or near \"$a$abc$$\""),
        ("select b'1", "unterminated bit string literal at or near \"b'1\""),
        ("select \"\"", "zero-length delimited identifier at or near \"\"\"\""),
        ("select \\", "syntax error at or near \"\\\""),
        ("select {", "syntax error at or near \"{\""),
        ("select $", "syntax error at or near \"$\""),
    ];
    for (source, message) in cases {
        assert_eq!(failure(source), ("42601", message.to_owned(), Some(8)), "{source}");
    }
}

#[test]
fn bad_escapes_and_nul_are_errors() {
    assert_eq!(failure(r"select E'\u12'"), ("22025", "invalid Unicode escape".to_owned(), Some(10)));
    assert_eq!(failure(r"select E'\ud800x'").1, "invalid Unicode surrogate pair");
    assert_eq!(failure(r"select E'\xff'").1, "invalid byte sequence for encoding \"UTF8\": 0xff");
    assert_eq!(failure(r"select E'\000'").0, "22021");
    assert_eq!(failure("select '\0'").0, "22021");
    assert_eq!(failure("select \0").0, "22021");
    assert_eq!(failure(r"select U&'\12'"), ("42601", "invalid Unicode escape".to_owned(), Some(11)));
}

#[test]
fn a_watcher_stops_the_lexer() {
    let mut seen = 0;
    let result = lex("a b c d", &mut |_, _| {
        seen += 1;
        if seen == 2 { Err(error_near("b", 3)) } else { Ok(()) }
    });
    assert!(result.is_err() && seen == 2);
}
