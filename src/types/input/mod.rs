//! The input functions: values from the text that PostgreSQL's would take, with its errors.
//! Must not know: Arrow arrays, the wire.

pub(crate) mod array;
pub(crate) mod bits;
mod clock;
pub(crate) mod datetime;
pub(crate) mod decode;
pub(crate) mod fields;
pub(crate) mod geometry;
pub(crate) mod interval;
mod iso_interval;
pub(crate) mod json;
pub(crate) mod multirange;
pub(crate) mod network;
pub(crate) mod number;
pub(crate) mod range;
pub(crate) mod search;
pub(crate) mod search_query;
pub(crate) mod xml;
