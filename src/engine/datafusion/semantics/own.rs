//! Types of a source's own as a statement meets them: who they are, what an enum's labels are worth, what is refused.
//! Must not know: SQL, which operator or function is meant.
//!
//! Such a type has a number of its own while its statement is bound, and no longer: readers, encoders and clients know its values as text.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::thread::LocalKey;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int32Array, StringViewArray};
use arrow::datatypes::{DataType, Field, Int32Type};
use datafusion::logical_expr::Expr;
use datafusion::scalar::ScalarValue;

use super::kernel::{call, external, wrong_type};
use super::lift::text_map;
use super::value::Bound;
use crate::error::{Error, Result, SqlState};
use crate::names::{quote, quote_if_needed};
use crate::types::{self, Own, OwnForm, OwnKind, OwnType, PgType, parse_array, pg_type_of};

/// Metadata key of a field of a record: the number of its type.
const META_NUMBER: &str = "pg.own.number";

/// A type that a statement has met.
struct Known {
    of: Arc<OwnType>,
    source: String,
    /// The schema of a table that has it, as clients see that.
    schema: String,
    number: PgType,
    labels: Option<Arc<Labels>>,
    /// The enum beneath a domain.
    base: Option<PgType>,
}

thread_local! {
    /// The types that the statement which is bound on this thread has met.
    static KNOWN: RefCell<Vec<Known>> = const { RefCell::new(Vec::new()) };
}

/// Binds a statement on this thread: it meets no types of others.
pub(super) fn during<T>(bind: impl FnOnce() -> T) -> T {
    emptied(&KNOWN, bind)
}

/// Does something while nothing is known on this thread; what was known before is known again behind it, however it ends.
pub(super) fn emptied<K: 'static, T>(known: &'static LocalKey<RefCell<Vec<K>>>, work: impl FnOnce() -> T) -> T {
    struct Restored<K: 'static>(&'static LocalKey<RefCell<Vec<K>>>, Vec<K>);
    impl<K: 'static> Drop for Restored<K> {
        fn drop(&mut self) {
            self.0.replace(std::mem::take(&mut self.1));
        }
    }
    let _restored = Restored(known, known.take());
    work()
}

/// The labels of an enum.
pub(super) struct Labels {
    /// The enum's name in messages.
    name: String,
    all: Vec<String>,
    places: HashMap<String, i32>,
    /// Differs between enums, whatever their names.
    mark: u64,
}

impl Labels {
    fn new(of: &OwnType, all: &[String], source: &str) -> Labels {
        let mut hasher = DefaultHasher::new();
        (of, source).hash(&mut hasher);
        let places = all.iter().cloned().zip(0..).collect();
        Labels { name: quote_if_needed(&of.name), all: all.to_vec(), places, mark: hasher.finish() }
    }

    /// What a function over it is called.
    fn call(&self, what: &str) -> String {
        format!("{what}({},{:x})", self.name, self.mark)
    }

    fn check(&self, text: &str) -> Result<()> {
        if self.places.contains_key(text) {
            return Ok(());
        }
        let message = format!("invalid input value for enum {}: \"{text}\"", self.name);
        Err(Error::client(SqlState::INVALID_TEXT_REPRESENTATION, message))
    }

    /// A label that came from the source: it may have got it since it was asked for all of them.
    fn place(&self, label: &str) -> Result<i32> {
        self.places.get(label).copied().ok_or_else(|| {
            let message = "cached plan must not change result type";
            Error::source_fault(SqlState::FEATURE_NOT_SUPPORTED, message)
                .with_detail(format!("The labels of enum {} have changed at its source.", self.name))
        })
    }
}

/// The type of a table's column, which the statement knows from then on. `schema`: of the table.
pub(super) fn meet(field: &Field, schema: &str) -> PgType {
    let Some((own, source)) = Own::of(field) else { return pg_type_of(field) };
    // Of a table that was found by its bare name the schema is not told: most sources' schemas are called as they are.
    let schema = if schema.starts_with('\0') { source } else { schema };
    let one = KNOWN.with_borrow_mut(|known| met(known, &own.of, source, schema));
    if own.array { one.array_of().unwrap_or(PgType::TEXT_ARRAY) } else { one }
}

fn met(known: &mut Vec<Known>, of: &Arc<OwnType>, source: &str, schema: &str) -> PgType {
    if let Some(found) = known.iter().find(|known| known.of == *of && known.source == source) {
        return found.number;
    }
    let base = match &of.form {
        OwnForm::Domain(base) => Some(met(known, &Arc::new((**base).clone()), source, schema)),
        _ => None,
    };
    let (kind, labels) = match &of.form {
        OwnForm::Enum(labels) => (OwnKind::Enum, Some(Arc::new(Labels::new(of, labels, source)))),
        OwnForm::Domain(_) => {
            let labels = known.iter().find(|known| Some(known.number) == base).and_then(|base| base.labels.clone());
            (OwnKind::EnumDomain, labels)
        }
        OwnForm::Composite | OwnForm::Other | OwnForm::Loose => (OwnKind::Opaque, None),
    };
    let number = PgType::own(u32::try_from(known.len()).unwrap_or(u32::MAX), kind);
    let (source, schema) = (source.to_owned(), schema.to_owned());
    known.push(Known { of: Arc::clone(of), source, schema, number, labels, base });
    number
}

fn with<T>(ty: PgType, read: impl FnOnce(&Known, &[Known]) -> T) -> Option<T> {
    let place = ty.own_place()?;
    KNOWN.with_borrow(|all| all.get(place).map(|known| read(known, all)))
}

/// A type that a statement names, where a column of its tables is of it.
pub(super) fn named(schema: Option<&str>, name: &str) -> Option<PgType> {
    KNOWN.with_borrow(|all| {
        let fits = |known: &&Known| known.of.name == name && schema.is_none_or(|schema| known.schema == schema);
        let mut found = all.iter().filter(fits);
        match (found.next(), found.next()) {
            (Some(one), None) => Some(one.number),
            _ => None,
        }
    })
}

/// The name in messages of a type of a source's own: bare where that says which is meant.
pub(super) fn name_of(ty: PgType) -> Option<String> {
    with(ty, |known, all| {
        let name = &known.of.name;
        let other = |one: &&Known| one.of.name == *name && one.number != known.number;
        let hidden = known.of.schema != "pg_catalog" && PgType::from_name(&quote(name)).is_some();
        let bare = quote_if_needed(name);
        let plain = !hidden && !all.iter().any(|one| other(&one));
        let name = if plain { bare } else { format!("{}.{bare}", quote_if_needed(&known.schema)) };
        if ty.is_array() { format!("{name}[]") } else { name }
    })
}

/// Its bare name, as a column is called that is cast to it.
pub(super) fn bare_name(ty: PgType) -> Option<String> {
    with(ty, |known, _| known.of.name.clone())
}

/// The enum that a domain stands on.
pub(super) fn base_of(ty: PgType) -> Option<PgType> {
    with(ty, |known, _| known.base).flatten().filter(|_| !ty.is_array())
}

fn labels_of(ty: PgType) -> Result<Arc<Labels>> {
    with(ty, |known, _| known.labels.clone()).flatten().ok_or_else(|| Error::internal("an enum without labels"))
}

/// Whether values of a type are of an enum.
pub(super) fn is_enum(ty: PgType) -> bool {
    matches!(ty.own_kind(), Some(OwnKind::Enum | OwnKind::EnumDomain)) && !ty.is_array()
}

/// Whether nothing is known of values of a type but their text.
pub(super) fn is_opaque(ty: PgType) -> bool {
    ty.own_kind() == Some(OwnKind::Opaque)
}

/// Whether values of a type are texts of a collation that takes different texts for equal.
pub(super) fn is_loose(ty: PgType) -> bool {
    with(ty, |known, _| known.of.form == OwnForm::Loose).unwrap_or(false)
}

/// Whether values of a type are records of a source's own.
pub(super) fn is_composite(ty: PgType) -> bool {
    !ty.is_array() && with(ty, |known, _| known.of.form == OwnForm::Composite).unwrap_or(false)
}

/// What is not done with values of a type of a source's own.
pub(super) fn refused(what: &str) -> Error {
    Error::unsupported(format!("{what} is not supported")).with_hint(
        "Only its source knows what values of this type mean. Cast them to text to work with their text; \
                    give text of a collation of its own COLLATE \"C\".",
    )
}

/// A field of a record: its type is found again by [`type_of`].
pub(super) fn field(name: &str, ty: PgType, arrow: DataType) -> Field {
    let plain = types::field(name, ty, true).with_data_type(arrow);
    if ty.own_kind().is_none() {
        return plain;
    }
    let mut metadata = plain.metadata().clone();
    metadata.insert(META_NUMBER.to_owned(), ty.oid.to_string());
    plain.with_metadata(metadata)
}

/// The type of a field of a record.
pub(super) fn type_of(field: &Field) -> PgType {
    let number = field.metadata().get(META_NUMBER).and_then(|number| number.parse().ok());
    number.map_or_else(|| pg_type_of(field), PgType::new)
}

/// The value that a literal's text stands for.
///
/// # Errors
/// `22P02` for what is no label; `0A000` where only the source could read it.
pub(super) fn literal(text: &str, ty: PgType) -> Result<Bound> {
    if is_opaque(ty) {
        return Err(refused(&format!("a value of type {}", super::value::type_name(ty.oid))));
    }
    let labels = labels_of(ty)?;
    let held = if ty.is_array() {
        let read = super::cast::parse(text, PgType::TEXT_ARRAY, &types::FormatOptions::default())?;
        check_elements(&labels, text)?;
        read.constant().cloned().unwrap_or(ScalarValue::Utf8View(None))
    } else {
        labels.check(text)?;
        ScalarValue::Utf8View(Some(text.to_owned()))
    };
    Ok(Bound::literal(held, ty))
}

fn check_elements(labels: &Labels, text: &str) -> Result<()> {
    let parsed = parse_array(text, b',')?;
    parsed.elements.iter().flatten().try_for_each(|element| labels.check(element))
}

/// A text that is only known when it runs, as a value of the type.
///
/// # Errors
/// `0A000` where only the source could read it.
pub(super) fn read(text: Expr, ty: PgType) -> Result<Bound> {
    if is_opaque(ty) {
        return Err(refused(&format!("a value of type {}", super::value::type_name(ty.oid))));
    }
    let labels = labels_of(ty)?;
    let array = ty.is_array();
    let name = labels.call(if array { "enum_in[]" } else { "enum_in" });
    let expr = text_map(&name, text, move |text| {
        if array {
            check_elements(&labels, text)?
        } else {
            labels.check(text)?
        }
        Ok(text.to_owned())
    });
    Ok(Bound::new(expr, ty))
}

/// The text of a value. It is the same, but another expression: what is grouped by one is not grouped by the other.
pub(super) fn text(value: Expr) -> Expr {
    call("own_text", vec![value], DataType::Utf8View, |args| match args {
        [texts] => Ok(Arc::clone(texts)),
        _ => Err(wrong_type("a cast to text")),
    })
}

/// The place of an enum's value among its labels: in their order the values are.
pub(super) fn place(value: &Bound) -> Result<Expr> {
    let labels = labels_of(value.pg)?;
    let name = labels.call("enum_place");
    Ok(call(name, vec![value.expr.clone()], DataType::Int32, move |args| {
        let texts = args.first().and_then(|texts| texts.as_string_view_opt());
        let texts = texts.ok_or_else(|| wrong_type("the order of an enum"))?;
        let mut places = Vec::with_capacity(texts.len());
        for text in texts {
            places.push(text.map(|text| labels.place(text)).transpose().map_err(external)?);
        }
        Ok(Arc::new(Int32Array::from(places)) as ArrayRef)
    }))
}

/// The label at a place.
pub(super) fn label(place: Expr, ty: PgType) -> Result<Bound> {
    let labels = labels_of(ty)?;
    let name = labels.call("enum_label");
    let expr = call(name, vec![place], DataType::Utf8View, move |args| {
        let places = args.first().and_then(|places| places.as_primitive_opt::<Int32Type>());
        let places = places.ok_or_else(|| wrong_type("the order of an enum"))?;
        let label = |place: Option<i32>| labels.all.get(usize::try_from(place?).ok()?).map(String::as_str);
        Ok(Arc::new(places.iter().map(label).collect::<StringViewArray>()) as ArrayRef)
    });
    Ok(Bound::new(expr, ty))
}

/// Whether all fields of a record of a source's own are NULL, or none is.
pub(super) fn all_fields(record: Expr, null: bool) -> Expr {
    let name = if null { "own_record_is_null" } else { "own_record_is_not_null" };
    call(name, vec![record], DataType::Boolean, move |args| {
        let texts = args.first().and_then(|texts| texts.as_string_view_opt()).ok_or_else(|| wrong_type("IS NULL"))?;
        let fits = |text: Option<&str>| text.map_or(null, |text| fields(text).all(|field| field.is_empty() == null));
        Ok(Arc::new(texts.iter().map(fits).map(Some).collect::<BooleanArray>()) as ArrayRef)
    })
}

/// The fields of a record's text, as they stand in it: NULL is nothing at all.
fn fields(text: &str) -> impl Iterator<Item = &str> {
    let inside = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')).unwrap_or(text);
    let mut quoted = false;
    // A quote in quotes stands there twice, or behind a backslash.
    let mut escaped = false;
    inside.split(move |c: char| {
        let parts = c == ',' && !quoted && !escaped;
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        parts
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, form: OwnForm) -> Own {
        Own { of: Arc::new(OwnType { schema: "public".into(), name: name.into(), form }), array: false }
    }

    fn mood() -> Own {
        of("mood", OwnForm::Enum(["sad", "ok", "a b"].map(str::to_owned).to_vec()))
    }

    fn met_in(own: &Own, source: &str) -> PgType {
        meet(&types::of_source(&own.field("c", true), source), source)
    }

    #[test]
    fn a_type_is_met_once_and_those_of_two_sources_are_two() {
        during(|| {
            let first = met_in(&mood(), "shop");
            assert_eq!(met_in(&mood(), "shop"), first);
            assert_eq!(name_of(first).as_deref(), Some("mood"));
            assert_eq!(named(None, "mood"), Some(first));
            let domain = met_in(&of("d", OwnForm::Domain(Box::new((*mood().of).clone()))), "shop");
            assert_eq!((base_of(domain), base_of(first)), (Some(first), None));
            let array = met_in(&Own { array: true, ..mood() }, "shop");
            assert_eq!((array.element(), name_of(array).as_deref()), (Some(first), Some("mood[]")));
            let other = met_in(&mood(), "crm");
            assert_ne!(other, first);
            assert_eq!((name_of(first).as_deref(), name_of(other).as_deref()), (Some("shop.mood"), Some("crm.mood")));
            assert_eq!((named(None, "mood"), named(Some("crm"), "mood")), (None, Some(other)));
            during(|| assert_eq!(named(Some("crm"), "mood"), None));
            assert_eq!(named(Some("crm"), "mood"), Some(other));
        });
    }

    #[test]
    fn literals_are_labels() {
        during(|| {
            let ty = met_in(&mood(), "shop");
            assert_eq!(literal("a b", ty).unwrap().pg, ty);
            let error = literal("Sad", ty).unwrap_err();
            assert_eq!(error.message(), "invalid input value for enum mood: \"Sad\"");
            let array = ty.array_of().unwrap();
            assert!(literal("{sad,NULL,\"a b\"}", array).is_ok());
            assert_eq!(literal("{sad,nope}", array).unwrap_err().state(), SqlState::INVALID_TEXT_REPRESENTATION);
            let opaque = met_in(&of("citext", OwnForm::Other), "shop");
            assert_eq!(literal("x", opaque).unwrap_err().state(), SqlState::FEATURE_NOT_SUPPORTED);
        });
    }

    #[test]
    fn fields_of_records_are_told_apart() {
        for (text, all, none) in [
            ("(,)", true, false),
            ("()", true, false),
            ("(1,)", false, false),
            ("(1,x)", false, true),
            ("(1,\"\")", false, true),
            ("(\",\",\"\"\"\",\"\\\\\")", false, true),
            ("(\"a,\"\",\",)", false, false),
        ] {
            assert_eq!(fields(text).all(str::is_empty), all, "{text}");
            assert_eq!(fields(text).all(|field| !field.is_empty()), none, "{text}");
        }
    }
}
