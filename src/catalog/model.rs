//! What can be named: one immutable snapshot, and the part of it that a role may see.
//! Must not know: roles and grants (it is narrowed by a function that is handed in), engines.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use arrow::datatypes::{FieldRef, SchemaRef};

use super::VirtualTable;
use super::lineage::{SequenceSchema, sees_sequence, settle_partitions};
use super::mount::Mounts;
use crate::config::SourceKind;
use crate::error::Error;
use crate::names::{MAX_IDENTIFIER_BYTES, TableName, means};
use crate::source::{DiskSize, RemoteTable};
use crate::types::{self, PgType};

/// The first oid that PostgreSQL gives to objects of users.
pub const FIRST_USER_OID: u32 = 16384;

/// A table as clients see it.
#[derive(Debug, Clone)]
pub struct TableSchema {
    /// Schema and name as clients see them.
    pub name: TableName,
    /// The same object has the same oid in every session and after every restart.
    pub oid: u32,
    /// The oids of its indexes, in the order of `remote.indexes`.
    pub index_oids: Arc<[u32]>,
    /// The oids of its constraints, in the order of `remote.constraints`.
    pub constraint_oids: Arc<[u32]>,
    /// The source it comes from.
    pub source: Arc<str>,
    /// What that source is.
    pub kind: SourceKind,
    /// The table at the source.
    pub remote: Arc<RemoteTable>,
    /// Positions (in `remote.columns`) of the columns that may be named, ascending.
    pub columns: Vec<usize>,
    /// Every row may be seen, and each value as it is.
    pub untouched: bool,
    /// Every column may be seen, those that come at the source too: none is named.
    pub all_columns: bool,
    /// The Arrow schema of these columns.
    pub arrow: SchemaRef,
    /// Guards prepared statements: differs when visible names, types or order differ.
    pub shape: u64,
}

/// A source whose schema is not known now.
#[derive(Debug, Clone)]
pub struct Unavailable {
    /// Its name.
    pub source: Arc<str>,
    /// The schemas it would mount.
    pub mounts: Mounts,
    /// Why: the error of the introspection.
    pub error: Error,
}

/// The tables of one mounted schema, by exact name.
pub type Tables = BTreeMap<String, Arc<TableSchema>>;

/// All that is mounted at one moment, for everybody.
#[derive(Debug, Clone, Default)]
pub struct CatalogSnapshot {
    /// Mounted schemas in config order.
    pub order: Vec<String>,
    /// Their tables.
    pub schemas: HashMap<String, Tables>,
    /// The sequences of the mounted schemas.
    pub sequences: Vec<Arc<SequenceSchema>>,
    /// Sources that could not be asked.
    pub unavailable: Vec<Unavailable>,
    /// Sources that are served from their last good schema: their names.
    pub stale: Vec<Arc<str>>,
    /// Tables that are known but cannot be read, and why.
    pub broken: HashMap<TableName, Error>,
    /// Differs between snapshots with different content.
    pub generation: u64,
}

/// What a role may see of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visible {
    /// The columns that it may name: positions in `remote.columns`, ascending. `None`: all.
    pub columns: Option<Vec<usize>>,
    /// Every row, and each value as it is: no filter and no mask.
    pub untouched: bool,
    /// What it may change.
    pub writes: Writes,
}

/// What a role may change of one table, of the columns that it may name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Writes {
    /// The columns that it may set in new rows: positions in `remote.columns`, ascending. None at all: it may not add rows.
    pub insert: Vec<usize>,
    /// The same of rows that are there.
    pub update: Vec<usize>,
    /// Rows may be removed.
    pub delete: bool,
}

/// A role's world: what it may name, and nothing else. Denied names are not in it.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// Mounted schemas in config order; a schema without a visible table is left out.
    pub order: Vec<String>,
    /// Visible tables.
    pub schemas: HashMap<String, Tables>,
    /// Visible sequences.
    pub sequences: Vec<Arc<SequenceSchema>>,
    /// What may be changed, by the oid of the table; a table of which nothing may is left out.
    pub writes: HashMap<u32, Writes>,
    /// Virtual tables by schema and name: the same for everybody, their rows differ.
    pub virtuals: Arc<Virtuals>,
    /// Sources that could not be asked and of which the role may see something.
    pub unavailable: Vec<Unavailable>,
    /// Sources served from their last good schema of which the role may see something.
    pub stale: Vec<Arc<str>>,
    /// Tables the role may name that cannot be read, and why.
    pub broken: HashMap<TableName, Error>,
    /// Differs between worlds with different content.
    pub generation: u64,
    /// Tables of each source that are seen with all of their columns, counted once.
    pub complete: OnceLock<HashMap<Arc<str>, usize>>,
    /// What a room above makes of this world once and keeps with it.
    pub derived: OnceLock<Arc<dyn Any + Send + Sync>>,
}

/// Virtual tables by schema and name.
#[derive(Debug, Default)]
pub struct Virtuals {
    tables: BTreeMap<String, BTreeMap<String, Arc<dyn VirtualTable>>>,
}

impl Virtuals {
    /// Takes all of them.
    #[must_use]
    pub fn new(all: Vec<Arc<dyn VirtualTable>>) -> Self {
        let mut tables: BTreeMap<String, BTreeMap<String, Arc<dyn VirtualTable>>> = BTreeMap::new();
        for table in all {
            tables.entry(table.schema_name().to_owned()).or_default().insert(table.name().to_owned(), table);
        }
        Virtuals { tables }
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, schema: &str, name: &str) -> Option<&Arc<dyn VirtualTable>> {
        self.tables.get(schema)?.get(name)
    }

    /// Whether a schema holds virtual tables.
    #[must_use]
    pub fn has_schema(&self, schema: &str) -> bool {
        self.tables.contains_key(schema)
    }

    /// All, by schema and name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn VirtualTable>> {
        self.tables.values().flat_map(BTreeMap::values)
    }

    /// The schemas, by name.
    pub fn schemas(&self) -> impl Iterator<Item = &str> {
        self.tables.keys().map(String::as_str)
    }
}

impl TableSchema {
    /// The table with only these columns (positions in `remote.columns`, ascending).
    #[must_use]
    pub fn narrowed(&self, columns: Vec<usize>) -> TableSchema {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let whole = self.remote.arrow_schema();
        let own = |field: &FieldRef| types::of_source(field, &self.source);
        let fields: Vec<_> = columns.iter().filter_map(|i| whole.fields().get(*i)).map(own).collect();
        let mut hasher = DefaultHasher::new();
        (self.remote.shape(), &columns).hash(&mut hasher);
        TableSchema {
            arrow: Arc::new(arrow::datatypes::Schema::new(fields)),
            columns,
            shape: hasher.finish(),
            ..self.clone()
        }
    }

    /// Whether all of it may be seen: every column, every row, every value. Of any other table neither counts nor sizes are told, which
    /// would tell of the rest.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.untouched && self.columns.len() == self.remote.columns.len()
    }

    /// The same, and Tusk knows every column that the source has, or may show those that it does not know yet.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.is_whole() && self.all_columns && self.remote.whole
    }

    /// Whether it is a part of another table.
    #[must_use]
    pub fn is_partition(&self) -> bool {
        self.remote.lineage.bound.is_some()
    }

    /// Rows, as the source estimates them; none where that is not to be told.
    #[must_use]
    pub fn estimated_rows(&self) -> Option<u64> {
        self.remote.estimated_rows.filter(|_| self.is_whole())
    }

    /// Its size, as the source said last; none where that is not to be told.
    #[must_use]
    pub fn disk_size(&self) -> Option<DiskSize> {
        self.remote.sizes.table().filter(|_| self.is_whole())
    }

    /// The size of one of its indexes, by its place in `remote.indexes`.
    #[must_use]
    pub fn index_size(&self, at: usize) -> Option<DiskSize> {
        self.remote.sizes.index(at).filter(|_| self.is_whole())
    }
}

impl CatalogSnapshot {
    /// The part of it that `visible` lets through; `nameable` and `known` say the same of tables that are broken and of sources
    /// whose tables are not known now.
    pub fn narrowed(
        &self,
        virtuals: &Arc<Virtuals>,
        visible: impl Fn(&TableSchema) -> Option<Visible>,
        nameable: impl Fn(&TableName) -> bool,
        known: impl Fn(&Unavailable) -> bool,
    ) -> World {
        let (mut schemas, mut writes) = (HashMap::new(), HashMap::new());
        for (schema, tables) in &self.schemas {
            let mut seen = Tables::new();
            for (name, table) in tables {
                let Some(visible) = visible(table) else { continue };
                if visible.writes != Writes::default() {
                    writes.insert(table.oid, visible.writes.clone());
                }
                seen.insert(name.clone(), narrow(table, visible));
            }
            if !seen.is_empty() {
                schemas.insert(schema.clone(), seen);
            }
        }
        settle_partitions(&mut schemas, &mut writes);
        let sequences = self.sequences.iter().filter(|one| sees_sequence(one, &schemas, &nameable)).cloned().collect();
        let order = self.order.iter().filter(|schema| schemas.contains_key(*schema)).cloned().collect();
        let seen = |source: &Arc<str>| schemas.values().flat_map(Tables::values).any(|table| table.source == *source);
        let stale = self.stale.iter().filter(|source| seen(source)).cloned().collect();
        World {
            order,
            schemas,
            sequences,
            writes,
            virtuals: Arc::clone(virtuals),
            unavailable: self.unavailable.iter().filter(|source| known(source)).cloned().collect(),
            stale,
            broken: self
                .broken
                .iter()
                .filter(|(name, _)| nameable(name))
                .map(|(n, e)| (n.clone(), e.clone()))
                .collect(),
            generation: self.generation,
            complete: OnceLock::new(),
            derived: OnceLock::new(),
        }
    }
}

fn narrow(table: &Arc<TableSchema>, visible: Visible) -> Arc<TableSchema> {
    let Visible { columns, untouched, .. } = visible;
    match columns {
        None if untouched => Arc::clone(table),
        None => Arc::new(TableSchema { untouched, ..TableSchema::clone(table) }),
        Some(columns) => Arc::new(TableSchema { untouched, all_columns: false, ..table.narrowed(columns) }),
    }
}

impl World {
    /// A table by its exact schema and name.
    #[must_use]
    pub fn table(&self, schema: &str, name: &str) -> Option<&Arc<TableSchema>> {
        let tables = self.schemas.get(schema)?;
        // As short as a name can be that was cut: what files are called may be longer than names in statements are.
        let cut = name.len() + 3 >= MAX_IDENTIFIER_BYTES;
        let long = || {
            let mut meant = tables.iter().filter(|(called, _)| cut && means(name, called)).map(|(_, table)| table);
            // Of several nobody knows which.
            meant.next().filter(|_| meant.next().is_none())
        };
        tables.get(name).or_else(long)
    }

    /// The transaction that this world is of, as `xmin` tells it: a later one once anything has changed.
    #[must_use]
    pub fn transaction(&self) -> u64 {
        self.generation
    }

    /// Tables of a source that are seen with all of their columns.
    pub fn complete_tables(&self, source: &str) -> usize {
        let counted = self.complete.get_or_init(|| {
            let mut counted = HashMap::new();
            for table in self.tables().filter(|table| table.is_complete()) {
                *counted.entry(Arc::clone(&table.source)).or_default() += 1;
            }
            counted
        });
        counted.get(source).copied().unwrap_or_default()
    }

    /// All visible tables, by schema in config order, then by name.
    pub fn tables(&self) -> impl Iterator<Item = &Arc<TableSchema>> {
        self.order.iter().filter_map(|schema| self.schemas.get(schema)).flat_map(BTreeMap::values)
    }
}

impl TableSchema {
    /// The type of its rows.
    #[must_use]
    pub fn row_type(&self) -> PgType {
        row_type(&self.name.schema, &self.name.table)
    }
}

/// The type of the rows of a relation, under the number that it has in every session.
#[must_use]
pub fn row_type(schema: &str, name: &str) -> PgType {
    PgType::of_rows(stable_oid("row type", &format!("{schema}.{name}"), |_| false))
}

/// A stable oid for an object: a hash of its kind and name, at or above [`FIRST_USER_OID`]; `taken` resolves collisions by probing.
#[must_use]
pub fn stable_oid(kind: &str, name: &str, taken: impl Fn(u32) -> bool) -> u32 {
    // FNV-1a: fixed for ever, unlike the standard library's hasher.
    let mut hash: u32 = 0x811c_9dc5;
    for byte in kind.bytes().chain([0]).chain(name.bytes()) {
        hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    }
    let span = i32::MAX as u32 - FIRST_USER_OID;
    let mut oid = FIRST_USER_OID + hash % span;
    while taken(oid) {
        oid = if oid + 1 < FIRST_USER_OID + span { oid + 1 } else { FIRST_USER_OID };
    }
    oid
}
