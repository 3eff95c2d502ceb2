//! The database and the roles: `pg_database`, `pg_roles` and what stands on them. A viewer sees itself and its roles.
//! Must not know: relations.

use crate::pg_catalog::OWNER;
use crate::pg_catalog::facts::LOCALE;
use crate::pg_catalog::objects::{database_oid, role_oid, roles};
use crate::pg_catalog::relation::{Looking, Rows, Value};

/// UTF8 in `pg_encoding_to_char`.
const UTF8: i64 = 6;

pub(super) fn pg_database(looking: &Looking<'_>, rows: &mut Rows) {
    let database = &looking.viewer.database;
    rows.push(&[
        ("oid", database_oid(database).into()),
        ("datname", database.as_str().into()),
        ("datdba", OWNER.into()),
        ("encoding", UTF8.into()),
        ("datlocprovider", "c".into()),
        ("datistemplate", false.into()),
        ("datallowconn", true.into()),
        ("datconnlimit", (-1i64).into()),
        ("datfrozenxid", "0".into()),
        ("datminmxid", "0".into()),
        ("dattablespace", 1663u32.into()),
        ("datcollate", LOCALE.into()),
        ("datctype", LOCALE.into()),
    ]);
}

/// A superuser in PostgreSQL's sense there is none: nobody may do everything.
pub(super) fn pg_roles(looking: &Looking<'_>, rows: &mut Rows) {
    for (oid, name, login) in roles(looking.viewer) {
        rows.push(&[
            ("oid", oid.into()),
            ("rolname", name.into()),
            ("rolinherit", true.into()),
            ("rolcanlogin", login.into()),
            ("rolconnlimit", (-1i64).into()),
            ("rolpassword", Value::Null),
        ]);
    }
}

pub(super) fn pg_user(looking: &Looking<'_>, rows: &mut Rows) {
    for (oid, name, _) in roles(looking.viewer).into_iter().filter(|(_, _, login)| *login) {
        rows.push(&[
            ("usename", name.into()),
            ("usesysid", oid.into()),
            ("usecreatedb", false.into()),
            ("usesuper", false.into()),
            ("userepl", false.into()),
            ("usebypassrls", false.into()),
        ]);
    }
}

pub(super) fn pg_group(looking: &Looking<'_>, rows: &mut Rows) {
    let member = role_oid(&looking.viewer.user);
    for (oid, name, _) in roles(looking.viewer).into_iter().filter(|(oid, _, login)| !login && *oid != OWNER) {
        rows.push(&[("groname", name.into()), ("grosysid", oid.into()), ("grolist", format!("{{{member}}}").into())]);
    }
}

pub(super) fn pg_auth_members(looking: &Looking<'_>, rows: &mut Rows) {
    let member = role_oid(&looking.viewer.user);
    for (oid, _, _) in roles(looking.viewer).into_iter().filter(|(oid, _, login)| !login && *oid != OWNER) {
        rows.push(&[("roleid", oid.into()), ("member", member.into()), ("grantor", OWNER.into())]);
    }
}
