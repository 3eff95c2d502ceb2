#!/usr/bin/env python3
"""Makes the demo's data: a small shop. Deterministic: the same bytes of data each time (pyarrow stamps its version into Parquet).

    python3 -m venv /tmp/demo && /tmp/demo/bin/pip install pyarrow && /tmp/demo/bin/python config/demo/make.py

lake/orders/*.parquet   orders of the first half of 2025, a file for two months
lake/rates.csv          what one euro cost in each currency, day by day
lake/events.ndjson      what customers did in the web shop
crm.db                  SQLite: customers and countries
"""
import datetime as dt
import decimal
import json
import pathlib
import random
import sqlite3

import pyarrow as pa
import pyarrow.parquet as pq

HERE = pathlib.Path(__file__).resolve().parent
RANDOM = random.Random(20250101)
START = dt.date(2025, 1, 1)
DAYS = 181
D = decimal.Decimal

COUNTRIES = [
    ("CH", "Switzerland", "CHF", "Europe"),
    ("DE", "Germany", "EUR", "Europe"),
    ("DK", "Denmark", "DKK", "Europe"),
    ("FR", "France", "EUR", "Europe"),
    ("GB", "United Kingdom", "GBP", "Europe"),
    ("JP", "Japan", "JPY", "Asia"),
    ("KR", "South Korea", "KRW", "Asia"),
    ("PL", "Poland", "PLN", "Europe"),
    ("SE", "Sweden", "SEK", "Europe"),
    ("US", "United States", "USD", "America"),
]
# One euro on the first day, and how much the rate moves in a day.
CURRENCIES = {
    "CHF": (D("0.9412"), 0.002), "DKK": (D("7.4578"), 0.0002), "EUR": (D("1.0000"), 0.0),
    "GBP": (D("0.8292"), 0.003), "JPY": (D("162.6300"), 0.005), "KRW": (D("1532.4500"), 0.005),
    "PLN": (D("4.2750"), 0.003), "SEK": (D("11.4590"), 0.003), "USD": (D("1.0389"), 0.004),
}
FIRST = "Ada Ben Chloe Dario Elif Finn Greta Hugo Ines Jonas Kenji Lena Mira Noah Olga Paul Rosa Seo-yeon Tim Yuki".split()
LAST = "Andersen Bauer Dupont Eriksson Fischer Garcia Kim Kowalski Larsen Martin Meyer Nakamura Novak Olsen Rossi Sato Smith Weber Wilson Wood".split()
PRODUCTS = [
    ("Desk lamp", D("49.90")), ("Notebook", D("4.50")), ("Backpack", D("89.00")), ("Water bottle", D("19.95")),
    ("Headphones", D("129.00")), ("Keyboard", D("74.50")), ("Coffee grinder", D("59.90")), ("Rain jacket", D("119.00")),
    ("Chess set", D("34.00")), ("Bicycle bell", D("12.80")),
]


def customers():
    rows = []
    for number in range(1, 241):
        country = RANDOM.choices(COUNTRIES, weights=[6, 14, 5, 11, 9, 8, 6, 7, 6, 12])[0][0]
        name = f"{RANDOM.choice(FIRST)} {RANDOM.choice(LAST)}"
        since = START - dt.timedelta(days=RANDOM.randrange(30, 1500))
        tier = RANDOM.choices(["basic", "plus", "gold"], weights=[6, 3, 1])[0]
        email = None if RANDOM.random() < 0.06 else f"{name.lower().replace(' ', '.')}{number}@example.com"
        rows.append((number, name, email, country, since.isoformat(), tier, int(RANDOM.random() < 0.4)))
    return rows


def rates():
    rows, now = [], {code: rate for code, (rate, _) in CURRENCIES.items()}
    for day in range(DAYS):
        for code, (_, step) in CURRENCIES.items():
            factor = D(str(round(1 + RANDOM.gauss(0, step), 8))) if step else D(1)
            now[code] = (now[code] * factor).quantize(D("0.0001"))
            rows.append(((START + dt.timedelta(days=day)).isoformat(), code, now[code]))
    return rows


def orders(people, rate):
    rows, number = [], 10_000
    currency = {code: money for code, _, money, _ in COUNTRIES}
    for day in range(DAYS):
        date = START + dt.timedelta(days=day)
        for _ in range(RANDOM.randrange(11, 22) + (4 if date.weekday() >= 5 else 0)):
            number += 1
            who = people[int(RANDOM.expovariate(1 / 70)) % len(people)]
            product, price = RANDOM.choice(PRODUCTS)
            quantity = RANDOM.choices([1, 2, 3, 5, 10], weights=[60, 22, 10, 6, 2])[0]
            money = currency[who[3]]
            amount = (price * quantity * rate[date.isoformat(), money]).quantize(D("0.01"))
            at = dt.datetime.combine(date, dt.time(RANDOM.randrange(6, 23), RANDOM.randrange(60), RANDOM.randrange(60)))
            status = RANDOM.choices(["paid", "shipped", "returned", "cancelled"], weights=[20, 70, 6, 4])[0]
            coupon = RANDOM.choice(["SPRING25", "WELCOME", "FRIEND"]) if RANDOM.random() < 0.15 else None
            rows.append((number, who[0], date, at.replace(tzinfo=dt.timezone.utc), product, quantity, amount, money, status, coupon))
    return rows


def events(people):
    for number in range(900):
        who = people[int(RANDOM.expovariate(1 / 70)) % len(people)]
        at = dt.datetime(2025, 1, 1) + dt.timedelta(seconds=RANDOM.randrange(DAYS * 86_400))
        kind = RANDOM.choices(["view", "search", "cart", "review"], weights=[55, 20, 18, 7])[0]
        event = {"at": at.strftime("%Y-%m-%dT%H:%M:%SZ"), "customer_id": who[0], "kind": kind}
        if kind == "search":
            event["detail"] = {"text": RANDOM.choice(["lamp", "jacket", "gift", "chess", "blue bottle"]), "hits": RANDOM.randrange(0, 40)}
        elif kind == "review":
            event["detail"] = {"product": RANDOM.choice(PRODUCTS)[0], "stars": RANDOM.randrange(1, 6)}
        else:
            event["detail"] = {"product": RANDOM.choice(PRODUCTS)[0]}
        if RANDOM.random() < 0.5:
            event["seconds"] = round(RANDOM.expovariate(1 / 40), 1)
        yield event


def write_orders(rows):
    folder = HERE / "lake" / "orders"
    folder.mkdir(parents=True, exist_ok=True)
    schema = pa.schema([
        pa.field("order_id", pa.int64(), nullable=False), pa.field("customer_id", pa.int64(), nullable=False),
        pa.field("ordered_on", pa.date32(), nullable=False), pa.field("ordered_at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("product", pa.string(), nullable=False), pa.field("quantity", pa.int32(), nullable=False),
        pa.field("amount", pa.decimal128(12, 2), nullable=False), pa.field("currency", pa.string(), nullable=False),
        pa.field("status", pa.string(), nullable=False), pa.field("coupon", pa.string()),
    ])
    for part, months in enumerate([(1, 2), (3, 4), (5, 6)], start=1):
        chosen = [row for row in rows if row[2].month in months]
        columns = [pa.array(column, type=field.type) for column, field in zip(zip(*chosen), schema)]
        table = pa.Table.from_arrays(columns, schema=schema)
        pq.write_table(table, folder / f"orders_{part}.parquet", compression="zstd", row_group_size=400,
                       write_page_index=True, write_page_checksum=True)


def write_crm(people):
    path = HERE / "crm.db"
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path)
    connection.executescript("""
        PRAGMA page_size = 4096;
        PRAGMA journal_mode = DELETE;
        CREATE TABLE country (code TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL, currency TEXT NOT NULL, region TEXT NOT NULL);
        CREATE TABLE customer (
            customer_id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT, country_code TEXT NOT NULL REFERENCES country (code),
            customer_since DATE NOT NULL, tier TEXT NOT NULL, newsletter BOOLEAN NOT NULL);
        CREATE VIEW gold_customer AS SELECT customer_id, name, country_code FROM customer WHERE tier = 'gold';
    """)
    connection.executemany("INSERT INTO country VALUES (?, ?, ?, ?)", COUNTRIES)
    connection.executemany("INSERT INTO customer VALUES (?, ?, ?, ?, ?, ?, ?)", people)
    connection.execute("CREATE INDEX customer_country ON customer (country_code)")
    connection.commit()
    connection.execute("ANALYZE")
    connection.commit()
    connection.execute("VACUUM")
    connection.close()


def main():
    people, rate_rows = customers(), rates()
    rate = {(day, code): value for day, code, value in rate_rows}
    lake = HERE / "lake"
    lake.mkdir(exist_ok=True)
    with open(lake / "rates.csv", "w", newline="\n") as file:
        file.write("day,currency,per_euro\n")
        file.writelines(f"{day},{code},{value}\n" for day, code, value in rate_rows)
    write_orders(orders(people, rate))
    with open(lake / "events.ndjson", "w", newline="\n") as file:
        for event in sorted(events(people), key=lambda event: event["at"]):
            file.write(json.dumps(event, separators=(",", ":")) + "\n")
    write_crm(people)


if __name__ == "__main__":
    main()
