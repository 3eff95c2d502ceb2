//! Functions that give rows: for each call a list of them, which the engine spreads.
//! Must not know: how the engine does that.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ListArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, SchemaRef};
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature};

use super::lineage;
use super::row_function::{Argument, Cell, Taken, signature};
use crate::catalog::Viewer;
use crate::pg_catalog::facts;
use crate::pg_catalog::relation::{Rows, Value, layout};
use crate::pg_catalog::rights;
use crate::types::{PgType, parse_array};

/// What adds the rows of one call.
type Body = fn(&Viewer, &[Cell], &mut Rows);

/// How a function is called, and the columns of its rows.
struct Head {
    name: &'static str,
    arguments: &'static [Argument],
    columns: &'static [(&'static str, PgType)],
    body: Body,
}

/// `regclass`.
const REGCLASS: PgType = PgType::REGCLASS;

const FUNCTIONS: &[Head] = {
    use Argument::{Any, Text};
    &[
        Head {
            name: "aclexplode",
            arguments: &[Text],
            columns: &[
                ("grantor", PgType::OID),
                ("grantee", PgType::OID),
                ("privilege_type", PgType::TEXT),
                ("is_grantable", PgType::BOOL),
            ],
            body: exploded,
        },
        Head {
            name: "pg_available_extensions",
            arguments: &[],
            columns: &[("name", PgType::NAME), ("default_version", PgType::TEXT), ("comment", PgType::TEXT)],
            body: nothing,
        },
        Head {
            name: "pg_available_extension_versions",
            arguments: &[],
            columns: &[
                ("name", PgType::NAME),
                ("version", PgType::TEXT),
                ("superuser", PgType::BOOL),
                ("trusted", PgType::BOOL),
                ("relocatable", PgType::BOOL),
                ("schema", PgType::NAME),
                ("requires", PgType::NAME_ARRAY),
                ("comment", PgType::TEXT),
            ],
            body: nothing,
        },
        Head {
            name: "pg_get_keywords",
            arguments: &[],
            columns: &[
                ("word", PgType::TEXT),
                ("catcode", PgType::CHAR),
                ("barelabel", PgType::BOOL),
                ("catdesc", PgType::TEXT),
                ("baredesc", PgType::TEXT),
            ],
            body: keywords,
        },
        Head {
            name: "pg_options_to_table",
            arguments: &[Text],
            columns: &[("option_name", PgType::TEXT), ("option_value", PgType::TEXT)],
            body: options,
        },
        Head {
            name: "pg_partition_ancestors",
            arguments: &[Any],
            columns: &[("relid", REGCLASS)],
            body: lineage::ancestors,
        },
        Head {
            name: "pg_partition_tree",
            arguments: &[Any],
            columns: &[
                ("relid", REGCLASS),
                ("parentrelid", REGCLASS),
                ("isleaf", PgType::BOOL),
                ("level", PgType::INT4),
            ],
            body: lineage::tree,
        },
    ]
};

/// Of what there is none: extensions.
fn nothing(_viewer: &Viewer, _arguments: &[Cell], _rows: &mut Rows) {}

fn keywords(_viewer: &Viewer, _arguments: &[Cell], rows: &mut Rows) {
    for [word, code, bare, category, label] in facts::keywords() {
        rows.push(&[
            ("word", word.into()),
            ("catcode", code.into()),
            ("barelabel", Value::Bool(bare == "t")),
            ("catdesc", category.into()),
            ("baredesc", label.into()),
        ]);
    }
}

/// Each privilege of a list.
fn exploded(viewer: &Viewer, arguments: &[Cell], rows: &mut Rows) {
    let Some(list) = arguments.first().and_then(Cell::text) else { return };
    for held in rights::explode(viewer, list) {
        rows.push(&[
            ("grantor", held.grantor.into()),
            ("grantee", held.grantee.into()),
            ("privilege_type", held.privilege.into()),
            ("is_grantable", held.grantable.into()),
        ]);
    }
}

/// `name=value` for each element.
fn options(_viewer: &Viewer, arguments: &[Cell], rows: &mut Rows) {
    let Some(text) = arguments.first().and_then(Cell::text) else { return };
    let Ok(array) = parse_array(text, b',') else { return };
    for element in array.elements.iter().flatten() {
        let (name, value) = match element.split_once('=') {
            Some((name, value)) => (name, Value::from(value)),
            None => (element.as_ref(), Value::Null),
        };
        rows.push(&[("option_name", name.into()), ("option_value", value)]);
    }
}

/// All of them, for this viewer.
pub(super) fn all(viewer: &Arc<Viewer>) -> impl Iterator<Item = Arc<ScalarUDF>> {
    FUNCTIONS.iter().map(|head| Arc::new(ScalarUDF::new_from_impl(SetFunction::new(head, viewer))))
}

/// The names of all of them.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|head| head.name)
}

/// The function: its result is a list, of structs where its rows have several columns.
struct SetFunction {
    head: &'static Head,
    schema: SchemaRef,
    item: Arc<Field>,
    signature: Signature,
    viewer: Arc<Viewer>,
}

impl SetFunction {
    fn new(head: &'static Head, viewer: &Arc<Viewer>) -> Self {
        let columns: Vec<(String, PgType)> = head.columns.iter().map(|(name, ty)| ((*name).to_owned(), *ty)).collect();
        let schema = layout(&columns);
        let item = match schema.fields().as_ref() {
            [only] => only.as_ref().clone(),
            fields => Field::new("item", DataType::Struct(fields.into()), true),
        };
        let count = head.arguments.len();
        SetFunction {
            head,
            schema,
            item: Arc::new(item),
            signature: signature(count, count),
            viewer: Arc::clone(viewer),
        }
    }
}

impl fmt::Debug for SetFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.head.name)
    }
}

impl PartialEq for SetFunction {
    fn eq(&self, other: &Self) -> bool {
        self.head.name == other.head.name
    }
}

impl Eq for SetFunction {}

impl Hash for SetFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.head.name.hash(state);
    }
}

impl ScalarUDFImpl for SetFunction {
    fn name(&self) -> &str {
        self.head.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(Arc::clone(&self.item)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let taken = Taken::new(&args, self.head.arguments)?;
        let mut rows = Rows::new(&self.schema, false);
        let mut lengths = Vec::with_capacity(args.number_rows);
        for row in 0..args.number_rows {
            let before = rows.len();
            (self.head.body)(&self.viewer, &taken.row(row), &mut rows);
            lengths.push(rows.len() - before);
        }
        let batch = rows.finish().map_err(|error| DataFusionError::External(Box::new(error)))?;
        let values = match batch.columns() {
            [only] => Arc::clone(only),
            _ => Arc::new(StructArray::from(batch)),
        };
        debug_assert_eq!(values.data_type(), self.item.data_type());
        let list = ListArray::try_new(Arc::clone(&self.item), OffsetBuffer::from_lengths(lengths), values, None)?;
        Ok(ColumnarValue::Array(Arc::new(list)))
    }
}
