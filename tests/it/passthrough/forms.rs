//! Forms of PostgreSQL that no other grammar has, and functions behind its operators, of tables and of none: as at the source.
//! Must not know: how they are read and printed.

use super::same::{extended, oracle, seen};
use super::{passing, start};
use crate::harness::raw::error;

const STATEMENTS: &[&str] = &[
    "select count(*) from shop.items tablesample system (100)",
    "select count(*) from shop.items i tablesample bernoulli (100) repeatable (3) where i.id < 9",
    "select count(*) from shop.items tablesample bernoulli (0), shop.emps tablesample system (40 + 60)",
    "select id from shop.items tablesample bernoulli (200)",
    "select * from shop.cheap tablesample system (1)",
    "select * from rows from (generate_series(1, 3), unnest(array['a', 'b'])) with ordinality as f (a, b, o), shop.emps where id = 1",
    "select e.id, r.* from shop.emps e, lateral rows from (generate_series(1, e.id), unnest(array[1, 2], array['x'])) r (a, b, c) order by 1, 2",
    "select * from rows from (generate_series(1, 2), generate_series(5, 7))",
    "with recursive t (n, p) as (select id, array[id] from shop.emps where id = 1 union all select e.id, p || e.id from t join shop.emps e on e.boss = t.n) \
     search depth first by n set ord select n, p from t order by ord",
    "with recursive t (n) as (select 1 union all select n + 1 from t where n < 4) search breadth first by n set o select * from t order by o",
    "with recursive t (n) as (select 1 union all select n % 3 + 1 from t) cycle n set is_cycle using path select n, is_cycle, path from t",
    "with recursive t (n) as (select 1 union all select n % 3 + 1 from t) cycle n set mark to 'y' default 'n' using path \
     select n, mark from t order by n, mark",
    "with recursive t (n) as (select 1 union all select n % 2 + 1 from t) search depth first by n set o cycle n set c using p \
     select n, c, p, o from t order by o",
    "with t (n) as (select 1) search depth first by n set o select * from t",
    "with recursive t (n) as (select 1 union all select n from t) cycle nope set c using p select * from t",
    "select id, sum(id) over (order by id groups between 1 preceding and 1 following exclude current row) from shop.emps order by id",
    "select id, array_agg(id) over (partition by boss order by salary range between unbounded preceding and current row exclude ties) \
     from shop.emps order by id",
    "select n, sum(n) over w, sum(n) over (rows between 1 preceding and 1 following exclude no others) from generate_series(1, 4) n \
     window w as (order by n / 2 rows between unbounded preceding and unbounded following exclude group) order by n",
    "select salary from shop.emps order by salary desc nulls last fetch first 2 rows with ties",
    "select x / 2 as k from generate_series(1, 9) x order by k offset 1 fetch next row with ties",
    "select x from generate_series(1, 3) x fetch first 2 rows with ties",
    "select id from shop.emps order by id using > limit 2",
    "select x from generate_series(1, 3) x order by x using <, 1 using >",
    "select collation for (name), collation for ('x' collate \"C\") from shop.emps where id = 1",
    "select interval(3) '1.23456 sec', '1.23456 sec'::interval(2), cast('1.9 sec' as interval(0)), interval '1.5' second(0)",
    "select span::interval(0), span::interval hour from shop.items where id = 3",
    "select ('2020-01-01', '2020-01-10') overlaps ('2020-01-05'::date, '2020-02-01'::date), row(date '2020-01-01', interval '1 day') overlaps (date '2020-01-01', interval '2 days')",
    "select name from shop.emps where name like all (array['%o%', 'B%']) or name not ilike all (array['%O%', 'a%']) order by 1",
    "select num_nulls(variadic array[1, null, 2]), format('%s-%s', variadic array['a', 'b']), concat_ws(',', variadic tags) from shop.items where id = 2",
    "select hashtext(name), hashint8(id), jsonb_contains('{\"a\":1}', '{}'), int4pl(id, 1), textcat(name, 'x'), numeric_add(salary, 1), \
     range_overlaps(int4range(1, 3), int4range(2, 9)), pg_column_size(id), json_to_tsvector('english', '{\"a\": \"cats\"}', '\"all\"') \
     from shop.emps where id = 2",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forms_of_postgresql_alone_are_its_own() {
    let (postgres, daemon) = start("", "").await;
    let (mut ours, mut theirs) = (passing(&daemon, "ana"), oracle(postgres.port()));
    let mut wrong = Vec::new();
    for sql in STATEMENTS {
        let (a, b) = (seen(&ours.ask(sql)), seen(&theirs.ask(sql)));
        if a != b {
            wrong.push(format!("{sql}\n  {a:?}\n  {b:?}"));
        }
        let (a, b) = (seen(&extended(&mut ours, sql, 0)), seen(&extended(&mut theirs, sql, 0)));
        if a != b {
            wrong.push(format!("extended: {sql}\n  {a:?}\n  {b:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n"));
    // Where they cannot stand they are nothing.
    for sql in [
        "select (1) search depth first by a set b",
        "select (1) cycle a set b using c",
        "select (1) c cycle a set b using c",
    ] {
        assert_eq!(error(&ours.ask(sql))[&'C'], "42601", "{sql}");
    }
    // No other engine has them, and none takes them for something else.
    ours.ask("set tusk.route = federated");
    for sql in [
        "select count(*) from shop.items tablesample system (10)",
        "select e.id from shop.emps e, rows from (generate_series(1, 2), generate_series(1, 3)) r",
        "with recursive t (n) as (select id from shop.emps union all select n % 3 + 1 from t) cycle n set c using p select count(*) from t",
        "select sum(id) over (order by id rows between 1 preceding and 1 following exclude current row) from shop.emps",
        "select salary from shop.emps order by salary fetch first 1 rows with ties",
        "select concat(variadic tags) from shop.items",
    ] {
        assert_eq!(error(&ours.ask(sql))[&'C'], "0A000", "{sql}");
    }
}
