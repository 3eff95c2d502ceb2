//! `to_char` of numbers: each number rounded to the places of its template.
//! Must not know: how a template is filled (`number_format`).

use arrow::array::{Array, ArrayRef, AsArray, StringViewBuilder};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int32Type, Int64Type};
use datafusion::error::Result as DfResult;
use std::sync::Arc;

use super::super::kernel::{call, external, wrong_type};
use super::super::number_format::Template;
use super::super::numeric;
use super::super::value::Bound;
use super::exprs;
use crate::error::{Error, Result};
use crate::types::{Numeric, PgType};

/// A number's sign and digits, and the template with the places that the type has for it.
type Shown = (bool, String, Template);

/// `to_char` over a type of numbers.
pub(super) fn implement(source: &str, args: &[Bound]) -> Option<Bound> {
    let [_, _] = args else { return None };
    let kind = source
        .strip_suffix("_to_char")
        .filter(|kind| ["numeric", "int4", "int8", "float4", "float8"].contains(kind))?;
    let kind = kind.to_owned();
    let expr = call(source, exprs(args), DataType::Utf8View, move |args| {
        let [numbers, templates] = args else { return Err(wrong_type("to_char")) };
        let templates = templates.as_string_view_opt().ok_or_else(|| wrong_type("to_char"))?;
        let mut builder = StringViewBuilder::with_capacity(numbers.len());
        let mut last: Option<(&str, Template)> = None;
        for row in 0..numbers.len() {
            if numbers.is_null(row) || templates.is_null(row) {
                builder.append_null();
                continue;
            }
            let text = templates.value(row);
            let template = match &last {
                Some((known, template)) if *known == text => template.clone(),
                _ => parsed(text).map_err(external)?,
            };
            last = Some((text, template.clone()));
            let (negative, digits, template) = shown(&kind, numbers, row, template)?;
            builder.append_value(template.write(negative, &digits));
        }
        Ok(Arc::new(builder.finish()) as ArrayRef)
    });
    Some(Bound::new(expr, PgType::TEXT))
}

fn parsed(text: &str) -> Result<Template> {
    Template::parse(text)
        .ok_or_else(|| Error::unsupported(format!("to_char of a number with the format \"{text}\" is not supported")))
}

fn shown(kind: &str, numbers: &ArrayRef, row: usize, template: Template) -> DfResult<Shown> {
    let wrong = || wrong_type("to_char");
    Ok(match kind {
        "int4" => whole(i64::from(numbers.as_primitive_opt::<Int32Type>().ok_or_else(wrong)?.value(row)), template),
        "int8" => whole(numbers.as_primitive_opt::<Int64Type>().ok_or_else(wrong)?.value(row), template),
        "float4" => {
            let value = numbers.as_primitive_opt::<Float32Type>().ok_or_else(wrong)?.value(row);
            float(f64::from(value), 6, template).map_err(external)?
        }
        "float8" => {
            let value = numbers.as_primitive_opt::<Float64Type>().ok_or_else(wrong)?.value(row);
            float(value, 15, template).map_err(external)?
        }
        _ => {
            let number = numeric::reader(numbers)?.get(row)?.ok_or_else(wrong)?;
            exact(&number, template).map_err(external)?
        }
    })
}

fn signed(text: String, template: Template) -> Shown {
    match text.strip_prefix('-') {
        Some(digits) => (true, digits.to_owned(), template),
        None => (false, text, template),
    }
}

fn whole(value: i64, template: Template) -> Shown {
    let places = if template.places > 0 { format!(".{}", "0".repeat(template.places)) } else { String::new() };
    signed(format!("{value}{places}"), template)
}

fn infinite() -> Error {
    Error::unsupported("to_char of NaN or an infinity is not supported")
}

/// As many digits as the type has, no more.
fn float(value: f64, most: usize, mut template: Template) -> Result<Shown> {
    if !value.is_finite() {
        return Err(infinite());
    }
    let length = format!("{:.0}", value.abs()).len();
    template.places = template.places.min(most.saturating_sub(length));
    let text = format!("{value:.*}", template.places);
    Ok(signed(text, template))
}

fn exact(number: &Numeric, template: Template) -> Result<Shown> {
    if number.scale().is_none() {
        return Err(infinite());
    }
    let places = i64::try_from(template.places).unwrap_or(i64::MAX);
    let mut text = number.round(places)?.to_string();
    // A number of fewer places is shown with as many.
    let has = text.split_once('.').map_or(0, |(_, places)| places.len());
    if template.places > has {
        if has == 0 {
            text.push('.');
        }
        text.push_str(&"0".repeat(template.places - has));
    }
    Ok(signed(text, template))
}
