//! Facts of PostgreSQL 15's catalogs that are the same everywhere, as `data/generate.sh` read them off a real one, and which of them hold here.
//! Must not know: who asks, relations of sources.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use super::{Listed, OFFERED};
use crate::types::PgType;

/// Schema, relation, its oid, column, the column's type, whether it is NOT NULL.
const COLUMNS: &str = include_str!("data/columns.tsv");

/// `#relation` and its columns, then rows in COPY's text form.
const ROWS: &str = include_str!("data/rows.tsv");

/// Rows of `pg_proc`, and what PostgreSQL says of arguments and result.
const PROCEDURES: &str = include_str!("data/procedures.tsv");

/// Rows of `pg_description`.
const DESCRIPTIONS: &str = include_str!("data/descriptions.tsv");

/// Rows of `pg_get_keywords()`.
const KEYWORDS: &str = include_str!("data/keywords.tsv");

/// The columns of `pg_proc`.
const PROC_COLUMNS: usize = 30;

/// The oid of the catalog that holds procedures.
const PG_PROC: u32 = 1255;

static RELATIONS: LazyLock<Vec<Listed>> = LazyLock::new(|| {
    let mut all: Vec<Listed> = Vec::new();
    for line in COLUMNS.lines() {
        let mut fields = line.split('\t');
        let (Some(schema), Some(name), Some(oid), Some(column), Some(ty)) =
            (fields.next(), fields.next(), fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let ty = PgType::new(ty.parse().unwrap_or(PgType::TEXT.oid));
        if !all.last().is_some_and(|last| last.name == name && last.schema == schema) {
            let oid = oid.parse().unwrap_or(0);
            all.push(Listed { schema, name, oid, columns: Vec::new(), not_null: Vec::new() });
        }
        if let Some(last) = all.last_mut() {
            last.columns.push((column.to_owned(), ty));
            last.not_null.push(fields.next() == Some("t"));
        }
    }
    all
});

/// All relations of `pg_catalog` and `information_schema`, by schema and name.
pub(super) fn relations() -> &'static [Listed] {
    &RELATIONS
}

static FIXED: LazyLock<HashMap<&'static str, Vec<&'static str>>> = LazyLock::new(|| {
    let mut rows: HashMap<&str, Vec<&str>> = HashMap::new();
    let mut current = "";
    for line in ROWS.lines() {
        match line.strip_prefix('#') {
            Some(head) => current = head.split('\t').next().unwrap_or_default(),
            None => rows.entry(current).or_default().push(line),
        }
    }
    rows
});

/// A column of a row.
fn field(line: &'static str, at: usize) -> &'static str {
    line.split('\t').nth(at).unwrap_or_default()
}

fn number(line: &'static str, at: usize) -> u32 {
    field(line, at).parse().unwrap_or(0)
}

/// What is offered, in a form to look it up.
struct Known {
    /// Functions of this room, whatever their arguments.
    own: HashSet<&'static str>,
    functions: HashSet<(String, Vec<u32>)>,
}

static KNOWN: LazyLock<Known> = LazyLock::new(|| Known {
    own: super::function_names().into_iter().collect(),
    functions: OFFERED.get().cloned().unwrap_or_default().into_iter().collect(),
});

/// The rows of a relation of `pg_catalog` that are the same for everybody.
pub(super) fn lines(relation: &str) -> Vec<&'static str> {
    let all = |name: &str| FIXED.get(name).cloned().unwrap_or_default();
    match relation {
        "pg_proc" => PROCS.rows.iter().filter(|procedure| procedure.listed).map(|procedure| procedure.line).collect(),
        "pg_aggregate" => {
            let listed = |line: &&'static str| procedure(number(line, 0)).is_some_and(|procedure| procedure.listed);
            all(relation).into_iter().filter(listed).collect()
        }
        "pg_description" => DESCRIPTIONS.lines().filter(|line| is_described(line)).collect(),
        other => all(other),
    }
}

/// Whether what a row of `pg_description` describes is there.
fn is_described(line: &'static str) -> bool {
    number(line, 1) != PG_PROC || procedure(number(line, 0)).is_some_and(|procedure| procedure.listed)
}

static DESCRIBED: LazyLock<HashMap<(u32, u32), &'static str>> = LazyLock::new(|| {
    lines("pg_description").into_iter().map(|line| ((number(line, 1), number(line, 0)), field(line, 3))).collect()
});

/// What is said of an object of a catalog (by the catalog's oid).
pub(super) fn description(catalog: u32, object: u32) -> Option<&'static str> {
    DESCRIBED.get(&(catalog, object)).copied()
}

/// A procedure of PostgreSQL's.
pub(super) struct Procedure {
    pub(super) oid: u32,
    pub(super) name: &'static str,
    pub(super) namespace: u32,
    /// f function, a aggregate, w window, p procedure.
    pub(super) kind: &'static str,
    pub(super) returns: u32,
    pub(super) arguments: Vec<u32>,
    /// With names, modes and defaults.
    pub(super) written_arguments: &'static str,
    pub(super) identity_arguments: &'static str,
    /// Empty for a procedure.
    pub(super) written_result: &'static str,
    /// i immutable, s stable, v volatile.
    pub(super) volatility: &'static str,
    pub(super) strict: bool,
    /// Whether `pg_proc` has it here: Tusk offers it, or a type points to it.
    pub(super) listed: bool,
    line: &'static str,
}

/// All of PostgreSQL's procedures.
struct Procs {
    rows: Vec<Procedure>,
    by_oid: HashMap<u32, usize>,
    by_name: HashMap<&'static str, Vec<usize>>,
}

static PROCS: LazyLock<Procs> = LazyLock::new(|| {
    // From typinput to typanalyze, and typsubscript.
    let of_type = |line: &'static str| (15..=21).chain([12]).map(move |at| number(line, at));
    // A cast runs its function.
    let casts = lines("pg_cast").into_iter().map(|line| number(line, 3));
    let handlers = FIXED.get("pg_am").into_iter().flatten().copied().map(|line| number(line, 2));
    let pointed_to: HashSet<u32> = FIXED
        .get("pg_type")
        .into_iter()
        .flatten()
        .copied()
        .flat_map(of_type)
        .chain(handlers)
        .chain(casts)
        .filter(|oid| *oid != 0)
        .collect();
    let rows: Vec<Procedure> = PROCEDURES.lines().map(|line| parsed(line, &pointed_to)).collect();
    let mut by_name: HashMap<&'static str, Vec<usize>> = HashMap::new();
    for (at, row) in rows.iter().enumerate() {
        by_name.entry(row.name).or_default().push(at);
    }
    let by_oid = rows.iter().enumerate().map(|(at, row)| (row.oid, at)).collect();
    Procs { rows, by_oid, by_name }
});

fn parsed(line: &'static str, pointed_to: &HashSet<u32>) -> Procedure {
    let (oid, name) = (number(line, 0), field(line, 1));
    let arguments: Vec<u32> = field(line, 19).split(' ').filter_map(|oid| oid.parse().ok()).collect();
    let own = |at: usize| Some(field(line, PROC_COLUMNS + at)).filter(|text| *text != "\\N").unwrap_or_default();
    // What enums and domains are read and written by, and the language that every database has.
    let of_own_types = [
        "plpgsql_call_handler",
        "plpgsql_inline_handler",
        "plpgsql_validator",
        "enum_in",
        "enum_out",
        "enum_recv",
        "enum_send",
        "domain_in",
        "domain_recv",
    ]
    .contains(&name);
    let listed = pointed_to.contains(&oid)
        || of_own_types
        || KNOWN.own.contains(name)
        || KNOWN.functions.contains(&(name.to_owned(), arguments.clone()));
    Procedure {
        oid,
        name,
        namespace: number(line, 2),
        kind: field(line, 9),
        returns: number(line, 18),
        arguments,
        written_arguments: own(0),
        identity_arguments: own(1),
        written_result: own(2),
        volatility: field(line, 14),
        strict: field(line, 12) == "t",
        listed,
        line,
    }
}

/// A procedure by its oid, whether it is listed or not.
pub(super) fn procedure(oid: u32) -> Option<&'static Procedure> {
    PROCS.by_oid.get(&oid).and_then(|at| PROCS.rows.get(*at))
}

/// The procedures with a name, listed or not.
pub(super) fn procedures(name: &str) -> impl Iterator<Item = &'static Procedure> {
    PROCS.by_name.get(name).into_iter().flatten().filter_map(|at| PROCS.rows.get(*at))
}

/// The procedures that are listed.
pub(super) fn listed_procedures() -> impl Iterator<Item = &'static Procedure> {
    PROCS.rows.iter().filter(|procedure| procedure.listed)
}

/// The functions that write a type's values.
pub(super) struct TypeFunctions {
    pub(super) output: u32,
    pub(super) send: u32,
}

static TYPE_FUNCTIONS: LazyLock<HashMap<u32, (u32, u32)>> = LazyLock::new(|| {
    let of = |line: &'static str| (number(line, 0), (number(line, 16), number(line, 18)));
    FIXED.get("pg_type").into_iter().flatten().copied().map(of).collect()
});

/// The functions of a built-in type.
pub(super) fn type_functions(oid: u32) -> TypeFunctions {
    let (output, send) = TYPE_FUNCTIONS.get(&oid).copied().unwrap_or_default();
    TypeFunctions { output, send }
}

/// An operator of PostgreSQL's.
pub(super) struct Operator {
    pub(super) oid: u32,
    pub(super) name: &'static str,
    /// 0: none.
    pub(super) left: u32,
    pub(super) right: u32,
}

static ALL_OPERATORS: LazyLock<Vec<Operator>> = LazyLock::new(|| {
    let parsed = |line: &'static str| Operator {
        oid: number(line, 0),
        name: field(line, 1),
        left: number(line, 7),
        right: number(line, 8),
    };
    FIXED.get("pg_operator").into_iter().flatten().copied().map(parsed).collect()
});

/// All of PostgreSQL's operators, listed or not.
pub(super) fn operators() -> &'static [Operator] {
    &ALL_OPERATORS
}

/// An operator class.
pub(super) struct OperatorClass {
    pub(super) oid: u32,
    pub(super) method: u32,
    pub(super) name: &'static str,
    pub(super) input: u32,
    pub(super) is_default: bool,
}

static CLASSES: LazyLock<Vec<OperatorClass>> = LazyLock::new(|| {
    let parsed = |line: &'static str| OperatorClass {
        oid: number(line, 0),
        method: number(line, 1),
        name: field(line, 2),
        input: number(line, 6),
        is_default: field(line, 7) == "t",
    };
    FIXED.get("pg_opclass").into_iter().flatten().copied().map(parsed).collect()
});

/// The operator class of an access method: by name, or the default of a type where there is no name. 0 where there is none.
pub(super) fn operator_class(method: u32, name: &str, of: PgType) -> u32 {
    let mut here = CLASSES.iter().filter(|class| class.method == method);
    if !name.is_empty() {
        return here.find(|class| class.name == name).map_or(0, |class| class.oid);
    }
    // A type without a class of its own has that of the type that its values are read as.
    let stands_for = match of.oid {
        1043 => 25,
        650 => 869,
        22 | 30 => of.oid,
        _ if of.is_array() => 2277,
        3904 | 3906 | 3908 | 3910 | 3912 | 3926 => 3831,
        other => other,
    };
    here.find(|class| class.is_default && (class.input == stands_for || class.input == of.oid))
        .map_or(0, |class| class.oid)
}

/// Oid and name of the access methods.
static METHODS: LazyLock<Vec<(u32, &'static str)>> = LazyLock::new(|| {
    FIXED.get("pg_am").into_iter().flatten().copied().map(|line| (number(line, 0), field(line, 1))).collect()
});

/// An access method's oid by its name; 0 where there is none.
pub(super) fn access_method(name: &str) -> u32 {
    METHODS.iter().find(|(_, known)| *known == name).map_or(0, |(oid, _)| *oid)
}

/// How Tusk itself orders text and tells letters: by bytes, which are in the order of code points, and by all of Unicode. One of the
/// collations has this name.
pub(super) const LOCALE: &str = "C.UTF-8";

/// Oid and name of the collations.
static COLLATIONS: LazyLock<Vec<(u32, &'static str)>> = LazyLock::new(|| {
    FIXED.get("pg_collation").into_iter().flatten().copied().map(|line| (number(line, 0), field(line, 1))).collect()
});

/// Oid and name of the collations.
pub(super) fn collations() -> &'static [(u32, &'static str)] {
    &COLLATIONS
}

/// The oid of a collation, which is the same everywhere; 0 for one that there is none of here.
pub(super) fn known_collation(oid: u32) -> u32 {
    if collations().iter().any(|(known, _)| *known == oid) { oid } else { 0 }
}

/// The keywords: word, code, whether it can be a bare label, what the code and the label mean.
pub(super) fn keywords() -> impl Iterator<Item = [&'static str; 5]> {
    KEYWORDS.lines().map(|line| {
        let mut fields = line.split('\t');
        std::array::from_fn(|_| fields.next().unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_relation_has_its_columns_and_rows_fit() {
        assert!(relations().len() > 180, "{}", relations().len());
        for (name, rows) in &*FIXED {
            let relation = relations().iter().find(|relation| relation.name == *name).unwrap();
            for row in rows {
                assert_eq!(row.split('\t').count(), relation.columns.len(), "{name}: {row}");
            }
        }
        let pg_proc = relations().iter().find(|relation| relation.name == "pg_proc").unwrap();
        assert_eq!(pg_proc.columns.len(), PROC_COLUMNS);
        assert!(PROCEDURES.lines().all(|line| line.split('\t').count() == PROC_COLUMNS + 3));
        assert!(KEYWORDS.lines().all(|line| line.split('\t').count() == 5));
    }

    #[test]
    fn types_point_to_procedures_that_are_there() {
        for line in lines("pg_type") {
            for at in 15..=18 {
                let oid = number(line, at);
                assert!(oid == 0 || procedure(oid).is_some_and(|procedure| procedure.listed), "{line}");
            }
        }
        assert!(procedures("array_recv").next().is_some_and(|procedure| procedure.listed));
    }

    #[test]
    fn operator_classes_are_found_as_postgresql_chooses_them() {
        let btree = access_method("btree");
        assert_eq!(btree, 403);
        assert_eq!(operator_class(btree, "", PgType::INT8), 3124);
        assert_eq!(operator_class(btree, "", PgType::VARCHAR), operator_class(btree, "", PgType::TEXT));
        assert_eq!(operator_class(btree, "text_pattern_ops", PgType::TEXT), 4217);
    }
}
