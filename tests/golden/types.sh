#!/bin/bash
# Writes types.tsv and numeric.tsv from a real PostgreSQL 15 (see PGHOST, PGPORT, PGUSER): what it makes of the inputs in types.in.
# types.tsv: type, input, text under four sets of settings, binary in hex, error (SQLSTATE|message|detail|hint). COPY's text format.
# numeric.tsv: operation, two operands, result (or error: and its SQLSTATE).
set -euo pipefail
cd "$(dirname "$0")"
psql -X -q -v ON_ERROR_STOP=1 <<'SQL'
create temp table inputs(n serial, type text, input text);
\copy inputs(type, input) from 'types.in'
create temp table results(n int, type text, input text, a text, b text, c text, d text, hex text, error text);

create function pg_temp.settings(style text, intervals text, zone text, bytes text, digits text) returns void language sql as $$
  select set_config('DateStyle', style, false), set_config('IntervalStyle', intervals, false), set_config('TimeZone', zone, false),
         set_config('bytea_output', bytes, false), set_config('extra_float_digits', digits, false)
$$;

create function pg_temp.golden(n int, type text, input text) returns void language plpgsql as $$
declare
  t pg_type; typmod int; args text; texts text[] := '{}'; one text; bytes bytea;
  state text; message text; detail text; hint text;
begin
  execute format('create temp table holder(v %s)', type);
  select a.atttypmod into typmod from pg_attribute a where attrelid = 'holder'::regclass and attnum = 1;
  select p.* into t from pg_type p join pg_attribute a on a.atttypid = p.oid where attrelid = 'holder'::regclass and attnum = 1;
  perform pg_temp.settings('ISO, MDY', 'postgres', 'UTC', 'hex', '1');
  args := case (select pronargs from pg_proc where oid = t.typinput) when 1 then ''
          else format(', %s::oid, %s', case when t.typelem <> 0 then t.typelem else t.oid end, typmod) end;
  begin
    if t.typcategory in ('A', 'R') then execute format('insert into holder values (%L)', input);
    else execute format('insert into holder select %s(%L::cstring%s)', t.typinput, input, args); end if;
    foreach one in array array['ISO, MDY/postgres/UTC/hex/1', 'SQL, DMY/postgres_verbose/America New_York/escape/0',
        'Postgres, MDY/sql_standard/Asia Kolkata/hex/-3', 'German, DMY/iso_8601/Europe Berlin/escape/3'] loop
      perform pg_temp.settings(split_part(one, '/', 1), split_part(one, '/', 2), replace(split_part(one, '/', 3), ' ', '/'),
                       split_part(one, '/', 4), split_part(one, '/', 5));
      execute 'select format(''%s'', v) from holder' into one;
      texts := texts || one;
    end loop;
    perform pg_temp.settings('ISO, MDY', 'postgres', 'UTC', 'hex', '1');
    if t.typsend <> 0 then execute format('select %s(v) from holder', t.typsend) into bytes; end if;
    insert into results values (n, type, input, texts[1], texts[2], texts[3], texts[4], encode(bytes, 'hex'), null);
  exception when others then
    get stacked diagnostics state = returned_sqlstate, message = message_text, detail = pg_exception_detail, hint = pg_exception_hint;
    insert into results values (n, type, input, null, null, null, null, null, concat_ws('|', state, message, detail, hint));
  end;
  drop table holder;
end $$;

set client_min_messages = warning;
\o /dev/null
select format('select pg_temp.golden(%s, %L, %L)', n, type, input) from inputs order by n \gexec
\o
\copy (select type, input, a, b, c, d, hex, error from results order by n) to 'types.tsv'

create function pg_temp.compute(op text, a text, b text) returns text language plpgsql as $$
declare r text;
begin
  execute case op
    when 'round' then format('select round(%L::numeric, %s)', a, b)
    when 'trunc' then format('select trunc(%L::numeric, %s)', a, b)
    when 'cmp' then format('select numeric_cmp(%L, %L)', a, b)
    when 'int8' then format('select %L::numeric::int8', a)
    when 'float8' then format('select %L::float8::numeric', a)
    when 'float4' then format('select %L::float4::numeric', a)
    when 'fit' then format('select %L::numeric(%s)', a, b)
    else format('select %L::numeric %s %L::numeric', a, op, b) end into r;
  return r;
exception when others then return 'error:' || sqlstate;
end $$;
select setseed(0.5) \g /dev/null
create function pg_temp.number() returns text language sql volatile as $$
  select case when random() < 0.04 then (array['NaN','Infinity','-Infinity','0','0.000'])[1 + floor(random()*5)::int]
         else round((case when random() < 0.5 then -1 else 1 end * random()::numeric * power(10::numeric, floor(random()*random()*60)::int - 10)),
                    floor(random()*random()*30)::int)::text end
$$;
create temp table sums as
  select op, pg_temp.number() a, pg_temp.number() b from generate_series(1, 130) n, unnest('{+,-,*,/,%,cmp}'::text[]) op
  union all select op, pg_temp.number(), (floor(random()*30) - 10)::int::text from generate_series(1, 80) n, unnest('{round,trunc}'::text[]) op
  union all select 'int8', (random()*1e19)::numeric::text || (array['','.5','.4999'])[1+n%3], '' from generate_series(1, 20) n
  union all select 'int8', pg_temp.number(), '' from generate_series(1, 40) n
  union all select 'float8', (random() * power(10::float8, floor(random()*60)::int - 30))::text, '' from generate_series(1, 60) n
  union all select 'float4', (random() * power(10::float8, floor(random()*40)::int - 20))::float4::text, '' from generate_series(1, 40) n
  union all select 'fit', pg_temp.number(), (array['10,2','38,10','5,-2','3,5','38,38','60,20'])[1+n%6] from generate_series(1, 90) n;
\copy (select op, a, b, pg_temp.compute(op, a, b) from sums) to 'numeric.tsv'
SQL
wc -l types.tsv numeric.tsv
