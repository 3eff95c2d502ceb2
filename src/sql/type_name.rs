//! Types as PostgreSQL names them: `character varying(10)` is `varchar` with the modifier 10.
//! Must not know: which types exist, their oids.

use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, CharacterLength, DataType, ExactNumberInfo, GeometricTypeKind, TimezoneInfo,
};

use super::scope::parts;

/// A type as a statement names it, in PostgreSQL's internal spelling.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TypeName {
    /// The schema, if written and not `pg_catalog`.
    pub schema: Option<String>,
    /// The name: `int4`, `varchar`, `timestamptz`, `char` (the one-byte type; `char(n)` is `bpchar`), ...
    pub name: String,
    /// What stands in parentheses: length, precision and scale.
    pub modifiers: Vec<i64>,
    /// Is it an array of that?
    pub array: bool,
}

/// PostgreSQL's name of a parsed type; none for a type that PostgreSQL's grammar does not have.
#[must_use]
pub fn type_name(data_type: &DataType) -> Option<TypeName> {
    if let DataType::Array(element) = data_type {
        let element = match element {
            ArrayElemTypeDef::SquareBracket(element, _) => element,
            _ => return None,
        };
        return type_name(element).map(|name| TypeName { array: true, ..name });
    }
    if let DataType::Custom(name, modifiers) = data_type {
        return custom(parts(name), modifiers);
    }
    let (name, modifiers) = built_in(data_type)?;
    Some(TypeName { schema: None, name: name.to_owned(), modifiers, array: false })
}

fn custom(mut parts: Vec<String>, modifiers: &[String]) -> Option<TypeName> {
    let name = parts.pop()?;
    let schema = parts.pop().filter(|schema| schema != "pg_catalog");
    let modifiers = modifiers.iter().map(|m| m.trim().parse().ok()).collect::<Option<Vec<i64>>>()?;
    Some(TypeName { schema, name, modifiers, array: false })
}

fn optional(length: Option<u64>) -> Vec<i64> {
    length.and_then(|length| i64::try_from(length).ok()).into_iter().collect()
}

fn characters(length: Option<&CharacterLength>) -> Option<Vec<i64>> {
    match length {
        None => Some(Vec::new()),
        Some(CharacterLength::IntegerLength { length, unit: None }) => Some(optional(Some(*length))),
        Some(_) => None,
    }
}

/// `char` is `char(1)`.
fn fixed_characters(length: Option<&CharacterLength>) -> Option<Vec<i64>> {
    characters(length).map(|modifiers| if modifiers.is_empty() { vec![1] } else { modifiers })
}

fn exact(info: &ExactNumberInfo) -> Vec<i64> {
    match info {
        ExactNumberInfo::None => Vec::new(),
        ExactNumberInfo::Precision(precision) => optional(Some(*precision)),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => {
            let mut modifiers = optional(Some(*precision));
            modifiers.push(*scale);
            modifiers
        }
    }
}

fn zoned(zone: TimezoneInfo, plain: &'static str, with_zone: &'static str) -> &'static str {
    match zone {
        TimezoneInfo::None | TimezoneInfo::WithoutTimeZone => plain,
        TimezoneInfo::WithTimeZone | TimezoneInfo::Tz => with_zone,
    }
}

fn geometric(kind: GeometricTypeKind) -> &'static str {
    match kind {
        GeometricTypeKind::Point => "point",
        GeometricTypeKind::Line => "line",
        GeometricTypeKind::LineSegment => "lseg",
        GeometricTypeKind::GeometricBox => "box",
        GeometricTypeKind::GeometricPath => "path",
        GeometricTypeKind::Polygon => "polygon",
        GeometricTypeKind::Circle => "circle",
    }
}

fn built_in(data_type: &DataType) -> Option<(&'static str, Vec<i64>)> {
    Some(match data_type {
        DataType::Bool | DataType::Boolean => ("bool", Vec::new()),
        DataType::Int2(None) | DataType::SmallInt(None) => ("int2", Vec::new()),
        DataType::Int(None) | DataType::Integer(None) | DataType::Int4(None) => ("int4", Vec::new()),
        DataType::BigInt(None) | DataType::Int8(None) => ("int8", Vec::new()),
        DataType::Float4 | DataType::Real => ("float4", Vec::new()),
        DataType::Float(ExactNumberInfo::Precision(1..=24)) => ("float4", Vec::new()),
        DataType::Float(ExactNumberInfo::None | ExactNumberInfo::Precision(25..=53))
        | DataType::Float8
        | DataType::DoublePrecision => ("float8", Vec::new()),
        DataType::Numeric(info) | DataType::Decimal(info) | DataType::Dec(info) => ("numeric", exact(info)),
        DataType::Text => ("text", Vec::new()),
        DataType::Varchar(length) | DataType::CharacterVarying(length) | DataType::CharVarying(length) => {
            ("varchar", characters(length.as_ref())?)
        }
        DataType::Char(length) | DataType::Character(length) => ("bpchar", fixed_characters(length.as_ref())?),
        DataType::Uuid => ("uuid", Vec::new()),
        DataType::JSON => ("json", Vec::new()),
        DataType::JSONB => ("jsonb", Vec::new()),
        DataType::Bytea => ("bytea", Vec::new()),
        DataType::Date => ("date", Vec::new()),
        DataType::Time(precision, zone) => (zoned(*zone, "time", "timetz"), optional(*precision)),
        DataType::Timestamp(precision, zone) => (zoned(*zone, "timestamp", "timestamptz"), optional(*precision)),
        DataType::Interval { fields: _, precision } => ("interval", optional(*precision)),
        DataType::Bit(length) => ("bit", optional(Some(length.unwrap_or(1)))),
        DataType::BitVarying(length) | DataType::VarBit(length) => ("varbit", optional(*length)),
        DataType::Regclass => ("regclass", Vec::new()),
        DataType::GeometricType(kind) => (geometric(*kind), Vec::new()),
        DataType::TsVector => ("tsvector", Vec::new()),
        DataType::TsQuery => ("tsquery", Vec::new()),
        // Types of other databases that sqlparser knows by a keyword are only names to PostgreSQL.
        DataType::TinyInt(None) => ("tinyint", Vec::new()),
        DataType::Datetime(None) => ("datetime", Vec::new()),
        DataType::Double(ExactNumberInfo::None) => ("double", Vec::new()),
        DataType::Blob(None) => ("blob", Vec::new()),
        DataType::Clob(None) => ("clob", Vec::new()),
        DataType::String(None) => ("string", Vec::new()),
        DataType::Binary(None) => ("binary", Vec::new()),
        DataType::Varbinary(None) => ("varbinary", Vec::new()),
        DataType::HugeInt => ("hugeint", Vec::new()),
        DataType::Trigger => ("trigger", Vec::new()),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{StatementKind, ast, parse};

    fn name_of(sql: &str) -> Option<TypeName> {
        let statement = parse(&format!("select null::{sql}")).unwrap().remove(0);
        let StatementKind::Query(query) = statement.kind else { panic!() };
        let ast::SetExpr::Select(select) = *query.body else { panic!() };
        let ast::SelectItem::UnnamedExpr(ast::Expr::Cast { data_type, .. }) = &select.projection[0] else { panic!() };
        type_name(data_type)
    }

    #[test]
    fn types_have_their_internal_names() {
        for (sql, name, modifiers) in [
            ("int", "int4", vec![]),
            ("bigint", "int8", vec![]),
            ("character varying(10)", "varchar", vec![10]),
            ("char", "bpchar", vec![1]),
            ("\"char\"", "char", vec![]),
            ("numeric(10,2)", "numeric", vec![10, 2]),
            ("float(10)", "float4", vec![]),
            ("double precision", "float8", vec![]),
            ("timestamp(3) with time zone", "timestamptz", vec![3]),
            ("timestamptz", "timestamptz", vec![]),
            ("time", "time", vec![]),
            ("pg_catalog.regtype", "regtype", vec![]),
            ("pg_catalog.int4", "int4", vec![]),
            ("name", "name", vec![]),
        ] {
            let found = name_of(sql).unwrap_or_else(|| panic!("{sql}"));
            assert_eq!((found.name.as_str(), found.modifiers, found.array), (name, modifiers, false), "{sql}");
        }
        let array = name_of("int[]").unwrap();
        assert!(array.array && array.name == "int4");
        assert_eq!(name_of("shop.mood").unwrap().schema.as_deref(), Some("shop"));
    }
}
