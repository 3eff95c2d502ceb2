//! What descends from what in one role's world: tables and partitions, and the indexes and constraints that are parts of others.
//! Must not know: layouts of catalog relations, functions.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::objects::{Objects, number_of, sees_all};
use crate::catalog::{Partitioning, TableKind, TableSchema, World};

/// Partitions of partitions at most.
const DEEPEST: usize = 64;

/// One relation that descends from another.
pub(super) struct Descent {
    pub(super) child: u32,
    pub(super) parent: u32,
    /// Which of the child's parents it is, from 1.
    pub(super) place: i64,
}

/// All of a world's.
#[derive(Default)]
pub(super) struct Inheritance {
    /// The children in the order of the relations.
    pub(super) all: Vec<Descent>,
    parents: HashMap<u32, Vec<u32>>,
    children: HashMap<u32, Vec<u32>>,
    partitions: HashSet<u32>,
    /// The constraint that a constraint is a part of.
    constraints: HashMap<u32, u32>,
}

/// Our number of what has a number at a source.
type Numbers = HashMap<(Arc<str>, u32), u32>;

impl Inheritance {
    /// That of these objects, whose tables, indexes and constraints are there already.
    pub(super) fn of(objects: &Objects, world: &World) -> Inheritance {
        let mut found = Inheritance::default();
        let at = |source: &Arc<str>, oid: u32| (Arc::clone(source), oid);
        let tables: Numbers = world.tables().map(|table| (at(&table.source, table.remote.oid), table.oid)).collect();
        for table in world.tables() {
            for (place, parent) in (1..).zip(&table.remote.lineage.parents) {
                if let Some(parent) = tables.get(&at(&table.source, *parent)) {
                    found.add(Descent { child: table.oid, parent: *parent, place }, table.is_partition());
                }
            }
        }
        let origin = |index: &super::objects::Index| index.remote().map(|remote| remote.origin.clone());
        let indexes: Numbers = objects
            .indexes
            .iter()
            .filter_map(|index| Some((at(&index.table.source, origin(index)?.oid), index.oid)))
            .collect();
        for index in &objects.indexes {
            let parent = origin(index).filter(|origin| origin.parent != 0);
            if let Some(parent) = parent.and_then(|origin| indexes.get(&at(&index.table.source, origin.parent))) {
                found.add(Descent { child: index.oid, parent: *parent, place: 1 }, true);
            }
        }
        let origin =
            |one: &super::objects::Constraint| Some((at(&one.table.source, one.remote()?.origin.oid), one.oid));
        let constraints: Numbers = objects.constraints.iter().filter_map(origin).collect();
        for one in &objects.constraints {
            let parent = one.remote().map_or(0, |remote| remote.origin.parent);
            if parent != 0
                && let Some(parent) = constraints.get(&at(&one.table.source, parent))
            {
                found.constraints.insert(one.oid, *parent);
            }
        }
        found
    }

    fn add(&mut self, descent: Descent, partition: bool) {
        self.parents.entry(descent.child).or_default().push(descent.parent);
        self.children.entry(descent.parent).or_default().push(descent.child);
        if partition {
            self.partitions.insert(descent.child);
        }
        self.all.push(descent);
    }

    /// The relations that one descends from.
    pub(super) fn parents(&self, oid: u32) -> &[u32] {
        self.parents.get(&oid).map_or(&[], Vec::as_slice)
    }

    /// The relations that descend from one.
    pub(super) fn children(&self, oid: u32) -> &[u32] {
        self.children.get(&oid).map_or(&[], Vec::as_slice)
    }

    /// Whether a relation is a part of another.
    pub(super) fn is_partition(&self, oid: u32) -> bool {
        self.partitions.contains(&oid)
    }

    /// The constraint that a constraint is a part of; 0 where it is of none.
    pub(super) fn constraint(&self, oid: u32) -> u32 {
        self.constraints.get(&oid).copied().unwrap_or(0)
    }

    /// A relation and those that it is a part of, from below.
    pub(super) fn ancestors(&self, oid: u32) -> Vec<u32> {
        let mut all = vec![oid];
        let mut at = oid;
        while let Some(above) = self.parents(at).first().filter(|_| self.is_partition(at) && all.len() < DEEPEST) {
            all.push(*above);
            at = *above;
        }
        all
    }

    /// A relation and its partitions, each with how far below it is: those nearer come first, as far as they are of one table.
    pub(super) fn tree(&self, oid: u32) -> Vec<(u32, i64)> {
        let mut all = vec![(oid, 0)];
        let mut at = 0;
        while let Some((above, level)) = all.get(at).copied() {
            let below = self.children(above).iter().filter(|child| self.is_partition(**child));
            if level < DEEPEST as i64 {
                all.extend(below.map(|child| (*child, level + 1)));
            }
            at += 1;
        }
        all
    }
}

/// What a table is divided by, and the key's columns as the role numbers them (0 for an expression); none where the role does not see all of it.
pub(super) fn partitioning(table: &TableSchema) -> Option<(&Partitioning, Vec<i64>)> {
    if table.remote.kind != TableKind::Partitioned {
        return None;
    }
    let by = table.remote.lineage.partitioning.as_ref()?;
    let number = |column: &Option<usize>| match column {
        Some(position) => number_of(table, *position),
        // An expression may read any column.
        None => sees_all(table).then_some(0),
    };
    Some((by, by.columns.iter().map(number).collect::<Option<Vec<_>>>()?))
}
