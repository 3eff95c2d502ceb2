//! The `options` of a start-up packet: command-line switches that set session variables.
//! Must not know: which variables there are.

use crate::error::{Error, Result, SqlState};

/// Parses `-c name=value`, `-cname=value` and `--name=value`, separated by white space, with backslash escapes.
///
/// # Errors
/// `42601`, in PostgreSQL's words: a switch without a value, or any other switch.
pub(super) fn parse(options: &str) -> Result<Vec<(String, String)>> {
    let mut settings = Vec::new();
    let mut words = split(options).into_iter();
    while let Some(word) = words.next() {
        let (shown, setting) = if let Some(long) = word.strip_prefix("--") {
            (format!("--{long}"), long.to_owned())
        } else if let Some(joined) = word.strip_prefix("-c") {
            let setting = if joined.is_empty() { words.next() } else { Some(joined.to_owned()) };
            let setting = setting.ok_or_else(|| invalid(&word))?;
            (format!("-c {setting}"), setting)
        } else {
            return Err(invalid(&word));
        };
        let Some((name, value)) = setting.split_once('=') else {
            return Err(Error::client(SqlState::SYNTAX_ERROR, format!("{shown} requires a value")));
        };
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(settings)
}

fn invalid(word: &str) -> Error {
    Error::client(SqlState::SYNTAX_ERROR, format!("invalid command-line argument for server process: {word}"))
}

/// Words between white space; a backslash takes the next character as it is.
fn split(options: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = options.chars();
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}' => words.extend(word.take()),
            '\\' => word.get_or_insert_default().extend(characters.next()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_switches() {
        let parsed = parse("-c  search_path=a\\ b,c --statement-timeout=5s -cTimeZone=UTC\\\\").unwrap();
        let expected = [("search_path", "a b,c"), ("statement_timeout", "5s"), ("TimeZone", "UTC\\")];
        let expected: Vec<_> = expected.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        assert_eq!(parsed, expected);
        assert!(parse("   ").unwrap().is_empty());
    }

    #[test]
    fn refuses_other_switches() {
        let message = |options: &str| parse(options).unwrap_err().message().to_owned();
        assert_eq!(message("-c jit"), "-c jit requires a value");
        assert_eq!(message("--jit"), "--jit requires a value");
        assert_eq!(message("-e"), "invalid command-line argument for server process: -e");
        assert_eq!(message("-c"), "invalid command-line argument for server process: -c");
        assert_eq!(message("x"), "invalid command-line argument for server process: x");
    }
}
