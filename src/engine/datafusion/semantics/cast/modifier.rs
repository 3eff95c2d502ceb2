//! Type modifiers: lengths of strings, precision of numbers and times.
//! Must not know: casts between types.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringViewBuilder};
use arrow::datatypes::{DataType, TimestampMicrosecondType};

use super::super::kernel::{call, external, wrong_type};
use super::super::numeric;
use super::super::pg::CastContext;
use super::super::value::Bound;
use super::text_io::{from_text, to_text};
use crate::error::{Error, Result, SqlState};
use crate::types::{FormatOptions, PgType};

/// Whether the modifier is a length that an explicit cast cuts to.
pub(super) fn is_length(pg: PgType) -> bool {
    matches!(pg.oid, 1042 | 1043 | 1560 | 1562) && pg.typmod >= 0
}

/// A value of the type `to` without its modifier, as a value with it.
pub(super) fn apply(value: Bound, to: PgType, context: CastContext) -> Result<Bound> {
    if to.typmod < 0 || value.pg == to {
        return Ok(Bound { pg: to, ..value });
    }
    match to.oid {
        1700 => Ok(numeric::with_modifier(value, to)),
        1042 | 1043 => Ok(length(value, to, context == CastContext::Explicit)),
        1114 | 1184 => Ok(seconds(value, to)),
        1560 | 1562 => Ok(bits(value, to, context == CastContext::Explicit)),
        1083 | 1186 | 1266 => by_input(value, to),
        // A literal was rounded by its input function; a length of an array's elements is not supported.
        _ if value.constant().is_some() => Ok(Bound { pg: to, ..value }),
        // Elements that an explicit cast cuts to a length.
        1014 | 1015 | 1561 | 1563 => {
            Err(Error::unsupported(format!("a cast to type {} is not supported", to.display_name())))
        }
        _ if to.is_array() => by_input(value, to),
        _ => Err(Error::unsupported(format!("a cast to type {} is not supported", to.display_name()))),
    }
}

/// What the input function of a type with its modifier makes of a value's text.
fn by_input(value: Bound, to: PgType) -> Result<Bound> {
    // The text under the default settings has everything of a value in it.
    let plain = FormatOptions::default();
    let text = Bound { position: value.position, ..to_text(value, PgType::TEXT, &plain)? };
    from_text(text, to, &plain)
}

/// Bits as `bit(n)` or `bit varying(n)`: cut or filled with zeros where the cast is explicit.
fn bits(value: Bound, to: PgType, explicit: bool) -> Bound {
    let limit = usize::try_from(to.typmod).unwrap_or(0);
    let varying = to.oid == PgType::VARBIT.oid;
    let name = format!("{}({limit},{explicit})", to.name());
    let expr = call(name, vec![value.expr], DataType::Utf8View, move |args| {
        let [array] = args else { return Err(wrong_type("bit")) };
        let texts = array.as_string_view_opt().ok_or_else(|| wrong_type("bit"))?;
        let mut builder = StringViewBuilder::with_capacity(texts.len());
        for text in texts {
            let Some(text) = text else {
                builder.append_null();
                continue;
            };
            let fits = if varying { text.len() <= limit } else { text.len() == limit };
            if !fits && !explicit {
                return Err(external(bits_do_not_fit(text.len(), to)));
            }
            let kept = text.get(..limit).unwrap_or(text);
            let missing = if varying { 0 } else { limit - kept.len() };
            builder.append_value(format!("{kept}{}", "0".repeat(missing)));
        }
        Ok(Arc::new(builder.finish()) as ArrayRef)
    });
    Bound { expr, pg: to, arrow: DataType::Utf8View, unknown: None, scaled: None, ..value }
}

fn bits_do_not_fit(length: usize, to: PgType) -> Error {
    if to.oid == PgType::VARBIT.oid {
        let message = format!("bit string too long for type {}", to.display_name());
        return Error::client(SqlState::STRING_DATA_RIGHT_TRUNCATION, message);
    }
    let message = format!("bit string length {length} does not match type {}", to.display_name());
    Error::client(SqlState::STRING_DATA_LENGTH_MISMATCH, message)
}

/// A text as `character(length)`.
pub(crate) fn padded(value: Bound, length: i32) -> Bound {
    self::length(value, PgType::bpchar(length), true)
}

/// Cuts (explicit) or refuses what is longer than declared, blanks aside; pads `character(n)`.
fn length(value: Bound, to: PgType, explicit: bool) -> Bound {
    let limit = usize::try_from(to.typmod - 4).unwrap_or(0);
    let padded = to.oid == 1042;
    let name = format!("{}({limit},{explicit})", if padded { "bpchar" } else { "varchar" });
    let expr = call(name, vec![value.expr], DataType::Utf8View, move |args| {
        let [array] = args else { return Err(wrong_type("varchar")) };
        let texts = array.as_string_view_opt().ok_or_else(|| wrong_type("varchar"))?;
        let mut builder = StringViewBuilder::with_capacity(texts.len());
        for text in texts {
            match text {
                None => builder.append_null(),
                Some(text) => {
                    builder.append_value(fitted(text, limit, padded, explicit, to).map_err(external)?);
                }
            }
        }
        Ok(Arc::new(builder.finish()) as ArrayRef)
    });
    Bound { expr, pg: to, arrow: DataType::Utf8View, unknown: None, scaled: None, ..value }
}

fn fitted(text: &str, limit: usize, padded: bool, explicit: bool, to: PgType) -> Result<String> {
    match text.char_indices().nth(limit) {
        Some((end, _)) => {
            let (kept, rest) = text.split_at(end);
            if !explicit && rest.bytes().any(|b| b != b' ') {
                return Err(Error::client(
                    SqlState::STRING_DATA_RIGHT_TRUNCATION,
                    format!("value too long for type {}", to.display_name()),
                ));
            }
            Ok(kept.to_owned())
        }
        None if padded => {
            let missing = limit - text.chars().count();
            Ok(format!("{text}{}", " ".repeat(missing)))
        }
        None => Ok(text.to_owned()),
    }
}

/// Rounds microseconds to so many digits of a second, half away from zero as PostgreSQL counts them (from 2000-01-01).
fn seconds(value: Bound, to: PgType) -> Bound {
    const EPOCH: i64 = 946_684_800_000_000;
    let digits = u32::try_from(to.typmod.clamp(0, 6)).unwrap_or(6);
    if digits == 6 {
        return Bound { pg: to, ..value };
    }
    let unit = 10_i64.pow(6 - digits);
    let arrow = value.arrow.clone();
    let returns = arrow.clone();
    let expr = call(format!("timestamp({digits})"), vec![value.expr], arrow.clone(), move |args| {
        let [array] = args else { return Err(wrong_type("timestamp")) };
        let times = array.as_primitive_opt::<TimestampMicrosecondType>().ok_or_else(|| wrong_type("timestamp"))?;
        let rounded = times.unary::<_, TimestampMicrosecondType>(|t| {
            if t == i64::MAX || t == i64::MIN {
                return t;
            }
            let since = t.saturating_sub(EPOCH);
            let half = unit / 2;
            let whole = if since >= 0 { (since + half) / unit } else { -((half - since) / unit) };
            whole * unit + EPOCH
        });
        Ok(Arc::new(rounded.with_data_type(returns.clone())) as ArrayRef)
    });
    Bound { expr, pg: to, arrow, unknown: None, position: value.position, scaled: None, collation: value.collation }
}
