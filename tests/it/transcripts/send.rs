//! What a client sends, read from the notation.
//! Must not know: sockets, answers.

use super::types;
use crate::harness::raw::{close, describe, execute, frame};

/// One thing that a client does.
pub(crate) enum Send {
    /// Sends these bytes; whether ReadyForQuery is due for them.
    Bytes(Vec<u8>, bool),
    /// Sends these bytes and takes the one byte that answers them.
    Ask(Vec<u8>),
    /// Logs in with these parameters beside user and database; the answer is not part of the transcript.
    Login(Vec<(String, String)>),
    /// Cancels, on a connection of its own, what the named connection runs.
    Cancel(String),
    /// The same, with a key in which one bit is wrong.
    CancelWrongly(String),
    /// Waits until the server's statement sleeps.
    Asleep,
    /// Opens a connection and says nothing yet.
    Open,
    /// Leaves: no more is sent.
    Leave,
    /// Sends nothing.
    Nothing,
}

impl Send {
    /// Whether ReadyForQuery is due for this.
    pub(crate) fn asks_for_ready(&self) -> bool {
        matches!(self, Send::Bytes(_, true))
    }
}

/// Reads one line.
pub(crate) fn parse(line: &str) -> Result<Send, String> {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    let mut text = Text { rest };
    let send = match verb {
        "Query" => plain(b'Q', &[text.sql()?, vec![0]].concat(), true),
        "Parse" => parse_message(&mut text)?,
        "Bind" => bind_message(&mut text)?,
        "Describe" => plain_bytes(describe(text.target()?, &text.name()?)),
        "Close" => plain_bytes(close(text.target()?, &text.name()?)),
        "Execute" => {
            let name = text.name()?;
            plain_bytes(execute(&name, text.number()?))
        }
        "Flush" => plain(b'H', b"", false),
        "Sync" => plain(b'S', b"", true),
        "Terminate" => plain(b'X', b"", false),
        "CopyData" => plain(b'd', &text.bytes()?, false),
        "CopyDone" => plain(b'c', b"", false),
        "CopyFail" => plain(b'f', &[text.bytes()?, vec![0]].concat(), false),
        "Message" => {
            let kind = text.bytes()?;
            plain(*kind.first().ok_or("no type")?, &text.bytes()?, false)
        }
        "Bytes" => plain_bytes(text.bytes()?),
        "Startup" => startup(&mut text)?,
        "SSLRequest" => Send::Ask(request(80_877_103)),
        "GSSENCRequest" => Send::Ask(request(80_877_104)),
        "Login" => Send::Login(text.pairs()?),
        "Cancel" => Send::Cancel(text.take_rest().trim().to_owned()),
        "CancelWrongly" => Send::CancelWrongly(text.take_rest().trim().to_owned()),
        "Asleep" => Send::Asleep,
        "Open" => Send::Open,
        "Leave" => Send::Leave,
        "Nothing" => Send::Nothing,
        other => return Err(format!("no message of this name: {other}")),
    };
    match text.rest.trim() {
        "" => Ok(send),
        rest => Err(format!("too much: {rest}")),
    }
}

fn plain(kind: u8, body: &[u8], ready: bool) -> Send {
    Send::Bytes(frame(kind, body), ready)
}

fn plain_bytes(bytes: Vec<u8>) -> Send {
    Send::Bytes(bytes, false)
}

fn request(code: i32) -> Vec<u8> {
    [8_i32.to_be_bytes(), code.to_be_bytes()].concat()
}

/// `Parse "name" (int4, 0) select $1`
fn parse_message(text: &mut Text<'_>) -> Result<Send, String> {
    let name = text.name()?;
    let mut oids: Vec<u32> = Vec::new();
    if text.eat('(') {
        while !text.eat(')') {
            oids.push(types::oid(text.word())?);
            text.eat(',');
        }
    }
    let mut body = [name.as_bytes(), b"\0", &text.sql()?, b"\0"].concat();
    body.extend_from_slice(&(oids.len() as i16).to_be_bytes());
    oids.iter().for_each(|oid| body.extend_from_slice(&oid.to_be_bytes()));
    Ok(plain(b'P', &body, false))
}

/// `Bind "portal" "statement" ("text", x00ff, NULL) formats 0 1 0 results 1`: without `formats` a value in quotes is
/// text and one in hex binary; no format is sent where all are text.
fn bind_message(text: &mut Text<'_>) -> Result<Send, String> {
    let (portal, statement) = (text.name()?, text.name()?);
    let mut values: Vec<Option<Vec<u8>>> = Vec::new();
    let mut formats: Vec<i16> = Vec::new();
    if text.eat('(') {
        while !text.eat(')') {
            let binary = text.rest.trim_start().starts_with('x');
            if text.rest.trim_start().starts_with("NULL") {
                text.word();
                values.push(None);
            } else {
                values.push(Some(text.bytes()?));
            }
            formats.push(i16::from(binary));
            text.eat(',');
        }
    }
    if formats.iter().all(|format| *format == 0) {
        formats.clear();
    }
    let mut results = Vec::new();
    while !text.rest.trim().is_empty() {
        match text.word() {
            "formats" => formats = text.numbers()?,
            "results" => results = text.numbers()?,
            other => return Err(format!("formats or results, not {other}")),
        }
    }
    let mut body = [portal.as_bytes(), b"\0", statement.as_bytes(), b"\0"].concat();
    shorts(&mut body, &formats);
    body.extend_from_slice(&(values.len() as i16).to_be_bytes());
    for value in &values {
        let length = value.as_ref().map_or(-1, |value| value.len() as i32);
        body.extend_from_slice(&length.to_be_bytes());
        body.extend_from_slice(value.as_deref().unwrap_or_default());
    }
    shorts(&mut body, &results);
    Ok(plain(b'B', &body, false))
}

fn shorts(body: &mut Vec<u8>, numbers: &[i16]) {
    body.extend_from_slice(&(numbers.len() as i16).to_be_bytes());
    numbers.iter().for_each(|number| body.extend_from_slice(&number.to_be_bytes()));
}

/// `Startup 3.2 user="ana" database="tusk"`: as sent, nothing added.
fn startup(text: &mut Text<'_>) -> Result<Send, String> {
    let version = text.word();
    let (major, minor) = version.split_once('.').ok_or("a version first")?;
    let number = |part: &str| part.parse::<u16>().map_err(|error| error.to_string());
    let mut body = [number(major)?.to_be_bytes(), number(minor)?.to_be_bytes()].concat();
    for (name, value) in text.pairs()? {
        body.extend_from_slice(format!("{name}\0{value}\0").as_bytes());
    }
    body.push(0);
    Ok(Send::Bytes([&((body.len() + 4) as i32).to_be_bytes()[..], &body].concat(), true))
}

/// What is left of a line.
struct Text<'a> {
    rest: &'a str,
}

impl<'a> Text<'a> {
    fn eat(&mut self, sign: char) -> bool {
        let rest = self.rest.trim_start().strip_prefix(sign);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn word(&mut self) -> &'a str {
        let rest = self.rest.trim_start();
        let end = rest.find([' ', ',', ')', '=', '+']).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        self.rest = after;
        word
    }

    fn take_rest(&mut self) -> &'a str {
        std::mem::take(&mut self.rest)
    }

    fn number<N: std::str::FromStr>(&mut self) -> Result<N, String> {
        let word = self.word();
        word.parse().map_err(|_| format!("not a number: {word}"))
    }

    /// Numbers up to the first word that is none.
    fn numbers(&mut self) -> Result<Vec<i16>, String> {
        let mut numbers = Vec::new();
        while self.rest.trim_start().starts_with(|c: char| c.is_ascii_digit() || c == '-') {
            numbers.push(self.number()?);
        }
        Ok(numbers)
    }

    fn target(&mut self) -> Result<u8, String> {
        match self.word() {
            "statement" => Ok(b'S'),
            "portal" => Ok(b'P'),
            other => Err(format!("statement or portal, not {other}")),
        }
    }

    fn name(&mut self) -> Result<String, String> {
        String::from_utf8(self.bytes()?).map_err(|error| error.to_string())
    }

    /// The rest of the line as it stands; in quotes or as `x..` or `repeat(..)` if it begins so.
    fn sql(&mut self) -> Result<Vec<u8>, String> {
        let rest = self.rest.strip_prefix(' ').unwrap_or(self.rest);
        if rest.starts_with('"') || rest.starts_with("repeat(\"") {
            return self.bytes();
        }
        Ok(std::mem::take(&mut self.rest).trim().as_bytes().to_vec())
    }

    /// `name="value"` as often as there is one.
    fn pairs(&mut self) -> Result<Vec<(String, String)>, String> {
        let mut pairs = Vec::new();
        while !self.rest.trim().is_empty() {
            let name = if self.rest.trim_start().starts_with('"') { self.name()? } else { self.word().to_owned() };
            if !self.eat('=') {
                return Err(format!("= after {name}"));
            }
            pairs.push((name, self.name()?));
        }
        Ok(pairs)
    }

    /// Pieces joined by `+`: a text in quotes, bytes in hex behind `x`, or `repeat("text", 100)`.
    fn bytes(&mut self) -> Result<Vec<u8>, String> {
        let mut bytes = self.piece()?;
        while self.eat('+') {
            bytes.extend(self.piece()?);
        }
        Ok(bytes)
    }

    fn piece(&mut self) -> Result<Vec<u8>, String> {
        let rest = self.rest.trim_start();
        if let Some(quoted) = rest.strip_prefix('"') {
            self.rest = quoted;
            return self.quoted();
        }
        if let Some(inner) = rest.strip_prefix("repeat(") {
            self.rest = inner;
            let one = self.piece()?;
            self.eat(',');
            let times: usize = self.number()?;
            return if self.eat(')') { Ok(one.repeat(times)) } else { Err("no end of repeat".into()) };
        }
        let word = self.word();
        let digits = word.strip_prefix('x').ok_or(format!("a value, not {word}"))?;
        let pair = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).map_err(|error| error.to_string());
        (0..digits.len()).step_by(2).map(pair).collect()
    }

    fn quoted(&mut self) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        let mut letters = self.rest.char_indices();
        while let Some((at, letter)) = letters.next() {
            let escaped = match letter {
                '"' => {
                    self.rest = &self.rest[at + 1..];
                    return Ok(bytes);
                }
                '\\' => letters.next().map(|(_, letter)| letter).ok_or("no end of an escape")?,
                other => {
                    bytes.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes());
                    continue;
                }
            };
            match escaped {
                'n' => bytes.push(b'\n'),
                'r' => bytes.push(b'\r'),
                't' => bytes.push(b'\t'),
                'x' => {
                    let mut digit = || letters.next().and_then(|(_, letter)| letter.to_digit(16)).ok_or("two digits");
                    bytes.push((digit()? * 16 + digit()?) as u8);
                }
                other => bytes.push(other as u8),
            }
        }
        Err("no end of the quotes".into())
    }
}
