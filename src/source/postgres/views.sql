-- What the views that catalog.sql finds are made of, as they are written and as they are written for people. Nothing here waits: a view
-- over what is locked against readers is left out. Every name is qualified: the search path is empty.
with held as (
    select l.relation
    from pg_catalog.pg_locks l
    where l.locktype = 'relation'
      and l.mode = 'AccessExclusiveLock'
      and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
),
views as (
    select c.oid, n.nspname, c.relname
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('v', 'm')
      and n.nspname !~ '^pg_'
      and n.nspname <> 'information_schema'
      and ($1::text[] is null or n.nspname = any ($1::text[]))
      -- Writing a view out opens what it is made of.
      and not exists (select from pg_catalog.pg_rewrite w
                      join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass and d.objid = w.oid
                      join held h on d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and h.relation = d.refobjid
                      where w.ev_class = c.oid)
)
select v.nspname::text as schema,
       v.relname::text as relation,
       pg_catalog.pg_get_viewdef(v.oid, false) as plain,
       pg_catalog.pg_get_viewdef(v.oid, true) as pretty,
       coalesce(r.schemas, '{}') as read_schemas,
       coalesce(r.relations, '{}') as read_relations,
       coalesce(r.columns, '{}') as read_columns
from views v
left join (select w.ev_class,
                  pg_catalog.array_agg(n.nspname::text order by c.oid, d.refobjsubid) as schemas,
                  pg_catalog.array_agg(c.relname::text order by c.oid, d.refobjsubid) as relations,
                  pg_catalog.array_agg(d.refobjsubid::int4 order by c.oid, d.refobjsubid) as columns
           from pg_catalog.pg_rewrite w
           join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass and d.objid = w.oid
                and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid <> w.ev_class
           join pg_catalog.pg_class c on c.oid = d.refobjid
           join pg_catalog.pg_namespace n on n.oid = c.relnamespace
           where w.rulename = '_RETURN'
           group by w.ev_class) r on r.ev_class = v.oid
