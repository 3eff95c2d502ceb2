//! The send formats of tsvector and tsquery.
//! Must not know: their text.

use bytes::{BufMut, BytesMut};

use super::input::{Input, invalid};
use crate::error::Result;
use crate::types::encoder::field_length;
use crate::types::input::search::{Lexeme, MAX_WORD, MAX_WORDS, parse_vector, write_vector};
use crate::types::input::search_query::{Item, parse_query, write_query};
use crate::types::receive::utf8;

/// Places of one word.
const MAX_PLACES: u16 = 256;
/// The part of a place that counts words.
const PLACE: u16 = 0x3fff;

/// The most parts of a tsquery.
const MAX_ITEMS: u32 = 1_073_741_823 / 12;

/// Sends a tsvector that is held as its text.
pub(crate) fn send_vector(text: &str, out: &mut BytesMut) -> Result<()> {
    let lexemes = parse_vector(text, true)?;
    out.put_i32(field_length(lexemes.len())?);
    for Lexeme { word, places } in lexemes {
        out.extend_from_slice(&word);
        out.put_u8(0);
        out.put_u16(places.len() as u16);
        places.into_iter().for_each(|place| out.put_u16(place));
    }
    Ok(())
}

/// Appends the text of a tsvector as it was sent.
pub(crate) fn receive_vector(input: &mut Input<'_>, out: &mut BytesMut) -> Result<()> {
    let count = input.i32()?;
    if count < 0 {
        return Err(invalid("invalid size of tsvector"));
    }
    let mut lexemes = Vec::new();
    for _ in 0..count {
        let word = utf8(input.string()?)?.as_bytes().to_vec();
        let length = input.u16()?;
        if length > MAX_PLACES {
            return Err(invalid("unexpected number of tsvector positions"));
        }
        let mut places: Vec<u16> = Vec::with_capacity(usize::from(length));
        for _ in 0..length {
            let place = input.u16()?;
            if places.last().is_some_and(|last| place & PLACE <= last & PLACE) {
                return Err(invalid("position information is misordered"));
            }
            places.push(place);
        }
        lexemes.push(Lexeme { word, places });
    }
    lexemes.sort_by(|a, b| a.word.cmp(&b.word));
    write_vector(&lexemes, out);
    Ok(())
}

/// The kinds of items and of operators.
const WORD: u8 = 1;
const OPERATOR: u8 = 2;
const NOT: u8 = 1;
const AND: u8 = 2;
const OR: u8 = 3;
const PHRASE: u8 = 4;

/// Sends a tsquery that is held as its text: operators before their operands, the right one first.
pub(crate) fn send_query(text: &str, out: &mut BytesMut) -> Result<()> {
    let items = parse_query(text, true)?;
    out.put_i32(field_length(items.len())?);
    for item in items.into_iter().rev() {
        match item {
            Item::Word { word, weights, prefix } => {
                out.put_slice(&[WORD, weights, u8::from(prefix)]);
                out.extend_from_slice(&word);
                out.put_u8(0);
            }
            Item::Not => out.put_slice(&[OPERATOR, NOT]),
            Item::And => out.put_slice(&[OPERATOR, AND]),
            Item::Or => out.put_slice(&[OPERATOR, OR]),
            Item::Phrase(distance) => {
                out.put_slice(&[OPERATOR, PHRASE]);
                out.put_u16(distance);
            }
        }
    }
    Ok(())
}

/// Appends the text of a tsquery as it was sent.
pub(crate) fn receive_query(input: &mut Input<'_>, out: &mut BytesMut) -> Result<()> {
    let count = input.u32()?;
    if count > MAX_ITEMS {
        return Err(invalid("invalid size of tsquery"));
    }
    let mut items = Vec::new();
    let mut bytes = 0;
    for at in 0..count {
        let item = receive_item(input)?;
        if let Item::Word { word, .. } = &item {
            bytes += word.len() + 1;
        } else if at + 1 == count {
            return Err(invalid("invalid pointer to right operand"));
        }
        if bytes > MAX_WORDS {
            return Err(invalid("invalid tsquery: total operand length exceeded"));
        }
        items.push(item);
    }
    items.reverse();
    write_query(&items, out)
}

fn receive_item(input: &mut Input<'_>) -> Result<Item> {
    match input.number()? {
        WORD => {
            let (weights, prefix) = (input.number()?, input.number()? != 0);
            let word = utf8(input.string()?)?.as_bytes().to_vec();
            if weights > 0xf {
                return Err(invalid("invalid tsquery: invalid weight bitmap"));
            }
            if word.len() > MAX_WORD {
                return Err(invalid("invalid tsquery: operand too long"));
            }
            Ok(Item::Word { word, weights, prefix })
        }
        OPERATOR => Ok(match input.number()? {
            NOT => Item::Not,
            AND => Item::And,
            OR => Item::Or,
            PHRASE => match input.u16()? {
                // PostgreSQL would show it as a negative number.
                32_768.. => return Err(invalid("invalid tsquery: distance out of range")),
                distance => Item::Phrase(distance),
            },
            other => return Err(invalid(format!("invalid tsquery: unrecognized operator type {}", other as i8))),
        }),
        other => Err(invalid(format!("unrecognized tsquery node type: {}", other as i8))),
    }
}
