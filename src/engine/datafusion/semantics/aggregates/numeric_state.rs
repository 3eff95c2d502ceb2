//! `sum`, `min` and `max` over numeric in text form.
//! Must not know: SQL.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringViewArray};
use arrow::datatypes::DataType;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::function::AccumulatorArgs;
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, Signature, Volatility};

use super::super::kernel::{external, wrong_type};
use super::super::numeric;
use super::groups::{Groups, State};
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
        Ok(Box::new(Groups::<Folded>::one(self.folding)))
    }

    fn groups_accumulator_supported(&self, _args: AccumulatorArgs<'_>) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _args: AccumulatorArgs<'_>) -> DfResult<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Groups::<Folded>::many(self.folding)))
    }
}

#[derive(Debug, Clone)]
struct Folded(Option<Numeric>);

impl Folded {
    /// Takes a value, and says by how many bytes it has grown.
    fn fold(&mut self, next: Numeric, folding: Folding) -> DfResult<usize> {
        let before = self.0.as_ref().map_or(0, Numeric::bytes);
        let made = match (self.0.take(), folding) {
            (None, _) => next,
            (Some(known), Folding::Sum) => known.add(&next).map_err(external)?,
            (Some(known), Folding::Min) if known < next => known,
            (Some(known), Folding::Max) if known > next => known,
            (Some(_), Folding::Min | Folding::Max) => next,
        };
        let after = made.bytes();
        self.0 = Some(made);
        Ok(after.saturating_sub(before))
    }
}

impl State for Folded {
    type Of = Folding;

    fn empty(_: Folding) -> Folded {
        Folded(None)
    }

    fn add(
        groups: &mut [Folded],
        folding: Folding,
        values: &[ArrayRef],
        group: impl Fn(usize) -> Option<usize>,
    ) -> DfResult<usize> {
        let [array] = values else { return Err(wrong_type("an aggregate of numeric")) };
        let numbers = numeric::reader(array)?;
        let mut grown = 0;
        for row in 0..array.len() {
            let Some(group) = group(row) else { continue };
            let Some(next) = numbers.get(row)? else { continue };
            grown += groups[group].fold(next, folding)?;
        }
        Ok(grown)
    }

    fn merge(
        groups: &mut [Folded],
        folding: Folding,
        states: &[ArrayRef],
        group: impl Fn(usize) -> Option<usize>,
    ) -> DfResult<usize> {
        Folded::add(groups, folding, states, group)
    }

    fn write(groups: &[Folded]) -> DfResult<Vec<ArrayRef>> {
        let texts = groups.iter().map(|group| group.0.as_ref().map(ToString::to_string));
        Ok(vec![Arc::new(texts.collect::<StringViewArray>())])
    }

    fn results(groups: &[Folded], _: Folding) -> DfResult<ArrayRef> {
        Folded::write(groups)?.pop().ok_or_else(|| wrong_type("an aggregate of numeric"))
    }
}
