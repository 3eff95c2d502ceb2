//! The `options` of a start-up packet: command-line switches that set session variables.
//! Must not know: which variables there are.

use crate::error::{Error, Result, SqlState};

/// Parses `-c name=value`, `-cname=value`, `--name=value` and the short switches that a backend has for variables a user may set,
/// separated by white space, with backslash escapes.
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
            let setting = argument(joined, &mut words).ok_or_else(|| invalid(&word))?;
            (format!("-c {setting}"), setting)
        } else {
            settings.extend(short(&word, &mut words)?);
            continue;
        };
        let Some((name, value)) = setting.split_once('=') else {
            return Err(Error::client(SqlState::SYNTAX_ERROR, format!("{shown} requires a value")));
        };
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(settings)
}

/// What is glued to a switch, or the next word.
fn argument(joined: &str, words: &mut impl Iterator<Item = String>) -> Option<String> {
    if joined.is_empty() { words.next() } else { Some(joined.to_owned()) }
}

/// `-e`, `-S kilobytes`, `-f` and the letter of a kind of plan; `-v` of the protocol means nothing any more.
fn short(word: &str, words: &mut impl Iterator<Item = String>) -> Result<Option<(String, String)>> {
    let setting = |name: &str, value: &str| Ok(Some((name.to_owned(), value.to_owned())));
    let (switch, joined) = word.split_at_checked(2).ok_or_else(|| invalid(word))?;
    match (switch, joined) {
        ("-e", "") => setting("DateStyle", "euro"),
        ("-S", joined) => {
            let size = argument(joined, words).ok_or_else(|| invalid(word))?;
            setting("work_mem", &size)
        }
        ("-v", joined) => argument(joined, words).map(|_| None).ok_or_else(|| invalid(word)),
        ("-f", joined) => {
            let kind = argument(joined, words).ok_or_else(|| invalid(word))?;
            let name = match kind.as_str() {
                "s" => "enable_seqscan",
                "i" => "enable_indexscan",
                "o" => "enable_indexonlyscan",
                "b" => "enable_bitmapscan",
                "t" => "enable_tidscan",
                "n" => "enable_nestloop",
                "m" => "enable_mergejoin",
                "h" => "enable_hashjoin",
                _ => return Err(invalid(word)),
            };
            setting(name, "off")
        }
        _ => Err(invalid(word)),
    }
}

fn invalid(word: &str) -> Error {
    Error::client(SqlState::SYNTAX_ERROR, format!("invalid command-line argument for server process: {word}"))
        .with_hint("Try \"postgres --help\" for more information.")
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
        let short = parse("-e -S 1024 -fs -f h -v3").unwrap();
        let names: Vec<_> = short.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(names, ["DateStyle=euro", "work_mem=1024", "enable_seqscan=off", "enable_hashjoin=off"]);
    }

    #[test]
    fn refuses_other_switches() {
        let message = |options: &str| parse(options).unwrap_err().message().to_owned();
        assert_eq!(message("-c jit"), "-c jit requires a value");
        assert_eq!(message("--jit"), "--jit requires a value");
        assert_eq!(message("-Q"), "invalid command-line argument for server process: -Q");
        assert_eq!(message("-f x"), "invalid command-line argument for server process: -f");
        assert_eq!(message("-ä"), "invalid command-line argument for server process: -ä");
        assert_eq!(message("-c"), "invalid command-line argument for server process: -c");
        assert_eq!(message("x"), "invalid command-line argument for server process: x");
    }
}
