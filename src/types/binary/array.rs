//! The send format of arrays: dimensions, the element's type, then each element with its length.
//! Must not know: what the elements are.

use arrow::array::{Array, ArrayRef, AsArray, ListArray};
use bytes::{BufMut, BytesMut};

use super::input::{Input, invalid};
use crate::error::{Error, Result, SqlState};
use crate::types::encoder::{ColumnEncoder, field_length, unexpected};
use crate::types::forms::Send;
use crate::types::held_text::MAX_HELD;
use crate::types::input::array::{Dimension, MAX_DIMENSIONS, parse_array, too_many_dimensions};
use crate::types::pg_type::PgType;
use crate::types::receive::Receive;
use crate::types::text::list::{range, write_element};

/// The most elements of PostgreSQL's arrays.
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

/// Oids from here on are not fixed.
const FIRST_OTHER_OID: u32 = 10_000;

/// What stands before the elements of an array.
struct Header {
    dimensions: Vec<Dimension>,
    /// How many elements there are.
    total: usize,
}

fn too_large() -> Error {
    let message = format!("array size exceeds the maximum allowed ({MAX_ELEMENTS})");
    Error::client(SqlState::PROGRAM_LIMIT_EXCEEDED, message)
}

fn receive_header(input: &mut Input<'_>, element: PgType) -> Result<Header> {
    let count = input.i32()?;
    let dimension_count =
        usize::try_from(count).map_err(|_| invalid(format!("invalid number of dimensions: {count}")))?;
    if dimension_count > MAX_DIMENSIONS {
        return Err(too_many_dimensions(dimension_count));
    }
    if !(0..=1).contains(&input.i32()?) {
        return Err(invalid("invalid array flags"));
    }
    let oid = input.u32()?;
    // Types that are not PostgreSQL's own have other oids elsewhere: theirs is not looked at.
    if oid != element.oid && oid < FIRST_OTHER_OID && element.oid < FIRST_OTHER_OID {
        let name = |oid: u32| match oid {
            1042 => "character".to_owned(),
            1560 => "bit".to_owned(),
            _ => PgType::new(oid).display_name(),
        };
        let (found, wanted) = (name(oid), name(element.oid));
        let message = format!(
            "binary data has array element type {oid} ({found}) instead of expected {} ({wanted})",
            element.oid
        );
        return Err(Error::client(SqlState::DATATYPE_MISMATCH, message));
    }
    let mut dimensions = Vec::with_capacity(dimension_count);
    for _ in 0..dimension_count {
        dimensions.push(Dimension { length: input.i32()?, lower: input.i32()? });
    }
    let total = dimensions.iter().try_fold(i64::from(dimension_count > 0), |total, dimension| {
        let total = total.checked_mul(i64::from(dimension.length)).filter(|total| *total <= i64::from(i32::MAX));
        total.filter(|_| dimension.length >= 0).ok_or_else(too_large)
    })?;
    if total > MAX_ELEMENTS {
        return Err(too_large());
    }
    if let Some(high) = dimensions.iter().find(|dimension| dimension.length.checked_add(dimension.lower).is_none()) {
        let message = format!("array lower bound is too large: {}", high.lower);
        return Err(Error::client(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
    }
    Ok(Header { dimensions, total: usize::try_from(total).unwrap_or(0) })
}

/// Appends the text of an array as it was sent. `receive` writes the text of one element.
pub(crate) fn receive_text(input: &mut Input<'_>, element: PgType, receive: Receive, out: &mut BytesMut) -> Result<()> {
    let Header { dimensions, total } = receive_header(input, element)?;
    if total == 0 {
        out.extend_from_slice(b"{}");
        return Ok(());
    }
    let delimiter = element.row().map_or(b',', |row| row.delimiter);
    let mut scratch = BytesMut::new();
    let mut number = 0;
    let mut item = |out: &mut BytesMut| -> Result<()> {
        number += 1;
        match receive_item(input, number, receive, &mut scratch)? {
            true => write_element(&scratch, delimiter, out),
            false => out.extend_from_slice(b"NULL"),
        }
        if out.len() > MAX_HELD { Err(held_too_large()) } else { Ok(()) }
    };
    write_array(&dimensions, delimiter, &mut item, out)
}

#[cold]
fn held_too_large() -> Error {
    Error::resource(SqlState::PROGRAM_LIMIT_EXCEEDED, "array is too large to be held")
}

/// One element's text in `scratch`; false for NULL.
fn receive_item(input: &mut Input<'_>, number: usize, receive: Receive, scratch: &mut BytesMut) -> Result<bool> {
    let length = input.i32()?;
    if length == -1 {
        return Ok(false);
    }
    let length = usize::try_from(length).ok().filter(|length| *length <= input.left());
    // PostgreSQL's words for what is missing, under another code than elsewhere.
    let length = length.ok_or_else(|| invalid("insufficient data left in message"))?;
    let mut bytes = Input::new(input.take(length)?);
    scratch.clear();
    receive(&mut bytes, scratch)?;
    if bytes.left() > 0 {
        return Err(invalid(format!("improper binary format in array element {number}")));
    }
    Ok(true)
}

/// Appends the text of an int2vector or oidvector, which come as arrays of one dimension that start at 0.
pub(crate) fn receive_vector(
    input: &mut Input<'_>,
    vector: PgType,
    element: PgType,
    receive: Receive,
    out: &mut BytesMut,
) -> Result<()> {
    let wrong = || invalid(format!("invalid {} data", vector.name()));
    let Header { dimensions, total } = receive_header(input, element)?;
    let mut scratch = BytesMut::new();
    let mut nulls = false;
    for number in 1..=total {
        if receive_item(input, number, receive, &mut scratch)? {
            if number > 1 {
                out.put_u8(b' ');
            }
            out.extend_from_slice(&scratch);
        } else {
            nulls = true;
        }
    }
    // Its own empty vectors PostgreSQL sends with a dimension of no length, and would not take back; here they may come.
    if nulls || dimensions.len() != 1 || dimensions.iter().any(|dimension| dimension.lower != 0) {
        return Err(wrong());
    }
    Ok(())
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
            return Err(too_many_dimensions(depth));
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
    use crate::types::forms::sender;
    use crate::types::receive::receiver;

    fn receive(pg: PgType, bytes: &[u8]) -> Result<String> {
        let (mut input, mut out) = (Input::new(bytes), BytesMut::new());
        receiver(pg).unwrap()(&mut input, &mut out)?;
        input.end()?;
        Ok(String::from_utf8(out.to_vec()).unwrap())
    }

    fn there_and_back(text: &str, pg: PgType) -> String {
        let mut sent = BytesMut::new();
        sender(pg).unwrap()(text, &mut sent).unwrap();
        for cut in 0..sent.len() {
            assert!(receive(pg, &sent[..cut]).is_err(), "{text} cut at {cut}");
        }
        receive(pg, &sent).unwrap()
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
        let of = |words: &[i32]| {
            let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_be_bytes()).collect();
            receive(PgType::INT4_ARRAY, &bytes)
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
            assert!(of(words).is_err(), "{words:?}");
        }
        assert!(of(&[1, 0, 23, 1, 1, 4, 7]).is_ok());
    }
}
