//! The same question to both: the answers are equal, text for text. Oids aside, which no query here shows.
//! Must not know: which relations are filled how.

use super::Both;

/// What both must answer the same, each with an order of its own.
const QUERIES: &[&str] = &[
    // pg_catalog
    "select relname, relkind, relnatts, relchecks, relhasindex, relhastriggers from pg_class c join pg_namespace n on n.oid = relnamespace \
     where nspname = 'public' and relkind in ('r', 'v', 'i') order by 1",
    "select attrelid::regclass, attname, atttypid::regtype, atttypmod, attnum, attnotnull, atthasdef, attidentity, attgenerated, attndims, \
     attlen, attbyval, attalign, attstorage, attcollation from pg_attribute a join pg_class c on c.oid = attrelid \
     where relnamespace = 'public'::regnamespace and attnum > 0 and relkind in ('r', 'v') order by relname, attnum",
    "select relname, attname, format_type(atttypid, atttypmod), col_description(c.oid, attnum), pg_get_expr(adbin, adrelid) \
     from pg_class c join pg_attribute a on attrelid = c.oid left join pg_attrdef d on (adrelid, adnum) = (attrelid, attnum) \
     where relnamespace = 'public'::regnamespace and attnum > 0 and relkind = 'r' order by relname, attnum",
    "select conname, contype, conrelid::regclass, confrelid::regclass, conindid::regclass, conkey, confkey, confupdtype, confdeltype, \
     confmatchtype, condeferrable, condeferred, convalidated, pg_get_constraintdef(oid), pg_get_constraintdef(oid, true) from pg_constraint \
     where connamespace = 'public'::regnamespace and contype <> 'c' order by conrelid::regclass::text, conname",
    "select conname, pg_get_constraintdef(oid) from pg_constraint where contype = 'c' and conrelid = 'customer'::regclass",
    "select indexrelid::regclass, indrelid::regclass, indnatts, indnkeyatts, indisunique, indnullsnotdistinct, indisprimary, indisvalid, \
     indkey, indoption, indclass, indcollation, pg_get_indexdef(indexrelid), pg_get_indexdef(indexrelid, 1, true), \
     pg_get_indexdef(indexrelid, 2, false), pg_get_expr(indpred, indrelid) from pg_index i join pg_class c on c.oid = indrelid \
     where relnamespace = 'public'::regnamespace order by indexrelid::regclass::text",
    "select schemaname, tablename, indexname, indexdef from pg_indexes where schemaname = 'public' order by 3",
    "select objoid::regclass, objsubid, description from pg_description where classoid = 'pg_class'::regclass \
     and objoid in (select oid from pg_class where relnamespace = 'public'::regnamespace) order by objoid::regclass::text, 2",
    "select obj_description('customer'::regclass), obj_description('orders_v'::regclass, 'pg_class'), \
     obj_description('int4'::regtype, 'pg_type'), col_description('orders'::regclass, 5)",
    "select typname, typlen, typbyval, typtype, typcategory, typispreferred, typdelim, typelem::regtype, typarray::regtype, typinput, typoutput, \
     typreceive, typsend, typmodin, typalign, typstorage, typcollation from pg_type where oid < 1100 and typtype = 'b' and typnamespace = 11 and typname !~ '^_pg_' order by oid",
    "select t.typname, s.typname from pg_range r join pg_type t on t.oid = rngtypid join pg_type s on s.oid = rngsubtype order by 1",
    "select p.proname, t.typname from pg_type t join pg_proc p on p.oid = t.typreceive where p.proname = 'array_recv' and t.typname in ('_int4', '_text') \
     order by 2",
    "select proname, pg_get_function_arguments(oid), pg_get_function_result(oid), provolatile, proisstrict, prokind from pg_proc \
     where proname in ('count', 'row_number', 'format_type', 'array_in') order by 1, 2",
    "select castsource::regtype, casttarget::regtype, castcontext, castmethod from pg_cast where castsource in (16, 20, 21, 23, 25) \
     and casttarget in (16, 20, 21, 23, 25, 700, 701, 1700) order by castsource, casttarget",
    "select oprname, oprleft::regtype, oprright::regtype, oprresult::regtype, oprcode from pg_operator where oprleft = 23 and oprright = 23 order by 1",
    "select amname, amtype from pg_am order by oid",
    "select extname, extversion, n.nspname, extrelocatable, obj_description(e.oid, 'pg_extension') from pg_extension e \
     join pg_namespace n on n.oid = extnamespace order by 1",
    "select lanname, lanispl, lanpltrusted from pg_language order by oid",
    "select tablename, hasindexes, hastriggers, rowsecurity from pg_tables where schemaname = 'public' order by 1",
    "select opcname, opcintype::regtype, opcdefault from pg_opclass where opcmethod = 403 and opcintype in (20, 23, 25, 1042) order by 1, 2",
    "select t.typname, nspname, typlen, typbyval, typtype, typcategory, typdelim, typelem::regtype, typarray::regtype, typbasetype::regtype, typtypmod, \
     typnotnull, typdefault, typinput, typoutput, typreceive, typsend, typalign, typstorage, typcollation, obj_description(t.oid, 'pg_type'), \
     pg_type_is_visible(t.oid), format_type(t.oid, null), t.oid::regtype from pg_type t join pg_namespace n on n.oid = typnamespace \
     where typname ~ '(mood|posint|short)' order by typname collate \"C\"",
    "select enumtypid::regtype, enumlabel, enumsortorder from pg_enum order by enumsortorder",
    "select conname, contype, contypid::regtype, pg_get_constraintdef(oid) from pg_constraint where contypid <> 0 order by 1",
    "select domain_name, data_type, character_maximum_length, domain_default, udt_name from information_schema.domains where domain_schema = 'public' order by 1",
    "select domain_name, table_name, column_name from information_schema.column_domain_usage \
     where table_schema = 'public' order by 1, 2, 3",
    "select constraint_name, domain_name, is_deferrable from information_schema.domain_constraints where domain_schema = 'public' order by 1",
    "select column_name, data_type, udt_schema, udt_name, domain_name from information_schema.columns where table_name = 'person' order by ordinal_position",
    "select p_id, p_mood, p_moods, p_short, p_shorts from person",
    "select to_regtype('mood') = 'public.mood'::regtype, 'mood[]'::regtype, to_regtype('nope'), '_mood'::regtype",
    // information_schema
    "select table_name, table_type from information_schema.tables where table_schema = 'public' order by 1",
    "select table_name, column_name, ordinal_position, column_default, is_nullable, data_type, character_maximum_length, \
     character_octet_length, numeric_precision, numeric_precision_radix, numeric_scale, datetime_precision, udt_schema, udt_name, is_identity, \
     identity_generation, is_generated, generation_expression from information_schema.columns where table_schema = 'public' order by 1, 3",
    "select constraint_name, table_name, constraint_type, is_deferrable, initially_deferred, enforced, nulls_distinct \
     from information_schema.table_constraints where table_schema = 'public' and constraint_name !~ '^[0-9]' order by 1, 2",
    "select constraint_name, table_name, column_name, ordinal_position, position_in_unique_constraint \
     from information_schema.key_column_usage where table_schema = 'public' order by 1, 2, 4",
    "select constraint_name, unique_constraint_schema, unique_constraint_name, match_option, update_rule, delete_rule \
     from information_schema.referential_constraints where constraint_schema = 'public' order by 1",
    "select table_name, column_name, constraint_name from information_schema.constraint_column_usage where table_schema = 'public' \
     order by 3, 1, 2",
    "select check_clause from information_schema.check_constraints where constraint_schema = 'public' order by 1",
    // functions
    "select pg_size_pretty(0::bigint), pg_size_pretty(10239::bigint), pg_size_pretty(123456789::bigint), pg_size_pretty(-5::bigint)",
    "select quote_ident('a b'), quote_ident('abc'), format('%I.%L %s', 'A', 'it''s', 1), format('%%')",
    "select pg_encoding_to_char(6), pg_char_to_encoding('utf8'), getdatabaseencoding(), pg_encoding_to_char(-1)",
    "select word, catcode, catdesc from pg_get_keywords() order by word limit 20",
    "select 'public.orders'::regclass, to_regclass('nope'), to_regtype('int4'), 'array_out'::regproc::oid > 0, 'array_in'::regproc, \
     'lower(text)'::regprocedure, '=(integer,integer)'::regoperator, 'public'::regnamespace",
    "select has_table_privilege('orders', 'select'), has_column_privilege('orders', 'o_orderkey', 'select'), \
     has_schema_privilege('public', 'usage'), has_database_privilege(current_database(), 'connect')",
    "select pg_table_is_visible('orders'::regclass), pg_type_is_visible('int4'::regtype), pg_function_is_visible('array_in'::regproc)",
];

#[tokio::test(flavor = "multi_thread")]
async fn catalogs_say_of_one_schema_what_postgresql_says() {
    Both::start().await.say_the_same(QUERIES);
}
