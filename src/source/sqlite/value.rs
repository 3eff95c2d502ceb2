//! One column of a SQLite result on its way into Arrow: each value is checked against the column's type.
//! Must not know: connections, statements.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Float64Builder, Int16Builder, Int32Builder, Int64Builder,
    StringViewBuilder,
};
use arrow::datatypes::Field;
use rusqlite::types::ValueRef;

use crate::error::{Error, Result, SqlState};
use crate::types::{self, ColumnBuilder, FormatOptions, PgType};

/// A value that does not fit.
pub(super) struct Misfit {
    pub(super) state: SqlState,
    pub(super) message: String,
    /// SQLite's name of the value's storage class.
    pub(super) stored: &'static str,
    pub(super) cause: Option<Error>,
}

enum Builder {
    Bool(BooleanBuilder),
    Int2(Int16Builder),
    Int4(Int32Builder),
    Int8(Int64Builder),
    Float8(Float64Builder),
    Text(StringViewBuilder),
    Bytea(BinaryBuilder),
    /// Everything that has a text form: numeric, date, time, timestamp, json, uuid.
    Other(Box<ColumnBuilder>),
}

/// A column that grows.
pub(super) struct Column {
    name: String,
    ty: PgType,
    builder: Builder,
    options: FormatOptions,
    scratch: String,
}

impl Column {
    /// A column for values of the field's PostgreSQL type.
    pub(super) fn new(field: &Field) -> Self {
        let ty = types::pg_type_of(field);
        Column {
            name: field.name().clone(),
            ty,
            builder: builder(ty),
            options: FormatOptions::default(),
            scratch: String::new(),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Adds a value; returns roughly how many bytes it takes.
    pub(super) fn append(&mut self, value: ValueRef<'_>) -> std::result::Result<usize, Misfit> {
        match (&mut self.builder, value) {
            (builder, ValueRef::Null) => {
                append_null(builder);
                return Ok(1);
            }
            (Builder::Int8(builder), ValueRef::Integer(number)) => builder.append_value(number),
            (Builder::Int4(builder), ValueRef::Integer(number)) => match i32::try_from(number) {
                Ok(number) => builder.append_value(number),
                Err(_) => return Err(out_of_range("integer")),
            },
            (Builder::Int2(builder), ValueRef::Integer(number)) => match i16::try_from(number) {
                Ok(number) => builder.append_value(number),
                Err(_) => return Err(out_of_range("smallint")),
            },
            (Builder::Float8(builder), ValueRef::Real(number)) => builder.append_value(number),
            (Builder::Float8(builder), ValueRef::Integer(number)) => builder.append_value(exact_float(number)?),
            (Builder::Bool(builder), ValueRef::Integer(number @ (0 | 1))) => builder.append_value(number == 1),
            (Builder::Bool(builder), ValueRef::Text(text)) if text.eq_ignore_ascii_case(b"true") => {
                builder.append_value(true);
            }
            (Builder::Bool(builder), ValueRef::Text(text)) if text.eq_ignore_ascii_case(b"false") => {
                builder.append_value(false);
            }
            (Builder::Text(builder), ValueRef::Text(bytes)) => {
                let text = as_text(bytes)?;
                builder.try_append_value(text).map_err(|_| too_large())?;
                return Ok(text.len() + 16);
            }
            (Builder::Text(builder), ValueRef::Integer(number)) => builder.append_value(number.to_string()),
            (Builder::Text(builder), ValueRef::Real(number)) => builder.append_value(real_text(number)),
            (Builder::Bytea(builder), ValueRef::Blob(bytes)) => {
                builder.append_value(bytes);
                return Ok(bytes.len() + 8);
            }
            (Builder::Other(_), value) => return self.append_by_text(value),
            (_, value) => return Err(self.wrong_type(value)),
        }
        Ok(8)
    }

    fn append_by_text(&mut self, value: ValueRef<'_>) -> std::result::Result<usize, Misfit> {
        let text = match value_text(self.ty, value, &mut self.scratch) {
            Ok(Some(text)) => text,
            Ok(None) => return Err(self.wrong_type(value)),
            Err(misfit) => return Err(misfit),
        };
        let Builder::Other(builder) = &mut self.builder else { return Err(self.wrong_type(value)) };
        builder.append_text(Some(text), &self.options).map_err(|cause| Misfit {
            state: cause.state(),
            message: cause.message().to_owned(),
            stored: stored(value),
            cause: Some(cause),
        })?;
        Ok(text.len() + 16)
    }

    /// The values so far as an array; the column is empty after it.
    pub(super) fn finish(&mut self) -> Result<ArrayRef> {
        Ok(match &mut self.builder {
            Builder::Bool(builder) => Arc::new(builder.finish()),
            Builder::Int2(builder) => Arc::new(builder.finish()),
            Builder::Int4(builder) => Arc::new(builder.finish()),
            Builder::Int8(builder) => Arc::new(builder.finish()),
            Builder::Float8(builder) => Arc::new(builder.finish()),
            Builder::Text(builder) => Arc::new(builder.finish()),
            Builder::Bytea(builder) => Arc::new(builder.finish()),
            Builder::Other(builder) => builder.finish(),
        })
    }

    fn wrong_type(&self, value: ValueRef<'_>) -> Misfit {
        let datetime = matches!(self.ty, PgType::DATE | PgType::TIME | PgType::TIMESTAMP | PgType::TIMESTAMPTZ);
        Misfit {
            state: if datetime { SqlState::INVALID_DATETIME_FORMAT } else { SqlState::INVALID_TEXT_REPRESENTATION },
            message: format!("invalid input syntax for type {}: {}", self.ty.display_name(), shown(value)),
            stored: stored(value),
            cause: None,
        }
    }
}

fn builder(ty: PgType) -> Builder {
    match ty.bare() {
        PgType::BOOL => Builder::Bool(BooleanBuilder::new()),
        PgType::INT2 => Builder::Int2(Int16Builder::new()),
        PgType::INT4 => Builder::Int4(Int32Builder::new()),
        PgType::INT8 => Builder::Int8(Int64Builder::new()),
        PgType::FLOAT8 => Builder::Float8(Float64Builder::new()),
        // Equal texts of a column (flags, states, names of nations) are kept once.
        PgType::TEXT => Builder::Text(StringViewBuilder::new()),
        PgType::BYTEA => Builder::Bytea(BinaryBuilder::new()),
        _ => Builder::Other(Box::new(ColumnBuilder::new(ty, 0))),
    }
}

fn append_null(builder: &mut Builder) {
    match builder {
        Builder::Bool(builder) => builder.append_null(),
        Builder::Int2(builder) => builder.append_null(),
        Builder::Int4(builder) => builder.append_null(),
        Builder::Int8(builder) => builder.append_null(),
        Builder::Float8(builder) => builder.append_null(),
        Builder::Text(builder) => builder.append_null(),
        Builder::Bytea(builder) => builder.append_null(),
        Builder::Other(builder) => builder.append_null(),
    }
}

/// The text that stands for a value of this type, if its storage class can stand for one.
fn value_text<'a>(
    ty: PgType,
    value: ValueRef<'a>,
    scratch: &'a mut String,
) -> std::result::Result<Option<&'a str>, Misfit> {
    scratch.clear();
    Ok(match (ty.bare(), value) {
        (PgType::NUMERIC, ValueRef::Integer(number)) => {
            scratch.push_str(&number.to_string());
            Some(scratch)
        }
        (PgType::NUMERIC, ValueRef::Real(number)) => {
            scratch.push_str(&decimal_text(ty, number).ok_or_else(|| scale_exceeded(ty, value))?);
            Some(scratch)
        }
        (PgType::NUMERIC, ValueRef::Text(bytes)) => {
            let text = as_text(bytes)?;
            if scale_of(text).is_some_and(|scale| fits_scale(ty, scale)) {
                Some(text)
            } else if scale_of(text).is_some() {
                return Err(scale_exceeded(ty, value));
            } else {
                None
            }
        }
        (PgType::DATE, ValueRef::Text(bytes)) => iso(as_text(bytes)?, &["dddd-dd-dd"]),
        (PgType::TIME, ValueRef::Text(bytes)) => iso(as_text(bytes)?, &["dd:dd", "dd:dd:dd"]),
        (PgType::TIMESTAMP | PgType::TIMESTAMPTZ, ValueRef::Text(bytes)) => timestamp(ty, as_text(bytes)?),
        (PgType::DATE | PgType::TIME | PgType::TIMESTAMP | PgType::TIMESTAMPTZ, _) => None,
        (PgType::NUMERIC, ValueRef::Blob(_)) => None,
        (PgType::UUID, ValueRef::Blob(bytes)) if bytes.len() == 16 => {
            scratch.extend(bytes.iter().map(|byte| format!("{byte:02x}")));
            Some(scratch)
        }
        (_, ValueRef::Text(bytes)) => Some(as_text(bytes)?),
        _ => None,
    })
}

/// Text in one of SQLite's own forms of dates and times; anything else that PostgreSQL might guess at is refused.
fn iso<'a>(text: &'a str, shapes: &[&str]) -> Option<&'a str> {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let shape_fits = shapes.iter().any(|shape| {
        shape.len() == whole.len()
            && shape.bytes().zip(whole.bytes()).all(|(s, b)| if s == b'd' { b.is_ascii_digit() } else { s == b })
    });
    let fraction_fits = fraction.is_none_or(|digits| {
        // More than microseconds would have to be rounded.
        whole.len() >= 8
            && whole.contains(':')
            && (1..=6).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
    });
    (shape_fits && fraction_fits).then_some(text)
}

/// A timestamp; without zone it may end in `Z` or `+00:00` (it is UTC then), any other offset would change it.
fn timestamp(ty: PgType, text: &str) -> Option<&str> {
    const SHAPES: [&str; 5] =
        ["dddd-dd-dd", "dddd-dd-dd dd:dd", "dddd-dd-dd dd:dd:dd", "dddd-dd-ddTdd:dd", "dddd-dd-ddTdd:dd:dd"];
    let with_zone = ty.bare() == PgType::TIMESTAMPTZ;
    let bare = text.strip_suffix('Z').or_else(|| text.strip_suffix("+00:00")).map(str::trim_end);
    if let Some(bare) = bare {
        let fits = iso(bare, &SHAPES).is_some_and(|bare| bare.len() > 10);
        return fits.then_some(if with_zone { text } else { bare });
    }
    if with_zone && let Some(at) = text.rfind(['+', '-']).filter(|at| *at > 10) {
        let offset = &text[at + 1..];
        let offset_fits = iso(offset, &["dd", "dddd", "dd:dd"]).is_some();
        return (offset_fits && iso(text[..at].trim_end(), &SHAPES).is_some()).then_some(text);
    }
    iso(text, &SHAPES)
}

/// Digits after the point of a plain decimal number; `None` if it is none.
fn scale_of(text: &str) -> Option<usize> {
    let digits = text.trim().trim_start_matches(['-', '+']);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = whole.len() + fraction.len() > 0 && (whole.bytes().chain(fraction.bytes())).all(|b| b.is_ascii_digit());
    plain.then(|| fraction.trim_end_matches('0').len())
}

fn fits_scale(ty: PgType, scale: usize) -> bool {
    ty.precision_scale().is_none_or(|(_, declared)| usize::try_from(declared).is_ok_and(|declared| scale <= declared))
}

/// A real as decimal digits. Its shortest form is taken; where that has more digits than the column's scale, the 15 digits that
/// SQLite itself shows are (sums of cents carry binary noise behind them). More digits than that would be cut: `None`.
fn decimal_text(ty: PgType, number: f64) -> Option<String> {
    if !number.is_finite() {
        return None;
    }
    let shortest = format!("{number}");
    if scale_of(&shortest).is_some_and(|scale| fits_scale(ty, scale)) {
        return Some(shortest);
    }
    let rounded: f64 = format!("{number:.14e}").parse().ok()?;
    let shown = format!("{rounded}");
    scale_of(&shown).is_some_and(|scale| fits_scale(ty, scale)).then_some(shown)
}

/// A real as PostgreSQL prints it: the shortest digits that read back the same.
fn real_text(number: f64) -> String {
    if number.is_infinite() {
        return if number > 0.0 { "Infinity".to_owned() } else { "-Infinity".to_owned() };
    }
    let magnitude = number.abs();
    if number != 0.0 && !(1e-4..1e15).contains(&magnitude) {
        let scientific = format!("{number:e}");
        let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |rest| ('-', rest));
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    format!("{number}")
}

fn exact_float(number: i64) -> std::result::Result<f64, Misfit> {
    let float = number as f64;
    // Up to 2^53 every integer has its float; beyond that only some.
    if float as i128 == i128::from(number) { Ok(float) } else { Err(out_of_range("double precision")) }
}

fn as_text(bytes: &[u8]) -> std::result::Result<&str, Misfit> {
    let text = std::str::from_utf8(bytes).map_err(|e| Misfit {
        state: SqlState::CHARACTER_NOT_IN_REPERTOIRE,
        message: format!(
            "invalid byte sequence for encoding \"UTF8\": 0x{:02x}",
            bytes.get(e.valid_up_to()).copied().unwrap_or(0)
        ),
        stored: "text",
        cause: None,
    })?;
    if text.as_bytes().contains(&0) {
        return Err(Misfit {
            state: SqlState::CHARACTER_NOT_IN_REPERTOIRE,
            message: "invalid byte sequence for encoding \"UTF8\": 0x00".to_owned(),
            stored: "text",
            cause: None,
        });
    }
    Ok(text)
}

fn out_of_range(ty: &str) -> Misfit {
    Misfit {
        state: SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
        message: format!("{ty} out of range"),
        stored: "integer",
        cause: None,
    }
}

fn scale_exceeded(ty: PgType, value: ValueRef<'_>) -> Misfit {
    Misfit {
        state: SqlState::INVALID_TEXT_REPRESENTATION,
        message: format!("{} does not fit type {} without rounding", shown(value), ty.display_name()),
        stored: stored(value),
        cause: None,
    }
}

fn too_large() -> Misfit {
    Misfit {
        state: SqlState::PROGRAM_LIMIT_EXCEEDED,
        message: "text is too large".to_owned(),
        stored: "text",
        cause: None,
    }
}

fn stored(value: ValueRef<'_>) -> &'static str {
    match value {
        ValueRef::Null => "null",
        ValueRef::Integer(_) => "integer",
        ValueRef::Real(_) => "real",
        ValueRef::Text(_) => "text",
        ValueRef::Blob(_) => "blob",
    }
}

/// A value as a message shows it, cut to a line.
fn shown(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(number) => format!("\"{number}\""),
        ValueRef::Real(number) => format!("\"{}\"", real_text(number)),
        ValueRef::Text(bytes) => {
            let text = String::from_utf8_lossy(bytes);
            let cut: String = text.chars().take(80).collect();
            format!("\"{cut}{}\"", if text.chars().nth(80).is_some() { "..." } else { "" })
        }
        ValueRef::Blob(bytes) => format!("a blob of {} bytes", bytes.len()),
    }
}
