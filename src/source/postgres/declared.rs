//! The enums and domains of a PostgreSQL source, by their oids there.
//! Must not know: columns.

use std::collections::HashMap;
use std::sync::Arc;

use tokio_postgres::{Client, Row};

use crate::source::{DeclaredKind, DeclaredType, Domain, Written};
use crate::types::PgType;

const TYPES: &str = include_str!("types.sql");

/// Domains upon domains at most: a source's catalog cannot hold more of them in earnest.
const DEEPEST: usize = 64;

/// A type as the source has it.
struct Found {
    oid: u32,
    base: u32,
    typmod: i32,
    row: DeclaredType,
}

/// Reads them.
///
/// # Errors
/// Whatever the source answers with.
pub(super) async fn read(client: &Client) -> Result<HashMap<u32, Arc<DeclaredType>>, tokio_postgres::Error> {
    let rows = client.query(TYPES, &[]).await?;
    let found = rows.iter().map(found).collect::<Result<Vec<_>, _>>()?;
    let stands_on: HashMap<u32, (u32, i32)> =
        found.iter().filter(|one| one.base != 0).map(|one| (one.oid, (one.base, one.typmod))).collect();
    Ok(found.into_iter().map(|one| (one.oid, Arc::new(with_base(one, &stands_on)))).collect())
}

fn found(row: &Row) -> Result<Found, tokio_postgres::Error> {
    let kind = match row.try_get::<_, &str>("kind")? {
        "e" => DeclaredKind::Enum(row.try_get("labels")?),
        _ => {
            let names: Vec<String> = row.try_get("check_names")?;
            let checks: Vec<String> = row.try_get("checks")?;
            let pretty: Vec<String> = row.try_get("checks_pretty")?;
            let written = checks.into_iter().zip(pretty).map(|(plain, pretty)| Written { plain, pretty });
            DeclaredKind::Domain(Domain {
                base: PgType::TEXT,
                not_null: row.try_get("not_null")?,
                default: row.try_get("default_text")?,
                checks: names.into_iter().zip(written).collect(),
            })
        }
    };
    let row_of = DeclaredType {
        schema: row.try_get("schema")?,
        name: row.try_get("name")?,
        kind,
        comment: row.try_get("comment")?,
    };
    Ok(Found { oid: row.try_get("oid")?, base: row.try_get("base")?, typmod: row.try_get("typmod")?, row: row_of })
}

/// The same, a domain with what it stands on in the end.
fn with_base(one: Found, stands_on: &HashMap<u32, (u32, i32)>) -> DeclaredType {
    let mut declared = one.row;
    if let DeclaredKind::Domain(domain) = &mut declared.kind {
        let (mut base, mut typmod) = (one.base, one.typmod);
        for _ in 0..DEEPEST {
            let Some((under, of_under)) = stands_on.get(&base) else { break };
            base = *under;
            typmod = if typmod == -1 { *of_under } else { typmod };
        }
        let ty = PgType { oid: base, typmod };
        // A type that clients do not know is text to them.
        domain.base = if ty.row().is_some() { ty } else { PgType::TEXT };
    }
    declared
}
