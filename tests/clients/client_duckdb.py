"""DuckDB's postgres extension, loaded from a package's file. It has no cancel: it waits for the end of what it sent.
Must not know: which server it is."""

import glob
import os

import duckdb
import duckdb_extension_postgres_scanner as package

import step

DSN = f"host={step.HOST} port={step.PORT} user={step.USER} password='{step.PASSWORD}' dbname={step.DATABASE}"
EXTENSION = glob.glob(os.path.join(os.path.dirname(package.__file__), "extensions", "*", "*.duckdb_extension"))[0]


def connect(dsn=DSN, options="read_only"):
    c = duckdb.connect(config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"})
    c.execute(f"load '{EXTENSION}'")
    quoted = dsn.replace("'", "''")
    c.execute(f"attach '{quoted}' as pg (type postgres{', ' + options if options else ''})")
    return c


def rows(c, sql, values=None):
    return c.execute(sql, values).fetchall()


def connected():
    return rows(connect(), "select database_name, type from duckdb_databases() where database_name = 'pg'")


def wrong_password():
    return step.raised(lambda: connect(DSN.replace("pass word", "wrong")), lambda e: [type(e).__name__, str(e).split("FATAL:")[1]])


def introspect():
    return rows(connect(), "select schema_name, table_name from duckdb_tables() where database_name = 'pg' and schema_name in ('shop', 'lake') order by 1, 2")


def columns():
    return rows(connect(), "select table_name, column_name, data_type, is_nullable from duckdb_columns() "
                "where database_name = 'pg' and schema_name = 'shop' order by table_name, column_index")


# Instants without a time zone of DuckDB's own, which would need another extension.
KINDS = ("select id, truth, small, big, single, double, exact, words, bounded, padded, day, moment, epoch(instant) as instant, clock, span, "
         "ident, bytes, doc, docb, numbers, texts from pg.shop.kinds order by id")


def kinds():
    return rows(connect(), KINDS)


def text_protocol():
    c = connect()
    c.execute("set pg_use_text_protocol = true")
    return rows(c, KINDS)


def federated():
    c = connect()
    return rows(c, "select c_name, currency, count(*), round(sum(o_totalprice * rate), 2) as total from pg.shop.orders join pg.shop.customer on c_custkey = o_custkey "
                "join pg.lake.rates on year = extract(year from o_orderdate) where o_orderkey <= 200 group by all order by total desc, c_name, currency limit 7")


def pushed(setting):
    def run():
        c = connect()
        c.execute(f"set pg_experimental_filter_pushdown = {setting}")
        return rows(c, "select o_orderkey, o_orderdate, o_totalprice from pg.shop.orders where o_orderkey between 10 and 400 and o_orderdate > date '1994-01-01' "
                    "and o_orderstatus = 'F' order by 1 limit 9")

    return run


def passthrough():
    c = connect()
    return rows(c, "select * from postgres_query('pg', 'select year, currency, rate from lake.rates order by 1, 2 limit 5')")


def parameters():
    c = connect()
    return rows(c, "select c_custkey, c_name, c_acctbal from pg.shop.customer where c_custkey > $1 and c_name < $2 order by 1 limit 3", [5, "Customer#000000100"])


def count():
    # Reads no column at all.
    c = connect()
    return [rows(c, "select count(*) from pg.shop.orders"), rows(c, "select count(*) from pg.lake.rates")]


def in_parts():
    # Several readers of one snapshot, each with its range of ctid.
    c = connect()
    c.execute("set pg_pages_per_task = 1")
    c.execute("set threads = 4")
    return rows(c, "select count(*), sum(o_orderkey), min(o_orderdate) from pg.shop.orders")


def scan():
    c = connect()
    quoted = DSN.replace("'", "''")
    return rows(c, f"select sum(o_orderkey), count(*) from postgres_scan('{quoted}', 'shop', 'orders')")


def transaction():
    c = connect()
    c.execute("begin")
    first = rows(c, "select count(*) from pg.shop.customer")
    second = rows(c, "select count(*) from pg.lake.rates")
    c.execute("commit")
    return [first, second]


def copy_in():
    c = connect(options="")
    c.execute("insert into pg.shop.inbox (batch, number) select 'duckdb', n from range(300) t(n)")
    return rows(c, "select count(*), sum(number) from pg.shop.inbox where batch = 'duckdb'")


def error():
    c = connect()
    out = []
    for sql, _ in step.REFUSED[1:]:
        quoted = sql.replace("'", "''")
        out.append(step.raised(lambda: rows(c, f"select * from postgres_query('pg', '{quoted}')"), lambda e: str(e).split("ERROR:")[1].split("\n")[0]))
    return [out, rows(c, "select count(*) from pg.shop.customer")]


step.run("duckdb", duckdb.__version__, [
    ("connect", connected), ("connect/wrong password", wrong_password), ("introspect", introspect), ("introspect/columns", columns),
    ("query", kinds), ("query/text protocol", text_protocol), ("query/federated", federated), ("query/pushed filters", pushed("true")),
    ("query/own filters", pushed("false")), ("query/postgres_query", passthrough), ("query/transaction", transaction), ("parameters", parameters),
    ("copy/binary", scan), ("copy/no columns", count), ("copy/in parts", in_parts), ("copy/in", copy_in), ("error", error),
])
