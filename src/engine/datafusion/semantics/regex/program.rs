//! An expression as instructions, and the pieces that a match is cut into.
//! Must not know: how an expression is written, how the instructions are followed.

use super::super::ctype::Ctype;
use super::invalid;
use super::parse::{Edge, Node};
use super::set::{Reading, Set};
use super::shape::{self, Shape};
use crate::error::Result;

/// The most instructions of an expression.
const LONGEST: usize = 50_000;

#[derive(Debug)]
pub(super) enum Step {
    Char(Set),
    Edge(Edge),
    /// What must match, or must not, from here on: the instructions from the first place up to the second.
    Look(usize, usize, bool),
    Split(usize, usize),
    Jump(usize),
}

/// A piece of the expression: its instructions from `start` up to `end`.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) kind: Kind,
    /// The groups that its match is the match of.
    pub(super) groups: Vec<usize>,
    /// Whether it takes the shortest match, not the longest.
    pub(super) short: bool,
}

#[derive(Debug)]
pub(super) enum Kind {
    Plain,
    Pair(Box<Part>, Box<Part>),
    Alternatives(Vec<Part>),
    Repeat { once: Box<Part>, min: usize, max: Option<usize> },
}

/// A compiled expression.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) steps: Vec<Step>,
    pub(super) whole: Part,
    /// Whether `^` and `$` match at lines.
    pub(super) lines: bool,
    /// What words are made of.
    pub(super) word: Set,
}

impl Program {
    pub(super) fn compile(node: &Node, lines: bool, ctype: Ctype) -> Result<Program> {
        let mut steps = Vec::new();
        let whole = part(&shape::shape(node)?, &mut steps)?;
        let word = Set::class("word", false, Reading { ctype, fold: false });
        Ok(Program { steps, whole, lines, word })
    }
}

fn push(steps: &mut Vec<Step>, step: Step) -> Result<usize> {
    if steps.len() >= LONGEST {
        return Err(invalid("regular expression is too complex"));
    }
    steps.push(step);
    Ok(steps.len() - 1)
}

fn part(shape: &Shape, steps: &mut Vec<Step>) -> Result<Part> {
    let start = steps.len();
    let kind = match &shape.kind {
        shape::Kind::Plain(nodes) => {
            nodes.iter().try_for_each(|node| emit(node, steps))?;
            Kind::Plain
        }
        shape::Kind::Pair(first, second) => Kind::Pair(Box::new(part(first, steps)?), Box::new(part(second, steps)?)),
        shape::Kind::Alternatives(shapes) => Kind::Alternatives(alternatives(shapes, steps, part)?),
        shape::Kind::Repeat { once, node, min, max } => {
            // The first copy is the piece that stands for each; the others are for the match as a whole.
            let mut copies = 0;
            let mut first = None;
            repeat(*min, *max, steps, &mut |steps| {
                copies += 1;
                if copies > 1 {
                    return emit(node, steps);
                }
                first = Some(part(once, steps)?);
                Ok(())
            })?;
            match first {
                Some(once) => {
                    Kind::Repeat { once: Box::new(once), min: *min as usize, max: max.map(|max| max as usize) }
                }
                None => Kind::Plain,
            }
        }
    };
    Ok(Part { start, end: steps.len(), kind, groups: shape.groups.clone(), short: shape.is_short() })
}

/// The instructions of what is not cut.
fn emit(node: &Node, steps: &mut Vec<Step>) -> Result<()> {
    match node {
        Node::Empty => Ok(()),
        Node::Set(set) => push(steps, Step::Char(set.clone())).map(|_| ()),
        Node::Edge(edge) => push(steps, Step::Edge(*edge)).map(|_| ()),
        Node::Look { node, negated } => {
            let over = push(steps, Step::Jump(0))?;
            emit(node, steps)?;
            let end = push(steps, Step::Jump(0))?;
            steps[over] = Step::Jump(end + 1);
            steps[end] = Step::Jump(end + 1);
            push(steps, Step::Look(over + 1, end, *negated)).map(|_| ())
        }
        Node::Concat(nodes) => nodes.iter().try_for_each(|node| emit(node, steps)),
        Node::Alternatives(nodes) => alternatives(nodes, steps, emit).map(|_| ()),
        Node::Repeat { node, min, max, .. } => repeat(*min, *max, steps, &mut |steps| emit(node, steps)),
        Node::Group(inner, _) => emit(inner, steps),
    }
}

fn alternatives<T, R>(
    all: &[T],
    steps: &mut Vec<Step>,
    emit: impl Fn(&T, &mut Vec<Step>) -> Result<R>,
) -> Result<Vec<R>> {
    let mut made = Vec::with_capacity(all.len());
    let mut leaps = Vec::new();
    for (at, one) in all.iter().enumerate() {
        let last = at + 1 == all.len();
        let split = if last { None } else { Some(push(steps, Step::Jump(0))?) };
        made.push(emit(one, steps)?);
        if let Some(split) = split {
            leaps.push(push(steps, Step::Jump(0))?);
            steps[split] = Step::Split(split + 1, steps.len());
        }
    }
    let end = steps.len();
    for leap in leaps {
        steps[leap] = Step::Jump(end);
    }
    Ok(made)
}

/// Copies for what must be there, then for what may.
fn repeat(
    min: u32,
    max: Option<u32>,
    steps: &mut Vec<Step>,
    emit: &mut dyn FnMut(&mut Vec<Step>) -> Result<()>,
) -> Result<()> {
    for _ in 0..min {
        emit(steps)?;
    }
    let Some(max) = max else {
        let split = push(steps, Step::Jump(0))?;
        emit(steps)?;
        push(steps, Step::Jump(split))?;
        steps[split] = Step::Split(split + 1, steps.len());
        return Ok(());
    };
    let mut splits = Vec::new();
    for _ in min..max {
        splits.push(push(steps, Step::Jump(0))?);
        emit(steps)?;
    }
    let end = steps.len();
    for split in splits {
        steps[split] = Step::Split(split + 1, end);
    }
    Ok(())
}
