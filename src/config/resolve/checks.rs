//! Small checks that several parts share: names, patterns, files that must be readable.
//! Must not know: which section asks.

use std::path::PathBuf;

use super::super::Patterns;
use super::super::errors::Span;
use super::super::file::At;
use super::Context;

/// PostgreSQL's longest identifier in bytes.
const MAX_NAME_BYTES: usize = 63;

/// Checks the name of a source or of a schema that clients see.
///
/// Lower-case only, so that nobody needs quotes and no name can end a quoted identifier in SQL that is sent.
pub(super) fn schema_name(name: &str, what: &str, at: &Span, cx: &mut Context<'_, '_>) {
    let plain = !name.is_empty()
        && name.bytes().enumerate().all(|(i, b)| b.is_ascii_lowercase() || b == b'_' || (i > 0 && b.is_ascii_digit()));
    if !plain {
        cx.mistake(
            at,
            format!(
                "{what} name \"{}\" must be lower-case letters, digits and \"_\", not beginning with a digit",
                name.escape_debug()
            ),
        );
    } else if name.len() > MAX_NAME_BYTES {
        cx.mistake(at, format!("{what} name \"{name}\" is longer than {MAX_NAME_BYTES} bytes"));
    } else if matches!(name, "tusk" | "information_schema") || name.starts_with("pg_") {
        cx.mistake(at, format!("{what} name \"{name}\" is reserved"));
    }
}

/// Checks the name of a role, user, table, column: anything PostgreSQL takes between double quotes.
pub(super) fn any_name(name: &str, what: &str, at: &Span, cx: &mut Context<'_, '_>) {
    if name.is_empty() {
        cx.mistake(at, format!("{what} name is empty"));
    } else if name.chars().any(char::is_control) {
        cx.mistake(at, format!("{what} name \"{}\" has a control character", name.escape_debug()));
    } else if name.len() > MAX_NAME_BYTES {
        cx.mistake(at, format!("{what} name \"{name}\" is longer than {MAX_NAME_BYTES} bytes"));
    }
}

/// Reads patterns; with `qualified`, each must be `schema.table`.
pub(super) fn patterns(raw: &[At<String>], qualified: bool, cx: &mut Context<'_, '_>) -> Patterns {
    let mut texts = Vec::with_capacity(raw.len());
    for pattern in raw {
        let text = pattern.get_ref();
        let body = text.strip_prefix('!').unwrap_or(text);
        let problem = if body.is_empty() {
            Some("is empty")
        } else if body.contains('!') && body.starts_with('!') {
            Some("has more than one \"!\"")
        } else if body.chars().any(char::is_control) {
            Some("has a control character")
        } else if qualified
            && !body.split_once('.').is_some_and(|(schema, table)| !schema.is_empty() && !table.is_empty())
        {
            Some("must have the form \"schema.table\"")
        } else {
            None
        };
        if let Some(problem) = problem {
            cx.mistake(&pattern.span(), format!("pattern \"{}\" {problem}", text.escape_debug()));
        }
        texts.push(text.clone());
    }
    if !texts.is_empty() && texts.iter().all(|text| text.starts_with('!')) {
        let at = raw.first().map_or(0..0, toml::Spanned::span);
        cx.mistake(&at, "patterns that only exclude match nothing: begin with a pattern that includes, such as \"*\"");
    }
    Patterns::new(&texts)
}

/// A path to a file that must be readable now.
pub(super) fn readable(raw: &At<String>, key: &str, cx: &mut Context<'_, '_>) -> PathBuf {
    let path = cx.absolute(raw.get_ref());
    let problem = if raw.get_ref().is_empty() {
        Some("the path is empty".to_owned())
    } else {
        match std::fs::metadata(&path) {
            Ok(metadata) if !metadata.is_file() => Some("it is not a regular file".to_owned()),
            Ok(_) => std::fs::File::open(&path).err().map(|error| error.to_string()),
            Err(error) => Some(error.to_string()),
        }
    };
    if let Some(problem) = problem {
        cx.mistake(&raw.span(), format!("{key}: cannot read \"{}\": {problem}", path.display()));
    }
    path
}

/// Names that must be distinct and well-formed.
pub(super) fn distinct(raw: &[At<String>], what: &str, cx: &mut Context<'_, '_>) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(raw.len());
    for name in raw {
        any_name(name.get_ref(), what, &name.span(), cx);
        if names.contains(name.get_ref()) {
            cx.mistake(&name.span(), format!("{what} \"{}\" is named twice", name.get_ref()));
        } else {
            names.push(name.get_ref().clone());
        }
    }
    names
}

/// Whether the host of `host:port` is this machine and nothing else.
pub(super) fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Splits `host:port`; an IPv6 address stands in brackets.
pub(super) fn host_port(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').filter(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok())?,
        None if host.contains(':') => return None,
        None => host,
    };
    let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    if host.is_empty() || host.chars().any(|c| c.is_whitespace() || c.is_control()) || !digits {
        return None;
    }
    port.parse().ok().map(|port| (host, port))
}
