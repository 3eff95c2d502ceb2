//! The world of a user at this moment: one snapshot of the catalog, narrowed by what the user's roles grant.
//! Must not know: statements.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::catalog::{Needed, SchemaCache, TableSchema, Unavailable, Virtuals, Visible, World};
use crate::policy::{Columns, Identity};

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
            |table| visible(identity, table),
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
}

fn visible(identity: &Identity, table: &TableSchema) -> Option<Visible> {
    let access = identity.access(&table.name)?;
    let untouched = !access.needs_enforcement();
    match &access.columns {
        Columns::All => Some(Visible { columns: None, untouched }),
        Columns::Only(names) => {
            let columns: Vec<usize> = table
                .remote
                .columns
                .iter()
                .enumerate()
                .filter(|(_, column)| names.contains(&column.name))
                .map(|(i, _)| i)
                .collect();
            (!columns.is_empty()).then_some(Visible { columns: Some(columns), untouched })
        }
    }
}

/// Whether an identity may know that a source exists: it may name something of it.
fn knows(identity: &Identity, source: &Unavailable) -> bool {
    identity.may_name_source(&source.source, |schema| source.mounts.may_mount(schema))
}
