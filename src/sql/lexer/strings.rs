//! Strings and quoted identifiers: where they end, and their value once escapes are resolved.
//! Must not know: grammar, sqlparser.

use crate::error::{Error, Result, SqlState};

use super::{Kind, Lexer, is_space, lexical_error, no_nul};

/// How a string's content is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `'...'`: a doubled quote is a quote, a backslash is a backslash.
    Plain,
    /// `E'...'`: C-like escapes.
    Escape,
    /// `U&'...'`: `\XXXX` and `\+XXXXXX`.
    Unicode,
}

impl Lexer<'_> {
    /// A string whose quote stands `prefix` bytes ahead. Strings parted by space with a line break are one.
    pub(super) fn text(&mut self, prefix: usize, form: Form) -> Result<(Kind, Option<String>)> {
        let (content, length) = self
            .content(prefix, form == Form::Escape)
            .ok_or_else(|| lexical_error("unterminated quoted string", self.rest(), self.position))?;
        let position = self.position;
        self.advance(length);
        let value = match form {
            Form::Plain => content,
            Form::Escape => unescape(&content, position)?,
            Form::Unicode => {
                let escape = self.uescape()?;
                unicode(&content, escape, position)?
            }
        };
        no_nul(&value)?;
        Ok((Kind::Text, Some(value)))
    }

    pub(super) fn bits(&mut self, kind: Kind) -> Result<(Kind, Option<String>)> {
        let what = if kind == Kind::Bits {
            "unterminated bit string literal"
        } else {
            "unterminated hexadecimal string literal"
        };
        let (content, length) =
            self.content(1, false).ok_or_else(|| lexical_error(what, self.rest(), self.position))?;
        self.advance(length);
        Ok((kind, Some(content)))
    }

    pub(super) fn quoted(&mut self, prefix: usize, unicode_form: bool) -> Result<(Kind, Option<String>)> {
        let unterminated = || lexical_error("unterminated quoted identifier", self.rest(), self.position);
        let (content, length) = self.run_to_quote(prefix, b'"', false).ok_or_else(unterminated)?;
        let mut value = content.replace("\"\"", "\"");
        if value.is_empty() {
            let near = self.rest().get(..length).unwrap_or("");
            return Err(lexical_error("zero-length delimited identifier", near, self.position));
        }
        no_nul(&value)?;
        let position = self.position;
        self.advance(length);
        if unicode_form {
            let escape = self.uescape()?;
            value = unicode(&value, escape, position)?;
        }
        Ok((Kind::Quoted, Some(value)))
    }

    /// The content of a string with its continuations, and the bytes it takes from here. In the content of a plain
    /// string quotes are single again; in one with escapes they stay doubled for [`unescape`].
    fn content(&self, prefix: usize, escapes: bool) -> Option<(String, usize)> {
        let (first, mut length) = self.run_to_quote(prefix, b'\'', escapes)?;
        let mut content = first.to_owned();
        while let Some(gap) = self.continuation(length) {
            let (more, end) = self.run_to_quote(length + gap, b'\'', escapes)?;
            content.push_str(more);
            length = end;
        }
        if !escapes {
            content = content.replace("''", "'");
        }
        Some((content, length))
    }

    /// What stands between the quote `prefix` bytes ahead and its partner, and the bytes up to after that partner.
    fn run_to_quote(&self, prefix: usize, quote: u8, escapes: bool) -> Option<(&str, usize)> {
        let bytes = self.source.as_bytes();
        let begin = self.at + prefix + 1;
        let mut at = begin;
        loop {
            let b = *bytes.get(at)?;
            if escapes && b == b'\\' {
                at += 2;
            } else if b != quote {
                at += 1;
            } else if bytes.get(at + 1) == Some(&quote) {
                at += 2;
            } else {
                return Some((self.source.get(begin..at)?, at + 1 - self.at));
            }
        }
    }

    /// The bytes from `length` to the next quote, if only space with a line break (and `--` comments) lies between.
    fn continuation(&self, length: usize) -> Option<usize> {
        let bytes = self.source.as_bytes();
        let mut at = self.at + length;
        let mut broken = false;
        loop {
            match bytes.get(at)? {
                b'\'' if broken => return Some(at - self.at - length),
                b'-' if bytes.get(at + 1) == Some(&b'-') => {
                    at += bytes.iter().skip(at).take_while(|b| !matches!(b, b'\n' | b'\r')).count();
                }
                b if is_space(*b) => {
                    broken |= matches!(b, b'\n' | b'\r');
                    at += 1;
                }
                _ => return None,
            }
        }
    }

    /// `UESCAPE 'c'` behind a Unicode string, if it is there.
    fn uescape(&mut self) -> Result<char> {
        let (at, position) = (self.at, self.position);
        self.skip_space()?;
        let named = self.rest().get(..7).is_some_and(|word| word.eq_ignore_ascii_case("uescape"));
        let after = self.byte(7);
        if !named || super::starts_word(after) || after.is_ascii_digit() {
            (self.at, self.position) = (at, position);
            return Ok('\\');
        }
        self.advance(7);
        self.skip_space()?;
        let invalid = lexical_error("invalid Unicode escape character", self.rest(), self.position);
        let Some((content, length)) = (self.byte(0) == b'\'').then(|| self.run_to_quote(0, b'\'', false)).flatten()
        else {
            return Err(lexical_error(
                "UESCAPE must be followed by a simple string literal",
                self.rest(),
                self.position,
            ));
        };
        let mut chars = content.chars();
        match (chars.next(), chars.next()) {
            (Some(c), None) if !c.is_ascii_hexdigit() && !matches!(c, '+' | '\'' | '"') && !c.is_whitespace() => {
                self.advance(length);
                Ok(c)
            }
            _ => Err(invalid),
        }
    }
}

fn bad_escape(position: u32) -> Error {
    Error::client(SqlState::INVALID_ESCAPE_SEQUENCE, "invalid Unicode escape")
        .with_hint("Unicode escapes must be \\uXXXX or \\UXXXXXXXX.")
        .with_position(position)
}

fn bad_pair(position: u32) -> Error {
    Error::client(SqlState::SYNTAX_ERROR, "invalid Unicode surrogate pair").with_position(position)
}

/// Collects characters; joins surrogate pairs; keeps bytes given as `\xHH` or `\NNN` until they are UTF-8.
struct Collector {
    bytes: Vec<u8>,
    high: Option<u32>,
    position: u32,
}

impl Collector {
    fn new(position: u32) -> Self {
        Collector { bytes: Vec::new(), high: None, position }
    }

    fn plain(&mut self, c: char) -> Result<()> {
        if self.high.is_some() {
            return Err(bad_pair(self.position));
        }
        self.bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }

    fn byte(&mut self, b: u8) -> Result<()> {
        if self.high.is_some() {
            return Err(bad_pair(self.position));
        }
        self.bytes.push(b);
        Ok(())
    }

    fn code(&mut self, code: u32) -> Result<()> {
        match (self.high.take(), code) {
            (None, 0xD800..=0xDBFF) => self.high = Some(code),
            (Some(high), 0xDC00..=0xDFFF) => {
                let joined = 0x1_0000 + ((high - 0xD800) << 10) + (code - 0xDC00);
                self.plain(char::from_u32(joined).ok_or_else(|| bad_pair(self.position))?)?;
            }
            (None, code) => match char::from_u32(code) {
                Some(c) if c != '\0' => self.plain(c)?,
                _ if (0xDC00..=0xDFFF).contains(&code) => return Err(bad_pair(self.position)),
                _ => {
                    return Err(Error::client(SqlState::SYNTAX_ERROR, "invalid Unicode escape value")
                        .with_position(self.position));
                }
            },
            (Some(_), _) => return Err(bad_pair(self.position)),
        }
        Ok(())
    }

    fn finish(self) -> Result<String> {
        if self.high.is_some() {
            return Err(bad_pair(self.position));
        }
        String::from_utf8(self.bytes).map_err(|e| {
            let valid = e.utf8_error().valid_up_to();
            let bad = e.as_bytes().get(valid).copied().unwrap_or(0);
            Error::client(
                SqlState::CHARACTER_NOT_IN_REPERTOIRE,
                format!("invalid byte sequence for encoding \"UTF8\": 0x{bad:02x}"),
            )
        })
    }
}

/// Resolves the escapes of `E'...'`.
fn unescape(content: &str, position: u32) -> Result<String> {
    let mut out = Collector::new(position);
    let mut rest = content;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        if c == '\'' {
            // The lexer ends a string at a lone quote, so this one is doubled.
            rest = rest.strip_prefix('\'').unwrap_or(rest);
            out.plain('\'')?;
            continue;
        }
        if c != '\\' {
            out.plain(c)?;
            continue;
        }
        let Some(escaped) = rest.chars().next() else { break };
        rest = &rest[escaped.len_utf8()..];
        match escaped {
            'b' => out.plain('\u{8}')?,
            'f' => out.plain('\u{c}')?,
            'n' => out.plain('\n')?,
            'r' => out.plain('\r')?,
            't' => out.plain('\t')?,
            'v' => out.plain('\u{b}')?,
            'u' | 'U' => {
                let digits = if escaped == 'u' { 4 } else { 8 };
                let passed = content.chars().count() - rest.chars().count() - 2;
                let at = position + 2 + u32::try_from(passed).unwrap_or(0);
                let code = hex(rest, digits).ok_or_else(|| bad_escape(at))?;
                rest = rest.get(digits..).unwrap_or("");
                out.code(code)?;
            }
            'x' if rest.starts_with(|c: char| c.is_ascii_hexdigit()) => {
                let digits = rest.chars().take(2).take_while(char::is_ascii_hexdigit).count();
                out.byte(u8::try_from(hex(rest, digits).unwrap_or(0)).unwrap_or(0))?;
                rest = rest.get(digits..).unwrap_or("");
            }
            '0'..='7' => {
                let more = rest.chars().take(2).take_while(|c| ('0'..='7').contains(c)).count();
                let octal = rest.get(..more).unwrap_or("");
                let value = u32::from_str_radix(&format!("{escaped}{octal}"), 8).unwrap_or(0);
                rest = rest.get(more..).unwrap_or("");
                out.byte(u8::try_from(value & 0xff).unwrap_or(0))?;
            }
            other => out.plain(other)?,
        }
    }
    out.finish()
}

fn hex(text: &str, digits: usize) -> Option<u32> {
    let text = text.get(..digits)?;
    text.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u32::from_str_radix(text, 16).ok()).flatten()
}

/// Resolves the escapes of `U&'...'` and `U&"..."`.
fn unicode(content: &str, escape: char, position: u32) -> Result<String> {
    let mut out = Collector::new(position);
    let mut rest = content;
    while let Some(c) = rest.chars().next() {
        // PostgreSQL points at the escape: behind `U&'`, if no doubled quote stands before it.
        let before = content.len() - rest.len();
        let passed = content.get(..before).map_or(0, |passed| passed.chars().count());
        let position = position + 3 + u32::try_from(passed).unwrap_or(0);
        out.position = position;
        rest = &rest[c.len_utf8()..];
        if c != escape {
            out.plain(c)?;
        } else if let Some(after) = rest.strip_prefix(escape) {
            rest = after;
            out.plain(escape)?;
        } else {
            let (skip, digits) = if rest.starts_with('+') { (1, 6) } else { (0, 4) };
            let code = rest.get(skip..).and_then(|rest| hex(rest, digits)).ok_or_else(|| {
                Error::client(SqlState::SYNTAX_ERROR, "invalid Unicode escape")
                    .with_hint("Unicode escapes must be \\XXXX or \\+XXXXXX.")
                    .with_position(position)
            })?;
            rest = rest.get(skip + digits..).unwrap_or("");
            out.code(code)?;
        }
    }
    out.finish()
}
