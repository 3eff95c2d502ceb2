//! Variance and standard deviation of exact numbers, exactly: from their number, their sum and the sum of their squares.
//! Must not know: SQL.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};
use datafusion::scalar::ScalarValue;

use super::super::kernel::{external, wrong_type};
use super::super::numeric;
use crate::error::Result;
use crate::types::Numeric;

/// Which measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Spread {
    /// Divided by one less than the number of values.
    sample: bool,
    /// The root.
    deviation: bool,
}

impl Spread {
    /// By the aggregate's name.
    pub(super) fn named(name: &str) -> Option<Spread> {
        Some(match name {
            "var_pop" => Spread { sample: false, deviation: false },
            "var_samp" | "variance" => Spread { sample: true, deviation: false },
            "stddev_pop" => Spread { sample: false, deviation: true },
            "stddev_samp" | "stddev" => Spread { sample: true, deviation: true },
            _ => return None,
        })
    }
}

/// The aggregate function of a measure, over numeric in any form.
pub(super) fn spread_udaf(spread: Spread) -> Arc<AggregateUDF> {
    let signature = Signature::any(1, Volatility::Immutable);
    Arc::new(AggregateUDF::from(SpreadAggregate { spread, name: format!("{spread:?}"), signature }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct SpreadAggregate {
    spread: Spread,
    name: String,
    signature: Signature,
}

impl AggregateUDFImpl for SpreadAggregate {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> DfResult<DataType> {
        Ok(DataType::Utf8View)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> DfResult<Vec<FieldRef>> {
        let field = |at: usize| Arc::new(Field::new(format!("{}[{at}]", args.name), DataType::Utf8View, false));
        Ok((0..3).map(field).collect())
    }

    fn accumulator(&self, _args: AccumulatorArgs<'_>) -> DfResult<Box<dyn Accumulator>> {
        let zero = Numeric::zero;
        Ok(Box::new(Sums { spread: self.spread, count: 0, sum: zero(), squares: zero() }))
    }
}

#[derive(Debug)]
struct Sums {
    spread: Spread,
    count: i64,
    sum: Numeric,
    squares: Numeric,
}

impl Sums {
    fn result(&self) -> Result<Option<Numeric>> {
        let least = if self.spread.sample { 2 } else { 1 };
        if self.count < least {
            return Ok(None);
        }
        // NaN and the infinities leave nothing to measure.
        if self.sum.scale().is_none() {
            return Ok(Some(Numeric::NaN));
        }
        let count = Numeric::from_i128(i128::from(self.count), 0);
        let apart = count.mul(&self.squares)?.sub(&self.sum.mul(&self.sum)?)?;
        if apart.is_zero() || apart.is_negative() {
            return Ok(Some(Numeric::zero()));
        }
        let other = Numeric::from_i128(i128::from(self.count - i64::from(self.spread.sample)), 0);
        let variance = apart.div(&count.mul(&other)?)?;
        if !self.spread.deviation {
            return Ok(Some(variance));
        }
        variance.root(variance.scale().unwrap_or(0)).map(Some)
    }
}

impl Accumulator for Sums {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        let [array] = values else { return Err(wrong_type("a variance")) };
        let numbers = numeric::reader(array)?;
        for row in 0..array.len() {
            let Some(number) = numbers.get(row)? else { continue };
            self.count += 1;
            self.squares = self.squares.add(&number.mul(&number).map_err(external)?).map_err(external)?;
            self.sum = self.sum.add(&number).map_err(external)?;
        }
        Ok(())
    }

    fn evaluate(&mut self) -> DfResult<ScalarValue> {
        Ok(ScalarValue::Utf8View(self.result().map_err(external)?.map(|number| number.to_string())))
    }

    fn size(&self) -> usize {
        size_of_val(self) + 128
    }

    fn state(&mut self) -> DfResult<Vec<ScalarValue>> {
        let all = [self.count.to_string(), self.sum.to_string(), self.squares.to_string()];
        Ok(all.into_iter().map(|text| ScalarValue::Utf8View(Some(text))).collect())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DfResult<()> {
        let [counts, sums, squares] = states else { return Err(wrong_type("a variance")) };
        let read = |array: &ArrayRef, row: usize| -> DfResult<Numeric> {
            let texts = array.as_string_view_opt().ok_or_else(|| wrong_type("a variance"))?;
            Numeric::parse(texts.value(row)).map_err(external)
        };
        for row in 0..counts.len() {
            self.count += read(counts, row)?.to_i64().map_err(external)?;
            self.sum = self.sum.add(&read(sums, row)?).map_err(external)?;
            self.squares = self.squares.add(&read(squares, row)?).map_err(external)?;
        }
        Ok(())
    }
}
