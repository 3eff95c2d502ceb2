//! Under which schema the tables of a source are seen (design, section 2).
//! Must not know: how sources are asked.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::{CatalogSnapshot, SequenceSchema, TableSchema, stable_oid};
use crate::config::{SourceKind, SourceSettings, SourceSpec};
use crate::names::TableName;
use crate::source::RemoteSchema;

/// The rule by which one source mounts its schemas.
#[derive(Debug, Clone)]
pub enum Mounts {
    /// One schema, the source's name.
    One(String),
    /// `public` as the source's name, any other as `<source>_<schema>`.
    All(String),
    /// Remote schema to schema seen.
    Named(BTreeMap<String, String>),
}

impl Mounts {
    /// The rule of this source.
    #[must_use]
    pub fn new(settings: &SourceSettings) -> Self {
        match &settings.spec {
            SourceSpec::Files(_) | SourceSpec::Sqlite(_) => Mounts::One(settings.name.clone()),
            SourceSpec::Postgres(postgres) => match &postgres.schemas {
                Some(named) => Mounts::Named(named.clone()),
                None => Mounts::All(settings.name.clone()),
            },
        }
    }

    /// The schema that a remote schema is seen as; `None`: it is not mounted.
    #[must_use]
    pub fn seen_as(&self, remote: &str) -> Option<String> {
        match self {
            Mounts::One(name) => Some(name.clone()),
            Mounts::All(name) if remote == "public" => Some(name.clone()),
            Mounts::All(name) => Some(format!("{name}_{remote}")),
            Mounts::Named(named) => named.get(remote).cloned(),
        }
    }

    /// Whether a schema that clients name may come from this source.
    #[must_use]
    pub fn may_mount(&self, schema: &str) -> bool {
        match self {
            Mounts::One(name) => name == schema,
            Mounts::All(name) => {
                schema.strip_prefix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
            }
            Mounts::Named(named) => named.values().any(|seen| seen == schema),
        }
    }

    /// Adds the tables of a source to a snapshot. A table whose schema another source mounts already is left out: the config
    /// refuses what it can know, this holds for the rest.
    pub(super) fn mount(
        &self,
        source: &Arc<str>,
        kind: SourceKind,
        schema: &RemoteSchema,
        snapshot: &mut CatalogSnapshot,
        oids: &mut HashMap<u32, TableName>,
    ) {
        for remote in &schema.tables {
            let Some(seen) = self.seen_as(&remote.schema) else { continue };
            if is_taken(snapshot, &seen, source) {
                tracing::warn!(source = &**source, schema = seen, "not mounted: another source mounts this schema");
                continue;
            }
            let name = TableName::new(&seen, &remote.name);
            let oid = stable_oid("class", &format!("{seen}.{}", remote.name), |oid| oids.contains_key(&oid));
            oids.insert(oid, name.clone());
            let mut made = |kind: &str, part: &str| {
                let oid = stable_oid(kind, part, |oid| oids.contains_key(&oid));
                oids.insert(oid, name.clone());
                oid
            };
            let index_oids =
                remote.indexes.iter().map(|index| made("class", &format!("{seen}.{}", index.name))).collect();
            let of_table = |part: &str| format!("{seen}.{}.{part}", remote.name);
            let constraint_oids =
                remote.constraints.iter().map(|constraint| made("constraint", &of_table(&constraint.name))).collect();
            if !snapshot.schemas.contains_key(&seen) {
                snapshot.order.push(seen.clone());
            }
            let table = TableSchema {
                name,
                oid,
                index_oids,
                constraint_oids,
                source: Arc::clone(source),
                kind,
                remote: Arc::clone(remote),
                columns: Vec::new(),
                untouched: true,
                all_columns: true,
                arrow: remote.arrow_schema(),
                shape: 0,
            };
            let table = Arc::new(table.narrowed((0..remote.columns.len()).collect()));
            snapshot.schemas.entry(seen).or_default().entry(remote.name.clone()).or_insert(table);
        }
        for remote in &schema.sequences {
            let Some(seen) = self.seen_as(&remote.schema).filter(|seen| !is_taken(snapshot, seen, source)) else {
                continue;
            };
            let owner = match &remote.owner {
                Some(owner) => match self.seen_as(&owner.schema) {
                    Some(schema) => Some(TableName::new(schema, &owner.table)),
                    None => continue,
                },
                None => None,
            };
            let name = TableName::new(&seen, &remote.name);
            let oid = stable_oid("class", &format!("{seen}.{}", remote.name), |oid| oids.contains_key(&oid));
            oids.insert(oid, name.clone());
            let (source, remote) = (Arc::clone(source), Arc::clone(remote));
            snapshot.sequences.push(Arc::new(SequenceSchema { name, oid, source, remote, owner }));
        }
        for (remote, name, error) in &schema.broken {
            if let Some(seen) = self.seen_as(remote) {
                snapshot.broken.insert(TableName::new(seen, name), error.clone());
            }
        }
    }
}

/// Whether another source mounts a schema already.
fn is_taken(snapshot: &CatalogSnapshot, schema: &str, source: &Arc<str>) -> bool {
    let first = snapshot.schemas.get(schema).and_then(|tables| tables.values().next());
    first.is_some_and(|table| table.source != *source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_is_the_source_itself() {
        let all = Mounts::All("shop".into());
        assert_eq!(all.seen_as("public").as_deref(), Some("shop"));
        assert_eq!(all.seen_as("sales").as_deref(), Some("shop_sales"));
        assert!(all.may_mount("shop_sales") && all.may_mount("shop") && !all.may_mount("shopping"));
        let named = Mounts::Named(BTreeMap::from([("public".into(), "public".into())]));
        assert_eq!(named.seen_as("other"), None);
        assert!(named.may_mount("public"));
    }
}
