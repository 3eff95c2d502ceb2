//! Reads tsvector: words, their places and weights, sorted as PostgreSQL holds them.
//! Must not know: Arrow, the send format.

use bytes::{BufMut, BytesMut};

use super::number::is_space;
use crate::error::{Error, Result, SqlState};
use crate::types::text::line::write_int;

/// Bytes of a word.
pub(crate) const MAX_WORD: usize = 2047;
/// Bytes of all words together.
pub(crate) const MAX_WORDS: usize = (1 << 20) - 1;
/// The last place that is told from others.
const MAX_PLACE: u16 = (1 << 14) - 1;
/// Places of one word.
const MAX_PLACES: usize = 255;

/// A word and where it stands: in each place the lower 14 bits count words, the upper two are the weight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lexeme {
    pub(crate) word: Vec<u8>,
    pub(crate) places: Vec<u16>,
}

/// Reads words, which tsvector and tsquery have in common.
pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
    /// In a tsquery operators end a word.
    pub(super) query: bool,
    /// The text is our own of a value that was sent, which may have what no text of a client may.
    pub(super) held: bool,
}

impl Reader<'_> {
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(super) fn syntax(&self) -> Error {
        let what = if self.query { "tsquery" } else { "tsvector" };
        Error::client(SqlState::SYNTAX_ERROR, format!("syntax error in {what}: \"{}\"", self.text))
    }

    fn is_operator(&self, byte: u8) -> bool {
        self.query && matches!(byte, b'!' | b'&' | b'|' | b'(' | b')' | b'<')
    }

    pub(super) fn blanks(&mut self) {
        while self.peek().is_some_and(is_space) {
            self.at += 1;
        }
    }

    /// The byte behind a backslash.
    fn escaped(&mut self) -> Result<u8> {
        self.at += 1;
        self.peek().ok_or_else(|| {
            Error::client(SqlState::SYNTAX_ERROR, format!("there is no escaped character: \"{}\"", self.text))
        })
    }

    pub(super) fn word(&mut self) -> Result<Vec<u8>> {
        let mut word = Vec::new();
        let quoted = self.peek() == Some(b'\'');
        self.at += usize::from(quoted);
        loop {
            match (self.peek(), quoted) {
                (Some(b'\\'), _) => word.push(self.escaped()?),
                (Some(b'\''), true) => {
                    if self.text.as_bytes().get(self.at + 1) != Some(&b'\'') {
                        self.at += 1;
                        break;
                    }
                    self.at += 1;
                    word.push(b'\'');
                }
                (None, true) => return Err(self.syntax()),
                (None, false) => break,
                (Some(b':'), false) if !word.is_empty() => break,
                (Some(byte), false) if is_space(byte) || self.is_operator(byte) => break,
                (Some(byte), _) => word.push(byte),
            }
            self.at += 1;
        }
        if word.is_empty() { Err(self.syntax()) } else { Ok(word) }
    }

    fn places(&mut self) -> Result<Vec<u16>> {
        let mut places = Vec::new();
        if self.peek() != Some(b':') {
            return Ok(places);
        }
        loop {
            self.at += 1;
            let mut place = self.place()?;
            let mut weighed = false;
            loop {
                let weight = match self.peek() {
                    Some(b'a' | b'A' | b'*') => 3,
                    Some(b'b' | b'B') => 2,
                    Some(b'c' | b'C') => 1,
                    Some(b'd' | b'D') => 0,
                    // Digits behind a weight mean nothing.
                    Some(byte) if byte.is_ascii_digit() => {
                        self.at += 1;
                        continue;
                    }
                    _ => break,
                };
                if weighed {
                    return Err(self.syntax());
                }
                // The lowest weight may be said more than once.
                weighed = weight > 0;
                place |= weight << 14;
                self.at += 1;
            }
            places.push(place);
            match self.peek() {
                Some(b',') => {}
                None => return Ok(places),
                Some(byte) if is_space(byte) => return Ok(places),
                Some(_) => return Err(self.syntax()),
            }
        }
    }

    fn place(&mut self) -> Result<u16> {
        let digits = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if length == 0 {
            return Err(self.syntax());
        }
        let value = digits.iter().take(length).fold(0u32, |n, d| (n * 10 + u32::from(d - b'0')).min(1 << 20));
        if value == 0 && !self.held {
            let message = format!("wrong position info in tsvector: \"{}\"", self.text);
            return Err(Error::client(SqlState::SYNTAX_ERROR, message));
        }
        self.at += length;
        Ok(value.min(u32::from(MAX_PLACE)) as u16)
    }
}

pub(super) fn too_long(what: &str, bytes: usize, most: usize) -> Error {
    let message = format!("{what} ({bytes} bytes, max {most} bytes)");
    Error::client(SqlState::PROGRAM_LIMIT_EXCEEDED, message)
}

/// Reads a tsvector; `held`: from the text that we hold of one.
pub(crate) fn parse_vector(text: &str, held: bool) -> Result<Vec<Lexeme>> {
    let mut reader = Reader { text, at: 0, query: false, held };
    let mut found = Vec::new();
    let mut bytes = 0;
    loop {
        reader.blanks();
        if reader.peek().is_none() {
            break;
        }
        let word = reader.word()?;
        if word.len() >= MAX_WORD {
            return Err(too_long("word is too long", word.len(), MAX_WORD - 1));
        }
        bytes += word.len();
        if bytes > MAX_WORDS {
            return Err(too_long("string is too long for tsvector", bytes, MAX_WORDS));
        }
        let places = reader.places()?;
        found.push(Lexeme { word, places });
    }
    Ok(if held { found } else { sorted(found) })
}

/// Words in order, each once, its places in order, of two weights in one place the greater.
fn sorted(mut found: Vec<Lexeme>) -> Vec<Lexeme> {
    found.sort_by(|a, b| a.word.cmp(&b.word));
    found.dedup_by(|later, kept| {
        let same = later.word == kept.word;
        if same {
            kept.places.append(&mut later.places);
        }
        same
    });
    for Lexeme { places, .. } in &mut found {
        places.sort_by_key(|place| (place & MAX_PLACE, std::cmp::Reverse(place >> 14)));
        places.dedup_by_key(|place| *place & MAX_PLACE);
        places.truncate(MAX_PLACES);
    }
    found
}

/// Appends the text of a tsvector.
pub(crate) fn write_vector(lexemes: &[Lexeme], out: &mut BytesMut) {
    for (at, Lexeme { word, places }) in lexemes.iter().enumerate() {
        if at > 0 {
            out.put_u8(b' ');
        }
        write_word(word, out);
        for (at, place) in places.iter().enumerate() {
            out.put_u8(if at > 0 { b',' } else { b':' });
            write_int(i64::from(place & MAX_PLACE), out);
            out.extend_from_slice([&b""[..], b"C", b"B", b"A"][usize::from(place >> 14)]);
        }
    }
}

/// Appends a word in quotes.
pub(super) fn write_word(word: &[u8], out: &mut BytesMut) {
    out.put_u8(b'\'');
    for byte in word {
        if matches!(byte, b'\'' | b'\\') {
            out.put_u8(*byte);
        }
        out.put_u8(*byte);
    }
    out.put_u8(b'\'');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors() {
        let shown = |text: &str| {
            let mut out = BytesMut::new();
            parse_vector(text, false)
                .map(|lexemes| write_vector(&lexemes, &mut out))
                .map_err(|e| e.message().to_owned())?;
            Ok::<_, String>(String::from_utf8(out.to_vec()).unwrap())
        };
        for (text, expected) in [
            ("", ""),
            (" b a b ", "'a' 'b'"),
            ("a:3,1A,1b 'it''s':2*", "'a':1A,3 'it''s':2A"),
            ("a:99999 a:16383", "'a':16383"),
            ("a\\ b 'c\\'d'", "'a b' 'c''d'"),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(expected), "{text}");
        }
        assert_eq!(shown("a:").unwrap_err(), "syntax error in tsvector: \"a:\"");
        assert_eq!(shown("a:0").unwrap_err(), "wrong position info in tsvector: \"a:0\"");
        assert_eq!(shown("a\\").unwrap_err(), "there is no escaped character: \"a\\\"");
    }
}
