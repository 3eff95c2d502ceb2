//! Reads the text of an array into its dimensions and elements.
//! Must not know: what the elements are.

use std::borrow::Cow;

use crate::error::{Error, Result, SqlState};

/// PostgreSQL's limit of dimensions.
pub(crate) const MAX_DIMENSIONS: usize = 6;

/// One dimension: how many, and the index of the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dimension {
    pub(crate) length: i32,
    pub(crate) lower: i32,
}

/// An array taken apart: elements in row-major order, None for NULL.
#[derive(Debug, Default)]
pub(crate) struct ArrayText<'a> {
    pub(crate) dimensions: Vec<Dimension>,
    pub(crate) elements: Vec<Option<Cow<'a, str>>>,
}

fn malformed(text: &str, detail: impl Into<String>) -> Error {
    Error::client(SqlState::INVALID_TEXT_REPRESENTATION, format!("malformed array literal: \"{text}\""))
        .with_detail(detail)
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    delimiter: u8,
}

/// Reads `{1,2,NULL}`, `{{a,"b c"},{d,e}}`, `[0:1]={1,2}`.
pub(crate) fn parse_array(text: &str, delimiter: u8) -> Result<ArrayText<'_>> {
    let mut reader = Reader { text, at: 0, delimiter };
    reader.blanks();
    let declared = reader.bounds()?;
    if reader.peek() != Some(b'{') {
        let detail = if declared.is_empty() {
            "Array value must start with \"{\" or dimension information."
        } else {
            "Array contents must start with \"{\"."
        };
        return Err(malformed(text, detail));
    }
    let mut array = ArrayText::default();
    let mut lengths: Vec<Option<i32>> = Vec::new();
    reader.level(&mut array, &mut lengths, 0)?;
    reader.blanks();
    if reader.at < text.len() {
        return Err(malformed(text, "Junk after closing right brace."));
    }
    let lengths: Vec<i32> = lengths.into_iter().map(|length| length.unwrap_or(0)).collect();
    if !declared.is_empty() {
        let found: Vec<i32> = declared.iter().map(|dimension| dimension.length).collect();
        if found != lengths {
            return Err(malformed(text, "Specified array dimensions do not match array contents."));
        }
        array.dimensions = declared;
    } else if !array.elements.is_empty() {
        array.dimensions = lengths.into_iter().map(|length| Dimension { length, lower: 1 }).collect();
    }
    Ok(array)
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while self.peek().is_some_and(is_blank) {
            self.at += 1;
        }
    }

    /// Digits and signs, as C's atoi() reads them.
    fn bound(&mut self) -> Option<i32> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = rest.bytes().take_while(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+')).count();
        let signed = rest.get(..length).filter(|digits| !digits.is_empty())?;
        self.at += length;
        let digits = signed.strip_prefix(['-', '+']).unwrap_or(signed);
        let digits = digits.split(['-', '+']).next().unwrap_or_default();
        let value = digits.bytes().fold(0i64, |n, d| (n * 10 + i64::from(d - b'0')).min(i64::from(u32::MAX)));
        Some(if signed.starts_with('-') { value.wrapping_neg() as i32 } else { value as i32 })
    }

    fn bounds(&mut self) -> Result<Vec<Dimension>> {
        let mut dimensions = Vec::new();
        while self.peek() == Some(b'[') {
            if dimensions.len() >= MAX_DIMENSIONS {
                return Err(too_many_dimensions(dimensions.len() + 1));
            }
            self.at += 1;
            let mut lower = 1;
            let Some(mut upper) = self.bound() else {
                let detail = "\"[\" must introduce explicitly-specified array dimensions.";
                return Err(malformed(self.text, detail));
            };
            if self.peek() == Some(b':') {
                self.at += 1;
                lower = upper;
                upper = self.bound().ok_or_else(|| malformed(self.text, "Missing array dimension value."))?;
            }
            if self.peek() != Some(b']') {
                return Err(malformed(self.text, "Missing \"]\" after array dimensions."));
            }
            self.at += 1;
            if upper < lower {
                let message = "upper bound cannot be less than lower bound";
                return Err(Error::client(SqlState::ARRAY_SUBSCRIPT_ERROR, message));
            }
            // Too long a dimension does not match what is in it.
            dimensions.push(Dimension { length: upper.wrapping_sub(lower).wrapping_add(1), lower });
            self.blanks();
        }
        if !dimensions.is_empty() {
            if self.peek() != Some(b'=') {
                return Err(malformed(self.text, "Missing \"=\" after array dimensions."));
            }
            self.at += 1;
            self.blanks();
        }
        Ok(dimensions)
    }

    /// One pair of braces; the reader stands at the left one.
    fn level(&mut self, array: &mut ArrayText<'a>, lengths: &mut Vec<Option<i32>>, depth: usize) -> Result<()> {
        if depth >= MAX_DIMENSIONS {
            return Err(too_many_dimensions(depth + 1));
        }
        if lengths.len() == depth {
            // Braces where there were elements before.
            if !array.elements.is_empty() {
                return Err(malformed(self.text, "Unexpected \"{\" character."));
            }
            lengths.push(None);
        }
        self.at += 1;
        let mut count = 0;
        loop {
            self.blanks();
            match self.peek() {
                None => return Err(malformed(self.text, "Unexpected end of input.")),
                // Only the whole array may be empty.
                Some(b'}') if count == 0 && depth == 0 => {
                    self.at += 1;
                    break;
                }
                Some(b'}') => return Err(malformed(self.text, "Unexpected \"}\" character.")),
                Some(b'{') => self.level(array, lengths, depth + 1)?,
                Some(_) => {
                    if lengths.len() != depth + 1 {
                        return Err(malformed(self.text, "Unexpected array element."));
                    }
                    let element = self.element()?;
                    array.elements.push(element);
                }
            }
            count += 1;
            self.blanks();
            match self.peek() {
                Some(b'}') => {
                    self.at += 1;
                    break;
                }
                Some(byte) if byte == self.delimiter => self.at += 1,
                None => return Err(malformed(self.text, "Unexpected end of input.")),
                Some(byte @ (b'{' | b'\\')) => {
                    return Err(malformed(self.text, format!("Unexpected \"{}\" character.", byte as char)));
                }
                Some(_) => return Err(malformed(self.text, "Unexpected array element.")),
            }
        }
        match lengths.get_mut(depth) {
            Some(slot) if slot.is_none_or(|length| length == count) => *slot = Some(count),
            _ => return Err(self.ragged()),
        }
        Ok(())
    }

    fn ragged(&self) -> Error {
        malformed(self.text, "Multidimensional arrays must have sub-arrays with matching dimensions.")
    }

    fn element(&mut self) -> Result<Option<Cow<'a, str>>> {
        if self.peek() == Some(b'"') {
            return self.quoted().map(Some);
        }
        let start = self.at;
        let mut escaped = false;
        loop {
            match self.peek() {
                None => return Err(malformed(self.text, "Unexpected end of input.")),
                Some(b'}') => break,
                Some(byte) if byte == self.delimiter => break,
                Some(b'"') => return Err(malformed(self.text, "Unexpected array element.")),
                Some(b'{') => return Err(malformed(self.text, "Unexpected \"{\" character.")),
                Some(b'\\') => {
                    escaped = true;
                    self.at += 2;
                }
                Some(_) => self.at += 1,
            }
        }
        let end = self.at.min(self.text.len());
        let raw = self.text.get(start..end).unwrap_or_default();
        if escaped {
            // A blank behind a backslash stays.
            let mut kept = raw.trim_end_matches(|c: char| c.is_ascii() && is_blank(c as u8));
            if kept.bytes().rev().take_while(|b| *b == b'\\').count() % 2 == 1 {
                kept = raw.get(..kept.len() + 1).unwrap_or(kept);
            }
            return Ok(Some(Cow::Owned(unescape(kept))));
        }
        let raw = raw.trim_end_matches(|c: char| c.is_ascii() && is_blank(c as u8));
        if raw.is_empty() {
            let found = self.peek().map_or(',', |byte| byte as char);
            return Err(malformed(self.text, format!("Unexpected \"{found}\" character.")));
        }
        Ok((!raw.eq_ignore_ascii_case("null")).then_some(Cow::Borrowed(raw)))
    }

    fn quoted(&mut self) -> Result<Cow<'a, str>> {
        let start = self.at + 1;
        let mut escaped = false;
        self.at = start;
        loop {
            match self.peek() {
                None => return Err(malformed(self.text, "Unexpected end of input.")),
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.at += 2;
                }
                Some(_) => self.at += 1,
            }
        }
        let raw = self.text.get(start..self.at).unwrap_or_default();
        self.at += 1;
        Ok(if escaped { Cow::Owned(unescape(raw)) } else { Cow::Borrowed(raw) })
    }
}

pub(crate) fn too_many_dimensions(found: usize) -> Error {
    let message = format!("number of array dimensions ({found}) exceeds the maximum allowed ({MAX_DIMENSIONS})");
    Error::client(SqlState::PROGRAM_LIMIT_EXCEEDED, message)
}

fn unescape(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        if c == '\\' {
            text.extend(chars.next());
        } else {
            text.push(c);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<(i32, i32)>, Vec<Option<String>>) {
        let array = parse_array(text, b',').unwrap();
        (
            array.dimensions.iter().map(|d| (d.length, d.lower)).collect(),
            array.elements.into_iter().map(|e| e.map(Cow::into_owned)).collect(),
        )
    }

    #[test]
    fn literals() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(read("{}"), (vec![], vec![]));
        assert_eq!(read(" { 1 , null,\"null\" } "), (vec![(3, 1)], vec![some("1"), None, some("null")]));
        assert_eq!(read("{{a,\"b c\"},{\"\\\"\",d\\,e}}").1[2..], [some("\""), some("d,e")]);
        assert_eq!(read("[0:1]={1,2}").0, [(2, 0)]);
        assert_eq!(read("[2][-1:0]={{1,2},{3,4}}").0, [(2, 1), (2, -1)]);
        for bad in [
            "",
            "{{},{}}",
            "1",
            "{1",
            "{1,}",
            "{,1}",
            "{1}x",
            "{{1},2}",
            "{{1},{2,3}}",
            "{1,{2}}",
            "{\"a\"b}",
            "[1:2]={1}",
            "{a\\",
            "[5:1]={}",
            "{{{{{{{1}}}}}}}",
        ] {
            assert!(parse_array(bad, b',').is_err(), "{bad}");
        }
    }
}
