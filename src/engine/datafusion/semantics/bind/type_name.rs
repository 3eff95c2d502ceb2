//! Type names of the syntax tree as PostgreSQL types.
//! Must not know: values.

use super::super::{own, rows};
use super::from::parts;
use crate::sql::ast::{ArrayElemTypeDef, DataType as AstType};

use crate::error::{Error, Result, SqlState};
use crate::types::PgType;

/// The PostgreSQL type that a written type means, with its modifier; or one of a source's own that the statement has met.
pub(super) fn pg_type(ast: &AstType) -> Result<PgType> {
    let written = written(ast);
    PgType::from_name(&written).or_else(|| own_type(ast)).ok_or_else(|| {
        let bare = written.split('(').next().unwrap_or(&written).trim_matches('"').to_owned();
        if let Some(known) = PgType::from_name(&bare) {
            let message =
                modifier_of_numeric(known, &written).unwrap_or_else(|| format!("invalid type modifier in {written}"));
            return Error::client(SqlState::INVALID_PARAMETER_VALUE, message);
        }
        Error::client(SqlState::UNDEFINED_OBJECT, format!("type \"{bare}\" does not exist"))
    })
}

fn own_type(ast: &AstType) -> Option<PgType> {
    match ast {
        AstType::Custom(name, modifiers) if modifiers.is_empty() => match parts(name).ok()?.as_slice() {
            [name] => own::named(None, name).or_else(|| rows::named(None, name)),
            [schema, name] => own::named(Some(schema), name).or_else(|| rows::named(Some(schema), name)),
            _ => None,
        },
        AstType::Array(ArrayElemTypeDef::SquareBracket(element, _) | ArrayElemTypeDef::AngleBracket(element)) => {
            own_type(element)?.array_of()
        }
        _ => None,
    }
}

/// What PostgreSQL says of a precision or scale that numeric cannot have.
fn modifier_of_numeric(ty: PgType, written: &str) -> Option<String> {
    let inside = written.split_once('(')?.1.split_once(')')?.0;
    let numbers: Vec<i64> = inside.split(',').map(|number| number.trim().parse().ok()).collect::<Option<_>>()?;
    match numbers.as_slice() {
        _ if ty.oid != PgType::NUMERIC.oid => None,
        [precision] | [precision, _] if !(1..=1000).contains(precision) => {
            Some(format!("NUMERIC precision {precision} must be between 1 and 1000"))
        }
        [_, scale] if !(-1000..=1000).contains(scale) => {
            Some(format!("NUMERIC scale {scale} must be between -1000 and 1000"))
        }
        [_] | [_, _] => None,
        _ => Some("invalid NUMERIC type modifier".to_owned()),
    }
}

fn written(ast: &AstType) -> String {
    match ast {
        // Custom names keep their quotes; modifiers follow.
        AstType::Custom(name, modifiers) if !modifiers.is_empty() => format!("{name}({})", modifiers.join(",")),
        AstType::Float32 | AstType::Float64 | AstType::Int16 | AstType::Int32 | AstType::Int64 => {
            ast.to_string().replace(' ', "_")
        }
        AstType::TinyInt(_)
        | AstType::MediumInt(_)
        | AstType::Datetime(_)
        | AstType::String(_)
        | AstType::Double(_) => {
            // Types of other systems: their name is no type here.
            ast.to_string().to_ascii_lowercase()
        }
        other => other.to_string(),
    }
}

/// The name a column gets from a cast to this type: the internal name (`int4`).
pub(super) fn catalog_name(ast: &AstType) -> String {
    match pg_type(ast) {
        Ok(pg) if pg.own_kind().is_some() => own::bare_name(pg).unwrap_or_default(),
        Ok(pg) if rows::bare_name(pg).is_some() => rows::bare_name(pg).unwrap_or_default(),
        Ok(pg) => pg.element().map_or_else(|| pg.name(), |element| element.name()).to_owned(),
        Err(_) => written(ast).to_ascii_lowercase(),
    }
}
