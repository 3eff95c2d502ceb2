//! Indexes and constraints: `pg_index`, `pg_constraint`, and the standard's views of them.
//! Must not know: which of them a role may see (`objects` holds only those).

use std::collections::HashSet;

use super::attribute::collation;
use super::types::domain_checks;
use crate::catalog::{ConstraintKind, IndexPart};
use crate::pg_catalog::definitions::{self, column_name, condition, rule};
use crate::pg_catalog::facts;
use crate::pg_catalog::objects::{Constraint, Index, namespace_oid};
use crate::pg_catalog::relation::{Looking, Rows, Value};
use crate::types::PgType;

/// Numbers as a vector (`int2vector`, `oidvector`) is written.
fn vector<T: ToString>(numbers: impl IntoIterator<Item = T>) -> String {
    numbers.into_iter().map(|number| number.to_string()).collect::<Vec<_>>().join(" ")
}

/// Numbers as an array is written; none for none.
fn array(numbers: &[i64]) -> Option<String> {
    (!numbers.is_empty()).then(|| format!("{{{}}}", vector(numbers.iter().copied()).replace(' ', ",")))
}

fn type_of(index: &Index, number: i64) -> PgType {
    let at = usize::try_from(number - 1).ok().and_then(|at| index.table.columns.get(at));
    at.and_then(|position| index.table.remote.columns.get(*position)).map_or(PgType::TEXT, |column| column.ty)
}

pub(super) fn pg_index(looking: &Looking<'_>, rows: &mut Rows) {
    for index in &looking.objects.indexes {
        let Some(remote) = index.remote() else { continue };
        let method = facts::access_method(&remote.method);
        let keys = || index.numbers.iter().zip(&remote.parts).take(remote.keys);
        let classes = vector(
            keys().map(|(number, part)| facts::operator_class(method, &part.class, type_of(index, *number).bare())),
        );
        let options = vector(keys().map(|(_, part)| i64::from(part.descending) + 2 * i64::from(part.nulls_first)));
        let of_part = |(number, part): (&i64, &IndexPart)| match part.collation_oid {
            Some(oid) => facts::known_collation(oid),
            None => collation(type_of(index, *number)),
        };
        let collations = vector(keys().map(of_part));
        let excludes = looking.objects.constraints_of(index.table.oid).any(|constraint| {
            constraint.index == index.oid
                && constraint.remote().is_some_and(|remote| remote.kind == ConstraintKind::Exclusion)
        });
        rows.push(&[
            ("indexrelid", index.oid.into()),
            ("indrelid", index.table.oid.into()),
            ("indnatts", (index.numbers.len() as i64).into()),
            ("indnkeyatts", (remote.keys as i64).into()),
            ("indisunique", remote.unique.into()),
            ("indnullsnotdistinct", remote.nulls_not_distinct.into()),
            ("indisprimary", remote.primary.into()),
            ("indisexclusion", excludes.into()),
            ("indimmediate", true.into()),
            ("indisvalid", remote.valid.into()),
            ("indisready", true.into()),
            ("indislive", true.into()),
            ("indkey", vector(index.numbers.iter().copied()).into()),
            ("indcollation", collations.into()),
            ("indclass", classes.into()),
            ("indoption", options.into()),
            ("indexprs", remote.expressions.as_deref().into()),
            ("indpred", remote.predicate.as_deref().into()),
        ]);
    }
}

pub(super) fn pg_indexes(looking: &Looking<'_>, rows: &mut Rows) {
    for index in &looking.objects.indexes {
        let Some(remote) = index.remote() else { continue };
        rows.push(&[
            ("schemaname", index.table.name.schema.as_str().into()),
            ("tablename", index.table.name.table.as_str().into()),
            ("indexname", remote.name.as_str().into()),
            ("indexdef", definitions::index(looking.viewer, looking.objects, index, false).into()),
        ]);
    }
}

fn letter(kind: ConstraintKind) -> &'static str {
    match kind {
        ConstraintKind::Primary => "p",
        ConstraintKind::Unique => "u",
        ConstraintKind::Foreign => "f",
        ConstraintKind::Check => "c",
        ConstraintKind::Exclusion => "x",
    }
}

fn pg_constraint(looking: &Looking<'_>, rows: &mut Rows) {
    for constraint in &looking.objects.constraints {
        let Some(remote) = constraint.remote() else { continue };
        let target = constraint.target.as_ref();
        let references = remote.references.as_ref().filter(|_| target.is_some());
        let of = |letter: Option<char>| letter.map_or(" ".to_owned(), String::from);
        // `conbin` is a check's expression alone.
        let check = (remote.kind == ConstraintKind::Check)
            .then(|| condition(remote.definition.as_deref().unwrap_or_default()).to_owned());
        let parent = looking.objects.inheritance.constraint(constraint.oid);
        let descends = parent != 0 || !looking.objects.inheritance.parents(constraint.table.oid).is_empty();
        // `=` of the referenced column's type, for each column of a foreign key.
        let equal = target.and_then(|(table, numbers)| equality(table, numbers));
        rows.push(&[
            ("oid", constraint.oid.into()),
            ("conname", remote.name.as_str().into()),
            ("connamespace", namespace_oid(&constraint.table.name.schema).into()),
            ("contype", letter(remote.kind).into()),
            ("condeferrable", remote.deferrable.into()),
            ("condeferred", remote.deferred.into()),
            ("convalidated", remote.validated.into()),
            ("conrelid", constraint.table.oid.into()),
            ("conindid", constraint.index.into()),
            ("confrelid", target.map_or(0, |(table, _)| table.oid).into()),
            ("confupdtype", of(references.map(|references| references.on_update)).into()),
            ("confdeltype", of(references.map(|references| references.on_delete)).into()),
            ("confmatchtype", of(references.map(|references| references.matching)).into()),
            ("conparentid", parent.into()),
            ("conislocal", (remote.origin.local || !descends).into()),
            ("coninhcount", i64::from(if descends { remote.origin.inherited } else { 0 }).into()),
            ("connoinherit", remote.no_inherit.into()),
            ("conkey", array(&constraint.numbers).into()),
            ("confkey", target.and_then(|(_, numbers)| array(numbers)).into()),
            ("conpfeqop", equal.clone().into()),
            ("conppeqop", equal.clone().into()),
            ("conffeqop", equal.into()),
            ("conbin", check.into()),
        ]);
    }
}

/// All constraints: of tables, then of domains.
pub(super) fn constraints(looking: &Looking<'_>, rows: &mut Rows) {
    pg_constraint(looking, rows);
    domain_checks(looking, rows);
}

fn equality(table: &crate::catalog::TableSchema, numbers: &[i64]) -> Option<String> {
    let operator = |number: &i64| {
        let at = usize::try_from(number - 1).ok()?;
        let ty = table.remote.columns.get(*table.columns.get(at)?)?.ty.bare();
        let ty = if ty == PgType::VARCHAR { PgType::TEXT } else { ty };
        let fits =
            |operator: &&facts::Operator| operator.name == "=" && operator.left == ty.oid && operator.right == ty.oid;
        facts::operators().iter().find(fits).map(|operator| i64::from(operator.oid))
    };
    array(&numbers.iter().map(operator).collect::<Option<Vec<_>>>()?)
}

/// The columns that name a constraint in the standard's views.
fn named(looking: &Looking<'_>, constraint: &Constraint) -> Option<[(&'static str, Value); 3]> {
    Some([
        ("constraint_catalog", looking.viewer.database.as_str().into()),
        ("constraint_schema", constraint.table.name.schema.as_str().into()),
        ("constraint_name", constraint.remote()?.name.as_str().into()),
    ])
}

fn in_table(looking: &Looking<'_>, table: &crate::catalog::TableSchema) -> [(&'static str, Value); 3] {
    [
        ("table_catalog", looking.viewer.database.as_str().into()),
        ("table_schema", table.name.schema.as_str().into()),
        ("table_name", table.name.table.as_str().into()),
    ]
}

fn yes(truth: bool) -> Value {
    if truth { "YES" } else { "NO" }.into()
}

pub(super) fn table_constraints(looking: &Looking<'_>, rows: &mut Rows) {
    for constraint in &looking.objects.constraints {
        let (Some(remote), Some(name)) = (constraint.remote(), named(looking, constraint)) else { continue };
        let kind = match remote.kind {
            ConstraintKind::Primary => "PRIMARY KEY",
            ConstraintKind::Unique => "UNIQUE",
            ConstraintKind::Foreign => "FOREIGN KEY",
            ConstraintKind::Check => "CHECK",
            // The standard has none.
            ConstraintKind::Exclusion => continue,
        };
        let mut row = Vec::from(name);
        row.extend(in_table(looking, &constraint.table));
        row.extend([
            ("constraint_type", kind.into()),
            ("is_deferrable", yes(remote.deferrable)),
            ("initially_deferred", yes(remote.deferred)),
            ("enforced", "YES".into()),
        ]);
        if remote.kind == ConstraintKind::Unique {
            let index = looking.objects.index(constraint.index).and_then(Index::remote);
            row.push(("nulls_distinct", yes(!index.is_some_and(|index| index.nulls_not_distinct))));
        }
        rows.push(&row);
    }
    not_null_checks(looking, |name, table, _| {
        let mut row = Vec::from(name);
        row.extend(in_table(looking, table));
        row.extend([
            ("constraint_type", "CHECK".into()),
            ("is_deferrable", "NO".into()),
            ("initially_deferred", "NO".into()),
            ("enforced", "YES".into()),
        ]);
        rows.push(&row);
    });
}

/// What the standard has for NOT NULL: a check of its own, named by the oids of schema and table and the column's number.
fn not_null_checks(
    looking: &Looking<'_>,
    mut each: impl FnMut([(&'static str, Value); 3], &crate::catalog::TableSchema, &str),
) {
    for table in looking.viewer.world.tables() {
        for (number, position) in (1..).zip(&table.columns) {
            let Some(column) = table.remote.columns.get(*position).filter(|column| column.not_null) else { continue };
            let name = format!("{}_{}_{number}_not_null", namespace_oid(&table.name.schema), table.oid);
            let named = [
                ("constraint_catalog", looking.viewer.database.as_str().into()),
                ("constraint_schema", table.name.schema.as_str().into()),
                ("constraint_name", name.into()),
            ];
            each(named, table, &column.name);
        }
    }
}

pub(super) fn check_constraints(looking: &Looking<'_>, rows: &mut Rows) {
    // That of a table and of those that inherit it from there is one.
    let mut told = HashSet::new();
    for constraint in &looking.objects.constraints {
        let (Some(remote), Some(name)) = (constraint.remote(), named(looking, constraint)) else { continue };
        if remote.kind != ConstraintKind::Check {
            continue;
        }
        let whole = remote.definition.as_deref().unwrap_or_default();
        let inside = whole.strip_prefix("CHECK ").unwrap_or(whole);
        if !told.insert((constraint.table.name.schema.as_str(), remote.name.as_str(), inside)) {
            continue;
        }
        let mut row = Vec::from(name);
        row.push(("check_clause", inside.into()));
        rows.push(&row);
    }
    super::types::domain_check_clauses(looking, rows);
    not_null_checks(looking, |name, _, column| {
        let mut row = Vec::from(name);
        row.push(("check_clause", format!("{column} IS NOT NULL").into()));
        rows.push(&row);
    });
}

fn is_key(kind: ConstraintKind) -> bool {
    matches!(kind, ConstraintKind::Primary | ConstraintKind::Unique | ConstraintKind::Foreign)
}

pub(super) fn key_column_usage(looking: &Looking<'_>, rows: &mut Rows) {
    for constraint in &looking.objects.constraints {
        let (Some(remote), Some(name)) = (constraint.remote(), named(looking, constraint)) else { continue };
        if !is_key(remote.kind) {
            continue;
        }
        for (place, number) in constraint.numbers.iter().enumerate() {
            let mut row = name.to_vec();
            row.extend(in_table(looking, &constraint.table));
            row.push(("column_name", column_name(&constraint.table, *number).into()));
            row.push(("ordinal_position", (place as i64 + 1).into()));
            row.push(("position_in_unique_constraint", within_target(looking, constraint, place).into()));
            rows.push(&row);
        }
    }
}

/// The place of the referenced column in the key that a foreign key leads to.
fn within_target(looking: &Looking<'_>, constraint: &Constraint, place: usize) -> Option<i64> {
    let (_, numbers) = constraint.target.as_ref()?;
    let wanted = numbers.get(place)?;
    let key = key_led_to(looking, constraint)?;
    key.numbers.iter().position(|number| number == wanted).map(|at| at as i64 + 1)
}

/// The unique or primary key that a foreign key leads to.
fn key_led_to<'a>(looking: &'a Looking<'_>, constraint: &Constraint) -> Option<&'a Constraint> {
    let (table, numbers) = constraint.target.as_ref()?;
    let same = |other: &&Constraint| {
        let mut columns = (other.numbers.clone(), numbers.clone());
        columns.0.sort_unstable();
        columns.1.sort_unstable();
        other.table.oid == table.oid
            && columns.0 == columns.1
            && other
                .remote()
                .is_some_and(|remote| matches!(remote.kind, ConstraintKind::Primary | ConstraintKind::Unique))
    };
    looking.objects.constraints_of(table.oid).find(same)
}

pub(super) fn referential_constraints(looking: &Looking<'_>, rows: &mut Rows) {
    for constraint in &looking.objects.constraints {
        let (Some(remote), Some(name)) = (constraint.remote(), named(looking, constraint)) else { continue };
        let Some(references) = remote.references.as_ref() else { continue };
        let mut row = Vec::from(name);
        if let Some(key) = key_led_to(looking, constraint)
            && let Some(of_key) = key.remote()
        {
            row.push(("unique_constraint_catalog", looking.viewer.database.as_str().into()));
            row.push(("unique_constraint_schema", key.table.name.schema.as_str().into()));
            row.push(("unique_constraint_name", of_key.name.as_str().into()));
        }
        let matching = match references.matching {
            'f' => "FULL",
            'p' => "PARTIAL",
            _ => "NONE",
        };
        row.push(("match_option", matching.into()));
        row.push(("update_rule", rule(references.on_update).into()));
        row.push(("delete_rule", rule(references.on_delete).into()));
        rows.push(&row);
    }
}

/// A constraint's columns; a foreign key's are those it leads to.
pub(super) fn constraint_column_usage(looking: &Looking<'_>, rows: &mut Rows) {
    for constraint in &looking.objects.constraints {
        let Some(name) = named(looking, constraint) else { continue };
        let (table, numbers) = match &constraint.target {
            Some((table, numbers)) => (table, numbers),
            None => (&constraint.table, &constraint.numbers),
        };
        for number in numbers {
            let mut row = Vec::from(in_table(looking, table));
            row.push(("column_name", column_name(table, *number).into()));
            row.extend(name.clone());
            rows.push(&row);
        }
    }
}

pub(super) fn constraint_table_usage(looking: &Looking<'_>, rows: &mut Rows) {
    for constraint in &looking.objects.constraints {
        let (Some(remote), Some(name)) = (constraint.remote(), named(looking, constraint)) else { continue };
        if !is_key(remote.kind) {
            continue;
        }
        let table = constraint.target.as_ref().map_or(&constraint.table, |(table, _)| table);
        let mut row = Vec::from(in_table(looking, table));
        row.extend(name);
        rows.push(&row);
    }
}
