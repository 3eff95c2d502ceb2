//! What descends from what, and what tables are divided by: `pg_inherits`, `pg_partitioned_table`.
//! Must not know: which partitions a role may see (`objects` holds only those).

use crate::pg_catalog::facts;
use crate::pg_catalog::inheritance::partitioning;
use crate::pg_catalog::objects::What;
use crate::pg_catalog::relation::{Looking, Rows};
use crate::types::PgType;

pub(super) fn pg_inherits(looking: &Looking<'_>, rows: &mut Rows) {
    for descent in &looking.objects.inheritance.all {
        rows.push(&[
            ("inhrelid", descent.child.into()),
            ("inhparent", descent.parent.into()),
            ("inhseqno", descent.place.into()),
        ]);
    }
}

fn vector(numbers: impl Iterator<Item = i64>) -> String {
    numbers.map(|number| number.to_string()).collect::<Vec<_>>().join(" ")
}

pub(super) fn pg_partitioned_table(looking: &Looking<'_>, rows: &mut Rows) {
    // Keys are held by the classes of a tree, or by those of a hash.
    let method = |strategy: char| facts::access_method(if strategy == 'h' { "hash" } else { "btree" });
    let named: std::collections::HashMap<(&str, u32), u32> = looking
        .viewer
        .world
        .tables()
        .filter(|table| table.is_partition())
        .map(|table| ((&*table.source, table.remote.oid), table.oid))
        .collect();
    for class in &looking.objects.classes {
        let What::Table(table) = &class.what else { continue };
        let Some((by, numbers)) = partitioning(table) else { continue };
        let class_of = |name: &String| i64::from(facts::operator_class(method(by.strategy), name, PgType::TEXT));
        let classes = by.classes.iter().map(class_of);
        let collations = by.collations.iter().map(|oid| i64::from(facts::known_collation(*oid)));
        rows.push(&[
            ("partrelid", class.oid.into()),
            ("partstrat", by.strategy.to_string().into()),
            ("partnatts", (numbers.len() as i64).into()),
            ("partdefid", named.get(&(&*table.source, by.default)).copied().unwrap_or(0).into()),
            ("partattrs", vector(numbers.iter().copied()).into()),
            ("partclass", vector(classes).into()),
            ("partcollation", vector(collations).into()),
            ("partexprs", by.expressions.as_deref().into()),
        ]);
    }
}
