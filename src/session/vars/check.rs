//! The rules of single variables: who may set them, which texts they take, what they change in the form of values.
//! Must not know: how values are kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::names::split_identifiers;
use super::{Check, Context, Slot, Value, Variable};
use crate::error::{Error, Result, SqlState};
use crate::names::cut;
use crate::types::{ByteaOutput, DateStyle, FormatOptions, IntervalStyle, TimeZone};

/// Prefixes whose names are all in the table, or that must not look as if they did something.
const RESERVED_PREFIXES: [&str; 2] = ["tusk", "datafusion"];

/// Encodings that PostgreSQL knows and Tusk does not convert to, as PostgreSQL compares them: letters and digits only.
const OTHER_ENCODINGS: &[&str] = &[
    "abc",
    "alt",
    "big5",
    "euccn",
    "eucjis2004",
    "eucjp",
    "euckr",
    "euctw",
    "gb18030",
    "gbk",
    "iso88591",
    "iso885910",
    "iso885913",
    "iso885914",
    "iso885915",
    "iso885916",
    "iso88592",
    "iso88593",
    "iso88594",
    "iso88595",
    "iso88596",
    "iso88597",
    "iso88598",
    "iso88599",
    "johab",
    "koi8",
    "koi8r",
    "koi8u",
    "latin1",
    "latin10",
    "latin2",
    "latin3",
    "latin4",
    "latin5",
    "latin6",
    "latin7",
    "latin8",
    "latin9",
    "mskanji",
    "muleinternal",
    "shiftjis",
    "shiftjis2004",
    "sjis",
    "tcvn",
    "tcvn5712",
    "uhc",
    "vscii",
    "win",
    "win1250",
    "win1251",
    "win1252",
    "win1253",
    "win1254",
    "win1255",
    "win1256",
    "win1257",
    "win1258",
    "win866",
    "win874",
    "win932",
    "win936",
    "win949",
    "win950",
    "windows1250",
    "windows1251",
    "windows1252",
    "windows1253",
    "windows1254",
    "windows1255",
    "windows1256",
    "windows1257",
    "windows1258",
    "windows866",
    "windows874",
    "windows932",
    "windows936",
    "windows949",
    "windows950",
];

/// Whether a client may set it.
pub(super) fn may_set(variable: &Variable) -> Result<()> {
    let name = variable.name;
    match variable.context {
        Context::User => Ok(()),
        Context::Internal => {
            Err(Error::client(SqlState::CANT_CHANGE_RUNTIME_PARAM, format!("parameter \"{name}\" cannot be changed")))
        }
        Context::Postmaster => Err(Error::client(
            SqlState::CANT_CHANGE_RUNTIME_PARAM,
            format!("parameter \"{name}\" cannot be changed without restarting the server"),
        )),
        Context::Superuser => Err(Error::policy(
            SqlState::INSUFFICIENT_PRIVILEGE,
            format!("permission denied to set parameter \"{name}\""),
        )),
    }
}

/// SET ROLE and SET SESSION AUTHORIZATION take nobody but the user who logged in, `own`.
pub(super) fn identity(variable: &Variable, text: &str, own: &str) -> Result<()> {
    let fits = match variable.name {
        "role" => text.eq_ignore_ascii_case("none") || text == own,
        "session_authorization" => text == own,
        _ => true,
    };
    if fits {
        return Ok(());
    }
    // The same words whether the role exists or not.
    Err(Error::policy(SqlState::INVALID_PARAMETER_VALUE, format!("role \"{text}\" does not exist")))
}

/// Bytes that a value may have; PostgreSQL has no such limit, but holds each value once, not once for every savepoint.
const MAX_VALUE_BYTES: usize = 1 << 20;

/// Variables that a client may make up, and the bytes that they may take together.
const MAX_CUSTOM: usize = 1_000;
const MAX_CUSTOM_BYTES: usize = 4 << 20;

/// Whether a value has a length that is kept.
pub(super) fn length(name: &str, text: &str) -> Result<()> {
    if text.len() <= MAX_VALUE_BYTES {
        return Ok(());
    }
    let message = format!("value for parameter \"{name}\" is too long");
    Err(Error::resource(SqlState::PROGRAM_LIMIT_EXCEEDED, message)
        .with_detail(format!("A value can have {MAX_VALUE_BYTES} bytes.")))
}

/// Whether one more made-up variable finds room.
pub(super) fn room(custom: &BTreeMap<String, Slot>, name: &str, slot: &Slot) -> Result<()> {
    let bytes = |name: &str, slot: &Slot| name.len() + if let Value::Text(text) = &slot.value { text.len() } else { 0 };
    let others = || custom.iter().filter(|(known, _)| *known != name);
    let taken: usize = others().map(|(name, slot)| bytes(name, slot)).sum();
    if others().count() < MAX_CUSTOM && taken + bytes(name, slot) <= MAX_CUSTOM_BYTES {
        return Ok(());
    }
    Err(Error::resource(SqlState::CONFIGURATION_LIMIT_EXCEEDED, "too many custom parameters")
        .with_detail(format!("A session can have {MAX_CUSTOM} of them, of {MAX_CUSTOM_BYTES} bytes together.")))
}

/// What belongs to one transaction is no default of a session.
pub(super) fn not_of_a_transaction(variable: &Variable) -> Result<()> {
    if variable.name != "transaction_isolation" {
        return Ok(());
    }
    Err(Error::client(
        SqlState::ACTIVE_SQL_TRANSACTION,
        "SET TRANSACTION ISOLATION LEVEL must be called before any query",
    ))
}

/// A name with dots, which PostgreSQL lets everybody make up.
pub(super) fn custom_name(name: &str) -> Result<()> {
    if !name.contains('.') {
        return Err(Error::client(
            SqlState::UNDEFINED_OBJECT,
            format!("unrecognized configuration parameter \"{name}\""),
        ));
    }
    let invalid = || Error::client(SqlState::INVALID_NAME, format!("invalid configuration parameter name \"{name}\""));
    let simple = |part: &str| {
        part.char_indices().all(|(i, c)| {
            c.is_ascii_alphabetic() || c == '_' || !c.is_ascii() || (i > 0 && (c.is_ascii_digit() || c == '$'))
        }) && !part.is_empty()
    };
    if !name.split('.').all(simple) {
        return Err(
            invalid().with_detail("Custom parameter names must be two or more simple identifiers separated by dots.")
        );
    }
    let prefix = name.split('.').next().unwrap_or_default();
    if let Some(reserved) = RESERVED_PREFIXES.iter().find(|reserved| reserved.eq_ignore_ascii_case(prefix)) {
        return Err(invalid().with_detail(format!("\"{reserved}\" is a reserved prefix.")));
    }
    Ok(())
}

fn invalid(name: &str, text: &str) -> Error {
    Error::client(SqlState::INVALID_PARAMETER_VALUE, format!("invalid value for parameter \"{name}\": \"{text}\""))
}

/// Whether a value is a name that is too long and is cut.
#[must_use]
pub fn is_cut(name: &str, text: &str) -> bool {
    let variable = super::find(name).and_then(|index| super::VARIABLES.get(index));
    variable.is_some_and(|variable| matches!(variable.kind, super::Kind::Text(Check::Ascii))) && cut(text) != text
}

/// A text by its rules, as it is kept.
pub(super) fn text(variable: &Variable, check: Check, text: &str, format: &FormatOptions) -> Result<String> {
    match check {
        Check::Any => Ok(text.to_owned()),
        // PostgreSQL replaces each byte.
        Check::Ascii => Ok(cut(text)
            .bytes()
            .map(|byte| if (b' '..=b'~').contains(&byte) { char::from(byte) } else { '?' })
            .collect()),
        Check::Identifiers => match split_identifiers(text) {
            Some(_) => Ok(text.to_owned()),
            None => Err(invalid(variable.name, text).with_detail("List syntax is invalid.")),
        },
        Check::DateStyle => Ok(DateStyle::parse(text, format.date_style)?.to_string()),
        Check::TimeZone => Ok(TimeZone::parse(text)?.name().to_owned()),
        Check::Encoding => encoding(text),
        Check::Locale => match text {
            "" | "C" | "POSIX" | "C.UTF-8" | "C.utf8" => Ok(text.to_owned()),
            _ => Err(invalid(variable.name, text)),
        },
        Check::Tablespace | Check::AccessMethod | Check::TextSearch | Check::Abbreviations => {
            named(variable, check, text)
        }
    }
}

/// PostgreSQL's text search configurations.
const TEXT_SEARCH: &[&str] = &[
    "arabic",
    "armenian",
    "basque",
    "catalan",
    "danish",
    "dutch",
    "english",
    "finnish",
    "french",
    "german",
    "greek",
    "hindi",
    "hungarian",
    "indonesian",
    "irish",
    "italian",
    "lithuanian",
    "nepali",
    "norwegian",
    "portuguese",
    "romanian",
    "russian",
    "serbian",
    "simple",
    "spanish",
    "swedish",
    "tamil",
    "turkish",
    "yiddish",
];

/// The name of something that must be there, as it is kept.
fn named(variable: &Variable, check: Check, text: &str) -> Result<String> {
    let missing = || invalid(variable.name, text);
    let known = |names: &[&str]| names.contains(&text);
    match check {
        Check::Tablespace if known(&["", "pg_default", "pg_global"]) => Ok(text.to_owned()),
        Check::Tablespace => Err(missing().with_detail(format!("Tablespace \"{text}\" does not exist."))),
        Check::AccessMethod if known(&["heap"]) => Ok(text.to_owned()),
        Check::AccessMethod if text.is_empty() => {
            Err(missing().with_detail(format!("{} cannot be empty.", variable.name)))
        }
        Check::AccessMethod => Err(missing().with_detail(format!("Table access method \"{text}\" does not exist."))),
        Check::Abbreviations if known(&["Default", "Australia", "India"]) => Ok(text.to_owned()),
        Check::TextSearch => {
            let folded = text.to_ascii_lowercase();
            let name = folded.strip_prefix("pg_catalog.").unwrap_or(&folded);
            if TEXT_SEARCH.contains(&name) { Ok(format!("pg_catalog.{name}")) } else { Err(missing()) }
        }
        _ => Err(missing()),
    }
}

/// `client_encoding`: PostgreSQL compares letters and digits only, so drivers' quotes and hyphens are welcome.
fn encoding(text: &str) -> Result<String> {
    let clean: String = text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    match clean.as_str() {
        "unicode" if text == "UNICODE" => Ok(text.to_owned()),
        "utf8" | "unicode" => Ok("UTF8".to_owned()),
        // Bytes as they are, which is UTF-8 here; what libpq asks for under LANG=C.
        "sqlascii" => Ok("SQL_ASCII".to_owned()),
        other if OTHER_ENCODINGS.contains(&other) => {
            let detail = format!("Conversion between {} and UTF8 is not supported.", text.to_ascii_uppercase());
            Err(Error::unsupported(invalid("client_encoding", text).message()).with_detail(detail))
        }
        _ => Err(invalid("client_encoding", text)),
    }
}

/// Whether PostgreSQL knows an encoding by this name, of which letters and digits count.
#[must_use]
pub fn is_encoding(text: &str) -> bool {
    let clean: String = text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    matches!(clean.as_str(), "utf8" | "unicode" | "sqlascii") || OTHER_ENCODINGS.contains(&clean.as_str())
}

/// A variable that only has one legal value for now.
pub(super) fn legal(variable: &Variable, value: &Value) -> Result<()> {
    if variable.name == "standard_conforming_strings" && *value == Value::Bool(false) {
        return Err(Error::unsupported("standard_conforming_strings cannot be turned off")
            .with_hint("Write strings with backslash escapes as E'...'."));
    }
    // Rather than a promise that is not kept.
    let kept = match (variable.name, value) {
        ("tusk.islands", Value::Bool(on)) => *on,
        ("tusk.progress", Value::Bool(on)) => !on,
        ("tusk.require_pushdown", Value::Word(word)) => *word == "off",
        _ => true,
    };
    if !kept {
        return Err(Error::unsupported(format!("another value of {} is not supported", variable.name)));
    }
    Ok(())
}

/// Brings the parsed form of values up to date.
pub(super) fn apply(variable: &Variable, value: &Value, format: &mut Arc<FormatOptions>) -> Result<()> {
    match (variable.name, value) {
        ("DateStyle", Value::Text(text)) => {
            let style = DateStyle::parse(text, format.date_style)?;
            Arc::make_mut(format).date_style = style;
        }
        ("IntervalStyle", Value::Word(word)) => Arc::make_mut(format).interval_style = IntervalStyle::parse(word)?,
        ("TimeZone", Value::Text(text)) => Arc::make_mut(format).time_zone = TimeZone::parse(text)?,
        ("bytea_output", Value::Word(word)) => Arc::make_mut(format).bytea_output = ByteaOutput::parse(word)?,
        ("extra_float_digits", Value::Int(digits)) => Arc::make_mut(format).extra_float_digits = *digits,
        _ => {}
    }
    Ok(())
}
