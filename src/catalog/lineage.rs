//! What stands beside tables: the sequences of sources, and the partitions that tables are divided into.
//! Must not know: roles and grants, engines.

use std::collections::HashMap;
use std::sync::Arc;

use super::{TableSchema, Tables, Writes};
use crate::names::TableName;
use crate::source::{RemoteSequence, TableKind};

/// A sequence as clients see it. They can do nothing with it; it is told what columns take their values from.
#[derive(Debug, Clone)]
pub struct SequenceSchema {
    /// Schema and name as clients see them.
    pub name: TableName,
    /// The same object has the same oid in every session and after every restart.
    pub oid: u32,
    /// The source it comes from.
    pub source: Arc<str>,
    /// The sequence at the source.
    pub remote: Arc<RemoteSequence>,
    /// The table whose column it belongs to, as clients see it.
    pub owner: Option<TableName>,
}

impl SequenceSchema {
    /// The column that it belongs to, if these tables have it: the table, and the column's place among those that may be named.
    #[must_use]
    pub fn owning_column<'t>(&self, tables: &'t HashMap<String, Tables>) -> Option<(&'t Arc<TableSchema>, usize)> {
        let (owner, column) = (self.owner.as_ref()?, &self.remote.owner.as_ref()?.column);
        let table = tables.get(&owner.schema)?.get(&owner.table)?;
        let named = |at: &usize| table.remote.columns.get(*at).is_some_and(|known| known.name == *column);
        Some((table, table.columns.iter().position(named)?))
    }
}

/// Whether a role may see a sequence: that of a column with the column, any other as `nameable` says of its name. In a schema of which the role
/// sees no table there is none.
pub(super) fn sees_sequence(
    sequence: &SequenceSchema,
    tables: &HashMap<String, Tables>,
    nameable: impl Fn(&TableName) -> bool,
) -> bool {
    let here = tables.contains_key(&sequence.name.schema);
    here && match &sequence.owner {
        Some(_) => sequence.owning_column(tables).is_some(),
        None => nameable(&sequence.name),
    }
}

/// Partitions of partitions at most: a source's catalog cannot hold more of them in earnest.
const DEEPEST: usize = 64;

/// Takes out the partitions of tables that a role does not see all of. The table's filters and masks are not the partition's: it would show what
/// they hide, and its bounds tell of rows. What is written goes through the table for the same reason.
pub(super) fn settle_partitions(schemas: &mut HashMap<String, Tables>, writes: &mut HashMap<u32, Writes>) {
    let partitions: Vec<Arc<TableSchema>> =
        schemas.values().flat_map(Tables::values).filter(|table| table.is_partition()).cloned().collect();
    if partitions.is_empty() {
        return;
    }
    let divided: HashMap<(Arc<str>, u32), Arc<TableSchema>> = schemas
        .values()
        .flat_map(Tables::values)
        .filter(|table| table.remote.kind == TableKind::Partitioned)
        .map(|table| ((Arc::clone(&table.source), table.remote.oid), Arc::clone(table)))
        .collect();
    let parent = |table: &TableSchema| {
        let oid = table.remote.lineage.parents.first()?;
        divided.get(&(Arc::clone(&table.source), *oid)).filter(|parent| parent.is_whole()).cloned()
    };
    for partition in partitions {
        writes.remove(&partition.oid);
        let mut at = Arc::clone(&partition);
        for _ in 0..DEEPEST {
            match parent(&at) {
                Some(above) => at = above,
                None => break,
            }
        }
        // The way up has ended before a table that is no partition.
        if at.is_partition()
            && let Some(tables) = schemas.get_mut(&partition.name.schema)
        {
            tables.remove(&partition.name.table);
        }
    }
    schemas.retain(|_, tables| !tables.is_empty());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::SourceKind;
    use crate::source::{Lineage, RemoteTable};

    fn table(name: &str, oid: u32, parent: u32, untouched: bool) -> Arc<TableSchema> {
        let lineage = Lineage {
            parents: (parent != 0).then_some(parent).into_iter().collect(),
            bound: (parent != 0).then(|| "DEFAULT".to_owned()),
            ..Lineage::default()
        };
        let remote = RemoteTable {
            schema: "public".into(),
            name: name.into(),
            kind: TableKind::Partitioned,
            columns: Vec::new(),
            primary_key: Vec::new(),
            constraints: Vec::new(),
            indexes: Vec::new(),
            comment: None,
            estimated_rows: None,
            sizes: Arc::default(),
            definition: None,
            reads: Vec::new(),
            lineage,
            whole: true,
            oid,
            row_types: (0, 0),
            handle: None,
        };
        Arc::new(TableSchema {
            name: TableName::new("s", name),
            oid,
            index_oids: Arc::from([]),
            constraint_oids: Arc::from([]),
            source: Arc::from("s"),
            kind: SourceKind::Postgres,
            arrow: remote.arrow_schema(),
            remote: Arc::new(remote),
            columns: Vec::new(),
            untouched,
            all_columns: true,
            shape: 0,
        })
    }

    fn left(tables: Vec<Arc<TableSchema>>) -> (Vec<String>, usize) {
        let all = |table: &Arc<TableSchema>| Writes { delete: table.oid != 0, ..Writes::default() };
        let mut writes: HashMap<u32, Writes> = tables.iter().map(|table| (table.oid, all(table))).collect();
        let tables: Tables = tables.into_iter().map(|table| (table.name.table.clone(), table)).collect();
        let mut schemas = HashMap::from([("s".to_owned(), tables)]);
        settle_partitions(&mut schemas, &mut writes);
        (schemas.into_values().flat_map(Tables::into_keys).collect(), writes.len())
    }

    #[test]
    fn partitions_are_seen_where_all_above_them_is_seen_whole() {
        let of = |roots: bool| vec![table("a", 1, 0, roots), table("b", 2, 1, true), table("c", 3, 2, true)];
        assert_eq!(left(of(true)), (vec!["a".into(), "b".into(), "c".into()], 1));
        assert_eq!(left(of(false)), (vec!["a".into()], 1));
        // The table above is not there at all; a catalog that leads in a circle leads nowhere.
        assert_eq!(left(vec![table("b", 2, 1, true)]), (Vec::new(), 0));
        assert_eq!(left(vec![table("b", 2, 3, true), table("c", 3, 2, true)]), (Vec::new(), 0));
        assert_eq!(left(vec![table("a", 1, 0, true)]), (vec!["a".into()], 1));
    }
}
