//! The world of a user at this moment: one snapshot of the catalog, narrowed by what the user's roles grant.
//! Must not know: statements.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::catalog::{Needed, SchemaCache, TableKind, TableSchema, Unavailable, Virtuals, Visible, World, Writes};
use crate::policy::{Columns, Identity, Privilege};

/// Worlds, kept per user until the catalog or the user's grants change.
pub(super) struct Worlds {
    catalog: Arc<SchemaCache>,
    virtuals: Arc<Virtuals>,
    kept: Mutex<HashMap<String, Kept>>,
}

struct Kept {
    identity: Arc<Identity>,
    world: Arc<World>,
}

/// Worlds kept at most; a user beyond that finds an empty cache.
const KEPT: usize = 1024;

impl Worlds {
    pub(super) fn new(catalog: Arc<SchemaCache>, virtuals: Arc<Virtuals>) -> Self {
        Worlds { catalog, virtuals, kept: Mutex::default() }
    }

    /// What this identity may name now. Waits for the needed sources whose schema is not fresh.
    pub(super) async fn of(&self, identity: &Arc<Identity>, needed: &Needed) -> Arc<World> {
        let snapshot = self.catalog.snapshot(needed).await;
        if let Some(kept) = self.kept.lock().get(identity.user())
            && kept.world.generation == snapshot.generation
            && Arc::ptr_eq(&kept.identity, identity)
        {
            return Arc::clone(&kept.world);
        }
        let world = Arc::new(snapshot.narrowed(
            &self.virtuals,
            |table| visible(identity, table, self.is_writable(table)),
            |name| identity.access(name).is_some(),
            |source| knows(identity, source),
        ));
        let mut kept = self.kept.lock();
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(identity.user().to_owned(), Kept { identity: Arc::clone(identity), world: Arc::clone(&world) });
        world
    }

    /// Whether statements may change a table at all, whoever asks.
    fn is_writable(&self, table: &TableSchema) -> bool {
        let view = matches!(table.remote.kind, TableKind::View | TableKind::MaterializedView);
        !view && self.catalog.source(&table.source).is_some_and(|source| source.connector.writable())
    }
}

fn visible(identity: &Identity, table: &TableSchema, writable: bool) -> Option<Visible> {
    let access = identity.access(&table.name)?;
    let untouched = !access.needs_enforcement();
    match &access.columns {
        Columns::All => {
            let all = 0..table.remote.columns.len();
            let writes = if writable { writes(identity, table, all) } else { Writes::default() };
            Some(Visible { columns: None, untouched, writes })
        }
        Columns::Only(names) => {
            let columns: Vec<usize> = table
                .remote
                .columns
                .iter()
                .enumerate()
                .filter(|(_, column)| names.contains(&column.name))
                .map(|(i, _)| i)
                .collect();
            let named = columns.iter().copied();
            let writes = if writable { writes(identity, table, named) } else { Writes::default() };
            (!columns.is_empty()).then_some(Visible { columns: Some(columns), untouched, writes })
        }
    }
}

/// What an identity may change of a table, of these columns: what [`crate::policy::authorize_writes`] lets through.
fn writes(identity: &Identity, table: &TableSchema, columns: impl Iterator<Item = usize> + Clone) -> Writes {
    let access = |privilege| identity.access_for(&table.name, privilege);
    let set = |privilege| {
        let Some(access) = access(privilege) else { return Vec::new() };
        let allowed = |at: &usize| table.remote.columns.get(*at).is_some_and(|column| access.allows(&column.name));
        columns.clone().filter(allowed).collect()
    };
    Writes {
        insert: set(Privilege::Insert),
        update: set(Privilege::Update),
        delete: access(Privilege::Delete).is_some(),
    }
}

/// Whether an identity may know that a source exists: it may name something of it.
fn knows(identity: &Identity, source: &Unavailable) -> bool {
    identity.may_name_source(&source.source, |schema| source.mounts.may_mount(schema))
}
