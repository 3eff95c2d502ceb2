//! WHERE CURRENT OF: the row that a cursor stands on, where that is a cursor of the same transaction at the same source.
//! Must not know: how statements are printed, how a source runs them.

use super::cursors::stand_of;
use crate::engine::passthrough::PassPlan;
use crate::error::{Error, Result, SqlState};
use crate::session::{PortalState, Session};

/// What the source calls the cursors whose rows a statement means, in its order.
///
/// # Errors
/// `34000` where there is no such cursor, `24000` where it stands on no row, `0A000` where the source does not know it.
pub(super) fn cursors(session: &Session, plan: &PassPlan) -> Result<Vec<String>> {
    plan.cursors().map(|name| cursor(session, name)).collect()
}

fn cursor(session: &Session, name: &str) -> Result<String> {
    let portal = session.portals.cursor(name)?;
    let state = |why: &str| Error::client(SqlState::INVALID_CURSOR_STATE, format!("cursor \"{name}\" {why}"));
    let unknown = |why: &str| {
        let message = format!("cursor \"{name}\" cannot be used in WHERE CURRENT OF");
        Error::unsupported(message).with_detail(why)
    };
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
    let stand = stand_of(open);
    let Some((stand, there)) = stand.and_then(|stand| Some((stand, stand.name()?))) else {
        return Err(unknown("Its rows are not read by a cursor of this transaction at the source of the table."));
    };
    match open.cursor.stands_on() {
        None => Err(state("is not positioned on a row")),
        Some(row) if row == stand.came() => Ok(there.to_owned()),
        Some(_) => Err(unknown(
            "It has been moved otherwise than forward by a number of rows, and stands on another row at the source.",
        )),
    }
}
