//! Constraints and indexes of a SQLite file, under the names that PostgreSQL would give to those without one.
//! Must not know: how rows are read.

use std::collections::HashMap;

use rusqlite::Connection;

use crate::source::{ConstraintKind, IndexPart, Origin, References, RemoteColumn, RemoteConstraint, RemoteIndex};

/// The table whose keys are read: its columns stand already.
pub(super) struct Keyed<'a> {
    pub(super) name: &'a str,
    pub(super) columns: &'a [RemoteColumn],
    pub(super) primary_key: &'a [usize],
}

/// What was found.
#[derive(Default)]
pub(super) struct Keys {
    pub(super) constraints: Vec<RemoteConstraint>,
    pub(super) indexes: Vec<RemoteIndex>,
}

/// An index as `pragma_index_list` has it.
struct Listed {
    name: String,
    unique: bool,
    /// c by CREATE INDEX, u by UNIQUE, pk by PRIMARY KEY.
    origin: String,
    partial: bool,
}

/// The keys of a table.
pub(super) fn read(connection: &Connection, table: &Keyed<'_>) -> rusqlite::Result<Keys> {
    let mut keys = Keys::default();
    if !table.primary_key.is_empty() {
        let name = format!("{}_pkey", table.name);
        let parts = table.primary_key.iter().map(|at| IndexPart::column(*at)).collect();
        keys.indexes.push(RemoteIndex { primary: true, unique: true, ..plain(name.clone(), parts) });
        keys.constraints.push(RemoteConstraint {
            index: Some(name.clone()),
            columns: table.primary_key.to_vec(),
            ..constraint(name, ConstraintKind::Primary)
        });
    }
    for listed in list(connection, table.name)?.into_iter().filter(|listed| listed.origin != "pk") {
        read_index(connection, table, listed, &mut keys)?;
    }
    read_foreign(connection, table, &mut keys)?;
    keys.constraints.sort_by(|a, b| a.name.cmp(&b.name));
    keys.indexes.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(keys)
}

fn plain(name: String, parts: Vec<IndexPart>) -> RemoteIndex {
    RemoteIndex {
        name,
        method: "btree".to_owned(),
        unique: false,
        primary: false,
        valid: true,
        nulls_not_distinct: false,
        keys: parts.len(),
        parts,
        predicate: None,
        expressions: None,
        options: Vec::new(),
        origin: Origin::own(),
        estimated_rows: None,
    }
}

fn constraint(name: String, kind: ConstraintKind) -> RemoteConstraint {
    RemoteConstraint {
        name,
        kind,
        columns: Vec::new(),
        index: None,
        references: None,
        definition: None,
        deferrable: false,
        deferred: false,
        validated: true,
        origin: Origin::own(),
        no_inherit: true,
    }
}

fn list(connection: &Connection, table: &str) -> rusqlite::Result<Vec<Listed>> {
    let mut statement = connection.prepare("SELECT name, \"unique\", origin, partial FROM pragma_index_list(?1)")?;
    let rows = statement.query_map([table], |row| {
        Ok(Listed { name: row.get(0)?, unique: row.get(1)?, origin: row.get(2)?, partial: row.get(3)? })
    })?;
    rows.collect()
}

fn read_index(connection: &Connection, table: &Keyed<'_>, listed: Listed, keys: &mut Keys) -> rusqlite::Result<()> {
    let mut statement =
        connection.prepare("SELECT name, \"desc\" FROM pragma_index_xinfo(?1) WHERE key = 1 ORDER BY seqno")?;
    let rows =
        statement.query_map([&listed.name], |row| Ok((row.get::<_, Option<String>>(0)?, row.get::<_, bool>(1)?)))?;
    let found: Vec<(Option<String>, bool)> = rows.collect::<rusqlite::Result<_>>()?;
    let place = |name: &str| table.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name));
    let mut parts = Vec::new();
    for (name, descending) in &found {
        // The text of an expression, and the condition of a partial index, are not told apart in the file: such an index is left out.
        let Some(at) = name.as_deref().and_then(place) else { return Ok(()) };
        // In SQLite NULL is smaller than everything.
        parts.push(IndexPart { descending: *descending, nulls_first: !*descending, ..IndexPart::column(at) });
    }
    if listed.partial {
        return Ok(());
    }
    let columns: Vec<usize> = parts.iter().filter_map(|part| part.column).collect();
    let by_constraint = listed.origin == "u";
    let name = if by_constraint { made_name(table, &columns, "key", &keys.indexes) } else { listed.name };
    keys.indexes.push(RemoteIndex { unique: listed.unique, ..plain(name.clone(), parts) });
    if by_constraint {
        let index = Some(name.clone());
        keys.constraints.push(RemoteConstraint { columns, index, ..constraint(name, ConstraintKind::Unique) });
    }
    Ok(())
}

/// `table_column_key`, with a number where that is taken.
fn made_name(table: &Keyed<'_>, columns: &[usize], ending: &str, taken: &[RemoteIndex]) -> String {
    let words = columns.iter().filter_map(|at| table.columns.get(*at)).map(|column| column.name.as_str());
    let base = std::iter::once(table.name).chain(words).chain([ending]).collect::<Vec<_>>().join("_");
    let numbered = |number: usize| if number == 0 { base.clone() } else { format!("{base}{number}") };
    (0..).map(numbered).find(|name| !taken.iter().any(|index| index.name == *name)).unwrap_or(base)
}

fn read_foreign(connection: &Connection, table: &Keyed<'_>, keys: &mut Keys) -> rusqlite::Result<()> {
    struct Part {
        table: String,
        from: String,
        to: Option<String>,
        on_update: String,
        on_delete: String,
    }
    let mut statement = connection.prepare(
        "SELECT id, \"table\", \"from\", \"to\", on_update, on_delete FROM pragma_foreign_key_list(?1) ORDER BY id, seq",
    )?;
    let rows = statement.query_map([table.name], |row| {
        let part = Part {
            table: row.get(1)?,
            from: row.get(2)?,
            to: row.get(3)?,
            on_update: row.get(4)?,
            on_delete: row.get(5)?,
        };
        Ok((row.get::<_, i64>(0)?, part))
    })?;
    let mut by_id: Vec<(i64, Vec<Part>)> = Vec::new();
    for row in rows {
        let (id, part) = row?;
        match by_id.last_mut().filter(|(known, _)| *known == id) {
            Some((_, parts)) => parts.push(part),
            None => by_id.push((id, vec![part])),
        }
    }
    let mut names: HashMap<String, usize> = HashMap::new();
    for (_, parts) in by_id {
        let place = |part: &Part| table.columns.iter().position(|column| column.name.eq_ignore_ascii_case(&part.from));
        let Some(columns) = parts.iter().map(place).collect::<Option<Vec<_>>>() else { continue };
        let Some(first) = parts.first() else { continue };
        let base = made_name(table, &columns, "fkey", &[]);
        let count = names.entry(base.clone()).or_default();
        let name = if *count == 0 { base } else { format!("{base}{count}") };
        *count += 1;
        // Without columns it leads to the primary key, which whoever shows it looks up.
        let named = parts.iter().map(|part| part.to.clone()).collect::<Option<Vec<_>>>();
        let references = Some(References {
            schema: String::new(),
            table: first.table.clone(),
            columns: named.unwrap_or_default(),
            on_update: action(&first.on_update),
            on_delete: action(&first.on_delete),
            matching: 's',
        });
        keys.constraints.push(RemoteConstraint { columns, references, ..constraint(name, ConstraintKind::Foreign) });
    }
    Ok(())
}

fn action(name: &str) -> char {
    match name {
        "RESTRICT" => 'r',
        "CASCADE" => 'c',
        "SET NULL" => 'n',
        "SET DEFAULT" => 'd',
        _ => 'a',
    }
}
