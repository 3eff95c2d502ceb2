//! Messages: what a client says ([`FrontendMessage`]) and the buffer of what it is told ([`BackendWriter`]).
//! Must not know: what a message leads to.

mod backend;
mod fields;
mod frontend;

pub use backend::{BackendWriter, ColumnDescription, CopyFormat, RowMark};
pub use fields::Severity;
pub(crate) use frontend::utf8;
pub use frontend::{BindBody, FrontendMessage, Target, decode};
