create table customer(
  c_custkey bigint primary key,
  c_name varchar(40) not null,
  c_nation text default 'FRANCE',
  c_code char(5) unique,
  c_balance numeric(15,2) check (c_balance > -1000));
comment on table customer is 'who buys';
comment on column customer.c_name is 'first and last';
create table orders(
  o_orderkey bigint not null,
  o_custkey bigint,
  o_line int not null default 1,
  o_orderdate date,
  o_comment text,
  constraint orders_pk primary key (o_orderkey, o_line),
  constraint orders_customer foreign key (o_custkey) references customer(c_custkey) on delete cascade on update set null deferrable initially deferred);
create index orders_date_idx on orders(o_orderdate desc, o_custkey);
create index orders_some on orders(o_custkey) include (o_comment) where o_orderdate > '2020-01-01';
create index orders_lower on orders(lower(o_comment), o_comment text_pattern_ops);
comment on column orders.o_comment is 'free text';
create table line(
  l_id int generated always as identity primary key,
  l_orderkey bigint,
  l_line int,
  l_double int generated always as (l_line * 2) stored,
  l_tags text[],
  l_at timestamptz(3) default now(),
  foreign key (l_orderkey, l_line) references orders(o_orderkey, o_line) match full);
create table made(
  m_open int,
  m_secret int,
  m_twice int generated always as (m_secret * 2) stored,
  m_default int default 7);
create view orders_v as select o_orderkey, o_orderdate from orders where o_custkey > 3;
comment on view orders_v is 'some orders';
create table "Odd Names"("Key" int unique nulls not distinct, "a b" text);
insert into customer select i, 'c' || i, 'FRANCE', i, i from generate_series(1, 20) i;
insert into orders select i, i, 1, date '2020-01-01' + i, 'x' from generate_series(1, 20) i;
analyze;
create type mood as enum ('sad', 'so, so', 'happy');
comment on type mood is 'how one feels';
create domain posint as int not null default 7 constraint positive check (value > 0);
create domain short as varchar(7) check (length(value) > 1);
create table person(p_id posint primary key, p_mood mood default 'sad', p_moods mood[], p_short short, p_shorts short[]);
insert into person values (1, 'happy', '{sad,"so, so"}', 'abc', '{ab}');
