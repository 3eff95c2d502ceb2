-- Bytes on disk of the relations that catalog.sql finds, and of their indexes. One row a relation (its index is NULL) or an index. A partitioned
-- one is as large as its partitions. Nothing here waits: what is locked against readers is left out. Every name is qualified: the search
-- path is empty.
with recursive relations as (
    select c.oid, c.relkind, n.nspname, c.relname, null::pg_catalog.name as index
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'm', 'p')
      and n.nspname !~ '^pg_'
      and n.nspname <> 'information_schema'
      and ($1::text[] is null or n.nspname = any ($1::text[]))
),
roots as (
    select * from relations
  union all
    select i.oid, i.relkind, r.nspname, r.relname, i.relname
    from relations r
    join pg_catalog.pg_index x on x.indrelid = r.oid and x.indislive
    join pg_catalog.pg_class i on i.oid = x.indexrelid
),
tree(root, oid, relkind) as (
    select r.oid, r.oid, r.relkind from roots r
  union all
    select t.root, l.oid, l.relkind
    from tree t
    join pg_catalog.pg_inherits h on h.inhparent = t.oid
    join pg_catalog.pg_class l on l.oid = h.inhrelid
    where t.relkind in ('p', 'I')
),
held as (
    select l.relation
    from pg_catalog.pg_locks l
    where l.locktype = 'relation'
      and l.mode = 'AccessExclusiveLock'
      and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
),
locked as (
    select h.relation from held h
  union
    -- A table's size is that of its indexes too.
    select x.indrelid from held h join pg_catalog.pg_index x on x.indexrelid = h.relation
)
select r.nspname::text as schema,
       r.relname::text as relation,
       r.index::text as index,
       pg_catalog.bool_or(l.relation is not null) as locked,
       pg_catalog.sum(case when l.relation is null then pg_catalog.pg_relation_size(t.oid, 'main') end)::int8 as main,
       pg_catalog.sum(case when l.relation is null then pg_catalog.pg_relation_size(t.oid, 'fsm') end)::int8 as fsm,
       pg_catalog.sum(case when l.relation is null then pg_catalog.pg_relation_size(t.oid, 'vm') end)::int8 as vm,
       pg_catalog.sum(case when l.relation is null then pg_catalog.pg_table_size(t.oid) end)::int8 as whole,
       pg_catalog.sum(case when l.relation is null and r.index is null then pg_catalog.pg_indexes_size(t.oid) end)::int8 as indexes
from roots r
join tree t on t.root = r.oid
left join locked l on l.relation = t.oid
group by r.oid, r.nspname, r.relname, r.index
