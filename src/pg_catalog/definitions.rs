//! Indexes and constraints as the statements that would make them, under the names that the role sees; what views are made of.
//! Must not know: how functions are called.

use super::inheritance::partitioning;
use super::objects::{Class, Constraint, Index, Objects, What};
use crate::catalog::{ConstraintKind, IndexPart, TableSchema, Viewer, Written};
use crate::names::quote_if_needed;

/// What a view of a source is made of. It names other tables and columns, under the source's names: administrators are told, nobody else.
pub(super) fn view<'c>(viewer: &Viewer, class: &'c Class) -> Option<&'c Written> {
    match &class.what {
        What::Table(table) if viewer.admin => table.remote.definition.as_deref(),
        _ => None,
    }
}

/// The view of a source that a relation is, to somebody who may be told what that reads.
pub(super) fn told_view<'c>(viewer: &Viewer, class: &'c Class) -> Option<&'c TableSchema> {
    match &class.what {
        What::Table(table) if viewer.admin && table.remote.definition.is_some() => Some(table),
        _ => None,
    }
}

/// The name of a column by the number that the role gives it.
pub(super) fn column_name(table: &TableSchema, number: i64) -> Option<&str> {
    let at = usize::try_from(number.checked_sub(1)?).ok()?;
    let position = table.columns.get(at)?;
    table.remote.columns.get(*position).map(|column| column.name.as_str())
}

fn columns(table: &TableSchema, numbers: &[i64]) -> String {
    let names = numbers.iter().filter_map(|number| column_name(table, *number)).map(quote_if_needed);
    names.collect::<Vec<_>>().join(", ")
}

/// Schema and name, each in quotes where it needs them.
fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", quote_if_needed(schema), quote_if_needed(name))
}

/// A table's name: bare where that finds it.
fn shortest(viewer: &Viewer, objects: &Objects, table: &TableSchema) -> String {
    match objects.class(table.oid) {
        Some(class) if objects.is_visible(viewer, class) => quote_if_needed(&table.name.table),
        _ => qualified(&table.name.schema, &table.name.table),
    }
}

/// A column of an index, from 1, as `pg_get_indexdef(index, column, ...)` says it; none where there is no such column.
pub(super) fn index_column(index: &Index, column: usize, pretty: bool) -> Option<String> {
    let part = index.remote()?.parts.get(column.checked_sub(1)?)?;
    match &part.expression {
        Some(expression) => Some(expression.form(pretty).to_owned()),
        None => column_name(&index.table, *index.numbers.get(column - 1)?).map(quote_if_needed),
    }
}

fn order(part: &IndexPart) -> &'static str {
    match (part.descending, part.nulls_first) {
        (false, false) => "",
        (false, true) => " NULLS FIRST",
        (true, true) => " DESC",
        (true, false) => " DESC NULLS LAST",
    }
}

/// `WITH (...)`: storage parameters, each value in quotes where it is no word.
fn storage(options: &[String]) -> String {
    let written = |option: &String| {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let plain = !value.is_empty() && quote_if_needed(value) == value;
        let value = if plain { value.to_owned() } else { format!("'{}'", value.replace('\'', "''")) };
        format!("{}={value}", quote_if_needed(name))
    };
    options.iter().map(written).collect::<Vec<_>>().join(", ")
}

/// `CREATE INDEX ...`. `pretty`: names in short form where that finds them.
pub(super) fn index(viewer: &Viewer, objects: &Objects, index: &Index, pretty: bool) -> Option<String> {
    let remote = index.remote()?;
    let table = if pretty {
        shortest(viewer, objects, &index.table)
    } else {
        qualified(&index.table.name.schema, &index.table.name.table)
    };
    let part = |(at, part): (usize, &IndexPart)| {
        let class = if part.operator_class.is_empty() { String::new() } else { format!(" {}", part.operator_class) };
        let collation = if part.collation.is_empty() { String::new() } else { format!(" COLLATE {}", part.collation) };
        format!("{}{collation}{class}{}", index_column(index, at + 1, pretty).unwrap_or_default(), order(part))
    };
    let parts: Vec<String> = remote.parts.iter().enumerate().map(part).collect();
    let (keys, stored) = parts.split_at_checked(remote.keys).unwrap_or((&parts, &[]));
    let mut text = format!(
        "CREATE {}INDEX {} ON {}{table} USING {} ({})",
        if remote.unique { "UNIQUE " } else { "" },
        quote_if_needed(&remote.name),
        // Each partition has an index of its own.
        if partitioning(&index.table).is_some() { "ONLY " } else { "" },
        remote.method,
        keys.join(", ")
    );
    if !stored.is_empty() {
        text.push_str(&format!(" INCLUDE ({})", stored.join(", ")));
    }
    if remote.nulls_not_distinct {
        text.push_str(" NULLS NOT DISTINCT");
    }
    if !remote.options.is_empty() {
        text.push_str(&format!(" WITH ({})", storage(&remote.options)));
    }
    if let Some(predicate) = &remote.predicate {
        text.push_str(&format!(" WHERE {}", predicate.form(pretty)));
    }
    Some(text)
}

/// What a foreign key does, by its letter; empty for no action.
fn action(letter: char) -> &'static str {
    match letter {
        'r' => "RESTRICT",
        'c' => "CASCADE",
        'n' => "SET NULL",
        'd' => "SET DEFAULT",
        _ => "",
    }
}

/// A constraint as `pg_get_constraintdef` says it.
pub(super) fn constraint(viewer: &Viewer, objects: &Objects, constraint: &Constraint, pretty: bool) -> Option<String> {
    let remote = constraint.remote()?;
    let own = columns(&constraint.table, &constraint.numbers);
    let mut text = match (remote.kind, &constraint.target, &remote.references) {
        (ConstraintKind::Primary, ..) => format!("PRIMARY KEY ({own}{}", included(objects, constraint)),
        (ConstraintKind::Unique, ..) => {
            let distinct = objects.index(constraint.index).and_then(Index::remote);
            let nulls = if distinct.is_some_and(|index| index.nulls_not_distinct) { " NULLS NOT DISTINCT" } else { "" };
            format!("UNIQUE{nulls} ({own}{}", included(objects, constraint))
        }
        (ConstraintKind::Foreign, Some((table, numbers)), Some(references)) => {
            let other = shortest(viewer, objects, table);
            let mut text = format!("FOREIGN KEY ({own}) REFERENCES {other}({})", columns(table, numbers));
            match references.matching {
                'f' => text.push_str(" MATCH FULL"),
                'p' => text.push_str(" MATCH PARTIAL"),
                _ => {}
            }
            for (when, letter) in [("UPDATE", references.on_update), ("DELETE", references.on_delete)] {
                if !action(letter).is_empty() {
                    text.push_str(&format!(" ON {when} {}", action(letter)));
                }
            }
            text
        }
        // The source has said it whole.
        _ => return remote.definition.as_ref().map(|definition| definition.form(pretty).to_owned()),
    };
    if remote.deferrable {
        text.push_str(" DEFERRABLE");
    }
    if remote.deferred {
        text.push_str(" INITIALLY DEFERRED");
    }
    if !remote.validated {
        text.push_str(" NOT VALID");
    }
    Some(text)
}

/// The end of a key's columns: the parenthesis, and what its index stores besides.
fn included(objects: &Objects, constraint: &Constraint) -> String {
    let stored = objects.index(constraint.index).and_then(|index| {
        let keys = index.remote()?.keys;
        index.numbers.get(keys..).filter(|rest| !rest.is_empty()).map(|rest| columns(&index.table, rest))
    });
    stored.map_or_else(|| ")".to_owned(), |stored| format!(") INCLUDE ({stored})"))
}

/// The words of a foreign key's action, as the standard's views have them.
pub(super) fn rule(letter: char) -> &'static str {
    match action(letter) {
        "" => "NO ACTION",
        words => words,
    }
}

/// The condition of a check, from its definition.
pub(super) fn condition(definition: &str) -> &str {
    let definition = definition.strip_suffix(" NOT VALID").unwrap_or(definition);
    let definition = definition.strip_suffix(" NO INHERIT").unwrap_or(definition);
    let inside = definition.strip_prefix("CHECK (").and_then(|rest| rest.strip_suffix(')'));
    inside.unwrap_or(definition)
}

/// All expressions of a role's world but defaults of columns, by the relation that they are over (0 for those of domains), in both forms.
pub(super) fn expressions(objects: &Objects) -> Vec<(u32, Written)> {
    let mut all = Vec::new();
    for index in &objects.indexes {
        let Some(remote) = index.remote() else { continue };
        all.extend(
            [&remote.predicate, &remote.expressions].into_iter().flatten().map(|one| (index.table.oid, one.clone())),
        );
    }
    for one in &objects.constraints {
        let definition = one.remote().and_then(|remote| remote.definition.as_ref());
        all.extend(definition.map(|definition| (one.table.oid, definition.map(|text| condition(text).to_owned()))));
    }
    for one in objects.types.all() {
        let checks = one.domain().map_or(&[][..], |domain| &domain.checks);
        all.extend(checks.iter().map(|(_, written)| (0, written.map(|text| condition(text).to_owned()))));
    }
    for class in &objects.classes {
        let What::Table(table) = &class.what else { continue };
        let keys = partitioning(table).and_then(|(by, _)| by.expressions.clone());
        all.extend(keys.map(|keys| (table.oid, keys)));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_and_parameters_are_written_as_postgresql_writes_them() {
        assert_eq!(condition("CHECK ((a > 0))"), "(a > 0)");
        assert_eq!(condition("CHECK (a > 0) NO INHERIT NOT VALID"), "a > 0");
        assert_eq!(storage(&["fillfactor=70".into(), "fastupdate=off".into()]), "fillfactor='70', fastupdate=off");
    }
}
