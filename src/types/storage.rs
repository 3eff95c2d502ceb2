//! How a PostgreSQL type is held in Arrow, and what PostgreSQL type an Arrow field stands for.
//! Must not know: values, text and binary forms.

use std::collections::HashMap;

use arrow::datatypes::{DataType, Field, IntervalUnit, TimeUnit};

use super::own::OwnKind;
use super::pg_type::PgType;

/// Metadata key of a field: its `pg_type.oid` in decimal.
pub const META_OID: &str = "pg.oid";
/// Metadata key of a field: its type modifier in decimal.
pub const META_TYPMOD: &str = "pg.typmod";

/// Metadata key of a field that `*` leaves out: a system column (`xmin`, `ctid`).
const META_SYSTEM: &str = "pg.system";

/// How far comparing two stored values says what PostgreSQL says of the values themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Comparable {
    /// Neither equality nor order: compare by other means or refuse.
    None,
    /// Equal stored forms are equal values and the other way round; order differs.
    Equality,
    /// Equality and order agree. (Text: order of bytes, as in PostgreSQL's collation "C".)
    Total,
}

/// The Arrow type in which values of a PostgreSQL type are held.
#[must_use]
pub fn storage(pg: PgType) -> DataType {
    match pg.oid {
        16 => DataType::Boolean,
        21 => DataType::Int16,
        23 => DataType::Int32,
        20 => DataType::Int64,
        26 => DataType::UInt32,
        700 => DataType::Float32,
        701 => DataType::Float64,
        1700 => numeric_storage(pg),
        17 => DataType::Binary,
        1082 => DataType::Date32,
        1083 => DataType::Time64(TimeUnit::Microsecond),
        1114 => DataType::Timestamp(TimeUnit::Microsecond, None),
        1184 => DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into())),
        1186 => DataType::Interval(IntervalUnit::MonthDayNano),
        _ => DataType::Utf8View,
    }
}

fn numeric_storage(pg: PgType) -> DataType {
    match pg.precision_scale() {
        Some((p, s)) if s >= 0 && s.unsigned_abs() <= p && (1..=38).contains(&p) => {
            DataType::Decimal128(p as u8, s as i8)
        }
        Some((p, s)) if s >= 0 && s.unsigned_abs() <= p && (39..=76).contains(&p) => {
            DataType::Decimal256(p as u8, s as i8)
        }
        _ => DataType::Utf8View,
    }
}

/// Whether a type that is not of the text family is held as its text (uuid, inet, json, unconstrained numeric,
/// arrays of a source, ...).
#[must_use]
pub fn is_text_form(pg: PgType) -> bool {
    storage(pg) == DataType::Utf8View && !pg.is_textual()
}

/// An Arrow field for a column of a PostgreSQL type, with the type in its metadata; a type of a source's own as what it is told to be.
#[must_use]
pub fn field(name: impl Into<String>, pg: PgType, nullable: bool) -> Field {
    let pg = pg.told();
    let metadata =
        HashMap::from([(META_OID.to_owned(), pg.oid.to_string()), (META_TYPMOD.to_owned(), pg.typmod.to_string())]);
    Field::new(name, storage(pg), nullable).with_metadata(metadata)
}

/// The same field as a system column: only its name reaches it.
#[must_use]
pub fn system_column(field: Field) -> Field {
    let mut metadata = field.metadata().clone();
    metadata.insert(META_SYSTEM.to_owned(), "t".to_owned());
    field.with_metadata(metadata)
}

/// Whether a field is a system column.
#[must_use]
pub fn is_system_column(field: &Field) -> bool {
    field.metadata().contains_key(META_SYSTEM)
}

/// The PostgreSQL type of a field: its metadata if it has any, else what its Arrow type stands for.
///
/// Without metadata a decimal is `numeric` without modifier. Types that Arrow knows and PostgreSQL does not (unions)
/// are text.
#[must_use]
pub fn pg_type_of(field: &Field) -> PgType {
    let number = |key: &str| field.metadata().get(key);
    if let Some(oid) = number(META_OID).and_then(|oid| oid.parse().ok()) {
        let typmod = number(META_TYPMOD).and_then(|typmod| typmod.parse().ok()).unwrap_or(-1);
        return PgType { oid, typmod };
    }
    by_arrow_type(field.data_type())
}

fn by_arrow_type(arrow: &DataType) -> PgType {
    match arrow {
        DataType::Boolean => PgType::BOOL,
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => PgType::INT2,
        DataType::Int32 | DataType::UInt16 => PgType::INT4,
        DataType::Int64 | DataType::UInt32 => PgType::INT8,
        DataType::UInt64
        | DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => PgType::NUMERIC,
        DataType::Float16 | DataType::Float32 => PgType::FLOAT4,
        DataType::Float64 => PgType::FLOAT8,
        DataType::Date32 => PgType::DATE,
        DataType::Date64 | DataType::Timestamp(_, None) => PgType::TIMESTAMP,
        DataType::Timestamp(_, Some(_)) => PgType::TIMESTAMPTZ,
        DataType::Time32(_) | DataType::Time64(_) => PgType::TIME,
        DataType::Duration(_) | DataType::Interval(_) => PgType::INTERVAL,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => PgType::BYTEA,
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => {
            let element = pg_type_of(item);
            // PostgreSQL has no arrays of arrays: a list of lists is an array of more dimensions.
            if element.is_array() { element } else { element.array_of().unwrap_or(PgType::TEXT_ARRAY) }
        }
        DataType::Struct(_) | DataType::Map(..) => PgType::JSON,
        DataType::Dictionary(_, value) => by_arrow_type(value),
        DataType::RunEndEncoded(_, value) => pg_type_of(value),
        _ => PgType::TEXT,
    }
}

/// How far the stored form of a type may be compared in place of its values.
///
/// Floats: Arrow tells -0 from 0 where PostgreSQL does not; whoever compares them must make -0 to 0 first (`x + 0.0`).
/// `character(n)`: trailing blanks must be cut first, see [`ignores_trailing_blanks`]. Text: a remote collation may
/// order differently.
#[must_use]
pub fn comparable(pg: PgType) -> Comparable {
    match pg.own_kind() {
        // A label is a label's text; their order is another one.
        Some(OwnKind::Enum | OwnKind::EnumDomain) => return Comparable::Equality,
        Some(OwnKind::Opaque) => return Comparable::None,
        None => {}
    }
    if let Some(element) = pg.element() {
        // Arrays in text form: one text for each value as long as each element has one text.
        return match element.oid {
            16 | 17 | 18 | 19 | 20 | 21 | 23 | 25 | 26 | 1043 | 1082 | 1083 | 1114 | 1184 | 2950 | 829 | 774 | 1560
            | 1562 | 650 | 869 | 1033 => Comparable::Equality,
            _ => Comparable::None,
        };
    }
    match pg.oid {
        1700 if is_text_form(pg) => Comparable::None,
        // Lower-case hex of one width: bytes order as the values. Bit strings order as their digits do.
        2950 | 829 | 774 | 1560 | 1562 => Comparable::Total,
        // inet, cidr, aclitem, timetz, ranges and multiranges over types with one text for each value, tid, xid, cid, xid8,
        // pg_lsn.
        869 | 650 | 1033 | 1266 | 3904 | 3926 | 3912 | 3908 | 3910 | 4451 | 4533 | 4534 | 4535 | 4536 | 27 | 28
        | 29 | 5069 | 3220 => Comparable::Equality,
        // 1 month equals 30 days.
        1186 => Comparable::None,
        _ if is_text_form(pg) => Comparable::None,
        _ => Comparable::Total,
    }
}

/// Whether trailing blanks do not count when values of the type are compared (`character(n)`).
#[must_use]
pub fn ignores_trailing_blanks(pg: PgType) -> bool {
    pg.oid == PgType::BPCHAR.oid
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn numeric_is_decimal_only_where_it_fits() {
        assert_eq!(storage(PgType::numeric(15, 2)), DataType::Decimal128(15, 2));
        assert_eq!(storage(PgType::numeric(38, 38)), DataType::Decimal128(38, 38));
        assert_eq!(storage(PgType::numeric(76, 10)), DataType::Decimal256(76, 10));
        for odd in [PgType::NUMERIC, PgType::numeric(77, 2), PgType::numeric(5, -2), PgType::numeric(3, 5)] {
            assert_eq!(storage(odd), DataType::Utf8View);
            assert!(is_text_form(odd));
        }
        assert!(!is_text_form(PgType::VARCHAR));
        assert!(is_text_form(PgType::UUID));
    }

    #[test]
    fn a_field_keeps_its_type() {
        let made = field("a", PgType::numeric(15, 2), true);
        assert_eq!(pg_type_of(&made), PgType::numeric(15, 2));
        assert_eq!(pg_type_of(&Field::new("a", DataType::Decimal128(15, 2), true)), PgType::NUMERIC);
        let inner = Arc::new(Field::new("item", DataType::Int32, true));
        let list = Arc::new(Field::new("item", DataType::List(inner), true));
        assert_eq!(pg_type_of(&Field::new("a", DataType::List(list), true)), PgType::INT4_ARRAY);
        let words = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
        assert_eq!(pg_type_of(&Field::new("a", words, true)), PgType::TEXT);
    }

    #[test]
    fn comparisons() {
        assert_eq!(comparable(PgType::UUID), Comparable::Total);
        assert_eq!(comparable(PgType::INET), Comparable::Equality);
        assert_eq!(comparable(PgType::NUMERIC), Comparable::None);
        assert_eq!(comparable(PgType::numeric(10, 2)), Comparable::Total);
        assert_eq!(comparable(PgType::INTERVAL), Comparable::None);
        assert_eq!(comparable(PgType::JSONB), Comparable::None);
        assert_eq!(comparable(PgType::INT4_ARRAY), Comparable::Equality);
        assert_eq!(comparable(PgType::NUMERIC_ARRAY), Comparable::None);
    }
}
