//! Sequences of sources: `pg_sequence`, `pg_sequences` and the standard's view. Where one stands nobody is told, who may not read it.
//! Must not know: which of them a role may see (`objects` holds only those).

use super::information_schema::data_type;
use crate::catalog::{RemoteSequence, SequenceSchema};
use crate::pg_catalog::OWNER_NAME;
use crate::pg_catalog::objects::What;
use crate::pg_catalog::relation::{Looking, Rows};

fn all<'a>(looking: &'a Looking<'_>) -> impl Iterator<Item = (&'a SequenceSchema, &'a RemoteSequence)> {
    looking.objects.classes.iter().filter_map(|class| match &class.what {
        What::Sequence(sequence) => Some((&**sequence, &*sequence.remote)),
        _ => None,
    })
}

pub(super) fn pg_sequence(looking: &Looking<'_>, rows: &mut Rows) {
    for (sequence, remote) in all(looking) {
        rows.push(&[
            ("seqrelid", sequence.oid.into()),
            ("seqtypid", remote.ty.oid.into()),
            ("seqstart", remote.start.into()),
            ("seqincrement", remote.increment.into()),
            ("seqmax", remote.greatest.into()),
            ("seqmin", remote.least.into()),
            ("seqcache", remote.cache.into()),
            ("seqcycle", remote.cycle.into()),
        ]);
    }
}

pub(super) fn pg_sequences(looking: &Looking<'_>, rows: &mut Rows) {
    for (sequence, remote) in all(looking) {
        rows.push(&[
            ("schemaname", sequence.name.schema.as_str().into()),
            ("sequencename", sequence.name.table.as_str().into()),
            ("sequenceowner", OWNER_NAME.into()),
            ("data_type", remote.ty.oid.into()),
            ("start_value", remote.start.into()),
            ("min_value", remote.least.into()),
            ("max_value", remote.greatest.into()),
            ("increment_by", remote.increment.into()),
            ("cycle", remote.cycle.into()),
            ("cache_size", remote.cache.into()),
            ("last_value", None::<i64>.into()),
        ]);
    }
}

/// Those of identities are not in the standard's view.
pub(super) fn sequences(looking: &Looking<'_>, rows: &mut Rows) {
    let identity = |remote: &RemoteSequence| remote.owner.as_ref().is_some_and(|owner| owner.identity);
    for (sequence, remote) in all(looking).filter(|(_, remote)| !identity(remote)) {
        let bits = i64::from(remote.ty.typlen()) * 8;
        rows.push(&[
            ("sequence_catalog", looking.viewer.database.as_str().into()),
            ("sequence_schema", sequence.name.schema.as_str().into()),
            ("sequence_name", sequence.name.table.as_str().into()),
            ("data_type", data_type(remote.ty).into()),
            ("numeric_precision", bits.into()),
            ("numeric_precision_radix", 2i64.into()),
            ("numeric_scale", 0i64.into()),
            ("start_value", remote.start.to_string().into()),
            ("minimum_value", remote.least.to_string().into()),
            ("maximum_value", remote.greatest.to_string().into()),
            ("increment", remote.increment.to_string().into()),
            ("cycle_option", if remote.cycle { "YES" } else { "NO" }.into()),
        ]);
    }
}
