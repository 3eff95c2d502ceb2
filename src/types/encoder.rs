//! What a column's encoder is, and the parts that the text form and the binary form share.
//! Must not know: what any value looks like.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryArray, BinaryViewArray, BooleanArray, FixedSizeBinaryArray,
    LargeBinaryArray, LargeStringArray, PrimitiveArray, StringArray, StringViewArray,
};
use arrow::compute::{CastOptions, can_cast_types, cast_with_options};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use bytes::{BufMut, BytesMut};

use super::pg_type::PgType;
use super::text::line::Line;
use crate::error::{Error, Result, SqlState};

/// Writes the values of one result column. Chosen once per result, bound once per batch, asked once per row.
pub trait ColumnEncoder: Send {
    /// Takes the column of the next batch.
    ///
    /// # Errors
    /// `XX000` when the array is not of the type the encoder was made for, or a value's own error when it must be
    /// converted first.
    fn bind(&mut self, array: &ArrayRef) -> Result<()>;

    /// Whether the value of a row is NULL. Rows beyond the batch are NULL.
    fn is_null(&self, row: usize) -> bool;

    /// Appends the bytes of a value that is not NULL, without its length.
    ///
    /// # Errors
    /// The value has no such form (`22P02`, `22003`, `22008`).
    fn write(&mut self, row: usize, out: &mut BytesMut) -> Result<()>;

    /// Appends the field of a DataRow: its length in bytes (-1 for NULL), then the bytes. After an error `out` is as
    /// before.
    ///
    /// # Errors
    /// Those of [`ColumnEncoder::write`], and `54000` for a value beyond 2 GiB.
    fn encode(&mut self, row: usize, out: &mut BytesMut) -> Result<()> {
        if self.is_null(row) {
            out.put_i32(-1);
            return Ok(());
        }
        let start = out.len();
        out.put_i32(0);
        let written = self.write(row, out).and_then(|()| field_length(out.len() - start - 4));
        match written {
            Ok(length) => {
                if let Some(place) = out.get_mut(start..start + 4) {
                    place.copy_from_slice(&length.to_be_bytes());
                }
                Ok(())
            }
            Err(error) => {
                out.truncate(start);
                Err(error)
            }
        }
    }
}

/// A length as the protocol has it.
pub(super) fn field_length(bytes: usize) -> Result<i32> {
    i32::try_from(bytes).map_err(|_| Error::resource(SqlState::PROGRAM_LIMIT_EXCEEDED, "value is too long to be sent"))
}

/// An array whose values can be had by row.
pub(super) trait Values: Sized + Send {
    type Item<'a>
    where
        Self: 'a;
    fn take(array: &ArrayRef) -> Option<Self>;
    fn is_null(&self, row: usize) -> bool;
    fn value(&self, row: usize) -> Self::Item<'_>;
}

impl<T: ArrowPrimitiveType> Values for PrimitiveArray<T> {
    type Item<'a> = T::Native;
    fn take(array: &ArrayRef) -> Option<Self> {
        array.as_primitive_opt::<T>().cloned()
    }
    #[inline]
    fn is_null(&self, row: usize) -> bool {
        row >= self.len() || Array::is_null(self, row)
    }
    #[inline]
    fn value(&self, row: usize) -> T::Native {
        PrimitiveArray::value(self, row)
    }
}

impl Values for BooleanArray {
    type Item<'a> = bool;
    fn take(array: &ArrayRef) -> Option<Self> {
        array.as_boolean_opt().cloned()
    }
    fn is_null(&self, row: usize) -> bool {
        row >= self.len() || Array::is_null(self, row)
    }
    fn value(&self, row: usize) -> bool {
        BooleanArray::value(self, row)
    }
}

/// Text in any of Arrow's three layouts.
pub(super) enum TextValues {
    View(StringViewArray),
    Small(StringArray),
    Large(LargeStringArray),
}

impl Values for TextValues {
    type Item<'a> = &'a str;
    fn take(array: &ArrayRef) -> Option<Self> {
        Some(match array.data_type() {
            DataType::Utf8View => TextValues::View(array.as_string_view_opt()?.clone()),
            DataType::Utf8 => TextValues::Small(array.as_string_opt::<i32>()?.clone()),
            DataType::LargeUtf8 => TextValues::Large(array.as_string_opt::<i64>()?.clone()),
            _ => return None,
        })
    }
    #[inline]
    fn is_null(&self, row: usize) -> bool {
        match self {
            TextValues::View(a) => row >= a.len() || a.is_null(row),
            TextValues::Small(a) => row >= a.len() || a.is_null(row),
            TextValues::Large(a) => row >= a.len() || a.is_null(row),
        }
    }
    #[inline]
    fn value(&self, row: usize) -> &str {
        match self {
            TextValues::View(a) => a.value(row),
            TextValues::Small(a) => a.value(row),
            TextValues::Large(a) => a.value(row),
        }
    }
}

/// Bytes in any of Arrow's four layouts.
pub(super) enum ByteValues {
    View(BinaryViewArray),
    Small(BinaryArray),
    Large(LargeBinaryArray),
    Fixed(FixedSizeBinaryArray),
}

impl Values for ByteValues {
    type Item<'a> = &'a [u8];
    fn take(array: &ArrayRef) -> Option<Self> {
        Some(match array.data_type() {
            DataType::BinaryView => ByteValues::View(array.as_binary_view_opt()?.clone()),
            DataType::Binary => ByteValues::Small(array.as_binary_opt::<i32>()?.clone()),
            DataType::LargeBinary => ByteValues::Large(array.as_binary_opt::<i64>()?.clone()),
            DataType::FixedSizeBinary(_) => ByteValues::Fixed(array.as_fixed_size_binary_opt()?.clone()),
            _ => return None,
        })
    }
    fn is_null(&self, row: usize) -> bool {
        match self {
            ByteValues::View(a) => row >= a.len() || a.is_null(row),
            ByteValues::Small(a) => row >= a.len() || a.is_null(row),
            ByteValues::Large(a) => row >= a.len() || a.is_null(row),
            ByteValues::Fixed(a) => row >= a.len() || a.is_null(row),
        }
    }
    fn value(&self, row: usize) -> &[u8] {
        match self {
            ByteValues::View(a) => a.value(row),
            ByteValues::Small(a) => a.value(row),
            ByteValues::Large(a) => a.value(row),
            ByteValues::Fixed(a) => a.value(row),
        }
    }
}

/// An encoder made of an array and a function that writes one value.
struct Leaf<A, F> {
    array: Option<A>,
    /// Where the exact type matters: a decimal of another scale would be another number.
    expected: Option<DataType>,
    write: F,
}

impl<A, F> ColumnEncoder for Leaf<A, F>
where
    A: Values,
    F: for<'a> FnMut(A::Item<'a>, &mut BytesMut) -> Result<()> + Send,
{
    fn bind(&mut self, array: &ArrayRef) -> Result<()> {
        self.array = Some(taken(array, self.expected.as_ref())?);
        Ok(())
    }

    #[inline]
    fn is_null(&self, row: usize) -> bool {
        self.array.as_ref().is_none_or(|array| array.is_null(row))
    }

    #[inline]
    fn write(&mut self, row: usize, out: &mut BytesMut) -> Result<()> {
        match &self.array {
            Some(array) => (self.write)(array.value(row), out),
            None => Err(unbound()),
        }
    }
}

/// An encoder over arrays of kind `A`, writing each value with `write`.
pub(super) fn leaf<A, F>(write: F) -> Box<dyn ColumnEncoder>
where
    A: Values + 'static,
    F: for<'a> FnMut(A::Item<'a>, &mut BytesMut) -> Result<()> + Send + 'static,
{
    Box::new(Leaf { array: None::<A>, expected: None, write })
}

/// As [`leaf`], for arrays of exactly this type.
pub(super) fn exact_leaf<A, F>(expected: &DataType, write: F) -> Box<dyn ColumnEncoder>
where
    A: Values + 'static,
    F: for<'a> FnMut(A::Item<'a>, &mut BytesMut) -> Result<()> + Send + 'static,
{
    Box::new(Leaf { array: None::<A>, expected: Some(expected.clone()), write })
}

/// An encoder whose values are short: the field is made on the stack, its length with it, and copied once.
struct Short<A, F, const N: usize> {
    array: Option<A>,
    /// As in [`Leaf`].
    expected: Option<DataType>,
    write: F,
}

impl<A, F, const N: usize> ColumnEncoder for Short<A, F, N>
where
    A: Values,
    F: for<'a> FnMut(A::Item<'a>, &mut Line<N>) + Send,
{
    fn bind(&mut self, array: &ArrayRef) -> Result<()> {
        self.array = Some(taken(array, self.expected.as_ref())?);
        Ok(())
    }

    #[inline]
    fn is_null(&self, row: usize) -> bool {
        self.array.as_ref().is_none_or(|array| array.is_null(row))
    }

    fn write(&mut self, row: usize, out: &mut BytesMut) -> Result<()> {
        let array = self.array.as_ref().ok_or_else(unbound)?;
        let mut line = Line::of_field();
        (self.write)(array.value(row), &mut line);
        out.extend_from_slice(line.value());
        Ok(())
    }

    #[inline]
    fn encode(&mut self, row: usize, out: &mut BytesMut) -> Result<()> {
        match &self.array {
            Some(array) if !array.is_null(row) => {
                let mut line = Line::of_field();
                (self.write)(array.value(row), &mut line);
                out.extend_from_slice(line.field());
            }
            _ => out.put_i32(-1),
        }
        Ok(())
    }
}

/// An encoder whose values all have `N` bytes.
struct Fixed<A, F, const N: usize> {
    array: Option<A>,
    write: F,
}

impl<A, F, const N: usize> ColumnEncoder for Fixed<A, F, N>
where
    A: Values,
    F: for<'a> Fn(A::Item<'a>) -> Result<[u8; N]> + Send,
{
    fn bind(&mut self, array: &ArrayRef) -> Result<()> {
        self.array = Some(taken(array, None)?);
        Ok(())
    }

    #[inline]
    fn is_null(&self, row: usize) -> bool {
        self.array.as_ref().is_none_or(|array| array.is_null(row))
    }

    fn write(&mut self, row: usize, out: &mut BytesMut) -> Result<()> {
        let array = self.array.as_ref().ok_or_else(unbound)?;
        out.extend_from_slice(&(self.write)(array.value(row))?);
        Ok(())
    }

    #[inline]
    fn encode(&mut self, row: usize, out: &mut BytesMut) -> Result<()> {
        match &self.array {
            Some(array) if !array.is_null(row) => {
                let value = (self.write)(array.value(row))?;
                let mut field = [0u8; 4 + LONGEST];
                field[..4].copy_from_slice(&(N as i32).to_be_bytes());
                field[4..4 + N].copy_from_slice(&value);
                out.extend_from_slice(&field[..4 + N]);
            }
            _ => out.put_i32(-1),
        }
        Ok(())
    }
}

/// An encoder of texts that are sent as they are.
struct Verbatim {
    array: Option<TextValues>,
}

impl ColumnEncoder for Verbatim {
    fn bind(&mut self, array: &ArrayRef) -> Result<()> {
        self.array = Some(taken(array, None)?);
        Ok(())
    }

    #[inline]
    fn is_null(&self, row: usize) -> bool {
        self.array.as_ref().is_none_or(|array| array.is_null(row))
    }

    fn write(&mut self, row: usize, out: &mut BytesMut) -> Result<()> {
        out.extend_from_slice(self.array.as_ref().ok_or_else(unbound)?.value(row).as_bytes());
        Ok(())
    }

    #[inline]
    fn encode(&mut self, row: usize, out: &mut BytesMut) -> Result<()> {
        match &self.array {
            Some(array) if !array.is_null(row) => {
                let text = array.value(row).as_bytes();
                let length = field_length(text.len())?;
                out.reserve(4 + text.len());
                out.put_i32(length);
                out.extend_from_slice(text);
            }
            _ => out.put_i32(-1),
        }
        Ok(())
    }
}

/// An encoder of texts that are sent as they are.
pub(super) fn verbatim() -> Box<dyn ColumnEncoder> {
    Box::new(Verbatim { array: None })
}

/// Bytes of the longest value of fixed length (an interval).
const LONGEST: usize = 16;

fn taken<A: Values>(array: &ArrayRef, expected: Option<&DataType>) -> Result<A> {
    if expected.is_some_and(|expected| expected != array.data_type()) {
        return Err(unexpected(array.data_type()));
    }
    A::take(array).ok_or_else(|| unexpected(array.data_type()))
}

#[cold]
fn unbound() -> Error {
    Error::internal("an encoder was asked for a row before it had a batch")
}

/// An encoder over arrays of kind `A` whose values fit a line of `N` bytes, which `write` fills. `expected`: the exact type
/// of the arrays, where that matters.
pub(super) fn short<A, const N: usize, F>(expected: Option<&DataType>, write: F) -> Box<dyn ColumnEncoder>
where
    A: Values + 'static,
    F: for<'a> FnMut(A::Item<'a>, &mut Line<N>) + Send + 'static,
{
    Box::new(Short { array: None::<A>, expected: expected.cloned(), write })
}

/// An encoder over arrays of kind `A` whose values have `N` bytes, at most 16.
pub(super) fn fixed<A, const N: usize, F>(write: F) -> Box<dyn ColumnEncoder>
where
    A: Values + 'static,
    F: for<'a> Fn(A::Item<'a>) -> Result<[u8; N]> + Send + 'static,
{
    Box::new(Fixed { array: None::<A>, write })
}

/// The error for an array that is not what its field said.
pub(super) fn unexpected(found: &DataType) -> Error {
    Error::internal(format!("a column encoder was handed an array of type {found}"))
}

/// Makes the array an encoder wants from the one of a batch.
pub(super) type Convert = Box<dyn Fn(&ArrayRef) -> Result<ArrayRef> + Send>;

/// Changes each batch's array before the encoder inside sees it.
pub(super) struct Converted {
    pub(super) convert: Convert,
    pub(super) inner: Box<dyn ColumnEncoder>,
}

impl ColumnEncoder for Converted {
    fn bind(&mut self, array: &ArrayRef) -> Result<()> {
        let converted = (self.convert)(array)?;
        self.inner.bind(&converted)
    }
    fn is_null(&self, row: usize) -> bool {
        self.inner.is_null(row)
    }
    fn write(&mut self, row: usize, out: &mut BytesMut) -> Result<()> {
        self.inner.write(row, out)
    }
    fn encode(&mut self, row: usize, out: &mut BytesMut) -> Result<()> {
        self.inner.encode(row, out)
    }
}

/// Casts an array, where every value must fit.
pub(super) fn strict_cast(array: &ArrayRef, to: &DataType, pg: PgType) -> Result<ArrayRef> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(array, to, &options).map_err(|error| cast_error(error, pg))
}

fn cast_error(error: ArrowError, pg: PgType) -> Error {
    let message = format!("{} out of range", pg.display_name());
    let state = if pg.category() == 'D' || pg.category() == 'T' {
        SqlState::DATETIME_FIELD_OVERFLOW
    } else {
        SqlState::NUMERIC_VALUE_OUT_OF_RANGE
    };
    Error::client(state, message).with_cause(error)
}

/// A conversion to another Arrow type, refused now rather than at the first batch if there is none.
pub(super) fn casting(
    from: &DataType,
    to: DataType,
    pg: PgType,
    inner: Box<dyn ColumnEncoder>,
) -> Result<Box<dyn ColumnEncoder>> {
    if !can_cast_types(from, &to) {
        let message = format!("a column of Arrow type {from} cannot be sent as type {}", pg.display_name());
        return Err(Error::internal(message));
    }
    let convert = move |array: &ArrayRef| strict_cast(array, &to, pg);
    Ok(Box::new(Converted { convert: Box::new(convert), inner }))
}

/// Shares an array that is put together from parts.
pub(super) fn shared(array: impl Array + 'static) -> ArrayRef {
    Arc::new(array)
}
