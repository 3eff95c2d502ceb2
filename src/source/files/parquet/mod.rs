//! Parquet files: their footers, their bytes, and DataFusion's scan over them.
//! Must not know: other formats.

mod footer;
mod reader;
mod source;

pub(super) use footer::{Footer, shape};
pub(super) use reader::{ParquetHandle, ReaderFactory};
pub(super) use source::Guarded;
