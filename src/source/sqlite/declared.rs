//! Declared types of SQLite columns as PostgreSQL types.
//! Must not know: values (they are checked one by one when they are read).

use crate::types::PgType;

/// The type towards clients of a column declared so. SQLite's integers have 64 bits whatever they are called; a length that is
/// declared is not kept by SQLite, so it is not promised.
pub(super) fn pg_type(declared: &str) -> PgType {
    let upper = declared.trim().to_ascii_uppercase();
    let (name, arguments) = split(&upper);
    if let Some(ty) = by_name(name, &arguments) {
        return ty;
    }
    by_affinity(name)
}

/// `DECIMAL(10, 2)` to its name and its arguments.
fn split(upper: &str) -> (&str, Vec<i32>) {
    let Some((name, rest)) = upper.split_once('(') else { return (upper.trim(), Vec::new()) };
    let inside = rest.split_once(')').map_or(rest, |(inside, _)| inside);
    (name.trim(), inside.split(',').map_while(|part| part.trim().parse().ok()).collect())
}

fn by_name(name: &str, arguments: &[i32]) -> Option<PgType> {
    Some(match name {
        "BOOLEAN" | "BOOL" => PgType::BOOL,
        "DATE" => PgType::DATE,
        "TIME" => PgType::TIME,
        "DATETIME" | "TIMESTAMP" | "TIMESTAMP WITHOUT TIME ZONE" => PgType::TIMESTAMP,
        "TIMESTAMPTZ" | "TIMESTAMP WITH TIME ZONE" => PgType::TIMESTAMPTZ,
        "JSON" => PgType::JSON,
        "JSONB" => PgType::JSONB,
        "UUID" | "GUID" => PgType::UUID,
        "BYTEA" | "BINARY" | "VARBINARY" => PgType::BYTEA,
        "DECIMAL" | "NUMERIC" | "DEC" | "NUMBER" => decimal(arguments),
        // In a STRICT table: any value, each with its own type.
        "ANY" | "" => PgType::TEXT,
        _ => return None,
    })
}

/// Section 3.1 of SQLite's "Datatypes": the first rule that matches.
fn by_affinity(name: &str) -> PgType {
    if name.contains("INT") {
        PgType::INT8
    } else if name.contains("CHAR") || name.contains("CLOB") || name.contains("TEXT") || name.contains("STRING") {
        PgType::TEXT
    } else if name.contains("BLOB") {
        PgType::BYTEA
    } else if name.contains("REAL") || name.contains("FLOA") || name.contains("DOUB") {
        PgType::FLOAT8
    } else {
        // Numeric affinity under a name that says nothing: each value's own text is the one form that fits all.
        PgType::TEXT
    }
}

fn decimal(arguments: &[i32]) -> PgType {
    match *arguments {
        [precision] if (1..=1000).contains(&precision) => PgType::numeric(precision as u16, 0),
        [precision, scale, ..] if (1..=1000).contains(&precision) && (0..=precision).contains(&scale) => {
            PgType::numeric(precision as u16, scale as i16)
        }
        _ => PgType::NUMERIC,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_types() {
        for (declared, ty) in [
            ("INTEGER", PgType::INT8),
            ("tinyint(1)", PgType::INT8),
            ("UNSIGNED BIG INT", PgType::INT8),
            ("boolean", PgType::BOOL),
            ("VARCHAR(20)", PgType::TEXT),
            ("nchar(5)", PgType::TEXT),
            ("clob", PgType::TEXT),
            ("BLOB", PgType::BYTEA),
            ("", PgType::TEXT),
            ("DOUBLE PRECISION", PgType::FLOAT8),
            ("FLOAT", PgType::FLOAT8),
            ("DECIMAL(10, 2)", PgType::numeric(10, 2)),
            ("numeric", PgType::NUMERIC),
            ("NUMERIC(5)", PgType::numeric(5, 0)),
            ("DATE", PgType::DATE),
            ("datetime", PgType::TIMESTAMP),
            ("json", PgType::JSON),
            ("whatever", PgType::TEXT),
        ] {
            assert_eq!(pg_type(declared), ty, "{declared}");
        }
    }
}
