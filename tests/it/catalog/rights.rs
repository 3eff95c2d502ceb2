//! What a role may do to tables of a source that may be written: the catalogs tell it as a PostgreSQL tells the same grants.
//! Must not know: how the catalogs are filled.

use super::SCHEMA;
use crate::harness::federation::over;
use crate::harness::postgres::TestPostgres;

/// The same of both, by `eve`: she reads four relations, writes to one and to a column of another.
const GRANTS: &str = "create role eve login; grant usage on schema public to eve; grant select on orders, customer, orders_v, line to eve; \
                      grant insert, update, delete on orders to eve; grant insert (c_name), update (c_name) on customer to eve";

const ROLES: &str = r#"
[[role]]
name = "writer"
[[role.grant]]
tables = ["public.orders", "public.customer", "public.orders_v", "public.line"]
privileges = ["select"]
[[role.grant]]
tables = ["public.orders", "public.orders_v"]
privileges = ["insert", "update", "delete"]
[[role.grant]]
tables = ["public.customer"]
columns = ["c_name"]
privileges = ["insert", "update"]
[[user]]
name = "eve"
roles = ["writer"]
"#;

/// What both must answer the same.
const QUERIES: &[&str] = &[
    "select p, has_table_privilege('orders', p), has_table_privilege('customer', p), has_table_privilege('line', p), \
     has_table_privilege('orders_v'::regclass, p), has_table_privilege('eve', 'orders', p) \
     from unnest(array['select', 'insert', 'UPDATE', 'delete', 'truncate', 'references', 'trigger', 'insert with grant option', \
     'truncate, update']) p",
    "select p, has_any_column_privilege('orders', p), has_any_column_privilege('customer', p), has_any_column_privilege('line', p), \
     has_any_column_privilege('orders_v', p) from unnest(array['select', 'insert', 'update', 'references']) p",
    "select c, p, has_column_privilege('customer', c, p) from unnest(array['c_custkey', 'c_name']) c, \
     unnest(array['select', 'insert', 'update', 'references']) p",
    "select attnum, has_column_privilege('orders'::regclass, attnum, 'update'), has_column_privilege('line'::regclass, attnum, 'insert, update') \
     from pg_attribute where attrelid = 'orders'::regclass and attnum between 1 and 1",
    "select grantee, table_schema, table_name, privilege_type, is_grantable, with_hierarchy from information_schema.table_privileges \
     where table_schema = 'public' order by 3, 4",
    "select grantee, table_name, privilege_type from information_schema.role_table_grants where table_schema = 'public' order by 2, 3",
    "select grantee, table_name, column_name, privilege_type, is_grantable from information_schema.column_privileges \
     where table_schema = 'public' order by 2, 3, 4",
    "select relname, replace(relacl::text, 'postgres', 'tusk') from pg_class where relname in ('orders', 'customer', 'line', 'orders_v') order by 1",
    "select relname, pg_get_userbyid(grantee), privilege_type, is_grantable from pg_class, aclexplode(relacl) \
     where relname in ('orders', 'customer') and grantee <> relowner order by 1, 3",
    "select count(*) from pg_class, aclexplode(coalesce(relacl, acldefault('r', relowner))) a where relname = 'orders' and a.grantee = relowner",
    "select attname, replace(attacl::text, 'postgres', 'tusk') from pg_attribute where attrelid = 'customer'::regclass and attacl is not null",
    "select pg_relation_is_updatable('orders', false), pg_column_is_updatable('orders', 1::int2, false), \
     pg_column_is_updatable('customer', 2::int2, false), pg_column_is_updatable('orders', 0::int2, true), pg_relation_is_updatable(1, true)",
    "select is_updatable from information_schema.columns where table_name = 'orders' and ordinal_position = 1",
];

#[tokio::test(flavor = "multi_thread")]
async fn what_a_role_may_write_is_told() {
    let postgres = TestPostgres::start();
    postgres.exec(SCHEMA).await;
    postgres.exec(GRANTS).await;
    let tusk = over(&postgres, "schemas = { public = \"public\" }\nwritable = true", ROLES);
    let asked = |sql: &str| {
        let (out, said) = tusk.psql("eve", &["-X", "-At", "-c", sql]);
        format!("{out}{said}")
    };
    let oracle = |sql: &str| {
        let port = postgres.port().to_string();
        let asked = ["-X", "-q", "-h", "127.0.0.1", "-p", &port, "-U", "postgres", "-At"];
        let mut psql = std::process::Command::new("psql");
        let output = psql.args(asked).args(["-c", "set session authorization eve", "-c", sql]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    };
    let mut wrong = Vec::new();
    for sql in QUERIES {
        let (theirs, ours) = (oracle(sql), asked(sql));
        assert!(!theirs.contains("ERROR"), "{sql}\n{theirs}");
        if theirs != ours {
            wrong.push(format!("{sql}\n--- PostgreSQL\n{theirs}--- Tusk\n{ours}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), QUERIES.len(), wrong.join("\n"));
    // PostgreSQL tells of every table that somebody could write to it; here nobody else is.
    let insertable =
        "select table_name, is_insertable_into from information_schema.tables where table_schema = 'public' order by 1";
    assert_eq!(asked(insertable), "customer|YES\nline|NO\norders|YES\norders_v|NO\n");
    assert_eq!(
        asked("select pg_relation_is_updatable('line', false), pg_relation_is_updatable('customer', false)"),
        "0|12\n"
    );
    assert_eq!(
        asked("insert into customer(c_custkey, c_name) values (77, 'x')"),
        "ERROR:  permission denied for table customer\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_may_be_written_to_a_source_that_is_not_writable() {
    let postgres = TestPostgres::start();
    postgres.exec(SCHEMA).await;
    let tusk = over(&postgres, "schemas = { public = \"public\" }", ROLES);
    let asked = |sql: &str| tusk.psql("eve", &["-X", "-At", "-c", sql]).0;
    assert_eq!(
        asked(
            "select has_table_privilege('orders', 'insert, update, delete'), has_any_column_privilege('customer', 'insert')"
        ),
        "f|f\n"
    );
    assert_eq!(
        asked("select distinct privilege_type from information_schema.table_privileges where table_schema = 'public'"),
        "SELECT\n"
    );
    assert_eq!(asked("select relacl from pg_class where relname = 'orders'"), "{tusk=arwdDxt/tusk,eve=r/tusk}\n");
    assert_eq!(asked("select distinct is_insertable_into from information_schema.tables"), "NO\n");
}
