//! Following the instructions of an expression over a text: all ways at once, so the time is linear in the text.
//! Must not know: how an expression is written, what is done with its matches.

use super::parse::Edge;
use super::program::{Part, Program, Step};
use crate::engine::datafusion::stop;
use crate::error::Result;

/// Instructions that are followed between two looks at whether the statement still wants an answer.
const BETWEEN_LOOKS: u64 = 16_384;

/// What following needs to remember; kept from text to text.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    now: Threads,
    next: Threads,
    open: Vec<usize>,
    /// Instructions followed since the last look.
    work: u64,
}

/// An expression over a text.
pub(super) struct Matcher<'a> {
    pub(super) program: &'a Program,
    pub(super) text: &'a [char],
    pub(super) scratch: &'a mut Scratch,
}

impl Matcher<'_> {
    /// Where the leftmost match at or after a place starts.
    pub(super) fn start_of_match(&mut self, from: usize) -> Result<Option<usize>> {
        // For each instruction the leftmost start that leads to it.
        let Program { whole, steps, .. } = self.program;
        let mut best: Option<usize> = None;
        self.scratch.now.clear(whole.end + 1);
        for at in from..=self.text.len() {
            if best.is_none() {
                self.follow(whole.start, whole.end, (at, at), false)?;
            }
            self.scratch.next.clear(whole.end + 1);
            for index in 0..self.scratch.now.list.len() {
                let pc = self.scratch.now.list[index];
                let start = self.scratch.now.starts[pc];
                if best.is_some_and(|best| start >= best) {
                    continue;
                }
                if pc == whole.end {
                    best = Some(start);
                } else if let (Some(Step::Char(set)), Some(c)) = (steps.get(pc), self.text.get(at))
                    && set.has(*c)
                {
                    self.follow(pc + 1, whole.end, (at + 1, start), true)?;
                }
            }
            self.swap()?;
            let now = &self.scratch.now;
            if best.is_some_and(|best| now.list.iter().all(|pc| now.starts[*pc] >= best)) {
                break;
            }
        }
        Ok(best)
    }

    /// The longest match of a part from one place to another at most.
    pub(super) fn longest(&mut self, part: &Part, from: usize, last: usize) -> Result<Option<usize>> {
        let mut found = None;
        self.run((part.start, part.end), from, last, &mut |at| {
            found = Some(at);
            false
        })?;
        Ok(found)
    }

    /// The shortest match of a part from one place that ends at or behind another, and not behind a third.
    pub(super) fn shortest(&mut self, part: &Part, from: usize, least: usize, last: usize) -> Result<Option<usize>> {
        let mut found = None;
        self.run((part.start, part.end), from, last, &mut |at| {
            found = (at >= least).then_some(at);
            found.is_some()
        })?;
        Ok(found)
    }

    /// Tells of each place, in order, where the instructions come to their end, until it is told enough.
    fn run(
        &mut self,
        (start, end): (usize, usize),
        from: usize,
        last: usize,
        enough: &mut dyn FnMut(usize) -> bool,
    ) -> Result<()> {
        self.scratch.now.clear(end + 1);
        self.follow(start, end, (from, 0), false)?;
        for at in from..=last {
            if self.scratch.now.has(end) && enough(at) {
                break;
            }
            if self.scratch.now.list.is_empty() || at == last {
                break;
            }
            self.scratch.next.clear(end + 1);
            for index in 0..self.scratch.now.list.len() {
                let pc = self.scratch.now.list[index];
                if pc != end
                    && let (Some(Step::Char(set)), Some(c)) = (self.program.steps.get(pc), self.text.get(at))
                    && set.has(*c)
                {
                    self.follow(pc + 1, end, (at + 1, 0), true)?;
                }
            }
            self.swap()?;
        }
        Ok(())
    }

    /// Goes on to the next place.
    fn swap(&mut self) -> Result<()> {
        let scratch = &mut *self.scratch;
        std::mem::swap(&mut scratch.now, &mut scratch.next);
        scratch.work += 1 + scratch.now.list.len() as u64;
        if scratch.work >= BETWEEN_LOOKS {
            stop::check(std::mem::take(&mut scratch.work))?;
        }
        Ok(())
    }

    /// Adds an instruction, and all that it leads to without a character, to those of this place or of the next.
    fn follow(&mut self, pc: usize, end: usize, (at, start): (usize, usize), ahead: bool) -> Result<()> {
        let mut open = std::mem::take(&mut self.scratch.open);
        open.clear();
        open.push(pc);
        while let Some(pc) = open.pop() {
            let into = if ahead { &mut self.scratch.next } else { &mut self.scratch.now };
            if !into.add(pc, start) || pc == end {
                continue;
            }
            self.scratch.work += 1;
            match self.program.steps.get(pc) {
                Some(Step::Split(a, b)) => open.extend([*b, *a]),
                Some(Step::Jump(to)) => open.push(*to),
                Some(Step::Edge(edge)) if self.is_at(*edge, at) => open.push(pc + 1),
                Some(Step::Look(first, last, negated)) if self.looks((*first, *last), at)? != *negated => {
                    open.push(pc + 1);
                }
                _ => {}
            }
        }
        self.scratch.open = open;
        Ok(())
    }

    /// Whether instructions match from a place on.
    fn looks(&mut self, instructions: (usize, usize), at: usize) -> Result<bool> {
        let mut inner = Scratch { work: self.scratch.work, ..Scratch::default() };
        let mut found = false;
        let mut matcher = Matcher { program: self.program, text: self.text, scratch: &mut inner };
        matcher.run(instructions, at, self.text.len(), &mut |_| {
            found = true;
            true
        })?;
        self.scratch.work = inner.work;
        Ok(found)
    }

    fn is_at(&self, edge: Edge, at: usize) -> bool {
        let before = at.checked_sub(1).and_then(|at| self.text.get(at)).copied();
        let after = self.text.get(at).copied();
        let is_word = |c: Option<char>| c.is_some_and(|c| self.program.word.has(c));
        let (word_before, word_after) = (is_word(before), is_word(after));
        match edge {
            Edge::LineStart => before.is_none() || (self.program.lines && before == Some('\n')),
            Edge::LineEnd => after.is_none() || (self.program.lines && after == Some('\n')),
            Edge::TextStart => before.is_none(),
            Edge::TextEnd => after.is_none(),
            Edge::WordStart => !word_before && word_after,
            Edge::WordEnd => word_before && !word_after,
            Edge::Word => word_before != word_after,
            Edge::NotWord => word_before == word_after,
        }
    }
}

/// The instructions that are followed at one place. Those of an older place are told by their number.
#[derive(Debug, Default)]
struct Threads {
    list: Vec<usize>,
    starts: Vec<usize>,
    /// The place at which each instruction was last followed.
    seen: Vec<u64>,
    place: u64,
}

impl Threads {
    /// Forgets all, and has room for so many instructions.
    fn clear(&mut self, size: usize) {
        self.list.clear();
        self.place += 1;
        if self.seen.len() < size {
            self.seen.resize(size, 0);
            self.starts.resize(size, 0);
        }
    }

    fn has(&self, pc: usize) -> bool {
        self.seen.get(pc) == Some(&self.place)
    }

    /// False if it is followed already, from no later a start.
    fn add(&mut self, pc: usize, start: usize) -> bool {
        let known = self.has(pc);
        if known && self.starts[pc] <= start {
            return false;
        }
        self.starts[pc] = start;
        if !known {
            self.seen[pc] = self.place;
            self.list.push(pc);
        }
        true
    }
}
