//! Constraints and indexes of a PostgreSQL source, from its catalogs.
//! Must not know: who asks, how columns are read.

use tokio_postgres::{Client, Row};

use crate::source::{ConstraintKind, IndexPart, Origin, References, RemoteConstraint, RemoteIndex, Written};
use crate::types::PgType;

const CONSTRAINTS: &str = include_str!("constraints.sql");
const INDEXES: &str = include_str!("indexes.sql");

/// Bits of `pg_index.indoption`.
const DESCENDING: i32 = 1;
const NULLS_FIRST: i32 = 2;

/// Something of a relation: its columns are still as the source numbers them.
pub(super) struct Of<T> {
    pub(super) schema: String,
    pub(super) relation: String,
    pub(super) numbers: Vec<i32>,
    pub(super) what: T,
}

/// The constraints, by schema, relation and name. Their columns are to be put in by number.
pub(super) async fn constraints(
    client: &Client,
    schemas: &Option<Vec<String>>,
) -> Result<Vec<Of<RemoteConstraint>>, tokio_postgres::Error> {
    let rows = client.query(CONSTRAINTS, &[schemas]).await?;
    rows.iter().map(constraint).collect()
}

/// The indexes, by schema, relation and name. Their parts' columns are to be put in by number; 0 is an expression.
pub(super) async fn indexes(
    client: &Client,
    schemas: &Option<Vec<String>>,
) -> Result<Vec<Of<RemoteIndex>>, tokio_postgres::Error> {
    let rows = client.query(INDEXES, &[schemas]).await?;
    rows.iter().map(index).collect()
}

fn letter(row: &Row, column: &str) -> Result<char, tokio_postgres::Error> {
    Ok(row.try_get::<_, &str>(column)?.chars().next().unwrap_or(' '))
}

fn constraint(row: &Row) -> Result<Of<RemoteConstraint>, tokio_postgres::Error> {
    let kind = match row.try_get::<_, &str>("kind")? {
        "p" => ConstraintKind::Primary,
        "u" => ConstraintKind::Unique,
        "f" => ConstraintKind::Foreign,
        "c" => ConstraintKind::Check,
        _ => ConstraintKind::Exclusion,
    };
    let references = match row.try_get::<_, Option<String>>("foreign_relation")? {
        None => None,
        Some(table) => Some(References {
            schema: row.try_get("foreign_schema")?,
            table,
            columns: row.try_get("foreign_columns")?,
            on_update: letter(row, "on_update")?,
            on_delete: letter(row, "on_delete")?,
            matching: letter(row, "matching")?,
        }),
    };
    Ok(Of {
        schema: row.try_get("schema")?,
        relation: row.try_get("relation")?,
        numbers: row.try_get("columns")?,
        what: RemoteConstraint {
            name: row.try_get("name")?,
            kind,
            columns: Vec::new(),
            index: row.try_get("index")?,
            references,
            definition: Written::of(row.try_get("definition")?, row.try_get("definition_pretty")?),
            deferrable: row.try_get("deferrable")?,
            deferred: row.try_get("deferred")?,
            validated: row.try_get("validated")?,
            origin: Origin {
                oid: row.try_get("oid")?,
                parent: row.try_get("parent")?,
                inherited: row.try_get("inherited")?,
                local: row.try_get("local")?,
            },
            no_inherit: row.try_get("no_inherit")?,
        },
    })
}

fn index(row: &Row) -> Result<Of<RemoteIndex>, tokio_postgres::Error> {
    let numbers: Vec<i32> = row.try_get("numbers")?;
    let options: Vec<i32> = row.try_get("options")?;
    let classes: Vec<String> = row.try_get("classes")?;
    let expressions: Vec<Option<String>> = row.try_get("expressions")?;
    let pretty: Vec<Option<String>> = row.try_get("expressions_pretty")?;
    let collations: Vec<Option<String>> = row.try_get("collations")?;
    let at_of = |texts: &[Option<String>], at: usize| texts.get(at).cloned().flatten();
    let parent: u32 = row.try_get("parent")?;
    let (names, types): (Vec<String>, Vec<u32>) = (row.try_get("names")?, row.try_get("types")?);
    let typmods: Vec<i32> = row.try_get("typmods")?;
    let class_names: Vec<String> = row.try_get("class_names")?;
    let collation_oids: Vec<u32> = row.try_get("collation_oids")?;
    let computed = |at: usize| {
        let ty = PgType { oid: *types.get(at)?, typmod: *typmods.get(at)? };
        Some((names.get(at)?.clone(), if ty.row().is_some() { ty } else { PgType::TEXT }))
    };
    let part = |at: usize| {
        // What is only stored has neither options nor a class.
        let options = options.get(at).copied().unwrap_or(0);
        IndexPart {
            column: None,
            expression: Written::of(at_of(&expressions, at), at_of(&pretty, at)),
            computed: computed(at).filter(|_| at_of(&expressions, at).is_some()),
            collation: at_of(&collations, at).unwrap_or_default(),
            collation_oid: collation_oids.get(at).copied(),
            class: class_names.get(at).cloned().unwrap_or_default(),
            operator_class: classes.get(at).cloned().unwrap_or_default(),
            descending: options & DESCENDING != 0,
            nulls_first: options & NULLS_FIRST != 0,
        }
    };
    let estimate: Option<f64> = row.try_get("estimate")?;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an estimate; the cast saturates")]
    let estimated_rows = estimate.map(|rows| rows as u64);
    Ok(Of {
        schema: row.try_get("schema")?,
        relation: row.try_get("relation")?,
        what: RemoteIndex {
            name: row.try_get("name")?,
            method: row.try_get("method")?,
            unique: row.try_get("unique")?,
            primary: row.try_get("primary")?,
            valid: row.try_get("valid")?,
            nulls_not_distinct: row.try_get("nulls_not_distinct")?,
            parts: (0..numbers.len()).map(part).collect(),
            keys: usize::try_from(row.try_get::<_, i32>("keys")?).unwrap_or(0),
            predicate: Written::of(row.try_get("predicate")?, row.try_get("predicate_pretty")?),
            expressions: Written::of(row.try_get("list")?, row.try_get("list_pretty")?),
            options: row.try_get("storage")?,
            origin: Origin { oid: row.try_get("oid")?, parent, inherited: i16::from(parent != 0), local: parent == 0 },
            estimated_rows,
        },
        numbers,
    })
}
