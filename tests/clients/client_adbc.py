"""ADBC's PostgreSQL driver: results through binary COPY into Arrow. Must not know: which server it is."""

import datetime as dt

import adbc_driver_postgresql
import adbc_driver_postgresql.dbapi as adbc
import pyarrow as pa

import step


def connect(url=step.URL):
    return adbc.connect(url, autocommit=True)


def table(c, sql, values=None, options=None):
    with c.cursor(adbc_stmt_kwargs=options or {}) as cursor:
        cursor.execute(sql, values)
        return cursor.fetch_arrow_table()


def shown(arrow):
    """Column names and types, then the rows."""
    return [[(f.name, str(f.type)) for f in arrow.schema], [tuple(row.values()) for row in arrow.to_pylist()]]


def state(error):
    return [type(error).__name__, error.sqlstate]


def connected():
    with connect() as c:
        info = c.adbc_get_info()
        return [info["vendor_name"], info["vendor_version"].split(".")[0][:2], table(c, "select current_user::text as u").to_pylist()]


def wrong_password():
    wrong = step.URL.replace(":pass", ":wrong")
    return step.raised(lambda: connect(wrong), lambda e: [type(e).__name__, str(e).split("FATAL:")[1]])


def objects():
    with connect() as c:
        found = c.adbc_get_objects(depth="all", db_schema_filter="shop").read_all().to_pylist()
        out = []
        for catalog in found:
            for schema in catalog["catalog_db_schemas"] or []:
                for t in schema["db_schema_tables"] or []:
                    columns = [(k["column_name"], k["ordinal_position"]) for k in t["table_columns"] or []]
                    # The driver asks for them in two queries joined by UNION ALL, which has no order.
                    constraints = sorted((k["constraint_name"], k["constraint_type"], k["constraint_column_names"]) for k in t["table_constraints"] or [])
                    out.append([catalog["catalog_name"], schema["db_schema_name"], t["table_name"], t["table_type"], columns, constraints])
        return sorted(out)


def table_schema():
    with connect() as c:
        return [str(c.adbc_get_table_schema("orders", db_schema_filter="shop")), sorted(c.adbc_get_table_types())]


def query(sql, options=None):
    def run():
        with connect() as c:
            return shown(table(c, sql, options=options))

    return run


# The driver reads every result through COPY unless it is told not to.
KINDS = "select * from shop.kinds order by id"
NO_COPY = {"adbc.postgresql.use_copy": "false"}


def parameters():
    with connect() as c:
        values = [7, 2**40, 1.1, "ü'\"\\", True, dt.date(2024, 2, 29), dt.datetime(2024, 2, 29, 1, 2, 3, 4), b"\x00\xff"]
        kinds = ["bigint", "bigint", "float8", "text", "bool", "date", "timestamp", "bytea"]
        echo = [shown(table(c, f"select $1::{kind} as v", [value])) for kind, value in zip(kinds, values)]
        found = table(
            c, "select o_orderkey, o_totalprice from shop.orders where o_orderkey > $1 and o_orderdate < $2 and o_orderstatus <> $3 order by 1 limit 4",
            [3, dt.date(1997, 1, 1), "P"],
        )
        return [echo, shown(found)]


def many():
    # Each row of an Arrow batch is one set of parameters.
    with connect() as c, c.cursor() as cursor:
        cursor.execute("select c_name from shop.customer where c_custkey = $1", pa.record_batch({"k": pa.array([1, 2, 3], pa.int64())}))
        return shown(cursor.fetch_arrow_table())


def batches():
    with connect() as c, c.cursor(adbc_stmt_kwargs={"adbc.postgresql.batch_size_hint_bytes": "4096"}) as cursor:
        cursor.execute("select o_orderkey, o_totalprice from shop.orders order by 1")
        reader = cursor.fetch_record_batch()
        rows = [batch.num_rows for batch in reader]
        return [len(rows) > 3, sum(rows)]


def ingest():
    with connect() as c, c.cursor() as cursor:
        rows = pa.table({"batch": ["adbc"] * 300, "number": pa.array(range(300), pa.int32()), "note": ["n"] * 300})
        count = cursor.adbc_ingest("inbox", rows, mode="append", db_schema_name="shop")
        return [count, shown(table(c, "select count(*), sum(number) from shop.inbox where batch = 'adbc'"))]


def cancel():
    with connect() as c:
        with c.cursor() as cursor:
            with step.cancelling(cursor.adbc_cancel):
                refused = step.raised(lambda: (cursor.execute(step.SLOW), cursor.fetch_arrow_table()), lambda e: type(e).__name__)
        return [refused, shown(table(c, "select 1 as one"))]


def error():
    with connect() as c:
        out = [step.raised(lambda sql=sql: table(c, sql), state) for sql, _ in step.REFUSED]
        step.expect([e[1] for e in out] == [code for _, code in step.REFUSED], out)
        return [out, shown(table(c, "select 2 as two"))]


step.run("adbc", adbc_driver_postgresql.__version__, [
    ("connect", connected), ("connect/wrong password", wrong_password), ("introspect/objects", objects), ("introspect/table schema", table_schema),
    ("query/binary", query(KINDS, NO_COPY)), ("query/federated", query(step.FEDERATED, NO_COPY)),
    ("parameters/binary", parameters), ("parameters/many", many), ("cursor/batches", batches),
    ("copy/binary", query(KINDS)), ("copy/federated", query(step.FEDERATED)), ("copy/in", ingest), ("cancel", cancel), ("error", error),
])
