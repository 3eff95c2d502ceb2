//! Functions over single values as functions over arrays: NULL in, NULL out.
//! Must not know: what the functions do.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray, StringViewBuilder};
use arrow::datatypes::DataType;
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::logical_expr::Expr;

use super::kernel::{call, external, wrong_type};
use crate::error::Result;

fn primitive<'a, T: ArrowPrimitiveType>(array: &'a ArrayRef, name: &str) -> DfResult<&'a PrimitiveArray<T>> {
    array.as_primitive_opt::<T>().ok_or_else(|| wrong_type(name))
}

/// One number to one number.
pub(super) fn map<I, O>(
    name: &str,
    arg: Expr,
    returns: DataType,
    f: impl Fn(I::Native) -> Result<O::Native> + Send + Sync + 'static,
) -> Expr
where
    I: ArrowPrimitiveType,
    O: ArrowPrimitiveType,
{
    let label = name.to_owned();
    let form = returns.clone();
    call(name, vec![arg], returns, move |args| {
        let [array] = args else { return Err(wrong_type(&label)) };
        let result: PrimitiveArray<O> =
            primitive::<I>(array, &label)?.try_unary::<_, O, DataFusionError>(|v| f(v).map_err(external))?;
        Ok(Arc::new(result.with_data_type(form.clone())))
    })
}

/// Two numbers to one number.
pub(super) fn zip<A, B, O>(
    name: &str,
    args: [Expr; 2],
    returns: DataType,
    f: impl Fn(A::Native, B::Native) -> Result<O::Native> + Send + Sync + 'static,
) -> Expr
where
    A: ArrowPrimitiveType,
    B: ArrowPrimitiveType,
    O: ArrowPrimitiveType,
{
    let label = name.to_owned();
    let form = returns.clone();
    call(name, args.into(), returns, move |args| {
        let [a, b] = args else { return Err(wrong_type(&label)) };
        let (a, b) = (primitive::<A>(a, &label)?, primitive::<B>(b, &label)?);
        let nulls = arrow::buffer::NullBuffer::union(a.nulls(), b.nulls());
        let mut values: Vec<O::Native> = Vec::with_capacity(a.len());
        for row in 0..a.len() {
            let null = nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
            values.push(if null { O::Native::default() } else { f(a.value(row), b.value(row)).map_err(external)? });
        }
        let result = PrimitiveArray::<O>::try_new(values.into(), nulls)?;
        Ok(Arc::new(result.with_data_type(form.clone())))
    })
}

/// One number to a truth value.
pub(super) fn test<I: ArrowPrimitiveType>(
    name: &str,
    arg: Expr,
    f: impl Fn(I::Native) -> bool + Send + Sync + 'static,
) -> Expr {
    let label = name.to_owned();
    call(name, vec![arg], DataType::Boolean, move |args| {
        let [array] = args else { return Err(wrong_type(&label)) };
        Ok(Arc::new(BooleanArray::from_unary(primitive::<I>(array, &label)?, &f)))
    })
}

/// One text to one text.
pub(super) fn text_map(name: &str, arg: Expr, f: impl Fn(&str) -> Result<String> + Send + Sync + 'static) -> Expr {
    text_rows(name, vec![arg], move |row| {
        let text = row.text(0)?;
        f(text).map(Some)
    })
}

/// A row of arguments none of which is NULL.
pub(super) struct Row<'a> {
    args: &'a [ArrayRef],
    row: usize,
}

impl<'a> Row<'a> {
    /// A row of these arguments.
    pub(super) fn new(args: &'a [ArrayRef], row: usize) -> Row<'a> {
        Row { args, row }
    }

    /// How many arguments there are.
    pub(super) fn count(&self) -> usize {
        self.args.len()
    }

    /// A text argument.
    pub(super) fn text(&self, at: usize) -> Result<&'a str> {
        let texts = self.args.get(at).and_then(|array| array.as_string_view_opt());
        texts.map(|texts| texts.value(self.row)).ok_or_else(|| crate::error::Error::internal("not a text argument"))
    }

    /// A number argument.
    pub(super) fn number<T: ArrowPrimitiveType>(&self, at: usize) -> Result<T::Native> {
        let numbers = self.args.get(at).and_then(|array| array.as_primitive_opt::<T>());
        numbers
            .map(|numbers| numbers.value(self.row))
            .ok_or_else(|| crate::error::Error::internal("not a number argument"))
    }

    /// An argument's bytes.
    pub(super) fn bytes(&self, at: usize) -> Result<&'a [u8]> {
        let bytes = self.args.get(at).and_then(|array| array.as_binary_opt::<i32>());
        bytes.map(|bytes| bytes.value(self.row)).ok_or_else(|| crate::error::Error::internal("not a bytea argument"))
    }
}

fn null_row(args: &[ArrayRef], row: usize) -> bool {
    args.iter().any(|array| array.is_null(row))
}

/// Arguments to a text, row by row; NULL where an argument is NULL.
pub(super) fn text_rows(
    name: &str,
    args: Vec<Expr>,
    f: impl Fn(Row<'_>) -> Result<Option<String>> + Send + Sync + 'static,
) -> Expr {
    call(name, args, DataType::Utf8View, move |args| {
        let rows = args.first().map_or(0, |array| array.len());
        let mut builder = StringViewBuilder::with_capacity(rows);
        for row in 0..rows {
            if null_row(args, row) {
                builder.append_null();
            } else {
                builder.append_option(f(Row { args, row }).map_err(external)?);
            }
        }
        Ok(Arc::new(builder.finish()))
    })
}

/// Arguments to a number, row by row; NULL where an argument is NULL.
pub(super) fn number_rows<O: ArrowPrimitiveType>(
    name: &str,
    args: Vec<Expr>,
    returns: DataType,
    f: impl Fn(Row<'_>) -> Result<O::Native> + Send + Sync + 'static,
) -> Expr {
    let form = returns.clone();
    call(name, args, returns, move |args| {
        let rows = args.first().map_or(0, |array| array.len());
        let values = (0..rows)
            .map(|row| if null_row(args, row) { Ok(None) } else { f(Row { args, row }).map(Some) })
            .collect::<Result<Vec<Option<O::Native>>>>()
            .map_err(external)?;
        Ok(Arc::new(PrimitiveArray::<O>::from_iter(values).with_data_type(form.clone())))
    })
}

/// Arguments to a truth value, row by row; NULL where an argument is NULL.
pub(super) fn truth_rows(
    name: &str,
    args: Vec<Expr>,
    f: impl Fn(Row<'_>) -> Result<bool> + Send + Sync + 'static,
) -> Expr {
    call(name, args, DataType::Boolean, move |args| {
        let rows = args.first().map_or(0, |array| array.len());
        let values = (0..rows)
            .map(|row| if null_row(args, row) { Ok(None) } else { f(Row { args, row }).map(Some) })
            .collect::<Result<Vec<Option<bool>>>>()
            .map_err(external)?;
        Ok(Arc::new(BooleanArray::from(values)))
    })
}
