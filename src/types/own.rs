//! Types of a source's own: what is told of one with a column, and the numbers they go by while a statement is bound.
//! Must not know: statements, how a source is asked.

use std::sync::Arc;

use arrow::datatypes::Field;

use super::pg_type::PgType;
use super::storage::field;

/// Metadata key of a field whose values are of a type of a source's own: the type, written by [`Own::field`].
const META_OWN: &str = "pg.own";

/// Metadata key of the same field: the source that the type is of.
const META_SOURCE: &str = "pg.own.source";

/// A type that a source has made for itself, or whose values only it can make sense of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OwnType {
    /// Its schema at the source.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// What is known of it.
    pub form: OwnForm,
}

/// What is known of a type of a source's own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum OwnForm {
    /// One of these words, in their order.
    Enum(Vec<String>),
    /// A domain over such.
    Domain(Box<OwnType>),
    /// A record.
    Composite,
    /// Nothing but the text of its values.
    Other,
    /// It is a type of text like others, but its collation takes different texts for equal: it stays what it is in every type of text.
    Loose,
}

/// How the values of a column are of a type of the source's own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Own {
    /// The type.
    pub of: Arc<OwnType>,
    /// The column is an array of it.
    pub array: bool,
}

impl Own {
    /// The type that everybody but the one who binds a statement takes such a value for: it is held as its text.
    #[must_use]
    pub const fn told(&self) -> PgType {
        if self.array { PgType::TEXT_ARRAY } else { PgType::TEXT }
    }

    /// A field of such values, with what is known of their type beside what it is told for.
    #[must_use]
    pub fn field(&self, name: &str, nullable: bool) -> Field {
        let mut words = vec![if self.array { "a" } else { "s" }];
        self.of.write(&mut words);
        let plain = field(name, self.told(), nullable);
        let mut metadata = plain.metadata().clone();
        // No name and no label holds this character.
        metadata.insert(META_OWN.to_owned(), words.join("\0"));
        plain.with_metadata(metadata)
    }

    /// What [`Own::field`] wrote, and the source that the type is of where that was added.
    #[must_use]
    pub fn of(field: &Field) -> Option<(Own, &str)> {
        let mut words = field.metadata().get(META_OWN)?.split('\0');
        let array = words.next()? == "a";
        let of = Arc::new(OwnType::read(&mut words)?);
        Some((Own { of, array }, field.metadata().get(META_SOURCE).map_or("", String::as_str)))
    }
}

/// The same field, its type known to be of this source: types of two sources are two, whatever their names.
#[must_use]
pub fn of_source(field: &Field, source: &str) -> Field {
    let mut metadata = field.metadata().clone();
    if metadata.contains_key(META_OWN) {
        metadata.insert(META_SOURCE.to_owned(), source.to_owned());
    }
    field.clone().with_metadata(metadata)
}

impl OwnType {
    fn write<'t>(&'t self, words: &mut Vec<&'t str>) {
        words.extend([self.schema.as_str(), self.name.as_str()]);
        match &self.form {
            OwnForm::Enum(labels) => {
                words.push("e");
                words.extend(labels.iter().map(String::as_str));
            }
            OwnForm::Domain(base) => {
                words.push("d");
                base.write(words);
            }
            OwnForm::Composite => words.push("c"),
            OwnForm::Other => words.push("o"),
            OwnForm::Loose => words.push("l"),
        }
    }

    fn read<'t>(words: &mut impl Iterator<Item = &'t str>) -> Option<OwnType> {
        let (schema, name) = (words.next()?.to_owned(), words.next()?.to_owned());
        let form = match words.next()? {
            "e" => OwnForm::Enum(words.map(str::to_owned).collect()),
            "d" => {
                // Of a domain only the enum beneath it is written; it has no domain beneath it again.
                let words: &mut dyn Iterator<Item = &'t str> = words;
                OwnForm::Domain(Box::new(OwnType::beneath(words)?))
            }
            "c" => OwnForm::Composite,
            "l" => OwnForm::Loose,
            _ => OwnForm::Other,
        };
        Some(OwnType { schema, name, form })
    }

    fn beneath(words: &mut dyn Iterator<Item = &str>) -> Option<OwnType> {
        let (schema, name, _) = (words.next()?.to_owned(), words.next()?.to_owned(), words.next()?);
        Some(OwnType { schema, name, form: OwnForm::Enum(words.map(str::to_owned).collect()) })
    }
}

/// The first of the numbers that types of sources' own go by while a statement is bound. A real type may have such an oid, but no type that
/// is bound has: those are PostgreSQL's own and these.
const FIRST: u32 = 0xF000_0000;

/// What may be done with values of a type of a source's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnKind {
    /// They compare by the order of their labels.
    Enum,
    /// The same; but PostgreSQL has no operators for a domain over an enum.
    EnumDomain,
    /// They are shown, and nothing else.
    Opaque,
}

impl PgType {
    /// The type of a source's own that has this place among those of a statement.
    #[must_use]
    pub const fn own(place: u32, kind: OwnKind) -> PgType {
        let kind = match kind {
            OwnKind::Enum => 0,
            OwnKind::EnumDomain => 1,
            OwnKind::Opaque => 2,
        };
        PgType::new(FIRST | ((place << 3) & !FIRST) | (kind << 1))
    }

    /// Its place among the types of sources' own, if it is one or an array of one.
    #[must_use]
    pub const fn own_place(self) -> Option<usize> {
        if self.oid >= FIRST { Some(((self.oid & !FIRST) >> 3) as usize) } else { None }
    }

    /// What kind of a type of a source's own it or its elements are of, if they are.
    #[must_use]
    pub const fn own_kind(self) -> Option<OwnKind> {
        if self.oid < FIRST {
            return None;
        }
        Some(match (self.oid >> 1) & 3 {
            0 => OwnKind::Enum,
            1 => OwnKind::EnumDomain,
            _ => OwnKind::Opaque,
        })
    }

    /// Whether it is an array of a type of a source's own.
    #[must_use]
    pub(super) const fn is_own_array(self) -> bool {
        self.oid >= FIRST && self.oid & 1 == 1
    }

    /// The array of a type of a source's own, or its element.
    pub(super) const fn own_sibling(self, array: bool) -> PgType {
        PgType::new(if array { self.oid | 1 } else { self.oid & !1 })
    }

    /// What a value of this type is told to be outside of the binding of its statement: of a type of a source's own, text.
    #[must_use]
    pub const fn told(self) -> PgType {
        match self.oid {
            0..FIRST => self,
            _ if self.is_own_array() => PgType::TEXT_ARRAY,
            _ => PgType::TEXT,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::storage::{Comparable, comparable, pg_type_of, storage};
    use super::*;

    fn mood() -> OwnType {
        let labels = ["sad", "a b", "o'clock", "", "e"].map(str::to_owned).to_vec();
        OwnType { schema: "Odd \"S".into(), name: "mood".into(), form: OwnForm::Enum(labels) }
    }

    #[test]
    fn a_field_tells_its_type() {
        let domain = OwnType { schema: "s".into(), name: "d".into(), form: OwnForm::Domain(Box::new(mood())) };
        let pair = OwnType { schema: "s".into(), name: "pair".into(), form: OwnForm::Composite };
        let other = OwnType { schema: "s".into(), name: "citext".into(), form: OwnForm::Other };
        let loose = OwnType { schema: "pg_catalog".into(), name: "text".into(), form: OwnForm::Loose };
        for of in [mood(), domain, pair, other, loose].map(Arc::new) {
            for array in [false, true] {
                let own = Own { of: Arc::clone(&of), array };
                let field = own.field("c", true);
                assert_eq!(pg_type_of(&field), own.told());
                assert_eq!(Own::of(&field), Some((own.clone(), "")));
                assert_eq!(Own::of(&of_source(&field, "shop")), Some((own, "shop")));
            }
        }
        let plain = field("c", PgType::TEXT, true);
        assert_eq!((Own::of(&plain), of_source(&plain, "shop")), (None, plain.clone()));
    }

    #[test]
    fn numbers_tell_what_they_are_of() {
        for (place, kind) in [(0, OwnKind::Enum), (7, OwnKind::EnumDomain), (4000, OwnKind::Opaque)] {
            let one = PgType::own(place, kind);
            let array = one.array_of().unwrap();
            assert_eq!((array.element(), one.element(), array.array_of()), (Some(one), None, None));
            for ty in [one, array] {
                assert_eq!((ty.own_place(), ty.own_kind()), (Some(place as usize), Some(kind)));
                assert!(ty.row().is_none() && storage(ty) == storage(PgType::TEXT));
            }
            assert_eq!((one.told(), array.told()), (PgType::TEXT, PgType::TEXT_ARRAY));
            assert_eq!((one.category(), array.category()), (if kind == OwnKind::Opaque { 'U' } else { 'E' }, 'A'));
            let known = if kind == OwnKind::Opaque { Comparable::None } else { Comparable::Equality };
            assert_eq!((comparable(one), comparable(array)), (known, known));
        }
        assert_eq!((PgType::INT4.own_kind(), PgType::INT4.told()), (None, PgType::INT4));
    }
}
