//! Sources as foreign servers: `pg_foreign_server` and what stands on it. Of their settings nothing is shown.
//! Must not know: how a source is reached.

use crate::catalog::SourceKind;
use crate::catalog::stable_oid;
use crate::pg_catalog::objects::{What, source_oid};
use crate::pg_catalog::relation::{Looking, Rows};
use crate::pg_catalog::{OWNER, OWNER_NAME};

/// The sources that the viewer sees something of: name and kind.
fn sources(looking: &Looking<'_>) -> Vec<(String, &'static str)> {
    let kind = |source: &str| {
        let of_source = looking.objects.classes.iter().find_map(|class| match &class.what {
            What::Table(table) if *table.source == *source => Some(table.kind),
            _ => None,
        });
        match of_source {
            Some(SourceKind::Sqlite) => "sqlite",
            Some(SourceKind::Files) => "files",
            _ => "postgres",
        }
    };
    looking.objects.sources.iter().map(|source| (source.to_string(), kind(source))).collect()
}

fn wrappers(looking: &Looking<'_>) -> Vec<&'static str> {
    let mut kinds: Vec<&str> = sources(looking).into_iter().map(|(_, kind)| kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

fn wrapper_oid(kind: &str) -> u32 {
    stable_oid("wrapper", kind, |_| false)
}

pub(super) fn pg_foreign_data_wrapper(looking: &Looking<'_>, rows: &mut Rows) {
    for kind in wrappers(looking) {
        rows.push(&[("oid", wrapper_oid(kind).into()), ("fdwname", kind.into()), ("fdwowner", OWNER.into())]);
    }
}

pub(super) fn pg_foreign_server(looking: &Looking<'_>, rows: &mut Rows) {
    for (name, kind) in sources(looking) {
        rows.push(&[
            ("oid", source_oid(&name).into()),
            ("srvname", name.as_str().into()),
            ("srvowner", OWNER.into()),
            ("srvfdw", wrapper_oid(kind).into()),
            ("srvtype", kind.into()),
        ]);
    }
}

pub(super) fn foreign_data_wrappers(looking: &Looking<'_>, rows: &mut Rows) {
    for kind in wrappers(looking) {
        rows.push(&[
            ("foreign_data_wrapper_catalog", looking.viewer.database.as_str().into()),
            ("foreign_data_wrapper_name", kind.into()),
            ("authorization_identifier", OWNER_NAME.into()),
            ("foreign_data_wrapper_language", "c".into()),
        ]);
    }
}

pub(super) fn foreign_servers(looking: &Looking<'_>, rows: &mut Rows) {
    for (name, kind) in sources(looking) {
        rows.push(&[
            ("foreign_server_catalog", looking.viewer.database.as_str().into()),
            ("foreign_server_name", name.into()),
            ("foreign_data_wrapper_catalog", looking.viewer.database.as_str().into()),
            ("foreign_data_wrapper_name", kind.into()),
            ("foreign_server_type", kind.into()),
            ("authorization_identifier", OWNER_NAME.into()),
        ]);
    }
}
