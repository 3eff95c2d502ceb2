//! Schemas and relations: `pg_namespace`, `pg_class`, and the views and comments over them.
//! Must not know: columns (`attribute` does).

use crate::catalog::{TableKind, TableSchema};
use crate::pg_catalog::inheritance::partitioning;
use crate::pg_catalog::objects::{Class, Constraint, Index, What, is_system, namespace_oid};
use crate::pg_catalog::relation::{Looking, Rows, Value};
use crate::pg_catalog::{OWNER, OWNER_NAME, definitions, facts, rights, row_types};

/// The oid of the heap access method.
const HEAP: u32 = 2;

/// The oid of `pg_class` itself.
pub(in crate::pg_catalog) const PG_CLASS: u32 = 1259;

pub(super) fn pg_namespace(looking: &Looking<'_>, rows: &mut Rows) {
    for (oid, name) in &looking.objects.namespaces {
        rows.push(&[("oid", (*oid).into()), ("nspname", name.as_str().into()), ("nspowner", OWNER.into())]);
    }
}

/// `pg_class.relkind` of a table: a partitioned one of whose key the role does not see all is a table to it; foreign tables are what our tables are.
pub(in crate::pg_catalog) fn relkind(table: &TableSchema) -> &'static str {
    match table.remote.kind {
        TableKind::View => "v",
        TableKind::MaterializedView => "m",
        TableKind::Partitioned if partitioning(table).is_some() => "p",
        TableKind::Table | TableKind::Partitioned | TableKind::Foreign => "r",
    }
}

/// `relkind` of an index: that of a partitioned table has one in each partition.
fn relkind_of_index(index: &Index) -> &'static str {
    if relkind(&index.table) == "p" { "I" } else { "i" }
}

/// The same of any relation; an index is one, whatever it is on.
pub(in crate::pg_catalog) fn kind(class: &Class) -> &'static str {
    match &class.what {
        What::Table(table) => relkind(table),
        What::Index(_) => "i",
        What::Sequence(_) => "S",
        What::System(listed) if listed.is_table() => "r",
        What::System(_) | What::View(_) => "v",
    }
}

pub(super) fn pg_class(looking: &Looking<'_>, rows: &mut Rows) {
    let objects = looking.objects;
    let (indexed, triggered) = (objects.indexed(), objects.triggered());
    for class in &objects.classes {
        let mut kind = kind(class);
        // -1: never counted, as PostgreSQL says of a table that was not analysed; or not to be told.
        let estimate = |rows: Option<u64>| rows.map_or(-1.0, |rows| rows as f64);
        let (columns, method, tuples) = match &class.what {
            What::Table(table) => {
                let method = if matches!(kind, "v" | "p") { 0 } else { HEAP };
                (table.columns.len(), method, estimate(table.estimated_rows()))
            }
            What::Index(at) => match objects.indexes.get(*at).and_then(|index| Some((index, index.remote()?))) {
                Some((index, remote)) => {
                    kind = relkind_of_index(index);
                    let rows = remote.estimated_rows.filter(|_| index.table.is_whole());
                    let method = facts::access_method(&remote.method);
                    (index.numbers.len(), method, estimate(rows))
                }
                None => continue,
            },
            What::Sequence(_) => (3, 0, 1.0),
            What::System(listed) => (listed.columns.len(), if kind == "v" { 0 } else { HEAP }, -1.0),
            What::View(view) => (view.schema().fields().len(), 0, -1.0),
        };
        let inheritance = &objects.inheritance;
        rows.push(&[
            ("oid", class.oid.into()),
            ("relname", class.name.as_str().into()),
            ("relnamespace", namespace_oid(&class.schema).into()),
            ("reltype", row_types::of(class).map_or(0, |row| row.oid).into()),
            ("relowner", OWNER.into()),
            ("relam", method.into()),
            // Who is told of pages (DuckDB) scans ranges of them, in several sessions of one snapshot.
            ("relpages", 0_i64.into()),
            ("reltuples", Value::Float(if kind == "v" { -1.0 } else { tuples })),
            ("relhasindex", indexed.contains(&class.oid).into()),
            ("relpersistence", "p".into()),
            ("relkind", kind.into()),
            ("relnatts", (columns as i64).into()),
            ("relhasrules", matches!(kind, "v" | "m").into()),
            ("relhastriggers", triggered.contains(&class.oid).into()),
            ("relchecks", checks(looking, class).into()),
            ("relhassubclass", (!inheritance.children(class.oid).is_empty()).into()),
            ("relispopulated", true.into()),
            ("relreplident", if matches!(kind, "r" | "p" | "m") { "d" } else { "n" }.into()),
            ("relispartition", inheritance.is_partition(class.oid).into()),
            ("relpartbound", bound(class).into()),
            ("reloptions", options(looking, class).into()),
            ("relfrozenxid", "0".into()),
            ("relminmxid", "0".into()),
            ("relacl", rights::relation_acl(looking.viewer, class).into()),
        ]);
    }
}

/// `relpartbound`: of a partition.
fn bound(class: &Class) -> Option<String> {
    match &class.what {
        What::Table(table) => table.remote.lineage.bound.clone(),
        _ => None,
    }
}

/// Storage parameters, which are told of indexes.
fn options(looking: &Looking<'_>, class: &Class) -> Option<String> {
    let What::Index(at) = &class.what else { return None };
    let options = &looking.objects.indexes.get(*at)?.remote()?.options;
    let quoted = |option: &String| format!("\"{}\"", option.replace('\\', "\\\\").replace('"', "\\\""));
    let plain =
        |option: &String| option.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '=' | '.' | '-'));
    let item = |option: &String| if plain(option) { option.clone() } else { quoted(option) };
    (!options.is_empty()).then(|| format!("{{{}}}", options.iter().map(item).collect::<Vec<_>>().join(",")))
}

fn checks(looking: &Looking<'_>, class: &Class) -> i64 {
    let is_check = |constraint: &&Constraint| {
        constraint.remote().is_some_and(|remote| remote.kind == crate::catalog::ConstraintKind::Check)
    };
    looking.objects.constraints_of(class.oid).filter(is_check).count() as i64
}

pub(super) fn pg_tables(looking: &Looking<'_>, rows: &mut Rows) {
    let (indexed, triggered) = (looking.objects.indexed(), looking.objects.triggered());
    for class in looking.objects.classes.iter().filter(|class| matches!(kind(class), "r" | "p")) {
        rows.push(&[
            ("schemaname", class.schema.as_str().into()),
            ("tablename", class.name.as_str().into()),
            ("tableowner", OWNER_NAME.into()),
            ("hasindexes", indexed.contains(&class.oid).into()),
            ("hasrules", false.into()),
            ("hastriggers", triggered.contains(&class.oid).into()),
            ("rowsecurity", false.into()),
        ]);
    }
}

/// What a view is made of, where that may be told.
pub(super) fn plain_definition(looking: &Looking<'_>, class: &Class) -> Value {
    definitions::view(looking.viewer, class).map(|view| view.plain.as_str()).into()
}

pub(super) fn pg_views(looking: &Looking<'_>, rows: &mut Rows) {
    for class in looking.objects.classes.iter().filter(|class| kind(class) == "v") {
        rows.push(&[
            ("schemaname", class.schema.as_str().into()),
            ("viewname", class.name.as_str().into()),
            ("viewowner", OWNER_NAME.into()),
            ("definition", plain_definition(looking, class)),
        ]);
    }
}

pub(super) fn pg_matviews(looking: &Looking<'_>, rows: &mut Rows) {
    let indexed = looking.objects.indexed();
    for class in looking.objects.classes.iter().filter(|class| kind(class) == "m") {
        rows.push(&[
            ("schemaname", class.schema.as_str().into()),
            ("matviewname", class.name.as_str().into()),
            ("matviewowner", OWNER_NAME.into()),
            ("hasindexes", indexed.contains(&class.oid).into()),
            ("ispopulated", true.into()),
            ("definition", plain_definition(looking, class)),
        ]);
    }
}

/// The comment on a relation, or on one of its columns (from 1).
pub(in crate::pg_catalog) fn comment(class: &Class, column: usize) -> Option<String> {
    match (&class.what, column) {
        (What::Table(table), 0) => table.remote.comment.clone(),
        (What::Table(table), number) => {
            let position = table.columns.get(number - 1)?;
            table.remote.columns.get(*position)?.comment.clone()
        }
        (What::Sequence(sequence), 0) => sequence.remote.comment.clone(),
        (What::View(view), 0) => Some(view.comment().to_owned()),
        _ => None,
    }
}

pub(super) fn pg_description(looking: &Looking<'_>, rows: &mut Rows) {
    for class in looking.objects.classes.iter().filter(|class| !is_system(&class.schema)) {
        let columns = if let What::Table(table) = &class.what { table.columns.len() } else { 0 };
        for number in 0..=columns {
            if let Some(text) = comment(class, number) {
                rows.push(&[
                    ("objoid", class.oid.into()),
                    ("classoid", PG_CLASS.into()),
                    ("objsubid", (number as i64).into()),
                    ("description", text.into()),
                ]);
            }
        }
    }
    super::types::descriptions(looking, rows);
}
