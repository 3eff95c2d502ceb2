-- Enums and domains that columns may be of. A domain's base is what it stands on directly, which may be another domain.
select t.oid as oid,
       n.nspname::text as schema,
       t.typname::text as name,
       t.typtype::text as kind,
       coalesce((select pg_catalog.array_agg(e.enumlabel::text order by e.enumsortorder)
                 from pg_catalog.pg_enum e where e.enumtypid = t.oid), '{}') as labels,
       t.typbasetype as base,
       t.typtypmod as typmod,
       t.typnotnull as not_null,
       t.typdefault as default_text,
       coalesce((select pg_catalog.array_agg(c.conname::text order by c.conname)
                 from pg_catalog.pg_constraint c where c.contypid = t.oid and c.contype = 'c'), '{}') as check_names,
       coalesce((select pg_catalog.array_agg(pg_catalog.pg_get_constraintdef(c.oid) order by c.conname)
                 from pg_catalog.pg_constraint c where c.contypid = t.oid and c.contype = 'c'), '{}') as checks,
       coalesce((select pg_catalog.array_agg(pg_catalog.pg_get_constraintdef(c.oid, true) order by c.conname)
                 from pg_catalog.pg_constraint c where c.contypid = t.oid and c.contype = 'c'), '{}') as checks_pretty,
       pg_catalog.obj_description(t.oid, 'pg_type') as comment
from pg_catalog.pg_type t
join pg_catalog.pg_namespace n on n.oid = t.typnamespace
where t.typtype in ('e', 'd') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
