//! Sums of floats and the statistics over them, as PostgreSQL's transition functions compute them.
//! Must not know: SQL.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float32Array, Float64Array, Int64Array};
use arrow::datatypes::{DataType, Field, FieldRef, Float32Type, Float64Type};
use datafusion::common::ScalarValue;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, Signature, Volatility};

use super::super::kernel::{external, wrong_type};
use super::groups::{Groups, State};
use crate::error::{Error, SqlState};

/// What is made of the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Statistic {
    Sum4,
    Sum8,
    Average,
    VarPop,
    VarSamp,
    StddevPop,
    StddevSamp,
    RegrCount,
    RegrSxx,
    RegrSyy,
    RegrSxy,
    RegrAvgx,
    RegrAvgy,
    RegrR2,
    RegrSlope,
    RegrIntercept,
    CovarPop,
    CovarSamp,
    Corr,
}

impl Statistic {
    /// By the aggregate's name, over one float or over two.
    pub(super) fn named(name: &str, arguments: usize) -> Option<Statistic> {
        Some(match (name, arguments) {
            ("var_pop", 1) => Statistic::VarPop,
            ("var_samp" | "variance", 1) => Statistic::VarSamp,
            ("stddev_pop", 1) => Statistic::StddevPop,
            ("stddev_samp" | "stddev", 1) => Statistic::StddevSamp,
            ("regr_count", 2) => Statistic::RegrCount,
            ("regr_sxx", 2) => Statistic::RegrSxx,
            ("regr_syy", 2) => Statistic::RegrSyy,
            ("regr_sxy", 2) => Statistic::RegrSxy,
            ("regr_avgx", 2) => Statistic::RegrAvgx,
            ("regr_avgy", 2) => Statistic::RegrAvgy,
            ("regr_r2", 2) => Statistic::RegrR2,
            ("regr_slope", 2) => Statistic::RegrSlope,
            ("regr_intercept", 2) => Statistic::RegrIntercept,
            ("covar_pop", 2) => Statistic::CovarPop,
            ("covar_samp", 2) => Statistic::CovarSamp,
            ("corr", 2) => Statistic::Corr,
            _ => return None,
        })
    }

    fn name(self) -> String {
        format!("{self:?}").to_ascii_lowercase()
    }
}

/// The aggregate function of a statistic.
pub(super) fn statistic_udaf(statistic: Statistic, arguments: usize) -> Arc<AggregateUDF> {
    let signature = Signature::any(arguments, Volatility::Immutable);
    Arc::new(AggregateUDF::from(Statistics { statistic, name: statistic.name(), signature }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Statistics {
    statistic: Statistic,
    name: String,
    signature: Signature,
}

impl AggregateUDFImpl for Statistics {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> DfResult<DataType> {
        Ok(match self.statistic {
            Statistic::Sum4 => DataType::Float32,
            Statistic::RegrCount => DataType::Int64,
            _ => DataType::Float64,
        })
    }

    /// The value over no rows.
    fn default_value(&self, form: &DataType) -> DfResult<ScalarValue> {
        if self.statistic == Statistic::RegrCount {
            Ok(ScalarValue::Int64(Some(0)))
        } else {
            ScalarValue::try_from(form)
        }
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> DfResult<Vec<FieldRef>> {
        let field = |at: usize| Arc::new(Field::new(format!("{}[{at}]", args.name), DataType::Float64, false));
        Ok((0..6).map(field).collect())
    }

    fn accumulator(&self, _args: AccumulatorArgs<'_>) -> DfResult<Box<dyn Accumulator>> {
        Ok(Box::new(Groups::<Moments>::one(self.statistic)))
    }

    fn groups_accumulator_supported(&self, _args: AccumulatorArgs<'_>) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _args: AccumulatorArgs<'_>) -> DfResult<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Groups::<Moments>::many(self.statistic)))
    }
}

/// The number of values, their sums, and the sums of the squares of their distances from the mean (Youngs and Cramer).
#[derive(Debug, Clone)]
struct Moments {
    statistic: Statistic,
    n: f64,
    x: f64,
    xx: f64,
    y: f64,
    yy: f64,
    xy: f64,
}

fn overflow() -> datafusion::error::DataFusionError {
    external(Error::client(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow"))
}

impl Moments {
    fn sums_only(&self) -> bool {
        matches!(self.statistic, Statistic::Sum4 | Statistic::Sum8)
    }

    fn add(&mut self, x: f64) -> DfResult<()> {
        let before = self.x;
        self.n += 1.0;
        if self.statistic == Statistic::Sum4 {
            self.x = if self.n == 1.0 { x } else { f64::from(before as f32 + x as f32) };
        } else {
            self.x = if self.n == 1.0 { x } else { before + x };
        }
        if self.sums_only() {
            if self.x.is_infinite() && !before.is_infinite() && !x.is_infinite() {
                return Err(overflow());
            }
            return Ok(());
        }
        if self.n > 1.0 {
            let distance = x * self.n - self.x;
            self.xx += distance * distance / (self.n * (self.n - 1.0));
            if self.x.is_infinite() || self.xx.is_infinite() {
                if !before.is_infinite() && !x.is_infinite() {
                    return Err(overflow());
                }
                self.xx = f64::NAN;
            }
        } else if !x.is_finite() {
            self.xx = f64::NAN;
        }
        Ok(())
    }

    fn add_pair(&mut self, y: f64, x: f64) -> DfResult<()> {
        let (x_before, y_before) = (self.x, self.y);
        self.n += 1.0;
        self.x += x;
        self.y += y;
        if self.n > 1.0 {
            let (dx, dy) = (x * self.n - self.x, y * self.n - self.y);
            let scale = 1.0 / (self.n * (self.n - 1.0));
            self.xx += dx * dx * scale;
            self.yy += dy * dy * scale;
            self.xy += dx * dy * scale;
            let infinite = [self.x, self.xx, self.y, self.yy, self.xy].iter().any(|sum| sum.is_infinite());
            if infinite {
                if ((self.x.is_infinite() || self.xx.is_infinite()) && !x_before.is_infinite() && !x.is_infinite())
                    || ((self.y.is_infinite() || self.yy.is_infinite()) && !y_before.is_infinite() && !y.is_infinite())
                    || (self.xy.is_infinite()
                        && !x_before.is_infinite()
                        && !x.is_infinite()
                        && !y_before.is_infinite()
                        && !y.is_infinite())
                {
                    return Err(overflow());
                }
                for sum in [&mut self.xx, &mut self.yy, &mut self.xy] {
                    if sum.is_infinite() {
                        *sum = f64::NAN;
                    }
                }
            }
        } else {
            if !x.is_finite() {
                (self.xx, self.xy) = (f64::NAN, f64::NAN);
            }
            if !y.is_finite() {
                (self.yy, self.xy) = (f64::NAN, f64::NAN);
            }
        }
        Ok(())
    }

    /// Two groups of rows as one.
    fn combine(&mut self, other: &Moments) -> DfResult<()> {
        if other.n == 0.0 {
            return Ok(());
        }
        if self.n == 0.0 {
            (self.n, self.x, self.xx) = (other.n, other.x, other.xx);
            (self.y, self.yy, self.xy) = (other.y, other.yy, other.xy);
            return Ok(());
        }
        let n = self.n + other.n;
        let finite = self.x.is_finite() && other.x.is_finite();
        if !self.sums_only() {
            let dx = self.x / self.n - other.x / other.n;
            let dy = self.y / self.n - other.y / other.n;
            let weight = self.n * other.n / n;
            self.xx += other.xx + weight * dx * dx;
            self.yy += other.yy + weight * dy * dy;
            self.xy += other.xy + weight * dx * dy;
        }
        self.x = if self.statistic == Statistic::Sum4 {
            f64::from(self.x as f32 + other.x as f32)
        } else {
            self.x + other.x
        };
        self.y += other.y;
        self.n = n;
        if finite && (self.x.is_infinite() || self.xx.is_infinite()) {
            return Err(overflow());
        }
        Ok(())
    }

    fn result(&self) -> Option<f64> {
        let Moments { n, x, xx, y, yy, xy, .. } = *self;
        let some = |least: f64, value: f64| (n >= least).then_some(value);
        match self.statistic {
            Statistic::Sum4 | Statistic::Sum8 => some(1.0, x),
            Statistic::Average => some(1.0, x / n),
            Statistic::VarPop => some(1.0, xx / n),
            Statistic::VarSamp => some(2.0, xx / (n - 1.0)),
            Statistic::StddevPop => some(1.0, (xx / n).sqrt()),
            Statistic::StddevSamp => some(2.0, (xx / (n - 1.0)).sqrt()),
            Statistic::RegrCount => Some(n),
            Statistic::RegrSxx => some(1.0, xx),
            Statistic::RegrSyy => some(1.0, yy),
            Statistic::RegrSxy => some(1.0, xy),
            Statistic::RegrAvgx => some(1.0, x / n),
            Statistic::RegrAvgy => some(1.0, y / n),
            Statistic::CovarPop => some(1.0, xy / n),
            Statistic::CovarSamp => some(2.0, xy / (n - 1.0)),
            Statistic::Corr => some(1.0, xy / (xx * yy).sqrt()).filter(|_| xx != 0.0 && yy != 0.0),
            Statistic::RegrR2 if yy == 0.0 && xx != 0.0 => some(1.0, 1.0),
            Statistic::RegrR2 => some(1.0, (xy * xy) / (xx * yy)).filter(|_| xx != 0.0),
            Statistic::RegrSlope => some(1.0, xy / xx).filter(|_| xx != 0.0),
            Statistic::RegrIntercept => some(1.0, (y - x * xy / xx) / n).filter(|_| xx != 0.0),
        }
    }

    fn sums(&self) -> [f64; 6] {
        [self.n, self.x, self.xx, self.y, self.yy, self.xy]
    }
}

fn floats(array: &ArrayRef) -> DfResult<Float64Array> {
    if let Some(wide) = array.as_primitive_opt::<Float64Type>() {
        return Ok(wide.clone());
    }
    match array.as_primitive_opt::<Float32Type>() {
        Some(narrow) => Ok(narrow.unary(f64::from)),
        None => Err(wrong_type("a statistic")),
    }
}

impl State for Moments {
    type Of = Statistic;

    fn empty(statistic: Statistic) -> Moments {
        Moments { statistic, n: 0.0, x: 0.0, xx: 0.0, y: 0.0, yy: 0.0, xy: 0.0 }
    }

    fn add(
        groups: &mut [Moments],
        _: Statistic,
        values: &[ArrayRef],
        group: impl Fn(usize) -> Option<usize>,
    ) -> DfResult<usize> {
        match values {
            [only] => {
                for (row, x) in floats(only)?.iter().enumerate() {
                    if let (Some(x), Some(group)) = (x, group(row)) {
                        groups[group].add(x)?;
                    }
                }
            }
            [y, x] => {
                for (row, pair) in floats(y)?.iter().zip(floats(x)?.iter()).enumerate() {
                    if let ((Some(y), Some(x)), Some(group)) = (pair, group(row)) {
                        groups[group].add_pair(y, x)?;
                    }
                }
            }
            _ => return Err(wrong_type("a statistic")),
        }
        Ok(0)
    }

    fn merge(
        groups: &mut [Moments],
        statistic: Statistic,
        states: &[ArrayRef],
        group: impl Fn(usize) -> Option<usize>,
    ) -> DfResult<usize> {
        let columns = states.iter().map(floats).collect::<DfResult<Vec<_>>>()?;
        let [n, x, xx, y, yy, xy] = columns.as_slice() else { return Err(wrong_type("a statistic")) };
        for row in 0..n.len() {
            let Some(group) = group(row) else { continue };
            let [n, x, xx, y, yy, xy] = [n, x, xx, y, yy, xy].map(|column| column.value(row));
            groups[group].combine(&Moments { statistic, n, x, xx, y, yy, xy })?;
        }
        Ok(0)
    }

    fn write(groups: &[Moments]) -> DfResult<Vec<ArrayRef>> {
        let column = |at: usize| groups.iter().map(|group| group.sums()[at]).collect::<Vec<f64>>();
        Ok((0..6).map(|at| Arc::new(Float64Array::from(column(at))) as ArrayRef).collect())
    }

    fn results(groups: &[Moments], statistic: Statistic) -> DfResult<ArrayRef> {
        let results =
            groups.iter().map(|group| group.result().map(|value| if value.is_nan() { f64::NAN } else { value }));
        Ok(match statistic {
            Statistic::Sum4 => {
                Arc::new(results.map(|sum| sum.map(|sum| sum as f32)).collect::<Float32Array>()) as ArrayRef
            }
            Statistic::RegrCount => Arc::new(results.map(|n| n.map(|n| n as i64)).collect::<Int64Array>()),
            _ => Arc::new(results.collect::<Float64Array>()),
        })
    }
}
