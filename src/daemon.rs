//! The one place where the app is put together.
//! Must not know: rooms on higher floors.

use std::path::PathBuf;

use crate::config::Settings;
use crate::error::Error;

/// x
///
/// # Errors
/// x
pub fn serve(_settings: Settings, _config_path: PathBuf) -> Result<(), Error> {
    Ok(())
}

/// x
///
/// # Errors
/// x
pub fn demo(_once: bool) -> Result<(), Error> {
    Ok(())
}

/// The effective permissions as text, for `tusk check`.
#[must_use]
pub fn permissions(settings: &Settings) -> String {
    crate::policy::report(settings)
}
