//! `op ANY (array)` and `op ALL (array)`.
//! Must not know: subqueries.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanBuilder, make_comparator};
use arrow::compute::SortOptions;
use arrow::datatypes::DataType;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::Expr;
use datafusion::scalar::ScalarValue;

use super::super::arrays::take_apart;
use super::super::fold::fold;
use super::super::kernel::{call, external, wrong_type};
use super::super::keys::{blank_trimmed, is_plain, is_plain_equality};
use super::super::own;
use super::super::pg::CastContext;
use super::super::resolve::{Resolved, binary_operator};
use super::super::value::{Bound, Unknown};
use super::{Binder, refuse};
use crate::error::{Error, Result, SqlState};
use crate::types::{ColumnBuilder, FormatOptions, PgType, storage};

impl Binder<'_> {
    /// A value against each element of an array.
    pub(super) fn quantified_array(&mut self, name: &str, value: Bound, array: Bound, any: bool) -> Result<Bound> {
        let value = self.typing.refresh(value);
        let array = self.typing.refresh(array);
        if own::is_opaque(value.pg) || own::is_opaque(array.pg) {
            let (value, array) = (value.type_name(), array.type_name());
            return Err(own::refused(&format!("operator {name} ANY/ALL over types {value} and {array}")));
        }
        let array = if array.unknown.is_some() {
            let element = if value.pg.oid == 705 { PgType::TEXT } else { value.pg.bare() };
            let wanted = element.array_of().unwrap_or(PgType::TEXT_ARRAY);
            self.typing.coerce(array, wanted, CastContext::Implicit)?
        } else {
            array
        };
        let Some(element) = array.pg.element() else {
            return Err(Error::client(SqlState::WRONG_OBJECT_TYPE, "op ANY/ALL (array) requires array on right side"));
        };
        if let Some(elements) = self.known_elements(&array, element)? {
            return self.chain(name, value, elements, any);
        }
        self.by_row(name, value, array, element, any)
    }

    /// The elements of an array that is written out or constant.
    fn known_elements(&mut self, array: &Bound, element: PgType) -> Result<Option<Vec<Bound>>> {
        if let Expr::ScalarFunction(function) = &array.expr
            && function.func.name() == "make_array"
            && let DataType::List(item) = &array.arrow
        {
            let of = |expr: &Expr| Bound::with_arrow(expr.clone(), element, item.data_type().clone());
            return Ok(Some(function.args.iter().map(of).collect()));
        }
        let folded = fold(array.clone());
        let Some(ScalarValue::Utf8View(Some(text))) = folded.constant() else { return Ok(None) };
        let Some(elements) = split(text) else { return refuse("this array literal") };
        let mut bounds = Vec::new();
        for text in elements {
            let unknown = Bound::unknown(text.map_or(Unknown::Null, Unknown::Text));
            bounds.push(self.typing.coerce(unknown, element, CastContext::Implicit)?);
        }
        Ok(Some(bounds))
    }

    fn chain(&mut self, name: &str, value: Bound, elements: Vec<Bound>, any: bool) -> Result<Bound> {
        let mut result: Option<Expr> = None;
        for element in elements {
            let compared = self.operator(name, value.clone(), element)?;
            let compared = self.boolean(compared, "ANY/ALL")?.expr;
            result = Some(match result {
                None => compared,
                Some(before) if any => before.or(compared),
                Some(before) => before.and(compared),
            });
        }
        let none = || Expr::Literal(ScalarValue::Boolean(Some(!any)), None);
        Ok(Bound::new(result.unwrap_or_else(none), PgType::BOOL))
    }

    /// Array by array, where the array is only known when it runs: the value in the type of the elements.
    fn by_row(&mut self, name: &str, value: Bound, array: Bound, element: PgType, any: bool) -> Result<Bound> {
        let from = value.pg.oid;
        if let Resolved::Missing = binary_operator(name, from, element.oid) {
            return Err(Error::client(
                SqlState::UNDEFINED_FUNCTION,
                format!(
                    "operator does not exist: {} {name} {}",
                    value.type_name(),
                    super::super::value::type_name(element.oid)
                ),
            ));
        }
        let wanted: fn(Ordering) -> bool = match name {
            "=" => Ordering::is_eq,
            "<>" => Ordering::is_ne,
            "<" => Ordering::is_lt,
            "<=" => Ordering::is_le,
            ">" => Ordering::is_gt,
            ">=" => Ordering::is_ge,
            _ => return refuse(&format!("operator {name} ANY/ALL over an array")),
        };
        // A wider integer is not narrowed to the elements' type: the elements are read as the wider one.
        let element = wider_integer(value.pg, element);
        let mut value = self.typing.coerce(value, element.bare(), CastContext::Implicit)?;
        let equality = matches!(name, "=" | "<>");
        let padded = equality && element.oid == BPCHAR && value.arrow == DataType::Utf8View;
        if padded {
            value.expr = blank_trimmed(value.expr);
        } else if !(is_plain(&value) || (equality && is_plain_equality(&value)))
            || value.arrow != storage(element.bare())
        {
            return refuse(&format!("operator {name} ANY/ALL over an array of type {}", value.type_name()));
        }
        let array = self.array_as_text(array)?;
        if array.arrow != DataType::Utf8View {
            return refuse("ANY/ALL over an array that is computed");
        }
        let label = format!("{}({name},{})", if any { "any" } else { "all" }, array.pg.name());
        let of = array.pg.bare();
        let expr = call(label, vec![value.expr, array.expr], DataType::Boolean, move |args| {
            let [values, arrays] = args else { return Err(wrong_type("ANY")) };
            compare_rows(values, arrays, of, element.bare(), any, wanted)
        });
        Ok(Bound::new(expr, PgType::BOOL))
    }
}

/// `character(n)`: its trailing blanks do not count.
const BPCHAR: u32 = 1042;

/// The type in which an integer meets integers.
fn wider_integer(value: PgType, element: PgType) -> PgType {
    const BY_WIDTH: [PgType; 3] = [PgType::INT2, PgType::INT4, PgType::INT8];
    let width = |ty: PgType| BY_WIDTH.iter().position(|known| known.oid == ty.oid);
    match (width(value), width(element)) {
        (Some(of_value), Some(of_element)) if of_value > of_element => value.bare(),
        _ => element,
    }
}

fn compare_rows(
    values: &ArrayRef,
    arrays: &ArrayRef,
    array: PgType,
    element: PgType,
    any: bool,
    wanted: fn(Ordering) -> bool,
) -> DfResult<ArrayRef> {
    let texts = arrays.as_string_view_opt().ok_or_else(|| wrong_type("ANY"))?;
    let mut result = BooleanBuilder::with_capacity(values.len());
    let mut last: Option<(&str, ArrayRef)> = None;
    for row in 0..values.len() {
        if texts.is_null(row) {
            result.append_null();
            continue;
        }
        let text = texts.value(row);
        let elements = match &last {
            Some((known, elements)) if *known == text => elements.clone(),
            _ => {
                let elements = parsed(text, array, element).map_err(external)?;
                last = Some((text, elements.clone()));
                elements
            }
        };
        let (mut decided, mut unknown) = (false, values.is_null(row) && !elements.is_empty());
        if !values.is_null(row) {
            let compare = make_comparator(values, &elements, SortOptions::default())?;
            for at in 0..elements.len() {
                if elements.is_null(at) {
                    unknown = true;
                } else if wanted(compare(row, at)) == any {
                    decided = true;
                    break;
                }
            }
        }
        match (decided, unknown) {
            (true, _) => result.append_value(any),
            (false, true) => result.append_null(),
            (false, false) => result.append_value(!any),
        }
    }
    Ok(Arc::new(result.finish()))
}

fn parsed(text: &str, array: PgType, element: PgType) -> Result<ArrayRef> {
    let found = take_apart(array, text)?;
    let mut builder = ColumnBuilder::new(element, found.elements.len());
    for text in &found.elements {
        let text = text.as_deref().map(|text| if element.oid == BPCHAR { text.trim_end_matches(' ') } else { text });
        builder.append_text(text, &FormatOptions::default())?;
    }
    Ok(builder.finish())
}

/// The elements of a one-dimensional array's text; none for anything else.
fn split(text: &str) -> Option<Vec<Option<String>>> {
    let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let mut elements = Vec::new();
    if inner.trim().is_empty() {
        return Some(elements);
    }
    let mut chars = inner.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_ascii_whitespace()).is_some() {}
        let mut element = String::new();
        let quoted = chars.next_if_eq(&'"').is_some();
        loop {
            match chars.next() {
                None if quoted => return None,
                None => break,
                Some('"') if quoted => break,
                Some('\\') => element.push(chars.next()?),
                Some('{' | '}' | '"') if !quoted => return None,
                Some(',') if !quoted => {
                    elements.push(unquoted(&element)?);
                    element.clear();
                    while chars.next_if(|c| c.is_ascii_whitespace()).is_some() {}
                    if chars.peek() == Some(&'"') {
                        break;
                    }
                }
                Some(c) => element.push(c),
            }
        }
        if !quoted && chars.peek() == Some(&'"') {
            continue;
        }
        elements.push(if quoted { Some(element) } else { unquoted(&element)? });
        while chars.next_if(|c| c.is_ascii_whitespace()).is_some() {}
        match chars.next() {
            None => return Some(elements),
            Some(',') => {}
            Some(_) => return None,
        }
    }
}

fn unquoted(element: &str) -> Option<Option<String>> {
    let element = element.trim();
    if element.is_empty() {
        return None;
    }
    Some((!element.eq_ignore_ascii_case("null")).then(|| element.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn arrays_are_split() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(split("{1,2,NULL}"), Some(vec![some("1"), some("2"), None]));
        assert_eq!(split("{}"), Some(vec![]));
        assert_eq!(split("{\"a,b\",c,\"NULL\"}"), Some(vec![some("a,b"), some("c"), some("NULL")]));
        assert_eq!(split("{a,\"b\"}"), Some(vec![some("a"), some("b")]));
        assert_eq!(split("{{1},{2}}"), None);
        assert_eq!(split("{1,}"), None);
    }
}
