-- The tables that clients read: run with search_path set to the schema that takes them.
-- `inbox` is the one table that clients write.
create table customer (
  c_custkey bigint primary key,
  c_name varchar(25) not null,
  c_nationkey integer,
  c_acctbal numeric(15,2),
  c_mktsegment char(10),
  c_comment text
);
comment on table customer is 'who buys';
comment on column customer.c_acctbal is 'in euros';
insert into customer
select n, 'Customer#' || lpad(n::text, 9, '0'), n * 7 % 25, (n * 7919 % 1000000) / 100.0 - 500,
       (array['AUTOMOBILE', 'BUILDING', 'FURNITURE', 'HOUSEHOLD', 'MACHINERY'])[1 + n % 5],
       case when n % 10 <> 0 then 'it''s \ a "comment", ' || n || e'\twith a tab' end
from generate_series(1, 300) n;

create table orders (
  o_orderkey bigint primary key,
  o_custkey bigint references customer (c_custkey),
  o_orderstatus char(1) not null,
  o_totalprice numeric(15,2),
  o_orderdate date,
  o_shippriority integer default 0
);
create index orders_date on orders (o_orderdate, o_orderstatus);
insert into orders
select n, 1 + n * 13 % 300, (array['F', 'O', 'P'])[1 + n % 3], (n * 104729 % 40000000) / 100.0,
       date '1992-01-01' + (n * 17 % 2400)::int, case when n % 20 <> 0 then n % 5 end
from generate_series(1, 1500) n;

create view open_orders as select o_orderkey, o_custkey, o_totalprice from orders where o_orderstatus = 'O';

create table kinds (
  id integer primary key,
  truth boolean, small smallint, big bigint, single real, double double precision, exact numeric(20,5), free numeric,
  words text, bounded varchar(10), padded char(5), day date, moment timestamp, instant timestamptz, clock time,
  span interval, ident uuid, bytes bytea, doc json, docb jsonb, numbers integer[], texts text[]
);
insert into kinds values
(1, true, -32768, 9223372036854775807, 1.5, 2.25, 123.45, 1e-20, 'text', 'bounded', 'pad', '2024-02-29', '2024-02-29 12:34:56.789',
 '2024-02-29 12:34:56.789012+02', '01:02:03.5', '1 mon 2 days 03:04:05', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '\xdeadbeef00',
 '{"a": [1, 2.5, null]}', '{"b": {"c": "\u00fc"}}', '{1,NULL,3}', '{a,"b c",NULL,"d\"e"}'),
(2, false, 32767, -9223372036854775808, -0.1, 1e300, -99999999999999.99999, 12345678901234567890.123456789, 'grüße, 世界', '', '',
 '1970-01-01', '1969-12-31 23:59:59.999999', '1970-01-01 00:00:00+00', '23:59:59.999999', '-1 year -00:00:00.000001',
 '00000000-0000-0000-0000-000000000000', '\x', '[]', '[]', '{}', '{}'),
(3, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null);

create table inbox (batch text not null, number integer, amount numeric(10,2), note text);
