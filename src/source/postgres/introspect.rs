//! What a PostgreSQL source holds and its account may read, from the source's catalogs.
//! Must not know: who asks, how schemas are called on our side.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::try_join;
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row};

use super::declared;
use super::keys::{self, Of};
use super::lineage;
use super::sizes::{self, Sizes};
use super::views::{self, Definitions};
use crate::config::Patterns;
use crate::names::quote;
use crate::source::{
    Declared, DeclaredKind, DeclaredType, Lineage, RemoteColumn, RemoteConstraint, RemoteIndex, RemoteSchema,
    RemoteSequence, RemoteTable, TableKind, Written,
};
use crate::types::{Own, OwnForm, OwnType, PgType};

const CATALOG: &str = include_str!("catalog.sql");

/// Types that users make have oids from here on.
const FIRST_USER_OID: u32 = 16384;
const MONEY: u32 = 790;
const MONEY_ARRAY: u32 = 791;

/// One snapshot for all queries; compiling them would take longer than running them. Definitions of indexes and the like look at their table,
/// which somebody may have locked for long.
const BEGIN: &str =
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL jit = off; SET LOCAL lock_timeout = '1s'";

/// Queries that are asked at once.
const TOGETHER: u32 = 6;

/// Why catalogs could not be read.
pub(super) enum Failed {
    /// The source says so, or the connection ended.
    Said(tokio_postgres::Error),
    /// A query was not answered in its time.
    Silent,
}

impl From<tokio_postgres::Error> for Failed {
    fn from(error: tokio_postgres::Error) -> Self {
        Failed::Said(error)
    }
}

impl From<Elapsed> for Failed {
    fn from(_: Elapsed) -> Self {
        Failed::Silent
    }
}

/// Reads the catalogs. `schemas`: only these (all but the system's where it is `None`). `each`: time for each query; together they have as
/// many times that.
///
/// # Errors
/// Whatever the source answers with, or that it does not.
pub(super) async fn read(
    client: &Client,
    schemas: Option<Vec<String>>,
    tables: &Patterns,
    each: Duration,
) -> Result<RemoteSchema, Failed> {
    timeout(each, client.batch_execute(BEGIN)).await??;
    let asked: [&(dyn ToSql + Sync); 1] = [&schemas];
    // All at once: each goes out before the answer to the one before it is there.
    let asking = async {
        try_join!(
            client.query(CATALOG, &asked),
            keys::constraints(client, &schemas),
            keys::indexes(client, &schemas),
            declared::read(client),
            lineage::lineages(client, &schemas),
            lineage::sequences(client, &schemas),
        )
    };
    let (rows, constraints, indexes, types, lineages, sequences) = timeout(each * TOGETHER, asking).await??;
    let sizes = timeout(each, sizes::read(client, &schemas)).await??;
    let definitions = timeout(each, views::read(client, &schemas)).await??;
    timeout(each, client.batch_execute("COMMIT")).await??;
    let mut found = Found { types, sizes, definitions, ..Found::default() };
    for row in &rows {
        found.row(row, tables)?;
    }
    found.keys(constraints, indexes);
    found.lineages(lineages);
    found.sequences =
        sequences.into_iter().filter(|sequence| sequence.owner.is_some() || tables.matches(&sequence.name)).collect();
    Ok(found.close())
}

/// What was found so far. Rows come ordered by schema, relation, column.
#[derive(Default)]
struct Found {
    /// Enums and domains by the source's oids.
    types: HashMap<u32, Arc<DeclaredType>>,
    sizes: Sizes,
    definitions: Definitions,
    tables: Vec<Open>,
    sequences: Vec<RemoteSequence>,
}

/// A relation whose columns are coming.
struct Open {
    table: RemoteTable,
    /// The primary key as the source numbers columns.
    key: Vec<i32>,
    /// The source's number of each column that was taken.
    numbers: Vec<i32>,
    /// Columns that the relation has, taken or not.
    attributes: i32,
}

impl Found {
    fn row(&mut self, row: &Row, tables: &Patterns) -> Result<(), tokio_postgres::Error> {
        let schema: &str = row.try_get("schema")?;
        let name: &str = row.try_get("relation")?;
        if !tables.matches(name) {
            return Ok(());
        }
        if !self.tables.last().is_some_and(|open| open.table.schema == schema && open.table.name == name) {
            self.tables.push(open(row)?);
        }
        let Some(open) = self.tables.last_mut() else { return Ok(()) };
        let Some(number) = row.try_get::<_, Option<i32>>("number")? else { return Ok(()) };
        open.numbers.push(number);
        open.table.columns.push(column(row, &self.types)?);
        Ok(())
    }

    /// Puts constraints and indexes to their relations; those with a column that cannot be read are none for us.
    fn keys(&mut self, constraints: Vec<Of<RemoteConstraint>>, indexes: Vec<Of<RemoteIndex>>) {
        let places = self.places();
        for Of { schema, relation, numbers, mut what } in constraints {
            let Some(open) = places.get(&(schema, relation)).and_then(|at| self.tables.get_mut(*at)) else { continue };
            // What excludes by an expression has 0 for it; its index tells what it is made of.
            let named: Vec<i32> = numbers.into_iter().filter(|number| *number != 0).collect();
            if let Some(columns) = open.positions(&named) {
                what.columns = columns;
                open.table.constraints.push(what);
            }
        }
        for Of { schema, relation, numbers, mut what } in indexes {
            let Some(open) = places.get(&(schema, relation)).and_then(|at| self.tables.get_mut(*at)) else { continue };
            let named: Vec<i32> = numbers.iter().copied().filter(|number| *number != 0).collect();
            let Some(mut columns) = open.positions(&named).map(Vec::into_iter) else { continue };
            for (part, number) in what.parts.iter_mut().zip(numbers) {
                part.column = if number == 0 { None } else { columns.next() };
            }
            open.table.indexes.push(what);
        }
    }

    /// Puts to their relations what they descend from and are divided by. A key with a column that cannot be read is none for us.
    fn lineages(&mut self, lineages: Vec<Of<Lineage>>) {
        let places = self.places();
        for Of { schema, relation, numbers, mut what } in lineages {
            let Some(open) = places.get(&(schema, relation)).and_then(|at| self.tables.get_mut(*at)) else { continue };
            what.partitioning = what.partitioning.and_then(|mut by| {
                let named: Vec<i32> = numbers.iter().copied().filter(|number| *number != 0).collect();
                let mut columns = open.positions(&named)?.into_iter();
                by.columns = numbers.iter().map(|number| if *number == 0 { None } else { columns.next() }).collect();
                Some(by)
            });
            open.table.lineage = what;
        }
    }

    /// Where the tables stand.
    fn places(&self) -> HashMap<(String, String), usize> {
        let name = |open: &Open| (open.table.schema.clone(), open.table.name.clone());
        self.tables.iter().enumerate().map(|(at, open)| (name(open), at)).collect()
    }

    fn close(self) -> RemoteSchema {
        let (sizes, mut definitions) = (self.sizes, self.definitions);
        let closed = self.tables.into_iter().map(|mut open| {
            open.table.primary_key = open.positions(&open.key).unwrap_or_default();
            open.table.whole = usize::try_from(open.attributes).is_ok_and(|all| all == open.table.columns.len());
            let table = &mut open.table;
            table.sizes = Arc::new(sizes.of(&table.schema, &table.name, &table.indexes));
            if let Some((definition, reads)) = definitions.remove(&(table.schema.clone(), table.name.clone())) {
                (table.definition, table.reads) = (Some(definition), reads);
            }
            Arc::new(open.table)
        });
        RemoteSchema {
            tables: closed.collect(),
            sequences: self.sequences.into_iter().map(Arc::new).collect(),
            ..RemoteSchema::default()
        }
    }
}

impl Open {
    /// The positions of columns by the source's numbers; none where one of them was not taken.
    fn positions(&self, numbers: &[i32]) -> Option<Vec<usize>> {
        numbers.iter().map(|wanted| self.numbers.iter().position(|number| number == wanted)).collect()
    }
}

fn open(row: &Row) -> Result<Open, tokio_postgres::Error> {
    let kind = match row.try_get::<_, &str>("kind")? {
        "v" => TableKind::View,
        "m" => TableKind::MaterializedView,
        "p" => TableKind::Partitioned,
        "f" => TableKind::Foreign,
        _ => TableKind::Table,
    };
    let estimate: Option<f64> = row.try_get("estimate")?;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an estimate; the cast saturates")]
    let estimated_rows = estimate.filter(|rows| *rows >= 0.0).map(|rows| rows as u64);
    let table = RemoteTable {
        schema: row.try_get("schema")?,
        name: row.try_get("relation")?,
        kind,
        columns: Vec::new(),
        primary_key: Vec::new(),
        constraints: Vec::new(),
        indexes: Vec::new(),
        comment: row.try_get("relation_comment")?,
        estimated_rows,
        sizes: Arc::default(),
        definition: None,
        reads: Vec::new(),
        lineage: Lineage::default(),
        whole: false,
        oid: row.try_get("relation_oid")?,
        row_types: (row.try_get("row_type")?, row.try_get("row_array")?),
        handle: None,
    };
    let key = row.try_get::<_, Option<Vec<i32>>>("key")?.unwrap_or_default();
    Ok(Open { table, key, numbers: Vec::new(), attributes: row.try_get("attributes")? })
}

/// A column.
fn column(row: &Row, types: &HashMap<u32, Arc<DeclaredType>>) -> Result<RemoteColumn, tokio_postgres::Error> {
    let found = FoundType {
        typmod: row.try_get("typmod")?,
        one: One {
            oid: row.try_get("type_oid")?,
            schema: row.try_get("type_schema")?,
            name: row.try_get("type_name")?,
            kind: row.try_get("type_kind")?,
        },
        element: match row.try_get::<_, Option<u32>>("element_oid")? {
            Some(oid) => Some(Element {
                one: One {
                    oid,
                    schema: row.try_get("element_schema")?,
                    name: row.try_get("element_name")?,
                    kind: row.try_get("element_kind")?,
                },
                array: row.try_get("element_array")?,
            }),
            None => None,
        },
    };
    let plain = found.is_plain();
    let (ty, remote_type) = found.resolve();
    let bytewise: bool = row.try_get("bytewise")?;
    let declared = row.try_get::<_, Option<u32>>("declared")?.and_then(|oid| types.get(&oid));
    let declared = declared.map(|of| -> Result<_, tokio_postgres::Error> {
        Ok(Declared { of: Arc::clone(of), array: row.try_get("declared_array")? })
    });
    let declared = declared.transpose()?;
    Ok(RemoteColumn {
        name: row.try_get("name")?,
        ty,
        not_null: row.try_get("not_null")?,
        // A type of the source's own (an enum, say) has an order of its own, whatever its text is.
        bytewise: bytewise && remote_type.is_empty(),
        remote_type,
        own: if row.try_get("loose")? { Some(found.loose()) } else { found.own(declared.as_ref(), types) },
        default: Written::of(row.try_get("default_text")?, row.try_get("default_pretty")?),
        generated: row.try_get("generated")?,
        identity: row.try_get::<_, &str>("identity")?.chars().next(),
        comment: row.try_get("comment")?,
        declared,
        plain,
        number: i16::try_from(row.try_get::<_, i32>("number")?).unwrap_or_default(),
        inherited: row.try_get("inherited")?,
        local: row.try_get("local")?,
        collation: row.try_get("collation")?,
    })
}

/// A column's type at the source; domains are already what they are made of.
struct FoundType<'r> {
    typmod: i32,
    one: One<'r>,
    element: Option<Element<'r>>,
}

/// A type at the source.
struct One<'r> {
    oid: u32,
    schema: &'r str,
    name: &'r str,
    /// `typtype`.
    kind: &'r str,
}

/// What an array is made of.
struct Element<'r> {
    one: One<'r>,
    array: u32,
}

impl One<'_> {
    fn qualified(&self) -> String {
        format!("{}.{}", quote(self.schema), quote(self.name))
    }
}

/// Types of PostgreSQL's own whose input looks names up: with one of them in reach, a literal could ask for any name.
const LOOKING: [u32; 13] = [24, 1033, 2202, 2203, 2204, 2205, 2206, 3734, 3769, 4089, 4096, 4191, 705];

/// Whether values of a type are known here. Of money they are not: its text depends on the server's lc_monetary.
fn known(oid: u32) -> bool {
    oid < FIRST_USER_OID && !matches!(oid, MONEY | MONEY_ARRAY) && PgType::new(oid).row().is_some()
}

impl FoundType<'_> {
    /// See [`RemoteColumn::plain`].
    fn is_plain(&self) -> bool {
        let of = self.element.as_ref().map_or(&self.one, |element| &element.one);
        match of.oid {
            FIRST_USER_OID.. => of.kind == "e",
            oid => !LOOKING.contains(&oid) && of.kind != "c",
        }
    }

    /// The type towards clients and the name for casts at the source.
    fn resolve(&self) -> (PgType, String) {
        if known(self.one.oid) {
            return (PgType { oid: self.one.oid, typmod: self.typmod }, String::new());
        }
        let Some(Element { one, array }) = &self.element else {
            let shown = if self.one.oid == MONEY { PgType::MONEY } else { PgType::TEXT };
            return (shown, self.one.qualified());
        };
        let shown = match one.oid {
            // An array of a domain is an array of what the domain is made of. Its text is the same; its binary form names the domain.
            oid if known(oid) && known(*array) => PgType::new(*array),
            MONEY => PgType::MONEY_ARRAY,
            _ => PgType::TEXT_ARRAY,
        };
        (shown, format!("{}[]", one.qualified()))
    }

    /// Text of a collation to which different texts may be equal: what its values are worth only the source knows.
    fn loose(&self) -> Own {
        let (one, array) = self.element.as_ref().map_or((&self.one, false), |element| (&element.one, true));
        let of = OwnType { schema: one.schema.to_owned(), name: one.name.to_owned(), form: OwnForm::Loose };
        Own { of: Arc::new(of), array }
    }

    /// What its values are, if they are of a type of the source's own. A domain over an enum is a type of its own; any other is what it
    /// stands on.
    fn own(&self, declared: Option<&Declared>, types: &HashMap<u32, Arc<DeclaredType>>) -> Option<Own> {
        let (one, array) = match &self.element {
            _ if known(self.one.oid) => return None,
            None => (&self.one, false),
            Some(Element { one, array }) if known(one.oid) && known(*array) => return None,
            Some(element) => (&element.one, true),
        };
        let form = match types.get(&one.oid).map(|of| &of.kind) {
            Some(DeclaredKind::Enum(labels)) => OwnForm::Enum(labels.clone()),
            _ if one.kind == "c" => OwnForm::Composite,
            _ => OwnForm::Other,
        };
        let of = OwnType { schema: one.schema.to_owned(), name: one.name.to_owned(), form };
        let domain = declared.filter(|declared| {
            let domain = matches!(declared.of.kind, DeclaredKind::Domain(_)) && declared.array == array;
            domain && matches!(of.form, OwnForm::Enum(_))
        });
        let of = match domain {
            Some(Declared { of: domain, .. }) => OwnType {
                schema: domain.schema.clone(),
                name: domain.name.clone(),
                form: OwnForm::Domain(Box::new(of)),
            },
            None => of,
        };
        Some(Own { of: Arc::new(of), array })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Domain;

    fn found<'r>(oid: u32, element: Option<(u32, u32)>) -> FoundType<'r> {
        let one = |oid, name, kind| One { oid, schema: "s", name, kind };
        let element = element.map(|(oid, array)| Element { one: one(oid, "e", "e"), array });
        FoundType { typmod: -1, one: one(oid, "t", "c"), element }
    }

    fn resolve(oid: u32, element: Option<(u32, u32)>) -> (u32, String) {
        let (ty, name) = found(oid, element).resolve();
        (ty.oid, name)
    }

    #[test]
    fn types_of_the_source_become_text_with_their_name() {
        assert_eq!(resolve(23, None), (23, String::new()));
        assert_eq!(resolve(1007, Some((23, 1007))), (1007, String::new()));
        assert_eq!(resolve(20000, None), (25, "\"s\".\"t\"".into()));
        assert_eq!(resolve(20001, Some((20000, 20001))), (1009, "\"s\".\"e\"[]".into()));
        assert_eq!(resolve(20002, Some((1043, 1015))), (1015, "\"s\".\"e\"[]".into()));
    }

    #[test]
    fn money_keeps_its_name_and_is_known_to_be_text_alone() {
        assert_eq!(resolve(790, None), (790, "\"s\".\"t\"".into()));
        assert_eq!(resolve(791, Some((790, 791))), (791, "\"s\".\"e\"[]".into()));
        assert_eq!(resolve(20003, Some((790, 791))), (791, "\"s\".\"e\"[]".into()));
    }

    #[test]
    fn what_is_the_sources_own_is_told() {
        let labels = vec!["b".to_owned(), "a".to_owned()];
        let declared = |name: &str, kind| DeclaredType { schema: "s".into(), name: name.into(), kind, comment: None };
        let domain = Domain { base: PgType::TEXT, not_null: false, default: None, checks: Vec::new() };
        let domain = Arc::new(declared("d", DeclaredKind::Domain(domain)));
        let types = HashMap::from([(20000, Arc::new(declared("e", DeclaredKind::Enum(labels.clone()))))]);
        let form = |oid, element, over: Option<bool>| {
            let declared = over.map(|array| Declared { of: Arc::clone(&domain), array });
            let own = found(oid, element).own(declared.as_ref(), &types)?;
            Some((own.of.name.clone(), own.of.form.clone(), own.array))
        };
        let of_enum = OwnForm::Enum(labels);
        assert_eq!(form(23, None, None), None);
        assert_eq!(form(20002, Some((1043, 1015)), Some(true)), None);
        assert_eq!(form(20000, None, None), Some(("t".into(), of_enum.clone(), false)));
        assert_eq!(form(20001, Some((20000, 20001)), None), Some(("e".into(), of_enum.clone(), true)));
        // A domain over an array of an enum has that enum's values in it.
        assert_eq!(form(20001, Some((20000, 20001)), Some(false)), Some(("e".into(), of_enum, true)));
        let over =
            |own: Option<(String, OwnForm, bool)>| own.map(|own| (own.0, matches!(own.1, OwnForm::Domain(_)), own.2));
        assert_eq!(over(form(20000, None, Some(false))), Some(("d".into(), true, false)));
        assert_eq!(over(form(20001, Some((20000, 20001)), Some(true))), Some(("d".into(), true, true)));
        assert_eq!(form(20009, None, None), Some(("t".into(), OwnForm::Composite, false)));
        assert_eq!(form(791, Some((790, 791)), None), Some(("e".into(), OwnForm::Other, true)));
    }
}
