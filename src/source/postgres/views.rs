//! What the views of a PostgreSQL source are made of, as far as it can say without waiting for anybody.
//! Must not know: who may be told.

use std::collections::HashMap;
use std::sync::Arc;

use tokio_postgres::{Client, Row};

use crate::source::{ColumnRead, Written};

const VIEWS: &str = include_str!("views.sql");

/// A text that is longer is not kept.
const LONGEST: usize = 256 << 10;

/// Definitions by schema and name, and the columns that they read.
pub(super) type Definitions = HashMap<(String, String), (Arc<Written>, Vec<ColumnRead>)>;

/// Reads them, at the end of a transaction and within its bounds, as the sizes are: where the source refuses, none is known.
///
/// # Errors
/// A lost connection.
pub(super) async fn read(client: &Client, schemas: &Option<Vec<String>>) -> Result<Definitions, tokio_postgres::Error> {
    let rows = match client.query(VIEWS, &[schemas]).await {
        Err(error) if error.as_db_error().is_some() => {
            tracing::debug!(%error, "definitions of views could not be read");
            return Ok(Definitions::new());
        }
        result => result?,
    };
    let mut found = Definitions::with_capacity(rows.len());
    for row in rows {
        // NULL is a view that has gone since the transaction began.
        let texts: (Option<String>, Option<String>) = (row.try_get("plain")?, row.try_get("pretty")?);
        if let (Some(plain), Some(pretty)) = texts
            && plain.len().max(pretty.len()) <= LONGEST
        {
            let definition = Arc::new(Written { plain, pretty });
            found.insert((row.try_get("schema")?, row.try_get("relation")?), (definition, reads(&row)?));
        }
    }
    Ok(found)
}

fn reads(row: &Row) -> Result<Vec<ColumnRead>, tokio_postgres::Error> {
    let (schemas, relations): (Vec<String>, Vec<String>) =
        (row.try_get("read_schemas")?, row.try_get("read_relations")?);
    let numbers: Vec<i32> = row.try_get("read_columns")?;
    let read = |((schema, relation), number): ((String, String), i32)| ColumnRead {
        schema,
        relation,
        number: i16::try_from(number).unwrap_or_default(),
    };
    Ok(schemas.into_iter().zip(relations).zip(numbers).map(read).collect())
}
