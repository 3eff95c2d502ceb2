//! Subqueries in every place of a statement, correlated and not, give what PostgreSQL gives.
//! Must not know: which of them become joins.

use crate::harness::daemon::Daemon;
use crate::harness::federation::over;
use crate::harness::postgres::TestPostgres;
use crate::harness::raw::{Message, Raw, error, rows};
use crate::harness::routes::{ROUTES, goes, routed};

/// Tables with NULLs, duplicates and rows that nothing refers to.
const TABLES: &str = "
    create table emp (id int not null, mgr int, name text not null, sal numeric(10,2), dept text);
    insert into emp values (1, null, 'ann', 100.00, 'a'), (2, 1, 'bob', 80.50, 'a'), (3, 1, 'cyd', 80.50, 'b'),
        (4, 2, 'dan', null, 'b'), (5, 2, 'eve', 60.00, null), (6, 4, 'fay', 40.25, 'c'), (6, 4, 'fay', 40.25, 'c');
    create table job (id int, emp int, rank bigint, code text);
    insert into job values (10, 1, 1, 'x'), (11, 1, 2, 'y'), (12, 2, 1, 'x'), (13, null, 3, null), (14, 9, null, 'z'),
        (15, 4, 2, '01'), (16, 4, 2, '1');
    create table nil (id int, v text);
";

/// PostgreSQL answers each of these; rows in any order.
const ANSWERED: &[&str] = &[
    // EXISTS and IN over an aggregate without groups: it has a row of nothing too.
    "select id from emp e where exists (select count(*) from emp c where c.mgr = e.id)",
    "select id from emp e where not exists (select count(*) from emp c where c.mgr = e.id)",
    "select id from emp e where exists (select max(id) from emp c where c.mgr = e.id)",
    "select id from emp e where exists (select count(*) from emp c where c.mgr = e.id having count(*) = 0)",
    "select id from emp e where exists (select 1 from emp c where c.mgr = e.id having count(*) > 1)",
    "select id from emp e where not exists (select sum(sal) from emp c where c.mgr = e.id having sum(sal) > 100)",
    "select id, exists (select count(*) from emp c where c.mgr = e.id) from emp e",
    "select id, exists (select count(*) from emp c where c.mgr = e.id having count(*) = 0) from emp e",
    "select id from emp e where 0 in (select count(*) from emp c where c.mgr = e.id)",
    "select id from emp e where 0 not in (select count(*) from emp c where c.mgr = e.id)",
    "select id from emp e where e.id in (select count(*) from emp c where c.mgr = e.id)",
    "select id, 0 in (select count(*) from emp c where c.mgr = e.id) from emp e",
    "select id, e.sal in (select max(sal) from emp c where c.mgr = e.id) from emp e",
    "select id, e.sal >= all (select max(sal) from emp c where c.mgr = e.id) from emp e",
    "select id, e.sal > any (select min(sal) from emp c where c.mgr = e.id) from emp e",
    // With groups.
    "select id from emp e where exists (select c.dept from emp c where c.mgr = e.id group by c.dept)",
    "select id from emp e where exists (select c.dept from emp c where c.id > e.id group by c.dept having count(*) > 1)",
    "select id from emp e where 2 in (select count(*) from emp c where c.sal <= e.sal group by c.dept)",
    "select id from emp e where exists (select 1 from job j where j.code::text >= e.id::text group by j.emp having count(*) > 1)",
    // LIMIT and OFFSET.
    "select id from emp e where exists (select 1 from emp c where c.mgr = e.id offset 1)",
    "select id from emp e where not exists (select 1 from emp c where c.mgr = e.id offset 1)",
    "select id from emp e where exists (select 1 from emp c where c.mgr = e.id limit 0)",
    "select id from emp e where not exists (select 1 from emp c where c.mgr = e.id limit 0)",
    "select id from emp e where exists (select 1 from emp c where c.mgr = e.id limit 3 offset 1)",
    "select id, exists (select 1 from emp c where c.mgr = e.id offset 1) from emp e",
    "select id from emp e where e.id in (select c.mgr from emp c where c.mgr = e.id limit 0)",
    "select id from emp e where e.id not in (select c.mgr from emp c where c.mgr = e.id limit 0)",
    "select id from emp e where e.sal in (select c.sal from emp c where c.id <> e.id order by c.sal limit 2)",
    "select id from emp e where e.sal in (select c.sal from emp c where c.dept = e.dept order by c.id offset 1)",
    "select id, (select c.name from emp c where c.mgr = e.id order by c.id limit 1) from emp e",
    "select id, (select c.name from emp c where c.mgr = e.id order by c.id limit 1 offset 1) from emp e",
    "select id from emp where exists (select 1 from emp offset 6)",
    "select id from emp where exists (select 1 from emp offset 7)",
    "select id from emp where id in (select mgr from emp limit 0)",
    "select id from emp where id not in (select mgr from emp limit 0)",
    "select id from emp where exists (select 1 from emp limit 0) or id = 3",
    // Uncorrelated.
    "select id from emp where exists (select count(*) from nil where false)",
    "select id from emp where not exists (select count(*) from nil)",
    "select id from emp where exists (select 1 from nil)",
    "select id from emp where exists (select 1 from nil having count(*) = 0)",
    "select id from emp where not exists (select 1 from nil) and id > 4",
    "select id, exists (select 1 from nil), exists (select 1 from job where rank = 3) from emp",
    "select id from emp where 0 in (select count(*) from nil)",
    "select id from emp where id in (select emp from job)",
    "select id from emp where id not in (select emp from job)",
    "select id from emp where id not in (select emp from job where emp is not null)",
    "select id, id in (select emp from job), id not in (select emp from job) from emp",
    "select id, mgr in (select id from nil), mgr not in (select id from nil) from emp",
    "select id, coalesce((select 'x' from nil), 'none') from emp",
    "select id, (select 5 from nil) is null from emp",
    "select id, coalesce((select name from emp where id = 9), 'none'), (select name from emp where id = 9) is not null from emp",
    "select id from emp where coalesce((select 'x' where false), 'none') = 'none'",
    // A constant, or a value of the outside, for a target.
    "select id, coalesce((select 'x' where e.id > 2), 'none') from emp e",
    "select id, (select 5 where e.id > 2) is null from emp e",
    "select id, (select 5 where e.id > 2) + 1, (select e.sal where e.mgr is not null) from emp e",
    "select id from emp e where coalesce((select 'x' where e.id > 2), 'none') = 'none'",
    "select id, coalesce((select 'y' from job j where j.id = e.id + 9), 'none') from emp e",
    "select id, case when (select true from job j where j.id = e.id + 9) then 1 else 2 end from emp e",
    "select id, (select e.name || j.code from job j where j.id = e.id + 9) from emp e",
    "select id from emp e where 5 in (select 5 from emp c where c.mgr = e.id)",
    "select id from emp e where 5 not in (select 5 from emp c where c.mgr = e.id)",
    "select id, 5 in (select 5 from emp c where c.mgr = e.id), 4 in (select 5 from emp c where c.mgr = e.id) from emp e",
    "select id from emp e where exists (select e.id where e.id > 3)",
    "select id from emp e where e.id in (select e.mgr + 1)",
    "select id, exists (select 1 where e.mgr is null) from emp e",
    // Scalar aggregates.
    "select id, (select count(*) from emp c where c.mgr = e.id) from emp e",
    "select id, (select count(*) + 1 from emp c where c.mgr = e.id), (select coalesce(sum(c.sal), 0) from emp c where c.mgr = e.id) from emp e",
    "select id, (select sum(c.sal) from emp c where c.mgr = e.id having count(*) > 1) from emp e",
    "select id, (select count(*) from emp c where c.mgr = e.id having count(*) = 0) from emp e",
    "select id, coalesce((select count(*) from emp c where c.mgr = e.id having count(*) > 1), -1) from emp e",
    "select id, (select count(*) from emp c where c.sal < e.sal), (select max(c.id) from emp c where c.id < e.id) from emp e",
    "select id, (select count(*) from job j where j.code = e.id::text), (select string_agg(j.code, ',' order by j.id) from job j where j.rank = e.id) from emp e",
    "select id, (select count(*) from job j where (case when j.code ~ '^[0-9]+$' then j.code::int end) = e.id) from emp e",
    "select id, (select regr_count(c.sal, c.id) from emp c where c.mgr = e.id), (select bool_and(c.sal > 50) from emp c where c.mgr = e.id) from emp e",
    "select id, (select count(*) filter (where c.sal > 50) from emp c where c.mgr = e.id), (select count(distinct c.dept) from emp c where c.mgr = e.id) from emp e",
    "select id, (select case when count(*) = 0 then 'none' else 'some' end from emp c where c.mgr = e.id) from emp e",
    "select id, (select count(*) from (select distinct c.dept from emp c where c.id > e.id) q) from emp e",
    "select id, (select q.s from (select sum(c.sal) s from emp c where c.id > e.id) q) from emp e",
    "select id, (select count(*) from (select c.dept from emp c where c.mgr = e.id limit 1) q) from emp e",
    "select id, (select max(n) from (select count(*) n from emp c where c.mgr = e.id group by c.dept) q) from emp e",
    "select id, (select count(*) from emp c join job j on j.emp = c.id where c.mgr = e.id) from emp e",
    "select id, (select count(j.id) from emp c left join job j on j.emp = c.id and j.rank > e.id where c.mgr = e.id) from emp e",
    // Set operations, windows, DISTINCT ON.
    "select id from emp e where e.id in (select emp from job where rank > e.mgr union select 5)",
    "select id from emp e where e.id in (select j.emp from job j where j.emp = e.id except select 1)",
    "select id from emp e where exists (select c.id from emp c where c.mgr = e.id intersect select 4)",
    "select id from emp e where exists (select 1 from emp c where c.mgr = e.id union all select 2 where e.id = 6)",
    "select id from emp e where 2 in (select row_number() over (order by c.id) from emp c where c.mgr = e.id)",
    "select id, (select count(*) from (select distinct on (c.dept) c.id from emp c where c.id <> e.id order by c.dept, c.id) q) from emp e",
    "select id from emp e where e.mgr in (select distinct on (j.code) j.emp from job j where j.id > e.id order by j.code, j.id)",
    // HAVING, ON, ORDER BY, GROUP BY, aggregates' arguments.
    "select dept, count(*) from emp e group by dept having exists (select count(*) from job j where j.code = e.dept)",
    "select dept, count(*) from emp e group by dept having count(*) > (select count(*) from job j where j.code = e.dept)",
    "select mgr, max(sal) from emp e group by mgr having max(sal) in (select c.sal from emp c where c.id = e.mgr limit 0)",
    "select mgr, count(*) from emp e group by mgr having not exists (select 1 from emp c where c.mgr = e.mgr offset 1)",
    "select e.id, m.id from emp e left join emp m on m.mgr = e.id and exists (select 1 from emp x where x.mgr = m.id)",
    "select e.id, m.id from emp e left join emp m on m.mgr = e.id and not exists (select count(*) from emp x where x.mgr = m.id)",
    "select e.id, m.id from emp e left join emp m on m.mgr = e.id and m.id in (select emp from job)",
    "select e.id, m.id from emp e left join emp m on m.mgr = e.id and m.id > (select count(*) from job j where j.emp = e.id)",
    "select e.id, m.id from emp e join emp m on m.mgr = e.id and exists (select 1 from emp x where x.mgr = m.id)",
    "select e.id, m.id from emp e join emp m on m.mgr = e.id and e.id in (select count(*) from job j where j.emp = m.id)",
    "select e.id, m.id from emp e right join emp m on m.mgr = e.id and exists (select 1 from job j where j.emp = e.id and j.rank = m.mgr)",
    "select e.id, m.id from emp e full join emp m on m.mgr = e.id where exists (select count(*) from job j where j.emp = m.id)",
    "select sum((select count(*) from job j where j.emp = e.id)) from emp e",
    "select (select count(*) from job j where j.emp = e.id) n, count(*) from emp e group by 1",
    "select count(*) filter (where exists (select count(*) from job j where j.emp = e.id)) from emp e",
    // CASE, COALESCE, OR, NOT.
    "select id, case when exists (select 1 from job j where j.emp = e.id offset 1) then 'two' when e.id in (select emp from job) then 'one' else 'no' end from emp e",
    "select id, coalesce((select c.sal from emp c where c.mgr = e.id order by c.sal nulls last limit 1), e.sal, 0) from emp e",
    "select id from emp e where e.id = 6 or exists (select count(*) from job j where j.emp = e.id having count(*) > 1)",
    "select id from emp e where e.id = 6 or e.id in (select j.emp from job j where j.rank = e.id)",
    "select id from emp e where not (e.id in (select j.emp from job j where j.rank <= e.id) or e.mgr is null)",
    "select id from emp e where (e.id in (select j.emp from job j where j.rank > 1)) is not true",
    "select id from emp e where e.mgr <> all (select j.emp from job j where j.rank >= e.mgr)",
    "select id, e.mgr = any (select j.emp from job j), e.mgr < all (select j.rank from job j where j.emp = e.id) from emp e",
    "select id from emp e where (e.id, e.mgr) in (select j.emp, j.rank from job j)",
    "select id from emp e where (e.id, 0) in (select c.mgr, count(*) - 2 from emp c where c.id <> e.id group by c.mgr)",
    "select id from emp e where (id, mgr) = (select 2, 1)",
    "select id, (e.id, e.mgr) = (select j.emp, j.rank from job j where j.id = e.id + 9) from emp e",
    // Two deep, and past the query between.
    "select id from emp e where exists (select 1 from emp c where c.mgr = e.id and exists (select count(*) from job j where j.emp = c.id having count(*) = 0))",
    "select id from emp e where exists (select 1 from emp c where c.mgr = e.id and not exists (select 1 from job j where j.emp = c.id and j.rank = e.id))",
    "select id from emp e where exists (select 1 from emp c where c.mgr = e.id and c.id in (select j.emp from job j where j.rank <= e.id limit 3))",
    "select id, (select count(*) from emp c where c.mgr = e.id and c.sal > (select avg(x.sal) from emp x where x.dept = c.dept)) from emp e",
    "select id, (select count(*) from emp c where c.mgr = e.id and c.sal >= (select avg(x.sal) from emp x where x.dept = e.dept)) from emp e",
    "select id, (select (select count(*) from job j where j.emp = c.id or j.rank = e.id) from emp c where c.mgr = e.id order by c.id limit 1) from emp e",
    "select id from emp e where e.id in (select c.mgr from emp c where 0 in (select count(*) from job j where j.emp = c.id))",
    "select id from emp e where (select count(*) from emp c where c.mgr = e.id and exists (select max(rank) from job j where j.emp = c.id having max(rank) is null)) > 0",
    // WITH: evaluated once, read more than once.
    "with a as (select random() r) select (select r from a) = (select r from a)",
    "with a as (select random() r from emp) select count(*) from a x join a y on x.r = y.r",
    "with a as (select dept, count(*) n from emp group by dept) select x.dept, y.n from a x join a y on x.n = y.n",
    "with a as (select * from emp where id > 2) select id, (select count(*) from a c where c.mgr = e.id) from a e",
    "with a as materialized (select * from job), b as (select * from a where rank = 2) select * from a where id in (select id from b)",
    "with a as not materialized (select * from job) select x.id, y.id from a x join a y on x.rank = y.emp",
    "with recursive t(n) as (select 1 union all select n + 1 from t where n < 5) select x.n, y.n from t x join t y on x.n = y.n + 1",
    "with a as (select id, gen_random_uuid() u from emp where id < 5) select count(*) from emp e where exists (select 1 from a where a.id = e.id and a.u in (select u from a))",
    "select id, (with q as (select c.sal from emp c where c.mgr = e.id) select count(*) from q x, q y) from emp e",
];

/// The same, whose order tells too.
const ORDERED: &[&str] = &[
    "select id, name from emp e order by exists (select 1 from job j where j.emp = e.id offset 1), id",
    "select id from emp e order by (select count(*) from emp c where c.mgr = e.id) desc, id",
    "select id from emp e order by coalesce((select 'x' where e.id > 4), 'none'), id",
    "select id from emp e order by e.id in (select emp from job where rank = 1) desc nulls last, id",
];

/// PostgreSQL fails each of these, with this code.
const FAILED: &[(&str, &str)] = &[
    ("21000", "select id, (select c.id from emp c where c.mgr = e.id) from emp e"),
    ("21000", "select id from emp e where e.id = (select j.emp from job j where j.emp = e.id)"),
    ("22012", "select id, (select 1 / count(*) from emp c where c.mgr = e.id) from emp e"),
];

fn sorted(messages: &[Message]) -> Vec<Vec<Option<String>>> {
    let mut found = rows(messages);
    found.sort();
    found
}

async fn started() -> (TestPostgres, Daemon) {
    let postgres = TestPostgres::start();
    postgres.exec("create database oracle").await;
    postgres.exec(TABLES).await;
    postgres.connect_to("oracle").await.batch_execute(TABLES).await.unwrap();
    let tusk = over(&postgres, "", "");
    (postgres, tusk)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subqueries_answer_as_postgresql() {
    let (postgres, daemon) = started().await;
    let mut oracle = Raw::login(postgres.port(), "postgres", "oracle");
    let mut findings = Vec::new();
    for route in ROUTES {
        let mut tusk = routed(&daemon, "ana", route);
        tusk.ask("set search_path = shop");
        goes(&mut tusk, route, ANSWERED[0]);
        for (sql, in_order) in ANSWERED.iter().map(|sql| (sql, false)).chain(ORDERED.iter().map(|sql| (sql, true))) {
            let (ours, theirs) = (tusk.ask(sql), oracle.ask(sql));
            assert!(theirs.iter().all(|message| message.tag != b'E'), "PostgreSQL fails {sql}: {:?}", error(&theirs));
            let seen = |messages: &[Message]| if in_order { rows(messages) } else { sorted(messages) };
            match ours.iter().find(|message| message.tag == b'E') {
                Some(failed) => findings.push(format!("{route}: {sql}\n  {:?}", failed.fields())),
                None if seen(&ours) != seen(&theirs) => {
                    findings.push(format!("{route}: {sql}\n  {:?}\n  {:?}", seen(&ours), seen(&theirs)));
                }
                None => {}
            }
        }
        for (code, sql) in FAILED {
            assert_eq!(error(&oracle.ask(sql))[&'C'], *code, "{sql}");
            let ours = tusk.ask(sql);
            match ours.iter().find(|message| message.tag == b'E') {
                Some(failed) if failed.fields()[&'C'] == *code => {}
                other => findings.push(format!("{route}: {sql}\n  {:?}", other.map(Message::fields))),
            }
        }
    }
    assert!(findings.is_empty(), "{} differ:\n{}", findings.len(), findings.join("\n"));
}

/// What DataFusion's joins answer rightly keeps them: no subquery runs for each row.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_correlation_is_a_join() {
    let (_postgres, daemon) = started().await;
    let mut tusk = routed(&daemon, "ana", "federated");
    tusk.ask("set search_path = shop");
    let mut plan = |sql: &str| -> String {
        let lines = rows(&tusk.ask(&format!("explain {sql}")));
        lines.into_iter().flatten().flatten().collect::<Vec<_>>().join("\n")
    };
    let joined = [
        "select id from emp e where exists (select 1 from job j where j.emp = e.id and j.rank > 1)",
        "select id from emp e where not exists (select * from job j where j.emp = e.id and j.rank <> e.mgr)",
        "select id from emp e where id in (select emp from job where rank > 1)",
        "select id from emp e where id in (select j.emp from job j where j.rank = e.mgr)",
        "select id from emp e where sal < (select 0.2 * avg(c.sal) from emp c where c.dept = e.dept)",
        "select id, (select count(*) from emp c where c.mgr = e.id) from emp e",
        "select e.id from emp e, job j where j.emp = e.id and e.sal = (select min(c.sal) from emp c, job k where c.id = k.emp and c.dept = e.dept)",
        "select id from emp e where id in (select j.emp from job j where j.code in (select v from nil) and j.rank > (select 0.5 * sum(n.id) from nil n where n.v = j.code))",
    ];
    for sql in joined {
        let told = plan(sql);
        assert!(
            told.contains("HashJoinExec") && !told.contains("HeldExec") && !told.contains("subquery("),
            "{sql}\n{told}"
        );
    }
    // What a subquery reads that runs for each row is read once.
    let told = plan("select id from emp e where exists (select 1 from job j where j.emp = e.id offset 1)");
    assert!(told.contains("HoldExec") && told.contains("subquery("), "{told}");
}
