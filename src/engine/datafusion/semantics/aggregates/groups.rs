//! One aggregate for one group or for many: DataFusion's two kinds of accumulators over one kind of state.
//! Must not know: what is aggregated.

use std::fmt::Debug;

use arrow::array::{Array, ArrayRef, BooleanArray};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};
use datafusion::scalar::ScalarValue;

/// What is known of a group.
pub(super) trait State: Clone + Debug + Send + Sync + 'static {
    /// What is made of it.
    type Of: Copy + Debug + Send + Sync + 'static;

    /// Of a group without rows.
    fn empty(of: Self::Of) -> Self;

    /// Takes the rows, each for the group it belongs to; those without a group are left out. Says how many bytes the groups have
    /// grown by, besides themselves.
    fn add(
        groups: &mut [Self],
        of: Self::Of,
        values: &[ArrayRef],
        group: impl Fn(usize) -> Option<usize>,
    ) -> DfResult<usize>;

    /// Takes states of other groups, as [`State::write`] has written them.
    fn merge(
        groups: &mut [Self],
        of: Self::Of,
        states: &[ArrayRef],
        group: impl Fn(usize) -> Option<usize>,
    ) -> DfResult<usize>;

    /// The states in columns.
    fn write(groups: &[Self]) -> DfResult<Vec<ArrayRef>>;

    /// The results.
    fn results(groups: &[Self], of: Self::Of) -> DfResult<ArrayRef>;
}

/// The states of some groups.
#[derive(Debug)]
pub(super) struct Groups<S: State> {
    of: S::Of,
    groups: Vec<S>,
    /// Bytes that they hold besides themselves.
    held: usize,
}

impl<S: State> Groups<S> {
    /// Of one group.
    pub(super) fn one(of: S::Of) -> Groups<S> {
        Groups { of, groups: vec![S::empty(of)], held: 0 }
    }

    /// Of groups that are told as they come.
    pub(super) fn many(of: S::Of) -> Groups<S> {
        Groups { of, groups: Vec::new(), held: 0 }
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.groups.capacity() * size_of::<S>() + self.held
    }

    fn taken(&mut self, emit: EmitTo) -> Vec<S> {
        let before = self.groups.len();
        let taken = emit.take_needed(&mut self.groups);
        // What single groups hold is not told apart.
        self.held -= self.held.checked_div(before).unwrap_or(0) * taken.len();
        taken
    }
}

fn only(result: &ArrayRef) -> DfResult<ScalarValue> {
    ScalarValue::try_from_array(result, 0)
}

impl<S: State> Accumulator for Groups<S> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        self.held += S::add(&mut self.groups, self.of, values, |_| Some(0))?;
        Ok(())
    }

    fn evaluate(&mut self) -> DfResult<ScalarValue> {
        only(&S::results(&self.groups, self.of)?)
    }

    fn size(&self) -> usize {
        self.bytes()
    }

    fn state(&mut self) -> DfResult<Vec<ScalarValue>> {
        S::write(&self.groups)?.iter().map(only).collect()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DfResult<()> {
        self.held += S::merge(&mut self.groups, self.of, states, |_| Some(0))?;
        Ok(())
    }
}

/// The group of each row that a filter lets through.
fn group_of<'a>(places: &'a [usize], filter: Option<&'a BooleanArray>) -> impl Fn(usize) -> Option<usize> + 'a {
    move |row| {
        let passes = filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
        if passes { places.get(row).copied() } else { None }
    }
}

impl<S: State> GroupsAccumulator for Groups<S> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        places: &[usize],
        filter: Option<&BooleanArray>,
        count: usize,
    ) -> DfResult<()> {
        self.groups.resize(count, S::empty(self.of));
        self.held += S::add(&mut self.groups, self.of, values, group_of(places, filter))?;
        Ok(())
    }

    fn evaluate(&mut self, emit: EmitTo) -> DfResult<ArrayRef> {
        S::results(&self.taken(emit), self.of)
    }

    fn state(&mut self, emit: EmitTo) -> DfResult<Vec<ArrayRef>> {
        S::write(&self.taken(emit))
    }

    fn merge_batch(&mut self, states: &[ArrayRef], places: &[usize], count: usize) -> DfResult<()> {
        self.groups.resize(count, S::empty(self.of));
        self.held += S::merge(&mut self.groups, self.of, states, group_of(places, None))?;
        Ok(())
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> DfResult<Vec<ArrayRef>> {
        let places: Vec<usize> = (0..values.first().map_or(0, |array| array.len())).collect();
        let mut groups = vec![S::empty(self.of); places.len()];
        S::add(&mut groups, self.of, values, group_of(&places, filter))?;
        S::write(&groups)
    }

    fn size(&self) -> usize {
        self.bytes()
    }
}
