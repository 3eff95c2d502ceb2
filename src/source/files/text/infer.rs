//! The columns of a text file, from all of its records.
//! Must not know: tables of several files.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::csv::{self, Field, Layout, Records};
use super::json::{self, Member, Value};
use super::{BadRecord, Block, BlockReader};
use crate::error::{Error, Result, SqlState};
use crate::source::files::guess::Guess;
use crate::source::files::shape::MAX_COLUMNS;

/// Names with what their values say, and how many records there are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inferred {
    pub(crate) columns: Vec<(String, Guess)>,
    pub(crate) rows: u64,
}

/// Reads a whole CSV file. With `declared` names the header (if there is one) is passed over and types are not guessed.
pub(crate) fn infer_csv(
    reader: BlockReader,
    layout: &Layout,
    declared: Option<Vec<String>>,
    stop: &AtomicBool,
) -> Result<Inferred> {
    let reader = Mutex::new(reader);
    let Some(first) = reader.lock().next_block()? else {
        return Ok(Inferred { columns: named(declared.unwrap_or_default()), rows: 0 });
    };
    let names = match declared {
        Some(names) => names,
        None => csv_names(&first, layout).map_err(|bad| reader.lock().error(bad))?,
    };
    let whole =
        in_parallel(&reader, first, stop, |block, so_far: &mut CsvGuess| csv_block(block, layout, &names, so_far))?;
    let guesses = whole.guesses.into_iter().chain(std::iter::repeat(Guess::Nothing));
    Ok(Inferred { columns: names.into_iter().zip(guesses).collect(), rows: whole.rows })
}

fn named(names: Vec<String>) -> Vec<(String, Guess)> {
    names.into_iter().map(|name| (name, Guess::Nothing)).collect()
}

/// The names in the header, or `column1` and so on; unnamed columns are called by their position.
fn csv_names(first: &Block, layout: &Layout) -> std::result::Result<Vec<String>, BadRecord> {
    let mut fields = Vec::new();
    if let Some(record) = Records::new(first, layout).next_record(&mut fields) {
        record?;
    }
    if fields.len() > MAX_COLUMNS {
        return Err(BadRecord::new(
            SqlState::TOO_MANY_COLUMNS,
            1,
            format!("tables can have at most {MAX_COLUMNS} columns"),
        ));
    }
    let by_position = |at: usize| format!("column{}", at + 1);
    let mut names: Vec<String> = Vec::with_capacity(fields.len());
    for (at, field) in fields.iter().enumerate() {
        let text = field.text.trim();
        let name = if layout.header && !text.is_empty() { text.to_owned() } else { by_position(at) };
        if names.contains(&name) {
            let message = format!("column \"{name}\" is named twice in the header");
            return Err(BadRecord::new(SqlState::DUPLICATE_COLUMN, 1, message).in_column(name));
        }
        names.push(name);
    }
    Ok(names)
}

/// What several threads gather apart and put together at the end.
trait Gathered: Default + Send {
    fn join(&mut self, other: Self);
}

#[derive(Default)]
struct CsvGuess {
    guesses: Vec<Guess>,
    rows: u64,
}

impl Gathered for CsvGuess {
    fn join(&mut self, other: Self) {
        self.rows += other.rows;
        self.guesses.resize(self.guesses.len().max(other.guesses.len()), Guess::Nothing);
        for (mine, theirs) in self.guesses.iter_mut().zip(other.guesses) {
            *mine = mine.merge(theirs);
        }
    }
}

fn csv_block(
    block: &Block,
    layout: &Layout,
    names: &[String],
    so_far: &mut CsvGuess,
) -> std::result::Result<(), BadRecord> {
    so_far.guesses.resize(names.len(), Guess::Nothing);
    let mut records = Records::new(block, layout);
    let mut fields: Vec<Field<'_>> = Vec::with_capacity(names.len());
    if block.first && layout.header {
        // A bad header was reported when the names were read, or the names are declared.
        let _ = records.next_record(&mut fields);
    }
    while let Some(record) = records.next_record(&mut fields) {
        let sound = record.and_then(|line| csv::check_width(&fields, names, line));
        match sound {
            Ok(()) => so_far.rows += 1,
            Err(_) if layout.skip_bad => continue,
            Err(bad) => return Err(bad),
        }
        for (guess, field) in so_far.guesses.iter_mut().zip(&fields) {
            if *guess != Guess::Text
                && let Some(value) = layout.value(field)
            {
                *guess = guess.merge(Guess::of_field(value));
            }
        }
    }
    Ok(())
}

/// Reads a whole JSON file: columns in the order in which they first appear.
pub(crate) fn infer_json(reader: BlockReader, stop: &AtomicBool) -> Result<Inferred> {
    let reader = Mutex::new(reader);
    let Some(first) = reader.lock().next_block()? else { return Ok(Inferred::default()) };
    let whole = in_parallel(&reader, first, stop, json_block)?;
    let mut columns: Vec<(String, JsonColumn)> = whole.columns.into_iter().collect();
    columns.sort_by_key(|(_, column)| column.first_seen);
    Ok(Inferred { columns: columns.into_iter().map(|(name, column)| (name, column.guess)).collect(), rows: whole.rows })
}

#[derive(Default)]
struct JsonGuess {
    columns: HashMap<String, JsonColumn>,
    rows: u64,
}

struct JsonColumn {
    guess: Guess,
    /// Line, then position in the object.
    first_seen: (u64, usize),
}

impl Gathered for JsonGuess {
    fn join(&mut self, other: Self) {
        self.rows += other.rows;
        for (name, theirs) in other.columns {
            match self.columns.get_mut(&name) {
                Some(mine) => {
                    mine.guess = mine.guess.merge(theirs.guess);
                    mine.first_seen = mine.first_seen.min(theirs.first_seen);
                }
                None => {
                    self.columns.insert(name, theirs);
                }
            }
        }
    }
}

fn json_block(block: &Block, so_far: &mut JsonGuess) -> std::result::Result<(), BadRecord> {
    json::read_block(block, |members, line| {
        so_far.rows += 1;
        for (at, member) in members.iter().enumerate() {
            let full = so_far.columns.len() >= MAX_COLUMNS;
            match so_far.columns.get_mut(&*member.name) {
                Some(column) => {
                    column.guess = column.guess.merge(guess_of(member));
                    column.first_seen = column.first_seen.min((line, at));
                }
                None if full => {
                    let message = format!("tables can have at most {MAX_COLUMNS} columns");
                    return Err(BadRecord::new(SqlState::TOO_MANY_COLUMNS, line, message));
                }
                None => {
                    let column = JsonColumn { guess: guess_of(member), first_seen: (line, at) };
                    so_far.columns.insert(member.name.clone().into_owned(), column);
                }
            }
        }
        Ok(true)
    })
}

fn guess_of(member: &Member<'_>) -> Guess {
    match &member.value {
        Value::Null => Guess::Nothing,
        Value::Bool(_) => Guess::Bool,
        Value::Number(text) => Guess::of_json_number(text),
        Value::String(text) => Guess::of_string(text),
        Value::Nested(_) => Guess::Json,
    }
}

/// Lets a few threads work on the blocks of one file. The error of the earliest line wins, whichever thread met one first.
fn in_parallel<G: Gathered>(
    reader: &Mutex<BlockReader>,
    first: Block,
    stop: &AtomicBool,
    work: impl Fn(&Block, &mut G) -> std::result::Result<(), BadRecord> + Sync,
) -> Result<G> {
    let mut whole = G::default();
    let mut bad = work(&first, &mut whole).err();
    let failed = AtomicBool::new(bad.is_some());
    if !first.last {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(8);
        let results = std::thread::scope(|scope| {
            let handles: Vec<_> = (0..threads).map(|_| scope.spawn(|| gather(reader, stop, &failed, &work))).collect();
            handles.into_iter().map(std::thread::ScopedJoinHandle::join).collect::<Vec<_>>()
        });
        for result in results {
            let (part, part_bad) =
                result.map_err(|_| Error::internal("a thread that reads a text file panicked"))??;
            whole.join(part);
            bad = match (bad, part_bad) {
                (Some(a), Some(b)) => Some(if a.line <= b.line { a } else { b }),
                (a, b) => a.or(b),
            };
        }
    }
    match bad {
        None => Ok(whole),
        Some(bad) => Err(reader.lock().error(bad)),
    }
}

fn gather<G: Gathered>(
    reader: &Mutex<BlockReader>,
    stop: &AtomicBool,
    failed: &AtomicBool,
    work: impl Fn(&Block, &mut G) -> std::result::Result<(), BadRecord>,
) -> Result<(G, Option<BadRecord>)> {
    let mut part = G::default();
    while !failed.load(Ordering::Relaxed) {
        if stop.load(Ordering::Relaxed) {
            return Err(Error::canceled());
        }
        let next = reader.lock().next_block();
        let block = match next {
            Ok(Some(block)) => block,
            Ok(None) => break,
            Err(error) => {
                failed.store(true, Ordering::Relaxed);
                return Err(error);
            }
        };
        if let Err(bad) = work(&block, &mut part) {
            failed.store(true, Ordering::Relaxed);
            return Ok((part, Some(bad)));
        }
    }
    Ok((part, None))
}
