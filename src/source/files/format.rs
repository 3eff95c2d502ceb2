//! What a file's name says of its format and compression.
//! Must not know: contents.

use std::path::Path;

use datafusion::datasource::file_format::file_compression_type::FileCompressionType;

use crate::config::FileFormat;

/// Format and compression of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) format: FileFormat,
    pub(super) compression: Compression,
}

/// Compression of a text file. Parquet and Arrow compress inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    /// DataFusion's name of it.
    pub(super) fn codec(self) -> FileCompressionType {
        match self {
            Compression::None => FileCompressionType::UNCOMPRESSED,
            Compression::Gzip => FileCompressionType::GZIP,
            Compression::Zstd => FileCompressionType::ZSTD,
        }
    }
}

/// A file's table name (its stem in its exact case) and kind; `None` for endings that are no table's.
pub(super) fn by_name(path: &Path) -> Option<(String, Kind)> {
    let name = path.file_name()?.to_str()?;
    let (inner, compression) = uncompressed(name);
    let (stem, ending) = inner.rsplit_once('.')?;
    let format = match ending.to_ascii_lowercase().as_str() {
        "parquet" | "pq" => FileFormat::Parquet,
        "csv" => FileFormat::Csv,
        "tsv" => FileFormat::Tsv,
        "json" => FileFormat::Json,
        "ndjson" | "jsonl" => FileFormat::Ndjson,
        "arrow" | "feather" | "ipc" => FileFormat::Arrow,
        _ => return None,
    };
    let text = !matches!(format, FileFormat::Parquet | FileFormat::Arrow);
    (!stem.is_empty() && (text || compression == Compression::None))
        .then(|| (stem.to_owned(), Kind { format, compression }))
}

/// The compression that a name says, whatever stands before it.
pub(super) fn compression(path: &Path) -> Compression {
    path.file_name().and_then(|name| name.to_str()).map_or(Compression::None, |name| uncompressed(name).1)
}

fn uncompressed(name: &str) -> (&str, Compression) {
    match name.rsplit_once('.') {
        Some((inner, ending)) if ending.eq_ignore_ascii_case("gz") => (inner, Compression::Gzip),
        Some((inner, ending)) if ending.eq_ignore_ascii_case("zst") => (inner, Compression::Zstd),
        _ => (name, Compression::None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings() {
        let kind = |name: &str| by_name(Path::new(name));
        assert_eq!(
            kind("/a/Orders.csv.GZ"),
            Some(("Orders".into(), Kind { format: FileFormat::Csv, compression: Compression::Gzip }))
        );
        assert_eq!(kind("a.b.parquet").map(|(name, _)| name), Some("a.b".into()));
        assert_eq!(kind("a.parquet.gz"), None);
        assert_eq!(kind(".csv"), None);
        assert_eq!(kind("README.md"), None);
        assert_eq!(kind("x.JSONL").map(|(_, kind)| kind.format), Some(FileFormat::Ndjson));
    }
}
