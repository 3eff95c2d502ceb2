//! A function from one row's arguments to a value, as the engine calls it.
//! Must not know: what the functions do.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, StringViewArray, UInt32Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type, UInt32Type};
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};

use crate::catalog::Viewer;
use crate::error::Error;
use crate::types::{self, PgType};

/// A kind of argument or result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Argument {
    /// Any integer, or an oid.
    Int,
    /// Text.
    Text,
    /// A boolean.
    Bool,
    /// A value of the `reg...` type with this oid, as the oid it stands for.
    Reg(u32),
}

impl Argument {
    fn data_type(self) -> DataType {
        match self {
            Argument::Int => DataType::Int64,
            Argument::Text => DataType::Utf8View,
            Argument::Bool => DataType::Boolean,
            Argument::Reg(_) => DataType::UInt32,
        }
    }
}

/// A value of a row. `None` is NULL, in and out.
#[derive(Debug, Clone)]
pub(super) enum Cell {
    Int(Option<i64>),
    Text(Option<String>),
    Bool(Option<bool>),
    /// What the statement fails with.
    Fault(Box<Error>),
}

impl Cell {
    pub(super) fn int(&self) -> Option<i64> {
        if let Cell::Int(value) = self { *value } else { None }
    }

    pub(super) fn fault(error: Error) -> Self {
        Cell::Fault(Box::new(error))
    }

    pub(super) fn text(&self) -> Option<&str> {
        if let Cell::Text(value) = self { value.as_deref() } else { None }
    }
}

/// What a function does with a row. Its result must be of the kind that it was made with.
pub(super) type Body = fn(&Viewer, &[Cell]) -> Cell;

/// How a function is called.
pub(super) struct Head {
    pub(super) name: &'static str,
    pub(super) arguments: &'static [Argument],
    pub(super) least: usize,
    pub(super) returns: Argument,
}

/// The function.
pub(super) struct RowFunction {
    name: &'static str,
    arguments: Vec<Argument>,
    returns: Argument,
    signature: Signature,
    body: Body,
    viewer: Arc<Viewer>,
}

impl RowFunction {
    /// Of the arguments, those from the `least`th on may be left out.
    pub(super) fn make(head: &Head, body: Body, viewer: &Arc<Viewer>) -> Arc<ScalarUDF> {
        let counts = (head.least..=head.arguments.len()).map(|count| match count {
            0 => TypeSignature::Nullary,
            count => TypeSignature::Any(count),
        });
        let signature = Signature::one_of(counts.collect(), Volatility::Stable);
        let (arguments, viewer) = (head.arguments.to_vec(), Arc::clone(viewer));
        Arc::new(ScalarUDF::new_from_impl(RowFunction {
            name: head.name,
            arguments,
            returns: head.returns,
            signature,
            body,
            viewer,
        }))
    }
}

impl fmt::Debug for RowFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:?}", self.name, self.arguments)
    }
}

impl PartialEq for RowFunction {
    fn eq(&self, other: &Self) -> bool {
        (self.name, &self.arguments) == (other.name, &other.arguments)
    }
}

impl Eq for RowFunction {}

impl Hash for RowFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.name, &self.arguments).hash(state);
    }
}

impl ScalarUDFImpl for RowFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(self.returns.data_type())
    }

    fn return_field_from_args(&self, _args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let form = self.returns.data_type();
        Ok(Arc::new(match self.returns {
            Argument::Reg(oid) => types::field(self.name, PgType::new(oid), true).with_data_type(form),
            _ => Field::new(self.name, form, true),
        }))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let columns = args
            .args
            .iter()
            .zip(&self.arguments)
            .map(|(value, kind)| Ok(cast(&value.clone().into_array(rows)?, &kind.data_type())?))
            .collect::<Result<Vec<ArrayRef>>>()?;
        let cells = (0..rows).map(|row| {
            let arguments: Vec<Cell> =
                columns.iter().zip(&self.arguments).map(|(column, kind)| cell(column, *kind, row)).collect();
            (self.body)(&self.viewer, &arguments)
        });
        Ok(ColumnarValue::Array(collect(self.returns, cells)?))
    }
}

fn cell(column: &ArrayRef, kind: Argument, row: usize) -> Cell {
    let there = column.is_valid(row);
    match kind {
        Argument::Reg(_) => Cell::Int(there.then(|| i64::from(column.as_primitive::<UInt32Type>().value(row)))),
        Argument::Int => Cell::Int(there.then(|| column.as_primitive::<Int64Type>().value(row))),
        Argument::Text => Cell::Text(there.then(|| column.as_string_view().value(row).to_owned())),
        Argument::Bool => Cell::Bool(there.then(|| column.as_boolean().value(row))),
    }
}

fn collect(kind: Argument, cells: impl Iterator<Item = Cell>) -> Result<ArrayRef> {
    let other = |cell: Cell| match cell {
        Cell::Fault(error) => DataFusionError::External(error),
        _ => DataFusionError::Internal("a catalog function of another kind".into()),
    };
    let int = |cell: Cell| if let Cell::Int(value) = cell { Ok(value) } else { Err(other(cell)) };
    Ok(match kind {
        Argument::Int => Arc::new(cells.map(int).collect::<Result<Int64Array>>()?),
        Argument::Reg(_) => {
            let oid = |cell: Cell| Ok(int(cell)?.and_then(|oid| u32::try_from(oid).ok()));
            Arc::new(cells.map(oid).collect::<Result<UInt32Array>>()?)
        }
        Argument::Text => {
            let text = |cell: Cell| if let Cell::Text(value) = cell { Ok(value) } else { Err(other(cell)) };
            Arc::new(cells.map(text).collect::<Result<StringViewArray>>()?)
        }
        Argument::Bool => {
            let truth = |cell: Cell| if let Cell::Bool(value) = cell { Ok(value) } else { Err(other(cell)) };
            Arc::new(cells.map(truth).collect::<Result<BooleanArray>>()?)
        }
    })
}
