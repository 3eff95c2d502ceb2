//! Reads and writes tsquery: words, weights, operators and their precedence.
//! Must not know: Arrow, the send format.

use bytes::{BufMut, BytesMut};

use super::search::{MAX_WORD, MAX_WORDS, Reader, too_long, write_word};
use crate::error::{Error, Result, SqlState};
use crate::types::text::line::write_int;

/// The farthest that two words of a phrase may be apart.
const MAX_DISTANCE: u32 = 1 << 14;
/// Operators within each other.
const MAX_DEPTH: usize = 1000;

/// A part of a query. Queries are in postfix order: operands before their operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Item {
    /// A word, the weights it may have (bit 3: A), and whether words that begin with it will do.
    Word {
        word: Vec<u8>,
        weights: u8,
        prefix: bool,
    },
    Not,
    And,
    Or,
    /// One behind the other, so far apart.
    Phrase(u16),
}

impl Item {
    fn priority(&self) -> u8 {
        match self {
            Item::Or => 1,
            Item::And => 2,
            Item::Phrase(_) => 3,
            Item::Not => 4,
            Item::Word { .. } => 5,
        }
    }
}

fn wrong(text: &str, what: &str) -> Error {
    Error::client(SqlState::SYNTAX_ERROR, format!("{what} in tsquery: \"{text}\""))
}

fn too_deep() -> Error {
    Error::resource(SqlState::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded")
}

/// An operator that waits for its right operand, or a parenthesis that is open.
enum Waiting {
    Operator(Item),
    Open,
}

/// Operators that wait go to the query before one that binds less, down to a parenthesis.
fn settle(waiting: &mut Vec<Waiting>, items: &mut Vec<Item>, next: &Item) {
    while let Some(Waiting::Operator(last)) = waiting.last() {
        // NOT is right associative.
        let stays = match next {
            Item::Not => next.priority() >= last.priority(),
            _ => next.priority() > last.priority(),
        };
        if stays {
            break;
        }
        if let Some(Waiting::Operator(last)) = waiting.pop() {
            items.push(last);
        }
    }
}

/// Reads a tsquery; `held`: from the text that we hold of one.
pub(crate) fn parse_query(text: &str, held: bool) -> Result<Vec<Item>> {
    let mut reader = Reader { text, at: 0, query: true, held };
    let (mut items, mut waiting) = (Vec::new(), Vec::new());
    let mut bytes = 0;
    let mut operand = true;
    loop {
        reader.blanks();
        let Some(byte) = reader.peek() else { break };
        match (byte, operand) {
            (b'!', true) => {
                settle(&mut waiting, &mut items, &Item::Not);
                waiting.push(Waiting::Operator(Item::Not));
                reader.at += 1;
            }
            (b'(', true) => {
                waiting.push(Waiting::Open);
                reader.at += 1;
            }
            (b':' | b'&' | b'|' | b')' | b'<', true) => return Err(reader.syntax()),
            (_, true) => {
                let item = word(&mut reader, &mut bytes)?;
                items.push(item);
                operand = false;
            }
            (b')', false) => {
                settle(&mut waiting, &mut items, &Item::Or);
                if waiting.pop().is_none() {
                    return Err(reader.syntax());
                }
                reader.at += 1;
            }
            (_, false) => {
                let operator = operator(&mut reader)?;
                settle(&mut waiting, &mut items, &operator);
                waiting.push(Waiting::Operator(operator));
                operand = true;
            }
        }
    }
    if operand && !(items.is_empty() && waiting.is_empty()) {
        return Err(wrong(text, "no operand"));
    }
    settle(&mut waiting, &mut items, &Item::Or);
    if waiting.is_empty() { Ok(items) } else { Err(reader.syntax()) }
}

fn word(reader: &mut Reader<'_>, bytes: &mut usize) -> Result<Item> {
    let word = reader.word()?;
    *bytes += word.len();
    if word.len() >= MAX_WORD || *bytes > MAX_WORDS {
        return Err(too_long("word is too long in tsquery", word.len(), MAX_WORD - 1));
    }
    let (mut weights, mut prefix) = (0, false);
    if reader.peek() == Some(b':') {
        reader.at += 1;
        while let Some(byte) = reader.peek() {
            match byte.to_ascii_lowercase() {
                b'a' => weights |= 8,
                b'b' => weights |= 4,
                b'c' => weights |= 2,
                b'd' => weights |= 1,
                b'*' => prefix = true,
                _ => break,
            }
            reader.at += 1;
        }
    }
    Ok(Item::Word { word, weights, prefix })
}

fn operator(reader: &mut Reader<'_>) -> Result<Item> {
    let rest = reader.text.as_bytes().get(reader.at..).unwrap_or_default();
    let (item, length) = match rest {
        [b'&', ..] => (Item::And, 1),
        [b'|', ..] => (Item::Or, 1),
        [b'<', b'-', b'>', ..] => (Item::Phrase(1), 3),
        [b'<', digits @ ..] => {
            let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let distance = digits.iter().take(count).fold(0u32, |n, d| (n * 10 + u32::from(d - b'0')).min(1 << 20));
            if count > 0 && distance > MAX_DISTANCE && !reader.held {
                let message = format!(
                    "distance in phrase operator must be an integer value between zero and {MAX_DISTANCE} inclusive"
                );
                return Err(Error::client(SqlState::INVALID_PARAMETER_VALUE, message));
            }
            if count == 0 || digits.get(count) != Some(&b'>') {
                return Err(reader.syntax());
            }
            (Item::Phrase(distance as u16), count + 2)
        }
        _ => return Err(reader.syntax()),
    };
    reader.at += length;
    Ok(item)
}

/// The text of a part of a query.
struct Written {
    text: BytesMut,
    priority: u8,
    phrase: bool,
    depth: usize,
}

impl Written {
    fn enclosed(self, needed: bool) -> BytesMut {
        if !needed {
            return self.text;
        }
        let mut text = BytesMut::with_capacity(self.text.len() + 4);
        text.extend_from_slice(b"( ");
        text.extend_from_slice(&self.text);
        text.extend_from_slice(b" )");
        text
    }
}

/// Appends the text of a query, with parentheses where precedence needs them.
pub(crate) fn write_query(items: &[Item], out: &mut BytesMut) -> Result<()> {
    let incomplete = || Error::client(SqlState::INVALID_BINARY_REPRESENTATION, "malformed tsquery: operand not found");
    let mut done: Vec<Written> = Vec::new();
    for item in items {
        let priority = item.priority();
        let written = match item {
            Item::Word { word, weights, prefix } => {
                Written { text: operand(word, *weights, *prefix), priority, phrase: false, depth: 0 }
            }
            Item::Not => {
                let inner = done.pop().ok_or_else(incomplete)?;
                let depth = inner.depth + 1;
                let needed = inner.priority < priority;
                let mut text = BytesMut::from(&b"!"[..]);
                text.extend_from_slice(&inner.enclosed(needed));
                Written { text, priority, phrase: false, depth }
            }
            Item::And | Item::Or | Item::Phrase(_) => {
                let (right, left) = (done.pop().ok_or_else(incomplete)?, done.pop().ok_or_else(incomplete)?);
                let depth = left.depth.max(right.depth + 1);
                let phrase = matches!(item, Item::Phrase(_));
                let needed = left.priority < priority;
                let mut text = left.enclosed(needed);
                write_operator(item, &mut text);
                let needed = right.priority < priority || (phrase && right.phrase);
                text.extend_from_slice(&right.enclosed(needed));
                Written { text, priority, phrase, depth }
            }
        };
        if written.depth > MAX_DEPTH {
            return Err(too_deep());
        }
        done.push(written);
    }
    if let Some(whole) = done.pop() {
        out.extend_from_slice(&whole.text);
    }
    if done.is_empty() {
        return Ok(());
    }
    Err(Error::client(SqlState::INVALID_BINARY_REPRESENTATION, "malformed tsquery: extra nodes"))
}

fn operand(word: &[u8], weights: u8, prefix: bool) -> BytesMut {
    let mut text = BytesMut::new();
    write_word(word, &mut text);
    if weights > 0 || prefix {
        text.put_u8(b':');
    }
    if prefix {
        text.put_u8(b'*');
    }
    for (bit, letter) in [(8, b'A'), (4, b'B'), (2, b'C'), (1, b'D')] {
        if weights & bit != 0 {
            text.put_u8(letter);
        }
    }
    text
}

fn write_operator(item: &Item, text: &mut BytesMut) {
    match item {
        Item::And => text.extend_from_slice(b" & "),
        Item::Or => text.extend_from_slice(b" | "),
        Item::Phrase(distance) if *distance != 1 => {
            text.extend_from_slice(b" <");
            write_int(i64::from(*distance), text);
            text.extend_from_slice(b"> ");
        }
        _ => text.extend_from_slice(b" <-> "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries() {
        let shown = |text: &str| {
            let mut out = BytesMut::new();
            parse_query(text, false)
                .and_then(|items| write_query(&items, &mut out))
                .map_err(|error| error.message().to_owned())?;
            Ok::<_, String>(String::from_utf8(out.to_vec()).unwrap())
        };
        for (text, expected) in [
            ("a<->b", "'a' <-> 'b'"),
            ("a <-> b <-> c", "'a' <-> 'b' <-> 'c'"),
            ("a <-> (b <-> c)", "'a' <-> ( 'b' <-> 'c' )"),
            ("a & (b & c)", "'a' & 'b' & 'c'"),
            ("(a & b) | c & !d", "'a' & 'b' | 'c' & !'d'"),
            ("!(a|b) & !!c", "!( 'a' | 'b' ) & !!'c'"),
            ("!a <-> b", "!'a' <-> 'b'"),
            ("!(a <-> b)", "!( 'a' <-> 'b' )"),
            ("", ""),
            ("a:*AbD", "'a':*ABD"),
            ("a <0> b", "'a' <0> 'b'"),
            ("a':A", "'a''':A"),
            ("a | b <-> c & d", "'a' | 'b' <-> 'c' & 'd'"),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(expected), "{text}");
        }
        for bad in ["a<b", "a b", "(a", "a)", ":a", "&", "()", "a:A:B", "a ! b", "a!b", "'a"] {
            assert_eq!(shown(bad).unwrap_err(), format!("syntax error in tsquery: \"{bad}\""));
        }
        assert_eq!(shown("a &").unwrap_err(), "no operand in tsquery: \"a &\"");
        assert_eq!(shown(&format!("{}a", "!".repeat(100_000))).unwrap_err(), "stack depth limit exceeded");
    }
}
