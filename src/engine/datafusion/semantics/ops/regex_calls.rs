//! Functions of regular expressions: `regexp_replace` and its kin, SIMILAR TO, `substring(text from pattern)`.
//! Must not know: how a pattern is matched (`regex`).

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringViewArray};
use arrow::datatypes::{DataType, Int32Type};
use datafusion::logical_expr::Expr;
use parking_lot::Mutex;

use super::super::arrays::array_of_texts;
use super::super::ctype::Ctype;
use super::super::kernel::{call, external, wrong_type};
use super::super::lift::{Row, number_rows, truth_rows};
use super::super::regex::{Asked, Match, Regex};
use super::super::value::{Bound, ctype_of};
use super::{exprs, under};
use crate::error::{Error, Result, SqlState};
use crate::types::PgType;

/// The last pattern that was compiled, as most calls have one for all rows.
pub(super) struct Compiled {
    ctype: Ctype,
    last: Mutex<Option<Last>>,
}

/// A pattern, its flags, and what they were compiled to.
type Last = (String, String, Arc<(Regex, Asked)>);

impl Compiled {
    fn under(ctype: Ctype) -> Compiled {
        Compiled { ctype, last: Mutex::default() }
    }

    /// The pattern with its flags, compiled.
    pub(super) fn get(&self, pattern: &str, flags: &str) -> Result<Arc<(Regex, Asked)>> {
        let mut last = self.last.lock();
        if let Some((known, with, compiled)) = last.as_ref()
            && known == pattern
            && with == flags
        {
            return Ok(Arc::clone(compiled));
        }
        let made = Arc::new(Regex::new(pattern, flags, self.ctype)?);
        *last = Some((pattern.to_owned(), flags.to_owned(), Arc::clone(&made)));
        Ok(made)
    }
}

/// A function of regular expressions.
pub(super) fn implement(source: &str, args: &[Bound], returns: PgType) -> Option<Bound> {
    let all = exprs(args);
    let count = args.len();
    let ctype = ctype_of(args);
    let compiled = Compiled::under(ctype);
    let name = under(ctype, &format!("{source}{count}"));
    let rows = source.starts_with("regexp_split_to_rows");
    let expr = match source {
        "textregexreplace_noopt" => {
            nullable(&name, all, move |row| replace(row, (None, None), None, &compiled).map(Some))
        }
        "textregexreplace" => nullable(&name, all, move |row| replace(row, (None, None), Some(3), &compiled).map(Some)),
        "textregexreplace_extended_no_n" => {
            nullable(&name, all, move |row| replace(row, (Some(3), None), None, &compiled).map(Some))
        }
        "textregexreplace_extended_no_flags" => {
            nullable(&name, all, move |row| replace(row, (Some(3), Some(4)), None, &compiled).map(Some))
        }
        "textregexreplace_extended" => {
            nullable(&name, all, move |row| replace(row, (Some(3), Some(4)), Some(5), &compiled).map(Some))
        }
        "regexp_match" | "regexp_match_no_flags" => nullable(&name, all, move |row| matched(row, count, &compiled)),
        "regexp_split_to_array"
        | "regexp_split_to_array_no_flags"
        | "regexp_split_to_rows"
        | "regexp_split_to_rows_no_flags" => nullable(&name, all, move |row| {
            let function = if rows { "regexp_split_to_table" } else { "regexp_split_to_array" };
            let pieces = split(row, count, function, &compiled)?;
            Ok(Some(array_of_texts(pieces.iter().map(|piece| Some(piece.as_str())))))
        }),
        "regexp_like" | "regexp_like_no_flags" => truth_rows(&name, all, move |row| {
            let (pattern, asked) = &*compiled.get(row.text(1)?, if count > 2 { row.text(2)? } else { "" })?;
            not_global(*asked, "regexp_like")?;
            pattern.matches(row.text(0)?)
        }),
        "regexp_count" | "regexp_count_no_start" | "regexp_count_no_flags" => {
            number_rows::<Int32Type>(&name, all, DataType::Int32, move |row| {
                let (pattern, asked) = &*compiled.get(row.text(1)?, if count > 3 { row.text(3)? } else { "" })?;
                not_global(*asked, "regexp_count")?;
                let start = if count > 2 { positive(&row, 2, "start")? } else { 1 };
                let text = characters(row.text(0)?);
                counted(pattern, &text, start - 1)
            })
        }
        _ if source.starts_with("regexp_instr") => number_rows::<Int32Type>(&name, all, DataType::Int32, move |row| {
            let at_end = if count > 4 { row.number::<Int32Type>(4)? } else { 0 };
            if !(0..=1).contains(&at_end) {
                return Err(bad_parameter("endoption", at_end));
            }
            let found = nth(&row, count, (5, 6), "regexp_instr", &compiled)?;
            Ok(found.map_or(0, |(start, end)| if at_end == 1 { end as i32 + 1 } else { start as i32 + 1 }))
        }),
        _ if source.starts_with("regexp_substr") => nullable(&name, all, move |row| {
            let text = characters(row.text(0)?);
            let found = nth(&row, count, (4, 5), "regexp_substr", &compiled)?;
            Ok(found.map(|(start, end)| piece(&text, start, end)))
        }),
        "textregexsubstr" => nullable(&name, all, move |row| {
            let (pattern, _) = &*compiled.get(row.text(1)?, "")?;
            let text = characters(row.text(0)?);
            let found = pattern.find(&text, 0)?;
            let wanted = usize::from(pattern.groups() > 0);
            Ok(found
                .and_then(|found| found.get(wanted).copied().flatten())
                .map(|(start, end)| piece(&text, start, end)))
        }),
        "similar_to_escape_1" => nullable(&name, all, |row| similar(row.text(0)?, Some('\\')).map(Some)),
        "similar_to_escape_2" => nullable(&name, all, |row| {
            let mut escape = row.text(1)?.chars();
            match (escape.next(), escape.next()) {
                (escape, None) => similar(row.text(0)?, escape).map(Some),
                _ => Err(Error::client(SqlState::INVALID_ESCAPE_SEQUENCE, "invalid escape string")
                    .with_hint("Escape string must be empty or one character.")),
            }
        }),
        _ => return None,
    };
    Some(Bound::new(expr, returns))
}

fn counted(pattern: &Regex, text: &[char], from: usize) -> Result<i32> {
    let mut count = 0;
    pattern.each(text, from, |_, _| {
        count += 1;
        Ok(false)
    })?;
    Ok(count)
}

/// Texts for rows none of whose arguments is NULL, some of them NULL.
fn nullable(
    name: &str,
    args: Vec<Expr>,
    f: impl Fn(Row<'_>) -> Result<Option<String>> + Send + Sync + 'static,
) -> Expr {
    super::super::lift::text_rows(name, args, f)
}

fn characters(text: &str) -> Vec<char> {
    text.chars().collect()
}

fn piece(text: &[char], start: usize, end: usize) -> String {
    text.get(start..end).unwrap_or_default().iter().collect()
}

fn bad_parameter(name: &str, value: i32) -> Error {
    Error::client(SqlState::INVALID_PARAMETER_VALUE, format!("invalid value for parameter \"{name}\": {value}"))
}

fn positive(row: &Row<'_>, at: usize, name: &str) -> Result<usize> {
    let value = row.number::<Int32Type>(at)?;
    usize::try_from(value).ok().filter(|value| *value > 0).ok_or_else(|| bad_parameter(name, value))
}

fn not_global(asked: Asked, function: &str) -> Result<()> {
    if !asked.global {
        return Ok(());
    }
    let error = Error::client(
        SqlState::INVALID_PARAMETER_VALUE,
        format!("{function}() does not support the \"global\" option"),
    );
    Err(if function == "regexp_match" { error.with_hint("Use the regexp_matches function instead.") } else { error })
}

/// The match that `regexp_instr` and `regexp_substr` speak of: `more` says which arguments are the flags and the subexpression.
fn nth(
    row: &Row<'_>,
    count: usize,
    more: (usize, usize),
    function: &str,
    compiled: &Compiled,
) -> Result<Option<(usize, usize)>> {
    let start = if count > 2 { positive(row, 2, "start")? } else { 1 };
    let wanted = if count > 3 { positive(row, 3, "n")? } else { 1 };
    let flags = if count > more.0 { row.text(more.0)? } else { "" };
    let group = if count > more.1 { row.number::<Int32Type>(more.1)? } else { 0 };
    let group = usize::try_from(group).map_err(|_| bad_parameter("subexpr", group))?;
    let (pattern, asked) = &*compiled.get(row.text(1)?, flags)?;
    not_global(*asked, function)?;
    let text = characters(row.text(0)?);
    if group > pattern.groups() {
        return Ok(None);
    }
    let (mut left, mut range) = (wanted, None);
    pattern.each(&text, start - 1, |_, found| {
        left -= 1;
        if left == 0 {
            range = found.get(group).copied().flatten();
        }
        Ok(left == 0)
    })?;
    Ok(range)
}

fn groups(found: &Match, text: &[char]) -> String {
    let wanted = if found.len() > 1 { found.get(1..).unwrap_or_default() } else { found.as_slice() };
    let pieces: Vec<Option<String>> =
        wanted.iter().map(|range| range.map(|(start, end)| piece(text, start, end))).collect();
    array_of_texts(pieces.iter().map(Option::as_deref))
}

fn matched(row: Row<'_>, count: usize, compiled: &Compiled) -> Result<Option<String>> {
    let (pattern, asked) = &*compiled.get(row.text(1)?, if count > 2 { row.text(2)? } else { "" })?;
    not_global(*asked, "regexp_match")?;
    let text = characters(row.text(0)?);
    Ok(pattern.find(&text, 0)?.map(|found| groups(&found, &text)))
}

/// The pieces between matches; a match of nothing at the ends or right behind another parts nothing.
fn split(row: Row<'_>, count: usize, function: &str, compiled: &Compiled) -> Result<Vec<String>> {
    let (pattern, asked) = &*compiled.get(row.text(1)?, if count > 2 { row.text(2)? } else { "" })?;
    not_global(*asked, function)?;
    let text = characters(row.text(0)?);
    let mut pieces = Vec::new();
    let mut before = 0;
    pattern.each(&text, 0, |(start, end), _| {
        if start < text.len() && end > before {
            pieces.push(piece(&text, before, start));
            before = end;
        }
        Ok(false)
    })?;
    pieces.push(piece(&text, before, text.len()));
    Ok(pieces)
}

/// `regexp_replace`. `from`: the arguments that are the start and the number of the match; 0 means all.
fn replace(
    row: Row<'_>,
    (start, number): (Option<usize>, Option<usize>),
    flags: Option<usize>,
    compiled: &Compiled,
) -> Result<String> {
    let flags = flags.map(|at| row.text(at)).transpose()?.unwrap_or("");
    let (pattern, asked) = &*compiled.get(row.text(1)?, flags)?;
    let text = characters(row.text(0)?);
    let new = row.text(2)?;
    let start = start.map(|at| positive(&row, at, "start")).transpose()?.unwrap_or(1);
    let number = match number {
        None => usize::from(!asked.global),
        Some(at) => {
            let n = row.number::<Int32Type>(at)?;
            usize::try_from(n).map_err(|_| bad_parameter("n", n))?
        }
    };
    let mut made = String::with_capacity(text.len());
    let (mut before, mut count) = (0, 0);
    pattern.each(&text, start - 1, |(from, to), found| {
        count += 1;
        if number != 0 && count != number {
            return Ok(false);
        }
        made.extend(text.get(before..from).unwrap_or_default());
        expand(new, found, &text, &mut made);
        super::strings::bounded(made.len())?;
        before = to;
        Ok(count == number)
    })?;
    made.push_str(&piece(&text, before, text.len()));
    Ok(made)
}

/// The new text of a match: `\1` to `\9` are its subexpressions, `\&` is all of it, `\\` a backslash.
fn expand(new: &str, found: &Match, text: &[char], into: &mut String) {
    let mut chars = new.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            into.push(c);
            continue;
        }
        match chars.peek().copied() {
            Some(digit @ '1'..='9') => {
                chars.next();
                let group = digit as usize - '0' as usize;
                if let Some((start, end)) = found.get(group).copied().flatten() {
                    into.push_str(&piece(text, start, end));
                }
            }
            Some('&') => {
                chars.next();
                if let Some((start, end)) = found.first().copied().flatten() {
                    into.push_str(&piece(text, start, end));
                }
            }
            Some('\\') => {
                chars.next();
                into.push('\\');
            }
            _ => into.push('\\'),
        }
    }
}

/// A pattern of SIMILAR TO as a regular expression.
fn similar(pattern: &str, escape: Option<char>) -> Result<String> {
    let mut made = "^(?:".to_owned();
    let (mut after, mut inside) = (false, false);
    let mut quotes = 0;
    for c in pattern.chars() {
        if after {
            after = false;
            if c == '"' && !inside {
                // Parts a pattern in three for substring(); what is asked for here is the whole.
                quotes += 1;
                continue;
            }
            made.push('\\');
            made.push(c);
        } else if Some(c) == escape {
            after = true;
        } else if inside {
            if c == '\\' {
                made.push('\\');
            }
            made.push(c);
            inside = c != ']';
        } else {
            match c {
                '[' => {
                    made.push(c);
                    inside = true;
                }
                '%' => made.push_str(".*"),
                '_' => made.push('.'),
                '(' => made.push_str("(?:"),
                '\\' | '.' | '^' | '$' => {
                    made.push('\\');
                    made.push(c);
                }
                c => made.push(c),
            }
        }
    }
    if quotes > 0 {
        return Err(Error::unsupported("SIMILAR with a part to be taken out is not supported"));
    }
    made.push_str(")$");
    Ok(made)
}

/// Whether texts match patterns that are only known when it runs, or that only this engine reads.
pub(super) fn matches_rows(fold: bool, ctype: Ctype, text: Expr, pattern: Expr) -> Expr {
    let compiled = Compiled::under(ctype);
    let flags = if fold { "i" } else { "" };
    let name = under(ctype, &format!("regex_matches({flags})"));
    call(name, vec![text, pattern], DataType::Boolean, move |args| {
        let [texts, patterns] = args else { return Err(wrong_type("~")) };
        let (Some(texts), Some(patterns)) = (texts.as_string_view_opt(), patterns.as_string_view_opt()) else {
            return Err(wrong_type("~"));
        };
        let one = |(text, pattern): (Option<&str>, Option<&str>)| match (text, pattern) {
            (Some(text), Some(pattern)) => {
                compiled.get(pattern, flags).and_then(|regex| regex.0.matches(text)).map(Some).map_err(external)
            }
            _ => Ok(None),
        };
        let found =
            both(texts, patterns).map(one).collect::<datafusion::error::Result<arrow::array::BooleanArray>>()?;
        Ok(Arc::new(found) as ArrayRef)
    })
}

fn both<'a>(
    texts: &'a StringViewArray,
    patterns: &'a StringViewArray,
) -> impl Iterator<Item = (Option<&'a str>, Option<&'a str>)> {
    (0..texts.len()).map(move |row| {
        let value = |array: &'a StringViewArray| array.is_valid(row).then(|| array.value(row));
        (value(texts), value(patterns))
    })
}
