//! JSON opened: values by key, place and path, lengths and kinds; and what jsonb is asked for and made of.
//! Must not know: SQL, how JSON is read.

use arrow::datatypes::{DataType, Int32Type};
use datafusion::logical_expr::Expr;

use super::super::arrays::take_apart;
use super::super::cast::{self, Typing, json_held};
use super::super::lift::{Row, number_rows, text_map, text_rows, truth_rows};
use super::super::value::Bound;
use crate::error::{Error, Result, SqlState};
use crate::types::{JsonStep, JsonTree, PgType, json_at, json_kind, json_length, json_scalar};

const JSONB: u32 = 3802;

/// A function or an operator that reads JSON.
pub(super) fn implement(source: &str, args: &[Bound], returns: PgType, typing: &mut Typing) -> Result<Option<Bound>> {
    let Some(of) = Reading::of(source) else { return Ok(None) };
    let Some((document, rest)) = args.split_first() else { return Ok(None) };
    if !matches!(document.pg.oid, 114 | JSONB) {
        return Ok(None);
    }
    let mut exprs = vec![json_held(document, &typing.facts.format)?];
    for arg in rest {
        exprs.push(match &arg.arrow {
            _ if arg.pg.oid == JSONB => json_held(arg, &typing.facts.format)?,
            DataType::List(_) => cast::array_text(arg.clone(), &typing.facts.format)?.expr,
            _ => arg.expr.clone(),
        });
    }
    let array = rest.first().is_some_and(|arg| arg.pg.is_array());
    Ok(Some(Bound::new(of.call(source, exprs, array), returns)))
}

/// What is read.
#[derive(Debug, Clone, Copy)]
enum Reading {
    /// The value of a key, at a place, at the end of a path.
    Value {
        by: By,
        text: bool,
        binary: bool,
    },
    Length,
    Kind,
    Contains {
        swap: bool,
    },
    Exists,
    ExistsAny,
    ExistsAll,
    Concat,
    Without,
    WithoutElement,
}

#[derive(Debug, Clone, Copy)]
enum By {
    Key,
    Place,
    Path,
}

impl Reading {
    fn of(source: &str) -> Option<Reading> {
        let binary = source.starts_with("jsonb_");
        let name = source.strip_prefix("jsonb_").or_else(|| source.strip_prefix("json_"))?;
        let value = |by: By, text: bool| Some(Reading::Value { by, text, binary });
        match name {
            "object_field" => value(By::Key, false),
            "object_field_text" => value(By::Key, true),
            "array_element" => value(By::Place, false),
            "array_element_text" => value(By::Place, true),
            "extract_path" => value(By::Path, false),
            "extract_path_text" => value(By::Path, true),
            "array_length" => Some(Reading::Length),
            "typeof" => Some(Reading::Kind),
            _ if !binary => None,
            "contains" => Some(Reading::Contains { swap: false }),
            "contained" => Some(Reading::Contains { swap: true }),
            "exists" => Some(Reading::Exists),
            "exists_any" => Some(Reading::ExistsAny),
            "exists_all" => Some(Reading::ExistsAll),
            "concat" => Some(Reading::Concat),
            "delete" | "delete_array" => Some(Reading::Without),
            "delete_idx" => Some(Reading::WithoutElement),
            _ => None,
        }
    }

    /// `array`: the second argument is an array of texts, else those behind the first are texts.
    fn call(self, source: &str, args: Vec<Expr>, array: bool) -> Expr {
        let tree = |row: &Row<'_>, at: usize| JsonTree::read(row.text(at)?);
        let source = &if array { format!("{source}[]") } else { source.to_owned() };
        match self {
            Reading::Value { by, text, binary } => text_rows(source, args, move |row| {
                let found = match by {
                    By::Key => by_key(&row, binary)?,
                    By::Place => by_place(&row, binary)?,
                    By::Path => by_path(&row, array, text, binary)?,
                };
                match found {
                    Some(found) if text => json_scalar(found),
                    found => Ok(found.map(str::to_owned)),
                }
            }),
            Reading::Length => number_rows::<Int32Type>(source, args, DataType::Int32, |row| length(row.text(0)?)),
            Reading::Kind => {
                let document = args.into_iter().next().unwrap_or_default();
                text_map(source, document, |text| Ok(json_kind(text).to_owned()))
            }
            Reading::Contains { swap } => truth_rows(source, args, move |row| {
                let (whole, part) = if swap { (1, 0) } else { (0, 1) };
                Ok(tree(&row, whole)?.contains(&tree(&row, part)?))
            }),
            Reading::Exists => truth_rows(source, args, move |row| Ok(tree(&row, 0)?.exists(row.text(1)?))),
            // NULL in the array is no key.
            Reading::ExistsAny => truth_rows(source, args, move |row| {
                let (document, keys) = (tree(&row, 0)?, take_apart(PgType::TEXT_ARRAY, row.text(1)?)?);
                Ok(keys.elements.iter().flatten().any(|key| document.exists(key)))
            }),
            Reading::ExistsAll => truth_rows(source, args, move |row| {
                let (document, keys) = (tree(&row, 0)?, take_apart(PgType::TEXT_ARRAY, row.text(1)?)?);
                Ok(keys.elements.iter().flatten().all(|key| document.exists(key)))
            }),
            Reading::Concat => text_rows(source, args, move |row| {
                super::strings::bounded(row.text(0)?.len() + row.text(1)?.len())?;
                tree(&row, 0)?.concat(tree(&row, 1)?).text().map(Some)
            }),
            Reading::Without => text_rows(source, args, move |row| {
                let document = tree(&row, 0)?;
                let made = if array {
                    let keys = take_apart(PgType::TEXT_ARRAY, row.text(1)?)?;
                    if keys.dimensions.len() > 1 {
                        let state = SqlState::from_code("2202E").unwrap_or(SqlState::INVALID_PARAMETER_VALUE);
                        return Err(Error::client(state, "wrong number of array subscripts"));
                    }
                    let keys: Vec<&str> = keys.elements.iter().flatten().map(AsRef::as_ref).collect();
                    document.without_keys(&keys)?
                } else {
                    let keys = (1..row.count()).map(|at| row.text(at)).collect::<Result<Vec<_>>>()?;
                    document.without_keys(&keys)?
                };
                made.text().map(Some)
            }),
            Reading::WithoutElement => text_rows(source, args, move |row| {
                tree(&row, 0)?.without_element(row.number::<Int32Type>(1)?)?.text().map(Some)
            }),
        }
    }
}

fn by_key<'a>(row: &Row<'a>, binary: bool) -> Result<Option<&'a str>> {
    json_at(row.text(0)?, &mut [JsonStep { key: Some(row.text(1)?), index: None }], binary)
}

fn by_place<'a>(row: &Row<'a>, binary: bool) -> Result<Option<&'a str>> {
    let (document, index) = (row.text(0)?, row.number::<Int32Type>(1)?);
    // To jsonb a scalar is the only element of an array.
    if binary && !document.starts_with(['{', '[']) {
        return Ok(matches!(index, 0 | -1).then_some(document));
    }
    json_at(document, &mut [JsonStep { key: None, index: place(index) }], binary)
}

/// The least number is no place from the end.
fn place(index: i32) -> Option<i32> {
    Some(index).filter(|index| *index != i32::MIN)
}

fn by_path<'a>(row: &Row<'a>, array: bool, text: bool, binary: bool) -> Result<Option<&'a str>> {
    let document = row.text(0)?;
    let path = if array {
        let found = take_apart(PgType::TEXT_ARRAY, row.text(1)?)?;
        match found.elements.into_iter().collect::<Option<Vec<_>>>() {
            Some(path) => path,
            // A NULL in the path leads to NULL.
            None => return Ok(None),
        }
    } else {
        (1..row.count()).map(|at| row.text(at).map(Into::into)).collect::<Result<Vec<_>>>()?
    };
    let mut steps: Vec<JsonStep<'_>> =
        path.iter().map(|step| JsonStep { key: Some(step), index: as_place(step) }).collect();
    let found = json_at(document, &mut steps, binary)?;
    // Of a json that is a scalar, PostgreSQL gives the blanks before it too.
    let scalar = !binary && steps.is_empty() && found.is_some_and(|found| !found.starts_with(['{', '[']));
    let as_string = text && found.is_some_and(|found| found.starts_with(['"', 'n']));
    Ok(if scalar && !as_string { Some(document.trim_end_matches([' ', '\t', '\n', '\r'])) } else { found })
}

/// A step of a path as a place, read as C's `strtol` does: blanks and a sign before digits, nothing behind them.
fn as_place(step: &str) -> Option<i32> {
    let text = step.trim_start_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
    text.parse().ok().and_then(place)
}

fn length(document: &str) -> Result<i32> {
    if let Some(length) = json_length(document)? {
        return Ok(i32::try_from(length).unwrap_or(i32::MAX));
    }
    let what = if json_kind(document) == "object" { "a non-array" } else { "a scalar" };
    Err(Error::client(SqlState::INVALID_PARAMETER_VALUE, format!("cannot get array length of {what}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_as_strtol_reads_them() {
        assert_eq!(as_place(" +1"), Some(1));
        assert_eq!(as_place("-2"), Some(-2));
        assert_eq!(as_place("01"), Some(1));
        for no in ["", "1 ", "99999999999", "-2147483648", "+-1", "a"] {
            assert_eq!(as_place(no), None, "{no}");
        }
    }

    #[test]
    fn lengths_of_arrays_only() {
        assert_eq!(length("[1,[2,3]]").unwrap(), 2);
        assert_eq!(length("{}").unwrap_err().message(), "cannot get array length of a non-array");
        assert_eq!(length(" 5").unwrap_err().message(), "cannot get array length of a scalar");
    }
}
