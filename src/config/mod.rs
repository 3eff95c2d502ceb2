//! The configuration: a file (`file`), then settings that every part can trust (`settings`).
//! Must not know: what the settings are used for. The one place beside `cli` that reads the environment.

mod secret;
mod settings;

pub use secret::Secret;
pub use settings::*;
