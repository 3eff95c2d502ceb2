"""psqlodbc through unixODBC and pyodbc: cursors by SQL, parameters through named statements. Must not know: which server it is."""

import datetime as dt
import decimal
import re
import subprocess

import pyodbc

import step

DRIVER = "PostgreSQL Unicode"


def connect(password=step.PASSWORD, **options):
    more = "".join(f";{key}={value}" for key, value in options.items())
    return pyodbc.connect(
        f"Driver={{{DRIVER}}};Servername={step.HOST};Port={step.PORT};Database={step.DATABASE};Username={step.USER};Password={{{password}}}{more}", autocommit=True
    )


def rows(source):
    return [tuple(row) for row in source]


def connected():
    c = connect()
    info = [c.getinfo(what) for what in (pyodbc.SQL_DBMS_NAME, pyodbc.SQL_DATABASE_NAME, pyodbc.SQL_USER_NAME, pyodbc.SQL_DEFAULT_TXN_ISOLATION)]
    return [info, c.getinfo(pyodbc.SQL_DBMS_VER).split(".")[0], c.execute("select current_user").fetchval()]


def wrong_password():
    return step.raised(lambda: connect("wrong"), lambda e: [e.args[0], "password authentication failed" in e.args[1]])


def tables():
    c = connect().cursor()
    found = [row[:4] for row in rows(c.tables()) if row[1] in ("shop", "lake")]
    return [found, [tuple(row[:3]) for row in c.tables(table="ord%", schema="shop", tableType="TABLE")]]


def columns():
    c = connect().cursor()
    # The driver adds the table's oid, which is each server's own.
    return [[[v for n, v in enumerate(row) if n != 22] for row in c.columns(table=name, schema="shop")] for name in ("customer", "orders", "kinds")]


def keys():
    c = connect().cursor()
    return [
        rows(c.primaryKeys("orders", schema="shop")), rows(c.foreignKeys(foreignTable="orders", foreignSchema="shop")),
        [row[:10] for row in rows(c.statistics("orders", schema="shop")) if row[6] != 0],
    ]


def types():
    return sorted(tuple(str(v) for v in row[:3]) for row in connect().cursor().getTypeInfo())


def query():
    c = connect()
    return rows(c.execute("select * from shop.kinds order by id"))


def federated():
    return rows(connect().execute(step.FEDERATED))


def parameters(**options):
    def run():
        c = connect(**options)
        echo = [
            c.execute(f"select cast(? as {kind})", value).fetchval()
            for kind, value in (("int", 7), ("bigint", 2**40), ("float8", 1.5), ("text", "ü'\"\\"), ("date", dt.date(2024, 2, 29)),
                                ("timestamp", dt.datetime(2024, 2, 29, 1, 2, 3)), ("bytea", b"\x00\xff"), ("numeric(10,2)", decimal.Decimal("-12.34")), ("int", None))
        ]
        found = rows(c.execute(
            "select o_orderkey, o_totalprice from shop.orders where o_orderkey > ? and o_orderdate < ? and o_totalprice > ? and o_orderstatus <> ? order by 1",
            3, dt.date(1993, 1, 1), decimal.Decimal("10.5"), "P"
        ))
        return [echo, found[:5], len(found)]

    return run


def repeated():
    cursor = connect().cursor()
    return [cursor.execute("select c_name from shop.customer where c_custkey = ?", n).fetchval() for n in range(1, 6)]


def cursor():
    c = connect(UseDeclareFetch=1, Fetch=100)
    found = rows(c.execute("select o_orderkey, o_totalprice from shop.orders order by 1"))
    other = rows(c.execute("select year, currency, rate from lake.rates order by 1, 2"))
    return [len(found), found[::250], other]


def cursor_transaction():
    c = connect(UseDeclareFetch=1, Fetch=100)
    c.autocommit = False
    a, b = c.cursor(), c.cursor()
    a.execute("select o_orderkey from shop.orders where o_orderkey > ? order by 1", 7)
    b.execute("select c_custkey from shop.customer order by 1")
    out = [sum(x[0] * y[0] for x, y in zip(a, b))]
    c.commit()
    return out


def cancel():
    c = connect()
    cursor = c.cursor()
    with step.cancelling(cursor.cancel):
        refused = step.raised(lambda: cursor.execute(step.SLOW), lambda e: [type(e).__name__, e.args[0], re.sub(r"^.*ERROR: *", "", e.args[1])])
    return [refused, c.execute("select 1").fetchval()]


def state(error):
    return [type(error).__name__, error.args[0]]


def error():
    c = connect()
    out = [step.raised(lambda sql=sql: c.execute(sql).fetchall(), state) for sql, _ in step.REFUSED]
    return [out, c.execute("select 2").fetchval()]


def transaction():
    c = connect()
    c.autocommit = False
    first = step.raised(lambda: c.execute("select 1/0").fetchall(), state)
    c.rollback()
    return [first, c.execute("select 3").fetchval(), c.commit()]


found = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "odbc-postgresql"], capture_output=True, text=True).stdout
version = found.split(":")[-1].split("-")[0] or pyodbc.version
step.run("psqlodbc", version, [
    ("connect", connected), ("connect/wrong password", wrong_password), ("introspect/tables", tables), ("introspect/columns", columns),
    ("introspect/keys", keys), ("introspect/types", types), ("query", query), ("query/federated", federated),
    ("parameters/server side", parameters()), ("parameters/in the text", parameters(UseServerSidePrepare=0)), ("parameters/repeated", repeated),
    ("cursor/declare and fetch", cursor), ("cursor/transaction", cursor_transaction), ("cancel", cancel), ("error", error), ("error/transaction", transaction),
])
