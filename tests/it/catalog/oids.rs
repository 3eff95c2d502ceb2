//! The same object has the same oid: after a restart, in a second daemon, for somebody who sees less, and whatever else comes or goes.
//! Must not know: how oids are made.

use std::collections::BTreeMap;

use super::Both;
use crate::harness::daemon::Daemon;

/// Each kind of object: what tells one from another, and its oid.
const NAMED: &[(&str, &str)] = &[
    ("pg_namespace", "select nspname::text, oid from pg_namespace"),
    (
        "pg_class",
        "select relnamespace::regnamespace::text || '.' || relname::text || ' ' || relkind::text, oid from pg_class",
    ),
    ("pg_type", "select typnamespace::regnamespace::text || '.' || typname::text, oid from pg_type"),
    (
        "pg_constraint",
        "select connamespace::regnamespace::text || '.' || conrelid::text || ' ' || contypid::text || ' ' || conname::text, oid \
         from pg_constraint",
    ),
    (
        "pg_proc",
        "select pronamespace::regnamespace::text || '.' || proname::text || ' ' || proargtypes::text || ' ' || prokind::text, oid \
         from pg_proc",
    ),
    ("pg_database", "select datname::text, oid from pg_database"),
    ("pg_roles", "select rolname::text, oid from pg_roles"),
    ("pg_foreign_server", "select srvname::text, oid from pg_foreign_server"),
    (
        "pg_attrdef",
        "select adrelid::text || ' ' || attname::text, d.oid from pg_attrdef d join pg_attribute a on attrelid = adrelid and attnum = adnum",
    ),
    ("pg_enum", "select enumtypid::text || ' ' || enumlabel::text, oid from pg_enum"),
];

/// Kind and name of every object, and its oid.
type Oids = BTreeMap<String, String>;

fn oids(tusk: &Daemon, user: &str) -> Oids {
    let mut all = Oids::new();
    for (kind, sql) in NAMED {
        let (out, said) = tusk.psql(user, &["-X", "-At", "-F", "\t", "-c", sql]);
        assert_eq!(said, "", "{sql}");
        assert!(!out.is_empty() || user == "bob", "{sql}");
        for line in out.lines() {
            let (name, oid) = line.rsplit_once('\t').unwrap();
            let before = all.insert(format!("{kind} {name}"), oid.to_owned());
            assert_eq!(before, None, "two objects have one name: {kind} {name}");
        }
    }
    all
}

/// What is in both has one oid.
fn agree(all: &Oids, others: &Oids) {
    let moved: Vec<_> = others
        .iter()
        .filter_map(|(name, oid)| all.get(name).filter(|known| *known != oid).map(|known| (name, known, oid)))
        .collect();
    assert!(moved.is_empty(), "{moved:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_has_one_oid_for_ever() {
    let Both { postgres, tusk } = Both::start().await;
    let first = oids(&tusk, "ana");
    for name in ["orders r", "customer_pkey i", "orders_v v"] {
        assert!(first.contains_key(&format!("pg_class public.{name}")), "{name}: {first:?}");
    }
    assert!(first.contains_key("pg_type public.mood") && first.contains_key("pg_type public._mood"));
    // A second daemon, which somebody else asks first.
    let second = Both::daemon(&postgres);
    let narrow = oids(&second, "bob");
    assert!(narrow.contains_key("pg_class public.orders r") && !narrow.contains_key("pg_class public.customer r"));
    agree(&first, &narrow);
    assert_eq!(oids(&second, "ana"), first);
    // The first one again.
    drop(tusk);
    let tusk = Both::daemon(&postgres);
    assert_eq!(oids(&tusk, "ana"), first);
    // What comes and goes at the source changes nothing of what stays, in the daemon that sees it and in one that has never seen another.
    postgres
        .exec("create table a_first(id int primary key); create type a_kind as enum ('x'); create index a_key on line(l_line); drop view orders_v")
        .await;
    assert_eq!(tusk.psql("root", &["-X", "-At", "-c", "select tusk.refresh('shop')"]).0, "t\n");
    let later = oids(&tusk, "ana");
    assert!(later.contains_key("pg_class public.a_first r") && !later.contains_key("pg_class public.orders_v v"));
    agree(&first, &later);
    assert_eq!(oids(&Both::daemon(&postgres), "ana"), later);
}
