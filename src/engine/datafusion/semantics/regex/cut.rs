//! Cuts a match into the matches of its groups, as PostgreSQL does: the first pieces choose first, each what it wants, and no group
//! keeps what it matched in an iteration that is not the last.
//! Must not know: how an expression is written.

use super::matcher::Matcher;
use super::program::{Kind, Part};
use crate::error::Result;

/// A match and its groups.
pub(super) type Found = [Option<(usize, usize)>];

impl Matcher<'_> {
    /// Finds the groups in a piece of a match; false if the piece does not match there.
    pub(super) fn cut(&mut self, part: &Part, (start, end): (usize, usize), found: &mut Found) -> Result<bool> {
        let fits = match &part.kind {
            Kind::Plain => true,
            Kind::Pair(first, second) => self.cut_pair((first, second), (start, end), found)?,
            Kind::Alternatives(parts) => self.cut_alternatives(parts, (start, end), found)?,
            Kind::Repeat { once, min, max } => self.cut_repeat((once, *min, *max), (start, end), found)?,
        };
        if fits {
            for group in &part.groups {
                if let Some(place) = found.get_mut(*group) {
                    *place = Some((start, end));
                }
            }
        }
        Ok(fits)
    }

    fn cut_pair(
        &mut self,
        (first, second): (&Part, &Part),
        (start, end): (usize, usize),
        found: &mut Found,
    ) -> Result<bool> {
        let mut next =
            if first.short { self.shortest(first, start, start, end)? } else { self.longest(first, start, end)? };
        while let Some(middle) = next {
            if self.longest(second, middle, end)? == Some(end) && self.cut(first, (start, middle), found)? {
                if self.cut(second, (middle, end), found)? {
                    return Ok(true);
                }
                forget(first, found);
            }
            next = match first.short {
                true if middle < end => self.shortest(first, start, middle + 1, end)?,
                false if middle > start => self.longest(first, start, middle - 1)?,
                _ => None,
            };
        }
        Ok(false)
    }

    fn cut_alternatives(&mut self, parts: &[Part], (start, end): (usize, usize), found: &mut Found) -> Result<bool> {
        for part in parts {
            if self.longest(part, start, end)? == Some(end) && self.cut(part, (start, end), found)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn cut_repeat(
        &mut self,
        (once, min, max): (&Part, usize, Option<usize>),
        (start, end): (usize, usize),
        found: &mut Found,
    ) -> Result<bool> {
        // What wants little takes no iteration where it needs none; what wants much takes one of nothing.
        if once.short && min == 0 && start == end {
            return Ok(true);
        }
        let fewest = min.max(1);
        let most = max.unwrap_or(usize::MAX).min(end - start).max(fewest);
        let mut ends = vec![start];
        if once.short {
            self.shortest_iterations(once, &mut ends, (fewest, most), end)?;
        } else {
            self.longest_iterations(once, &mut ends, (fewest, most), end)?;
        }
        let mut fits = ends.len() > 1;
        for span in ends.windows(2) {
            forget(once, found);
            let [from, to] = span else { continue };
            fits = fits && self.cut(once, (*from, *to), found)?;
        }
        Ok(fits || (min == 0 && start == end))
    }

    /// The ends of iterations that each take what they can, the first the most; none where there is no way.
    fn longest_iterations(
        &mut self,
        once: &Part,
        ends: &mut Vec<usize>,
        (fewest, most): (usize, usize),
        end: usize,
    ) -> Result<()> {
        let mut limit = end;
        loop {
            // How many iterations there are with this one, and where it starts.
            let (count, start) = (ends.len(), ends.last().copied().unwrap_or(end));
            let needed = |place: usize| count < fewest && fewest - count >= end - place;
            match self.longest(once, start, limit)? {
                Some(place) if place == end && count >= fewest => {
                    ends.push(place);
                    return Ok(());
                }
                Some(place) if place != end && count < most && (place != start || needed(place)) => {
                    ends.push(place);
                    limit = end;
                    continue;
                }
                Some(place) if place != end && count >= most => {}
                Some(place) => ends.push(place),
                None => {}
            }
            loop {
                let Some(place) = ends.pop().filter(|_| !ends.is_empty()) else { return Ok(()) };
                let (count, start) = (ends.len(), ends.last().copied().unwrap_or(end));
                let needed = count < fewest && fewest - count >= end - start;
                if place > start && (place - 1 > start || needed) {
                    limit = place - 1;
                    break;
                }
            }
        }
    }

    /// The ends of iterations that each take the least they can, the first the least; none where there is no way.
    fn shortest_iterations(
        &mut self,
        once: &Part,
        ends: &mut Vec<usize>,
        (fewest, most): (usize, usize),
        end: usize,
    ) -> Result<()> {
        let mut least = ends.last().copied().unwrap_or(end);
        loop {
            let (count, start) = (ends.len(), ends.last().copied().unwrap_or(end));
            if least == start && least != end && (count >= fewest || fewest - count < end - least) {
                least += 1;
            }
            if count >= most {
                least = end;
            }
            match self.shortest(once, start, least, end)? {
                Some(place) if place == end && count >= fewest => {
                    ends.push(place);
                    return Ok(());
                }
                Some(place) if place != end && count < most => {
                    ends.push(place);
                    least = place;
                    continue;
                }
                Some(place) if place == end => ends.push(place),
                _ => {}
            }
            loop {
                let Some(place) = ends.pop().filter(|_| !ends.is_empty()) else { return Ok(()) };
                if place < end {
                    least = place + 1;
                    break;
                }
            }
        }
    }
}

/// Takes away what the groups in a part have found.
fn forget(part: &Part, found: &mut Found) {
    for group in &part.groups {
        if let Some(place) = found.get_mut(*group) {
            *place = None;
        }
    }
    match &part.kind {
        Kind::Plain => {}
        Kind::Pair(first, second) => {
            forget(first, found);
            forget(second, found);
        }
        Kind::Alternatives(parts) => parts.iter().for_each(|part| forget(part, found)),
        Kind::Repeat { once, .. } => forget(once, found),
    }
}
