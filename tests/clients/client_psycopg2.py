"""psycopg2: everything as simple queries, values written into the text. Must not know: which server it is."""

import datetime as dt
import decimal
import io
import uuid

import psycopg2
import psycopg2.extensions
import psycopg2.extras

import step

psycopg2.extras.register_uuid()


def connect(**more):
    c = psycopg2.connect(step.URL, **more)
    c.autocommit = True
    return c


def all_rows(c, sql, values=None):
    with c.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall()


def state(error):
    return [error.pgcode, error.diag.message_primary, error.diag.statement_position, type(error).__name__]


def connected():
    c = connect()
    return [c.server_version // 10000, c.encoding, c.get_parameter_status("DateStyle"), c.info.used_password, c.info.dbname]


def wrong_password():
    return step.raised(lambda: connect(password="wrong"), lambda e: str(e).split("FATAL:")[1])


def introspect():
    c = connect()
    tables = all_rows(c, "select schemaname, tablename from pg_catalog.pg_tables where schemaname in ('shop', 'lake') order by 1, 2")
    with c.cursor() as cursor:
        cursor.execute("select * from shop.kinds limit 0")
        description = [(d.name, d.type_code, d.internal_size, d.precision, d.scale) for d in cursor.description]
    return [tables, description]


def query():
    return all_rows(connect(), "select * from shop.kinds order by id")


def rows_as_dicts():
    c = connect()
    with c.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
        cursor.execute("select c_name, c_acctbal from shop.customer where c_custkey < 3 order by 1")
        return [dict(row) for row in cursor]


def federated():
    return all_rows(connect(), step.FEDERATED)


def parameters():
    c = connect()
    values = [
        7, 2**40, decimal.Decimal("-12.3400"), 1.1, "ü'\"\\", True, None, dt.date(2024, 2, 29), dt.datetime(2024, 2, 29, 1, 2, 3, 4),
        dt.datetime(2024, 2, 29, 1, 2, 3, tzinfo=dt.timezone.utc), dt.time(1, 2, 3), dt.timedelta(days=3, seconds=5), uuid.UUID(int=5),
        b"\x00\xff", [1, None, 3], ["a", 'b"c', None], psycopg2.extras.Json({"a": 1}),
    ]
    echo = [all_rows(c, "select %s", [value]) for value in values]
    found = all_rows(
        c,
        "select o_orderkey, o_totalprice from shop.orders where o_orderkey > %(key)s and o_orderdate < %(day)s "
        "and o_custkey in %(customers)s and o_custkey = any(%(list)s) order by 1 limit %(most)s",
        {"key": 3, "day": dt.date(1997, 1, 1), "customers": (5, 18, 44), "list": [5, 18], "most": 4},
    )
    return [echo, found]


def cursor(withhold):
    def run():
        c = connect()
        c.autocommit = False
        cursor = c.cursor("large", withhold=withhold)
        cursor.itersize = 100
        cursor.execute("select o_orderkey, o_totalprice from shop.orders order by 1")
        if withhold:
            c.commit()
        rows = [row for row in cursor]
        cursor.close()
        c.commit()
        return [len(rows), rows[::250]]

    return run


def scroll():
    c = connect()
    c.autocommit = False
    cursor = c.cursor("back", scrollable=True)
    cursor.execute("select o_orderkey from shop.orders order by 1")
    first = cursor.fetchmany(5)
    cursor.scroll(-3)
    second = cursor.fetchmany(2)
    cursor.scroll(10, mode="absolute")
    return [first, second, cursor.fetchone()]


def copy(sql):
    def run():
        out = io.StringIO()
        with connect().cursor() as cursor:
            cursor.copy_expert(sql, out)
            return [out.getvalue(), cursor.rowcount]

    return run


def copy_to():
    out = io.StringIO()
    c = connect()
    with c.cursor() as cursor:
        cursor.execute("set search_path = shop")
        cursor.copy_to(out, "customer", columns=("c_custkey", "c_comment"), null="-")
    return out.getvalue()


def copy_in():
    c = connect()
    lines = "".join(f"psycopg2\t{n}\t{n}.25\t\\N\n" for n in range(500))
    with c.cursor() as cursor:
        cursor.copy_expert("copy shop.inbox from stdin", io.StringIO(lines))
    return all_rows(c, "select count(*), sum(number), sum(amount), count(note) from shop.inbox where batch = 'psycopg2'")


def cancel():
    c = connect()
    with step.cancelling(c.cancel):
        refused = step.raised(lambda: all_rows(c, step.SLOW), state)
    return [refused, all_rows(c, "select 1")]


def error():
    c = connect()
    out = [step.raised(lambda sql=sql: all_rows(c, sql), state) for sql, _ in step.REFUSED]
    step.expect([e[0] for e in out] == [code for _, code in step.REFUSED], out)
    return out


def transaction():
    c = connect()
    c.set_session(isolation_level="REPEATABLE READ", readonly=True, autocommit=False)
    level = all_rows(c, "show transaction_isolation")
    first = step.raised(lambda: all_rows(c, "select 1/0"), state)
    second = step.raised(lambda: all_rows(c, "select 1"), state)
    status = c.get_transaction_status() == psycopg2.extensions.TRANSACTION_STATUS_INERROR
    c.rollback()
    return [level, first, second, status, all_rows(c, "select 3")]


step.run("psycopg2", psycopg2.__version__.split()[0], [
    ("connect", connected), ("connect/wrong password", wrong_password), ("introspect", introspect),
    ("query", query), ("query/dict rows", rows_as_dicts), ("query/federated", federated), ("parameters/text", parameters),
    ("cursor/named", cursor(False)), ("cursor/with hold", cursor(True)), ("cursor/scroll", scroll),
    ("copy/text", copy("copy shop.kinds to stdout")), ("copy/csv", copy("copy (select * from lake.rates order by 1, 2) to stdout with csv header")),
    ("copy/columns", copy_to), ("copy/in", copy_in), ("cancel", cancel), ("error", error), ("error/transaction", transaction),
])
