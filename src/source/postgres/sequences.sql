-- Sequences that the account may use, and those of columns that it may read. One row a sequence. Every name is qualified: the search path is
-- empty. Where they stand is not asked, which would wait for who has locked one.
select n.nspname::text as schema,
       s.relname::text as name,
       q.seqtypid as type_oid,
       q.seqstart as start,
       q.seqincrement as increment,
       q.seqmin as least,
       q.seqmax as greatest,
       q.seqcache as cache,
       q.seqcycle as cycle,
       pg_catalog.obj_description(s.oid, 'pg_class') as comment,
       tn.nspname::text as owner_schema,
       t.relname::text as owner_table,
       a.attname::text as owner_column,
       coalesce(d.deptype = 'i', false) as identity
from pg_catalog.pg_sequence q
join pg_catalog.pg_class s on s.oid = q.seqrelid
join pg_catalog.pg_namespace n on n.oid = s.relnamespace
left join pg_catalog.pg_depend d
       on d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = s.oid and d.objsubid = 0
      and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjsubid > 0 and d.deptype in ('a', 'i')
left join pg_catalog.pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
left join pg_catalog.pg_class t on t.oid = a.attrelid
left join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace
where s.relpersistence <> 't'
  and n.nspname !~ '^pg_'
  and n.nspname <> 'information_schema'
  and ($1::text[] is null or n.nspname = any ($1::text[]))
  and pg_catalog.has_schema_privilege(n.oid, 'USAGE')
  and case when a.attnum is null then pg_catalog.has_sequence_privilege(s.oid, 'USAGE, SELECT, UPDATE')
           else pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'SELECT') end
order by n.nspname collate "C", s.relname collate "C"
