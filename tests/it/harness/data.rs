//! One small set of tables after TPC-H, made up deterministically, and the ways to put them into each kind of source.
//! Must not know: what is asked of them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Decimal128Array, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::parquet::arrow::ArrowWriter;
use futures::SinkExt;
use tokio_postgres::Client;

/// A table as rows of text; `None` is NULL.
pub(crate) struct Table {
    /// Its name.
    pub(crate) name: &'static str,
    /// Columns and their SQL types.
    pub(crate) columns: &'static [(&'static str, &'static str)],
    /// Its rows.
    pub(crate) rows: Vec<Vec<Option<String>>>,
}

/// A generator with a fixed seed: the same rows in every run.
struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }

    fn money(&mut self, below: u64) -> String {
        let cents = self.next(below * 100);
        format!("{}.{:02}", cents / 100, cents % 100)
    }

    fn day(&mut self) -> String {
        format!("{}-{:02}-{:02}", 1992 + self.next(7), 1 + self.next(12), 1 + self.next(28))
    }
}

fn some(text: impl ToString) -> Option<String> {
    Some(text.to_string())
}

/// `nation` and `region`.
pub(crate) fn geography() -> Vec<Table> {
    let regions = ["AFRICA", "AMERICA", "ASIA", "EUROPE", "MIDDLE EAST"];
    let nation = (0..25).map(|n| vec![some(n), some(format!("NATION {n:02}")), some(n % 5)]).collect();
    let region = regions.iter().enumerate().map(|(n, name)| vec![some(n), some(name)]).collect();
    vec![
        Table {
            name: "nation",
            columns: &[("n_nationkey", "bigint"), ("n_name", "text"), ("n_regionkey", "bigint")],
            rows: nation,
        },
        Table { name: "region", columns: &[("r_regionkey", "bigint"), ("r_name", "text")], rows: region },
    ]
}

/// `customer` and `orders`.
pub(crate) fn shop(customers: u64, orders: u64) -> Vec<Table> {
    let mut random = Random(1);
    let segments = ["AUTOMOBILE", "BUILDING", "FURNITURE", "HOUSEHOLD", "MACHINERY"];
    let customer = (1..=customers)
        .map(|key| {
            vec![
                some(key),
                some(format!("Customer#{key:09}")),
                some(random.next(25)),
                Some(random.money(10_000)),
                some(segments[random.next(5) as usize]),
                if random.next(10) == 0 { None } else { some(format!("it's \\ a \"comment\" {key}")) },
            ]
        })
        .collect();
    let order = (1..=orders)
        .map(|key| {
            vec![
                some(key),
                some(1 + random.next(customers)),
                some(["F", "O", "P"][random.next(3) as usize]),
                Some(random.money(400_000)),
                Some(random.day()),
                if random.next(20) == 0 { None } else { some(random.next(5)) },
            ]
        })
        .collect();
    vec![
        Table {
            name: "customer",
            columns: &[
                ("c_custkey", "bigint primary key"),
                ("c_name", "varchar(25) not null"),
                ("c_nationkey", "integer"),
                ("c_acctbal", "numeric(15,2)"),
                ("c_mktsegment", "char(10)"),
                ("c_comment", "text"),
            ],
            rows: customer,
        },
        Table {
            name: "orders",
            columns: &[
                ("o_orderkey", "bigint primary key"),
                ("o_custkey", "bigint"),
                ("o_orderstatus", "char(1)"),
                ("o_totalprice", "numeric(15,2)"),
                ("o_orderdate", "date"),
                ("o_shippriority", "integer"),
            ],
            rows: order,
        },
    ]
}

/// `lineitem`, for as many orders.
pub(crate) fn lineitem(orders: u64, lines: u64) -> Table {
    let mut random = Random(2);
    let rows = (0..lines)
        .map(|_| {
            vec![
                some(1 + random.next(orders)),
                some(1 + random.next(7)),
                some(format!("{}.00", 1 + random.next(50))),
                Some(random.money(90_000)),
                some(format!("0.{:02}", random.next(11))),
                some(["A", "N", "R"][random.next(3) as usize]),
                if random.next(25) == 0 { None } else { Some(random.day()) },
            ]
        })
        .collect();
    Table {
        name: "lineitem",
        columns: &[
            ("l_orderkey", "bigint"),
            ("l_linenumber", "bigint"),
            ("l_quantity", "numeric(15,2)"),
            ("l_extendedprice", "numeric(15,2)"),
            ("l_discount", "numeric(15,2)"),
            ("l_returnflag", "text"),
            ("l_shipdate", "date"),
        ],
        rows,
    }
}

/// `rates` (for CSV) and `events` (for ndjson).
pub(crate) fn texts(customers: u64) -> Vec<Table> {
    let mut random = Random(3);
    let rates = (1992..1999)
        .flat_map(|year| ["EUR", "USD", "GBP"].into_iter().map(move |currency| (year, currency)))
        .map(|(year, currency)| {
            vec![some(year), some(currency), some(format!("{}.{:04}", random.next(2), random.next(10_000)))]
        })
        .collect();
    let events = (0..customers * 4)
        .map(|n| {
            vec![
                some(n),
                some(1 + random.next(customers)),
                some(["view", "cart", "buy", "it's"][random.next(4) as usize]),
                if random.next(3) == 0 { None } else { some(random.next(1000)) },
            ]
        })
        .collect();
    vec![
        Table {
            name: "rates",
            // CSV has no types: this is what Tusk makes of decimals with four digits behind the point.
            columns: &[("year", "bigint"), ("currency", "text"), ("rate", "numeric(18,4)")],
            rows: rates,
        },
        Table {
            name: "events",
            columns: &[("event_id", "bigint"), ("custkey", "bigint"), ("kind", "text"), ("duration", "bigint")],
            rows: events,
        },
    ]
}

/// Makes the tables in a schema of a PostgreSQL and fills them.
pub(crate) async fn load_postgres(client: &Client, schema: &str, tables: &[Table]) {
    client.batch_execute(&format!("create schema if not exists {schema}")).await.unwrap();
    for table in tables {
        let columns: Vec<String> = table.columns.iter().map(|(name, ty)| format!("{name} {ty}")).collect();
        client.batch_execute(&format!("create table {schema}.{} ({})", table.name, columns.join(", "))).await.unwrap();
        let mut text = String::new();
        for row in &table.rows {
            let fields: Vec<String> = row
                .iter()
                .map(|field| field.as_ref().map_or("\\N".into(), |text| text.replace('\\', "\\\\")))
                .collect();
            writeln!(text, "{}", fields.join("\t")).unwrap();
        }
        let sink = client.copy_in(&format!("copy {schema}.{} from stdin", table.name)).await.unwrap();
        futures::pin_mut!(sink);
        sink.send(bytes::Bytes::from(text)).await.unwrap();
        assert_eq!(sink.finish().await.unwrap(), table.rows.len() as u64);
        client.batch_execute(&format!("analyze {schema}.{}", table.name)).await.unwrap();
    }
}

/// Makes a SQLite database of the tables.
pub(crate) fn write_sqlite(path: &Path, tables: &[Table]) {
    let mut connection = rusqlite::Connection::open(path).unwrap();
    let transaction = connection.transaction().unwrap();
    for table in tables {
        let columns: Vec<String> = table.columns.iter().map(|(name, ty)| format!("{name} {ty}")).collect();
        transaction.execute_batch(&format!("create table {} ({})", table.name, columns.join(", "))).unwrap();
        let places = vec!["?"; table.columns.len()].join(", ");
        let mut insert = transaction.prepare(&format!("insert into {} values ({places})", table.name)).unwrap();
        for row in &table.rows {
            insert.execute(rusqlite::params_from_iter(row)).unwrap();
        }
    }
    transaction.commit().unwrap();
}

/// Writes the table as CSV with a header.
pub(crate) fn write_csv(path: &Path, table: &Table) {
    let mut text = table.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(",");
    text.push('\n');
    for row in &table.rows {
        let fields: Vec<String> = row
            .iter()
            .map(|field| field.as_ref().map_or(String::new(), |text| format!("\"{}\"", text.replace('"', "\"\""))))
            .map(|field| {
                if field.len() > 2 && field[1..field.len() - 1].parse::<f64>().is_ok() {
                    field[1..field.len() - 1].to_owned()
                } else {
                    field
                }
            })
            .collect();
        writeln!(text, "{}", fields.join(",")).unwrap();
    }
    fs::write(path, text).unwrap();
}

/// Writes the table as one JSON object a line; NULLs are left out of it.
pub(crate) fn write_ndjson(path: &Path, table: &Table) {
    let mut text = String::new();
    for row in &table.rows {
        let mut object = serde_json::Map::new();
        for ((name, ty), field) in table.columns.iter().zip(row) {
            if let Some(field) = field {
                let value = if *ty == "bigint" { field.parse::<i64>().unwrap().into() } else { field.clone().into() };
                object.insert((*name).into(), value);
            }
        }
        writeln!(text, "{}", serde_json::Value::Object(object)).unwrap();
    }
    fs::write(path, text).unwrap();
}

/// Writes the table as a folder of Parquet files.
pub(crate) fn write_parquet(folder: &Path, table: &Table, files: usize) {
    fs::create_dir_all(folder).unwrap();
    for (number, rows) in table.rows.chunks(table.rows.len().div_ceil(files)).enumerate() {
        let batch = parquet_batch(table, rows);
        let file = fs::File::create(folder.join(format!("part-{number}.parquet"))).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
    }
}

fn parquet_batch(table: &Table, rows: &[Vec<Option<String>>]) -> RecordBatch {
    let mut fields = Vec::new();
    let mut arrays: Vec<ArrayRef> = Vec::new();
    for (at, (name, ty)) in table.columns.iter().enumerate() {
        let texts = rows.iter().map(|row| row[at].as_deref());
        let (data_type, array): (DataType, ArrayRef) = match *ty {
            "bigint" => {
                (DataType::Int64, Arc::new(texts.map(|t| t.map(|t| t.parse::<i64>().unwrap())).collect::<Int64Array>()))
            }
            "numeric(15,2)" => {
                let cents = texts.map(|t| t.map(|t| t.replace('.', "").parse::<i128>().unwrap()));
                let array = cents.collect::<Decimal128Array>().with_precision_and_scale(15, 2).unwrap();
                (DataType::Decimal128(15, 2), Arc::new(array))
            }
            "date" => {
                let days = texts.map(|t| t.map(|t| t.parse::<chrono::NaiveDate>().unwrap().to_epoch_days()));
                (DataType::Date32, Arc::new(days.collect::<Date32Array>()))
            }
            _ => (DataType::Utf8, Arc::new(texts.collect::<StringArray>())),
        };
        fields.push(Field::new(*name, data_type, true));
        arrays.push(array);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}
