//! Makes rows of lists, a bounded number at a time: the lists of a few rows are held, of a series nothing but its bounds.
//! Must not know: SQL, what a list is made of.

use std::fmt;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int32Array, Int64Array, ListArray, RecordBatch, RecordBatchOptions, UInt64Array,
};
use arrow::compute::take;
use arrow::datatypes::{DataType, Int64Type, SchemaRef};
use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::coop::make_cooperative;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning, PlanProperties,
};
use futures::StreamExt;

use super::How;
use crate::engine::datafusion::semantics::kernel::{external, wrong_type};
use crate::engine::datafusion::stop;

/// The operator.
#[derive(Debug)]
pub(super) struct SpreadExec {
    input: Arc<dyn ExecutionPlan>,
    lists: Vec<Arc<dyn PhysicalExpr>>,
    schema: SchemaRef,
    how: How,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl SpreadExec {
    pub(super) fn new(
        input: Arc<dyn ExecutionPlan>,
        lists: Vec<Arc<dyn PhysicalExpr>>,
        schema: SchemaRef,
        how: How,
    ) -> SpreadExec {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(input.output_partitioning().partition_count()),
            input.pipeline_behavior(),
            input.boundedness(),
        );
        let metrics = ExecutionPlanMetricsSet::new();
        SpreadExec { input, lists, schema, how, properties: Arc::new(properties), metrics }
    }
}

impl DisplayAs for SpreadExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lists: Vec<String> = self.lists.iter().map(ToString::to_string).collect();
        write!(f, "SpreadExec: {}", lists.join(", "))
    }
}

impl ExecutionPlan for SpreadExec {
    fn name(&self) -> &'static str {
        "SpreadExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    /// Rows come in the order of the lists, as long as nobody deals them out.
    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.pop().unwrap_or_else(|| Arc::clone(&self.input));
        Ok(Arc::new(SpreadExec::new(input, self.lists.clone(), Arc::clone(&self.schema), self.how)))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        for list in &self.lists {
            if f(list)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, Arc::clone(&context))?;
        let spreader = Spreader {
            lists: self.lists.clone(),
            schema: Arc::clone(&self.schema),
            how: self.how,
            most: context.session_config().batch_size().max(1),
            rows: RecordBatch::new_empty(input.schema()),
            portion: FIRST_PORTION,
            lined_up: None,
            reservation: MemoryConsumer::new("SpreadExec").register(context.memory_pool()),
        };
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let made =
            futures::stream::try_unfold((input, spreader, metrics), |(mut input, mut spreader, metrics)| async move {
                loop {
                    let made = {
                        let _timer = metrics.elapsed_compute().timer();
                        spreader.next()?
                    };
                    if let Some(batch) = made {
                        let batch = batch.record_output(&metrics);
                        return Ok(Some((batch, (input, spreader, metrics))));
                    }
                    match input.next().await.transpose()? {
                        Some(batch) => spreader.rows = batch,
                        None => return Ok(None),
                    }
                }
            });
        Ok(make_cooperative(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), made))))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// Rows whose lists are made together at first; then as many as keep their lists small.
const FIRST_PORTION: usize = 16;

/// Bytes of lists that are made together, as far as single lists allow.
const PORTION: usize = 4 << 20;

struct Spreader {
    lists: Vec<Arc<dyn PhysicalExpr>>,
    schema: SchemaRef,
    how: How,
    /// Rows of a batch that is made.
    most: usize,
    /// Rows whose lists are not made yet.
    rows: RecordBatch,
    portion: usize,
    lined_up: Option<LinedUp>,
    reservation: MemoryReservation,
}

/// Some rows and their lists.
struct LinedUp {
    rows: RecordBatch,
    columns: Vec<Lists>,
    /// The next row, and the place in its lists.
    row: usize,
    at: u64,
}

/// The lists of some rows, or one for all of them.
struct Lists {
    values: Values,
    same: bool,
}

enum Values {
    Listed(ListArray),
    Series { starts: Int64Array, stops: Int64Array, steps: Int64Array },
}

impl Spreader {
    /// The next rows of those at hand.
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            stop::check(1).map_err(external)?;
            if let Some(mut lined_up) = self.lined_up.take() {
                if let Some(batch) = lined_up.batch(&self.schema, self.how, self.most)? {
                    self.lined_up = Some(lined_up);
                    return Ok(Some(batch));
                }
                self.reservation.resize(0);
            }
            if self.rows.num_rows() == 0 {
                return Ok(None);
            }
            let count = self.portion.min(self.rows.num_rows());
            let rows = self.rows.slice(0, count);
            self.rows = self.rows.slice(count, self.rows.num_rows() - count);
            let columns = self.lists.iter().map(|list| Lists::of(list.evaluate(&rows)?)).collect::<Result<Vec<_>>>()?;
            let bytes = columns.iter().map(Lists::bytes).sum();
            self.reservation.try_resize(bytes)?;
            self.portion = match bytes {
                bytes if bytes > PORTION => (self.portion / 4).max(1),
                bytes if bytes < PORTION / 8 => (self.portion * 4).min(self.most),
                _ => self.portion,
            };
            self.lined_up = Some(LinedUp { rows, columns, row: 0, at: 0 });
        }
    }
}

impl LinedUp {
    /// As many rows as a batch may have; none if there are no more.
    fn batch(&mut self, schema: &SchemaRef, how: How, most: usize) -> Result<Option<RecordBatch>> {
        let (mut rows, mut places): (Vec<u64>, Vec<u64>) = (Vec::new(), Vec::new());
        while self.row < self.rows.num_rows() && rows.len() < most {
            let longest = self.columns.iter().map(|column| column.length(self.row)).max().unwrap_or(0);
            let longest = if how.outer { longest.max(1) } else { longest };
            let count = (longest - self.at).min((most - rows.len()) as u64);
            rows.extend(std::iter::repeat_n(self.row as u64, count as usize));
            places.extend(self.at..self.at + count);
            self.at += count;
            if self.at >= longest {
                (self.row, self.at) = (self.row + 1, 0);
            }
        }
        if rows.is_empty() {
            return Ok(None);
        }
        let count = rows.len();
        let picked: Vec<(usize, u64)> = rows.iter().map(|row| *row as usize).zip(places).collect();
        let rows = UInt64Array::from(rows);
        let mut columns: Vec<ArrayRef> =
            self.rows.columns().iter().map(|column| take(column, &rows, None)).collect::<Result<_, _>>()?;
        for lists in &self.columns {
            let form = schema.field(columns.len()).data_type();
            columns.push(lists.values(&picked, form)?);
        }
        if how.numbered {
            // A row that stays without values has no place.
            let number = |(row, at): &(usize, u64)| {
                let inside = self.columns.iter().any(|column| *at < column.length(*row));
                inside.then(|| i64::try_from(at + 1).unwrap_or(i64::MAX))
            };
            columns.push(Arc::new(picked.iter().map(number).collect::<Int64Array>()));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        Ok(Some(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?))
    }
}

impl Lists {
    fn of(value: ColumnarValue) -> Result<Lists> {
        let (array, same) = match value {
            ColumnarValue::Array(array) => (array, false),
            ColumnarValue::Scalar(scalar) => (scalar.to_array()?, true),
        };
        if let Some(lists) = array.as_list_opt::<i32>() {
            return Ok(Lists { values: Values::Listed(lists.clone()), same });
        }
        let series = array.as_struct_opt().ok_or_else(|| wrong_type("a list of rows"))?;
        let column = |at: usize| series.columns().get(at).and_then(|column| column.as_primitive_opt::<Int64Type>());
        match (column(0), column(1), column(2)) {
            (Some(starts), Some(stops), Some(steps)) => {
                let values = Values::Series { starts: starts.clone(), stops: stops.clone(), steps: steps.clone() };
                Ok(Lists { values, same })
            }
            _ => Err(wrong_type("a series")),
        }
    }

    fn bytes(&self) -> usize {
        match &self.values {
            Values::Listed(lists) => lists.get_array_memory_size(),
            Values::Series { starts, .. } => 3 * starts.get_array_memory_size(),
        }
    }

    fn place(&self, row: usize) -> usize {
        if self.same { 0 } else { row }
    }

    fn length(&self, row: usize) -> u64 {
        let row = self.place(row);
        match &self.values {
            Values::Listed(lists) if lists.is_null(row) => 0,
            Values::Listed(lists) => u64::try_from(lists.value_length(row)).unwrap_or(0),
            Values::Series { starts, stops, steps } => {
                if starts.is_null(row) || stops.is_null(row) || steps.is_null(row) || steps.value(row) == 0 {
                    return 0;
                }
                let (way, step) = (i128::from(stops.value(row)) - i128::from(starts.value(row)), steps.value(row));
                let backwards = way != 0 && (way < 0) != (step < 0);
                if backwards { 0 } else { u64::try_from(way / i128::from(step) + 1).unwrap_or(u64::MAX) }
            }
        }
    }

    /// The values at these places of these rows' lists; NULL behind their ends.
    fn values(&self, picked: &[(usize, u64)], form: &DataType) -> Result<ArrayRef> {
        match &self.values {
            Values::Listed(lists) => {
                let offsets = lists.value_offsets();
                let place = |(row, at): &(usize, u64)| {
                    let start = offsets.get(self.place(*row)).copied().unwrap_or(0);
                    (*at < self.length(*row)).then(|| start.unsigned_abs() as u64 + at)
                };
                Ok(take(lists.values(), &picked.iter().map(place).collect::<UInt64Array>(), None)?)
            }
            Values::Series { starts, steps, .. } => {
                let value = |(row, at): &(usize, u64)| {
                    let place = self.place(*row);
                    let value = i128::from(starts.value(place)) + i128::from(*at) * i128::from(steps.value(place));
                    (*at < self.length(*row)).then_some(value)
                };
                let values = picked.iter().map(value);
                match form {
                    // Its bounds are of the narrow type, and so is what lies between them.
                    DataType::Int32 => {
                        let narrow = |value: Option<i128>| value.and_then(|value| i32::try_from(value).ok());
                        Ok(Arc::new(values.map(narrow).collect::<Int32Array>()))
                    }
                    DataType::Int64 => {
                        let narrow = |value: Option<i128>| value.and_then(|value| i64::try_from(value).ok());
                        Ok(Arc::new(values.map(narrow).collect::<Int64Array>()))
                    }
                    _ => Err(wrong_type("a series")),
                }
            }
        }
    }
}
