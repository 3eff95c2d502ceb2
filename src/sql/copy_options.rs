//! The options of COPY, checked as PostgreSQL checks them.
//! Must not know: how rows are written.

use crate::error::{Error, Result, SqlState};

/// How COPY writes rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CopyFormat {
    /// Tab-separated text with backslash escapes.
    #[default]
    Text,
    /// Comma-separated values.
    Csv,
    /// PostgreSQL's binary format.
    Binary,
}

/// Which columns CSV always quotes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ForceQuote {
    /// None.
    #[default]
    None,
    /// All but NULLs.
    All,
    /// These, by output name.
    Columns(Vec<String>),
}

/// The options of COPY ... TO, with PostgreSQL's defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyOptions {
    /// The format.
    pub format: CopyFormat,
    /// Between columns: one byte.
    pub delimiter: u8,
    /// What a NULL looks like.
    pub null: String,
    /// A first line with the column names.
    pub header: bool,
    /// CSV's quote: one byte.
    pub quote: u8,
    /// CSV's escape: one byte.
    pub escape: u8,
    /// CSV's columns that are always quoted.
    pub force_quote: ForceQuote,
    /// The encoding asked for, as written.
    pub encoding: Option<String>,
}

/// What the statement says, before defaults.
#[derive(Debug, Default)]
pub(super) struct Raw {
    pub(super) format: Option<CopyFormat>,
    pub(super) delimiter: Option<String>,
    pub(super) null: Option<String>,
    pub(super) header: Option<bool>,
    pub(super) quote: Option<String>,
    pub(super) escape: Option<String>,
    pub(super) force_quote: Option<ForceQuote>,
    pub(super) encoding: Option<String>,
}

fn invalid(message: impl Into<String>) -> Error {
    Error::client(SqlState::INVALID_PARAMETER_VALUE, message)
}

fn unsupported(message: &str) -> Error {
    Error::unsupported(message)
}

fn one_byte(value: &str, message: &str) -> Result<u8> {
    match value.as_bytes() {
        [byte] => Ok(*byte),
        _ => Err(unsupported(message)),
    }
}

/// Fills in the defaults and checks what fits together, in PostgreSQL's order.
pub(super) fn finish(raw: Raw) -> Result<CopyOptions> {
    let syntax = |message: &str| Error::client(SqlState::SYNTAX_ERROR, message);
    let format = raw.format.unwrap_or_default();
    let csv = format == CopyFormat::Csv;
    if format == CopyFormat::Binary {
        if raw.delimiter.is_some() {
            return Err(syntax("cannot specify DELIMITER in BINARY mode"));
        }
        if raw.null.is_some() {
            return Err(syntax("cannot specify NULL in BINARY mode"));
        }
        if raw.header == Some(true) {
            return Err(unsupported("cannot specify HEADER in BINARY mode"));
        }
    }
    let default_delimiter = if csv { "," } else { "\t" };
    let delimiter = one_byte(
        raw.delimiter.as_deref().unwrap_or(default_delimiter),
        "COPY delimiter must be a single one-byte character",
    )?;
    if matches!(delimiter, b'\n' | b'\r') {
        return Err(invalid("COPY delimiter cannot be newline or carriage return"));
    }
    let null = raw.null.unwrap_or_else(|| if csv { String::new() } else { "\\N".to_owned() });
    if null.contains(['\n', '\r']) {
        return Err(invalid("COPY null representation cannot use newline or carriage return"));
    }
    if !csv && (delimiter.is_ascii_lowercase() || delimiter.is_ascii_digit() || matches!(delimiter, b'\\' | b'.')) {
        return Err(invalid(format!("COPY delimiter cannot be \"{}\"", char::from(delimiter))));
    }
    if !csv && raw.quote.is_some() {
        return Err(unsupported("COPY quote available only in CSV mode"));
    }
    let quote = one_byte(raw.quote.as_deref().unwrap_or("\""), "COPY quote must be a single one-byte character")?;
    if csv && delimiter == quote {
        return Err(invalid("COPY delimiter and quote must be different"));
    }
    if !csv && raw.escape.is_some() {
        return Err(unsupported("COPY escape available only in CSV mode"));
    }
    let default_escape = char::from(quote).to_string();
    let escape =
        one_byte(raw.escape.as_deref().unwrap_or(&default_escape), "COPY escape must be a single one-byte character")?;
    if !csv && raw.force_quote.is_some() {
        return Err(unsupported("COPY force quote available only in CSV mode"));
    }
    if null.as_bytes().contains(&delimiter) {
        return Err(unsupported("COPY delimiter must not appear in the NULL specification"));
    }
    if csv && null.as_bytes().contains(&quote) {
        return Err(unsupported("CSV quote character must not appear in the NULL specification"));
    }
    Ok(CopyOptions {
        format,
        delimiter,
        null,
        header: raw.header.unwrap_or(false),
        quote,
        escape,
        force_quote: raw.force_quote.unwrap_or_default(),
        encoding: raw.encoding,
    })
}
