//! Records of text as Arrow batches: each field goes to its column's builder, and what does not fit is an error with its place.
//! Must not know: plans, files.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use super::text::BadRecord;
use super::text::Block;
use super::text::csv::{self, Field, Layout, Records};
use super::text::json::{self, Member, Value};
use crate::error::{Error, Result, SqlState};
use crate::types::{self, ColumnBuilder, FormatOptions, PgType};

/// Rows of a batch.
const BATCH_ROWS: usize = 8192;

/// What the records of one file look like, and which of their fields are wanted.
#[derive(Debug)]
pub(super) struct Plan {
    /// The columns that come out: fields of the records first, then partition columns.
    pub(super) schema: SchemaRef,
    pub(super) options: FormatOptions,
    pub(super) kind: Kind,
}

/// How a record's fields find their columns.
#[derive(Debug)]
pub(super) enum Kind {
    Csv(Layout),
    Json,
}

/// What one file of a plan is made of.
#[derive(Debug)]
pub(super) struct FilePlan {
    /// Names of all fields of a CSV record, in order.
    pub(super) names: Vec<String>,
    /// For each column that comes out, where it comes from.
    pub(super) columns: Vec<Source>,
}

/// Where a column's values come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// The field at this position (CSV).
    Field(usize),
    /// The member of the column's name (JSON).
    Member,
    /// One value for the whole file: a partition's, or NULL where the file lacks the column.
    Constant(Option<String>),
}

/// Receives batches; `false` means that no more are wanted.
pub(super) type Sink<'a> = dyn FnMut(RecordBatch) -> bool + 'a;

/// What became of a block.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Outcome {
    /// Records that were passed over because they are bad.
    pub(super) skipped: u64,
    /// Nobody wants more.
    pub(super) enough: bool,
}

/// Parses a block into batches.
pub(super) fn parse(
    plan: &Plan,
    file: &FilePlan,
    block: &Block,
    sink: &mut Sink<'_>,
) -> std::result::Result<Outcome, Failure> {
    let mut growing = Growing::new(plan, file);
    match &plan.kind {
        Kind::Csv(layout) => growing.csv(layout, block, sink)?,
        Kind::Json => growing.json(block, sink)?,
    }
    if !growing.outcome.enough && growing.rows > 0 {
        growing.outcome.enough = !sink(growing.finish()?);
    }
    Ok(growing.outcome)
}

/// A bad record, or an error that has no record.
#[derive(Debug)]
pub(super) enum Failure {
    Record(BadRecord),
    Other(Error),
}

impl From<BadRecord> for Failure {
    fn from(bad: BadRecord) -> Self {
        Failure::Record(bad)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Other(error)
    }
}

/// A batch that grows.
struct Growing<'p> {
    plan: &'p Plan,
    file: &'p FilePlan,
    builders: Vec<ColumnBuilder>,
    types: Vec<PgType>,
    rows: usize,
    /// Rows that turned out bad when some of their values were in the builders already.
    bad_rows: Vec<usize>,
    outcome: Outcome,
}

type Step<T> = std::result::Result<T, Failure>;

impl<'p> Growing<'p> {
    fn new(plan: &'p Plan, file: &'p FilePlan) -> Self {
        let types: Vec<PgType> = plan.schema.fields().iter().map(|field| types::pg_type_of(field)).collect();
        let builders = types.iter().map(|ty| ColumnBuilder::new(*ty, BATCH_ROWS)).collect();
        Growing { plan, file, builders, types, rows: 0, bad_rows: Vec::new(), outcome: Outcome::default() }
    }

    fn csv(&mut self, layout: &Layout, block: &Block, sink: &mut Sink<'_>) -> Step<()> {
        let mut records = Records::new(block, layout);
        let mut fields: Vec<Field<'_>> = Vec::with_capacity(self.file.names.len());
        if block.first && layout.header {
            // Its names were read when the columns were found out.
            let _ = records.next_record(&mut fields);
        }
        while let Some(record) = records.next_record(&mut fields) {
            let sound = record.and_then(|line| csv::check_width(&fields, &self.file.names, line).map(|()| line));
            let added = sound.and_then(|line| self.csv_row(layout, &fields, line));
            match added {
                Ok(()) => {}
                Err(_) if layout.skip_bad => {
                    self.outcome.skipped += 1;
                    continue;
                }
                Err(bad) => return Err(bad.into()),
            }
            if !self.next_row(sink)? {
                break;
            }
        }
        Ok(())
    }

    fn csv_row(&mut self, layout: &Layout, fields: &[Field<'_>], line: u64) -> std::result::Result<(), BadRecord> {
        let mut bad = None;
        for (at, source) in self.file.columns.iter().enumerate() {
            let value = match source {
                Source::Field(position) => fields.get(*position).and_then(|field| layout.value(field)),
                Source::Constant(value) => value.as_deref(),
                Source::Member => None,
            };
            if let Err(error) = self.append(at, value) {
                bad.get_or_insert_with(|| self.bad_value(at, line, &error));
                self.builders[at].append_null();
                if !layout.skip_bad {
                    break;
                }
            }
        }
        match bad {
            None => Ok(()),
            Some(bad) => {
                // All builders have the row; it is left out when the batch is made.
                self.bad_rows.push(self.rows);
                self.rows += 1;
                Err(bad)
            }
        }
    }

    fn json(&mut self, block: &Block, sink: &mut Sink<'_>) -> Step<()> {
        let mut failed = None;
        json::read_block(block, |members, line| {
            self.json_row(members, line)?;
            match self.next_row(sink) {
                Ok(more) => Ok(more),
                Err(Failure::Record(bad)) => Err(bad),
                Err(Failure::Other(error)) => {
                    failed = Some(error);
                    Ok(false)
                }
            }
        })?;
        failed.map_or(Ok(()), |error| Err(error.into()))
    }

    fn json_row(&mut self, members: &[Member<'_>], line: u64) -> std::result::Result<(), BadRecord> {
        for (at, source) in self.file.columns.iter().enumerate() {
            let appended = match source {
                Source::Constant(value) => self.append(at, value.as_deref()),
                Source::Field(_) | Source::Member => {
                    let name = self.plan.schema.field(at).name();
                    // Members of one file mostly come in one order.
                    let member = members.get(at).filter(|member| member.name == *name);
                    let member = member.or_else(|| members.iter().find(|member| member.name == *name));
                    match member.map(|member| json_text(self.types[at], member)) {
                        None | Some(Ok(None)) => self.append(at, None),
                        Some(Ok(Some(text))) => self.append(at, Some(text)),
                        Some(Err(message)) => {
                            let bad = BadRecord::new(SqlState::INVALID_TEXT_REPRESENTATION, line, message);
                            return Err(bad.in_column(name));
                        }
                    }
                }
            };
            appended.map_err(|error| self.bad_value(at, line, &error))?;
        }
        Ok(())
    }

    fn append(&mut self, at: usize, value: Option<&str>) -> Result<()> {
        self.builders[at].append_text(value, &self.plan.options)
    }

    fn bad_value(&self, at: usize, line: u64, error: &Error) -> BadRecord {
        BadRecord::new(error.state(), line, error.message()).in_column(self.plan.schema.field(at).name())
    }

    /// Counts the row and hands the batch on when it is full; `false`: no more rows are wanted.
    fn next_row(&mut self, sink: &mut Sink<'_>) -> Step<bool> {
        self.rows += 1;
        if self.rows >= BATCH_ROWS {
            let batch = self.finish()?;
            self.outcome.enough = !sink(batch);
        }
        Ok(!self.outcome.enough)
    }

    fn finish(&mut self) -> Result<RecordBatch> {
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.builders.len());
        for (builder, ty) in self.builders.iter_mut().zip(&self.types) {
            let mut full = std::mem::replace(builder, ColumnBuilder::new(*ty, BATCH_ROWS));
            arrays.push(full.finish());
        }
        let rows = std::mem::take(&mut self.rows);
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.plan.schema), arrays, &options)
            .map_err(|e| Error::internal("columns of a text file do not make a batch").with_cause(e))?;
        if self.bad_rows.is_empty() {
            return Ok(batch);
        }
        let bad = std::mem::take(&mut self.bad_rows);
        let keep: BooleanArray = (0..rows).map(|row| Some(bad.binary_search(&row).is_err())).collect();
        filter_record_batch(&batch, &keep).map_err(|e| Error::internal("bad rows could not be left out").with_cause(e))
    }
}

/// The text of a JSON value for a column of this type; `None` for NULL.
fn json_text<'m>(ty: PgType, member: &'m Member<'_>) -> std::result::Result<Option<&'m str>, String> {
    let is_json = matches!(ty.bare(), PgType::JSON | PgType::JSONB);
    match &member.value {
        Value::Null => Ok(None),
        _ if is_json => Ok(Some(member.raw)),
        Value::String(text) if ty.is_textual() || !is_number(ty) => Ok(Some(text)),
        Value::String(text) => Err(format!("invalid input syntax for type {}: {:?}", ty.display_name(), &**text)),
        Value::Number(text) => Ok(Some(text)),
        Value::Bool(text) if ty.is_textual() || ty.bare() == PgType::BOOL => Ok(Some(text)),
        Value::Bool(text) => Err(format!("invalid input syntax for type {}: {text}", ty.display_name())),
        Value::Nested(_) if ty.is_textual() => Ok(Some(member.raw)),
        Value::Nested(_) => Err(format!("invalid input syntax for type {}: a JSON object or array", ty.display_name())),
    }
}

/// A JSON string is no number, even if it looks like one.
fn is_number(ty: PgType) -> bool {
    matches!(
        ty.bare(),
        PgType::INT2 | PgType::INT4 | PgType::INT8 | PgType::FLOAT4 | PgType::FLOAT8 | PgType::NUMERIC | PgType::BOOL
    )
}
