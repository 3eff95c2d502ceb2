//! Functions of text.
//! Must not know: SQL, which character is a letter of which case (`ctype`).

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringViewBuilder};
use arrow::datatypes::{DataType, Int32Type, Int64Type};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::Expr;

use super::super::cast::{Typing, to_text};
use super::super::ctype::Ctype;
use super::super::kernel::{call, external, wrong_type};
use super::super::lift::{number_rows, text_map, text_rows, truth_rows};
use super::super::pg::CastContext;
use super::super::text;
use super::super::value::{Bound, ctype_of};
use super::{exprs, under};
use crate::error::{Error, Result, SqlState};
use crate::types::PgType;

/// A function of text.
pub(super) fn implement(source: &str, args: &[Bound], returns: PgType, typing: &mut Typing) -> Result<Option<Bound>> {
    let all = exprs(args);
    let types: Vec<u32> = args.iter().map(|arg| arg.pg.oid).collect();
    let made = |expr: Expr| Ok(Some(Bound::new(expr, returns)));
    if let Some(expr) = measured(source, &types, &all) {
        return made(expr);
    }
    if let Some(expr) = cut(source, &all) {
        return made(expr);
    }
    match (source, args) {
        ("textcat", [_, _]) => made(text_rows(source, all, |row| {
            bounded(row.text(0)?.len() + row.text(1)?.len())?;
            Ok(Some([row.text(0)?, row.text(1)?].concat()))
        })),
        ("textanycat" | "anytextcat", [a, b]) => {
            let (a, b) = (as_text(a, typing)?, as_text(b, typing)?);
            implement("textcat", &[a, b], returns, typing)
        }
        ("lower" | "upper" | "initcap", [text]) => made(other_case(source, text)),
        ("text_reverse", [_]) => {
            made(text_map(source, all.into_iter().next().unwrap_or_default(), |t| Ok(t.chars().rev().collect())))
        }
        ("text_concat", _) => made(concat(args, false, typing)?),
        ("text_concat_ws", _) => made(concat(args, true, typing)?),
        ("chr", [_]) => made(text_rows(source, all, |row| text::chr(row.number::<Int32Type>(0)?).map(Some))),
        ("to_hex32", [_]) => made(text_rows(source, all, |row| Ok(Some(format!("{:x}", row.number::<Int32Type>(0)?))))),
        ("to_hex64", [_]) => made(text_rows(source, all, |row| Ok(Some(format!("{:x}", row.number::<Int64Type>(0)?))))),
        ("translate", [_, _, _]) => {
            made(text_rows(source, all, |row| Ok(Some(text::translate(row.text(0)?, row.text(1)?, row.text(2)?)))))
        }
        ("replace_text", [_, _, _]) => made(text_rows(source, all, |row| {
            let (t, from, to) = (row.text(0)?, row.text(1)?, row.text(2)?);
            if from.is_empty() {
                return Ok(Some(t.to_owned()));
            }
            let count = t.matches(from).count();
            bounded(t.len() + count.saturating_mul(to.len()))?;
            Ok(Some(t.replace(from, to)))
        })),
        ("split_part" | "split_text", [_, _, _]) => made(text_rows(source, all, |row| {
            text::split_part(row.text(0)?, row.text(1)?, row.number::<Int32Type>(2)?).map(Some)
        })),
        ("text_starts_with", [_, _]) => made(truth_rows(source, all, |row| Ok(row.text(0)?.starts_with(row.text(1)?)))),
        ("unicode_normalize_func", [_, _]) => made(text_rows(source, all, |row| {
            let made = text::normalize(row.text(0)?, row.text(1)?)?;
            bounded(made.len())?;
            Ok(Some(made))
        })),
        ("unicode_is_normalized", [_, _]) => {
            made(truth_rows(source, all, |row| text::is_normalized(row.text(0)?, row.text(1)?)))
        }
        ("quote_literal", [_]) if types == [25] => {
            made(text_rows(source, all, |row| Ok(Some(text::quote_literal(row.text(0)?)))))
        }
        _ => Ok(None),
    }
}

/// `lower`, `upper`, `initcap`.
fn other_case(source: &str, text: &Bound) -> Expr {
    let ctype = ctype_of(std::slice::from_ref(text));
    let change = match source {
        "lower" => Ctype::lowercase,
        "upper" => Ctype::uppercase,
        _ => Ctype::initcap,
    };
    text_map(&under(ctype, source), text.expr.clone(), move |text| Ok(change(ctype, text)))
}

/// Lengths and places.
fn measured(source: &str, types: &[u32], all: &[Expr]) -> Option<Expr> {
    let args = all.to_vec();
    let int = DataType::Int32;
    Some(match (source, types) {
        ("textlen", [_]) => number_rows::<Int32Type>(source, args, int, |row| Ok(row.text(0)?.chars().count() as i32)),
        ("bpcharlen", [_]) => number_rows::<Int32Type>(source, args, int, |row| {
            Ok(row.text(0)?.trim_end_matches(' ').chars().count() as i32)
        }),
        ("textoctetlen" | "bpcharoctetlen", [_]) => {
            number_rows::<Int32Type>(source, args, int, |row| Ok(row.text(0)?.len() as i32))
        }
        ("byteaoctetlen", [_]) => number_rows::<Int32Type>(source, args, int, |row| Ok(row.bytes(0)?.len() as i32)),
        ("textpos", [_, _]) => {
            number_rows::<Int32Type>(source, args, int, |row| Ok(text::position(row.text(0)?, row.text(1)?)))
        }
        ("bit_length", [25]) => number_rows::<Int32Type>(source, args, int, |row| Ok(row.text(0)?.len() as i32 * 8)),
        ("ascii", [_]) => {
            number_rows::<Int32Type>(source, args, int, |row| Ok(row.text(0)?.chars().next().map_or(0, |c| c as i32)))
        }
        _ => return None,
    })
}

/// Parts of a text, and texts made longer.
fn cut(source: &str, all: &[Expr]) -> Option<Expr> {
    let args = all.to_vec();
    let int = |row: &super::super::lift::Row<'_>, at: usize| row.number::<Int32Type>(at);
    Some(match (source, args.len()) {
        ("text_substr_no_len", 2) => {
            text_rows(source, args, move |row| text::substring(row.text(0)?, int(&row, 1)?, None).map(Some))
        }
        ("text_substr", 3) => text_rows(source, args, move |row| {
            text::substring(row.text(0)?, int(&row, 1)?, Some(int(&row, 2)?)).map(Some)
        }),
        ("text_left", 2) => text_rows(source, args, move |row| Ok(Some(text::left(row.text(0)?, int(&row, 1)?)))),
        ("text_right", 2) => text_rows(source, args, move |row| Ok(Some(text::right(row.text(0)?, int(&row, 1)?)))),
        ("btrim1" | "ltrim1" | "rtrim1", 1) => {
            let (left, right) = sides(source);
            text_rows(source, args, move |row| Ok(Some(text::trim(row.text(0)?, " ", left, right))))
        }
        ("btrim" | "ltrim" | "rtrim", 2) => {
            let (left, right) = sides(source);
            text_rows(source, args, move |row| Ok(Some(text::trim(row.text(0)?, row.text(1)?, left, right))))
        }
        ("lpad" | "rpad", 2 | 3) => {
            let (left, filled) = (source == "lpad", args.len() == 3);
            let name = format!("{source}{}", args.len());
            text_rows(&name, args, move |row| {
                let fill = if filled { row.text(2)? } else { " " };
                text::pad(row.text(0)?, int(&row, 1)?, fill, left).map(Some)
            })
        }
        ("repeat", 2) => text_rows(source, args, move |row| {
            let (t, count) = (row.text(0)?, usize::try_from(int(&row, 1)?).unwrap_or(0));
            bounded(t.len().saturating_mul(count))?;
            Ok(Some(t.repeat(count)))
        }),
        ("textoverlay_no_len", 3) => text_rows(source, args, move |row| {
            let (t, new, from) = (row.text(0)?, row.text(1)?, int(&row, 2)?);
            text::overlay(t, new, from, new.chars().count() as i32).map(Some)
        }),
        ("textoverlay", 4) => text_rows(source, args, move |row| {
            text::overlay(row.text(0)?, row.text(1)?, int(&row, 2)?, int(&row, 3)?).map(Some)
        }),
        _ => return None,
    })
}

fn sides(source: &str) -> (bool, bool) {
    (!source.starts_with('r'), !source.starts_with('l'))
}

/// `54000` for a text beyond 64 MiB.
pub(super) fn bounded(bytes: usize) -> Result<()> {
    if bytes > text::MAX_BYTES {
        return Err(Error::resource(SqlState::PROGRAM_LIMIT_EXCEEDED, "requested length too large"));
    }
    Ok(())
}

fn as_text(value: &Bound, typing: &mut Typing) -> Result<Bound> {
    let value = typing.settle(value.clone())?;
    match value.pg.oid {
        25 | 1043 => Ok(value),
        // The cast tells the whole mask, which the output leaves out.
        869 => typing.coerce(value, PgType::TEXT, CastContext::Explicit),
        _ => to_text(value, PgType::TEXT, &typing.facts.format),
    }
}

/// `concat` and `concat_ws`: NULLs are left out.
fn concat(args: &[Bound], separated: bool, typing: &mut Typing) -> Result<Expr> {
    let mut texts = Vec::new();
    for arg in args {
        // Booleans are t and f here, not true and false: the output function, not the cast.
        texts.push(as_text_by_output(arg, typing)?);
    }
    let name = if separated { "concat_ws" } else { "concat" };
    Ok(call(name, texts, DataType::Utf8View, move |args| joined(args, separated)))
}

fn as_text_by_output(arg: &Bound, typing: &mut Typing) -> Result<Expr> {
    let value = typing.settle(arg.clone())?;
    if value.pg.oid == 16 {
        return Ok(super::super::cast::bool_letter(value.expr));
    }
    Ok(match value.pg.oid {
        25 | 1043 | 1042 => value.expr,
        _ => to_text(value, PgType::TEXT, &typing.facts.format)?.expr,
    })
}

fn joined(args: &[ArrayRef], separated: bool) -> DfResult<ArrayRef> {
    let texts = args
        .iter()
        .map(|array| array.as_string_view_opt().ok_or_else(|| wrong_type("concat")))
        .collect::<DfResult<Vec<_>>>()?;
    let (separators, texts) = if separated {
        texts.split_first().map(|(first, rest)| (Some(*first), rest)).unwrap_or((None, &[]))
    } else {
        (None, texts.as_slice())
    };
    let rows = args.first().map_or(0, |array| array.len());
    let mut builder = StringViewBuilder::with_capacity(rows);
    for row in 0..rows {
        if separators.is_some_and(|separator| separator.is_null(row)) {
            builder.append_null();
            continue;
        }
        let separator = separators.map_or("", |separator| separator.value(row));
        let parts: Vec<&str> = texts.iter().filter(|t| !t.is_null(row)).map(|t| t.value(row)).collect();
        let bytes = parts.iter().map(|part| part.len() + separator.len()).sum();
        bounded(bytes).map_err(external)?;
        builder.append_value(parts.join(separator));
    }
    Ok(Arc::new(builder.finish()))
}
