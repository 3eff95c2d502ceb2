//! Statements that PostgreSQL knows and Tusk does not execute, told apart by their first words.
//! Must not know: what they would do.

use crate::error::Result;

use super::super::cursor::Cursor;
use super::super::statement::{Refusal, StatementKind};

use Refusal::{Privilege, ReadOnly, Unsupported};

/// First words, PostgreSQL's tag, and why it is refused. Longer forms stand before shorter ones.
const STATEMENTS: &[(&str, &str, Refusal)] = &[
    ("truncate", "TRUNCATE TABLE", ReadOnly),
    ("checkpoint", "CHECKPOINT", Privilege("must be superuser or have privileges of pg_checkpoint to do CHECKPOINT")),
    ("load", "LOAD", Privilege("permission denied to load a library")),
    ("comment on", "COMMENT", ReadOnly),
    ("security label", "SECURITY LABEL", ReadOnly),
    ("refresh materialized", "REFRESH MATERIALIZED VIEW", ReadOnly),
    ("import foreign", "IMPORT FOREIGN SCHEMA", ReadOnly),
    ("reassign owned", "REASSIGN OWNED", ReadOnly),
    ("drop owned", "DROP OWNED", ReadOnly),
    ("do", "DO", Unsupported),
    ("call", "CALL", Unsupported),
    ("grant", "GRANT", ReadOnly),
    ("revoke", "REVOKE", ReadOnly),
];

/// Kinds of object, as they stand behind CREATE, ALTER and DROP, and in the tag.
const OBJECTS: &[(&str, &str)] = &[
    ("access method", "ACCESS METHOD"),
    ("aggregate", "AGGREGATE"),
    ("cast", "CAST"),
    ("collation", "COLLATION"),
    ("conversion", "CONVERSION"),
    ("database", "DATABASE"),
    ("default privileges", "DEFAULT PRIVILEGES"),
    ("default conversion", "CONVERSION"),
    ("domain", "DOMAIN"),
    ("event trigger", "EVENT TRIGGER"),
    ("extension", "EXTENSION"),
    ("foreign data", "FOREIGN DATA WRAPPER"),
    ("foreign table", "FOREIGN TABLE"),
    ("function", "FUNCTION"),
    ("group", "ROLE"),
    ("index", "INDEX"),
    ("unique index", "INDEX"),
    ("language", "LANGUAGE"),
    ("large object", "LARGE OBJECT"),
    ("materialized view", "MATERIALIZED VIEW"),
    ("operator class", "OPERATOR CLASS"),
    ("operator family", "OPERATOR FAMILY"),
    ("operator", "OPERATOR"),
    ("policy", "POLICY"),
    ("procedure", "PROCEDURE"),
    ("publication", "PUBLICATION"),
    ("role", "ROLE"),
    ("routine", "ROUTINE"),
    ("rule", "RULE"),
    ("schema", "SCHEMA"),
    ("sequence", "SEQUENCE"),
    ("server", "SERVER"),
    ("statistics", "STATISTICS"),
    ("subscription", "SUBSCRIPTION"),
    ("system", "SYSTEM"),
    ("table", "TABLE"),
    ("tablespace", "TABLESPACE"),
    ("text search", "TEXT SEARCH"),
    ("transform", "TRANSFORM"),
    ("trigger", "TRIGGER"),
    ("constraint trigger", "TRIGGER"),
    ("type", "TYPE"),
    ("user mapping", "USER MAPPING"),
    ("user", "ROLE"),
    ("view", "VIEW"),
];

/// The tags of CREATE, ALTER and DROP, in the order of [`OBJECTS`].
macro_rules! tags {
    ($verb:literal: $($object:literal)*) => { &[$(($object, concat!($verb, " ", $object))),*] };
}

const CREATE: &[(&str, &str)] = tags!("CREATE": "ACCESS METHOD" "AGGREGATE" "CAST" "COLLATION" "CONVERSION" "DATABASE"
    "DOMAIN" "EVENT TRIGGER" "EXTENSION" "FOREIGN DATA WRAPPER" "FOREIGN TABLE" "FUNCTION" "INDEX" "LANGUAGE"
    "MATERIALIZED VIEW" "OPERATOR CLASS" "OPERATOR FAMILY" "OPERATOR" "POLICY" "PROCEDURE" "PUBLICATION" "ROLE" "RULE"
    "SCHEMA" "SEQUENCE" "SERVER" "STATISTICS" "SUBSCRIPTION" "TABLE" "TABLESPACE" "TEXT SEARCH" "TRANSFORM" "TRIGGER"
    "TYPE" "USER MAPPING" "VIEW");
const ALTER: &[(&str, &str)] = tags!("ALTER": "AGGREGATE" "COLLATION" "CONVERSION" "DATABASE" "DEFAULT PRIVILEGES"
    "DOMAIN" "EVENT TRIGGER" "EXTENSION" "FOREIGN DATA WRAPPER" "FOREIGN TABLE" "FUNCTION" "INDEX" "LANGUAGE"
    "LARGE OBJECT" "MATERIALIZED VIEW" "OPERATOR CLASS" "OPERATOR FAMILY" "OPERATOR" "POLICY" "PROCEDURE" "PUBLICATION"
    "ROLE" "ROUTINE" "RULE" "SCHEMA" "SEQUENCE" "SERVER" "STATISTICS" "SUBSCRIPTION" "SYSTEM" "TABLE" "TABLESPACE"
    "TEXT SEARCH" "TRIGGER" "TYPE" "USER MAPPING" "VIEW");
const DROP: &[(&str, &str)] = tags!("DROP": "ACCESS METHOD" "AGGREGATE" "CAST" "COLLATION" "CONVERSION" "DATABASE"
    "DOMAIN" "EVENT TRIGGER" "EXTENSION" "FOREIGN DATA WRAPPER" "FOREIGN TABLE" "FUNCTION" "INDEX" "LANGUAGE"
    "MATERIALIZED VIEW" "OPERATOR CLASS" "OPERATOR FAMILY" "OPERATOR" "POLICY" "PROCEDURE" "PUBLICATION" "ROLE"
    "ROUTINE" "RULE" "SCHEMA" "SEQUENCE" "SERVER" "STATISTICS" "SUBSCRIPTION" "TABLE" "TABLESPACE" "TEXT SEARCH"
    "TRANSFORM" "TRIGGER" "TYPE" "USER MAPPING" "VIEW");

/// Words between CREATE and the kind of object.
const MODIFIERS: &[&str] =
    &["or replace", "global", "local", "temporary", "temp", "unlogged", "recursive", "trusted", "procedural"];

/// Recognises a refused statement.
///
/// # Errors
/// `42601` at the first word that starts no statement of PostgreSQL.
pub(super) fn refused(mut cursor: Cursor<'_>) -> Result<StatementKind> {
    for (words, tag, why) in STATEMENTS {
        if cursor.eat(words) {
            return Ok(StatementKind::Refused { tag, why: *why });
        }
    }
    let tags = match cursor.word() {
        Some("create") => CREATE,
        Some("alter") => ALTER,
        Some("drop") => DROP,
        // One word of two was there: the second is wrong.
        Some("insert" | "delete" | "merge" | "comment" | "security" | "refresh" | "import" | "reassign") => {
            cursor.next();
            return Err(cursor.error());
        }
        _ => return Err(cursor.error()),
    };
    let create = cursor.sees(0, "create");
    cursor.next();
    while create && MODIFIERS.iter().any(|words| cursor.eat(words)) {}
    let found = OBJECTS.iter().find(|(words, _)| cursor.eat(words)).map(|(_, object)| *object);
    let Some(tag) = found.and_then(|object| tags.iter().find(|(name, _)| *name == object)).map(|(_, tag)| *tag) else {
        return Err(cursor.error());
    };
    // Databases, tablespaces and the system are no matter of a transaction: PostgreSQL asks for the privilege.
    let why = match tag {
        "CREATE DATABASE" => Privilege("permission denied to create database"),
        "ALTER SYSTEM" => Privilege("permission denied to set parameter"),
        _ => ReadOnly,
    };
    // `CREATE TABLE t AS SELECT` has a tag of its own.
    let tag = if tag == "CREATE TABLE" && has_as(cursor) { "CREATE TABLE AS" } else { tag };
    Ok(StatementKind::Refused { tag, why })
}

/// Is there an AS outside parentheses, before a query?
fn has_as(mut cursor: Cursor<'_>) -> bool {
    let mut depth = 0u32;
    while let Some(lexeme) = cursor.next() {
        match cursor.lexed.raw(lexeme) {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ if depth == 0 && cursor.lexed.is_word(lexeme, "as") => return true,
            _ => {}
        }
    }
    false
}
