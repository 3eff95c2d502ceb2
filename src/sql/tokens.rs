//! Lexemes become sqlparser's tokens: one lexer (ours), one grammar (sqlparser's).
//! Must not know: statements.
//!
//! Every token's span has line 1, and as column the character position in the whole message. So the position of anything
//! in a tree is its span's column, and sqlparser's own errors carry it too.

use datafusion::sql::sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan};

use super::keywords::is_keyword;
use super::lexer::{Kind, Lexed, Lexeme};
use super::{forms, locks, marks};

/// The character position of a span in the message, from 1; none for a span that stands nowhere.
#[must_use]
pub fn position(span: Span) -> Option<u32> {
    if span.start.line == 0 { None } else { u32::try_from(span.start.column).ok().filter(|p| *p > 0) }
}

/// The tokens of some lexemes, PostgreSQL's spellings that sqlparser lacks put in its own.
pub(super) fn tokens(lexed: &Lexed<'_>, lexemes: &[Lexeme]) -> Vec<TokenWithSpan> {
    let mut out = Vec::with_capacity(lexemes.len());
    let mut skip = 0;
    // The name behind ONLY, and the parenthesis that closes around it.
    let (mut only, mut close) = (None, None);
    let locks = locks::parts(lexed, lexemes);
    for (i, lexeme) in lexemes.iter().enumerate() {
        if skip > 0 {
            skip -= 1;
            continue;
        }
        if close == Some(i) {
            continue;
        }
        let mut span = span_of(lexed, lexeme);
        if only == Some(i) {
            marks::set_only(&mut span);
        }
        if let Some(part) = locks.get(&i)
            && part.put(&mut out, || token(lexed, lexeme), &mut span)
        {
            continue;
        }
        if let Some(taken) = forms::put(lexed, lexemes, i, &mut out) {
            skip = taken - 1;
            continue;
        }
        let before = i.checked_sub(1).and_then(|i| lexemes.get(i));
        match lexeme.kind {
            Kind::Word if mark(lexed, lexemes, i).is_some() => {
                let (mark, words) = mark(lexed, lexemes, i).unwrap_or_default();
                out.push(TokenWithSpan::new(Token::CustomBinaryOperator(mark.to_owned()), span));
                skip = words - 1;
            }
            Kind::Word if lexed.is_word(lexeme, "isnull") && !starts_operand(lexed, before) => {
                push_words(&mut out, &["is", "null"], span);
            }
            Kind::Word if lexed.is_word(lexeme, "notnull") && !starts_operand(lexed, before) => {
                push_words(&mut out, &["is", "not", "null"], span);
            }
            Kind::Word if in_substring(lexed, lexemes, i) => {
                push_words(&mut out, &[if lexed.is_word(lexeme, "similar") { "from" } else { "for" }], span);
            }
            Kind::Word if is_table_command(lexed, lexemes, i) => {
                push_words(&mut out, &["select"], span);
                out.push(TokenWithSpan::new(Token::Mul, span));
                push_words(&mut out, &["from"], span);
            }
            Kind::Word if of_definitions(lexed, lexemes, i).is_some() => {
                out.push(TokenWithSpan::new(token(lexed, lexeme), span));
                let name = of_definitions(lexed, lexemes, i).map(|name| lexed.value(name)).unwrap_or_default();
                out.push(TokenWithSpan::new(Token::make_word(name, Some('"')), span));
            }
            // A word that is no keyword of PostgreSQL is only a name, whatever it is to sqlparser.
            Kind::Word if !is_keyword(lexed.value(lexeme)) && !is_special(lexed, lexemes, i) => {
                out.push(TokenWithSpan::new(Token::make_word(lexed.value(lexeme), Some('"')), span));
            }
            Kind::Word if is_only(lexed, lexemes, i) => {
                // The name carries it.
                close = parenthesis_behind(lexed, lexemes, i);
                skip = usize::from(close.is_some());
                only = Some(i + 1 + skip);
            }
            Kind::Symbol if is_star_of_record(lexed, lexemes, i) => {
                out.push(TokenWithSpan::new(Token::make_word(marks::STAR, Some('"')), span));
            }
            _ => out.push(TokenWithSpan::new(token(lexed, lexeme), span)),
        }
    }
    out
}

/// The `*` of `(record).*`.
fn is_star_of_record(lexed: &Lexed<'_>, lexemes: &[Lexeme], i: usize) -> bool {
    let symbol = |at: Option<usize>, symbol: &str| {
        at.and_then(|at| lexemes.get(at)).is_some_and(|lexeme| lexed.is_symbol(lexeme, symbol))
    };
    symbol(Some(i), "*") && symbol(i.checked_sub(1), ".") && symbol(i.checked_sub(2), ")")
}

/// The mark that some words here become, and their number.
fn mark(lexed: &Lexed<'_>, lexemes: &[Lexeme], i: usize) -> Option<(&'static str, usize)> {
    const MARKS: [(&str, &[&str]); 3] = [
        (marks::COLLATE, &["collate"]),
        (marks::DISTINCT, &["is", "distinct", "from"]),
        (marks::NOT_DISTINCT, &["is", "not", "distinct", "from"]),
    ];
    let fits = |words: &[&str]| {
        words.iter().enumerate().all(|(n, word)| lexemes.get(i + n).is_some_and(|lexeme| lexed.is_word(lexeme, word)))
    };
    MARKS.into_iter().find(|(_, words)| fits(words)).map(|(mark, words)| (mark, words.len()))
}

pub(super) fn span_of(lexed: &Lexed<'_>, lexeme: &Lexeme) -> Span {
    let characters = lexed.raw(lexeme).chars().count() as u64;
    let start = u64::from(lexeme.position);
    Span::new(Location::new(1, start), Location::new(1, start + characters))
}

fn push_words(out: &mut Vec<TokenWithSpan>, words: &[&str], span: Span) {
    out.extend(words.iter().map(|word| TokenWithSpan::new(Token::make_word(word, None), span)));
}

/// Words that are no keywords, but that sqlparser must see as such: `unnest(` in FROM, a field in `extract(`, how a table is sampled, types.
fn is_special(lexed: &Lexed<'_>, lexemes: &[Lexeme], i: usize) -> bool {
    const TYPES: &[&str] = &[
        "bool",
        "bytea",
        "date",
        "float4",
        "float8",
        "int2",
        "int4",
        "int8",
        "regclass",
        "text",
        "timestamptz",
        "timetz",
        "uuid",
        "varbit",
    ];
    let Some(lexeme) = lexemes.get(i) else { return false };
    let before = |back: usize| i.checked_sub(back).and_then(|i| lexemes.get(i));
    let symbol = |lexeme: Option<&Lexeme>, symbol: &str| lexeme.is_some_and(|l| lexed.is_symbol(l, symbol));
    let value = lexed.value(lexeme);
    if value == "unnest" {
        return symbol(lexemes.get(i + 1), "(");
    }
    if symbol(before(1), "(") && before(2).is_some_and(|l| lexed.is_word(l, "extract")) {
        return true;
    }
    if before(1).is_some_and(|l| lexed.is_word(l, "tablesample")) {
        return true;
    }
    // Where a type stands, the binder has a spelling of its own for these.
    let typed = symbol(before(1), "::") || before(1).is_some_and(|l| lexed.is_word(l, "as"));
    (typed || lexemes.get(i + 1).is_some_and(|next| next.kind == Kind::Text)) && TYPES.contains(&value)
}

/// `f(x) AS (a int)`: the AS before the columns of a function in FROM that has no other name than its own, which is told.
fn of_definitions<'l>(lexed: &Lexed<'_>, lexemes: &'l [Lexeme], i: usize) -> Option<&'l Lexeme> {
    /// What a query begins with, behind the AS of WITH.
    const QUERIES: [&str; 8] = ["select", "values", "with", "table", "insert", "update", "delete", "merge"];
    let symbol = |i: usize, symbol: &str| lexemes.get(i).is_some_and(|lexeme| lexed.is_symbol(lexeme, symbol));
    let word = |i: usize, word: &str| lexemes.get(i).is_some_and(|lexeme| lexed.is_word(lexeme, word));
    let first = lexemes.get(i + 2).filter(|lexeme| matches!(lexeme.kind, Kind::Word | Kind::Quoted))?;
    if !word(i, "as") || !symbol(i + 1, "(") || QUERIES.iter().any(|query| lexed.is_word(first, query)) {
        return None;
    }
    let numbered = i > 2 && word(i - 1, "ordinality") && word(i - 2, "with");
    let mut at = if numbered { i - 2 } else { i }.checked_sub(1).filter(|at| symbol(*at, ")"))?;
    let mut depth = 1_usize;
    while depth > 0 {
        at = at.checked_sub(1)?;
        depth += usize::from(symbol(at, ")"));
        depth -= usize::from(symbol(at, "("));
    }
    lexemes.get(at.checked_sub(1)?).filter(|name| matches!(name.kind, Kind::Word | Kind::Quoted))
}

/// `SUBSTRING(a SIMILAR b ESCAPE c)`, which is `SUBSTRING(a FROM b FOR c)`: whether one of its two words stands here.
fn in_substring(lexed: &Lexed<'_>, lexemes: &[Lexeme], i: usize) -> bool {
    let word = |i: usize, word: &str| lexemes.get(i).is_some_and(|lexeme| lexed.is_word(lexeme, word));
    let (similar, escape) = (word(i, "similar") && !word(i + 1, "to"), word(i, "escape"));
    if !similar && !escape {
        return false;
    }
    let (mut depth, mut seen) = (0_usize, similar);
    for at in (0..i).rev() {
        let Some(lexeme) = lexemes.get(at) else { return false };
        if lexed.is_symbol(lexeme, ")") {
            depth += 1;
        } else if lexed.is_symbol(lexeme, "(") {
            match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return seen && at.checked_sub(1).is_some_and(|before| word(before, "substring")),
            }
        } else if depth == 0 && word(at, "similar") {
            seen = !word(at + 1, "to");
        }
    }
    false
}

/// After this an operand or a label must follow, so a word here is a name.
fn starts_operand(lexed: &Lexed<'_>, before: Option<&Lexeme>) -> bool {
    match before {
        None => true,
        Some(before) if before.kind == Kind::Symbol => !matches!(lexed.raw(before), ")" | "]"),
        Some(before) => lexed.is_word(before, "as"),
    }
}

/// `TABLE name` where a query may start.
fn is_table_command(lexed: &Lexed<'_>, lexemes: &[Lexeme], i: usize) -> bool {
    let named = lexemes.get(i).is_some_and(|lexeme| lexed.is_word(lexeme, "table"))
        && lexemes.get(i + 1).is_some_and(|next| matches!(next.kind, Kind::Word | Kind::Quoted));
    let Some(before) = i.checked_sub(1).and_then(|i| lexemes.get(i)) else { return named };
    // What INSERT takes its rows from stands behind the name of a table.
    let behind_name = matches!(before.kind, Kind::Word | Kind::Quoted)
        && lexemes.first().is_some_and(|first| lexed.is_word(first, "insert") || lexed.is_word(first, "with"));
    named
        && (lexed.is_symbol(before, "(")
            || lexed.is_symbol(before, ")")
            || behind_name
            || ["union", "except", "intersect", "all", "distinct"].iter().any(|word| lexed.is_word(before, word)))
}

/// `ONLY` before the name of a table; elsewhere it ends `FETCH FIRST ROW ONLY`. No name is called so without quotes.
fn is_only(lexed: &Lexed<'_>, lexemes: &[Lexeme], i: usize) -> bool {
    let at = |i: Option<usize>| i.and_then(|i| lexemes.get(i));
    let word = |i: Option<usize>, words: &[&str]| {
        at(i).is_some_and(|lexeme| words.iter().any(|word| lexed.is_word(lexeme, word)))
    };
    let symbol = |i: Option<usize>, symbols: &[&str]| {
        at(i).is_some_and(|lexeme| symbols.iter().any(|symbol| lexed.is_symbol(lexeme, symbol)))
    };
    let (before, next) = (i.checked_sub(1), i.checked_add(1));
    let insert = word(before, &["into"]) && word(i.checked_sub(2), &["insert"]);
    let named = at(next).is_some_and(|next| matches!(next.kind, Kind::Word | Kind::Quoted)) || symbol(next, &["("]);
    word(Some(i), &["only"])
        && named
        && !insert
        && (word(before, &["from", "join", "table", "using", "update", "into"]) || symbol(before, &[",", "("]))
}

/// `ONLY (t)`: where the parenthesis closes.
fn parenthesis_behind(lexed: &Lexed<'_>, lexemes: &[Lexeme], i: usize) -> Option<usize> {
    let open = lexemes.get(i + 1).filter(|lexeme| lexed.is_symbol(lexeme, "("));
    open?;
    let inside = lexemes.get(i + 2..)?;
    let length = inside.iter().position(|lexeme| lexed.is_symbol(lexeme, ")"))?;
    let names = inside.get(..length)?.iter().enumerate().all(|(n, lexeme)| match n % 2 {
        0 => matches!(lexeme.kind, Kind::Word | Kind::Quoted),
        _ => lexed.is_symbol(lexeme, "."),
    });
    (names && length % 2 == 1).then_some(i + 2 + length)
}

pub(super) fn token(lexed: &Lexed<'_>, lexeme: &Lexeme) -> Token {
    let value = lexed.value(lexeme);
    match lexeme.kind {
        Kind::Word => Token::make_word(value, None),
        Kind::Quoted => Token::make_word(value, Some('"')),
        Kind::Text => Token::SingleQuotedString(value.to_owned()),
        Kind::Bits => Token::SingleQuotedByteStringLiteral(value.to_owned()),
        Kind::Hex => Token::HexStringLiteral(value.to_owned()),
        Kind::Number => Token::Number(value.to_owned(), false),
        Kind::Parameter => Token::Placeholder(value.to_owned()),
        Kind::Symbol => symbol(value),
    }
}

fn symbol(text: &str) -> Token {
    match text {
        "(" => Token::LParen,
        ")" => Token::RParen,
        "[" => Token::LBracket,
        "]" => Token::RBracket,
        "," => Token::Comma,
        ";" => Token::SemiColon,
        "." => Token::Period,
        ":" => Token::Colon,
        "::" => Token::DoubleColon,
        ":=" => Token::Assignment,
        "=>" => Token::RArrow,
        "=" => Token::Eq,
        "<>" | "!=" => Token::Neq,
        "<" => Token::Lt,
        ">" => Token::Gt,
        "<=" => Token::LtEq,
        ">=" => Token::GtEq,
        "+" => Token::Plus,
        "-" => Token::Minus,
        "*" => Token::Mul,
        "/" => Token::Div,
        "%" => Token::Mod,
        "^" => Token::Caret,
        "||" => Token::StringConcat,
        "&" => Token::Ampersand,
        "|" => Token::Pipe,
        "#" => Token::Sharp,
        "~" => Token::Tilde,
        "~*" => Token::TildeAsterisk,
        "!~" => Token::ExclamationMarkTilde,
        "!~*" => Token::ExclamationMarkTildeAsterisk,
        "@-@" => Token::AtDashAt,
        "~~" => Token::DoubleTilde,
        "~~*" => Token::DoubleTildeAsterisk,
        "!~~" => Token::ExclamationMarkDoubleTilde,
        "!~~*" => Token::ExclamationMarkDoubleTildeAsterisk,
        "<<" => Token::ShiftLeft,
        ">>" => Token::ShiftRight,
        "&&" => Token::Overlap,
        "->" => Token::Arrow,
        "->>" => Token::LongArrow,
        "#>" => Token::HashArrow,
        "#>>" => Token::HashLongArrow,
        "#-" => Token::HashMinus,
        "@>" => Token::AtArrow,
        "<@" => Token::ArrowAt,
        "@?" => Token::AtQuestion,
        "@@" => Token::AtAt,
        "?" => Token::Question,
        "?&" => Token::QuestionAnd,
        "?|" => Token::QuestionPipe,
        "^@" => Token::CaretAt,
        "@" => Token::AtSign,
        "|/" => Token::PGSquareRoot,
        "||/" => Token::PGCubeRoot,
        "!!" => Token::DoubleExclamationMark,
        other => Token::CustomBinaryOperator(other.to_owned()),
    }
}
