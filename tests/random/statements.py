"""Random statements, put to Tusk and to a PostgreSQL that holds the same tables: equal rows, or an equal error, or a refusal.

    statements.py prepare SOURCE ORACLE FOLDER      makes the tables: PostgreSQL (schema pgs), Parquet (lake), SQLite (lite)
    statements.py compare TUSK ORACLE SEED COUNT    prints what differs; exit code 1 if anything does

A statement that Tusk refuses (0A000, 42883) is counted, not failed: it is not answered, so not answered wrongly. Of two errors only
that there are two is asked: which row fails first is nobody's promise.
"""

import collections
import datetime
import decimal
import os
import random
import re
import sqlite3
import sys

import psycopg

ALL = {"a": "int4", "b": "int8", "n": "num", "f": "flt", "s": "text", "o": "bool", "d": "date", "t": "ts"}
TABLES = {"pgs": ALL, "lake": ALL, "lite": {"a": "int8", "b": "int8", "s": "text", "d": "date"}}
SQL = {"int4": "int", "int8": "bigint", "num": "numeric(10,2)", "flt": "float8", "text": "text", "bool": "boolean",
       "date": "date", "ts": "timestamp"}
NULLS = {ty: f"null::{name}" for ty, name in SQL.items()}
LITERALS = {
    "int4": ["0", "1", "2", "3", "-1", "10", "2147483647"],
    "int8": ["0", "7", "100000", "9223372036854775807", "5::bigint"],
    "num": ["0.0", "1.5", "-2.25", "10.00", "3.14159", "12345678.9"],
    "flt": ["1.5::float8", "'0'::float8", "-2.5::float8", "1e10::float8"],
    "text": ["'a'", "''", "'abc'", "'B'", "'%'", "'x_y'", "'it''s'", "E'\\\\'", "'10'", "' pad '"],
    "bool": ["true", "false"],
    "date": ["date '2024-02-29'", "date '2000-01-01'", "date '1999-12-31'"],
    "ts": ["timestamp '2024-02-29 12:30:45.123456'", "timestamp '1969-12-31 23:59:59.5'"],
}
# What makes a value of a type: {int4} stands for an expression of that type.
FORMS = {
    "int4": ["({int4} + {int4})", "({int4} - {int4})", "({int4} * {int4})", "({int4} / {int4})", "({int4} % {int4})", "length({text})",
             "abs({int4})", "({date} - {date})", "{num}::int", "{flt}::int", "position({text} in {text})", "ascii({text})", "({bool})::int",
             "({int4} & {int4})", "-({int4})"],
    "int8": ["({int8} + {int4})", "({int8} - {int8})", "({int8} % {int4})", "{int4}::bigint", "{num}::bigint", "mod({int8}, {int8})"],
    "num": ["({num} + {num})", "({num} * {num})", "({num} / {num})", "({num} * {int4})", "round({num}, 1)", "trunc({num})", "ceil({num})",
            "floor({num})", "abs({num})", "{int8}::numeric", "{num}::numeric(12,3)", "sign({num})", "extract(doy from {date})",
            "extract(epoch from {ts})", "mod({num}, {num})"],
    "flt": ["({flt} + {flt})", "({flt} * {flt})", "({flt} / {flt})", "{num}::float8", "{int4}::float8", "round({flt})", "sqrt(abs({flt}))",
            "abs({flt})"],
    "text": ["({text} || {text})", "upper({text})", "lower({text})", "substr({text}, -1, 3)", "substring({text} from 2)", "left({text}, -1)",
             "right({text}, 2)", "trim({text})", "replace({text}, {text}, {text})", "{int4}::text", "{num}::text", "{date}::text",
             "{ts}::text", "{bool}::text", "lpad({text}, 5, {text})", "reverse({text})", "concat({text}, {int4}, {text})", "initcap({text})",
             "split_part({text}, {text}, 1)", "to_char({ts}, 'YYYY-MM-DD HH24:MI:SS')", "md5({text})", "translate({text}, 'ab', 'x')",
             "concat_ws('-', {text}, {text})", "{flt}::text", "btrim({text}, 'a')", "quote_literal({text})", "repeat({text}, 2)"],
    "date": ["({date} + 30)", "({date} + -365)", "{ts}::date"],
    "ts": ["({ts} + interval '1 month')", "({ts} + interval '-3 hours')", "{date}::timestamp", "date_trunc('month', {ts})",
           "date_trunc('week', {ts})"],
    "bool": ["({int4} < {num})", "({int4} = {int8})", "({date} < {ts})", "({text} ~ '^a')", "({int4} = any(array[1,2,{int4}]))",
             "({text} ilike 'a%')", "({text} like '%b%')", "({text} not like '_')", "({bool} and {bool})", "({bool} or {bool})", "(not {bool})",
             "({bool} is true)", "({bool} is not unknown)", "({bool} is not true)"],
}
SAME = ["case when {bool} then {X} else {X} end", "coalesce({X}, {X})", "nullif({X}, {X})", "case {int4} when 1 then {X} when 2 then {X} end"]
ORDERED = ["greatest({X}, {X})", "least({X}, {X})"]
COMPARED = ["({X} = {X})", "({X} <> {X})", "({X} < {X})", "({X} >= {X})", "({X} is null)", "({X} is not null)", "({X} between {X} and {X})",
            "({X} in ({X}, {X}))", "({X} not in ({X}, {X}))", "({X} is distinct from {X})"]
AGGREGATES = {"int4": ["sum", "avg", "min", "max"], "int8": ["sum", "min", "max"], "num": ["sum", "avg", "min", "max"], "text": ["min", "max"],
              "date": ["min", "max"], "ts": ["min", "max"], "flt": ["min", "max"], "bool": ["bool_and", "bool_or"]}


class Maker:
    """Makes statements."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.tables = 0

    def chance(self, share):
        return self.random.random() < share

    def pick(self, items):
        return self.random.choice(items)

    def table(self):
        schema, name = self.pick(list(TABLES)), self.pick(["t1", "t2"])
        self.tables += 1
        alias = f"x{self.tables}"
        return f"{schema}.{name} {alias}", [(f"{alias}.{column}", ty) for column, ty in TABLES[schema].items()]

    def value(self, ty, columns, depth):
        fitting = [column for column, of in columns if of == ty]
        if depth <= 0 or self.chance(0.25):
            if fitting and self.chance(0.8):
                return self.pick(fitting)
            return NULLS[ty] if self.chance(0.04) else self.pick(LITERALS[ty])
        forms = FORMS[ty] + SAME + (ORDERED if ty != "bool" else COMPARED * 2)
        if ty == "bool" and depth > 1 and self.chance(0.15):
            return self.subquery(columns, depth)
        form, other = self.pick(forms), ty
        if ty == "bool" and form in COMPARED:
            other = self.pick([ty for ty in SQL if ty != "bool"])
        return re.sub(r"\{(\w+)\}", lambda part: self.value(other if part[1] == "X" else part[1], columns, depth - 1), form)

    def subquery(self, columns, depth):
        source, own = self.table()
        where = self.value("bool", own + (columns if self.chance(0.5) else []), min(depth - 1, 2))
        ty = self.pick(["int8", "text", "date"])
        left, right = self.value(ty, columns, 1), self.value(ty, own, 1)
        kind = self.pick(["exists", "not exists", "in", "not in", "not in", "any", "all", "scalar"])
        if "exists" in kind:
            return f"({kind} (select 1 from {source} where {where}))"
        if kind == "scalar":
            return f"({left} {self.pick(['<', '='])} (select {self.pick(['min', 'max'])}({right}) from {source} where {where}))"
        operator = kind if "in" in kind else f"{self.pick(['<', '=', '<>', '>='])} {kind}"
        return f"({left} {operator} (select {right} from {source} where {where}))"

    def sources(self):
        source, columns = self.table()
        for _ in range(self.pick([0, 0, 1, 1, 2])):
            right, more = self.table()
            join = self.pick(["join", "left join", "right join", "full join", "join", "left join", "cross join"])
            if join == "cross join":
                source, columns = f"{source} cross join {right}", columns + more
                continue
            ty = self.pick([ty for ty in ("int8", "text", "date") if any(of == ty for _, of in columns)])
            on = " = ".join(self.pick([name for name, of in side if of == ty]) for side in (columns, more))
            if self.chance(0.3) and join != "full join":
                on += f" and {self.value('bool', columns + more, 1)}"
            source, columns = f"{source} {join} {right} on {on}", columns + more
        return source, columns

    def aggregate(self, columns):
        ty = self.pick(list(AGGREGATES))
        value = self.value(ty, columns, 1)
        if self.chance(0.3):
            made = self.pick(["count(*)", f"count({value})", f"count(distinct {value})"])
        elif ty == "text" and self.chance(0.4):
            made = f"string_agg({value}, ',' order by {value})"
        else:
            made = f"{self.pick(AGGREGATES[ty])}({value})"
        return made + (f" filter (where {self.value('bool', columns, 1)})" if self.chance(0.15) else "")

    def select(self):
        source, columns = self.sources()
        where = f" where {self.value('bool', columns, self.pick([1, 2, 3]))}" if self.chance(0.7) else ""
        if self.chance(0.35):
            keys = [self.value(self.pick(["int4", "text", "bool", "date"]), columns, 1) for _ in range(self.pick([0, 1, 1, 2]))]
            keys = [key for key in keys if re.search(r"x\d+\.", key)]
            items = keys + [self.aggregate(columns) for _ in range(self.pick([1, 2, 3]))]
            rest = " group by " + ", ".join(str(at + 1) for at in range(len(keys))) if keys else ""
            rest += f" having count(*) > {self.pick([0, 1])}" if self.chance(0.3) else ""
        else:
            items = [self.value(self.pick(list(SQL)), columns, self.pick([1, 1, 2, 3])) for _ in range(self.pick([1, 2, 3]))]
            rest = ""
            if self.chance(0.15):
                names = ", ".join(name for name, _ in columns)
                window = self.pick(["row_number", "rank", "dense_rank"])
                items.append(f"{window}() over (partition by {self.value('int8', columns, 1)} order by {names})")
        distinct = "distinct " if self.chance(0.2) and not rest else ""
        named = ", ".join(f"{item} as c{at}" for at, item in enumerate(items))
        return f"select {distinct}{named} from {source}{where}{rest}", len(items)

    def operand(self, types):
        source, columns = self.table()
        items = ", ".join(f"{self.value(ty, columns, 1)} as c{at}" for at, ty in enumerate(types))
        return f"select {items} from {source} where {self.value('bool', columns, 1)}"

    def statement(self):
        """A statement, and whether its rows have an order."""
        self.tables = 0
        text, width = self.select()
        if self.chance(0.12):
            types, width = [self.pick(["int4", "text", "date"]) for _ in range(2)], 2
            operator = self.pick(["union", "union all", "intersect", "except", "intersect all", "except all"])
            text = f"{self.operand(types)} {operator} {self.operand(types)}"
        if self.chance(0.15):
            text = f"select * from ({text}) q"
        if not self.chance(0.4):
            return text, False
        ways = [" desc", " asc", " nulls first", " desc nulls last", ""]
        text += " order by " + ", ".join(f"{at + 1}{self.pick(ways)}" for at in range(width))
        text += f" limit {self.pick([0, 1, 3, 10])}" if self.chance(0.5) else ""
        return text + (f" offset {self.pick([1, 2])}" if self.chance(0.2) else ""), True


def data_row(rand):
    """A row of every type, with NULLs, equal values and extremes."""
    day = datetime.date(1950 + rand.randint(0, 90), rand.randint(1, 12), rand.randint(1, 28))
    cents = decimal.Decimal(rand.randint(-2000, 2000)) / 100
    values = [
        rand.choice([0, 1, 2, 3, 5, 10, -1, -7, 100, rand.randint(-20, 20), 2147483647 if rand.random() < 0.05 else 4]),
        rand.choice([0, 1, 7, 10, -3, 100000, rand.randint(-50, 50), 9223372036854775807 if rand.random() < 0.05 else 8]),
        rand.choice([decimal.Decimal("0.00"), decimal.Decimal("1.50"), decimal.Decimal("-2.25"), decimal.Decimal("99999999.99"), cents]),
        rand.choice([0.0, -0.0, 1.5, -2.5, 0.1, 1e10, 1e-10, rand.random() * 10 - 5, float("nan") if rand.random() < 0.1 else 2.0]),
        rand.choice(["a", "b", "abc", "", "B", "A", "it's", "x_y", "%", "10", " pad ", "aa\\", rand.choice("abcxyz") * 3]),
        rand.random() < 0.5,
        rand.choice([datetime.date(2024, 2, 29), datetime.date(2000, 1, 1), datetime.date(1999, 12, 31), day]),
        rand.choice([datetime.datetime(2024, 2, 29, 12, 30, 45, 123456), datetime.datetime(1969, 12, 31, 23, 59, 59, 500000),
                     datetime.datetime(day.year, day.month, day.day, rand.randint(0, 23), 5, 6, rand.randint(0, 999999))]),
    ]
    return [None if rand.random() < 0.12 else value for value in values]


def prepare(source, oracle, folder):
    import pyarrow
    import pyarrow.parquet

    arrow = {"int4": pyarrow.int32(), "int8": pyarrow.int64(), "num": pyarrow.decimal128(10, 2), "flt": pyarrow.float64(),
             "text": pyarrow.string(), "bool": pyarrow.bool_(), "date": pyarrow.date32(), "ts": pyarrow.timestamp("us")}
    rand = random.Random(7)
    live, truth = psycopg.connect(source, autocommit=True), psycopg.connect(oracle, autocommit=True)
    lite = sqlite3.connect(os.path.join(folder, "lite.db"))
    for schema, columns in TABLES.items():
        for database in (live, truth):
            database.execute(f"create schema {schema}")
        for table, count in (("t1", 40), ("t2", 25)):
            rows = [[value for value, name in zip(data_row(rand), ALL) if name in columns] for _ in range(count)]
            kinds = ", ".join(f"{name} {SQL[ty]}" for name, ty in columns.items())
            places = ", ".join(["%s"] * len(columns))
            for database in [truth] + ([live] if schema == "pgs" else []):
                database.execute(f"create table {schema}.{table} ({kinds})")
                with database.cursor() as cursor:
                    cursor.executemany(f"insert into {schema}.{table} values ({places})", rows)
            if schema == "lite":
                lite.execute(f"create table {table} ({kinds})")
                days = [[value.isoformat() if isinstance(value, datetime.date) else value for value in row] for row in rows]
                lite.executemany(f"insert into {table} values ({', '.join('?' * len(columns))})", days)
            if schema == "lake":
                os.makedirs(os.path.join(folder, "lake", table))
                arrays = [pyarrow.array([row[at] for row in rows], type=arrow[ty]) for at, ty in enumerate(columns.values())]
                whole = pyarrow.table(arrays, names=list(columns))
                for part, (first, size) in enumerate([(0, count // 2), (count // 2, count)]):
                    path = os.path.join(folder, "lake", table, f"{part}.parquet")
                    pyarrow.parquet.write_table(whole.slice(first, size), path, row_group_size=7)
    lite.commit()


def ask(connection, text):
    """Rows, names and types; or the SQLSTATE and the message."""
    try:
        cursor = connection.execute(text)
        return cursor.fetchall(), [(column.name, column.type_code) for column in cursor.description], None
    except psycopg.Error as error:
        if connection.closed:
            sys.exit(f"connection lost ({error}) by\n{text}")
        return None, None, (error.sqlstate, str(error).split("\n")[0])


def shown(rows, ordered):
    """Rows to be compared: floats to ten digits, numerics by value."""
    def plain(value):
        if isinstance(value, float):
            return f"{value + 0.0:.10g}" if value == value else "NaN"
        return format(value.normalize(), "f") if isinstance(value, decimal.Decimal) else repr(value)

    texts = [tuple(plain(value) for value in row) for row in rows]
    return texts if ordered else sorted(texts)


def compare(tusk, oracle, seed, count):
    ours, theirs = psycopg.connect(tusk, autocommit=True), psycopg.connect(oracle, autocommit=True)
    for connection in (ours, theirs):
        connection.execute("set statement_timeout = '30s'")
    maker, counts, differ = Maker(seed), collections.Counter(), 0
    for _ in range(count):
        text, ordered = maker.statement()
        right, right_shape, right_error = ask(theirs, text)
        rows, shape, error = ask(ours, text)
        if right_error and error:
            counts["both fail"] += 1
        elif error and error[0] in ("0A000", "42883"):
            counts["refused"] += 1
        elif error or right_error:
            # A part that fails for some rows may be asked of them by one and not by the other.
            fails = (error or right_error)[0] in ("22003", "22012")
            counts["one fails over a value" if fails else "DIFFER"] += 1
            if not fails:
                print(f"--- {text}\nTusk: {error}\nPostgreSQL: {right_error}")
                differ += 1
        elif shape != right_shape or shown(rows, ordered) != shown(right, ordered):
            counts["DIFFER"] += 1
            differ += 1
            a, b = shown(rows, False), shown(right, False)
            print(f"--- {text}\nTusk: {shape} {[row for row in a if row not in b][:3]}\nPostgreSQL: {right_shape} {[row for row in b if row not in a][:3]}")
        else:
            counts["equal"] += 1
    print(f"seed {seed}: " + ", ".join(f"{count} {what}" for what, count in sorted(counts.items())))
    return 1 if differ or counts["equal"] < count / 2 else 0


if __name__ == "__main__":
    verb, first, second, third, *rest = sys.argv[1:]
    if verb == "prepare":
        prepare(first, second, third)
    else:
        sys.exit(compare(first, second, int(third), int(rest[0])))
