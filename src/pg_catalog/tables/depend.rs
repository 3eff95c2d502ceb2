//! What is gone with what: `pg_depend`, of the objects that a role sees, and `pg_rewrite`, the rules that make views. What these read is told to
//! administrators; what the inside of expressions depends on is not told.
//! Must not know: which objects those are (`objects` holds only those).

use std::collections::HashSet;

use super::attribute::{columns, default};
use super::class::{PG_CLASS, kind};
use crate::catalog::{ConstraintKind, TableSchema};
use crate::pg_catalog::definitions;
use crate::pg_catalog::objects::{Class, Constraint, Index, What, default_oid, is_system, namespace_oid, rule_oid};
use crate::pg_catalog::relation::{Looking, Rows};

/// The oids of the catalogs that hold what depends.
const PG_ATTRDEF: u32 = 2604;
const PG_CONSTRAINT: u32 = 2606;
const PG_NAMESPACE: u32 = 2615;
const PG_TYPE: u32 = 1247;
const PG_REWRITE: u32 = 2618;

/// An object: its catalog, its oid, a column of it (0: the whole).
#[derive(Clone, Copy)]
struct Object(u32, u32, i64);

fn push(rows: &mut Rows, object: Object, on: Object, kind: &str) {
    rows.push(&[
        ("classid", object.0.into()),
        ("objid", object.1.into()),
        ("objsubid", object.2.into()),
        ("refclassid", on.0.into()),
        ("refobjid", on.1.into()),
        ("refobjsubid", on.2.into()),
        ("deptype", kind.into()),
    ]);
}

fn schema(name: &str) -> Object {
    Object(PG_NAMESPACE, namespace_oid(name), 0)
}

pub(super) fn pg_depend(looking: &Looking<'_>, rows: &mut Rows) {
    types(looking, rows);
    for class in looking.objects.classes.iter().filter(|class| !is_system(&class.schema)) {
        let whole = Object(PG_CLASS, class.oid, 0);
        match &class.what {
            What::Table(table) => {
                push(rows, whole, schema(&class.schema), "n");
                let kind = if table.is_partition() { "a" } else { "n" };
                let parents = looking.objects.inheritance.parents(class.oid).iter();
                parents.for_each(|parent| push(rows, whole, Object(PG_CLASS, *parent, 0), kind));
                of_columns(looking, class, table, rows);
                of_rule(looking, class, rows);
            }
            What::Index(at) => {
                if let Some(index) = looking.objects.indexes.get(*at) {
                    of_index(looking, index, rows);
                }
            }
            What::Sequence(sequence) => {
                push(rows, whole, schema(&class.schema), "n");
                let kind = if sequence.remote.owner.as_ref().is_some_and(|owner| owner.identity) { "i" } else { "a" };
                if let Some((table, place)) = sequence.owning_column(&looking.viewer.world.schemas) {
                    push(rows, whole, Object(PG_CLASS, table.oid, place as i64 + 1), kind);
                }
            }
            What::System(_) | What::View(_) => {}
        }
    }
    looking.objects.constraints.iter().for_each(|constraint| of_constraint(looking, constraint, rows));
}

/// Types, their arrays and their checks.
fn types(looking: &Looking<'_>, rows: &mut Rows) {
    for one in looking.objects.types.all().iter().filter(|one| !is_system(&one.schema)) {
        let own = Object(PG_TYPE, one.oid, 0);
        push(rows, own, schema(&one.schema), "n");
        push(rows, Object(PG_TYPE, one.array_oid, 0), own, "i");
        for (name, _) in one.domain().map_or(&[][..], |domain| &domain.checks) {
            push(rows, Object(PG_CONSTRAINT, one.check_oid(name), 0), own, "a");
        }
    }
}

/// The types of columns, defaults and the sequences in them.
fn of_columns(looking: &Looking<'_>, class: &Class, table: &TableSchema, rows: &mut Rows) {
    for column in columns(looking, class) {
        let own = Object(PG_CLASS, class.oid, column.number);
        if column.declared.is_some() {
            push(rows, own, Object(PG_TYPE, column.type_oid(), 0), "n");
        }
        let Some(text) = default(looking, class, &column) else { continue };
        let generated = column.remote.is_some_and(|remote| remote.generated);
        let of_default = Object(PG_ATTRDEF, default_oid(table, &column.name), 0);
        push(rows, of_default, own, if generated { "i" } else { "a" });
        if let Some((one, _)) = column.declared
            && let Some(name) = looking.objects.types.name(looking.viewer, one.oid)
            && text.contains(&format!("::{name}"))
        {
            push(rows, of_default, Object(PG_TYPE, one.oid, 0), "n");
        }
        for sequence in sequences_of(looking, &text) {
            push(rows, of_default, Object(PG_CLASS, sequence, 0), "n");
        }
    }
    if let Some((_, numbers)) = crate::pg_catalog::inheritance::partitioning(table) {
        let whole = Object(PG_CLASS, class.oid, 0);
        let columns = numbers.into_iter().filter(|number| *number != 0);
        columns.for_each(|number| push(rows, Object(PG_CLASS, class.oid, number), whole, "i"));
    }
}

/// The sequences that a default names.
fn sequences_of(looking: &Looking<'_>, default: &str) -> Vec<u32> {
    let names = default.split("::regclass").filter_map(|before| Some(before.strip_suffix('\'')?.rsplit_once('\'')?.1));
    let found = names.filter_map(|name| crate::pg_catalog::functions::relation(looking.viewer, name).ok().flatten());
    let sequence = |oid: &u32| looking.objects.class(*oid).is_some_and(|class| matches!(class.what, What::Sequence(_)));
    found.filter(sequence).collect()
}

fn of_index(looking: &Looking<'_>, index: &Index, rows: &mut Rows) {
    let own = Object(PG_CLASS, index.oid, 0);
    let constraint =
        looking.objects.constraints_of(index.table.oid).find(|one| one.index == index.oid && has_index(one));
    match constraint {
        Some(constraint) => push(rows, own, Object(PG_CONSTRAINT, constraint.oid, 0), "i"),
        None => {
            let mut numbers: Vec<i64> = index.numbers.iter().copied().filter(|number| *number != 0).collect();
            numbers.sort_unstable();
            numbers.dedup();
            numbers.into_iter().for_each(|number| push(rows, own, Object(PG_CLASS, index.table.oid, number), "a"));
        }
    }
    for parent in looking.objects.inheritance.parents(index.oid) {
        push(rows, own, Object(PG_CLASS, *parent, 0), "P");
        push(rows, own, Object(PG_CLASS, index.table.oid, 0), "S");
    }
}

/// What the rule of a view reads, as far as it is seen here.
fn of_rule(looking: &Looking<'_>, class: &Class, rows: &mut Rows) {
    let Some(view) = definitions::told_view(looking.viewer, class) else { return };
    let own = Object(PG_REWRITE, rule_oid(view), 0);
    for kind in ["i", "n"] {
        push(rows, own, Object(PG_CLASS, class.oid, 0), kind);
    }
    for (table, number) in read_by(looking, view) {
        push(rows, own, Object(PG_CLASS, table.oid, number), "n");
    }
}

/// The columns that a view reads, of those that are seen: tables and numbers; 0 is a table as a whole.
fn read_by<'a>(looking: &'a Looking<'_>, view: &TableSchema) -> Vec<(&'a TableSchema, i64)> {
    let mut found = Vec::new();
    for read in &view.remote.reads {
        let Some(What::Table(table)) =
            looking.objects.class_at(&view.source, &read.schema, &read.relation).map(|found| &found.what)
        else {
            continue;
        };
        let at =
            |position: &usize| table.remote.columns.get(*position).is_some_and(|column| column.number == read.number);
        let number = if read.number == 0 { Some(0) } else { table.columns.iter().position(at).map(|at| at as i64 + 1) };
        found.extend(number.map(|number| (&**table, number)));
    }
    found
}

/// The tables that views read.
pub(super) fn view_table_usage(looking: &Looking<'_>, rows: &mut Rows) {
    usage(looking, rows, false);
}

/// The columns that views read.
pub(super) fn view_column_usage(looking: &Looking<'_>, rows: &mut Rows) {
    usage(looking, rows, true);
}

fn usage(looking: &Looking<'_>, rows: &mut Rows, columns: bool) {
    let database = looking.viewer.database.as_str();
    for class in looking.objects.classes.iter().filter(|class| kind(class) == "v") {
        let Some(view) = definitions::told_view(looking.viewer, class) else { continue };
        let mut told = HashSet::new();
        for (table, number) in read_by(looking, view) {
            let column = if columns { definitions::column_name(table, number) } else { None };
            if columns != column.is_some() || !told.insert((table.oid, column)) {
                continue;
            }
            let mut row = vec![
                ("view_catalog", database.into()),
                ("view_schema", class.schema.as_str().into()),
                ("view_name", class.name.as_str().into()),
                ("table_catalog", database.into()),
                ("table_schema", table.name.schema.as_str().into()),
                ("table_name", table.name.table.as_str().into()),
            ];
            row.extend(column.map(|column| ("column_name", column.into())));
            rows.push(&row);
        }
    }
}

/// The rules that make views.
pub(super) fn pg_rewrite(looking: &Looking<'_>, rows: &mut Rows) {
    for class in &looking.objects.classes {
        let Some(view) = definitions::told_view(looking.viewer, class) else { continue };
        rows.push(&[
            ("oid", rule_oid(view).into()),
            ("rulename", "_RETURN".into()),
            ("ev_class", class.oid.into()),
            ("ev_type", "1".into()),
            ("ev_enabled", "O".into()),
            ("is_instead", true.into()),
            ("ev_qual", "<>".into()),
            ("ev_action", "<>".into()),
        ]);
    }
}

/// Whether the index beneath a constraint is there for it.
fn has_index(constraint: &Constraint) -> bool {
    constraint.remote().is_some_and(|remote| {
        matches!(remote.kind, ConstraintKind::Primary | ConstraintKind::Unique | ConstraintKind::Exclusion)
    })
}

fn of_constraint(looking: &Looking<'_>, constraint: &Constraint, rows: &mut Rows) {
    let own = Object(PG_CONSTRAINT, constraint.oid, 0);
    let column = |number: &i64| Object(PG_CLASS, constraint.table.oid, *number);
    let check = constraint.remote().is_some_and(|remote| remote.kind == ConstraintKind::Check);
    for number in constraint.numbers.iter().filter(|number| **number != 0) {
        push(rows, own, column(number), "a");
        if check {
            push(rows, own, column(number), "n");
        }
    }
    if let Some((table, numbers)) = &constraint.target {
        numbers.iter().for_each(|number| push(rows, own, Object(PG_CLASS, table.oid, *number), "n"));
        if constraint.index != 0 {
            push(rows, own, Object(PG_CLASS, constraint.index, 0), "n");
        }
    }
    let parent = looking.objects.inheritance.constraint(constraint.oid);
    let parent_of = Object(PG_CONSTRAINT, parent, 0);
    if parent != 0 && constraint.table.is_partition() {
        push(rows, own, parent_of, "P");
        push(rows, own, Object(PG_CLASS, constraint.table.oid, 0), "S");
    } else if parent != 0 {
        // A key to a partitioned table has one more for each partition.
        push(rows, own, parent_of, "i");
    }
}
