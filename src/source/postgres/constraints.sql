-- Constraints of the relations that catalog.sql finds. One row a constraint. Every name is qualified: the search path is empty.
select n.nspname::text as schema,
       c.relname::text as relation,
       k.conname::text as name,
       k.contype::text as kind,
       coalesce(k.conkey::int4[], '{}') as columns,
       k.condeferrable as deferrable,
       k.condeferred as deferred,
       k.convalidated as validated,
       i.relname::text as index,
       fn.nspname::text as foreign_schema,
       f.relname::text as foreign_relation,
       array(select a.attname::text
             from pg_catalog.unnest(k.confkey) with ordinality as u(number, place)
             join pg_catalog.pg_attribute a on a.attrelid = k.confrelid and a.attnum = u.number
             order by u.place) as foreign_columns,
       k.confupdtype::text as on_update,
       k.confdeltype::text as on_delete,
       k.confmatchtype::text as matching,
       case when k.contype in ('c', 'x') then pg_catalog.pg_get_constraintdef(k.oid, false) end as definition,
       case when k.contype in ('c', 'x') then pg_catalog.pg_get_constraintdef(k.oid, true) end as definition_pretty,
       k.oid as oid,
       k.conparentid as parent,
       k.coninhcount::int2 as inherited,
       k.conislocal as local,
       k.connoinherit as no_inherit
from pg_catalog.pg_constraint k
join pg_catalog.pg_class c on c.oid = k.conrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
left join pg_catalog.pg_class i on i.oid = k.conindid
left join pg_catalog.pg_class f on f.oid = k.confrelid
left join pg_catalog.pg_namespace fn on fn.oid = f.relnamespace
where k.contype in ('p', 'u', 'f', 'c', 'x')
  and n.nspname !~ '^pg_'
  and n.nspname <> 'information_schema'
  and ($1::text[] is null or n.nspname = any ($1::text[]))
order by n.nspname collate "C", c.relname collate "C", k.conname collate "C"
