"""postgres_fdw: a real PostgreSQL (LINK_URL, a superuser's) whose foreign tables are the server's. Must not know: which server it is."""

import os

import psycopg

import step

OPTIONS = f"host '{step.HOST}', port '{step.PORT}', dbname '{step.DATABASE}'"
KINDS = "select id, truth, small, big, single, double, exact, free, words, bounded, padded, day, moment, instant, clock, span, ident, bytes, doc, docb, numbers, texts from far.kinds order by id"


def connect(password=step.PASSWORD, options=""):
    """A session with a foreign server of its own, made anew."""
    c = psycopg.connect(os.environ["LINK_URL"], autocommit=True)
    c.execute("drop server if exists far cascade")
    for schema in ("far", "far_lake"):
        c.execute(f"drop schema if exists {schema} cascade")
        c.execute(f"create schema {schema}")
    c.execute(f"create server far foreign data wrapper postgres_fdw options ({OPTIONS}{options})")
    c.execute(f"create user mapping for current_user server far options (user '{step.USER}', password '{password}')")
    return c


def imported(options=""):
    c = connect(options=options)
    c.execute("import foreign schema shop from server far into far")
    c.execute("import foreign schema lake limit to (rates) from server far into far_lake")
    return c


def rows(c, sql, values=None):
    return c.execute(sql, values).fetchall()


def state(error):
    return [error.sqlstate, error.diag.message_primary, error.diag.context]


def connected():
    c = connect()
    c.execute("create foreign table far.one (c_name text) server far options (schema_name 'shop', table_name 'customer')")
    return rows(c, "select min(c_name) from far.one")


def wrong_password():
    c = connect(password="wrong")
    c.execute("create foreign table far.one (c_name text) server far options (schema_name 'shop', table_name 'customer')")
    return step.raised(lambda: rows(c, "select * from far.one"), lambda e: [e.sqlstate, e.diag.message_detail.split("FATAL:")[1]])


def import_schema():
    c = imported()
    return rows(c, "select n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attfdwoptions from pg_class c "
                "join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid and attnum > 0 "
                "where n.nspname in ('far', 'far_lake') and relkind = 'f' order by 1, 2, a.attnum")


def import_defaults():
    c = connect()
    c.execute("import foreign schema shop limit to (orders) from server far into far options (import_default 'true', import_not_null 'true')")
    return rows(c, "select column_name, column_default, is_nullable from information_schema.columns where table_schema = 'far' order by ordinal_position")


def kinds():
    return rows(imported(), KINDS)


def joined():
    c = imported()
    c.execute("create temp table mine as select n as custkey from generate_series(1, 300, 7) n")
    return rows(c, "select c_name, count(*), sum(o_totalprice) from far.orders join mine on custkey = o_custkey join far.customer on c_custkey = o_custkey "
                "group by 1 order by 3 desc, 1 limit 5")


def pushed_join():
    # Both tables are of the far server: it gets the whole join.
    c = imported()
    return rows(c, "select c_name, o_orderkey, rate from far.orders join far.customer on c_custkey = o_custkey join far_lake.rates "
                "on year = 1992 and currency = 'EUR' where o_orderkey < 50 order by o_orderkey limit 6")


def pushed_aggregate():
    c = imported()
    plan = "\n".join(row[0] for row in rows(c, "explain (verbose, costs off) select o_orderstatus, count(*), avg(o_totalprice) from far.orders group by 1 order by 1"))
    return [plan, rows(c, "select o_orderstatus, count(*), avg(o_totalprice) from far.orders group by 1 order by 1")]


def remote_estimate():
    c = imported(", use_remote_estimate 'true'")
    return rows(c, "select count(*) from far.orders where o_orderkey < 100")


def analyze():
    c = imported()
    c.execute("analyze far.orders")
    return rows(c, "select reltuples from pg_class where oid = 'far.orders'::regclass")


def parameters():
    # A parameter becomes $1 of the far statement.
    c = imported()
    out = []
    c.execute("prepare p (bigint, date) as select o_orderkey, o_totalprice from far.orders where o_custkey = $1 and o_orderdate > $2 order by 1")
    for n in (5, 18):
        out.append(rows(c, f"execute p ({n}, '1993-01-01')"))
    c.execute("set enable_hashjoin = off; set enable_mergejoin = off")
    out.append(rows(c, "select k, (select max(o_totalprice) from far.orders where o_custkey = k) from generate_series(1, 40, 13) k"))
    return out


def cursor():
    c = imported(", fetch_size '100'")
    with c.transaction(), c.cursor("near") as cursor:
        cursor.itersize = 50
        cursor.execute("select o_orderkey, random() from far.orders")
        return sum(row[0] for row in cursor)


def snapshot():
    # All scans of one transaction are of one snapshot: REPEATABLE READ there.
    c = imported()
    with c.transaction():
        c.execute("set transaction isolation level repeatable read")
        return [rows(c, "select count(*) from far.orders"), rows(c, "select count(*) from far_lake.rates"), rows(c, "select sum(c_acctbal) from far.customer")]


def insert():
    c = imported()
    c.execute("insert into far.inbox (batch, number) select 'fdw', n from generate_series(1, 250) n")
    return rows(c, "select count(*), sum(number) from far.inbox where batch = 'fdw'")


def cancel():
    c = imported()
    # The PostgreSQL in between is the one that is cancelled.
    running = "select count(*) > 0 from pg_stat_activity where state = 'active' and pid <> pg_backend_pid() and query like '%{mark} %'"
    sql = step.SLOW.replace("shop.", "far.")
    with step.cancelling(c.cancel_safe, url=os.environ["LINK_URL"], asked=running):
        refused = step.raised(lambda: rows(c, sql), lambda e: [e.sqlstate, e.diag.message_primary])
    return [refused, rows(c, "select count(*) from far.customer")]


def error():
    c = imported()
    out = [
        step.raised(lambda: rows(c, "select 1 / (o_orderkey - o_orderkey) from far.orders where o_orderkey < 3"), state),
        step.raised(lambda: rows(c, "select count(*) from far.orders where 1 / (o_orderkey - 1) > 0"), state),
    ]
    c.execute("create foreign table far.gone (x int) server far options (schema_name 'shop', table_name 'nothing')")
    out.append(step.raised(lambda: rows(c, "select * from far.gone"), state))
    return [out, rows(c, "select count(*) from far.customer")]


with psycopg.connect(os.environ["LINK_URL"]) as link:
    version = link.execute("show server_version").fetchone()[0].split()[0]
step.run("postgres_fdw", version, [
    ("connect", connected), ("connect/wrong password", wrong_password), ("introspect/import schema", import_schema),
    ("introspect/import defaults", import_defaults), ("query", kinds), ("query/join with a table here", joined), ("query/pushed join", pushed_join),
    ("query/pushed aggregate", pushed_aggregate), ("query/remote estimate", remote_estimate), ("query/analyze", analyze), ("parameters", parameters),
    ("cursor", cursor), ("cursor/snapshot", snapshot), ("query/insert", insert), ("cancel", cancel), ("error", error),
])
