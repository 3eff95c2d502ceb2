"""asyncpg: named statements, everything binary, no Sync between Parse and Describe. Must not know: which server it is."""

import asyncio
import datetime as dt
import decimal
import io
import uuid

import asyncpg

import step


async def connect(**more):
    given = dict(host=step.HOST, port=step.PORT, user=step.USER, password=step.PASSWORD, database=step.DATABASE)
    return await asyncpg.connect(**{**given, **more})


def state(error):
    return [type(error).__name__, error.sqlstate, error.message, error.position]


async def refused(awaitable):
    try:
        await awaitable
    except asyncpg.PostgresError as error:
        return state(error)
    raise AssertionError("no error")


def tuples(rows):
    return [tuple(row.items()) for row in rows]


async def connected():
    c = await connect()
    settings = c.get_settings()
    return [c.get_server_version().major, settings.client_encoding, settings.TimeZone, settings.is_superuser, await c.fetchval("select current_user")]


async def wrong_password():
    return await refused(connect(password="wrong"))


async def introspect():
    c = await connect()
    statement = await c.prepare("select * from shop.kinds where id = $1 and words = $2 and numbers = $3")
    attributes = [(a.name, a.type.name, a.type.kind, a.type.schema) for a in statement.get_attributes()]
    return [attributes, [p.name for p in statement.get_parameters()]]


async def information_schema():
    c = await connect()
    return tuples(await c.fetch(
        "select table_schema, table_name, column_name, data_type, udt_name, is_nullable from information_schema.columns "
        "where table_schema = any($1) and table_name <> 'events' order by table_schema, table_name, ordinal_position", ["shop", "lake"]
    ))


async def codec():
    # Makes it read the type from the catalog.
    import json

    c = await connect()
    await c.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
    return await c.fetchval("select docb from shop.kinds where id = 1")


async def query():
    c = await connect()
    return tuples(await c.fetch("select * from shop.kinds order by id"))


async def simple():
    c = await connect()
    return [await c.execute("select 1; select 2"), await c.fetchrow("select o_orderkey, o_orderdate from shop.orders order by 1")]


async def federated():
    c = await connect()
    return tuples(await c.fetch(step.FEDERATED))


async def parameters():
    c = await connect()
    values = [
        ("int", 7), ("int8", 2**40), ("numeric", decimal.Decimal("-12.3400")), ("float8", 1.1), ("text", "ü'\"\\"), ("bool", True),
        ("date", dt.date(2024, 2, 29)), ("timestamp", dt.datetime(2024, 2, 29, 1, 2, 3, 4)),
        ("timestamptz", dt.datetime(2024, 2, 29, 1, 2, 3, tzinfo=dt.timezone.utc)), ("time", dt.time(1, 2, 3)),
        ("interval", dt.timedelta(days=3, seconds=5)), ("uuid", uuid.UUID(int=5)), ("bytea", b"\x00\xff"), ("int[]", [1, None, 3]),
        ("text[]", ["a", 'b"c', None]), ("json", '{"a": 1}'), ("jsonb", "[1, 2]"), ("int2", None),
    ]
    echo = [await c.fetchval(f"select $1::{kind}", value) for kind, value in values]
    found = await c.fetch(
        "select o_orderkey, o_totalprice from shop.orders where o_orderkey > $1 and o_orderdate < $2 and o_totalprice > $3 "
        "and o_custkey = any($4) and o_orderstatus <> $5 order by 1 limit $6",
        3, dt.date(1997, 1, 1), decimal.Decimal("10.5"), [5, 18, 44, 70], "P", 4,
    )
    return [echo, tuples(found)]


async def prepared():
    c = await connect()
    statement = await c.prepare("select rate from lake.rates where year = $1 and currency = $2")
    return [await statement.fetchval(year, "EUR") for year in range(1992, 1999)]


async def cursor():
    c = await connect()
    async with c.transaction():
        rows = [row["o_orderkey"] async for row in c.cursor("select o_orderkey from shop.orders where o_orderkey > $1 order by 1", 10, prefetch=100)]
    return [len(rows), sum(rows)]


async def cursor_by_hand():
    c = await connect()
    async with c.transaction(isolation="repeatable_read", readonly=True):
        cursor = await c.cursor("select year, currency, rate from lake.rates order by 1, 2")
        first = await cursor.fetch(3)
        skipped = await cursor.forward(4)
        return [tuples(first), skipped, tuples([await cursor.fetchrow()])]


def copy(**options):
    async def run():
        c = await connect()
        query, table = io.BytesIO(), io.BytesIO()
        first = await c.copy_from_query("select * from shop.kinds where id < $1 order by id", 3, output=query, **options)
        second = await c.copy_from_table("customer", schema_name="shop", columns=["c_custkey", "c_comment"], output=table, **options)
        return [first, query.getvalue().hex(), second, table.getvalue().hex()]

    return run


async def copy_in():
    c = await connect()
    records = [("asyncpg", n, decimal.Decimal(n) / 4, None) for n in range(500)]
    tag = await c.copy_records_to_table("inbox", schema_name="shop", records=records)
    return [tag, tuples(await c.fetch("select count(*), sum(number), sum(amount) from shop.inbox where batch = 'asyncpg'"))]


async def cancel():
    c = await connect()
    # In one message: a cancel that comes between two ends nothing, and a task is cancelled once.
    executing = asyncio.create_task(c.execute(step.SLOW))
    await asyncio.to_thread(step.until_running)
    executing.cancel()
    try:
        await executing
        raise AssertionError("not cancelled")
    except asyncio.CancelledError:
        return await c.fetchval("select 1")


async def timeout():
    c = await connect(server_settings={"statement_timeout": "300ms"})
    return await refused(c.fetch(step.SLOW))


async def error():
    c = await connect()
    out = [await refused(c.fetch(sql)) for sql, _ in step.REFUSED]
    step.expect([e[1] for e in out] == [code for _, code in step.REFUSED], out)
    return [out, await c.fetchval("select 2")]


async def transaction():
    c = await connect()
    t = c.transaction()
    await t.start()
    first = await refused(c.fetch("select 1/0"))
    second = await refused(c.fetch("select 1"))
    await t.rollback()
    async with c.transaction():
        try:
            async with c.transaction():
                await c.fetch("select * from shop.nothing")
        except asyncpg.PostgresError as error:
            third = state(error)
        return [first, second, third, await c.fetchval("select 3")]


async def pool():
    given = dict(host=step.HOST, port=step.PORT, user=step.USER, password=step.PASSWORD, database=step.DATABASE)
    async with asyncpg.create_pool(min_size=1, max_size=2, **given) as pool:
        out = []
        for n in range(3):
            async with pool.acquire() as c:
                await c.execute("set application_name = 'mine'")
                out.append(await c.fetchval("select c_name from customer where c_custkey = $1", n + 1))
        async with pool.acquire() as c:
            out.append(await c.fetchval("show application_name"))
        return out


STEPS = [
    ("connect", connected), ("connect/wrong password", wrong_password), ("connect/pool", pool),
    ("introspect", introspect), ("introspect/information_schema", information_schema), ("introspect/codec", codec),
    ("query/binary", query), ("query/simple", simple), ("query/federated", federated),
    ("parameters/binary", parameters), ("parameters/prepared", prepared),
    ("cursor", cursor), ("cursor/by hand", cursor_by_hand),
    ("copy/text", copy()), ("copy/csv", copy(format="csv", header=True)), ("copy/binary", copy(format="binary")), ("copy/in", copy_in),
    ("cancel", cancel), ("cancel/timeout", timeout), ("error", error), ("error/transaction", transaction),
]
step.run("asyncpg", asyncpg.__version__, [(name, lambda f=function: asyncio.run(f())) for name, function in STEPS])
