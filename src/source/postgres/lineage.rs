//! What the tables of a PostgreSQL source descend from and are divided by, and its sequences, from its catalogs.
//! Must not know: who asks, how columns are read.

use tokio_postgres::{Client, Row};

use super::keys::Of;
use crate::source::{Lineage, Partitioning, RemoteSequence, SequenceOwner, Written};
use crate::types::PgType;

const LINEAGE: &str = include_str!("lineage.sql");
const SEQUENCES: &str = include_str!("sequences.sql");

/// What tables descend from and are divided by. The columns of keys are to be put in by number; 0 is an expression.
pub(super) async fn lineages(
    client: &Client,
    schemas: &Option<Vec<String>>,
) -> Result<Vec<Of<Lineage>>, tokio_postgres::Error> {
    let rows = client.query(LINEAGE, &[schemas]).await?;
    rows.iter().map(lineage).collect()
}

/// The sequences, by schema and name.
pub(super) async fn sequences(
    client: &Client,
    schemas: &Option<Vec<String>>,
) -> Result<Vec<RemoteSequence>, tokio_postgres::Error> {
    let rows = client.query(SEQUENCES, &[schemas]).await?;
    rows.iter().map(sequence).collect()
}

fn lineage(row: &Row) -> Result<Of<Lineage>, tokio_postgres::Error> {
    let partitioning = match row.try_get::<_, Option<&str>>("strategy")?.and_then(|strategy| strategy.chars().next()) {
        None => None,
        Some(strategy) => Some(Partitioning {
            strategy,
            columns: Vec::new(),
            classes: row.try_get("classes")?,
            collations: row.try_get("collations")?,
            key: row.try_get::<_, Option<String>>("key")?.unwrap_or_default(),
            expressions: Written::of(row.try_get("expressions")?, row.try_get("expressions_pretty")?),
            default: row.try_get::<_, Option<u32>>("default_partition")?.unwrap_or(0),
        }),
    };
    // A partition whose bounds cannot be told is one still.
    let partition: bool = row.try_get("partition")?;
    let bound: Option<String> = row.try_get("bound")?;
    Ok(Of {
        schema: row.try_get("schema")?,
        relation: row.try_get("relation")?,
        numbers: row.try_get("numbers")?,
        what: Lineage {
            parents: row.try_get("parents")?,
            bound: if partition { Some(bound.unwrap_or_default()) } else { None },
            condition: row.try_get("condition")?,
            partitioning,
        },
    })
}

fn sequence(row: &Row) -> Result<RemoteSequence, tokio_postgres::Error> {
    let owner = match row.try_get::<_, Option<String>>("owner_column")? {
        None => None,
        Some(column) => Some(SequenceOwner {
            schema: row.try_get("owner_schema")?,
            table: row.try_get("owner_table")?,
            column,
            identity: row.try_get("identity")?,
        }),
    };
    Ok(RemoteSequence {
        schema: row.try_get("schema")?,
        name: row.try_get("name")?,
        ty: PgType::new(row.try_get("type_oid")?),
        start: row.try_get("start")?,
        increment: row.try_get("increment")?,
        least: row.try_get("least")?,
        greatest: row.try_get("greatest")?,
        cache: row.try_get("cache")?,
        cycle: row.try_get("cycle")?,
        comment: row.try_get("comment")?,
        owner,
    })
}
