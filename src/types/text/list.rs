//! The text of arrays made by the engine: `{1,2,NULL}`, nested and quoted as PostgreSQL does it.
//! Must not know: the text of any element.

use arrow::array::{Array, ArrayRef, AsArray, ListArray};
use bytes::{BufMut, BytesMut};

use crate::error::{Error, Result};
use crate::types::encoder::{ColumnEncoder, unexpected};

/// Writes a list as the text of an array.
pub(crate) struct ListText {
    array: Option<ListArray>,
    element: Box<dyn ColumnEncoder>,
    /// Elements that never need quotes (numbers), and lists within a list.
    bare: bool,
    delimiter: u8,
    scratch: BytesMut,
}

impl ListText {
    pub(crate) fn new(element: Box<dyn ColumnEncoder>, bare: bool, delimiter: u8) -> ListText {
        ListText { array: None, element, bare, delimiter, scratch: BytesMut::new() }
    }
}

impl ColumnEncoder for ListText {
    fn bind(&mut self, array: &ArrayRef) -> Result<()> {
        let list = array.as_list_opt::<i32>().ok_or_else(|| unexpected(array.data_type()))?.clone();
        self.element.bind(list.values())?;
        self.array = Some(list);
        Ok(())
    }

    fn is_null(&self, row: usize) -> bool {
        self.array.as_ref().is_none_or(|array| row >= array.len() || array.is_null(row))
    }

    fn write(&mut self, row: usize, out: &mut BytesMut) -> Result<()> {
        let list = self.array.as_ref().ok_or_else(|| Error::internal("a list was written before it was bound"))?;
        let (start, end) = range(list, row);
        out.put_u8(b'{');
        for at in start..end {
            if at > start {
                out.put_u8(self.delimiter);
            }
            if self.element.is_null(at) {
                out.extend_from_slice(b"NULL");
            } else if self.bare {
                self.element.write(at, out)?;
            } else {
                self.scratch.clear();
                self.element.write(at, &mut self.scratch)?;
                write_element(&self.scratch, self.delimiter, out);
            }
        }
        out.put_u8(b'}');
        Ok(())
    }
}

/// Where a row's elements stand in the list's values.
pub(crate) fn range(list: &ListArray, row: usize) -> (usize, usize) {
    let offsets = list.value_offsets();
    let at = |index: usize| offsets.get(index).map_or(0, |offset| *offset as usize);
    (at(row), at(row + 1))
}

/// Appends the text of an element, in quotes where PostgreSQL puts them.
pub(crate) fn write_element(text: &[u8], delimiter: u8, out: &mut BytesMut) {
    let special = |byte: &u8| {
        matches!(byte, b'"' | b'\\' | b'{' | b'}' | b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c) || *byte == delimiter
    };
    if !text.is_empty() && !text.iter().any(special) && !text.eq_ignore_ascii_case(b"null") {
        return out.extend_from_slice(text);
    }
    out.reserve(text.len() + 2);
    out.put_u8(b'"');
    for byte in text {
        if matches!(byte, b'"' | b'\\') {
            out.put_u8(b'\\');
        }
        out.put_u8(*byte);
    }
    out.put_u8(b'"');
}
