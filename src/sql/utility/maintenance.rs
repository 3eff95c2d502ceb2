//! LOCK TABLE, and what keeps tables in order: VACUUM, ANALYZE, CLUSTER, REINDEX; SET CONSTRAINTS.
//! Must not know: which tables exist, who owns them.

use crate::error::{Error, Result, SqlState};

use super::super::cursor::Cursor;
use super::super::scope::TableRef;
use super::super::statement::{Maintenance, MaintenanceTarget, MaintenanceVerb, StatementKind};
use super::{boolean, option_list};

/// The lock modes, the longer names first.
const MODES: &[&str] = &[
    "access share",
    "access exclusive",
    "row share",
    "row exclusive",
    "share update exclusive",
    "share row exclusive",
    "share",
    "exclusive",
];

/// The names of options that VACUUM takes in parentheses.
const VACUUM: &[&str] = &[
    "verbose",
    "skip_locked",
    "analyze",
    "freeze",
    "full",
    "disable_page_skipping",
    "index_cleanup",
    "process_toast",
    "truncate",
    "parallel",
];

/// `[schema.]table`.
fn table(cursor: &mut Cursor<'_>) -> Result<TableRef> {
    let position = cursor.peek().map_or(0, |lexeme| lexeme.position);
    let mut names = vec![cursor.name()?];
    while cursor.eat_symbol(".") {
        names.push(cursor.label()?);
    }
    let table = names.pop().unwrap_or_default();
    let schema = names.pop();
    Ok(TableRef { catalog: names.pop(), schema, table, position })
}

/// `ONLY t`, `ONLY (t)`, `t *`.
fn with_children(cursor: &mut Cursor<'_>) -> Result<TableRef> {
    if cursor.eat("only") {
        let parenthesis = cursor.eat_symbol("(");
        let found = table(cursor)?;
        if parenthesis {
            cursor.expect_symbol(")")?;
        }
        return Ok(found);
    }
    let found = table(cursor)?;
    cursor.eat_symbol("*");
    Ok(found)
}

pub(super) fn lock(cursor: &mut Cursor<'_>) -> Result<StatementKind> {
    cursor.eat("table");
    let mut tables = vec![with_children(cursor)?];
    while cursor.eat_symbol(",") {
        tables.push(with_children(cursor)?);
    }
    let mut mode = "access exclusive";
    if cursor.eat("in") {
        mode = MODES.iter().find(|mode| cursor.eat(mode)).copied().ok_or_else(|| cursor.error())?;
        cursor.expect("mode")?;
    }
    cursor.eat("nowait");
    Ok(StatementKind::Lock { tables, shared: mode == "access share" })
}

/// VACUUM and ANALYZE.
pub(super) fn vacuum(verb: MaintenanceVerb, cursor: &mut Cursor<'_>) -> Result<StatementKind> {
    let vacuum = verb == MaintenanceVerb::Vacuum;
    let mut analyze = !vacuum;
    if cursor.eat_symbol("(") {
        let (name, known) = if vacuum { ("VACUUM", VACUUM) } else { ("ANALYZE", VACUUM.get(..2).unwrap_or_default()) };
        for option in option_list(cursor)? {
            let wanted = if option.name == "analyse" { "analyze" } else { option.name.as_str() };
            if !known.contains(&wanted) {
                let message = format!("unrecognized {name} option \"{}\"", option.name);
                return Err(Error::client(SqlState::SYNTAX_ERROR, message).with_position(option.position));
            }
            if !matches!(wanted, "index_cleanup" | "parallel") {
                let on = boolean(wanted, option.value.as_deref())?;
                analyze |= wanted == "analyze" && on;
            }
        }
    } else {
        for word in ["full", "freeze", "verbose", "analyze", "analyse"] {
            let found = (vacuum || word == "verbose") && cursor.eat(word);
            analyze |= found && word.starts_with("analy");
        }
    }
    let mut tables = Vec::new();
    while !cursor.is_done() {
        tables.push(table(cursor)?);
        if cursor.eat_symbol("(") {
            columns(cursor)?;
            if !analyze {
                return Err(Error::unsupported("ANALYZE option must be specified when a column list is provided"));
            }
        }
        if !cursor.eat_symbol(",") {
            break;
        }
        if cursor.is_done() {
            return Err(cursor.error());
        }
    }
    let target = if tables.is_empty() { MaintenanceTarget::All } else { MaintenanceTarget::Tables(tables) };
    Ok(StatementKind::Maintain(Maintenance { verb, concurrently: false, target }))
}

fn columns(cursor: &mut Cursor<'_>) -> Result<()> {
    loop {
        cursor.name()?;
        if !cursor.eat_symbol(",") {
            return cursor.expect_symbol(")");
        }
    }
}

pub(super) fn cluster(cursor: &mut Cursor<'_>) -> Result<StatementKind> {
    if cursor.eat_symbol("(") {
        for option in option_list(cursor)? {
            if option.name != "verbose" {
                let message = format!("unrecognized CLUSTER option \"{}\"", option.name);
                return Err(Error::client(SqlState::SYNTAX_ERROR, message).with_position(option.position));
            }
        }
    } else {
        cursor.eat("verbose");
    }
    let target = if cursor.is_done() {
        MaintenanceTarget::All
    } else {
        let found = table(cursor)?;
        if cursor.eat("using") {
            cursor.name()?;
        }
        MaintenanceTarget::Tables(vec![found])
    };
    Ok(StatementKind::Maintain(Maintenance { verb: MaintenanceVerb::Cluster, concurrently: false, target }))
}

pub(super) fn reindex(cursor: &mut Cursor<'_>) -> Result<StatementKind> {
    let mut concurrently = false;
    if cursor.eat_symbol("(") {
        for option in option_list(cursor)? {
            match option.name.as_str() {
                "verbose" | "tablespace" => {}
                "concurrently" => concurrently = boolean("concurrently", option.value.as_deref())?,
                name => {
                    let message = format!("unrecognized REINDEX option \"{name}\"");
                    return Err(Error::client(SqlState::SYNTAX_ERROR, message).with_position(option.position));
                }
            }
        }
    }
    let kind = ["index", "table", "schema", "database", "system"].into_iter().find(|kind| cursor.eat(kind));
    let Some(kind) = kind else { return Err(cursor.error()) };
    concurrently |= cursor.eat("concurrently");
    let target = match kind {
        "schema" => MaintenanceTarget::Schema(cursor.name()?),
        "database" => MaintenanceTarget::Database("DATABASE", cursor.name()?),
        "system" => MaintenanceTarget::Database("SYSTEM", cursor.name()?),
        _ => MaintenanceTarget::Tables(vec![table(cursor)?]),
    };
    Ok(StatementKind::Maintain(Maintenance { verb: MaintenanceVerb::Reindex, concurrently, target }))
}

/// SET CONSTRAINTS, its first two words read already.
pub(super) fn constraints(cursor: &mut Cursor<'_>) -> Result<StatementKind> {
    let mut names = Vec::new();
    if !cursor.eat("all") {
        loop {
            names.push(table(cursor)?);
            if !cursor.eat_symbol(",") {
                break;
            }
        }
    }
    let deferred = cursor.eat("deferred");
    if !deferred {
        cursor.expect("immediate")?;
    }
    Ok(StatementKind::SetConstraints { names: names.into_iter().map(|name| name.table).collect(), deferred })
}
