//! JSON made of values: `json_build_object` and its kin, `to_json`, and what `json_agg` makes of a group.
//! Must not know: SQL, how JSON is read.

use std::sync::Arc;

use arrow::array::{Array, AsArray, StringViewArray};
use arrow::datatypes::{DataType, Fields};
use bytes::{BufMut, BytesMut};
use datafusion::logical_expr::Expr;

use super::super::arrays::take_apart;
use super::super::cast::{Typing, json};
use super::super::kernel::{call, external, wrong_type};
use super::super::lift::text_map;
use super::super::own;
use super::super::pg::CastContext;
use super::super::sets::field_at;
use super::super::value::Bound;
use crate::error::{Error, Result, SqlState};
use crate::types::{ColumnBuilder, ColumnEncoder, FormatOptions, PgType, field, json_encoder, storage};

const JSON: u32 = 114;
const JSONB: u32 = 3802;

/// A function that makes JSON.
pub(super) fn implement(source: &str, args: &[Bound], returns: PgType, typing: &mut Typing) -> Result<Option<Bound>> {
    let made = match source {
        "json_build_object" | "jsonb_build_object" => object(args, source.starts_with("jsonb"), typing)?,
        "json_build_object_noargs" | "jsonb_build_object_noargs" => return constant("{}", returns, typing),
        "json_build_array" | "jsonb_build_array" => array(args, typing)?,
        "json_build_array_noargs" | "jsonb_build_array_noargs" => return constant("[]", returns, typing),
        "to_json" | "to_jsonb" | "array_to_json" => match args {
            [value] => json_text(value.clone(), typing)?,
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
    if own::is_opaque(value.pg) {
        return Err(own::refused(&format!("JSON of type {}", value.type_name())));
    }
    let format = &typing.facts.format;
    match (value.pg.element(), &value.arrow) {
        (_, DataType::Struct(fields)) if value.pg.is_record() => record(&value.expr, fields, typing),
        // Held as a text.
        (Some(element), DataType::Utf8View) => Ok(json_array(value.pg.bare(), element.bare(), value.expr, format)),
        _ if matches!(value.pg.oid, JSON | JSONB) => Ok(value.expr),
        _ => json(&value, format),
    }
}

/// A record as a JSON object of its fields.
fn record(record: &Expr, fields: &Fields, typing: &mut Typing) -> Result<Expr> {
    let mut parts = vec![there(record.clone())];
    for (at, field) in fields.iter().enumerate() {
        let Some((expr, form)) = field_at(record.clone(), fields, at) else { continue };
        parts.push(json_value(Bound::with_arrow(expr, own::type_of(field), form), typing)?);
    }
    let keys: Vec<String> =
        fields.iter().map(|field| serde_json::Value::from(field.name().as_str()).to_string()).collect();
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

/// An array in its text form as JSON, arrays in arrays for its dimensions.
fn json_array(array: PgType, element: PgType, value: Expr, format: &FormatOptions) -> Expr {
    let options = format.clone();
    let item = field("element", element, true).with_data_type(storage(element));
    text_map(&format!("json_of({},{options:?})", array.name()), value, move |text| {
        let parsed = take_apart(array, text)?;
        let mut builder = ColumnBuilder::new(element, parsed.elements.len());
        for found in &parsed.elements {
            builder.append_text(found.as_deref(), &options)?;
        }
        let mut encoder = json_encoder(&item, &options)?;
        encoder.bind(&builder.finish())?;
        let lengths: Vec<usize> =
            parsed.dimensions.iter().map(|dimension| usize::try_from(dimension.length).unwrap_or(0)).collect();
        let mut out = BytesMut::new();
        write_dimensions(encoder.as_mut(), &lengths, &mut 0, &mut out)?;
        String::from_utf8(out.to_vec()).map_err(|_| Error::internal("JSON that is no text"))
    })
}

fn write_dimensions(
    encoder: &mut dyn ColumnEncoder,
    lengths: &[usize],
    next: &mut usize,
    out: &mut BytesMut,
) -> Result<()> {
    let (length, inner) = lengths.split_first().map_or((0, lengths), |(length, inner)| (*length, inner));
    out.put_u8(b'[');
    for at in 0..length {
        if at > 0 {
            out.put_u8(b',');
        }
        if !inner.is_empty() {
            write_dimensions(encoder, inner, next, out)?;
            continue;
        }
        match encoder.is_null(*next) {
            true => out.extend_from_slice(b"null"),
            false => encoder.write(*next, out)?,
        }
        *next += 1;
    }
    out.put_u8(b']');
    Ok(())
}

/// `json_build_object(key, value, ...)`.
fn object(args: &[Bound], binary: bool, typing: &mut Typing) -> Result<Expr> {
    if !args.len().is_multiple_of(2) {
        let function = if binary { "jsonb_build_object" } else { "json_build_object" };
        return Err(Error::client(
            SqlState::INVALID_PARAMETER_VALUE,
            "argument list must have even number of elements",
        )
        .with_hint(format!("The arguments of {function}() must consist of alternating keys and values.")));
    }
    let mut parts = Vec::new();
    for (at, arg) in args.iter().enumerate() {
        if at % 2 == 1 {
            parts.push(json_value(arg.clone(), typing)?);
            continue;
        }
        let key = scalar_key(arg.clone(), typing)?;
        parts.push(json_text(key, typing)?);
    }
    let name = if binary { "jsonb_object" } else { "json_object" };
    Ok(super::super::arrays::as_text(name, parts, move |values| {
        let mut pairs = Vec::new();
        for (at, pair) in values.chunks(2).enumerate() {
            let (Some(Some(key)), Some(value)) = (pair.first(), pair.get(1)) else { return Err(null_key(at, binary)) };
            let quotes = if key.starts_with('"') { "" } else { "\"" };
            pairs.push(format!("{quotes}{key}{quotes} : {}", value.unwrap_or("null")));
        }
        Ok(Some(format!("{{{}}}", pairs.join(", "))))
    }))
}

/// A value that can be a key.
fn scalar_key(key: Bound, typing: &mut Typing) -> Result<Bound> {
    let key = typing.settle(key)?;
    if key.pg.is_array() || key.pg.is_record() || matches!(key.pg.oid, JSON | JSONB) {
        let message = "key value must be scalar, not array, composite, or json";
        return Err(Error::client(SqlState::INVALID_PARAMETER_VALUE, message));
    }
    Ok(key)
}

fn null_key(pair: usize, binary: bool) -> Error {
    let wrong = |message: String| Error::client(SqlState::INVALID_PARAMETER_VALUE, message);
    let place = 2 * pair + 1;
    if binary {
        return wrong(format!("argument {place}: key must not be null"));
    }
    wrong(format!("argument {place} cannot be null")).with_hint("Object keys should be text.")
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

/// What `json_object_agg` gathers of each row: a key and its value; NULL where the key is.
pub(in super::super) fn gathered_pair(key: Bound, value: Bound, typing: &mut Typing) -> Result<Bound> {
    let key = scalar_key(key, typing)?;
    let parts = vec![json_text(key, typing)?, json_value(value, typing)?];
    let pair = super::super::arrays::as_text("json_pair", parts, |values| {
        let [Some(key), value] = values else { return Ok(None) };
        let quotes = if key.starts_with('"') { "" } else { "\"" };
        Ok(Some(format!("{quotes}{key}{quotes} : {}", value.unwrap_or("null"))))
    });
    Ok(Bound::new(pair, PgType::TEXT))
}

/// The object of the pairs that were gathered; NULL where none was.
pub(in super::super) fn gathered_object(list: Expr, returns: PgType, typing: &mut Typing) -> Result<Bound> {
    let text = joined("json_object_agg", list, ("{ ", ", ", " }"), || {
        Err(Error::client(SqlState::INVALID_PARAMETER_VALUE, "field name must not be null"))
    });
    as_json(text, returns, typing)
}

/// Lists of texts as one text each, between these words; a text that is NULL is what `missing` says.
fn joined(
    name: &str,
    list: Expr,
    (open, between, close): (&'static str, &'static str, &'static str),
    missing: fn() -> Result<&'static str>,
) -> Expr {
    call(format!("{name}({between:?})"), vec![list], DataType::Utf8View, move |args| {
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
            let values = values.iter().map(|text| text.map_or_else(missing, Ok)).collect::<Result<Vec<&str>>>();
            texts.push(Some(format!("{open}{}{close}", values.map_err(external)?.join(between))));
        }
        Ok(Arc::new(texts.into_iter().collect::<StringViewArray>()))
    })
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
    let text = joined("json_agg", list, ("[", between, "]"), || Ok("null"));
    as_json(text, returns, typing)
}
