-- Columns that the account may read, of relations that it may read. One row a column; a relation without columns has one row.
-- Every name is qualified: the search path is empty. Domains are followed down to what they are made of.
with recursive base(oid, under, typmod) as (
    -- Domains alone: what is estimated of a recursion over all types makes PostgreSQL compare every column with every type.
    select t.oid, t.typbasetype, t.typtypmod
    from pg_catalog.pg_type t
    where t.typtype = 'd'
  union all
    select b.oid, t.typbasetype, case when b.typmod = -1 then t.typtypmod else b.typmod end
    from base b
    join pg_catalog.pg_type t on t.oid = b.under
    where t.typtype = 'd'
),
domain as (
    select b.oid, b.under, b.typmod
    from base b
    join pg_catalog.pg_type t on t.oid = b.under
    where t.typtype <> 'd'
),
here as (
    select pg_catalog.to_jsonb(d) ->> 'datlocprovider' as provider, d.datcollate as collation,
           coalesce(pg_catalog.to_jsonb(d) ->> 'datlocale', pg_catalog.to_jsonb(d) ->> 'daticulocale') as locale,
           pg_catalog.pg_encoding_to_char(d.encoding) in ('UTF8', 'LATIN1', 'SQL_ASCII') as codepoints
    from pg_catalog.pg_database d
    where d.datname = pg_catalog.current_database()
),
relation as (
    select c.oid, c.relname, c.relkind, c.reltype, n.nspname, t.description,
           case when c.relkind = 'p' and c.reltuples <= 0
                then (select sum(l.reltuples) from pg_catalog.pg_partition_tree(c.oid) p
                      join pg_catalog.pg_class l on l.oid = p.relid and p.isleaf and l.reltuples > 0)
                when c.reltuples < 0 or (c.reltuples = 0 and c.relpages = 0) then null
                else c.reltuples end::float8 as estimate,
           (select k.conkey::int4[] from pg_catalog.pg_constraint k where k.conrelid = c.oid and k.contype = 'p') as key,
           (select count(*) from pg_catalog.pg_attribute l
            where l.attrelid = c.oid and l.attnum > 0 and not l.attisdropped)::int4 as attributes
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    left join pg_catalog.pg_description t
           on t.objoid = c.oid and t.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass and t.objsubid = 0
    where c.relkind in ('r', 'v', 'm', 'p', 'f')
      and n.nspname !~ '^pg_'
      and n.nspname <> 'information_schema'
      and ($1::text[] is null or n.nspname = any ($1::text[]))
      and pg_catalog.has_schema_privilege(n.oid, 'USAGE')
    -- What is asked of a relation is asked once for all of its columns.
    offset 0
)
select c.nspname::text as schema,
       c.relname::text as relation,
       c.oid as relation_oid,
       c.reltype as row_type,
       coalesce(rt.typarray, 0::oid) as row_array,
       c.relkind::text as kind,
       c.description as relation_comment,
       c.estimate,
       c.key,
       c.attributes,
       a.attnum::int4 as number,
       a.attname::text as name,
       a.attnotnull as not_null,
       r.oid as type_oid,
       case when a.atttypmod = -1 then coalesce(b.typmod, -1) else a.atttypmod end as typmod,
       rn.nspname::text as type_schema,
       r.typname::text as type_name,
       coalesce(r.typtype::text, '') as type_kind,
       e.oid as element_oid,
       en.nspname::text as element_schema,
       e.typname::text as element_name,
       coalesce(e.typtype::text, '') as element_kind,
       e.typarray as element_array,
       case when dt.typtype in ('e', 'd') then dt.oid when de.typtype in ('e', 'd') then de.oid end as declared,
       coalesce(dt.typtype not in ('e', 'd'), false) as declared_array,
       case
           when a.attcollation = 0 then true
           when not here.codepoints then false
           when o.collprovider = 'd' then
               case coalesce(here.provider, 'c')
                   when 'c' then here.collation in ('C', 'POSIX')
                   when 'b' then here.locale in ('C', 'C.UTF-8')
                   else false
               end
           when o.collprovider = 'c' then o.collcollate in ('C', 'POSIX')
           when o.collprovider = 'b' then coalesce(pg_catalog.to_jsonb(o) ->> 'colllocale', '') in ('C', 'C.UTF-8')
           else false
       end as bytewise,
       pg_catalog.pg_get_expr(d.adbin, d.adrelid) as default_text,
       pg_catalog.pg_get_expr(d.adbin, d.adrelid, true) as default_pretty,
       a.attinhcount::int2 as inherited,
       a.attislocal as local,
       a.attcollation as collation,
       -- Builtin collations compare bytes where they are not equal otherwise; others may take different texts for equal.
       case when a.attcollation < 16384 then false
            else coalesce(not (pg_catalog.to_jsonb(o) ->> 'collisdeterministic')::bool, false) end as loose,
       coalesce(a.attgenerated <> '', false) as generated,
       coalesce(a.attidentity::text, '') as identity,
       t.description as comment
from relation c
cross join here
left join pg_catalog.pg_type rt on rt.oid = c.reltype
left join pg_catalog.pg_attribute a
       on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      and pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT')
left join pg_catalog.pg_type dt on dt.oid = a.atttypid
left join pg_catalog.pg_type de on de.oid = dt.typelem and dt.typlen = -1
left join domain b on b.oid = a.atttypid
left join pg_catalog.pg_type r on r.oid = coalesce(b.under, a.atttypid)
left join pg_catalog.pg_namespace rn on rn.oid = r.typnamespace
left join domain be on be.oid = r.typelem
left join pg_catalog.pg_type e on e.oid = coalesce(be.under, r.typelem) and r.typlen = -1 and r.typelem <> 0
left join pg_catalog.pg_namespace en on en.oid = e.typnamespace
left join pg_catalog.pg_collation o on o.oid = a.attcollation
left join pg_catalog.pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
left join pg_catalog.pg_description t
       on t.objoid = c.oid and t.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass and t.objsubid = a.attnum
where a.attnum is not null or pg_catalog.has_table_privilege(c.oid, 'SELECT')
order by c.nspname collate "C", c.relname collate "C", a.attnum
