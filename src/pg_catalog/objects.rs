//! The objects of one role's world under their oids: relations, indexes, constraints. Made once for a world and kept with it.
//! Must not know: layouts of catalog relations, functions.
//!
//! What names a column that the role may not see is not there: an index or a constraint over one, an expression that could read one,
//! a foreign key to a table or column out of sight.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use arrow::record_batch::RecordBatch;
use parking_lot::Mutex;

use super::inheritance::Inheritance;
use super::own_types::OwnTypes;
use super::row_types::RowTypes;
use super::{INFORMATION_SCHEMA, Listed, PG_CATALOG, facts};
use crate::catalog::{
    ConstraintKind, DiskSize, RemoteColumn, RemoteConstraint, RemoteIndex, SequenceSchema, TableSchema, Viewer,
    VirtualTable, World, Written, stable_oid,
};
use crate::error::Result;

/// What a relation is.
pub(super) enum What {
    /// A table or view of a source.
    Table(Arc<TableSchema>),
    /// An index: its place in `Objects::indexes`.
    Index(usize),
    /// A sequence of a source.
    Sequence(Arc<SequenceSchema>),
    /// A relation of PostgreSQL's catalogs.
    System(&'static Listed),
    /// A view of Tusk's own.
    View(Arc<dyn VirtualTable>),
}

/// A relation.
pub(super) struct Class {
    pub(super) oid: u32,
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) what: What,
}

/// An index that the role may see.
pub(super) struct Index {
    pub(super) oid: u32,
    pub(super) table: Arc<TableSchema>,
    at: usize,
    /// The numbers of the columns it is made of, as the role numbers them; 0 for an expression.
    pub(super) numbers: Vec<i64>,
}

impl Index {
    /// As the source has it.
    pub(super) fn remote(&self) -> Option<&RemoteIndex> {
        self.table.remote.indexes.get(self.at)
    }

    /// Its size on disk, as the source said last; none where that is not to be told.
    pub(super) fn disk_size(&self) -> Option<DiskSize> {
        self.table.index_size(self.at)
    }
}

/// A constraint that the role may see.
pub(super) struct Constraint {
    pub(super) oid: u32,
    pub(super) table: Arc<TableSchema>,
    at: usize,
    /// The numbers of its columns, as the role numbers them.
    pub(super) numbers: Vec<i64>,
    /// Where a foreign key leads, and the numbers of the columns there.
    pub(super) target: Option<(Arc<TableSchema>, Vec<i64>)>,
    /// The index beneath it; 0 where there is none.
    pub(super) index: u32,
}

impl Constraint {
    /// As the source has it.
    pub(super) fn remote(&self) -> Option<&RemoteConstraint> {
        self.table.remote.constraints.get(self.at)
    }
}

/// The objects of a world.
pub(super) struct Objects {
    /// Tables of sources in config order, their indexes, PostgreSQL's catalogs, Tusk's views.
    pub(super) classes: Vec<Class>,
    pub(super) indexes: Vec<Index>,
    pub(super) constraints: Vec<Constraint>,
    by_oid: HashMap<u32, usize>,
    by_name: HashMap<String, HashMap<String, usize>>,
    constraints_by_oid: HashMap<u32, usize>,
    /// The places of the constraints of each table.
    constraints_of: HashMap<u32, Vec<usize>>,
    /// Oid and name of the schemas, by name.
    pub(super) namespaces: Vec<(u32, String)>,
    /// The sources that the role sees something of, each once, in config order.
    pub(super) sources: Vec<Arc<str>>,
    /// The enums and domains of the visible columns.
    pub(super) types: OwnTypes,
    /// The types of the rows of relations.
    pub(super) rows: RowTypes,
    /// What descends from what.
    pub(super) inheritance: Inheritance,
    /// The sequences of columns, by table and number.
    owned: HashMap<(u32, i64), Arc<SequenceSchema>>,
    /// Relations by source, schema and name there.
    by_origin: HashMap<(Arc<str>, String, String), u32>,
    /// Table and number of columns, by the oids of their defaults.
    defaults: OnceLock<HashMap<u32, (u32, i64)>>,
    /// Of expressions whose form for people is another: that form, by the relation and the plain one.
    pretty: OnceLock<HashMap<(u32, String), String>>,
    /// Rows that were made, each with the search path that they are for, where they differ by it.
    batches: Mutex<HashMap<u32, (Vec<String>, RecordBatch)>>,
}

impl Objects {
    /// Those of the viewer's world.
    pub(super) fn of(viewer: &Viewer) -> Arc<Objects> {
        let world = &viewer.world;
        let derived = world.derived.get_or_init(|| Arc::new(Objects::new(world)));
        // Only this room derives anything; were it another's, it would be made anew.
        Arc::clone(derived).downcast().unwrap_or_else(|_| Arc::new(Objects::new(world)))
    }

    /// The rows of a relation for a search path (none: the same for each), made once, or again where the path has become another.
    pub(super) fn kept(
        &self,
        relation: u32,
        path: &[String],
        make: impl FnOnce() -> Result<RecordBatch>,
    ) -> Result<RecordBatch> {
        if let Some((_, batch)) = self.batches.lock().get(&relation).filter(|(of, _)| of == path) {
            return Ok(batch.clone());
        }
        // Made without the lock: two at once make the same.
        let batch = make()?;
        self.batches.lock().insert(relation, (path.to_vec(), batch.clone()));
        Ok(batch)
    }

    fn new(world: &World) -> Objects {
        let mut objects = Objects {
            classes: Vec::new(),
            indexes: Vec::new(),
            constraints: Vec::new(),
            by_oid: HashMap::new(),
            by_name: HashMap::new(),
            constraints_by_oid: HashMap::new(),
            constraints_of: HashMap::new(),
            namespaces: schemas(world).into_iter().map(|name| (namespace_oid(&name), name)).collect(),
            sources: Vec::new(),
            types: OwnTypes::new(world),
            rows: RowTypes::default(),
            inheritance: Inheritance::default(),
            owned: HashMap::new(),
            by_origin: HashMap::new(),
            defaults: OnceLock::new(),
            pretty: OnceLock::new(),
            batches: Mutex::default(),
        };
        for table in world.tables() {
            if !objects.sources.contains(&table.source) {
                objects.sources.push(Arc::clone(&table.source));
            }
            let (schema, name) = (table.name.schema.clone(), table.name.table.clone());
            objects.add(Class { oid: table.oid, schema, name, what: What::Table(Arc::clone(table)) });
        }
        for table in world.tables() {
            objects.add_indexes(table);
        }
        let tables = by_remote_name(world);
        for table in world.tables() {
            objects.add_constraints(table, &tables);
        }
        for sequence in &world.sequences {
            let (schema, name) = (sequence.name.schema.clone(), sequence.name.table.clone());
            objects.add(Class { oid: sequence.oid, schema, name, what: What::Sequence(Arc::clone(sequence)) });
            if let Some((table, place)) = sequence.owning_column(&world.schemas) {
                let sequence = Arc::clone(sequence);
                objects.owned.entry((table.oid, place as i64 + 1)).or_insert(sequence);
            }
        }
        objects.by_origin = objects.origins();
        objects.inheritance = Inheritance::of(&objects, world);
        for listed in facts::relations() {
            let (schema, name) = (listed.schema.to_owned(), listed.name.to_owned());
            objects.add(Class { oid: listed.oid, schema, name, what: What::System(listed) });
        }
        for view in world.virtuals.iter().filter(|view| !is_system(view.schema_name())) {
            let (schema, name) = (view.schema_name().to_owned(), view.name().to_owned());
            objects.add(Class { oid: view.oid(), schema, name, what: What::View(Arc::clone(view)) });
        }
        objects.rows = RowTypes::new(&objects.classes);
        objects
    }

    fn add(&mut self, class: Class) {
        let at = self.classes.len();
        self.by_oid.insert(class.oid, at);
        self.by_name.entry(class.schema.clone()).or_default().entry(class.name.clone()).or_insert(at);
        self.classes.push(class);
    }

    fn add_indexes(&mut self, table: &Arc<TableSchema>) {
        for (at, (index, oid)) in table.remote.indexes.iter().zip(table.index_oids.iter()).enumerate() {
            let reads = index.predicate.is_some() || index.parts.iter().any(|part| part.column.is_none());
            let number = |part: &crate::catalog::IndexPart| match part.column {
                Some(position) => number_of(table, position),
                None => Some(0),
            };
            // An expression may read any column.
            let Some(numbers) = index.parts.iter().map(number).collect::<Option<Vec<_>>>() else { continue };
            if reads && !sees_all(table) {
                continue;
            }
            let place = self.indexes.len();
            self.indexes.push(Index { oid: *oid, table: Arc::clone(table), at, numbers });
            let (schema, name) = (table.name.schema.clone(), index.name.clone());
            self.add(Class { oid: *oid, schema, name, what: What::Index(place) });
        }
    }

    fn add_constraints(&mut self, table: &Arc<TableSchema>, tables: &ByRemoteName<'_>) {
        for (at, (constraint, oid)) in table.remote.constraints.iter().zip(table.constraint_oids.iter()).enumerate() {
            let numbers = constraint.columns.iter().map(|position| number_of(table, *position));
            let Some(numbers) = numbers.collect::<Option<Vec<_>>>() else { continue };
            if constraint.definition.is_some() && !sees_all(table) {
                continue;
            }
            let target = match &constraint.references {
                None => None,
                Some(references) => match target(table, references, tables) {
                    None => continue,
                    found => found,
                },
            };
            let of_index = target.as_ref().map_or(table, |(other, _)| other);
            let index = constraint.index.as_deref().map_or(0, |name| self.index_oid(of_index, name));
            // With 0 for each expression, as its index has it.
            let numbers = match self.index(index) {
                Some(beneath) if constraint.kind == ConstraintKind::Exclusion => beneath.numbers.clone(),
                _ => numbers,
            };
            self.constraints_by_oid.insert(*oid, self.constraints.len());
            self.constraints_of.entry(table.oid).or_default().push(self.constraints.len());
            self.constraints.push(Constraint { oid: *oid, table: Arc::clone(table), at, numbers, target, index });
        }
    }

    fn index_oid(&self, table: &TableSchema, name: &str) -> u32 {
        match self.class_named(&table.name.schema, name) {
            Some(class) if matches!(class.what, What::Index(_)) => class.oid,
            _ => 0,
        }
    }

    /// The name of a type that is not PostgreSQL's own.
    pub(super) fn type_name(&self, viewer: &Viewer, oid: u32) -> Option<String> {
        self.types.name(viewer, oid).or_else(|| self.rows.name(viewer, oid))
    }

    /// A relation by its oid.
    pub(super) fn class(&self, oid: u32) -> Option<&Class> {
        self.by_oid.get(&oid).and_then(|at| self.classes.get(*at))
    }

    /// A relation by schema and name.
    pub(super) fn class_named(&self, schema: &str, name: &str) -> Option<&Class> {
        self.by_name.get(schema)?.get(name).and_then(|at| self.classes.get(*at))
    }

    /// An index by its oid.
    pub(super) fn index(&self, oid: u32) -> Option<&Index> {
        match &self.class(oid)?.what {
            What::Index(at) => self.indexes.get(*at),
            _ => None,
        }
    }

    /// A relation's source, and its schema and name there.
    fn origin<'c>(&'c self, class: &'c Class) -> Option<(&'c Arc<str>, &'c str, &'c str)> {
        match &class.what {
            What::Table(table) => Some((&table.source, &table.remote.schema, &table.remote.name)),
            What::Index(at) => {
                let index = self.indexes.get(*at)?;
                Some((&index.table.source, &index.table.remote.schema, &index.remote()?.name))
            }
            What::Sequence(sequence) => Some((&sequence.source, &sequence.remote.schema, &sequence.remote.name)),
            What::System(_) | What::View(_) => None,
        }
    }

    /// The relations by the names that they have at their sources.
    fn origins(&self) -> HashMap<(Arc<str>, String, String), u32> {
        let named = |class: &Class| {
            let (source, schema, name) = self.origin(class)?;
            Some(((Arc::clone(source), schema.to_owned(), name.to_owned()), class.oid))
        };
        self.classes.iter().filter_map(named).collect()
    }

    /// A relation by the name that it has at a source.
    pub(super) fn class_at(&self, source: &Arc<str>, schema: &str, name: &str) -> Option<&Class> {
        let found = self.by_origin.get(&(Arc::clone(source), schema.to_owned(), name.to_owned()))?;
        self.class(*found)
    }

    /// The column whose default has an oid: the table's, and its number.
    pub(super) fn column_of_default(&self, oid: u32) -> Option<(u32, i64)> {
        let all = || {
            let tables = self.classes.iter().filter_map(|class| match &class.what {
                What::Table(table) => Some(table),
                _ => None,
            });
            let numbered =
                tables.flat_map(|table| (1..).zip(&table.columns).map(move |(number, at)| (table, number, at)));
            let default = |(table, number, at): (&Arc<TableSchema>, i64, &usize)| {
                let column = table.remote.columns.get(*at)?;
                visible_default(table, column).map(|_| (default_oid(table, &column.name), (table.oid, number)))
            };
            numbered.filter_map(default).collect()
        };
        self.defaults.get_or_init(all).get(&oid).copied()
    }

    /// The sequence of a column, by table and number.
    pub(super) fn owned_by(&self, table: u32, number: i64) -> Option<&SequenceSchema> {
        self.owned.get(&(table, number)).map(Arc::as_ref)
    }

    /// The form for people of an expression over a relation, by its plain one; none where it is the same, or known to nobody.
    pub(super) fn pretty(&self, relation: u32, plain: &str, all: impl FnOnce() -> Vec<(u32, Written)>) -> Option<&str> {
        let known = self.pretty.get_or_init(|| {
            let other = all().into_iter().filter(|(_, written)| written.plain != written.pretty);
            other.map(|(relation, written)| ((relation, written.plain), written.pretty)).collect()
        });
        known.get(&(relation, plain.to_owned())).map(String::as_str)
    }

    /// A constraint by its oid.
    pub(super) fn constraint(&self, oid: u32) -> Option<&Constraint> {
        self.constraints_by_oid.get(&oid).and_then(|at| self.constraints.get(*at))
    }

    /// The constraints of a table.
    pub(super) fn constraints_of(&self, table: u32) -> impl Iterator<Item = &Constraint> {
        self.constraints_of.get(&table).into_iter().flatten().filter_map(|at| self.constraints.get(*at))
    }

    /// The tables that have an index.
    pub(super) fn indexed(&self) -> HashSet<u32> {
        self.indexes.iter().map(|index| index.table.oid).collect()
    }

    /// The tables that a foreign key leads from or to: PostgreSQL keeps one by triggers on both.
    pub(super) fn triggered(&self) -> HashSet<u32> {
        let ends = |constraint: &Constraint| {
            let to = constraint.target.as_ref().map(|(table, _)| table.oid)?;
            Some([constraint.table.oid, to])
        };
        self.constraints.iter().filter_map(ends).flatten().collect()
    }

    /// Whether a relation's bare name finds it.
    pub(super) fn is_visible(&self, viewer: &Viewer, class: &Class) -> bool {
        let first = path(viewer).find_map(|schema| self.class_named(schema, &class.name));
        first.is_some_and(|first| first.oid == class.oid)
    }
}

/// Whether a schema is PostgreSQL's own.
pub(super) fn is_system(schema: &str) -> bool {
    matches!(schema, "pg_catalog" | "information_schema")
}

/// The schemas that bare names are looked for in.
pub(super) fn path(viewer: &Viewer) -> impl Iterator<Item = &str> {
    let named = viewer.search_path.iter().any(|schema| schema == "pg_catalog");
    (!named).then_some("pg_catalog").into_iter().chain(viewer.search_path.iter().map(String::as_str))
}

/// Tables by source, schema and name there.
type ByRemoteName<'w> = HashMap<(&'w str, &'w str, &'w str), &'w Arc<TableSchema>>;

fn by_remote_name(world: &World) -> ByRemoteName<'_> {
    world
        .tables()
        .map(|table| ((&*table.source, table.remote.schema.as_str(), table.remote.name.as_str()), table))
        .collect()
}

/// The number that a role gives to a column, from 1; none if it may not see it.
pub(super) fn number_of(table: &TableSchema, position: usize) -> Option<i64> {
    table.columns.binary_search(&position).ok().map(|at| at as i64 + 1)
}

pub(super) fn sees_all(table: &TableSchema) -> bool {
    table.columns.len() == table.remote.columns.len()
}

/// A column's default. What a generated one is made from may name columns that the role may not see: it is not there then.
pub(super) fn visible_default<'a>(table: &TableSchema, column: &'a RemoteColumn) -> Option<&'a Written> {
    column.default.as_ref().filter(|_| !column.generated || sees_all(table))
}

/// The oid of a column's default.
pub(super) fn default_oid(table: &TableSchema, column: &str) -> u32 {
    stable_oid("attrdef", &format!("{}.{column}", table.name), |_| false)
}

/// The oid of the rule that makes a view one.
pub(super) fn rule_oid(view: &TableSchema) -> u32 {
    stable_oid("rewrite", &view.name.to_string(), |_| false)
}

/// Where a foreign key leads, if the role may see all of it.
fn target(
    table: &TableSchema,
    references: &crate::catalog::References,
    tables: &ByRemoteName<'_>,
) -> Option<(Arc<TableSchema>, Vec<i64>)> {
    let other = tables.get(&(&*table.source, references.schema.as_str(), references.table.as_str()))?;
    let position = |name: &String| other.remote.columns.iter().position(|column| column.name == *name);
    let positions: Vec<usize> = match references.columns.as_slice() {
        [] => other.remote.primary_key.clone(),
        named => named.iter().map(position).collect::<Option<Vec<_>>>()?,
    };
    let numbers = positions.into_iter().map(|position| number_of(other, position)).collect::<Option<Vec<_>>>()?;
    Some((Arc::clone(other), numbers))
}

/// The oid of a schema.
pub(super) fn namespace_oid(schema: &str) -> u32 {
    match schema {
        "pg_catalog" => PG_CATALOG,
        "information_schema" => INFORMATION_SCHEMA,
        "public" => 2200,
        name => stable_oid("namespace", name, |_| false),
    }
}

/// The oid of a role.
pub(super) fn role_oid(role: &str) -> u32 {
    if role == super::OWNER_NAME { super::OWNER } else { stable_oid("role", role, |_| false) }
}

/// The oid of the database.
pub(super) fn database_oid(database: &str) -> u32 {
    stable_oid("database", database, |_| false)
}

/// The oid of a source as a foreign server.
pub(super) fn source_oid(source: &str) -> u32 {
    stable_oid("server", source, |_| false)
}

/// The schemas that a role sees, with those that hold virtual tables.
fn schemas(world: &World) -> Vec<String> {
    let mut names = world.order.clone();
    names.extend(world.virtuals.schemas().map(str::to_owned));
    names.sort();
    names.dedup();
    names
}

/// Oid, name and whether it may log in: the owner of everything, the viewer, the viewer's roles.
pub(super) fn roles(viewer: &Viewer) -> Vec<(u32, String, bool)> {
    let mut all = vec![(super::OWNER, super::OWNER_NAME.to_owned(), false)];
    for (name, login) in std::iter::once((&viewer.user, true)).chain(viewer.roles.iter().map(|role| (role, false))) {
        if !all.iter().any(|(_, known, _)| known == name) {
            all.push((role_oid(name), name.clone(), login));
        }
    }
    all
}
