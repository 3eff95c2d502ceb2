//! The send format of arrays: dimensions, the element's type, then each element with its length.
//! Must not know: what the elements are.

use arrow::array::{Array, ArrayRef, AsArray, ListArray};
use bytes::{BufMut, BytesMut};

use super::{bad_binary, form};
use crate::error::{Error, Result, SqlState};
use crate::types::encoder::{ColumnEncoder, field_length, unexpected};
use crate::types::forms::Send;
use crate::types::input::array::{Dimension, MAX_DIMENSIONS, parse_array};
use crate::types::pg_type::PgType;
use crate::types::text::list::{range, write_element};

/// No value of the protocol has more elements than bytes.
const MAX_ELEMENTS: i64 = 134_217_727;

fn header(dimensions: &[Dimension], has_nulls: bool, element: u32, out: &mut BytesMut) {
    out.put_i32(dimensions.len() as i32);
    out.put_i32(i32::from(has_nulls));
    out.put_u32(element);
    for dimension in dimensions {
        out.put_i32(dimension.length);
        out.put_i32(dimension.lower);
    }
}

/// Sends an array that is held as its text.
pub(crate) fn send_text(text: &str, element: PgType, send: Send, out: &mut BytesMut) -> Result<()> {
    let delimiter = element.row().map_or(b',', |row| row.delimiter);
    let array = parse_array(text, delimiter)?;
    header(&array.dimensions, array.elements.iter().any(Option::is_none), element.oid, out);
    for item in &array.elements {
        send_item(item.as_deref(), send, out)?;
    }
    Ok(())
}

/// Sends the text of an int2vector or oidvector: an array of one dimension that starts at 0.
pub(crate) fn send_vector(text: &str, element: PgType, send: Send, out: &mut BytesMut) -> Result<()> {
    let items: Vec<&str> = text.split_ascii_whitespace().collect();
    header(&[Dimension { length: items.len() as i32, lower: 0 }], false, element.oid, out);
    items.into_iter().try_for_each(|item| send_item(Some(item), send, out))
}

fn send_item(item: Option<&str>, send: Send, out: &mut BytesMut) -> Result<()> {
    let Some(text) = item else {
        out.put_i32(-1);
        return Ok(());
    };
    let start = out.len();
    out.put_i32(0);
    send(text, out)?;
    let length = field_length(out.len() - start - 4)?;
    if let Some(place) = out.get_mut(start..start + 4) {
        place.copy_from_slice(&length.to_be_bytes());
    }
    Ok(())
}

/// Reads values from the front of bytes.
struct Cursor<'a> {
    bytes: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (head, tail) = self.bytes.split_at_checked(count).ok_or_else(|| bad_binary("array"))?;
        self.bytes = tail;
        Ok(head)
    }

    fn int(&mut self) -> Result<i32> {
        Ok(i32::from_be_bytes(super::scalar::exact(self.take(4)?, "array")?))
    }
}

/// Appends the text of an array as it was sent. `receive` writes the text of one element.
pub(crate) fn receive_text(
    bytes: &[u8],
    element: PgType,
    mut receive: impl FnMut(&[u8], &mut BytesMut) -> Result<()>,
    out: &mut BytesMut,
) -> Result<()> {
    let mut cursor = Cursor { bytes };
    let count = cursor.int()?;
    let flags = cursor.int()?;
    let oid = cursor.int()? as u32;
    let dimension_count = usize::try_from(count).ok().filter(|count| *count <= MAX_DIMENSIONS);
    let dimension_count = dimension_count.ok_or_else(|| bad_binary("array"))?;
    if !(0..=1).contains(&flags) {
        return Err(bad_binary("array"));
    }
    if oid != element.oid {
        let message = format!("binary data has array element type {oid} instead of expected {}", element.oid);
        return Err(Error::client(SqlState::DATATYPE_MISMATCH, message));
    }
    let mut dimensions = Vec::with_capacity(dimension_count);
    let mut total = 1i64;
    for _ in 0..dimension_count {
        let dimension = Dimension { length: cursor.int()?, lower: cursor.int()? };
        let end = i64::from(dimension.lower) + i64::from(dimension.length);
        if dimension.length < 0 || end > i64::from(i32::MAX) {
            return Err(bad_binary("array"));
        }
        total = total.saturating_mul(i64::from(dimension.length));
        dimensions.push(dimension);
    }
    // Each element takes four bytes at least: a count beyond that is a lie.
    if dimension_count == 0 || total == 0 {
        out.extend_from_slice(b"{}");
        return if cursor.bytes.is_empty() { Ok(()) } else { Err(bad_binary("array")) };
    }
    if total > MAX_ELEMENTS || total as usize > cursor.bytes.len() / 4 {
        return Err(bad_binary("array"));
    }
    let delimiter = element.row().map_or(b',', |row| row.delimiter);
    let mut scratch = BytesMut::new();
    let mut item = |out: &mut BytesMut| -> Result<()> {
        match cursor.int()? {
            -1 => out.extend_from_slice(b"NULL"),
            length => {
                let length = usize::try_from(length).map_err(|_| bad_binary("array"))?;
                scratch.clear();
                receive(cursor.take(length)?, &mut scratch)?;
                write_element(&scratch, delimiter, out);
            }
        }
        Ok(())
    };
    write_array(&dimensions, delimiter, &mut item, out)?;
    if cursor.bytes.is_empty() { Ok(()) } else { Err(bad_binary("array")) }
}

/// Appends an array's text: bounds where they are unusual, then the elements in nested braces.
pub(crate) fn write_array(
    dimensions: &[Dimension],
    delimiter: u8,
    item: &mut dyn FnMut(&mut BytesMut) -> Result<()>,
    out: &mut BytesMut,
) -> Result<()> {
    if dimensions.is_empty() {
        out.extend_from_slice(b"{}");
        return Ok(());
    }
    if dimensions.iter().any(|dimension| dimension.lower != 1) {
        for dimension in dimensions {
            let upper = i64::from(dimension.lower) + i64::from(dimension.length) - 1;
            out.extend_from_slice(format!("[{}:{upper}]", dimension.lower).as_bytes());
        }
        out.put_u8(b'=');
    }
    write_level(dimensions, delimiter, item, out)
}

fn write_level(
    dimensions: &[Dimension],
    delimiter: u8,
    item: &mut dyn FnMut(&mut BytesMut) -> Result<()>,
    out: &mut BytesMut,
) -> Result<()> {
    let Some((first, inner)) = dimensions.split_first() else { return item(out) };
    out.put_u8(b'{');
    for at in 0..first.length {
        if at > 0 {
            out.put_u8(delimiter);
        }
        write_level(inner, delimiter, item, out)?;
    }
    out.put_u8(b'}');
    Ok(())
}

/// Writes a list of the engine, nested to any depth, in the send format.
pub(crate) struct ListBinary {
    element: PgType,
    depth: usize,
    levels: Vec<ListArray>,
    inner: Box<dyn ColumnEncoder>,
}

impl ListBinary {
    /// `depth` lists within each other around elements that `inner` writes.
    pub(crate) fn new(element: PgType, depth: usize, inner: Box<dyn ColumnEncoder>) -> Result<ListBinary> {
        if depth > MAX_DIMENSIONS {
            return Err(form("array of more than 6 dimensions"));
        }
        Ok(ListBinary { element, depth, levels: Vec::new(), inner })
    }

    fn ragged() -> Error {
        Error::client(
            SqlState::ARRAY_SUBSCRIPT_ERROR,
            "multidimensional arrays must have array expressions with matching dimensions",
        )
    }
}

impl ColumnEncoder for ListBinary {
    fn bind(&mut self, array: &ArrayRef) -> Result<()> {
        self.levels.clear();
        let mut current = array.clone();
        for _ in 0..self.depth {
            let list = current.as_list_opt::<i32>().ok_or_else(|| unexpected(current.data_type()))?.clone();
            current = list.values().clone();
            self.levels.push(list);
        }
        self.inner.bind(&current)
    }

    fn is_null(&self, row: usize) -> bool {
        self.levels.first().is_none_or(|list| row >= list.len() || list.is_null(row))
    }

    fn write(&mut self, row: usize, out: &mut BytesMut) -> Result<()> {
        let mut dimensions = Vec::with_capacity(self.depth);
        // The lists of one level stand side by side: the rows [start, end) of it.
        let (mut start, mut end) = (row, row + 1);
        for list in &self.levels {
            let length = range(list, start).1 - range(list, start).0;
            for at in start..end {
                let (from, to) = range(list, at);
                if list.is_null(at) || to - from != length {
                    return Err(Self::ragged());
                }
            }
            (start, end) = (range(list, start).0, range(list, end - 1).1);
            dimensions.push(Dimension { length: length as i32, lower: 1 });
            if start == end {
                dimensions.clear();
                break;
            }
        }
        let has_nulls = (start..end).any(|at| self.inner.is_null(at));
        header(&dimensions, has_nulls, self.element.oid, out);
        (start..end).try_for_each(|at| self.inner.encode(at, out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::forms::{receiver, sender};

    fn there_and_back(text: &str, pg: PgType) -> String {
        let (mut sent, mut out) = (BytesMut::new(), BytesMut::new());
        sender(pg).unwrap()(text, &mut sent).unwrap();
        receiver(pg).unwrap()(&sent, &mut out).unwrap();
        for cut in 0..sent.len() {
            assert!(receiver(pg).unwrap()(&sent[..cut], &mut BytesMut::new()).is_err(), "{text} cut at {cut}");
        }
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn arrays() {
        for text in ["{}", "{1,2,NULL}", "{{1,2},{3,4}}", "[0:1]={1,2}", "[2:2][-1:0]={{1,NULL}}"] {
            assert_eq!(there_and_back(text, PgType::INT4_ARRAY), text);
        }
        for text in ["{a,\"b c\",\"\",\"null\",NULL,\"\\\"\\\\\"}", "{ä}"] {
            assert_eq!(there_and_back(text, PgType::TEXT_ARRAY), text);
        }
        assert_eq!(there_and_back("{1.50,NaN}", PgType::NUMERIC_ARRAY), "{1.50,NaN}");
        assert_eq!(there_and_back("1 2 3", PgType::INT2VECTOR), "1 2 3");
        assert_eq!(there_and_back("", PgType::OIDVECTOR), "");
    }

    #[test]
    fn hostile_headers() {
        let receive = |words: &[i32]| {
            let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_be_bytes()).collect();
            receiver(PgType::INT4_ARRAY).unwrap()(&bytes, &mut BytesMut::new())
        };
        for words in [
            &[7, 0, 23][..],
            &[-1, 0, 23],
            &[1, 2, 23, 0, 1],
            &[1, 0, 25, 0, 1],
            &[1, 0, 23, i32::MAX, 1],
            &[1, 0, 23, -1, 1],
            &[2, 0, 23, i32::MAX, 1, i32::MAX, 1],
            &[1, 0, 23, 1, 1, 1_000_000],
            &[1, 0, 23, 1, 1, -2],
            &[1, 0, 23, 1, i32::MAX, 4, 7],
            &[0, 0, 23, 0],
        ] {
            assert!(receive(words).is_err(), "{words:?}");
        }
        assert!(receive(&[1, 0, 23, 1, 1, 4, 7]).is_ok());
    }
}
