//! Types of sources' own: their rows of `pg_type` and `pg_enum`, and the standard's views of domains.
//! Must not know: built-in types, which are the same for everybody.

use super::attribute::{align, collation, storage};
use super::information_schema::{data_type, type_columns};
use crate::catalog::stable_oid;
use crate::pg_catalog::definitions::condition;
use crate::pg_catalog::objects::{What, namespace_oid};
use crate::pg_catalog::own_types::OwnType;
use crate::pg_catalog::relation::{Looking, Rows, Value};
use crate::pg_catalog::row_types::RowType;
use crate::pg_catalog::{OWNER, facts};
use crate::types::PgType;

/// The oid of `pg_type` itself.
const PG_TYPE: u32 = 1247;

/// The procedure with a name that only one has.
fn procedure(name: &str) -> Value {
    facts::procedures(name).next().map_or(0, |procedure| procedure.oid).into()
}

/// What every row of `pg_type` has.
fn row(schema: &str, oid: u32, name: String) -> Vec<(&'static str, Value)> {
    vec![
        ("oid", oid.into()),
        ("typname", name.into()),
        ("typnamespace", namespace_oid(schema).into()),
        ("typowner", OWNER.into()),
        ("typisdefined", true.into()),
        ("typdelim", ",".into()),
        ("typbasetype", 0u32.into()),
        ("typtypmod", (-1i64).into()),
    ]
}

pub(super) fn pg_type(looking: &Looking<'_>, rows: &mut Rows) {
    for one in looking.objects.types.all() {
        let mut own = row(&one.schema, one.oid, one.declared.name.clone());
        own.push(("typarray", one.array_oid.into()));
        own.extend(match one.domain() {
            None => enumeration(),
            Some(domain) => {
                let mut columns = of_domain(domain.base);
                columns.push(("typnotnull", domain.not_null.into()));
                columns.push(("typdefaultbin", domain.default.clone().into()));
                columns.push(("typdefault", domain.default.clone().into()));
                columns
            }
        });
        rows.push(&own);
        let mut array = row(&one.schema, one.array_oid, one.array_name());
        array.extend(of_array(one));
        rows.push(&array);
    }
    for one in looking.objects.rows.all() {
        let mut of_rows = row(&one.schema, one.oid, one.name.clone());
        of_rows.extend(composite(one));
        rows.push(&of_rows);
        let mut array = row(&one.schema, one.array_oid, one.array_name.clone());
        array.extend(array_over(one.oid, true));
        rows.push(&array);
    }
}

fn composite(one: &RowType) -> Vec<(&'static str, Value)> {
    vec![
        ("typlen", (-1i64).into()),
        ("typbyval", false.into()),
        ("typtype", "c".into()),
        ("typcategory", "C".into()),
        ("typrelid", one.class.into()),
        ("typarray", one.array_oid.into()),
        ("typinput", procedure("record_in")),
        ("typoutput", procedure("record_out")),
        ("typreceive", procedure("record_recv")),
        ("typsend", procedure("record_send")),
        ("typalign", "d".into()),
        ("typstorage", "x".into()),
    ]
}

fn enumeration() -> Vec<(&'static str, Value)> {
    vec![
        ("typlen", 4i64.into()),
        ("typbyval", true.into()),
        ("typtype", "e".into()),
        ("typcategory", "E".into()),
        ("typinput", procedure("enum_in")),
        ("typoutput", procedure("enum_out")),
        ("typreceive", procedure("enum_recv")),
        ("typsend", procedure("enum_send")),
        ("typalign", "i".into()),
        ("typstorage", "p".into()),
    ]
}

/// A domain looks as what it stands on, and reads its values itself.
fn of_domain(base: PgType) -> Vec<(&'static str, Value)> {
    let functions = facts::type_functions(base.oid);
    vec![
        ("typlen", i64::from(base.typlen()).into()),
        ("typbyval", base.row().is_some_and(|row| row.byval).into()),
        ("typtype", "d".into()),
        ("typcategory", base.category().to_string().into()),
        ("typinput", procedure("domain_in")),
        ("typoutput", functions.output.into()),
        ("typreceive", procedure("domain_recv")),
        ("typsend", functions.send.into()),
        ("typalign", align(base).into()),
        ("typstorage", storage(base).into()),
        ("typbasetype", base.oid.into()),
        ("typtypmod", i64::from(base.typmod).into()),
        ("typndims", i64::from(base.is_array()).into()),
        ("typcollation", collation(base).into()),
    ]
}

fn of_array(one: &OwnType) -> Vec<(&'static str, Value)> {
    let wide = one.domain().is_some_and(|domain| align(domain.base) == "d");
    let mut columns = array_over(one.oid, wide);
    columns.push(("typcollation", one.domain().map_or(0, |domain| collation(domain.base)).into()));
    columns
}

/// `wide`: its elements stand at places that eight bytes divide.
fn array_over(element: u32, wide: bool) -> Vec<(&'static str, Value)> {
    vec![
        ("typlen", (-1i64).into()),
        ("typtype", "b".into()),
        ("typcategory", "A".into()),
        ("typelem", element.into()),
        ("typsubscript", procedure("array_subscript_handler")),
        ("typinput", procedure("array_in")),
        ("typoutput", procedure("array_out")),
        ("typreceive", procedure("array_recv")),
        ("typsend", procedure("array_send")),
        ("typanalyze", procedure("array_typanalyze")),
        ("typalign", if wide { "d" } else { "i" }.into()),
        ("typstorage", "x".into()),
    ]
}

pub(super) fn pg_enum(looking: &Looking<'_>, rows: &mut Rows) {
    for one in looking.objects.types.all() {
        // Who sorts labels by their oids finds them in their order.
        let name = |label: &String| format!("{}.{}.{label}", one.schema, one.declared.name);
        let mut oids: Vec<u32> = one.labels().iter().map(|label| stable_oid("enum", &name(label), |_| false)).collect();
        oids.sort_unstable();
        for ((place, label), oid) in one.labels().iter().enumerate().zip(oids) {
            rows.push(&[
                ("oid", oid.into()),
                ("enumtypid", one.oid.into()),
                ("enumsortorder", Value::Float(place as f64 + 1.0)),
                ("enumlabel", label.as_str().into()),
            ]);
        }
    }
}

/// What is said of types, as rows of `pg_description`.
pub(super) fn descriptions(looking: &Looking<'_>, rows: &mut Rows) {
    for one in looking.objects.types.all() {
        let Some(text) = &one.declared.comment else { continue };
        rows.push(&[
            ("objoid", one.oid.into()),
            ("classoid", PG_TYPE.into()),
            ("objsubid", 0i64.into()),
            ("description", text.as_str().into()),
        ]);
    }
}

/// The checks of domains, as rows of `pg_constraint`.
pub(super) fn domain_checks(looking: &Looking<'_>, rows: &mut Rows) {
    for one in looking.objects.types.all() {
        for (name, definition) in one.domain().map_or(&[][..], |domain| &domain.checks) {
            rows.push(&[
                ("oid", one.check_oid(name).into()),
                ("conname", name.as_str().into()),
                ("connamespace", namespace_oid(&one.schema).into()),
                ("contype", "c".into()),
                ("convalidated", true.into()),
                ("contypid", one.oid.into()),
                ("confupdtype", " ".into()),
                ("confdeltype", " ".into()),
                ("confmatchtype", " ".into()),
                ("conislocal", true.into()),
                ("conbin", condition(definition).into()),
            ]);
        }
    }
}

fn named(looking: &Looking<'_>, one: &OwnType) -> [(&'static str, Value); 3] {
    [
        ("domain_catalog", looking.viewer.database.as_str().into()),
        ("domain_schema", one.schema.as_str().into()),
        ("domain_name", one.declared.name.as_str().into()),
    ]
}

pub(super) fn domains(looking: &Looking<'_>, rows: &mut Rows) {
    for one in looking.objects.types.all() {
        let Some(domain) = one.domain() else { continue };
        let mut row = Vec::from(named(looking, one));
        row.push(("data_type", data_type(domain.base).into()));
        row.push(("domain_default", domain.default.clone().into()));
        row.push(("dtd_identifier", "1".into()));
        row.extend(type_columns(looking, domain.base));
        rows.push(&row);
    }
}

pub(super) fn domain_constraints(looking: &Looking<'_>, rows: &mut Rows) {
    for one in looking.objects.types.all() {
        for (name, _) in one.domain().map_or(&[][..], |domain| &domain.checks) {
            let mut row = Vec::from(named(looking, one));
            row.extend([
                ("constraint_catalog", looking.viewer.database.as_str().into()),
                ("constraint_schema", one.schema.as_str().into()),
                ("constraint_name", name.as_str().into()),
                ("is_deferrable", "NO".into()),
                ("initially_deferred", "NO".into()),
            ]);
            rows.push(&row);
        }
    }
}

/// The conditions of domains, as rows of the standard's `check_constraints`.
pub(super) fn domain_check_clauses(looking: &Looking<'_>, rows: &mut Rows) {
    for one in looking.objects.types.all() {
        for (name, definition) in one.domain().map_or(&[][..], |domain| &domain.checks) {
            rows.push(&[
                ("constraint_catalog", looking.viewer.database.as_str().into()),
                ("constraint_schema", one.schema.as_str().into()),
                ("constraint_name", name.as_str().into()),
                ("check_clause", definition.strip_prefix("CHECK ").unwrap_or(definition).into()),
            ]);
        }
    }
}

/// The columns that are declared with a domain.
pub(super) fn column_domain_usage(looking: &Looking<'_>, rows: &mut Rows) {
    for class in &looking.objects.classes {
        let What::Table(table) = &class.what else { continue };
        for column in table.columns.iter().filter_map(|at| table.remote.columns.get(*at)) {
            let Some((one, false)) = looking.objects.types.of(table, column) else { continue };
            if one.domain().is_none() {
                continue;
            }
            let mut row = Vec::from(named(looking, one));
            row.extend([
                ("table_catalog", looking.viewer.database.as_str().into()),
                ("table_schema", class.schema.as_str().into()),
                ("table_name", class.name.as_str().into()),
                ("column_name", column.name.as_str().into()),
            ]);
            rows.push(&row);
        }
    }
}
