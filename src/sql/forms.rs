//! Forms of PostgreSQL that sqlparser does not know, and the one word that stands for each.
//! Must not know: what becomes of it in the tree.

use datafusion::sql::sqlparser::tokenizer::{Span, Token, TokenWithSpan};

use super::lexer::{Kind, Lexed, Lexeme};
use super::tokens::{span_of, token};
use super::{cycle, marks};

/// Puts what stands for the form that begins with this lexeme, if one does: how many lexemes that takes.
pub(super) fn put(lexed: &Lexed<'_>, lexemes: &[Lexeme], i: usize, out: &mut Vec<TokenWithSpan>) -> Option<usize> {
    let lexeme = lexemes.get(i).filter(|lexeme| lexeme.kind == Kind::Word)?;
    let mut span = span_of(lexed, lexeme);
    if is_precise_interval(lexed, lexemes, i) {
        // `interval(3) 'x'`, of which sqlparser forgets the 3, is `'x'::interval(3)`.
        let part = |at: usize| lexemes.get(at).map(|part| TokenWithSpan::new(token(lexed, part), span_of(lexed, part)));
        out.extend(part(i + 4));
        out.push(TokenWithSpan::new(Token::DoubleColon, span));
        out.extend((i..i + 4).filter_map(part));
        return Some(5);
    }
    if is_variadic(lexed, lexemes, i) {
        marks::set_variadic(&mut span);
        out.push(TokenWithSpan::new(Token::make_word(marks::VARIADIC, Some('"')), span));
        out.push(TokenWithSpan::new(Token::RArrow, span));
        return Some(1);
    }
    if let Some((left_out, words)) = exclusion(lexed, lexemes, i)
        && exclude(out, left_out, span)
    {
        return Some(words);
    }
    let form = form(lexed, lexemes, i)?;
    (form.mark)(&mut span);
    out.push(TokenWithSpan::new(Token::make_word(form.word, form.quote), span));
    Some(form.lexemes)
}

/// A word for some lexemes.
struct Form {
    word: &'static str,
    quote: Option<char>,
    /// What tells it from the same word of a client.
    mark: fn(&mut Span),
    /// How many it stands for.
    lexemes: usize,
}

fn form(lexed: &Lexed<'_>, lexemes: &[Lexeme], i: usize) -> Option<Form> {
    let word = |i: usize, word: &str| lexemes.get(i).is_some_and(|lexeme| lexed.is_word(lexeme, word));
    let symbol = |i: usize, symbol: &str| lexemes.get(i).is_some_and(|lexeme| lexed.is_symbol(lexeme, symbol));
    let unmarked = |_: &mut Span| {};
    if word(i, "search") || word(i, "cycle") {
        let lexemes = cycle::clauses(lexed, lexemes, i)?.lexemes;
        return Some(Form { word: marks::CLAUSES, quote: Some('"'), mark: marks::set_clauses, lexemes });
    }
    // Before a table called `rows` there is no FROM.
    if word(i, "rows") && word(i + 1, "from") && symbol(i + 2, "(") {
        return Some(Form { word: marks::ROWS_FROM, quote: Some('"'), mark: marks::set_rows_from, lexemes: 2 });
    }
    if word(i, "collation") && word(i + 1, "for") && symbol(i + 2, "(") {
        return Some(Form { word: "pg_collation_for", quote: Some('"'), mark: unmarked, lexemes: 2 });
    }
    // `ORDER BY a USING >`: an operator that sorts is a direction. No other USING has an operator behind it.
    let directions = [("<", "asc"), (">", "desc")];
    let direction = directions.into_iter().find(|(operator, _)| word(i, "using") && symbol(i + 1, operator));
    direction.map(|(_, word)| Form { word, quote: None, mark: unmarked, lexemes: 2 })
}

/// `interval(3) 'x'`.
fn is_precise_interval(lexed: &Lexed<'_>, lexemes: &[Lexeme], i: usize) -> bool {
    let kind = |i: usize| lexemes.get(i).map(|lexeme| lexeme.kind);
    let symbol = |i: usize, symbol: &str| lexemes.get(i).is_some_and(|lexeme| lexed.is_symbol(lexeme, symbol));
    lexemes.get(i).is_some_and(|lexeme| lexed.is_word(lexeme, "interval"))
        && symbol(i + 1, "(")
        && kind(i + 2) == Some(Kind::Number)
        && symbol(i + 3, ")")
        && kind(i + 4) == Some(Kind::Text)
}

/// VARIADIC before an argument.
fn is_variadic(lexed: &Lexed<'_>, lexemes: &[Lexeme], i: usize) -> bool {
    let before = i.checked_sub(1).and_then(|before| lexemes.get(before));
    let first = before.is_some_and(|before| lexed.is_symbol(before, "(") || lexed.is_symbol(before, ","));
    first && lexemes.get(i).is_some_and(|lexeme| lexed.is_word(lexeme, "variadic"))
}

/// What a frame leaves out, and in how many words: EXCLUDE at its end.
fn exclusion(lexed: &Lexed<'_>, lexemes: &[Lexeme], i: usize) -> Option<(&'static str, usize)> {
    const EXCLUSIONS: [(&str, &[&str]); 4] = [
        ("CURRENT ROW", &["exclude", "current", "row"]),
        ("GROUP", &["exclude", "group"]),
        ("TIES", &["exclude", "ties"]),
        ("NO OTHERS", &["exclude", "no", "others"]),
    ];
    let word = |at: usize, word: &str| lexemes.get(at).is_some_and(|lexeme| lexed.is_word(lexeme, word));
    let fits = |words: &[&str]| words.iter().enumerate().all(|(n, expected)| word(i + n, expected));
    let (exclusion, words) = EXCLUSIONS.into_iter().find(|(_, words)| fits(words))?;
    let ends = lexemes.get(i + words.len()).is_some_and(|lexeme| lexed.is_symbol(lexeme, ")"));
    ends.then_some((exclusion, words.len()))
}

/// Lets the last key of the window's order stand for what the frame leaves out. `false`: there is no frame.
fn exclude(out: &mut Vec<TokenWithSpan>, exclusion: &str, mut span: Span) -> bool {
    let (mut depth, mut frame, mut ordered) = (0_usize, None, false);
    for (at, token) in out.iter().enumerate().rev() {
        match &token.token {
            Token::RParen => depth += 1,
            Token::LParen => match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => break,
            },
            Token::Word(word) if depth == 0 && word.quote_style.is_none() => match word.value.as_str() {
                "rows" | "range" | "groups" if frame.is_none() => frame = Some(at),
                "order" if frame.is_some() => ordered = true,
                _ => {}
            },
            _ => {}
        }
    }
    let Some(frame) = frame else { return false };
    marks::set_exclusion(&mut span);
    let before =
        if ordered { vec![Token::Comma] } else { ["order", "by"].map(|word| Token::make_word(word, None)).into() };
    let key = before.into_iter().chain([Token::make_word(exclusion, Some('"'))]);
    out.splice(frame..frame, key.map(|token| TokenWithSpan::new(token, span)));
    true
}
