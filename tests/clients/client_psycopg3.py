"""psycopg 3 as its users use it. Must not know: which server it is."""

import datetime as dt
import decimal
import uuid

import psycopg
from psycopg.types.json import Json, Jsonb

import step


def connect(**more):
    return psycopg.connect(step.URL, autocommit=True, **more)


def state(error):
    return [error.sqlstate, error.diag.message_primary, error.diag.statement_position]


def connected():
    with connect() as c:
        step.expect(c.pgconn.used_password, "no password was asked for")
        info = c.info
        return [info.server_version // 10000, info.encoding, str(info.timezone), info.user, info.dbname, info.transaction_status.name]


def wrong_password():
    return step.raised(lambda: connect(password="wrong"), lambda e: [type(e).__name__, str(e).split("FATAL:")[1]])


def introspect():
    with connect() as c:
        tables = c.execute(
            "select table_schema, table_name, table_type from information_schema.tables "
            "where table_schema in ('shop', 'lake') order by 1, 2"
        ).fetchall()
        columns = c.execute(
            "select column_name, ordinal_position, is_nullable, data_type, character_maximum_length, numeric_precision, numeric_scale "
            "from information_schema.columns where table_schema = 'shop' and table_name = 'customer' order by 2"
        ).fetchall()
        return [tables, columns]


def type_info():
    with connect() as c:
        return [repr(psycopg.types.TypeInfo.fetch(c, name)) for name in ("numeric", "int4", "jsonb", "nothing")]


def description():
    with connect() as c:
        cursor = c.execute("select * from shop.kinds limit 0")
        return [(d.name, d.type_code, d.precision, d.scale, d.internal_size) for d in cursor.description]


def kinds(binary):
    def run():
        with connect() as c, c.cursor(binary=binary) as cursor:
            return cursor.execute("select * from shop.kinds order by id").fetchall()

    return run


def federated():
    with connect() as c:
        return c.execute(step.FEDERATED).fetchall()


VALUES = [
    ("int", 7), ("bigint", 2**40), ("numeric", decimal.Decimal("-12.3400")), ("float8", 1.1), ("text", "ü'\"\\"), ("bool", True),
    ("date", dt.date(2024, 2, 29)), ("timestamp", dt.datetime(2024, 2, 29, 1, 2, 3, 4)),
    ("timestamptz", dt.datetime(2024, 2, 29, 1, 2, 3, tzinfo=dt.timezone.utc)), ("time", dt.time(1, 2, 3)),
    ("interval", dt.timedelta(days=3, seconds=5)), ("uuid", uuid.UUID(int=5)), ("bytea", b"\x00\xff"), ("int[]", [1, None, 3]),
    ("text[]", ["a", 'b"c', None]), ("json", Json({"a": 1})), ("jsonb", Jsonb([1, 2])), ("int", None),
]


def parameters(mark):
    def run():
        with connect() as c:
            echo = [c.execute(f"select %{mark}::{kind}", [value]).fetchone()[0] for kind, value in VALUES]
            found = c.execute(
                f"select o_orderkey, o_totalprice from shop.orders where o_orderkey > %{mark} and o_orderdate < %{mark} "
                f"and o_totalprice > %{mark} and o_custkey = any(%{mark}) and o_orderstatus <> %{mark} order by 1 limit %{mark}",
                [3, dt.date(1997, 1, 1), decimal.Decimal("10.5"), [5, 18, 44, 70], "P", 4],
            ).fetchall()
            return [echo, found]

    return run


def prepared():
    with connect() as c:
        rows = [c.execute("select c_name from shop.customer where c_custkey = %s", [n]).fetchone() for n in range(1, 12)]
        c.prepare_threshold = 0
        rows += [c.execute("select rate from lake.rates where year = %s and currency = %s", [n, "EUR"]).fetchone() for n in (1995, 1996)]
        return rows


def pipeline():
    with connect() as c, c.pipeline():
        cursors = [c.execute("select c_custkey, c_name from shop.customer where c_custkey = %s", [n]) for n in (1, 2, 3)]
        return [cursor.fetchall() for cursor in cursors]


def cursor():
    with connect() as c, c.transaction(), c.cursor("large") as cursor:
        cursor.itersize = 100
        cursor.execute("select o_orderkey, o_totalprice from shop.orders order by o_orderkey")
        rows = list(cursor)
        return [len(rows), rows[::250], cursor.description[1].name]


def scroll():
    with connect() as c, c.transaction(), c.cursor("back", scrollable=True) as cursor:
        cursor.execute("select o_orderkey from shop.orders order by 1")
        first = cursor.fetchmany(5)
        cursor.scroll(-3)
        return [first, cursor.fetchmany(2)]


def hold():
    c = connect()
    cursor = c.cursor("held", withhold=True)
    with c.transaction():
        cursor.execute("select year, currency, rate from lake.rates order by 1, 2")
        first = cursor.fetchmany(2)
    rest = cursor.fetchall()
    cursor.close()
    c.close()
    return [first, len(rest), rest[-1]]


def stream():
    with connect() as c, c.cursor() as cursor:
        rows = cursor.stream("select o_orderkey from shop.orders order by 1")
        return sum(row[0] for row in rows)


def copy(options):
    def run():
        with connect() as c, c.cursor() as cursor:
            out = []
            for what in ("shop.customer", "(select * from shop.kinds order by id)", "(select * from lake.rates order by year, currency)"):
                with cursor.copy(f"copy {what} to stdout {options}") as copy:
                    out.append(b"".join(copy))
                out.append(cursor.statusmessage)
            return [bytes(part).hex() if isinstance(part, bytes) and b"PGCOPY" in part else part for part in out]

    return run


def copy_rows():
    with connect() as c, c.cursor() as cursor:
        with cursor.copy("copy (select id, exact, day from shop.kinds order by id) to stdout (format binary)") as copy:
            copy.set_types(["int4", "numeric", "date"])
            return list(copy.rows())


def copy_in():
    with connect() as c, c.cursor() as cursor:
        with cursor.copy("copy shop.inbox (batch, number, amount, note) from stdin") as copy:
            for n in range(1000):
                copy.write_row(("psycopg3", n, decimal.Decimal(n) / 4, None if n % 3 else "ü\t\n"))
        return c.execute("select count(*), sum(number), sum(amount), count(note) from shop.inbox where batch = 'psycopg3'").fetchone()


def cancel():
    with connect() as c:
        with step.cancelling(c.cancel_safe):
            refused = step.raised(lambda: c.execute(step.SLOW), lambda e: [e.sqlstate, e.diag.message_primary])
        return [refused, c.execute("select 1").fetchone()]


def timeout():
    with connect() as c:
        c.execute("set statement_timeout = '300ms'")
        return step.raised(lambda: c.execute(step.SLOW), lambda e: [e.sqlstate, e.diag.message_primary])


def error():
    with connect() as c:
        out = [step.raised(lambda sql=sql: c.execute(sql), state) for sql, _ in step.REFUSED]
        step.expect([e[0] for e in out] == [code for _, code in step.REFUSED], out)
        return [out, c.execute("select 2").fetchone()]


def transaction():
    with connect() as c:
        c.execute("begin")
        first = step.raised(lambda: c.execute("select 1/0"), state)
        second = step.raised(lambda: c.execute("select 1"), state)
        status = c.info.transaction_status.name
        ended = c.execute("commit").statusmessage
        with c.transaction():
            inner = step.raised(lambda: _savepoint(c), state)
            return [first, second, status, ended, inner, c.execute("select 3").fetchone()]


def _savepoint(c):
    with c.transaction():
        c.execute("select * from shop.nothing")


step.run("psycopg3", psycopg.__version__, [
    ("connect", connected), ("connect/wrong password", wrong_password),
    ("introspect", introspect), ("introspect/type info", type_info), ("introspect/description", description),
    ("query/text", kinds(False)), ("query/binary", kinds(True)), ("query/federated", federated),
    ("parameters/text", parameters("t")), ("parameters/binary", parameters("b")), ("parameters/automatic", parameters("s")),
    ("parameters/prepared", prepared), ("parameters/pipeline", pipeline),
    ("cursor/named", cursor), ("cursor/stream", stream),
    ("cursor/scroll", scroll), ("cursor/with hold", hold),
    ("copy/text", copy("")), ("copy/csv", copy("(format csv, header, force_quote *)")), ("copy/binary", copy("(format binary)")),
    ("copy/rows", copy_rows), ("copy/in", copy_in),
    ("cancel", cancel), ("cancel/timeout", timeout),
    ("error", error), ("error/transaction", transaction),
])
