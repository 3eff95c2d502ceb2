//! Where a match must be cut for its subexpressions, and what each piece prefers: PostgreSQL's division of an expression.
//! Must not know: how an expression is written, how it is matched.
//!
//! What captures nothing and wants one thing throughout is one piece, matched as a whole. A piece that captures, or wants something
//! else than what stands before it, is cut off: a branch becomes what stands before it, the piece, and the rest. Of `x+` only the last
//! `x` captures; `x*` is cut into its iterations.

use super::parse::{Node, Wants};
use crate::error::{Error, Result};

/// The most pieces behind each other or in each other: each is a call deep.
const DEEPEST: usize = 250;

/// A piece of an expression.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    pub(super) kind: Kind,
    /// The numbers of the parentheses that stand just around it.
    pub(super) groups: Vec<usize>,
    traits: Traits,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// What is not cut.
    Plain(Vec<Node>),
    Pair(Box<Shape>, Box<Shape>),
    Alternatives(Vec<Shape>),
    Repeat {
        once: Box<Shape>,
        node: Node,
        min: u32,
        max: Option<u32>,
    },
}

/// What is known of a piece: its own wishes, and whether there is something in it that it must be cut for.
#[derive(Debug, Clone, Copy, Default)]
struct Traits {
    longer: bool,
    shorter: bool,
    mixed: bool,
    captures: bool,
}

impl Traits {
    fn wanting(wants: Wants) -> Traits {
        Traits { longer: wants == Wants::Most, shorter: wants == Wants::Least, ..Traits::default() }
    }

    fn and(self, other: Traits) -> Traits {
        Traits {
            longer: self.longer || other.longer,
            shorter: self.shorter || other.shorter,
            mixed: self.mixed || other.mixed,
            captures: self.captures || other.captures,
        }
    }

    /// Without its own wishes: those of two kinds are remembered.
    fn above(self) -> Traits {
        Traits { longer: false, shorter: false, mixed: self.mixed || (self.longer && self.shorter), ..self }
    }

    fn own(self) -> Traits {
        Traits { mixed: false, captures: false, ..self }
    }

    fn has_own(self) -> bool {
        self.longer || self.shorter
    }

    /// Of two pieces as one, the wishes of the first before those of the second.
    fn then(self, other: Traits) -> Traits {
        let first = if self.has_own() { self } else { other };
        self.and(other).above().and(first.own())
    }

    fn must_be_cut(self) -> bool {
        self.mixed || self.captures
    }
}

impl Shape {
    fn plain(nodes: Vec<Node>, traits: Traits) -> Shape {
        Shape { kind: Kind::Plain(nodes), groups: Vec::new(), traits }
    }

    /// Whether it takes the shortest.
    pub(super) fn is_short(&self) -> bool {
        self.traits.shorter
    }
}

/// The pieces of an expression.
///
/// # Errors
/// `0A000` where there are too many.
pub(super) fn shape(node: &Node) -> Result<Shape> {
    alternatives(node, 0)
}

fn alternatives(node: &Node, depth: usize) -> Result<Shape> {
    let Node::Alternatives(branches) = node else {
        return match node {
            Node::Concat(items) => branch(items, depth),
            other => branch(std::slice::from_ref(other), depth),
        };
    };
    let shapes = branches.iter().map(|branch| alternatives(branch, depth + 1)).collect::<Result<Vec<Shape>>>()?;
    let mut traits = Traits { longer: true, ..Traits::default() };
    for shape in &shapes {
        traits = traits.and(traits.and(shape.traits).above());
    }
    if traits.must_be_cut() {
        return Ok(Shape { kind: Kind::Alternatives(shapes), groups: Vec::new(), traits });
    }
    Ok(Shape::plain(vec![node.clone()], traits))
}

/// An item of a branch as what is repeated, and how.
fn quantified(item: &Node) -> (&Node, u32, Option<u32>, Wants) {
    match item {
        Node::Repeat { node, min, max, wants } => (node, *min, *max, *wants),
        other => (other, 1, Some(1), Wants::Same),
    }
}

fn branch(items: &[Node], depth: usize) -> Result<Shape> {
    if depth > DEEPEST {
        return Err(Error::unsupported(format!("a regular expression of more than {DEEPEST} pieces is not supported")));
    }
    let mut before: Vec<Node> = Vec::new();
    let mut traits = Traits::default();
    for (at, item) in items.iter().enumerate() {
        let (node, min, max, wants) = quantified(item);
        if matches!(node, Node::Empty) || max == Some(0) {
            continue;
        }
        let Node::Group(inner, number) = node else {
            let joined = traits.and(Traits::wanting(wants));
            if matches!(node, Node::Edge(_) | Node::Look { .. }) || !joined.above().must_be_cut() {
                before.push(item.clone());
                traits = joined;
                continue;
            }
            let atom = Shape::plain(vec![node.clone()], Traits::default());
            let rest = rest_of(items.get(at + 1..).unwrap_or_default(), depth)?;
            return Ok(cut((before, traits), repeated(atom, node, (min, max, wants)), rest));
        };
        let mut atom = alternatives(inner, depth + 1)?;
        if let Some(number) = number {
            atom.groups.push(*number);
            atom.traits.captures = true;
        }
        let joined = traits.and(Traits::wanting(wants)).and(atom.traits);
        if number.is_none() && !joined.above().must_be_cut() {
            before.push(item.clone());
            traits = joined;
            continue;
        }
        let rest = rest_of(items.get(at + 1..).unwrap_or_default(), depth)?;
        return Ok(cut((before, traits), repeated(atom, node, (min, max, wants)), rest));
    }
    Ok(Shape::plain(before, traits))
}

/// The rest of a branch; none where nothing is left.
fn rest_of(items: &[Node], depth: usize) -> Result<Option<Shape>> {
    if items.iter().all(|node| matches!(node, Node::Empty)) {
        return Ok(None);
    }
    branch(items, depth + 1).map(Some)
}

/// A piece, repeated, and what it and its repetition want together.
fn repeated(atom: Shape, node: &Node, (min, max, wants): (u32, Option<u32>, Wants)) -> (Shape, Traits) {
    let wanted = Traits::wanting(wants);
    let inner = atom.traits;
    let traits = wanted.then(inner);
    let silent = Traits { captures: false, ..inner };
    let vacuous = !wanted.has_own()
        || !(silent.has_own() || silent.mixed)
        || (!silent.mixed && (silent.longer, silent.shorter) == (wanted.longer, wanted.shorter));
    if (min, max) == (1, Some(1)) && vacuous {
        return (atom, traits);
    }
    let times = |less: u32| Node::Repeat {
        node: Box::new(node.clone()),
        min: min - less,
        max: max.map(|max| max - less),
        wants: Wants::Same,
    };
    if !inner.captures {
        return (Shape::plain(vec![times(0)], traits.own()), traits);
    }
    if min > 0 {
        let prefix = Shape::plain(vec![times(1)], traits.own());
        return (pair(prefix, atom, traits), traits);
    }
    let kind = Kind::Repeat { once: Box::new(atom), node: node.clone(), min, max };
    (Shape { kind, groups: Vec::new(), traits }, traits)
}

fn pair(first: Shape, second: Shape, traits: Traits) -> Shape {
    Shape { kind: Kind::Pair(Box::new(first), Box::new(second)), groups: Vec::new(), traits }
}

/// What stands before a piece that is cut off, the piece, and the rest of the branch.
fn cut((before, traits): (Vec<Node>, Traits), (piece, wants): (Shape, Traits), rest: Option<Shape>) -> Shape {
    let first = before.is_empty();
    let Some(rest) = rest else {
        if first {
            return piece;
        }
        let whole = traits.and(traits.then(piece.traits));
        return pair(Shape::plain(before, traits), piece, whole);
    };
    let tail = wants.and(wants.then(rest.traits));
    let whole = traits.and(traits.then(tail));
    if first {
        return pair(piece, rest, whole);
    }
    let joined = piece.traits.and(rest.traits);
    let tail = match (&piece.kind, &rest.kind) {
        (Kind::Plain(nodes), Kind::Plain(more)) if !joined.above().must_be_cut() => {
            Shape::plain(nodes.iter().chain(more).cloned().collect(), piece.traits.then(rest.traits))
        }
        _ => pair(piece, rest, tail),
    };
    pair(Shape::plain(before, traits), tail, whole)
}
