//! Matching: the expression as instructions that are followed for all ways at once.
//! Must not know: how an expression is written.

use super::invalid;
use super::parse::{Edge, Flags, Node};
use super::set::{Set, is_word};
use crate::error::Result;

/// The most instructions of an expression.
const LONGEST: usize = 50_000;

#[derive(Debug, Clone)]
enum Step {
    Char(Set),
    Edge(Edge),
    /// A part that must match, or must not, from here on.
    Look(Box<Part>, bool),
    Split(usize, usize),
    Jump(usize),
}

/// A part of the expression and its instructions: from `start` up to `end`.
#[derive(Debug, Clone)]
pub(super) struct Part {
    start: usize,
    end: usize,
    kind: Kind,
    /// Whether it has a group in it that captures.
    captures: bool,
    greedy: bool,
}

#[derive(Debug, Clone)]
enum Kind {
    Leaf,
    Concat(Vec<Part>),
    Alternatives(Vec<Part>),
    Repeat { once: Box<Part>, min: u32, max: Option<u32> },
    Group(Box<Part>, Option<usize>),
}

/// A compiled expression.
#[derive(Debug, Clone)]
pub(super) struct Program {
    steps: Vec<Step>,
    whole: Box<Part>,
    lines: bool,
}

impl Program {
    pub(super) fn compile(node: &Node, flags: Flags) -> Result<Program> {
        let mut steps = Vec::new();
        let whole = Box::new(part(node, &mut steps)?);
        Ok(Program { steps, whole, lines: flags.lines })
    }

    pub(super) fn whole(&self) -> &Part {
        &self.whole
    }

    /// Where the leftmost match at or after a place starts.
    pub(super) fn start_of_match(&self, text: &[char], from: usize) -> Option<usize> {
        // For each instruction the leftmost start that leads to it.
        let mut now = Threads::new(self.whole.end + 1);
        let mut best: Option<usize> = None;
        for at in from..=text.len() {
            if best.is_none() {
                self.follow(self.whole.start, &self.whole, text, (at, at), &mut now);
            }
            let mut next = Threads::new(self.whole.end + 1);
            for index in 0..now.list.len() {
                let (pc, start) = (now.list[index], now.starts[now.list[index]]);
                if best.is_some_and(|best| start >= best) {
                    continue;
                }
                if pc == self.whole.end {
                    best = Some(start);
                } else if let (Some(Step::Char(set)), Some(c)) = (self.steps.get(pc), text.get(at))
                    && set.has(*c)
                {
                    self.follow(pc + 1, &self.whole, text, (at + 1, start), &mut next);
                }
            }
            now = next;
            if best.is_some_and(|best| now.list.iter().all(|pc| now.starts[*pc] >= best)) {
                break;
            }
        }
        best
    }

    /// All ends, in order, of a part that starts at a place and ends at or before another.
    pub(super) fn ends(&self, part: &Part, text: &[char], start: usize, last: usize) -> Vec<usize> {
        let mut found = Vec::new();
        let mut now = Threads::new(part.end + 1);
        self.follow(part.start, part, text, (start, start), &mut now);
        for at in start..=last {
            if now.list.contains(&part.end) {
                found.push(at);
            }
            if now.list.is_empty() {
                break;
            }
            let mut next = Threads::new(part.end + 1);
            if at < last {
                for pc in &now.list {
                    if let (Some(Step::Char(set)), Some(c)) =
                        (self.steps.get(*pc).filter(|_| *pc != part.end), text.get(at))
                        && set.has(*c)
                    {
                        self.follow(pc + 1, part, text, (at + 1, start), &mut next);
                    }
                }
            }
            now = next;
        }
        found
    }

    fn spans(&self, part: &Part, text: &[char], start: usize, end: usize) -> bool {
        self.ends(part, text, start, end).last() == Some(&end)
    }

    /// Adds an instruction and all that it leads to without a character.
    fn follow(&self, pc: usize, part: &Part, text: &[char], (at, start): (usize, usize), into: &mut Threads) {
        let mut open = vec![pc];
        while let Some(pc) = open.pop() {
            if !into.add(pc, start) || pc == part.end {
                continue;
            }
            match self.steps.get(pc) {
                Some(Step::Split(a, b)) => open.extend([*b, *a]),
                Some(Step::Jump(to)) => open.push(*to),
                Some(Step::Edge(edge)) if self.is_at(*edge, text, at) => open.push(pc + 1),
                Some(Step::Look(inner, negated)) if self.looks(inner, text, at) != *negated => open.push(pc + 1),
                _ => {}
            }
        }
    }

    fn looks(&self, inner: &Part, text: &[char], at: usize) -> bool {
        !self.ends(inner, text, at, text.len()).is_empty()
    }

    fn is_at(&self, edge: Edge, text: &[char], at: usize) -> bool {
        let before = at.checked_sub(1).and_then(|at| text.get(at)).copied();
        let after = text.get(at).copied();
        let (word_before, word_after) = (before.is_some_and(is_word), after.is_some_and(is_word));
        match edge {
            Edge::LineStart => before.is_none() || (self.lines && before == Some('\n')),
            Edge::LineEnd => after.is_none() || (self.lines && after == Some('\n')),
            Edge::TextStart => before.is_none(),
            Edge::TextEnd => after.is_none(),
            Edge::WordStart => !word_before && word_after,
            Edge::WordEnd => word_before && !word_after,
            Edge::Word => word_before != word_after,
            Edge::NotWord => word_before == word_after,
        }
    }

    /// Cuts a match along the expression: each part takes the most it can, or the least if it wants that, the first parts first.
    pub(super) fn cut(&self, part: &Part, text: &[char], span: (usize, usize), found: &mut [Option<(usize, usize)>]) {
        if !part.captures {
            return;
        }
        match &part.kind {
            Kind::Leaf => {}
            Kind::Group(inner, number) => {
                if let Some(place) = number.and_then(|number| found.get_mut(number)) {
                    *place = Some(span);
                }
                self.cut(inner, text, span, found);
            }
            Kind::Alternatives(parts) => {
                if let Some(taken) = parts.iter().find(|part| self.spans(part, text, span.0, span.1)) {
                    self.cut(taken, text, span, found);
                }
            }
            Kind::Concat(parts) => {
                let mut start = span.0;
                for (at, this) in parts.iter().enumerate() {
                    let rest = parts.get(at + 1..).unwrap_or_default();
                    let fits = |middle: &usize| self.all_span(rest, text, *middle, span.1);
                    let Some(end) = self.choose(this, text, (start, span.1), fits) else { return };
                    self.cut(this, text, (start, end), found);
                    start = end;
                }
            }
            Kind::Repeat { once, min, max } => self.cut_repeat((once, *min, *max), part.greedy, text, span, found),
        }
    }

    fn cut_repeat(
        &self,
        (once, min, max): (&Part, u32, Option<u32>),
        greedy: bool,
        text: &[char],
        span: (usize, usize),
        found: &mut [Option<(usize, usize)>],
    ) {
        let (mut start, mut done) = (span.0, 0_u32);
        if start == span.1 && min == 0 && greedy {
            return;
        }
        while start < span.1 || done < min {
            let left = max.map(|max| max.saturating_sub(done + 1));
            let fits = |middle: &usize| {
                (*middle > start || done < min)
                    && self.repeats(once, text, (*middle, span.1), min.saturating_sub(done + 1), left)
            };
            let Some(end) = self.choose(once, text, (start, span.1), fits) else { return };
            self.cut(once, text, (start, end), found);
            done += 1;
            start = end;
        }
    }

    /// The end that a part takes among those that leave the rest a match.
    fn choose(
        &self,
        part: &Part,
        text: &[char],
        (start, last): (usize, usize),
        fits: impl Fn(&usize) -> bool,
    ) -> Option<usize> {
        let ends = self.ends(part, text, start, last);
        if part.greedy { ends.into_iter().rev().find(|end| fits(end)) } else { ends.into_iter().find(|end| fits(end)) }
    }

    /// Whether parts, one after the other, take exactly a span.
    fn all_span(&self, parts: &[Part], text: &[char], start: usize, end: usize) -> bool {
        let mut places = vec![start];
        for part in parts {
            let mut next: Vec<usize> = places.iter().flat_map(|at| self.ends(part, text, *at, end)).collect();
            next.sort_unstable();
            next.dedup();
            places = next;
        }
        places.contains(&end)
    }

    /// Whether a part, so many times, takes exactly a span.
    fn repeats(&self, once: &Part, text: &[char], span: (usize, usize), min: u32, max: Option<u32>) -> bool {
        let mut places = vec![span.0];
        let mut seen: Vec<usize> = Vec::new();
        let mut done = 0;
        loop {
            if done >= min && places.contains(&span.1) {
                return true;
            }
            if max.is_some_and(|max| done >= max) || places.is_empty() {
                return false;
            }
            let mut next: Vec<usize> = places.iter().flat_map(|at| self.ends(once, text, *at, span.1)).collect();
            next.sort_unstable();
            next.dedup();
            if done >= min {
                next.retain(|at| !seen.contains(at));
                seen.extend(&next);
            }
            places = next;
            done += 1;
        }
    }
}

/// The instructions that are followed at one place.
struct Threads {
    list: Vec<usize>,
    starts: Vec<usize>,
}

impl Threads {
    fn new(size: usize) -> Threads {
        Threads { list: Vec::new(), starts: vec![usize::MAX; size] }
    }

    /// False if it is followed already, from no later a start.
    fn add(&mut self, pc: usize, start: usize) -> bool {
        match self.starts.get_mut(pc) {
            Some(known) if *known == usize::MAX => {
                *known = start;
                self.list.push(pc);
                true
            }
            Some(known) if start < *known => {
                *known = start;
                true
            }
            _ => false,
        }
    }
}

fn push(steps: &mut Vec<Step>, step: Step) -> Result<usize> {
    if steps.len() >= LONGEST {
        return Err(invalid("regular expression is too complex"));
    }
    steps.push(step);
    Ok(steps.len() - 1)
}

fn part(node: &Node, steps: &mut Vec<Step>) -> Result<Part> {
    let start = steps.len();
    let mut captures = false;
    let kind = match node {
        Node::Empty => Kind::Leaf,
        Node::Set(set) => {
            push(steps, Step::Char(set.clone()))?;
            Kind::Leaf
        }
        Node::Edge(edge) => {
            push(steps, Step::Edge(*edge))?;
            Kind::Leaf
        }
        Node::Look { node, negated } => {
            let over = push(steps, Step::Jump(0))?;
            let inner = part(node, steps)?;
            // The end of the part that is looked for is a place of its own.
            let end = push(steps, Step::Jump(0))?;
            steps[over] = Step::Jump(end + 1);
            steps[end] = Step::Jump(end + 1);
            push(steps, Step::Look(Box::new(inner), *negated))?;
            Kind::Leaf
        }
        Node::Concat(nodes) => {
            let parts = nodes.iter().map(|node| part(node, steps)).collect::<Result<Vec<_>>>()?;
            captures = parts.iter().any(|part| part.captures);
            Kind::Concat(parts)
        }
        Node::Alternatives(nodes) => {
            let parts = alternatives(nodes, steps)?;
            captures = parts.iter().any(|part| part.captures);
            Kind::Alternatives(parts)
        }
        Node::Repeat { node, min, max, .. } => {
            let once = repeat(node, *min, *max, steps)?;
            captures = once.captures;
            Kind::Repeat { once: Box::new(once), min: *min, max: *max }
        }
        Node::Group(inner, number) => {
            let inner = part(inner, steps)?;
            captures = number.is_some() || inner.captures;
            Kind::Group(Box::new(inner), *number)
        }
    };
    let greedy = super::prefers_longer(node).unwrap_or(true);
    Ok(Part { start, end: steps.len(), kind, captures, greedy })
}

fn alternatives(nodes: &[Node], steps: &mut Vec<Step>) -> Result<Vec<Part>> {
    let mut parts = Vec::with_capacity(nodes.len());
    let mut leaps = Vec::new();
    for (at, node) in nodes.iter().enumerate() {
        let last = at + 1 == nodes.len();
        let split = if last { None } else { Some(push(steps, Step::Jump(0))?) };
        parts.push(part(node, steps)?);
        if let Some(split) = split {
            leaps.push(push(steps, Step::Jump(0))?);
            steps[split] = Step::Split(split + 1, steps.len());
        }
    }
    let end = steps.len();
    for leap in leaps {
        steps[leap] = Step::Jump(end);
    }
    Ok(parts)
}

/// Copies for what must be there, then for what may; the first copy is the part that stands for each.
fn repeat(node: &Node, min: u32, max: Option<u32>, steps: &mut Vec<Step>) -> Result<Part> {
    let mut first: Option<Part> = None;
    for _ in 0..min {
        let copy = part(node, steps)?;
        first.get_or_insert(copy);
    }
    match max {
        None => {
            let split = push(steps, Step::Jump(0))?;
            let copy = part(node, steps)?;
            first.get_or_insert(copy);
            push(steps, Step::Jump(split))?;
            steps[split] = Step::Split(split + 1, steps.len());
        }
        Some(max) => {
            let mut splits = Vec::new();
            for _ in min..max {
                splits.push(push(steps, Step::Jump(0))?);
                let copy = part(node, steps)?;
                first.get_or_insert(copy);
            }
            let end = steps.len();
            for split in splits {
                steps[split] = Step::Split(split + 1, end);
            }
        }
    }
    match first {
        Some(first) => Ok(first),
        // Nothing, no times: its own instructions, which are passed over.
        None => {
            let over = push(steps, Step::Jump(0))?;
            let copy = part(node, steps)?;
            steps[over] = Step::Jump(steps.len());
            Ok(copy)
        }
    }
}
