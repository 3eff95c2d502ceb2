//! What a PostgreSQL source's tables and indexes take on disk, as far as it can say without waiting for anybody.
//! Must not know: who asks, how columns are read.

use std::collections::HashMap;

use tokio_postgres::{Client, Row};

use crate::source::{DiskSize, DiskSizes, RemoteIndex};

const SIZES: &str = include_str!("sizes.sql");

/// Measuring a table takes a lock on it. The query leaves out what is locked already; what is locked meanwhile, or a database with very many
/// tables, must not hold up the introspection.
const BOUNDS: &str = "SET LOCAL lock_timeout = '200ms'; \
    SELECT pg_catalog.set_config('statement_timeout', '5s', true) FROM pg_catalog.pg_settings s \
    WHERE s.name = 'statement_timeout' AND s.setting::pg_catalog.int4 NOT BETWEEN 1 AND 5000";

/// The sizes of one relation and of its indexes by name.
#[derive(Default)]
struct Measured {
    table: Option<DiskSize>,
    indexes: HashMap<String, DiskSize>,
}

/// The sizes of all relations, by schema and name.
#[derive(Default)]
pub(super) struct Sizes(HashMap<(String, String), Measured>);

impl Sizes {
    /// Those of a relation with these indexes.
    pub(super) fn of(&self, schema: &str, relation: &str, indexes: &[RemoteIndex]) -> DiskSizes {
        let Some(found) = self.0.get(&(schema.to_owned(), relation.to_owned())) else { return DiskSizes::default() };
        DiskSizes::new(found.table, indexes.iter().map(|index| found.indexes.get(&index.name).copied()).collect())
    }
}

/// Reads them, as the last of a transaction: where the source refuses or it takes too long, none is known, and the transaction is over.
///
/// # Errors
/// A lost connection.
pub(super) async fn read(client: &Client, schemas: &Option<Vec<String>>) -> Result<Sizes, tokio_postgres::Error> {
    match measure(client, schemas).await {
        Err(error) if error.as_db_error().is_some() => {
            tracing::debug!(%error, "sizes on disk could not be read");
            Ok(Sizes::default())
        }
        result => result,
    }
}

async fn measure(client: &Client, schemas: &Option<Vec<String>>) -> Result<Sizes, tokio_postgres::Error> {
    client.batch_execute(BOUNDS).await?;
    let mut sizes = Sizes::default();
    for row in client.query(SIZES, &[schemas]).await? {
        if row.try_get("locked")? {
            continue;
        }
        let found = sizes.0.entry((row.try_get("schema")?, row.try_get("relation")?)).or_default();
        let size = size(&row)?;
        match row.try_get::<_, Option<String>>("index")? {
            None => found.table = Some(size),
            Some(index) => {
                found.indexes.insert(index, size);
            }
        }
    }
    Ok(sizes)
}

fn size(row: &Row) -> Result<DiskSize, tokio_postgres::Error> {
    // NULL is what has gone since the transaction began.
    let bytes = |column: &str| -> Result<u64, tokio_postgres::Error> {
        let found: Option<i64> = row.try_get(column)?;
        Ok(found.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0))
    };
    Ok(DiskSize {
        main: bytes("main")?,
        free_space: bytes("fsm")?,
        visibility: bytes("vm")?,
        whole: bytes("whole")?,
        indexes: bytes("indexes")?,
    })
}
