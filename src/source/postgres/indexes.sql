-- Indexes of the relations that catalog.sql finds. One row an index. Every name is qualified: the search path is empty.
select n.nspname::text as schema,
       c.relname::text as relation,
       i.relname::text as name,
       m.amname::text as method,
       x.indisunique as unique,
       x.indisprimary as primary,
       x.indisvalid as valid,
       coalesce((pg_catalog.to_jsonb(x) ->> 'indnullsnotdistinct')::bool, false) as nulls_not_distinct,
       coalesce((pg_catalog.to_jsonb(x) ->> 'indnkeyatts')::int4, x.indnatts) as keys,
       array(select u.number::int4 from pg_catalog.unnest(x.indkey::int2[]) with ordinality as u(number, place) order by u.place) as numbers,
       array(select u.bits::int4 from pg_catalog.unnest(x.indoption::int2[]) with ordinality as u(bits, place) order by u.place) as options,
       array(select case when o.opcdefault then '' else o.opcname::text end
             from pg_catalog.unnest(x.indclass::oid[]) with ordinality as u(class, place)
             join pg_catalog.pg_opclass o on o.oid = u.class
             order by u.place) as classes,
       array(select case when u.number = 0 then pg_catalog.pg_get_indexdef(x.indexrelid, u.place::int4, false) end
             from pg_catalog.unnest(x.indkey::int2[]) with ordinality as u(number, place)
             order by u.place) as expressions,
       array(select case when u.number = 0 then pg_catalog.pg_get_indexdef(x.indexrelid, u.place::int4, true) end
             from pg_catalog.unnest(x.indkey::int2[]) with ordinality as u(number, place)
             order by u.place) as expressions_pretty,
       pg_catalog.pg_get_expr(x.indexprs, x.indrelid) as list,
       pg_catalog.pg_get_expr(x.indexprs, x.indrelid, true) as list_pretty,
       -- Those that are not their column's. What is only stored has none.
       array(select case when o.collnamespace = 'pg_catalog'::pg_catalog.regnamespace then pg_catalog.quote_ident(o.collname)
                         else pg_catalog.quote_ident(s.nspname) || '.' || pg_catalog.quote_ident(o.collname) end
             from pg_catalog.unnest(x.indcollation::oid[]) with ordinality as u(coll, place)
             left join pg_catalog.pg_attribute a
                    on a.attrelid = x.indrelid and a.attnum = (x.indkey::int2[])[u.place::int4 - 1] and a.attnum <> 0
             left join pg_catalog.pg_collation o on o.oid = u.coll and o.oid <> a.attcollation
             left join pg_catalog.pg_namespace s on s.oid = o.collnamespace
             order by u.place) as collations,
       array(select o.opcname::text
             from pg_catalog.unnest(x.indclass::oid[]) with ordinality as u(class, place)
             join pg_catalog.pg_opclass o on o.oid = u.class
             order by u.place) as class_names,
       x.indcollation::oid[] as collation_oids,
       array(select a.attname::text from pg_catalog.pg_attribute a where a.attrelid = i.oid and a.attnum > 0 order by a.attnum) as names,
       array(select a.atttypid from pg_catalog.pg_attribute a where a.attrelid = i.oid and a.attnum > 0 order by a.attnum) as types,
       array(select a.atttypmod from pg_catalog.pg_attribute a where a.attrelid = i.oid and a.attnum > 0 order by a.attnum) as typmods,
       pg_catalog.pg_get_expr(x.indpred, x.indrelid) as predicate,
       pg_catalog.pg_get_expr(x.indpred, x.indrelid, true) as predicate_pretty,
       coalesce(i.reloptions, '{}') as storage,
       i.oid as oid,
       coalesce((select h.inhparent from pg_catalog.pg_inherits h where h.inhrelid = i.oid), 0) as parent,
       case when i.reltuples >= 0 and i.relpages > 0 then i.reltuples end::float8 as estimate
from pg_catalog.pg_index x
join pg_catalog.pg_class i on i.oid = x.indexrelid
join pg_catalog.pg_am m on m.oid = i.relam
join pg_catalog.pg_class c on c.oid = x.indrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'm', 'p')
  and x.indislive
  and n.nspname !~ '^pg_'
  and n.nspname <> 'information_schema'
  and ($1::text[] is null or n.nspname = any ($1::text[]))
order by n.nspname collate "C", c.relname collate "C", i.relname collate "C"
