//! The database and the roles: `pg_database`, `pg_roles` and what stands on them. A viewer sees itself and its roles.
//! Must not know: relations.

use super::{System, role_oid};
use crate::catalog::{Viewer, stable_oid};
use crate::pg_catalog::OWNER;
use crate::pg_catalog::relation::{Row, Value};

/// UTF8 in `pg_encoding_to_char`.
const UTF8: i64 = 6;

pub(super) fn pg_database(_system: &[System], viewer: &Viewer) -> Vec<Row> {
    vec![vec![
        ("oid", stable_oid("database", &viewer.database, |_| false).into()),
        ("datname", viewer.database.as_str().into()),
        ("datdba", OWNER.into()),
        ("encoding", UTF8.into()),
        ("datlocprovider", "c".into()),
        ("datistemplate", false.into()),
        ("datallowconn", true.into()),
        ("datconnlimit", (-1i64).into()),
        ("datfrozenxid", "0".into()),
        ("datminmxid", "0".into()),
        ("dattablespace", 1663u32.into()),
        ("datcollate", "C".into()),
        ("datctype", "C".into()),
    ]]
}

/// The owner of everything, the viewer, and the viewer's roles.
fn names(viewer: &Viewer) -> Vec<(u32, String, bool)> {
    let mut all = vec![(OWNER, "tusk".to_owned(), false)];
    all.push((role_oid(&viewer.user), viewer.user.clone(), true));
    for role in viewer.roles.iter().filter(|role| **role != viewer.user) {
        all.push((role_oid(role), role.clone(), false));
    }
    all
}

pub(super) fn pg_roles(_system: &[System], viewer: &Viewer) -> Vec<Row> {
    names(viewer)
        .into_iter()
        .map(|(oid, name, login)| {
            vec![
                ("oid", oid.into()),
                ("rolname", name.into()),
                ("rolinherit", true.into()),
                ("rolcanlogin", login.into()),
                ("rolconnlimit", (-1i64).into()),
                ("rolpassword", Value::Null),
            ]
        })
        .collect()
}

pub(super) fn pg_user(_system: &[System], viewer: &Viewer) -> Vec<Row> {
    let logins = names(viewer).into_iter().filter(|(_, _, login)| *login);
    logins
        .map(|(oid, name, _)| {
            vec![
                ("usename", name.into()),
                ("usesysid", oid.into()),
                ("usecreatedb", false.into()),
                ("usesuper", false.into()),
                ("userepl", false.into()),
                ("usebypassrls", false.into()),
            ]
        })
        .collect()
}

pub(super) fn pg_auth_members(_system: &[System], viewer: &Viewer) -> Vec<Row> {
    let member = role_oid(&viewer.user);
    let others = viewer.roles.iter().filter(|role| **role != viewer.user);
    others
        .map(|role| vec![("roleid", role_oid(role).into()), ("member", member.into()), ("grantor", OWNER.into())])
        .collect()
}
