//! `sum`, `min` and `max` over numeric in text form.
//! Must not know: SQL.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::function::AccumulatorArgs;
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};
use datafusion::scalar::ScalarValue;

use super::super::kernel::{external, wrong_type};
use super::super::numeric;
use crate::types::Numeric;

/// What two values become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Folding {
    Sum,
    Min,
    Max,
}

/// The aggregate function for a folding.
pub(super) fn numeric_udaf(folding: Folding) -> Arc<AggregateUDF> {
    let signature = Signature::any(1, Volatility::Immutable);
    Arc::new(AggregateUDF::from(NumericAggregate { folding, signature }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct NumericAggregate {
    folding: Folding,
    signature: Signature,
}

impl AggregateUDFImpl for NumericAggregate {
    fn name(&self) -> &str {
        match self.folding {
            Folding::Sum => "numeric_sum",
            Folding::Min => "numeric_min",
            Folding::Max => "numeric_max",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> DfResult<DataType> {
        Ok(DataType::Utf8View)
    }

    fn accumulator(&self, _args: AccumulatorArgs<'_>) -> DfResult<Box<dyn Accumulator>> {
        Ok(Box::new(NumericAccumulator { folding: self.folding, value: None }))
    }
}

#[derive(Debug)]
struct NumericAccumulator {
    folding: Folding,
    value: Option<Numeric>,
}

impl NumericAccumulator {
    fn fold(&mut self, array: &ArrayRef) -> DfResult<()> {
        let values = numeric::reader(array)?;
        for row in 0..array.len() {
            let Some(next) = values.get(row)? else { continue };
            self.value = Some(match self.value.take() {
                None => next,
                Some(known) => match self.folding {
                    Folding::Sum => known.add(&next).map_err(external)?,
                    Folding::Min => {
                        if known < next {
                            known
                        } else {
                            next
                        }
                    }
                    Folding::Max => {
                        if known > next {
                            known
                        } else {
                            next
                        }
                    }
                },
            });
        }
        Ok(())
    }

    fn text(&self) -> ScalarValue {
        ScalarValue::Utf8View(self.value.as_ref().map(ToString::to_string))
    }
}

impl Accumulator for NumericAccumulator {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        let [array] = values else { return Err(wrong_type("an aggregate of numeric")) };
        self.fold(array)
    }

    fn evaluate(&mut self) -> DfResult<ScalarValue> {
        Ok(self.text())
    }

    fn size(&self) -> usize {
        size_of_val(self) + 64
    }

    fn state(&mut self) -> DfResult<Vec<ScalarValue>> {
        Ok(vec![self.text()])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DfResult<()> {
        self.update_batch(states)
    }
}
