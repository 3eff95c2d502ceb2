//! JSON made of values: `json_build_object` and its kin, `to_json`, and what `json_agg` makes of a group.
//! Must not know: SQL, how JSON is read.

use std::sync::Arc;

use arrow::array::{Array, AsArray, StringViewArray};
use arrow::datatypes::DataType;
use datafusion::logical_expr::Expr;

use super::super::arrays::take_apart;
use super::super::cast::{Typing, to_text};
use super::super::kernel::{call, external, wrong_type};
use super::super::lift::text_map;
use super::super::pg::CastContext;
use super::super::sets::field_at;
use super::super::value::Bound;
use crate::error::{Error, Result, SqlState};
use crate::types::{FormatOptions, PgType, pg_type_of};

const JSONB: u32 = 3802;

/// A function that makes JSON.
pub(super) fn implement(source: &str, args: &[Bound], returns: PgType, typing: &mut Typing) -> Result<Option<Bound>> {
    let made = match source {
        "json_build_object" | "jsonb_build_object" => object(args, typing)?,
        "json_build_object_noargs" | "jsonb_build_object_noargs" => return constant("{}", returns, typing),
        "json_build_array" | "jsonb_build_array" => array(args, typing)?,
        "json_build_array_noargs" | "jsonb_build_array_noargs" => return constant("[]", returns, typing),
        "to_json" | "to_jsonb" => match args {
            [value] => json_value(value.clone(), typing)?,
            _ => return Ok(None),
        },
        "row_to_json" => match args {
            [value] => json_text(value.clone(), typing)?,
            _ => return Ok(None),
        },
        _ => return Ok(None),
    };
    as_json(made, returns, typing).map(Some)
}

fn constant(text: &str, returns: PgType, typing: &mut Typing) -> Result<Option<Bound>> {
    let literal = Bound::unknown(super::super::value::Unknown::Text(text.to_owned()));
    typing.coerce(literal, returns, CastContext::Explicit).map(Some)
}

/// JSON's text as the type asked for: jsonb has a form of its own.
fn as_json(text: Expr, returns: PgType, typing: &mut Typing) -> Result<Bound> {
    if returns.oid == JSONB {
        return typing.coerce(Bound::new(text, PgType::TEXT), returns, CastContext::Explicit);
    }
    Ok(Bound::new(text, returns))
}

/// A value as JSON's text; NULL stays NULL.
fn json_text(value: Bound, typing: &mut Typing) -> Result<Expr> {
    let value = typing.settle(value)?;
    let pg = value.pg.bare();
    // Times in ISO's form, whatever the session's style.
    let plain = FormatOptions { time_zone: typing.facts.format.time_zone.clone(), ..FormatOptions::default() };
    match pg.oid {
        114 | JSONB => return Ok(value.expr),
        16 => return Ok(to_text(value, PgType::TEXT, &plain)?.expr),
        2249 => return record(value, typing),
        _ => {}
    }
    let text = to_text(value, PgType::TEXT, &plain)?.expr;
    let element = pg.element();
    let name = format!("json_of({})", pg.name());
    Ok(text_map(&name, text, move |text| match element {
        Some(element) => json_array(pg, element, text),
        None => Ok(scalar(pg, text)),
    }))
}

/// A record as a JSON object of its fields.
fn record(value: Bound, typing: &mut Typing) -> Result<Expr> {
    let DataType::Struct(fields) = &value.arrow else {
        return Err(Error::unsupported("JSON of a record whose fields are not known is not supported"));
    };
    let mut parts = vec![there(value.expr.clone())];
    for (at, field) in fields.iter().enumerate() {
        let Some((expr, form)) = field_at(value.expr.clone(), fields, at) else { continue };
        parts.push(json_value(Bound::with_arrow(expr, pg_type_of(field), form), typing)?);
    }
    let keys: Vec<String> = fields.iter().map(|field| quoted(field.name())).collect();
    Ok(super::super::arrays::as_text(&format!("json_record({})", keys.join(",")), parts, move |values| {
        let Some((Some(_), values)) = values.split_first() else { return Ok(None) };
        let pairs: Vec<String> =
            keys.iter().zip(values).map(|(key, value)| format!("{key}:{}", value.unwrap_or("null"))).collect();
        Ok(Some(format!("{{{}}}", pairs.join(","))))
    }))
}

/// A text where a record is none that is NULL.
fn there(record: Expr) -> Expr {
    call("there", vec![record], DataType::Utf8View, |args| {
        let [records] = args else { return Err(wrong_type("a record")) };
        let texts = (0..records.len()).map(|row| records.is_valid(row).then_some(""));
        Ok(Arc::new(texts.collect::<StringViewArray>()))
    })
}

/// The same, NULL as JSON's null.
fn json_value(value: Bound, typing: &mut Typing) -> Result<Expr> {
    let text = json_text(value, typing)?;
    Ok(call("json_or_null", vec![text], DataType::Utf8View, |args| {
        let [texts] = args else { return Err(wrong_type("json")) };
        let texts = texts.as_string_view_opt().ok_or_else(|| wrong_type("json"))?;
        Ok(Arc::new(texts.iter().map(|text| Some(text.unwrap_or("null"))).collect::<StringViewArray>()))
    }))
}

/// A text of a type as JSON.
fn scalar(pg: PgType, text: &str) -> String {
    match pg.oid {
        // NaN and the infinities are no numbers of JSON's.
        20 | 21 | 23 | 700 | 701 | 1700 if text.ends_with(|c: char| c.is_ascii_digit()) => text.to_owned(),
        16 => if matches!(text, "t" | "true") { "true" } else { "false" }.to_owned(),
        1114 | 1184 => quoted(&text.replacen(' ', "T", 1)),
        114 | JSONB => text.to_owned(),
        _ => quoted(text),
    }
}

fn json_array(array: PgType, element: PgType, text: &str) -> Result<String> {
    let parsed = take_apart(array, text)?;
    if parsed.dimensions.len() > 1 {
        return Err(Error::unsupported("JSON of an array of more than one dimension is not supported"));
    }
    let elements =
        parsed.elements.iter().map(|found| found.as_deref().map_or("null".to_owned(), |t| scalar(element, t)));
    Ok(format!("[{}]", elements.collect::<Vec<_>>().join(",")))
}

/// A JSON string.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// `json_build_object(key, value, ...)`.
fn object(args: &[Bound], typing: &mut Typing) -> Result<Expr> {
    if !args.len().is_multiple_of(2) {
        return Err(Error::client(
            SqlState::INVALID_PARAMETER_VALUE,
            "argument list must have even number of elements",
        )
        .with_hint("The arguments of json_build_object() must consist of alternating keys and values."));
    }
    let mut parts = Vec::new();
    for (at, arg) in args.iter().enumerate() {
        parts.push(if at % 2 == 0 {
            let key = typing.settle(arg.clone())?;
            to_text(key, PgType::TEXT, &typing.facts.format)?.expr
        } else {
            json_value(arg.clone(), typing)?
        });
    }
    Ok(super::super::arrays::as_text("json_object", parts, |values| {
        let mut pairs = Vec::new();
        for pair in values.chunks(2) {
            let (Some(Some(key)), Some(value)) = (pair.first(), pair.get(1)) else {
                return Err(Error::client(SqlState::INVALID_PARAMETER_VALUE, "null value not allowed for object key"));
            };
            pairs.push(format!("{} : {}", quoted(key), value.unwrap_or("null")));
        }
        Ok(Some(format!("{{{}}}", pairs.join(", "))))
    }))
}

fn array(args: &[Bound], typing: &mut Typing) -> Result<Expr> {
    let parts = args.iter().map(|arg| json_value(arg.clone(), typing)).collect::<Result<Vec<_>>>()?;
    Ok(super::super::arrays::as_text("json_array", parts, |values| {
        let values: Vec<&str> = values.iter().map(|value| value.unwrap_or("null")).collect();
        Ok(Some(format!("[{}]", values.join(", "))))
    }))
}

/// What `json_agg` gathers of each row.
pub(in super::super) fn gathered_value(value: Bound, typing: &mut Typing) -> Result<Bound> {
    json_value(value, typing).map(|expr| Bound::new(expr, PgType::TEXT))
}

/// The array of what was gathered; NULL where nothing was.
///
/// `parted`: rows and arrays stand on lines of their own.
pub(in super::super) fn gathered_array(
    list: Expr,
    returns: PgType,
    parted: bool,
    typing: &mut Typing,
) -> Result<Bound> {
    let between = if parted { ", \n " } else { ", " };
    let text = call(format!("json_agg({parted})"), vec![list], DataType::Utf8View, |args| {
        let [lists] = args else { return Err(wrong_type("json_agg")) };
        let lists = lists.as_list_opt::<i32>().ok_or_else(|| wrong_type("json_agg"))?;
        let mut texts = Vec::with_capacity(lists.len());
        for list in lists.iter() {
            let Some(list) = list else {
                texts.push(None);
                continue;
            };
            let values = list.as_string_view_opt().ok_or_else(|| wrong_type("json_agg"))?;
            let bytes = values.iter().flatten().map(|text| text.len() + between.len()).sum();
            super::strings::bounded(bytes).map_err(external)?;
            let values: Vec<&str> = values.iter().map(|text| text.unwrap_or("null")).collect();
            texts.push(Some(format!("[{}]", values.join(between))));
        }
        Ok(Arc::new(texts.into_iter().collect::<StringViewArray>()))
    });
    as_json(text, returns, typing)
}
