//! Which operator or function a call means: PostgreSQL's rules over the candidates of its catalogs.
//! Must not know: DataFusion, values; it sees types only.

use super::coerce::{can_coerce, category, is_preferred};
use super::pg::{self, CastContext, Function, Operator};
use crate::types::PgType;

/// `unknown`.
const UNKNOWN: u32 = 705;

/// How a search ended.
#[derive(Debug)]
pub(super) enum Resolved<T> {
    /// One.
    One(T),
    /// None that fits.
    Missing,
    /// Several, and no rule prefers one.
    Ambiguous,
}

/// The binary operator for two types.
pub(super) fn binary_operator(name: &str, left: u32, right: u32) -> Resolved<Operator> {
    let all = pg::operators(name);
    // One unknown side is first taken for the other side's type.
    let (l, r) = match (left, right) {
        (UNKNOWN, UNKNOWN) => (left, right),
        (UNKNOWN, r) => (r, r),
        (l, UNKNOWN) => (l, l),
        both => both,
    };
    if let Some(found) = all.iter().find(|op| op.left == l && op.right == r) {
        return Resolved::One(*found);
    }
    let candidates: Vec<(Vec<u32>, Operator)> =
        all.iter().filter(|op| op.left != 0).map(|op| (vec![op.left, op.right], *op)).collect();
    choose(&[left, right], candidates)
}

/// The prefix operator for a type.
pub(super) fn prefix_operator(name: &str, operand: u32) -> Resolved<Operator> {
    let all = pg::operators(name);
    if let Some(found) = all.iter().find(|op| op.left == 0 && op.right == operand) {
        return Resolved::One(*found);
    }
    choose(&[operand], all.iter().filter(|op| op.left == 0).map(|op| (vec![op.right], *op)).collect())
}

/// The types a call's arguments take, and the function.
pub(super) type FoundFunction = (Vec<u32>, &'static Function);

/// The function for a list of argument types. A variadic one has its last type repeated as often as needed.
pub(super) fn function(name: &str, args: &[u32]) -> Resolved<FoundFunction> {
    let candidates: Vec<(Vec<u32>, FoundFunction)> = pg::functions(name)
        .iter()
        .filter_map(|function| {
            let declared = declared_types(function, args.len())?;
            Some((declared.clone(), (declared, function)))
        })
        .collect();
    if let Some((_, exact)) = candidates.iter().find(|(types, _)| types == args) {
        return Resolved::One(exact.clone());
    }
    choose(args, candidates)
}

fn declared_types(function: &Function, count: usize) -> Option<Vec<u32>> {
    let declared = &function.args;
    if function.variadic != 0 && count >= declared.len() {
        let mut types = declared.get(..declared.len() - 1)?.to_vec();
        // VARIADIC "any" takes any type in each place.
        types.resize(count, function.variadic);
        return Some(types);
    }
    (count <= declared.len() && count + function.defaults >= declared.len())
        .then(|| declared.get(..count).map(<[u32]>::to_vec))
        .flatten()
}

/// PostgreSQL's choice among the candidates that the arguments can be coerced to.
fn choose<T: Clone>(args: &[u32], candidates: Vec<(Vec<u32>, T)>) -> Resolved<T> {
    let fitting: Vec<_> = candidates.into_iter().filter(|(types, _)| fits(args, types)).collect();
    match fitting.as_slice() {
        [] => Resolved::Missing,
        [(_, one)] => Resolved::One(one.clone()),
        _ => select(args, fitting),
    }
}

fn fits(args: &[u32], types: &[u32]) -> bool {
    args.len() == types.len()
        && args.iter().zip(types).all(|(from, to)| can_coerce(*from, *to, CastContext::Implicit))
        && polymorphic_types_agree(args, types)
}

/// `anyelement` and `anyarray` in one signature stand for one type and its arrays; `anycompatible` and its kin for types that have a
/// common one.
fn polymorphic_types_agree(args: &[u32], types: &[u32]) -> bool {
    let mut element = None;
    let mut compatible: Option<u32> = None;
    let own = |oid: u32| PgType::new(oid).own_kind().is_some();
    for (arg, declared) in args.iter().zip(types) {
        // The `anycompatible` types want a common type: there is none between categories.
        let one = match declared {
            5077 | 5079 => Some(*arg),
            5078 => PgType::new(*arg).element().map(|element| element.oid),
            _ => None,
        };
        if let Some(one) = one.filter(|one| *one != UNKNOWN) {
            // A type of a source's own has none with any other.
            let apart = |known: u32| category(known) != category(one) || (known != one && (own(known) || own(one)));
            if compatible.is_some_and(apart) {
                return false;
            }
            compatible = Some(one);
        }
        let this = match declared {
            2283 | 2776 | 3500 => *arg,
            2277 => PgType::new(*arg).element().map_or(UNKNOWN, |e| e.oid),
            _ => continue,
        };
        if this == UNKNOWN {
            continue;
        }
        if element.is_some_and(|known| known != this) {
            return false;
        }
        element = Some(this);
    }
    // Of literals alone nobody knows which enum they are of.
    element.is_some() || !types.contains(&3500)
}

fn best_by<T>(candidates: Vec<(Vec<u32>, T)>, score: impl Fn(&[u32]) -> usize) -> Vec<(Vec<u32>, T)> {
    let best = candidates.iter().map(|(types, _)| score(types)).max().unwrap_or(0);
    candidates.into_iter().filter(|(types, _)| score(types) == best).collect()
}

fn select<T: Clone>(args: &[u32], candidates: Vec<(Vec<u32>, T)>) -> Resolved<T> {
    let known = || args.iter().enumerate().filter(|(_, oid)| **oid != UNKNOWN);
    let exact = |types: &[u32]| known().filter(|(i, oid)| types.get(*i) == Some(*oid)).count();
    let candidates = best_by(candidates, exact);
    if let [(_, one)] = candidates.as_slice() {
        return Resolved::One(one.clone());
    }
    let preferred = |types: &[u32]| {
        known()
            .filter(|(i, oid)| {
                types.get(*i).is_some_and(|to| to == *oid || (category(*to) == category(**oid) && is_preferred(*to)))
            })
            .count()
    };
    let candidates = best_by(candidates, preferred);
    if let [(_, one)] = candidates.as_slice() {
        return Resolved::One(one.clone());
    }
    if known().count() == args.len() {
        return Resolved::Ambiguous;
    }
    let candidates = narrow_unknowns(args, candidates);
    if let [(_, one)] = candidates.as_slice() {
        return Resolved::One(one.clone());
    }
    let mut types = known().map(|(_, oid)| *oid);
    let Some(first) = types.next() else { return Resolved::Ambiguous };
    if types.any(|oid| oid != first) {
        return Resolved::Ambiguous;
    }
    let same = vec![first; args.len()];
    let mut fitting = candidates.into_iter().filter(|(types, _)| fits(&same, types));
    match (fitting.next(), fitting.next()) {
        (Some((_, one)), None) => Resolved::One(one),
        _ => Resolved::Ambiguous,
    }
}

/// Settles the category of each unknown argument (strings win) and keeps the candidates of that category.
fn narrow_unknowns<T>(args: &[u32], candidates: Vec<(Vec<u32>, T)>) -> Vec<(Vec<u32>, T)> {
    let mut slots = Vec::new();
    for (i, _) in args.iter().enumerate().filter(|(_, oid)| **oid == UNKNOWN) {
        let mut slot: Option<(char, bool)> = None;
        let mut conflict = false;
        for to in candidates.iter().filter_map(|(types, _)| types.get(i).copied()) {
            let (this, this_preferred) = (category(to), is_preferred(to));
            match &mut slot {
                None => slot = Some((this, this_preferred)),
                Some((known, preferred)) if *known == this => *preferred |= this_preferred,
                Some(known) if this == 'S' => *known = (this, this_preferred),
                Some(_) => conflict = true,
            }
        }
        match slot {
            Some(slot) if !conflict || slot.0 == 'S' => slots.push((i, slot)),
            _ => return candidates,
        }
    }
    let keep = |types: &[u32]| {
        slots.iter().all(|(i, (wanted, wants_preferred))| {
            types.get(*i).is_some_and(|to| category(*to) == *wanted && (!wants_preferred || is_preferred(*to)))
        })
    };
    if !candidates.iter().any(|(types, _)| keep(types)) {
        return candidates;
    }
    candidates.into_iter().filter(|(types, _)| keep(types)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operator(name: &str, left: u32, right: u32) -> String {
        match binary_operator(name, left, right) {
            Resolved::One(op) => op.source.to_owned(),
            Resolved::Missing => "missing".to_owned(),
            Resolved::Ambiguous => "ambiguous".to_owned(),
        }
    }

    #[test]
    fn operators_as_postgresql_chooses_them() {
        assert_eq!(operator("+", 23, 23), "int4pl");
        assert_eq!(operator("+", 23, 1700), "numeric_add");
        assert_eq!(operator("+", 23, 25), "missing");
        assert_eq!(operator("+", 1082, 705), "ambiguous");
        assert_eq!(operator("=", 1043, 1043), "texteq");
        assert_eq!(operator("=", 1043, 705), "texteq");
        assert_eq!(operator("||", 25, 23), "textanycat");
        assert_eq!(operator("||", 705, 705), "textcat");
        assert_eq!(operator("-", 1082, 1186), "date_mi_interval");
        assert_eq!(operator("+", 705, 705), "ambiguous");
        assert_eq!(operator("*", 1700, 701), "float8mul");
    }

    #[test]
    fn functions_as_postgresql_chooses_them() {
        let source = |name: &str, args: &[u32]| match function(name, args) {
            Resolved::One((_, f)) => format!("{}/{}", f.source, f.args.len()),
            Resolved::Missing => "missing".to_owned(),
            Resolved::Ambiguous => "ambiguous".to_owned(),
        };
        assert_eq!(source("round", &[23]), "dround/1");
        assert_eq!(source("round", &[1700, 23]), "numeric_round/2");
        assert_eq!(source("upper", &[705]), "upper/1");
        assert_eq!(source("sum", &[25]), "missing");
        assert_eq!(source("count", &[25]), "count/1");
        assert_eq!(source("count", &[]), "count/0");
        assert_eq!(source("concat", &[25, 23, 705]), "text_concat/1");
        assert_eq!(source("length", &[1043]), "textlen/1");
    }
}
