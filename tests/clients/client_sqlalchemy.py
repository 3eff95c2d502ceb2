"""SQLAlchemy over psycopg 3: reflection of tables, Core queries, server-side rows. Must not know: which server it is."""

import datetime as dt
import decimal

import sqlalchemy as sa

import step

ENGINE = sa.create_engine(step.URL.replace("postgresql:", "postgresql+psycopg:"))


def state(error):
    return [type(error).__name__, error.orig.sqlstate, error.orig.diag.message_primary]


def connected():
    with ENGINE.connect() as c:
        dialect = ENGINE.dialect
        return [dialect.server_version_info[0], dialect.default_schema_name, c.get_isolation_level(), c.execute(sa.text("select current_user")).scalar()]


def wrong_password():
    wrong = sa.create_engine(ENGINE.url.set(password="wrong"))
    return step.raised(wrong.connect, lambda e: [type(e).__name__, str(e.orig).split("FATAL:")[1]])


def schemas():
    inspector = sa.inspect(ENGINE)
    return [[s for s in inspector.get_schema_names() if s in ("shop", "lake", "public")], inspector.has_schema("shop"), inspector.has_table("orders", schema="shop"), inspector.has_table("nothing", schema="shop")]


def names():
    inspector = sa.inspect(ENGINE)
    return [sorted(inspector.get_table_names(schema)) for schema in ("shop", "lake")] + [inspector.get_view_names("shop")]


def columns():
    inspector = sa.inspect(ENGINE)
    return [[{k: str(v) for k, v in column.items()} for column in inspector.get_columns(table, schema)]
            for schema, table in (("shop", "customer"), ("shop", "orders"), ("shop", "kinds"), ("shop", "open_orders"), ("lake", "rates"))]


def keys():
    inspector = sa.inspect(ENGINE)
    return [[inspector.get_pk_constraint(t, "shop"), inspector.get_foreign_keys(t, "shop"), inspector.get_indexes(t, "shop"),
             inspector.get_unique_constraints(t, "shop"), inspector.get_check_constraints(t, "shop")] for t in ("customer", "orders")]


def comment():
    return sa.inspect(ENGINE).get_table_comment("customer", "shop")


def reflect():
    metadata = sa.MetaData()
    metadata.reflect(ENGINE, schema="shop", views=True)
    return sorted((name, [(c.name, str(c.type), c.primary_key) for c in table.columns]) for name, table in metadata.tables.items())


def query():
    metadata = sa.MetaData()
    orders, customer, rates = (sa.Table(name, metadata, schema=schema, autoload_with=ENGINE) for schema, name in
                               (("shop", "orders"), ("shop", "customer"), ("lake", "rates")))
    statement = (
        sa.select(customer.c.c_name, sa.func.sum(orders.c.o_totalprice * rates.c.rate).label("total"))
        .join(orders, orders.c.o_custkey == customer.c.c_custkey)
        .join(rates, rates.c.year == sa.extract("year", orders.c.o_orderdate))
        .where(orders.c.o_orderkey <= 200, rates.c.currency == "EUR")
        .group_by(customer.c.c_name).order_by(sa.desc("total"), customer.c.c_name).limit(5)
    )
    with ENGINE.connect() as c:
        return [tuple(row) for row in c.execute(statement)]


def parameters():
    orders = sa.Table("orders", sa.MetaData(), schema="shop", autoload_with=ENGINE)
    statement = sa.select(orders.c.o_orderkey, orders.c.o_orderstatus).where(
        orders.c.o_custkey.in_(list(range(5, 60))), orders.c.o_orderdate < dt.date(1997, 1, 1), orders.c.o_totalprice > decimal.Decimal("10.5"),
        orders.c.o_orderstatus.like("%F%"), sa.or_(orders.c.o_shippriority.is_(None), orders.c.o_shippriority.between(0, 4)),
    ).order_by(orders.c.o_orderkey).offset(1).limit(4)
    with ENGINE.connect() as c:
        return [tuple(row) for row in c.execute(statement)]


def cursor():
    with ENGINE.connect().execution_options(stream_results=True, max_row_buffer=100) as c:
        rows = c.execute(sa.text("select o_orderkey from shop.orders order by 1"))
        return [len(part) for part in rows.partitions(400)]


def copy():
    c = ENGINE.raw_connection()
    with c.cursor() as cursor, cursor.copy("copy (select c_custkey, c_comment from shop.customer order by 1) to stdout") as copy:
        return b"".join(copy)


def cancel():
    with ENGINE.connect() as c:
        with step.cancelling(c.connection.driver_connection.cancel_safe):
            refused = step.raised(lambda: c.execute(sa.text(step.SLOW)), state)
        c.rollback()
        return [refused, c.execute(sa.text("select 1")).scalar()]


def error():
    with ENGINE.connect() as c:
        out = []
        for sql, code in step.REFUSED:
            out.append(step.raised(lambda: c.execute(sa.text(sql)), state))
            step.expect(out[-1][1] == code, out)
            c.rollback()
        return out


step.run("sqlalchemy", sa.__version__, [
    ("connect", connected), ("connect/wrong password", wrong_password), ("introspect/schemas", schemas), ("introspect/names", names),
    ("introspect/columns", columns), ("introspect/keys", keys), ("introspect/comment", comment), ("introspect/reflect", reflect),
    ("query/federated", query), ("parameters", parameters), ("cursor/stream_results", cursor), ("copy/text", copy), ("cancel", cancel), ("error", error),
])
