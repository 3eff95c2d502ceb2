//! Lists of rows: what functions that give rows make for each row before them, and the records in them.
//! Must not know: SQL, how a function was resolved.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int32Array, ListArray, StructArray, UInt64Array, new_null_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Fields, Int32Type};
use datafusion::logical_expr::Expr;

use super::arrays::take_apart;
use super::kernel::{call, external, wrong_type};
use crate::types::{ColumnBuilder, FormatOptions, PgType, field, storage};

fn list_type(item: DataType) -> (Arc<Field>, DataType) {
    let item = Arc::new(Field::new_list_field(item, true));
    (Arc::clone(&item), DataType::List(item))
}

/// A list of one value for each row.
pub(super) fn only_element(value: Expr, form: &DataType) -> (Expr, DataType) {
    let (item, returns) = list_type(form.clone());
    let expr = call("only_element", vec![value], returns.clone(), move |args| {
        let [values] = args else { return Err(wrong_type("a function in FROM")) };
        let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(1, values.len()));
        Ok(Arc::new(ListArray::try_new(Arc::clone(&item), offsets, Arc::clone(values), None)?))
    });
    (expr, returns)
}

/// The call that makes a record of a table's columns.
pub(in crate::engine::datafusion) const RECORD: &str = "record";

/// A field of a record, by its place.
pub(super) fn field_at(record: Expr, fields: &Fields, at: usize) -> Option<(Expr, DataType)> {
    let form = fields.get(at)?.data_type().clone();
    // What a record was made of is its field: a column stays one. What else is in it must be nothing that groups, gives rows or fails.
    let plain = |arg: &Expr| matches!(arg, Expr::Column(_) | Expr::OuterReferenceColumn(..) | Expr::Literal(..));
    if let Expr::ScalarFunction(made) = &record
        && (made.name() == RECORD || made.name().starts_with("row("))
        && made.args.len() == fields.len()
        && made.args.iter().enumerate().all(|(place, arg)| place == at || plain(arg))
    {
        return Some((made.args.get(at)?.clone(), form));
    }
    let returns = form.clone();
    let expr = call(format!("field({at})"), vec![record], form.clone(), move |args| {
        let [records] = args else { return Err(wrong_type("a field")) };
        let records = records.as_struct_opt().ok_or_else(|| wrong_type("a field"))?;
        if at >= records.num_columns() {
            return Ok(new_null_array(&returns, records.len()));
        }
        // A record that is NULL has no field.
        let places = (0..records.len()).map(|row| records.is_valid(row).then_some(row as u64));
        Ok(take(records.column(at), &UInt64Array::from_iter(places), None)?)
    });
    Some((expr, form))
}

/// Whether all fields of a record are NULL, or none is; a field that is a record itself is NULL or not as a whole.
pub(super) fn all_fields(record: Expr, null: bool) -> Expr {
    let name = if null { "record_is_null" } else { "record_is_not_null" };
    call(name, vec![record], DataType::Boolean, move |args| {
        let [records] = args else { return Err(wrong_type("IS NULL")) };
        let records = records.as_struct_opt().ok_or_else(|| wrong_type("IS NULL"))?;
        let fits = |row: usize| match records.is_null(row) {
            true => null,
            false => records.columns().iter().all(|column| column.is_null(row) == null),
        };
        Ok(Arc::new((0..records.len()).map(fits).map(Some).collect::<BooleanArray>()))
    })
}

/// `generate_subscripts(array, dimension, reverse)`.
pub(super) fn subscripts(array: PgType, args: Vec<Expr>) -> (Expr, DataType) {
    let (item, returns) = list_type(DataType::Int32);
    let expr = call(format!("subscripts({})", array.name()), args, returns.clone(), move |args| {
        let (Some(arrays), Some(dimensions)) = (args.first(), args.get(1)) else {
            return Err(wrong_type("generate_subscripts"));
        };
        let texts = arrays.as_string_view_opt().ok_or_else(|| wrong_type("generate_subscripts"))?;
        let wanted = dimensions.as_primitive_opt::<Int32Type>().ok_or_else(|| wrong_type("generate_subscripts"))?;
        let reverse = args.get(2).and_then(|array| array.as_boolean_opt());
        let (mut numbers, mut lengths) = (Vec::new(), Vec::with_capacity(texts.len()));
        for row in 0..texts.len() {
            let before = numbers.len();
            let backwards = reverse.is_some_and(|reverse| reverse.is_valid(row) && reverse.value(row));
            let known = texts.is_valid(row) && wanted.is_valid(row) && reverse.is_none_or(|r| r.is_valid(row));
            if known && let Ok(at) = usize::try_from(wanted.value(row) - 1) {
                let parsed = take_apart(array, texts.value(row)).map_err(external)?;
                let dimension = parsed.dimensions.get(at).copied().filter(|_| !parsed.elements.is_empty());
                if let Some(dimension) = dimension {
                    let range = dimension.lower..dimension.lower.saturating_add(dimension.length);
                    if backwards { numbers.extend(range.rev()) } else { numbers.extend(range) }
                }
            }
            lengths.push(numbers.len() - before);
        }
        let values = Arc::new(Int32Array::from(numbers));
        Ok(Arc::new(ListArray::try_new(Arc::clone(&item), OffsetBuffer::from_lengths(lengths), values, None)?))
    });
    (expr, returns)
}

/// `_pg_expandarray(array)`: each element and its place from 1.
pub(super) fn expanded(array: PgType, value: Expr, format: &FormatOptions) -> Option<(Expr, DataType)> {
    let element = array.element()?.bare();
    let options = format.clone();
    let fields: Fields =
        vec![field("x", element, true).with_data_type(storage(element)), field("n", PgType::INT4, true)].into();
    let (item, returns) = list_type(DataType::Struct(fields.clone()));
    let name = format!("expanded({},{options:?})", array.name());
    let expr = call(name, vec![value], returns.clone(), move |args| {
        let [arrays] = args else { return Err(wrong_type("_pg_expandarray")) };
        let texts = arrays.as_string_view_opt().ok_or_else(|| wrong_type("_pg_expandarray"))?;
        let mut elements = ColumnBuilder::new(element, texts.len());
        let (mut numbers, mut lengths) = (Vec::new(), Vec::with_capacity(texts.len()));
        for text in texts {
            let parsed = text.map(|text| take_apart(array, text)).transpose().map_err(external)?.unwrap_or_default();
            for (number, found) in (1..).zip(&parsed.elements) {
                elements.append_text(found.as_deref(), &options).map_err(external)?;
                numbers.push(number);
            }
            lengths.push(parsed.elements.len());
        }
        let columns: Vec<ArrayRef> = vec![elements.finish(), Arc::new(Int32Array::from(numbers))];
        let records = StructArray::try_new(fields.clone(), columns, None::<NullBuffer>)?;
        let offsets = OffsetBuffer::from_lengths(lengths);
        Ok(Arc::new(ListArray::try_new(Arc::clone(&item), offsets, Arc::new(records), None)?))
    });
    Some((expr, returns))
}

/// Values side by side as a record. `absent`: the last value is none of them; where it is NULL, so is the record.
pub(super) fn record(values: Vec<Expr>, fields: Fields, absent: bool) -> (Expr, DataType) {
    made(if absent { "record_or_null" } else { RECORD }, values, fields)
}

/// The same, where it is no row of a table.
pub(super) fn row(values: Vec<Expr>, fields: Fields) -> (Expr, DataType) {
    made("row()", values, fields)
}

fn made(name: &str, values: Vec<Expr>, fields: Fields) -> (Expr, DataType) {
    let returns = DataType::Struct(fields.clone());
    let expr = call(name, values, returns.clone(), move |args| {
        let columns = args.get(..fields.len()).ok_or_else(|| wrong_type("a record"))?.to_vec();
        let nulls = args.get(fields.len()).and_then(|present| present.logical_nulls());
        Ok(Arc::new(StructArray::try_new(fields.clone(), columns, nulls)?))
    });
    (expr, returns)
}
