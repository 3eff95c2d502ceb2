#!/bin/bash
# Writes columns.tsv, rows.tsv, procedures.tsv, descriptions.tsv and keywords.tsv from a real PostgreSQL 15, freshly initialised (see
# PGHOST, PGPORT, PGUSER): facts of its catalogs that are the same in every database. COPY's text form; oids instead of names of functions.
#   columns.tsv       schema, relation, its oid, column, the column's type (domains as their base types), whether it is NOT NULL
#   rows.tsv          `#relation` and its columns, then its rows
#   procedures.tsv    rows of pg_proc as rows.tsv has them, then what pg_get_function_arguments, _identity_arguments and _result say
#   descriptions.tsv  rows of pg_description
#   keywords.tsv      rows of pg_get_keywords()
set -euo pipefail
cd "$(dirname "$0")"
sql() { psql -X -q -At -v ON_ERROR_STOP=1 -d "${PGDATABASE:-postgres}" -c "$1"; }

sql "copy (
  select n.nspname, c.relname, c.oid, a.attname, case when t.typtype = 'd' then t.typbasetype else t.oid end, a.attnotnull
  from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid join pg_type t on t.oid = a.atttypid
  where n.nspname in ('pg_catalog', 'information_schema') and c.relkind in ('r', 'v') and c.relname !~ '^_pg_' and a.attnum > 0
  order by n.nspname collate \"C\" , c.relname collate \"C\", a.attnum) to stdout" > columns.tsv

# The columns of a relation as they are written: functions as oids, what only a server can read as NULL.
columns() {
  sql "select string_agg(case when atttypid = 'regproc'::regtype then attname || '::oid' when atttypid = 'pg_node_tree'::regtype then 'null'
                              else attname end, ', ' order by attnum)
       from pg_attribute where attrelid = 'pg_catalog.$1'::regclass and attnum > 0"
}
names() { sql "select string_agg(attname, E'\t' order by attnum) from pg_attribute where attrelid = 'pg_catalog.$1'::regclass and attnum > 0"; }
rows() { printf '#%s\t%s\n' "$1" "$(names "$1")"; sql "copy (select $(columns "$1") from pg_catalog.$1 where $2 order by $3) to stdout"; }

{
  rows pg_type "typtype in ('b', 'p', 'r', 'm') and typnamespace = 11 and typelem not in (select oid from pg_type where typtype in ('c', 'd')) and oid < 12000" oid
  rows pg_am true oid
  rows pg_amop true oid
  rows pg_amproc true oid
  rows pg_aggregate "aggfnoid < 10000" aggfnoid
  rows pg_cast true oid
  rows pg_collation "collprovider <> 'i' and oid < 13000 and collname in ('default', 'C', 'POSIX', 'ucs_basic')" oid
  rows pg_language true oid
  rows pg_extension true oid
  rows pg_opclass true oid
  rows pg_operator true oid
  rows pg_opfamily true oid
  rows pg_range true rngtypid
  rows pg_tablespace true oid
} > rows.tsv

# Bodies in SQL are left out: they would not run here.
sql "copy (select $(columns pg_proc | sed "s/\bprosrc\b/case prolang when 12 then prosrc else proname end/; s/\bproargdefaults\b/null/; s/\bprosqlbody\b/null/"),
     pg_get_function_arguments(oid), pg_get_function_identity_arguments(oid), pg_get_function_result(oid)
     from pg_catalog.pg_proc where oid < 13600 order by oid) to stdout" > procedures.tsv

sql "copy (select objoid, classoid, objsubid, description from pg_description
     where objsubid = 0 and classoid in ('pg_type'::regclass, 'pg_proc'::regclass, 'pg_operator'::regclass, 'pg_cast'::regclass,
       'pg_am'::regclass, 'pg_language'::regclass, 'pg_collation'::regclass, 'pg_namespace'::regclass, 'pg_extension'::regclass) and objoid < 13600
     order by classoid, objoid) to stdout" > descriptions.tsv

sql "copy (select word, catcode, barelabel, catdesc, baredesc from pg_get_keywords() order by word collate \"C\") to stdout" > keywords.tsv
