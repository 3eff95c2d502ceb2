//! What the viewer may do to a relation and its columns, as privileges and as an access control list. Everything that is there may be read.
//! Must not know: grants; the viewer's world says what may be written.

use super::objects::{Class, What, roles};
use super::{OWNER, OWNER_NAME};
use crate::catalog::{TableSchema, Viewer, Writes};
use crate::session::quoted_name;
use crate::types::parse_array;

/// The privileges that somebody can hold on a relation.
pub(super) const ON_RELATIONS: [&str; 4] = ["SELECT", "INSERT", "UPDATE", "DELETE"];

/// Those on a column.
pub(super) const ON_COLUMNS: [&str; 3] = ["SELECT", "INSERT", "UPDATE"];

/// The letters of privileges, in the order in which they are written.
const LETTERS: [(char, &str); 14] = [
    ('a', "INSERT"),
    ('r', "SELECT"),
    ('w', "UPDATE"),
    ('d', "DELETE"),
    ('D', "TRUNCATE"),
    ('x', "REFERENCES"),
    ('t', "TRIGGER"),
    ('X', "EXECUTE"),
    ('U', "USAGE"),
    ('C', "CREATE"),
    ('T', "TEMPORARY"),
    ('c', "CONNECT"),
    ('s', "SET"),
    ('A', "ALTER SYSTEM"),
];

/// What may be written of a table; none of what is no table, or may only be read.
fn writes<'a>(viewer: &'a Viewer, class: &'a Class) -> Option<(&'a TableSchema, &'a Writes)> {
    let What::Table(table) = &class.what else { return None };
    Some((&**table, viewer.world.writes.get(&class.oid)?))
}

/// Whether it may be read by those who see it: a sequence by nobody.
fn is_readable(class: &Class) -> bool {
    !matches!(class.what, What::Sequence(_))
}

/// Whether a privilege (in any case) is held on the whole of a relation, as far as the viewer sees it.
pub(super) fn on_relation(viewer: &Viewer, class: &Class, privilege: &str) -> bool {
    if privilege.eq_ignore_ascii_case("select") {
        return is_readable(class);
    }
    let Some((table, writes)) = writes(viewer, class) else { return false };
    if privilege.eq_ignore_ascii_case("delete") {
        return writes.delete;
    }
    set_columns(writes, privilege).is_some_and(|columns| !columns.is_empty() && columns.len() == table.columns.len())
}

/// Whether it is held on the column with this number, from 1.
pub(super) fn on_column(viewer: &Viewer, class: &Class, number: i64, privilege: &str) -> bool {
    if privilege.eq_ignore_ascii_case("select") {
        return is_readable(class);
    }
    let Some((table, writes)) = writes(viewer, class) else { return false };
    let position = usize::try_from(number - 1).ok().and_then(|at| table.columns.get(at));
    set_columns(writes, privilege).zip(position).is_some_and(|(columns, position)| columns.contains(position))
}

/// Whether it is held on some column.
pub(super) fn on_any_column(viewer: &Viewer, class: &Class, privilege: &str) -> bool {
    privilege.eq_ignore_ascii_case("select") && is_readable(class)
        || writes(viewer, class)
            .and_then(|(_, writes)| set_columns(writes, privilege))
            .is_some_and(|columns| !columns.is_empty())
}

/// The columns that may be set, by the privilege to.
fn set_columns<'a>(writes: &'a Writes, privilege: &str) -> Option<&'a [usize]> {
    match privilege {
        _ if privilege.eq_ignore_ascii_case("insert") => Some(&writes.insert),
        _ if privilege.eq_ignore_ascii_case("update") => Some(&writes.update),
        _ => None,
    }
}

/// `pg_class.relacl` of what is a source's or Tusk's own: all to the owner, to the viewer what is held on the whole.
pub(super) fn relation_acl(viewer: &Viewer, class: &Class) -> Option<String> {
    if matches!(class.what, What::System(_) | What::Index(_)) {
        return None;
    }
    if matches!(class.what, What::Sequence(_)) {
        return Some(list(&[(OWNER_NAME, "rwU")], OWNER_NAME));
    }
    let held = |letter: &(char, &str)| on_relation(viewer, class, letter.1);
    let letters: String = LETTERS.iter().filter(|letter| held(letter)).map(|(letter, _)| letter).collect();
    Some(list(&[(OWNER_NAME, "arwdDxt"), (&viewer.user, &letters)], OWNER_NAME))
}

/// `pg_attribute.attacl`: what the viewer may do to the column and not to all of them.
pub(super) fn column_acl(viewer: &Viewer, class: &Class, number: i64) -> Option<String> {
    let held = |privilege: &str| on_column(viewer, class, number, privilege) && !on_relation(viewer, class, privilege);
    let letters: String = LETTERS.iter().filter(|(_, privilege)| held(privilege)).map(|(letter, _)| letter).collect();
    (!letters.is_empty()).then(|| list(&[(&viewer.user, &letters)], OWNER_NAME))
}

/// `acldefault(kind, owner)`: what holds where no list is written; none for a kind that there is not.
pub(super) fn default_acl(viewer: &Viewer, kind: &str, owner: u32) -> Option<String> {
    let known = roles(viewer).into_iter().find(|(oid, ..)| *oid == owner).map(|(_, name, _)| name);
    let owner = known.unwrap_or_else(|| owner.to_string());
    let (public, own) = match kind {
        "c" => return Some("{}".to_owned()),
        "r" => ("", "arwdDxt"),
        "s" => ("", "rwU"),
        "d" => ("Tc", "CTc"),
        "f" => ("X", "X"),
        "l" | "T" => ("U", "U"),
        "L" => ("", "rw"),
        "n" => ("", "UC"),
        "p" => ("", "sA"),
        "t" => ("", "C"),
        "F" | "S" => ("", "U"),
        _ => return None,
    };
    let both = [("", public), (owner.as_str(), own)];
    Some(list(if public.is_empty() { &both[1..] } else { &both }, &owner))
}

/// `{a=rw/c,b=r/c}`. An empty name is PUBLIC.
fn list(items: &[(&str, &str)], grantor: &str) -> String {
    let items: Vec<String> = items
        .iter()
        .map(|(grantee, letters)| {
            let item = format!("{}={letters}/{}", item_name(grantee), item_name(grantor));
            // An element with quotes or blanks in it stands in quotes itself.
            let plain = item.chars().all(|c| !c.is_whitespace() && !matches!(c, '"' | '\\' | '{' | '}' | ','));
            if plain { item } else { format!("\"{}\"", item.replace('\\', "\\\\").replace('"', "\\\"")) }
        })
        .collect();
    format!("{{{}}}", items.join(","))
}

/// A role's name as lists have it: in quotes where it has anything but letters, digits and underscores.
fn item_name(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii());
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// One privilege of a list.
pub(super) struct Held {
    pub(super) grantor: u32,
    /// 0: PUBLIC.
    pub(super) grantee: u32,
    pub(super) privilege: &'static str,
    pub(super) grantable: bool,
}

/// The privileges of a list, in its order; what is no list has none.
pub(super) fn explode(viewer: &Viewer, text: &str) -> Vec<Held> {
    let Ok(array) = parse_array(text, b',') else { return Vec::new() };
    let known = roles(viewer);
    let oid = |name: &str| match name {
        "" => Some(0),
        OWNER_NAME => Some(OWNER),
        name => known.iter().find(|(_, known, _)| known == name).map(|(oid, ..)| *oid).or_else(|| name.parse().ok()),
    };
    let mut all = Vec::new();
    for item in array.elements.iter().flatten() {
        let Some((grantee, rest)) = name_before(item) else { continue };
        let Some((letters, grantor)) = rest.strip_prefix('=').and_then(|rest| rest.split_once('/')) else { continue };
        let grantor = name_before(grantor).map(|(name, _)| name).unwrap_or_default();
        let (Some(grantee), Some(grantor)) = (oid(&grantee), oid(&grantor)) else { continue };
        for (letter, privilege) in LETTERS {
            if let Some(at) = letters.find(letter) {
                let grantable = letters.get(at + 1..).is_some_and(|rest| rest.starts_with('*'));
                all.push(Held { grantor, grantee, privilege, grantable });
            }
        }
    }
    all
}

/// A name at the beginning, and what follows it.
fn name_before(text: &str) -> Option<(String, &str)> {
    let Some(rest) = text.strip_prefix('"') else {
        let end = text.find('=').unwrap_or(text.len());
        return Some((text.get(..end)?.to_owned(), text.get(end..)?));
    };
    quoted_name(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_written_as_postgresql_writes_them() {
        assert_eq!(list(&[("", "r"), ("ana", "arw")], "tusk"), "{=r/tusk,ana=arw/tusk}");
        assert_eq!(list(&[("a-b", "r")], "c\"d"), r#"{"\"a-b\"=r/\"c\"\"d\""}"#);
        let named = |text: &str| name_before(text).map(|(name, rest)| (name, rest.to_owned()));
        assert_eq!(named("ana=r/x"), Some(("ana".to_owned(), "=r/x".to_owned())));
        assert_eq!(named("\"a-\"\"b\"=r/x"), Some(("a-\"b".to_owned(), "=r/x".to_owned())));
        assert_eq!(named("=r/x"), Some((String::new(), "=r/x".to_owned())));
    }
}
