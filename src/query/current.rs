//! WHERE CURRENT OF: the row that a cursor stands on, where that is a cursor of the same transaction at the same source.
//! Must not know: how statements are printed, how a source runs them.

use std::sync::Arc;

use super::cursors::stand_of;
use crate::engine::passthrough::{PassPlan, Spot, Stand, Upstream};
use crate::error::{Error, Result, SqlState};
use crate::session::{PortalState, Session};

/// What the source calls the cursors whose rows a statement means, in its order. They stand there where the client has them stand.
///
/// # Errors
/// `34000` where there is no such cursor, `24000` where it has no row to stand on, `0A000` where the source does not know it, `55000` where it
/// cannot go back there.
pub(super) async fn cursors(session: &Session, plan: &PassPlan, upstream: Option<&Upstream>) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for name in plan.cursors() {
        let (stand, spot) = cursor(session, name)?;
        let (Some(there), Some(upstream)) = (stand.name(), upstream) else { return Err(unknown(name)) };
        upstream.place(&stand, spot).await?;
        names.push(there.to_owned());
    }
    Ok(names)
}

fn cursor(session: &Session, name: &str) -> Result<(Arc<Stand>, Spot)> {
    let portal = session.portals.cursor(name)?;
    let state = |why: &str| Error::client(SqlState::INVALID_CURSOR_STATE, format!("cursor \"{name}\" {why}"));
    if portal.held {
        return Err(state("is held from a previous transaction"));
    }
    let open = match &portal.state {
        PortalState::Open(open) => open,
        PortalState::Done(..) => return Err(state("is not positioned on a row")),
        PortalState::Bound | PortalState::Active | PortalState::Failed => {
            return Err(state("is held from a previous transaction"));
        }
    };
    if open.cursor.is_away() {
        return Err(state("is held from a previous transaction"));
    }
    let stand = stand_of(open).ok_or_else(|| unknown(name))?;
    let spot = match open.cursor.stands_on() {
        Some(row) => Spot::Row(row),
        None if open.cursor.is_at_start() => Spot::Start,
        None => Spot::End,
    };
    Ok((Arc::clone(stand), spot))
}

fn unknown(name: &str) -> Error {
    Error::unsupported(format!("cursor \"{name}\" cannot be used in WHERE CURRENT OF"))
        .with_detail("Its rows are not read by a cursor of this transaction at the source of the table.")
}
