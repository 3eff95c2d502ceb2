//! A function from one row's arguments to a value, as the engine calls it.
//! Must not know: what the functions do.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int32Array, Int64Array, StringViewArray, UInt32Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Int32Type, Int64Type, UInt32Type};
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
    /// An oid, as a result.
    Oid,
    /// A 32-bit integer, as a result.
    Int4,
    /// A number, a truth or a text, as it comes: for functions that PostgreSQL has for several types.
    Any,
}

impl Argument {
    fn data_type(self) -> DataType {
        match self {
            Argument::Int => DataType::Int64,
            Argument::Text => DataType::Utf8View,
            Argument::Bool => DataType::Boolean,
            Argument::Reg(_) | Argument::Oid => DataType::UInt32,
            Argument::Int4 => DataType::Int32,
            // Never cast to: see `taken`.
            Argument::Any => DataType::Null,
        }
    }

    /// The kind that values of this form are taken for.
    fn taken(self, form: &DataType) -> Argument {
        match self {
            Argument::Any if form.is_integer() => Argument::Int,
            Argument::Any if *form == DataType::Boolean => Argument::Bool,
            Argument::Any => Argument::Text,
            known => known,
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

    pub(super) fn truth(&self) -> Option<bool> {
        if let Cell::Bool(value) = self { *value } else { None }
    }

    /// Whether it is NULL.
    pub(super) fn is_null(&self) -> bool {
        matches!(self, Cell::Int(None) | Cell::Text(None) | Cell::Bool(None))
    }

    /// An oid, if it is one.
    pub(super) fn oid(&self) -> Option<u32> {
        self.int().and_then(|oid| u32::try_from(oid).ok())
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
        let mut signature = signature(head.least, head.arguments.len());
        if head.name.ends_with("_size") {
            // It may change while a plan is kept.
            signature.volatility = Volatility::Volatile;
        }
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
            Argument::Oid => types::field(self.name, PgType::OID, true),
            _ => Field::new(self.name, form, true),
        }))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let taken = Taken::new(&args, &self.arguments)?;
        let cells = (0..args.number_rows).map(|row| (self.body)(&self.viewer, &taken.row(row)));
        Ok(ColumnarValue::Array(collect(self.returns, cells)?))
    }
}

/// The arguments of a call, column by column.
pub(super) struct Taken {
    columns: Vec<(ArrayRef, Argument)>,
}

impl Taken {
    pub(super) fn new(args: &ScalarFunctionArgs, kinds: &[Argument]) -> Result<Taken> {
        let rows = args.number_rows;
        let column = |(value, kind): (&ColumnarValue, &Argument)| {
            let kind = kind.taken(&value.data_type());
            Ok((cast(&value.clone().into_array(rows)?, &kind.data_type())?, kind))
        };
        Ok(Taken { columns: args.args.iter().zip(kinds).map(column).collect::<Result<Vec<_>>>()? })
    }

    pub(super) fn row(&self, row: usize) -> Vec<Cell> {
        self.columns.iter().map(|(column, kind)| cell(column, *kind, row)).collect()
    }
}

/// How many arguments a function takes: the last ones may be left out.
pub(super) fn signature(least: usize, most: usize) -> Signature {
    let counts = (least..=most).map(|count| match count {
        0 => TypeSignature::Nullary,
        count => TypeSignature::Any(count),
    });
    Signature::one_of(counts.collect(), Volatility::Stable)
}

fn cell(column: &ArrayRef, kind: Argument, row: usize) -> Cell {
    let there = column.is_valid(row);
    match kind {
        Argument::Reg(_) | Argument::Oid => {
            Cell::Int(there.then(|| i64::from(column.as_primitive::<UInt32Type>().value(row))))
        }
        Argument::Int4 => Cell::Int(there.then(|| i64::from(column.as_primitive::<Int32Type>().value(row)))),
        Argument::Int => Cell::Int(there.then(|| column.as_primitive::<Int64Type>().value(row))),
        Argument::Text | Argument::Any => Cell::Text(there.then(|| column.as_string_view().value(row).to_owned())),
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
        Argument::Int4 => {
            let number = |cell: Cell| Ok(int(cell)?.and_then(|number| i32::try_from(number).ok()));
            Arc::new(cells.map(number).collect::<Result<Int32Array>>()?)
        }
        Argument::Reg(_) | Argument::Oid => {
            let oid = |cell: Cell| Ok(int(cell)?.and_then(|oid| u32::try_from(oid).ok()));
            Arc::new(cells.map(oid).collect::<Result<UInt32Array>>()?)
        }
        Argument::Text | Argument::Any => {
            let text = |cell: Cell| if let Cell::Text(value) = cell { Ok(value) } else { Err(other(cell)) };
            Arc::new(cells.map(text).collect::<Result<StringViewArray>>()?)
        }
        Argument::Bool => {
            let truth = |cell: Cell| if let Cell::Bool(value) = cell { Ok(value) } else { Err(other(cell)) };
            Arc::new(cells.map(truth).collect::<Result<BooleanArray>>()?)
        }
    })
}
