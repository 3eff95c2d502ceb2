//! A table of files as the connector remembers it between introspection and scans, and its files as they are now.
//! Must not know: plans.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arrow::datatypes::SchemaRef;

use super::find::{Candidate, FoundFile};
use super::open::Identity;
use super::shape::{self, Reading, Shape, Shapes};
use crate::error::{Error, Result, SqlState};
use crate::source::{RemoteColumn, RemoteTable};

/// What [`RemoteTable::handle`] holds for a source of files.
#[derive(Debug)]
pub(super) struct FileTable {
    pub(super) candidate: Candidate,
    pub(super) reading: Reading,
    /// Columns of the files, then partition columns.
    pub(super) columns: Vec<RemoteColumn>,
    pub(super) schema: SchemaRef,
    /// Bytes of its files when the columns were found out.
    pub(super) bytes: u64,
    /// The files' shapes when the columns were found out.
    found: Vec<Arc<Shape>>,
    shapes: Arc<Shapes>,
    round: u64,
}

/// A file in the version that a scan will read.
#[derive(Debug, Clone)]
pub(super) struct LiveFile {
    pub(super) found: FoundFile,
    pub(super) identity: Identity,
    pub(super) shape: Arc<Shape>,
}

impl FileTable {
    /// Reads what must be read to know the columns.
    ///
    /// # Errors
    /// Whatever is wrong with one of the files, or with all of them together.
    pub(super) fn open(
        candidate: Candidate,
        shapes: Arc<Shapes>,
        round: u64,
        stop: &AtomicBool,
    ) -> Result<(Self, u64)> {
        let reading = Reading::of(&candidate)?;
        let mut found = Vec::with_capacity(candidate.files.len());
        let mut bytes: u64 = 0;
        for file in &candidate.files {
            let (identity, shape) = shapes.of(file, &reading, round, stop)?;
            bytes = bytes.saturating_add(identity.size);
            found.push(shape);
        }
        let columns = shape::columns_of(&candidate, &reading, &found)?;
        let rows = found.iter().map(|shape| shape.rows).sum();
        let remote = RemoteTable {
            schema: String::new(),
            name: candidate.name.clone(),
            kind: crate::source::TableKind::Table,
            columns: columns.clone(),
            primary_key: Vec::new(),
            constraints: Vec::new(),
            indexes: Vec::new(),
            comment: None,
            estimated_rows: Some(rows),
            sizes: Arc::default(),
            definition: None,
            reads: Vec::new(),
            lineage: crate::source::Lineage::default(),
            whole: false,
            oid: 0,
            row_types: (0, 0),
            handle: None,
        };
        let schema = remote.arrow_schema();
        Ok((FileTable { candidate, reading, columns, schema, bytes, found, shapes, round }, rows))
    }

    /// Partition columns stand at the end; the columns before them come out of the files.
    pub(super) fn file_columns(&self) -> usize {
        self.columns.len() - self.candidate.partitions.len()
    }

    /// Its files in the versions that are there now. A version that is newer than the columns must have the same columns.
    ///
    /// # Errors
    /// `58P01` a file is gone; `40001` its columns are not what they were.
    pub(super) fn live_files(&self) -> Result<Vec<LiveFile>> {
        let never = AtomicBool::new(false);
        let mut live = Vec::with_capacity(self.candidate.files.len());
        for found in &self.candidate.files {
            let (identity, shape) = self.shapes.of(found, &self.reading, self.round, &never)?;
            live.push(LiveFile { found: found.clone(), identity, shape });
        }
        // Files that are the same have the same shape, the very one.
        if live.iter().zip(&self.found).all(|(file, found)| Arc::ptr_eq(&file.shape, found)) {
            return Ok(live);
        }
        let shapes: Vec<Arc<Shape>> = live.iter().map(|file| Arc::clone(&file.shape)).collect();
        let now = shape::columns_of(&self.candidate, &self.reading, &shapes)?;
        let same = now.len() == self.columns.len()
            && now.iter().zip(&self.columns).all(|(a, b)| a.name == b.name && a.ty == b.ty && a.not_null == b.not_null);
        if same {
            return Ok(live);
        }
        let source = live.first().map_or("", |file| &*file.found.located.source);
        Err(Error::source_fault(
            SqlState::SERIALIZATION_FAILURE,
            format!("the columns of table \"{}\" of source \"{source}\" have changed", self.candidate.name),
        )
        .with_hint("They are read again within schema_ttl; tusk.refresh does it at once."))
    }
}
