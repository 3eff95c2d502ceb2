//! What a PostgreSQL source holds and its account may read, from the source's catalogs.
//! Must not know: who asks, how schemas are called on our side.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::try_join;
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row};

use super::declared;
use super::keys::{self, Of};
use super::lineage;
use super::sizes::{self, Sizes};
use super::views::{self, Definitions};
use crate::config::Patterns;
use crate::names::quote;
use crate::source::{
    Declared, DeclaredType, Lineage, RemoteColumn, RemoteConstraint, RemoteIndex, RemoteSchema, RemoteSequence,
    RemoteTable, TableKind, Written,
};
use crate::types::PgType;

const CATALOG: &str = include_str!("catalog.sql");

/// Types that users make have oids from here on.
const FIRST_USER_OID: u32 = 16384;
const TEXT: u32 = 25;
const TEXT_ARRAY: u32 = 1009;
const MONEY: u32 = 790;
const MONEY_ARRAY: u32 = 791;

/// One snapshot for all queries; compiling them would take longer than running them. Definitions of indexes and the like look at their table,
/// which somebody may have locked for long.
const BEGIN: &str =
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL jit = off; SET LOCAL lock_timeout = '1s'";

/// Queries that are asked at once.
const TOGETHER: u32 = 6;

/// Why catalogs could not be read.
pub(super) enum Failed {
    /// The source says so, or the connection ended.
    Said(tokio_postgres::Error),
    /// A query was not answered in its time.
    Silent,
}

impl From<tokio_postgres::Error> for Failed {
    fn from(error: tokio_postgres::Error) -> Self {
        Failed::Said(error)
    }
}

impl From<Elapsed> for Failed {
    fn from(_: Elapsed) -> Self {
        Failed::Silent
    }
}

/// Reads the catalogs. `schemas`: only these (all but the system's where it is `None`). `each`: time for each query; together they have as
/// many times that.
///
/// # Errors
/// Whatever the source answers with, or that it does not.
pub(super) async fn read(
    client: &Client,
    schemas: Option<Vec<String>>,
    tables: &Patterns,
    each: Duration,
) -> Result<RemoteSchema, Failed> {
    timeout(each, client.batch_execute(BEGIN)).await??;
    let asked: [&(dyn ToSql + Sync); 1] = [&schemas];
    // All at once: each goes out before the answer to the one before it is there.
    let asking = async {
        try_join!(
            client.query(CATALOG, &asked),
            keys::constraints(client, &schemas),
            keys::indexes(client, &schemas),
            declared::read(client),
            lineage::lineages(client, &schemas),
            lineage::sequences(client, &schemas),
        )
    };
    let (rows, constraints, indexes, types, lineages, sequences) = timeout(each * TOGETHER, asking).await??;
    let sizes = timeout(each, sizes::read(client, &schemas)).await??;
    let definitions = timeout(each, views::read(client, &schemas)).await??;
    timeout(each, client.batch_execute("COMMIT")).await??;
    let mut found = Found { types, sizes, definitions, ..Found::default() };
    for row in &rows {
        found.row(row, tables)?;
    }
    found.keys(constraints, indexes);
    found.lineages(lineages);
    found.sequences =
        sequences.into_iter().filter(|sequence| sequence.owner.is_some() || tables.matches(&sequence.name)).collect();
    Ok(found.close())
}

/// What was found so far. Rows come ordered by schema, relation, column.
#[derive(Default)]
struct Found {
    /// Enums and domains by the source's oids.
    types: HashMap<u32, Arc<DeclaredType>>,
    sizes: Sizes,
    definitions: Definitions,
    problems: Vec<String>,
    tables: Vec<Open>,
    sequences: Vec<RemoteSequence>,
}

/// A relation whose columns are coming.
struct Open {
    table: RemoteTable,
    /// The primary key as the source numbers columns.
    key: Vec<i32>,
    /// The source's number of each column that was taken.
    numbers: Vec<i32>,
    /// Columns that the relation has, taken or not.
    attributes: i32,
}

impl Found {
    fn row(&mut self, row: &Row, tables: &Patterns) -> Result<(), tokio_postgres::Error> {
        let schema: &str = row.try_get("schema")?;
        let name: &str = row.try_get("relation")?;
        if !tables.matches(name) {
            return Ok(());
        }
        if !self.tables.last().is_some_and(|open| open.table.schema == schema && open.table.name == name) {
            self.tables.push(open(row)?);
        }
        let Some(open) = self.tables.last_mut() else { return Ok(()) };
        let Some(number) = row.try_get::<_, Option<i32>>("number")? else { return Ok(()) };
        match column(row, &self.types)? {
            Ok(column) => {
                open.numbers.push(number);
                open.table.columns.push(column);
            }
            Err(problem) => self.problems.push(problem),
        }
        Ok(())
    }

    /// Puts constraints and indexes to their relations; those with a column that cannot be read are none for us.
    fn keys(&mut self, constraints: Vec<Of<RemoteConstraint>>, indexes: Vec<Of<RemoteIndex>>) {
        let places = self.places();
        for Of { schema, relation, numbers, mut what } in constraints {
            let Some(open) = places.get(&(schema, relation)).and_then(|at| self.tables.get_mut(*at)) else { continue };
            // What excludes by an expression has 0 for it; its index tells what it is made of.
            let named: Vec<i32> = numbers.into_iter().filter(|number| *number != 0).collect();
            if let Some(columns) = open.positions(&named) {
                what.columns = columns;
                open.table.constraints.push(what);
            }
        }
        for Of { schema, relation, numbers, mut what } in indexes {
            let Some(open) = places.get(&(schema, relation)).and_then(|at| self.tables.get_mut(*at)) else { continue };
            let named: Vec<i32> = numbers.iter().copied().filter(|number| *number != 0).collect();
            let Some(mut columns) = open.positions(&named).map(Vec::into_iter) else { continue };
            for (part, number) in what.parts.iter_mut().zip(numbers) {
                part.column = if number == 0 { None } else { columns.next() };
            }
            open.table.indexes.push(what);
        }
    }

    /// Puts to their relations what they descend from and are divided by. A key with a column that cannot be read is none for us.
    fn lineages(&mut self, lineages: Vec<Of<Lineage>>) {
        let places = self.places();
        for Of { schema, relation, numbers, mut what } in lineages {
            let Some(open) = places.get(&(schema, relation)).and_then(|at| self.tables.get_mut(*at)) else { continue };
            what.partitioning = what.partitioning.and_then(|mut by| {
                let named: Vec<i32> = numbers.iter().copied().filter(|number| *number != 0).collect();
                let mut columns = open.positions(&named)?.into_iter();
                by.columns = numbers.iter().map(|number| if *number == 0 { None } else { columns.next() }).collect();
                Some(by)
            });
            open.table.lineage = what;
        }
    }

    /// Where the tables stand.
    fn places(&self) -> HashMap<(String, String), usize> {
        let name = |open: &Open| (open.table.schema.clone(), open.table.name.clone());
        self.tables.iter().enumerate().map(|(at, open)| (name(open), at)).collect()
    }

    fn close(self) -> RemoteSchema {
        let (sizes, mut definitions) = (self.sizes, self.definitions);
        let closed = self.tables.into_iter().map(|mut open| {
            open.table.primary_key = open.positions(&open.key).unwrap_or_default();
            open.table.whole = usize::try_from(open.attributes).is_ok_and(|all| all == open.table.columns.len());
            let table = &mut open.table;
            table.sizes = Arc::new(sizes.of(&table.schema, &table.name, &table.indexes));
            table.definition = definitions.remove(&(table.schema.clone(), table.name.clone()));
            Arc::new(open.table)
        });
        RemoteSchema {
            tables: closed.collect(),
            sequences: self.sequences.into_iter().map(Arc::new).collect(),
            problems: self.problems,
            broken: Vec::new(),
        }
    }
}

impl Open {
    /// The positions of columns by the source's numbers; none where one of them was not taken.
    fn positions(&self, numbers: &[i32]) -> Option<Vec<usize>> {
        numbers.iter().map(|wanted| self.numbers.iter().position(|number| number == wanted)).collect()
    }
}

fn open(row: &Row) -> Result<Open, tokio_postgres::Error> {
    let kind = match row.try_get::<_, &str>("kind")? {
        "v" => TableKind::View,
        "m" => TableKind::MaterializedView,
        "p" => TableKind::Partitioned,
        "f" => TableKind::Foreign,
        _ => TableKind::Table,
    };
    let estimate: Option<f64> = row.try_get("estimate")?;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an estimate; the cast saturates")]
    let estimated_rows = estimate.filter(|rows| *rows >= 0.0).map(|rows| rows as u64);
    let table = RemoteTable {
        schema: row.try_get("schema")?,
        name: row.try_get("relation")?,
        kind,
        columns: Vec::new(),
        primary_key: Vec::new(),
        constraints: Vec::new(),
        indexes: Vec::new(),
        comment: row.try_get("relation_comment")?,
        estimated_rows,
        sizes: Arc::default(),
        definition: None,
        lineage: Lineage::default(),
        whole: false,
        oid: row.try_get("relation_oid")?,
        handle: None,
    };
    let key = row.try_get::<_, Option<Vec<i32>>>("key")?.unwrap_or_default();
    Ok(Open { table, key, numbers: Vec::new(), attributes: row.try_get("attributes")? })
}

/// A column, or why it is left out.
fn column(
    row: &Row,
    types: &HashMap<u32, Arc<DeclaredType>>,
) -> Result<Result<RemoteColumn, String>, tokio_postgres::Error> {
    let name: String = row.try_get("name")?;
    let found = FoundType {
        oid: row.try_get("type_oid")?,
        typmod: row.try_get("typmod")?,
        name: qualified(row.try_get("type_schema")?, row.try_get("type_name")?),
        element: match row.try_get::<_, Option<u32>>("element_oid")? {
            Some(oid) => Some(Element {
                oid,
                array: row.try_get("element_array")?,
                name: qualified(row.try_get("element_schema")?, row.try_get("element_name")?),
            }),
            None => None,
        },
    };
    let plain = found.is_plain(row.try_get("type_kind")?, row.try_get("element_kind")?);
    let Some((ty, remote_type)) = found.resolve() else {
        let (schema, relation): (&str, &str) = (row.try_get("schema")?, row.try_get("relation")?);
        return Ok(Err(format!(
            "column {}.{}.{} is left out: the text of its type money depends on the server's lc_monetary",
            quote(schema),
            quote(relation),
            quote(&name)
        )));
    };
    let bytewise: bool = row.try_get("bytewise")?;
    let declared = row.try_get::<_, Option<u32>>("declared")?.and_then(|oid| types.get(&oid));
    let array: bool = row.try_get("declared_array")?;
    Ok(Ok(RemoteColumn {
        name,
        ty,
        not_null: row.try_get("not_null")?,
        // A type of the source's own (an enum, say) has an order of its own, whatever its text is.
        bytewise: bytewise && remote_type.is_empty(),
        remote_type,
        default: Written::of(row.try_get("default_text")?, row.try_get("default_pretty")?),
        generated: row.try_get("generated")?,
        identity: row.try_get::<_, &str>("identity")?.chars().next(),
        comment: row.try_get("comment")?,
        declared: declared.map(|of| Declared { of: Arc::clone(of), array }),
        plain,
        number: i16::try_from(row.try_get::<_, i32>("number")?).unwrap_or_default(),
        inherited: row.try_get("inherited")?,
        local: row.try_get("local")?,
        collation: row.try_get("collation")?,
    }))
}

fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", quote(schema), quote(name))
}

/// A column's type at the source; domains are already what they are made of.
struct FoundType {
    oid: u32,
    typmod: i32,
    name: String,
    element: Option<Element>,
}

/// What an array is made of.
struct Element {
    oid: u32,
    array: u32,
    name: String,
}

/// Types of PostgreSQL's own whose input looks names up: with one of them in reach, a literal could ask for any name.
const LOOKING: [u32; 13] = [24, 1033, 2202, 2203, 2204, 2205, 2206, 3734, 3769, 4089, 4096, 4191, 705];

impl FoundType {
    /// See [`RemoteColumn::plain`].
    fn is_plain(&self, kind: &str, element_kind: &str) -> bool {
        let plain = |oid: u32, kind: &str| match oid {
            FIRST_USER_OID.. => kind == "e",
            oid => !LOOKING.contains(&oid) && kind != "c",
        };
        match &self.element {
            Some(element) => plain(element.oid, element_kind),
            None => plain(self.oid, kind),
        }
    }

    /// The type towards clients and the name for casts at the source; `None`: refused.
    fn resolve(self) -> Option<(PgType, String)> {
        let known = |oid: u32| oid < FIRST_USER_OID && PgType { oid, typmod: -1 }.row().is_some();
        let plain = |oid: u32| PgType { oid, typmod: -1 };
        if matches!(self.oid, MONEY | MONEY_ARRAY) || self.element.as_ref().is_some_and(|element| element.oid == MONEY)
        {
            return None;
        }
        if known(self.oid) {
            return Some((PgType { oid: self.oid, typmod: self.typmod }, String::new()));
        }
        match self.element {
            // An array of a domain is an array of what the domain is made of. Its text is the same; its binary form names the domain.
            Some(element) if known(element.oid) && known(element.array) => {
                Some((plain(element.array), format!("{}[]", element.name)))
            }
            Some(element) => Some((plain(TEXT_ARRAY), format!("{}[]", element.name))),
            None => Some((plain(TEXT), self.name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(oid: u32, element: Option<(u32, u32)>) -> Option<(u32, String)> {
        let element = element.map(|(oid, array)| Element { oid, array, name: "\"s\".\"e\"".into() });
        FoundType { oid, typmod: -1, name: "\"s\".\"t\"".into(), element }.resolve().map(|(ty, name)| (ty.oid, name))
    }

    #[test]
    fn types_of_the_source_become_text_with_their_name() {
        assert_eq!(resolve(23, None), Some((23, String::new())));
        assert_eq!(resolve(1007, Some((23, 1007))), Some((1007, String::new())));
        assert_eq!(resolve(20000, None), Some((25, "\"s\".\"t\"".into())));
        assert_eq!(resolve(20001, Some((20000, 20001))), Some((1009, "\"s\".\"e\"[]".into())));
        assert_eq!(resolve(20002, Some((1043, 1015))), Some((1015, "\"s\".\"e\"[]".into())));
    }

    #[test]
    fn money_is_refused_in_every_disguise() {
        assert_eq!(resolve(790, None), None);
        assert_eq!(resolve(791, Some((790, 791))), None);
        assert_eq!(resolve(20003, Some((790, 791))), None);
    }
}
