//! What PostgreSQL 15's catalogs say of operators, functions and casts: the ground that calls are resolved on.
//! Must not know: DataFusion, Arrow.

use std::collections::HashMap;
use std::sync::LazyLock;

/// An operator of `pg_operator`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operator {
    /// The left operand's type, 0 for a prefix operator.
    pub(super) left: u32,
    /// The right operand's type.
    pub(super) right: u32,
    /// The function behind it: `pg_proc.prosrc`.
    pub(super) source: &'static str,
    /// The result's type.
    pub(super) returns: u32,
}

/// A function of `pg_proc`.
#[derive(Debug, Clone)]
pub(super) struct Function {
    /// The SQL name.
    pub(super) name: &'static str,
    /// f function, a aggregate, w window, p procedure.
    pub(super) kind: u8,
    /// Whether it returns a set.
    pub(super) set: bool,
    /// The element type of its last, variadic argument, or 0.
    pub(super) variadic: u32,
    /// How many of the last arguments have a default.
    pub(super) defaults: usize,
    /// The result's type.
    pub(super) returns: u32,
    /// The arguments' types.
    pub(super) args: Vec<u32>,
    /// `prosrc` of an internal function, else its name.
    pub(super) source: &'static str,
}

/// How far a cast goes without being asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum CastContext {
    /// Anywhere.
    Implicit,
    /// In assignments.
    Assignment,
    /// Only where it is written.
    Explicit,
}

/// A cast of `pg_cast`.
#[derive(Debug, Clone, Copy)]
pub(super) struct CastRow {
    /// How far it goes without being asked for.
    pub(super) context: CastContext,
    /// f function, b binary coercible, i by the input and output functions.
    pub(super) method: u8,
}

static OPERATORS: LazyLock<HashMap<&'static str, Vec<Operator>>> = LazyLock::new(|| {
    let mut by_name: HashMap<_, Vec<_>> = HashMap::new();
    for line in include_str!("operators.txt").lines() {
        let mut words = line.split(' ');
        let mut word = || words.next().unwrap_or("");
        let name = word();
        let mut oid = || word().parse().unwrap_or(0);
        let (left, right, returns) = (oid(), oid(), oid());
        by_name.entry(name).or_default().push(Operator { left, right, returns, source: word() });
    }
    by_name
});

static FUNCTIONS: LazyLock<HashMap<&'static str, Vec<Function>>> = LazyLock::new(|| {
    let mut by_name: HashMap<_, Vec<_>> = HashMap::new();
    for line in include_str!("functions.txt").lines() {
        let words: Vec<&'static str> = line.split(' ').collect();
        let [name, kind, set, variadic, defaults, returns, args, source] = words[..] else { continue };
        by_name.entry(name).or_default().push(Function {
            name,
            kind: kind.as_bytes().first().copied().unwrap_or(b'f'),
            set: set == "s",
            variadic: variadic.parse().unwrap_or(0),
            defaults: defaults.parse().unwrap_or(0),
            returns: returns.parse().unwrap_or(0),
            args: args.split(',').filter_map(|oid| oid.parse().ok()).collect(),
            source,
        });
    }
    by_name
});

static CASTS: LazyLock<HashMap<(u32, u32), CastRow>> = LazyLock::new(|| {
    let mut casts = HashMap::new();
    for line in include_str!("casts.txt").lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [from, to, context, method, _] = words[..] else { continue };
        let context = match context {
            "i" => CastContext::Implicit,
            "a" => CastContext::Assignment,
            _ => CastContext::Explicit,
        };
        let method = method.as_bytes().first().copied().unwrap_or(b'f');
        casts.insert((from.parse().unwrap_or(0), to.parse().unwrap_or(0)), CastRow { context, method });
    }
    casts
});

/// All operators with a name.
pub(super) fn operators(name: &str) -> &'static [Operator] {
    OPERATORS.get(name).map_or(&[], Vec::as_slice)
}

/// All functions.
pub(super) fn all_functions() -> impl Iterator<Item = &'static Function> {
    FUNCTIONS.values().flatten()
}

/// All functions with a name.
pub(super) fn functions(name: &str) -> &'static [Function] {
    FUNCTIONS.get(name).map_or(&[], Vec::as_slice)
}

/// The cast from one type to another that `pg_cast` knows.
pub(super) fn cast(from: u32, to: u32) -> Option<CastRow> {
    CASTS.get(&(from, to)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_whole() {
        assert_eq!(OPERATORS.values().map(Vec::len).sum::<usize>(), 799);
        assert_eq!(CASTS.len(), 229);
        assert!(FUNCTIONS.values().map(Vec::len).sum::<usize>() > 2400);
        assert!(operators("+").iter().any(|op| op.source == "int4pl"));
        assert_eq!(functions("round").len(), 3);
        assert_eq!(cast(23, 20).map(|c| c.context), Some(CastContext::Implicit));
    }
}
