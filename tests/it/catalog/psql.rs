//! psql's own commands: they run without an error and show what the role may see.
//! Must not know: which queries psql sends for them.

use crate::harness::federation::Federation;

/// What is run for each role.
const COMMANDS: &[&str] =
    &[r"\d", r"\dt", r"\dv", r"\l", r"\dn", r"\dn+", r"\du", r"\d shop.orders", r"\d pg_class", r"\d pg_stats"];

/// The columns that `\d` lists: name and type.
fn columns(listing: &str) -> Vec<(String, String)> {
    let rows = listing.lines().filter(|line| line.matches('|').count() >= 4);
    rows.map(|line| {
        let mut cells = line.split('|').map(str::trim);
        (cells.next().unwrap_or_default().to_owned(), cells.next().unwrap_or_default().to_owned())
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn psql_commands_run_and_show_what_the_role_may_see() {
    let federation = Federation::start().await;
    let mut wrong = Vec::new();
    for user in ["ana", "bob"] {
        for command in COMMANDS {
            let (out, said) = federation.tusk.psql(user, &["-X", "-At", "-c", command]);
            if said.contains("ERROR") {
                wrong.push(format!("{user} {command}\n{out}\n{said}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    let listed = |user: &str| {
        let (out, _) = federation.tusk.psql(user, &["-X", "-At", "-c", r"\d shop.orders"]);
        columns(&out).into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    let (all, some) = (listed("ana"), listed("bob"));
    assert!(all.iter().any(|name| name == "o_totalprice"), "{all:?}");
    assert_eq!(some, ["o_orderkey", "o_custkey", "o_orderdate"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_oids_and_subqueries_over_the_catalog() {
    let federation = Federation::start().await;
    let said = |user: &str, sql: &str| {
        let (out, error) = federation.tusk.psql(user, &["-X", "-At", "-v", "VERBOSITY=sqlstate", "-c", sql]);
        format!("{}{}", out.trim(), error.trim())
    };
    for (sql, wanted) in [
        ("select 'shop.orders'::regclass", "orders"),
        ("select 'pg_class'::regclass, 1259::regclass::text, 0::regclass", "pg_class|pg_class|-"),
        ("select 'pg_catalog.pg_class'::regclass::oid", "1259"),
        ("select count(*) from pg_class where oid = 'pg_attribute'::regclass", "1"),
        ("select 'nowhere'::regclass", "ERROR:  42P01"),
        ("select 'nosuchtype'::regtype", "ERROR:  42704"),
        ("select 'int4'::regtype, 25::regtype::text, 'pg_catalog'::regnamespace", "integer|text|pg_catalog"),
        ("select to_regclass('nowhere') is null", "t"),
        (
            "select (select relname from pg_class c where c.oid <= a.oid order by c.oid desc limit 1) from pg_class a where a.oid = 1259",
            "pg_class",
        ),
        (
            "select (select relname from pg_class c where c.oid < a.oid) from pg_class a where a.oid = 2619",
            "ERROR:  21000",
        ),
        (
            "select array(select relname from pg_class c where c.oid in (1249, 1259) and c.oid <> a.oid order by 1 desc) from pg_class a \
          where a.oid = 1247",
            "{pg_class,pg_attribute}",
        ),
        (
            "select array_to_string(array(select attname from pg_attribute where attrelid = 2606 and attnum between 1 and 3 order by attnum), '+')",
            "oid+conname+connamespace",
        ),
        (
            "select array_upper('[0:2]={1,2,3}'::int4[], 1), cardinality('{{1,2},{3,4}}'::int4[]), ('{7,8}'::int4[])[2]",
            "2|4|8",
        ),
        ("select '{0}'::oid[] = '{0}', array_to_string('{a,NULL,b}'::text[], ',', '?')", "t|a,?,b"),
        ("select x from unnest('{b,a}'::text[]) x order by 1", "a\nb"),
        (
            "select (select string_agg(s::text, ',') from generate_series(0, a.attnum::int4) s) from pg_attribute a where attrelid = 1259 \
          and attnum = 2",
            "0,1,2",
        ),
    ] {
        assert_eq!(said("ana", sql), wanted, "{sql}");
    }
    // A hidden table has no name.
    assert_eq!(said("bob", "select 'shop.customer'::regclass"), "ERROR:  42P01");
}
