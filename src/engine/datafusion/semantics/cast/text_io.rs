//! Text in, text out: casts through PostgreSQL's input and output functions.
//! Must not know: which casts there are.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringViewBuilder};
use arrow::datatypes::{DataType, Field};
use bytes::BytesMut;
use datafusion::logical_expr::Expr;
use datafusion::scalar::ScalarValue;

use super::super::kernel::{call, external, wrong_type};
use super::super::own;
use super::super::value::Bound;
use crate::error::{Error, Result};
use crate::types::{
    ColumnBuilder, ColumnEncoder, FormatOptions, META_OID, META_TYPMOD, PgType, json_encoder, shown_otherwise, storage,
    text_encoder,
};

/// Whether a type is one of the strings that any value can be cast to and from.
pub(super) fn is_text(pg: PgType) -> bool {
    matches!(pg.oid, 25 | 1043 | 1042 | 19 | 18)
}

/// The value that a literal's text stands for.
///
/// # Errors
/// Those of the type's input function.
pub(crate) fn parse(text: &str, to: PgType, format: &FormatOptions) -> Result<Bound> {
    if to.row().is_none_or(|row| row.typtype == b'p') {
        return Err(Error::unsupported(format!("a value of type {} is not supported", to.display_name())));
    }
    let mut builder = ColumnBuilder::new(to, 1);
    builder.append_text(Some(text), format)?;
    let array = builder.finish();
    let value = ScalarValue::try_from_array(&array, 0).map_err(|_| Error::internal("a literal has no scalar form"))?;
    Ok(Bound::literal(value, to))
}

/// Names what a conversion depends on besides its argument.
fn label(what: &str, pg: PgType, format: &FormatOptions) -> String {
    let name = pg.display_name();
    match pg.oid {
        1082 | 1083 | 1114 | 1184 | 1186 | 1266 | 17 | 700 | 701 => format!("{what}({name},{format:?})"),
        _ if pg.is_array() || shown_otherwise(pg, format) => format!("{what}({name},{format:?})"),
        _ => format!("{what}({name})"),
    }
}

/// Text read by the input function of a type.
pub(super) fn from_text(value: Bound, to: PgType, format: &FormatOptions) -> Result<Bound> {
    if to.row().is_none_or(|row| row.typtype == b'p') {
        return Err(Error::unsupported(format!("a cast to type {} is not supported", to.display_name())));
    }
    let options = format.clone();
    let returns = storage(to);
    let expr = call(label("input", to, format), vec![value.expr], returns.clone(), move |args| {
        let [array] = args else { return Err(wrong_type("a cast from text")) };
        let texts = array.as_string_view_opt().ok_or_else(|| wrong_type("a cast from text"))?;
        let mut builder = ColumnBuilder::new(to, texts.len());
        for text in texts {
            builder.append_text(text, &options).map_err(external)?;
        }
        Ok(builder.finish())
    });
    Ok(Bound::with_arrow(expr, to, returns))
}

/// A value as the output function of its type writes it, in a text type. Booleans are `true` and `false`, as the cast has it.
pub(crate) fn to_text(value: Bound, to: PgType, format: &FormatOptions) -> Result<Bound> {
    let made = |expr: Expr| Ok(Bound::with_arrow(expr, to, DataType::Utf8View));
    if value.pg.own_kind().is_some() {
        let held = if value.arrow == DataType::Utf8View { value.expr } else { written(&value, format)? };
        return made(own::text(held));
    }
    match value.pg.oid {
        25 | 1043 | 19 | 18 => return Ok(Bound { pg: to, ..value }),
        16 => return made(bool_word(value.expr)),
        _ if value.arrow == DataType::Utf8View && !value.pg.is_array() && !shown_otherwise(value.pg, format) => {
            return Ok(Bound { pg: to, ..value });
        }
        _ => {}
    }
    made(written(&value, format)?)
}

fn typed(value: &Bound) -> Field {
    let pg = value.pg.told();
    let metadata = [(META_OID.to_owned(), pg.oid.to_string()), (META_TYPMOD.to_owned(), pg.typmod.to_string())];
    Field::new("value", value.arrow.clone(), true).with_metadata(metadata.into())
}

fn written(value: &Bound, format: &FormatOptions) -> Result<Expr> {
    encoded(label("output", value.pg.told(), format), value.expr.clone(), typed(value), format, text_encoder)
}

/// A value as JSON; NULL stays NULL. An array is a list here.
pub(crate) fn json(value: &Bound, format: &FormatOptions) -> Result<Expr> {
    if own::is_opaque(value.pg) {
        return Err(own::refused(&format!("JSON of type {}", value.type_name())));
    }
    let mut field = typed(value);
    if let (DataType::List(item), Some(element)) = (&value.arrow, value.pg.element()) {
        let item = typed(&Bound::with_arrow(value.expr.clone(), element, item.data_type().clone()));
        field = field.with_data_type(DataType::List(Arc::new(item)));
    }
    encoded(label("json", value.pg.told(), format), value.expr.clone(), field, format, json_encoder)
}

/// A value of json or jsonb as its text; a source may have it as a structure of its own.
pub(crate) fn json_held(value: &Bound, format: &FormatOptions) -> Result<Expr> {
    if value.arrow == DataType::Utf8View { Ok(value.expr.clone()) } else { json(value, format) }
}

fn encoded(
    name: String,
    value: Expr,
    field: Field,
    format: &FormatOptions,
    encoder_of: fn(&Field, &FormatOptions) -> Result<Box<dyn ColumnEncoder>>,
) -> Result<Expr> {
    let options = format.clone();
    // Tried once here, so that a type without such a form is refused while planning.
    encoder_of(&field, &options)?;
    Ok(call(name, vec![value], DataType::Utf8View, move |args| {
        let [array] = args else { return Err(wrong_type("a cast to text")) };
        let mut encoder = encoder_of(&field, &options).map_err(external)?;
        encoder.bind(array).map_err(external)?;
        let mut builder = StringViewBuilder::with_capacity(array.len());
        let mut out = BytesMut::new();
        for row in 0..array.len() {
            if encoder.is_null(row) {
                builder.append_null();
                continue;
            }
            out.clear();
            encoder.write(row, &mut out).map_err(external)?;
            let text = std::str::from_utf8(&out).map_err(|_| wrong_type("a cast to text"))?;
            builder.append_value(text);
        }
        Ok(Arc::new(builder.finish()) as ArrayRef)
    }))
}

fn bool_text(name: &'static str, value: Expr, yes: &'static str, no: &'static str) -> Expr {
    call(name, vec![value], DataType::Utf8View, move |args| {
        let [array] = args else { return Err(wrong_type(name)) };
        let truths = array.as_boolean_opt().ok_or_else(|| wrong_type(name))?;
        let mut builder = StringViewBuilder::with_capacity(truths.len());
        for truth in truths {
            builder.append_option(truth.map(|truth| if truth { yes } else { no }));
        }
        Ok(Arc::new(builder.finish()) as ArrayRef)
    })
}

fn bool_word(value: Expr) -> Expr {
    bool_text("booltext", value, "true", "false")
}

/// A boolean as its output function writes it.
pub(crate) fn bool_letter(value: Expr) -> Expr {
    bool_text("boolout", value, "t", "f")
}

/// An array in text form.
pub(crate) fn array_text(value: Bound, format: &FormatOptions) -> Result<Bound> {
    // The text form of sources is the one under default settings; arrays of what settings change are not mixed.
    if value
        .pg
        .element()
        .is_some_and(|element| matches!(element.oid, 17 | 700 | 701 | 1082 | 1114 | 1184 | 1186 | 1266))
    {
        return Err(Error::unsupported(format!("mixing arrays of type {} is not supported", value.type_name())));
    }
    let pg = value.pg;
    Ok(Bound::with_arrow(written(&value, format)?, pg, DataType::Utf8View))
}
