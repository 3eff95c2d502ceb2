//! Statistics views: one row a table, an index, the database. Tusk counts nothing per table; what a source estimates is told.
//! Must not know: who may see which table (`objects` holds only those).

use super::class::kind;
use crate::pg_catalog::inheritance::partitioning;
use crate::pg_catalog::objects::{Class, Index, What, database_oid, is_system};
use crate::pg_catalog::relation::{Looking, Rows, Value};

/// The tables of a looking role; `own`: without those of the system.
fn tables<'a>(looking: &'a Looking<'_>, own: bool) -> impl Iterator<Item = &'a Class> {
    let wanted = move |class: &&Class| matches!(kind(class), "r" | "p" | "m") && !(own && is_system(&class.schema));
    looking.objects.classes.iter().filter(wanted)
}

fn named(class: &Class) -> Vec<(&'static str, Value)> {
    vec![
        ("relid", class.oid.into()),
        ("schemaname", class.schema.as_str().into()),
        ("relname", class.name.as_str().into()),
    ]
}

fn of_tables(looking: &Looking<'_>, rows: &mut Rows, own: bool) {
    for class in tables(looking, own) {
        let estimate = match &class.what {
            What::Table(table) => table.estimated_rows().and_then(|rows| i64::try_from(rows).ok()),
            _ => None,
        };
        let mut row = named(class);
        row.push(("n_live_tup", estimate.unwrap_or(0).into()));
        rows.push(&row);
    }
}

pub(super) fn pg_stat_all_tables(looking: &Looking<'_>, rows: &mut Rows) {
    of_tables(looking, rows, false);
}

pub(super) fn pg_stat_user_tables(looking: &Looking<'_>, rows: &mut Rows) {
    of_tables(looking, rows, true);
}

/// The same columns of counts that nobody counts.
pub(super) fn pg_statio_all_tables(looking: &Looking<'_>, rows: &mut Rows) {
    tables(looking, false).for_each(|class| rows.push(&named(class)));
}

pub(super) fn pg_statio_user_tables(looking: &Looking<'_>, rows: &mut Rows) {
    tables(looking, true).for_each(|class| rows.push(&named(class)));
}

/// Sequences, of which nothing is counted either.
pub(super) fn pg_statio_sequences(looking: &Looking<'_>, rows: &mut Rows) {
    let sequences = looking.objects.classes.iter().filter(|class| kind(class) == "S");
    sequences.for_each(|class| rows.push(&named(class)));
}

pub(super) fn pg_stat_indexes(looking: &Looking<'_>, rows: &mut Rows) {
    // An index of a partitioned table is none that could be read.
    let read = |index: &&Index| partitioning(&index.table).is_none();
    for index in looking.objects.indexes.iter().filter(read) {
        let Some(remote) = index.remote() else { continue };
        rows.push(&[
            ("relid", index.table.oid.into()),
            ("indexrelid", index.oid.into()),
            ("schemaname", index.table.name.schema.as_str().into()),
            ("relname", index.table.name.table.as_str().into()),
            ("indexrelname", remote.name.as_str().into()),
        ]);
    }
}

pub(super) fn pg_stat_database(looking: &Looking<'_>, rows: &mut Rows) {
    let database = &looking.viewer.database;
    rows.push(&[("datid", database_oid(database).into()), ("datname", database.as_str().into())]);
}
