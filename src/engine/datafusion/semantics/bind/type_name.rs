//! Type names of the syntax tree as PostgreSQL types.
//! Must not know: values.

use crate::sql::ast::DataType as AstType;

use crate::error::{Error, Result, SqlState};
use crate::types::PgType;

/// The PostgreSQL type that a written type means, with its modifier.
pub(super) fn pg_type(ast: &AstType) -> Result<PgType> {
    let written = written(ast);
    PgType::from_name(&written).ok_or_else(|| {
        let bare = written.split('(').next().unwrap_or(&written).trim_matches('"').to_owned();
        if PgType::from_name(&bare).is_some() {
            return Error::client(SqlState::INVALID_PARAMETER_VALUE, format!("invalid type modifier in {written}"));
        }
        Error::client(SqlState::UNDEFINED_OBJECT, format!("type \"{bare}\" does not exist"))
    })
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
        Ok(pg) => pg.element().map_or_else(|| pg.name(), |element| element.name()).to_owned(),
        Err(_) => written(ast).to_ascii_lowercase(),
    }
}
