//! Variance and standard deviation of exact numbers, exactly: from their number, their sum and the sum of their squares.
//! Must not know: SQL.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringViewArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, Signature, Volatility};

use super::super::kernel::{external, wrong_type};
use super::super::numeric;
use super::groups::{Groups, State};
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
        Ok(Box::new(Groups::<Sums>::one(self.spread)))
    }

    fn groups_accumulator_supported(&self, _args: AccumulatorArgs<'_>) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _args: AccumulatorArgs<'_>) -> DfResult<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Groups::<Sums>::many(self.spread)))
    }
}

#[derive(Debug, Clone)]
struct Sums {
    count: i64,
    total: Total,
}

/// A sum and the sum of the squares.
#[derive(Debug, Clone)]
enum Total {
    /// Of decimals of one scale, as long as they fit: without what comes behind the point, and the scale.
    Small(i128, i128, u32),
    Large(Box<(Numeric, Numeric)>),
}

impl Sums {
    /// Adds a decimal if it and its square fit.
    fn add_small(&mut self, value: i128, scale: u32) -> bool {
        let Total::Small(sum, squares, known) = &mut self.total else { return false };
        if self.count > 0 && *known != scale {
            return false;
        }
        let added = value.checked_mul(value).and_then(|square| squares.checked_add(square)).zip(sum.checked_add(value));
        let Some((more_squares, more)) = added else { return false };
        (*sum, *squares, *known) = (more, more_squares, scale);
        self.count += 1;
        true
    }

    /// Adds a number and its square, and says by how many bytes it has grown.
    fn add_large(&mut self, count: i64, sum: &Numeric, squares: &Numeric) -> Result<usize> {
        let before = self.total.bytes();
        let (old, old_squares) = self.total.numbers();
        self.count += count;
        self.total = Total::Large(Box::new((old.add(sum)?, old_squares.add(squares)?)));
        Ok(self.total.bytes().saturating_sub(before))
    }

    fn result(&self, spread: Spread) -> Result<Option<Numeric>> {
        let least = if spread.sample { 2 } else { 1 };
        if self.count < least {
            return Ok(None);
        }
        let (sum, squares) = self.total.numbers();
        // NaN and the infinities leave nothing to measure.
        if sum.scale().is_none() {
            return Ok(Some(Numeric::NaN));
        }
        let count = Numeric::from_i128(i128::from(self.count), 0);
        let apart = count.mul(&squares)?.sub(&sum.mul(&sum)?)?;
        if apart.is_zero() || apart.is_negative() {
            return Ok(Some(Numeric::zero()));
        }
        let other = Numeric::from_i128(i128::from(self.count - i64::from(spread.sample)), 0);
        let variance = apart.div(&count.mul(&other)?)?;
        if !spread.deviation {
            return Ok(Some(variance));
        }
        variance.root(variance.scale().unwrap_or(0)).map(Some)
    }
}

impl Total {
    fn numbers(&self) -> (Numeric, Numeric) {
        match self {
            Total::Small(sum, squares, scale) => {
                (Numeric::from_i128(*sum, *scale), Numeric::from_i128(*squares, 2 * scale))
            }
            Total::Large(both) => (both.0.clone(), both.1.clone()),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Total::Small(..) => 0,
            Total::Large(both) => size_of::<(Numeric, Numeric)>() + both.0.bytes() + both.1.bytes(),
        }
    }
}

impl State for Sums {
    type Of = Spread;

    fn empty(_: Spread) -> Sums {
        Sums { count: 0, total: Total::Small(0, 0, 0) }
    }

    fn add(
        groups: &mut [Sums],
        _: Spread,
        values: &[ArrayRef],
        group: impl Fn(usize) -> Option<usize>,
    ) -> DfResult<usize> {
        let [array] = values else { return Err(wrong_type("a variance")) };
        let numbers = numeric::reader(array)?;
        let mut grown = 0;
        for row in 0..array.len() {
            let Some(group) = group(row).filter(|_| array.is_valid(row)) else { continue };
            if numbers.small(row).is_some_and(|(value, scale)| groups[group].add_small(value, scale)) {
                continue;
            }
            let Some(number) = numbers.get(row)? else { continue };
            let square = number.mul(&number).map_err(external)?;
            grown += groups[group].add_large(1, &number, &square).map_err(external)?;
        }
        Ok(grown)
    }

    fn merge(
        groups: &mut [Sums],
        _: Spread,
        states: &[ArrayRef],
        group: impl Fn(usize) -> Option<usize>,
    ) -> DfResult<usize> {
        let [counts, sums, squares] = states else { return Err(wrong_type("a variance")) };
        let read = |array: &ArrayRef, row: usize| -> DfResult<Numeric> {
            let texts = array.as_string_view_opt().ok_or_else(|| wrong_type("a variance"))?;
            Numeric::parse(texts.value(row)).map_err(external)
        };
        let mut grown = 0;
        for row in 0..counts.len() {
            let Some(group) = group(row) else { continue };
            let count = read(counts, row)?.to_i64().map_err(external)?;
            let (sum, squares) = (read(sums, row)?, read(squares, row)?);
            grown += groups[group].add_large(count, &sum, &squares).map_err(external)?;
        }
        Ok(grown)
    }

    fn write(groups: &[Sums]) -> DfResult<Vec<ArrayRef>> {
        let column = |text: fn(&Sums) -> String| {
            Arc::new(groups.iter().map(|group| Some(text(group))).collect::<StringViewArray>()) as ArrayRef
        };
        Ok(vec![
            column(|group| group.count.to_string()),
            column(|group| group.total.numbers().0.to_string()),
            column(|group| group.total.numbers().1.to_string()),
        ])
    }

    fn results(groups: &[Sums], spread: Spread) -> DfResult<ArrayRef> {
        let results = groups.iter().map(|group| group.result(spread)).collect::<Result<Vec<_>>>().map_err(external)?;
        let texts = results.into_iter().map(|number| number.map(|number| number.to_string()));
        Ok(Arc::new(texts.collect::<StringViewArray>()))
    }
}
