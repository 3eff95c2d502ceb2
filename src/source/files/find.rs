//! Which files there are and which tables they make: folders, globs, hive partitions.
//! Must not know: contents of files.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use globset::{GlobBuilder, GlobMatcher};

use super::format::{self, Compression};
use super::open::{self, Located};
use crate::config::{CsvSettings, FileFormat, FileTableSettings, Patterns};
use crate::error::{Error, Result, SqlState};

/// Folders deeper than this below a root are not looked into.
const MAX_DEPTH: usize = 32;
/// Files of one source at most.
const MAX_FILES: usize = 200_000;
/// Hive's name for NULL.
const HIVE_NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// A table before its files are read.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) name: String,
    pub(super) format: FileFormat,
    pub(super) csv: CsvSettings,
    pub(super) declared: Option<Vec<(String, String)>>,
    pub(super) files: Vec<FoundFile>,
    /// Names of the hive partition columns, outermost first.
    pub(super) partitions: Vec<String>,
}

/// A file of a table.
#[derive(Debug, Clone)]
pub(super) struct FoundFile {
    pub(super) located: Located,
    pub(super) compression: Compression,
    /// Values of the table's partition columns; `None`: NULL.
    pub(super) partition_values: Vec<Option<String>>,
}

/// What was found, and what could not be a table and why.
#[derive(Debug, Default)]
pub(super) struct Finds {
    pub(super) candidates: Vec<Candidate>,
    /// Tables that cannot be read, by name.
    pub(super) broken: Vec<(String, Error)>,
    pub(super) problems: Vec<String>,
}

/// Looks through a folder or a glob: each file, or folder of files of one format, is a table.
///
/// # Errors
/// `58P01` where the root does not exist, `58030` where it cannot be listed.
pub(super) fn find_root(source: &Arc<str>, path: &str, tables: &Patterns, finds: &mut Finds) -> Result<()> {
    let root = Root::new(source, path)?;
    let mut named: BTreeMap<String, Vec<Candidate>> = BTreeMap::new();
    for entry in root.matching(finds)? {
        if let Some(candidate) = root.candidate(&entry, tables, finds) {
            named.entry(candidate.name.clone()).or_default().push(candidate);
        }
    }
    for (name, mut candidates) in named {
        if candidates.len() == 1 {
            finds.candidates.append(&mut candidates);
            continue;
        }
        let paths: Vec<String> =
            candidates.iter().filter_map(|c| c.files.first()).map(|f| f.located.shown.clone()).collect();
        let error = Error::source_fault(
            SqlState::CONFIG_FILE_ERROR,
            format!("table name \"{name}\" of source \"{source}\" is used by several files: {}", paths.join(", ")),
        )
        .with_hint("Give them names of their own with [[source.table]].");
        finds.broken.push((name, error));
    }
    Ok(())
}

/// The files of one `[[source.table]]`.
///
/// # Errors
/// As [`find_root`]; `58P01` where no file matches, `42804` where files or partitions do not fit together.
pub(super) fn find_table(source: &Arc<str>, settings: &FileTableSettings) -> Result<Candidate> {
    let root = Root::new(source, &settings.path)?;
    let mut finds = Finds::default();
    let mut files = Vec::new();
    for entry in root.matching(&mut finds)? {
        match entry.is_dir {
            true => root.collect(&entry.path, 0, settings.format.is_some(), &mut files, &mut finds)?,
            false => files.push(entry.path),
        }
    }
    let format = match settings.format {
        Some(format) => format,
        None => one_format(&files).map_err(|why| root.error(&settings.name, why))?,
    };
    let mut candidate = root.table(settings.name.clone(), format, files)?;
    candidate.csv = settings.csv.clone();
    candidate.declared = settings.schema.clone();
    Ok(candidate)
}

/// An entry that the root's pattern matches.
struct Entry {
    path: PathBuf,
    /// What it is called there; for a link, the link.
    named: PathBuf,
    is_dir: bool,
}

/// The folder that everything must lie in, and the pattern below it.
struct Root {
    source: Arc<str>,
    folder: PathBuf,
    shape: Shape,
}

enum Shape {
    Folder,
    File(PathBuf),
    Glob(GlobMatcher, usize),
}

impl Root {
    fn new(source: &Arc<str>, path: &str) -> Result<Root> {
        let whole = Path::new(path);
        let (base, pattern) = split_glob(whole);
        let located = Located { source: Arc::clone(source), path: base.clone(), shown: shown_root(whole) };
        let folder = std::fs::canonicalize(&base).map_err(|e| located.io_error(e))?;
        let metadata = std::fs::symlink_metadata(&folder).map_err(|e| located.io_error(e))?;
        if let Some(pattern) = pattern {
            let depth = Path::new(&pattern).components().count();
            let matcher = GlobBuilder::new(&pattern)
                .literal_separator(true)
                .build()
                .map_err(|e| {
                    Error::source_fault(
                        SqlState::CONFIG_FILE_ERROR,
                        format!("the path of source \"{source}\" is not a pattern"),
                    )
                    .with_cause(e)
                })?
                .compile_matcher();
            let depth = if pattern.contains("**") { MAX_DEPTH } else { depth };
            return Ok(Root { source: Arc::clone(source), folder, shape: Shape::Glob(matcher, depth) });
        }
        if metadata.is_dir() {
            return Ok(Root { source: Arc::clone(source), folder, shape: Shape::Folder });
        }
        let parent = folder.parent().unwrap_or(&folder).to_owned();
        Ok(Root { source: Arc::clone(source), folder: parent, shape: Shape::File(folder) })
    }

    /// The entries that the path means, in the order of their names.
    fn matching(&self, finds: &mut Finds) -> Result<Vec<Entry>> {
        match &self.shape {
            Shape::Folder => {
                // A folder of its own [[source.table]] is one table; for a source's path it is a folder of tables.
                self.list(&self.folder, finds)
            }
            Shape::File(path) => Ok(self.entry(path, finds).into_iter().collect()),
            Shape::Glob(matcher, depth) => {
                let mut matching = Vec::new();
                self.glob(&self.folder, 1, (matcher, *depth), &mut matching, finds)?;
                Ok(matching)
            }
        }
    }

    fn glob(
        &self,
        folder: &Path,
        level: usize,
        pattern: (&GlobMatcher, usize),
        matching: &mut Vec<Entry>,
        finds: &mut Finds,
    ) -> Result<()> {
        for entry in self.list(folder, finds)? {
            let below = entry.path.strip_prefix(&self.folder).unwrap_or(&entry.path);
            if pattern.0.is_match(below) {
                matching.push(entry);
            } else if entry.is_dir && level < pattern.1 {
                self.glob(&entry.path, level + 1, pattern, matching, finds)?;
            }
        }
        Ok(())
    }

    /// What lies in a folder, without what is hidden or refused, by name.
    fn list(&self, folder: &Path, finds: &mut Finds) -> Result<Vec<Entry>> {
        let located = self.located(folder);
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(|e| located.io_error(e))? {
            let path = entry.map_err(|e| located.io_error(e))?.path();
            entries.extend(self.entry(&path, finds));
        }
        entries.sort_by(|a, b| a.named.cmp(&b.named));
        Ok(entries)
    }

    /// A regular file or a folder, once links are followed and found to stay inside the root.
    fn entry(&self, path: &Path, finds: &mut Finds) -> Option<Entry> {
        let name = path.file_name()?.to_string_lossy();
        if name.starts_with('.') {
            return None;
        }
        let shown = open::shown(&self.folder, path);
        let Ok(metadata) = std::fs::symlink_metadata(path) else { return None };
        if !metadata.is_symlink() {
            let kind = metadata.file_type();
            if !kind.is_file() && !kind.is_dir() {
                finds.problems.push(format!("\"{shown}\" is neither a file nor a folder and is not read"));
                return None;
            }
            return Some(Entry { path: path.to_owned(), named: path.to_owned(), is_dir: kind.is_dir() });
        }
        let Ok(target) = std::fs::canonicalize(path) else {
            finds.problems.push(format!("link \"{shown}\" leads nowhere"));
            return None;
        };
        // A link to a folder could lead into itself; a link to a file inside the root is just another name of it.
        let inside = target.starts_with(&self.folder);
        if !inside || !std::fs::symlink_metadata(&target).is_ok_and(|target| target.is_file()) {
            finds
                .problems
                .push(format!("link \"{shown}\" does not lead to a file inside the source and is not followed"));
            return None;
        }
        // The name decides format and table, the target is what is opened; so the two must agree.
        (format::by_name(path).map(|(_, kind)| kind) == format::by_name(&target).map(|(_, kind)| kind))
            .then_some(Entry { path: target, named: path.to_owned(), is_dir: false })
    }

    /// A file, or a folder of files of one format, as a table.
    fn candidate(&self, entry: &Entry, tables: &Patterns, finds: &mut Finds) -> Option<Candidate> {
        if !entry.is_dir {
            let (name, kind) = format::by_name(&entry.named)?;
            return tables.matches(&name).then(|| self.table(name, kind.format, vec![entry.path.clone()]))?.ok();
        }
        let name = entry.path.file_name()?.to_str()?.to_owned();
        if name.starts_with('_') || !tables.matches(&name) {
            return None;
        }
        if partition(&name).is_some() {
            finds.problems.push(format!(
                "folder \"{name}\" is a partition without a table: name the folder above it with [[source.table]]"
            ));
            return None;
        }
        let mut files = Vec::new();
        let made = self.collect(&entry.path, 0, false, &mut files, finds).and_then(|()| match files.is_empty() {
            true => Ok(None),
            false => one_format(&files)
                .map_err(|why| self.error(&name, why))
                .and_then(|format| self.table(name.clone(), format, std::mem::take(&mut files)))
                .map(Some),
        });
        match made {
            Ok(candidate) => candidate,
            Err(error) => {
                finds.broken.push((name, error));
                None
            }
        }
    }

    /// All files below a folder that have a known ending (or any, if the format is declared).
    fn collect(
        &self,
        folder: &Path,
        depth: usize,
        any: bool,
        files: &mut Vec<PathBuf>,
        finds: &mut Finds,
    ) -> Result<()> {
        if depth > MAX_DEPTH || files.len() > MAX_FILES {
            finds
                .problems
                .push(format!("\"{}\" is too deep or holds too many files", open::shown(&self.folder, folder)));
            return Ok(());
        }
        for entry in self.list(folder, finds)? {
            let name = entry.path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with('_') {
                continue;
            }
            if entry.is_dir {
                self.collect(&entry.path, depth + 1, any, files, finds)?;
            } else if any || format::by_name(&entry.path).is_some() {
                files.push(entry.path);
            }
        }
        Ok(())
    }

    fn table(&self, name: String, format: FileFormat, files: Vec<PathBuf>) -> Result<Candidate> {
        if files.is_empty() {
            return Err(Error::source_fault(
                SqlState::UNDEFINED_FILE,
                format!("table \"{name}\" of source \"{}\" has no files", self.source),
            ));
        }
        let mut partitions: Option<Vec<String>> = None;
        let mut found = Vec::with_capacity(files.len());
        for path in files {
            let (names, values): (Vec<String>, Vec<Option<String>>) =
                partitions_of(&self.folder, &path).into_iter().unzip();
            match &partitions {
                Some(known) if *known != names => {
                    return Err(self.error(&name, "its files have different partition folders"));
                }
                _ => partitions = Some(names),
            }
            let compression = match format {
                FileFormat::Parquet | FileFormat::Arrow => Compression::None,
                _ => format::compression(&path),
            };
            found.push(FoundFile { located: self.located(&path), compression, partition_values: values });
        }
        Ok(Candidate {
            name,
            format,
            csv: CsvSettings::default(),
            declared: None,
            files: found,
            partitions: partitions.unwrap_or_default(),
        })
    }

    fn located(&self, path: &Path) -> Located {
        Located { source: Arc::clone(&self.source), path: path.to_owned(), shown: open::shown(&self.folder, path) }
    }

    fn error(&self, name: &str, why: &str) -> Error {
        Error::source_fault(
            SqlState::DATATYPE_MISMATCH,
            format!("table \"{name}\" of source \"{}\" cannot be mounted: {why}", self.source),
        )
    }
}

/// The one format that all files have.
fn one_format(files: &[PathBuf]) -> std::result::Result<FileFormat, &'static str> {
    let mut formats = files.iter().filter_map(|path| format::by_name(path)).map(|(_, kind)| kind.format);
    let first = formats.next().ok_or("its format is not known from the ending: say it with format = ...")?;
    if formats.all(|format| format == first) { Ok(first) } else { Err("its folder has files of more than one format") }
}

/// `k=v` as a partition.
fn partition(name: &str) -> Option<(&str, &str)> {
    name.split_once('=').filter(|(key, _)| !key.is_empty())
}

fn partitions_of(root: &Path, path: &Path) -> Vec<(String, Option<String>)> {
    let below = path.parent().and_then(|folder| folder.strip_prefix(root).ok()).unwrap_or(Path::new(""));
    below
        .components()
        .filter_map(|part| match part {
            Component::Normal(name) => name.to_str().and_then(partition),
            _ => None,
        })
        .map(|(key, value)| (decode(key), (value != HIVE_NULL).then(|| decode(value))))
        .collect()
}

/// Hive writes characters that paths cannot hold as %XX.
fn decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// The part of a path before its first component with a wildcard, and the rest as a pattern. A file whose name has such
/// characters is itself.
fn split_glob(path: &Path) -> (PathBuf, Option<String>) {
    if path.exists() {
        return (path.to_owned(), None);
    }
    let wild = |part: &Component<'_>| part.as_os_str().to_string_lossy().contains(['*', '?', '[', '{']);
    let parts: Vec<Component<'_>> = path.components().collect();
    match parts.iter().position(wild) {
        Some(at) => {
            let pattern: PathBuf = parts[at..].iter().collect();
            (parts[..at].iter().collect(), Some(pattern.to_string_lossy().into_owned()))
        }
        None => (path.to_owned(), None),
    }
}

fn shown_root(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_come_from_folders_only() {
        let found = partitions_of(Path::new("/lake"), Path::new("/lake/sales/year=2024/city=New%20York/a=b.parquet"));
        assert_eq!(
            found,
            vec![("year".to_owned(), Some("2024".to_owned())), ("city".to_owned(), Some("New York".to_owned()))]
        );
        let none = partitions_of(Path::new("/lake"), Path::new("/lake/s/day=__HIVE_DEFAULT_PARTITION__/x.csv"));
        assert_eq!(none, vec![("day".to_owned(), None)]);
    }

    #[test]
    fn globs_split_at_the_first_wildcard() {
        assert_eq!(split_glob(Path::new("/no/such/x_*.csv")), (PathBuf::from("/no/such"), Some("x_*.csv".to_owned())));
        assert_eq!(
            split_glob(Path::new("/no/*/b/{c,d}.csv")),
            (PathBuf::from("/no"), Some("*/b/{c,d}.csv".to_owned()))
        );
    }
}
