//! Defaults of columns under the names that a role sees: a source writes them under its own.
//! Must not know: how functions are called, layouts of catalog relations.

use std::sync::Arc;

use super::functions::{parts, relation_name};
use super::objects::{Objects, visible_default};
use crate::catalog::{RemoteColumn, TableSchema, Viewer, Written};
use crate::names::quote_if_needed;

/// What a string has behind it that names a relation.
const RELATION: &str = "::regclass";

/// A column's default, names of relations and of its type as the viewer finds them; none where it names a relation out of sight.
pub(super) fn default(
    viewer: &Viewer,
    objects: &Objects,
    table: &TableSchema,
    column: &RemoteColumn,
) -> Option<Written> {
    let default = visible_default(table, column)?;
    let named = |text: &str| {
        relations(text, |schema, name| {
            let class = objects.class_at(&table.source, schema, name)?;
            relation_name(viewer, class.oid)
        })
    };
    let found = match default.contains(RELATION) {
        true => Written { plain: named(&default.plain)?, pretty: named(&default.pretty)? },
        false => default.clone(),
    };
    let Some((one, _)) = objects.types.of(table, column) else { return Some(found) };
    let written = format!("::{}.{}", quote_if_needed(&one.declared.schema), quote_if_needed(&one.declared.name));
    let Some(seen) = objects.types.name(viewer, one.oid) else { return Some(found) };
    Some(found.map(|text| text.replace(&written, &format!("::{seen}"))))
}

/// All defaults of a table's columns.
pub(super) fn defaults<'t>(
    viewer: &'t Viewer,
    objects: &'t Objects,
    table: &'t Arc<TableSchema>,
) -> impl Iterator<Item = Written> + 't {
    let columns = table.columns.iter().filter_map(|at| table.remote.columns.get(*at));
    columns.filter_map(|column| default(viewer, objects, table, column))
}

/// The text with each relation that it names under the name that `seen` gives for schema and name; none if `seen` gives none for one. A name
/// without a schema is PostgreSQL's own.
fn relations(text: &str, seen: impl Fn(&str, &str) -> Option<String>) -> Option<String> {
    let mut written = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('\'') {
        let end = end_of_string(behind)?;
        let (inside, after) = (behind.get(..end)?, behind.get(end + 1..)?);
        written.push_str(before);
        let named = after.starts_with(RELATION) && !after.get(RELATION.len()..).is_some_and(is_word);
        let names = if named { parts(&inside.replace("''", "'")).ok() } else { None };
        match names.as_deref() {
            Some([schema, name]) => {
                let name = seen(schema, name)?;
                written.push_str(&format!("'{}'", name.replace('\'', "''")));
            }
            _ => written.push_str(&format!("'{inside}'")),
        }
        rest = after;
    }
    written.push_str(rest);
    Some(written)
}

/// Whether a word goes on here.
fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphanumeric() || c == '_')
}

/// Where a string ends whose opening quote is behind us: two quotes are one inside it.
fn end_of_string(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\'' if bytes.get(at + 1) == Some(&b'\'') => at += 2,
            b'\'' => return Some(at),
            _ => at += 1,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::relations;

    #[test]
    fn relations_are_named_as_they_are_seen_or_not_at_all() {
        let seen = |schema: &str, name: &str| (name != "hidden").then(|| format!("{schema}_seen.{name}"));
        let of = |text: &str| relations(text, seen);
        assert_eq!(of("nextval('public.a_seq'::regclass)").as_deref(), Some("nextval('public_seen.a_seq'::regclass)"));
        assert_eq!(of("nextval('public.hidden'::regclass)"), None);
        assert_eq!(of("'it''s public.a'::text || 'x'").as_deref(), Some("'it''s public.a'::text || 'x'"));
        assert_eq!(of("'pg_class'::regclass").as_deref(), Some("'pg_class'::regclass"));
        assert_eq!(of("'s.\"it''s\"'::regclass").as_deref(), Some("'s_seen.it''s'::regclass"));
        assert_eq!(of("'public.hidden'::regclassy").as_deref(), Some("'public.hidden'::regclassy"));
    }
}
