//! The encodings that text can leave in beside UTF-8: those of one byte a character that differ from Latin-1 in little.
//! Must not know: who asks for which.

use bytes::BytesMut;

use crate::error::{Error, Result, SqlState};

/// An encoding that UTF-8 is converted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Bytes as they are: UTF-8, or PostgreSQL's `SQL_ASCII`, which means no conversion.
    Utf8,
    /// ISO 8859-1.
    Latin1,
    /// ISO 8859-15.
    Latin9,
    /// Windows code page 1252.
    Win1252,
}

/// What Latin-9 has in other places than Latin-1.
const LATIN9: &[(char, u8)] =
    &[('€', 0xa4), ('Š', 0xa6), ('š', 0xa8), ('Ž', 0xb4), ('ž', 0xb8), ('Œ', 0xbc), ('œ', 0xbd), ('Ÿ', 0xbe)];

/// What Windows-1252 has where Latin-1 has control characters, from 0x80 on; a blank: nothing.
const WIN1252: &str = "€ ‚ƒ„…†‡ˆ‰Š‹Œ Ž  ‘’“”•–—˜™š›œ žŸ";

impl Encoding {
    /// The encoding of this name, of which letters and digits count. `None`: there is no such conversion here.
    #[must_use]
    pub fn named(name: &str) -> Option<Encoding> {
        let clean: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        match clean.to_ascii_lowercase().as_str() {
            "utf8" | "unicode" | "sqlascii" => Some(Encoding::Utf8),
            "latin1" | "iso88591" => Some(Encoding::Latin1),
            "latin9" | "iso885915" => Some(Encoding::Latin9),
            "win1252" | "windows1252" => Some(Encoding::Win1252),
            _ => None,
        }
    }

    /// PostgreSQL's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Utf8 => "UTF8",
            Encoding::Latin1 => "LATIN1",
            Encoding::Latin9 => "LATIN9",
            Encoding::Win1252 => "WIN1252",
        }
    }

    fn byte(self, c: char) -> Option<u8> {
        let latin1 = u8::try_from(u32::from(c)).ok();
        match self {
            _ if c.is_ascii() => latin1,
            Encoding::Utf8 => None,
            Encoding::Latin1 => latin1,
            Encoding::Latin9 => match LATIN9.iter().find(|(known, _)| *known == c) {
                Some((_, byte)) => Some(*byte),
                None => latin1.filter(|byte| !LATIN9.iter().any(|(_, taken)| taken == byte)),
            },
            Encoding::Win1252 => {
                let place = WIN1252.chars().position(|known| known == c && c != ' ');
                let byte = place.and_then(|place| u8::try_from(0x80 + place).ok());
                byte.or_else(|| latin1.filter(|byte| *byte >= 0xa0))
            }
        }
    }

    /// Converts what stands in `out` from `start` on. No character becomes longer, so it is done in place.
    ///
    /// # Errors
    /// `22P05` for a character that the encoding does not have, in PostgreSQL's words.
    pub fn convert(self, out: &mut BytesMut, start: usize) -> Result<()> {
        let Some(text) = out.get(start..) else { return Ok(()) };
        if self == Encoding::Utf8 || text.is_ascii() {
            return Ok(());
        }
        let text = std::str::from_utf8(text).map_err(|_| Error::internal("an encoder wrote text that is not UTF-8"))?;
        let converted = text.chars().map(|c| self.byte(c).ok_or(c)).collect::<Result<Vec<u8>, char>>();
        let converted = converted.map_err(|c| self.no_equivalent(c))?;
        out.truncate(start);
        out.extend_from_slice(&converted);
        Ok(())
    }

    #[cold]
    fn no_equivalent(self, c: char) -> Error {
        let mut bytes = [0; 4];
        let shown: Vec<String> = c.encode_utf8(&mut bytes).bytes().map(|byte| format!("0x{byte:02x}")).collect();
        let message = format!(
            "character with byte sequence {} in encoding \"UTF8\" has no equivalent in encoding \"{}\"",
            shown.join(" "),
            self.name()
        );
        Error::client(SqlState::UNTRANSLATABLE_CHARACTER, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_of_one_byte() {
        assert_eq!(Encoding::Win1252.byte('€'), Some(0x80));
        assert_eq!(Encoding::Win1252.byte('Ÿ'), Some(0x9f));
        assert_eq!(Encoding::Win1252.byte('\u{81}'), None);
        assert_eq!((Encoding::Latin9.byte('€'), Encoding::Latin9.byte('¤')), (Some(0xa4), None));
        assert_eq!((Encoding::Latin1.byte('é'), Encoding::Latin1.byte('€')), (Some(0xe9), None));
        let mut out = BytesMut::from("aé".as_bytes());
        Encoding::Latin1.convert(&mut out, 1).unwrap();
        assert_eq!(&out[..], b"a\xe9");
        let error = Encoding::Latin1.convert(&mut BytesMut::from("€".as_bytes()), 0).unwrap_err();
        let message =
            "character with byte sequence 0xe2 0x82 0xac in encoding \"UTF8\" has no equivalent in encoding \"LATIN1\"";
        assert_eq!(error.message(), message);
    }
}
