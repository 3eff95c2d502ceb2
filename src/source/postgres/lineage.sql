-- What the relations that catalog.sql finds descend from and are divided by. One row a relation that has anything of it. Every name is qualified:
-- the search path is empty.
select n.nspname::text as schema,
       c.relname::text as relation,
       array(select h.inhparent from pg_catalog.pg_inherits h where h.inhrelid = c.oid order by h.inhseqno) as parents,
       c.relispartition as partition,
       pg_catalog.pg_get_expr(c.relpartbound, c.oid) as bound,
       case when c.relispartition then pg_catalog.pg_get_partition_constraintdef(c.oid) end as condition,
       p.partstrat::text as strategy,
       array(select u.number::int4 from pg_catalog.unnest(p.partattrs::int2[]) with ordinality as u(number, place) order by u.place) as numbers,
       array(select o.opcname::text
             from pg_catalog.unnest(p.partclass::oid[]) with ordinality as u(class, place)
             join pg_catalog.pg_opclass o on o.oid = u.class
             order by u.place) as classes,
       coalesce(p.partcollation::oid[], '{}') as collations,
       pg_catalog.pg_get_partkeydef(c.oid) as key,
       pg_catalog.pg_get_expr(p.partexprs, c.oid) as expressions,
       pg_catalog.pg_get_expr(p.partexprs, c.oid, true) as expressions_pretty,
       p.partdefid as default_partition
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
left join pg_catalog.pg_partitioned_table p on p.partrelid = c.oid
where c.relkind in ('r', 'p', 'f')
  and (p.partrelid is not null or exists (select from pg_catalog.pg_inherits h where h.inhrelid = c.oid))
  and n.nspname !~ '^pg_'
  and n.nspname <> 'information_schema'
  and ($1::text[] is null or n.nspname = any ($1::text[]))
