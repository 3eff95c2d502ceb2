//! What one file holds, and what the files of a table hold together. Remembered as long as a file stays the same.
//! Must not know: how rows are read.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use parking_lot::Mutex;

use super::convert;
use super::find::{Candidate, FoundFile};
use super::guess::Guess;
use super::open::Identity;
use super::parquet::Footer;
use super::text::csv::Layout;
use super::text::{BlockReader, Splitter, infer};
use super::{ipc, parquet};
use crate::config::FileFormat;
use crate::error::{Error, Result, SqlState};
use crate::source::RemoteColumn;
use crate::types::PgType;

/// Columns of a table at most, as in PostgreSQL.
pub(super) const MAX_COLUMNS: usize = 1600;

/// What a file holds.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) columns: Vec<ShapeColumn>,
    pub(super) rows: u64,
    /// Of a Parquet file.
    pub(super) footer: Option<Arc<Footer>>,
}

/// A column of a file.
#[derive(Debug, Clone)]
pub(super) struct ShapeColumn {
    pub(super) name: String,
    pub(super) ty: ShapeType,
    pub(super) not_null: bool,
}

/// What is known of a column's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ShapeType {
    /// Text: what all values together say.
    Guess(Guess),
    /// The file says it.
    Known(PgType),
    /// The file says it, and PostgreSQL has no such type.
    Refused,
}

/// How the files of a table are to be read; part of what a remembered shape depends on.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub(super) format: FileFormat,
    pub(super) layout: Layout,
    /// Columns of the config, in order.
    pub(super) declared: Option<Arc<[(String, PgType)]>>,
    /// All of the above as text: the same file read in another way has another shape.
    fingerprint: Arc<str>,
}

impl Reading {
    /// How a candidate's files are read.
    ///
    /// # Errors
    /// `42704` where the config names a type that does not exist.
    pub(super) fn of(candidate: &Candidate) -> Result<Reading> {
        let declared = candidate.declared.as_ref().map(|columns| {
            columns
                .iter()
                .map(|(name, ty)| match PgType::from_name(ty) {
                    Some(ty) => Ok((name.clone(), ty)),
                    None => {
                        Err(Error::source_fault(SqlState::UNDEFINED_OBJECT, format!("type \"{ty}\" does not exist")))
                    }
                })
                .collect::<Result<Arc<[_]>>>()
        });
        let layout = Layout::new(&candidate.csv, candidate.format);
        let declared = declared.transpose()?;
        let fingerprint = format!("{:?} {layout:?} {declared:?}", candidate.format).into();
        Ok(Reading { format: candidate.format, layout, declared, fingerprint })
    }

    /// The splitter of its text.
    pub(super) fn splitter(&self) -> Splitter {
        match self.format {
            FileFormat::Ndjson => Splitter::Lines,
            FileFormat::Json => Splitter::json(),
            _ => Splitter::csv(self.layout.delimiter),
        }
    }

    fn key(&self, file: &FoundFile) -> Key {
        (file.located.path.clone(), Arc::clone(&self.fingerprint))
    }
}

type Key = (PathBuf, Arc<str>);

/// Shapes of files (or why they have none) by version.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    known: Mutex<HashMap<Key, Remembered>>,
}

#[derive(Debug, Clone)]
struct Remembered {
    identity: Identity,
    shape: Result<Arc<Shape>>,
    /// The last introspection that met it.
    round: u64,
}

impl Shapes {
    /// The shape of the version that is there now. Reads the file if it is not known.
    pub(super) fn of(
        &self,
        file: &FoundFile,
        reading: &Reading,
        round: u64,
        stop: &AtomicBool,
    ) -> Result<(Identity, Arc<Shape>)> {
        let identity = file.located.identity()?;
        let key = reading.key(file);
        if let Some(known) = self.known.lock().get_mut(&key)
            && known.identity == identity
        {
            known.round = known.round.max(round);
            return known.shape.clone().map(|shape| (identity, shape));
        }
        let shape = read(file, identity, reading, stop).map(Arc::new);
        // What passes by itself (a file that changes, a stopped introspection, a busy disk) is not worth remembering.
        let lasts = match &shape {
            Ok(_) => true,
            Err(error) => !matches!(
                error.state(),
                SqlState::SERIALIZATION_FAILURE
                    | SqlState::QUERY_CANCELED
                    | SqlState::IO_ERROR
                    | SqlState::UNDEFINED_FILE
            ),
        };
        if lasts {
            let remembered = Remembered { identity, shape: shape.clone(), round };
            self.known.lock().insert(key, remembered);
        }
        shape.map(|shape| (identity, shape))
    }

    /// Forgets files that the introspection of this round did not meet.
    pub(super) fn forget_before(&self, round: u64) {
        self.known.lock().retain(|_, known| known.round >= round);
    }
}

fn read(file: &FoundFile, identity: Identity, reading: &Reading, stop: &AtomicBool) -> Result<Shape> {
    let open = file.located.open(identity)?;
    match reading.format {
        FileFormat::Parquet => parquet::shape(&open),
        FileFormat::Arrow => ipc::shape(&open),
        FileFormat::Csv | FileFormat::Tsv => {
            let names = reading.declared.as_ref().map(|columns| columns.iter().map(|(name, _)| name.clone()).collect());
            let reader = BlockReader::new(open, file.compression, reading.splitter())?;
            infer::infer_csv(reader, &reading.layout, names, stop).map(text_shape)
        }
        FileFormat::Json | FileFormat::Ndjson => {
            let reader = BlockReader::new(open, file.compression, reading.splitter())?;
            infer::infer_json(reader, stop).map(text_shape)
        }
    }
}

fn text_shape(inferred: infer::Inferred) -> Shape {
    let column = |(name, guess)| ShapeColumn { name, ty: ShapeType::Guess(guess), not_null: false };
    Shape { columns: inferred.columns.into_iter().map(column).collect(), rows: inferred.rows, footer: None }
}

/// The columns of a table made of these files. Columns are matched by name; a file that lacks one has NULL in it.
///
/// # Errors
/// `42804` where types do not fit together, `42701` where a partition has a column's name.
pub(super) fn columns_of(candidate: &Candidate, reading: &Reading, shapes: &[Arc<Shape>]) -> Result<Vec<RemoteColumn>> {
    let mut columns = match &reading.declared {
        Some(declared) => declared.iter().map(|(name, ty)| remote(name.clone(), *ty, false)).collect(),
        None => merged(candidate, shapes)?,
    };
    for (at, name) in candidate.partitions.iter().enumerate() {
        if columns.iter().any(|column: &RemoteColumn| column.name == *name) {
            return Err(mismatch(
                candidate,
                SqlState::DUPLICATE_COLUMN,
                format!("column \"{name}\" is both in the files and in the names of their folders"),
            ));
        }
        let values =
            || candidate.files.iter().map(move |file| file.partition_values.get(at).and_then(Option::as_deref));
        let guess = values().flatten().map(Guess::of_field).fold(Guess::Nothing, Guess::merge);
        let ty = match guess.pg_type() {
            ty @ (PgType::INT8 | PgType::DATE) => ty,
            _ => PgType::TEXT,
        };
        columns.push(remote(name.clone(), ty, values().all(|value| value.is_some())));
    }
    check_names(candidate, &columns)?;
    if columns.is_empty() {
        return Err(mismatch(candidate, SqlState::DATA_CORRUPTED, "its files have no columns".to_owned()));
    }
    Ok(columns)
}

/// What PostgreSQL cannot name, a table cannot have.
fn check_names(candidate: &Candidate, columns: &[RemoteColumn]) -> Result<()> {
    if columns.len() > MAX_COLUMNS {
        let what = format!("tables can have at most {MAX_COLUMNS} columns");
        return Err(mismatch(candidate, SqlState::TOO_MANY_COLUMNS, what));
    }
    match columns.iter().find(|column| column.name.is_empty() || column.name.contains('\0')) {
        Some(column) => {
            let what = format!("{:?} is no name of a column", column.name);
            Err(mismatch(candidate, SqlState::INVALID_NAME, what))
        }
        None => Ok(()),
    }
}

fn merged(candidate: &Candidate, shapes: &[Arc<Shape>]) -> Result<Vec<RemoteColumn>> {
    let mut names: Vec<&str> = Vec::new();
    let mut found: HashMap<&str, (ShapeType, bool, usize)> = HashMap::new();
    for shape in shapes {
        let mut own: HashSet<&str> = HashSet::with_capacity(shape.columns.len());
        for column in &shape.columns {
            if !own.insert(&column.name) {
                let what = format!("column \"{}\" is in one file twice", column.name);
                return Err(mismatch(candidate, SqlState::DUPLICATE_COLUMN, what));
            }
            match found.get_mut(column.name.as_str()) {
                None => {
                    names.push(&column.name);
                    found.insert(&column.name, (column.ty, column.not_null, 1));
                }
                Some((ty, not_null, files)) => {
                    *ty = together(*ty, column.ty).ok_or_else(|| {
                        let what =
                            format!("column \"{}\" has types in its files that do not fit together", column.name);
                        mismatch(candidate, SqlState::DATATYPE_MISMATCH, what)
                    })?;
                    *not_null &= column.not_null;
                    *files += 1;
                }
            }
        }
    }
    names
        .into_iter()
        .map(|name| {
            let (ty, not_null, files) = found[name];
            let ty = match ty {
                ShapeType::Guess(guess) => guess.pg_type(),
                ShapeType::Known(ty) => ty,
                ShapeType::Refused => {
                    let what = format!("column \"{name}\" has a type that PostgreSQL does not have");
                    return Err(mismatch(candidate, SqlState::FEATURE_NOT_SUPPORTED, what));
                }
            };
            Ok(remote(name.to_owned(), ty, not_null && files == shapes.len()))
        })
        .collect()
}

fn together(a: ShapeType, b: ShapeType) -> Option<ShapeType> {
    match (a, b) {
        (ShapeType::Guess(a), ShapeType::Guess(b)) => Some(ShapeType::Guess(a.merge(b))),
        (ShapeType::Known(a), ShapeType::Known(b)) => convert::widen(a, b).map(ShapeType::Known),
        _ => None,
    }
}

fn mismatch(candidate: &Candidate, state: SqlState, what: String) -> Error {
    let source = candidate.files.first().map_or("", |file| &*file.located.source);
    Error::source_fault(state, format!("table \"{}\" of source \"{source}\" cannot be mounted: {what}", candidate.name))
}

fn remote(name: String, ty: PgType, not_null: bool) -> RemoteColumn {
    RemoteColumn {
        name,
        ty,
        not_null,
        remote_type: String::new(),
        own: None,
        bytewise: true,
        default: None,
        generated: false,
        identity: None,
        comment: None,
        declared: None,
        plain: false,
        number: 0,
        inherited: 0,
        local: true,
        collation: 0,
    }
}
