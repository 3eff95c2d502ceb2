//! A Tusk over one source of each kind, and a PostgreSQL that holds all of the same tables: the oracle.
//! Must not know: what is asked.

use tempfile::TempDir;
use tokio_postgres::Client;

use super::daemon::{Daemon, Setup};
use super::data;
use super::postgres::TestPostgres;

/// Everything that runs for a federated test.
pub(crate) struct Federation {
    /// The live source, and the oracle beside it in another database.
    pub(crate) postgres: TestPostgres,
    /// The daemon.
    pub(crate) tusk: Daemon,
    /// The files of the other sources.
    pub(crate) files: TempDir,
}

/// Config: `ana` may read everything.
pub(crate) const READER: &str = r#"
[[role]]
name = "reader"
[[role.grant]]
tables = ["*.*"]
privileges = ["select"]

[[user]]
name = "ana"
roles = ["reader"]
"#;

/// Customers, orders and lines of orders of the small set.
const SIZES: (u64, u64, u64) = (300, 1500, 6000);

impl Federation {
    /// Schemas: `shop` (PostgreSQL), `lake` (Parquet, CSV, ndjson), `crm` (SQLite). User `ana` may read everything; `bob` the orders
    /// without their price, and the rates; `root` is an administrator who may read everything.
    pub(crate) async fn start() -> Self {
        Self::start_with("", "").await
    }

    /// The same, with more of a config: for the source `shop`, and at the end.
    pub(crate) async fn start_with(shop: &str, rest: &str) -> Self {
        let postgres = TestPostgres::start();
        let files = tempfile::tempdir().unwrap();
        let (customers, orders, lines) = SIZES;
        let (live, geography) = (data::shop(customers, orders), data::geography());
        let (lineitem, texts) = (data::lineitem(orders, lines), data::texts(customers));
        let lake = files.path().join("lake");
        data::write_parquet(&lake.join("lineitem"), &lineitem, 3);
        data::write_csv(&lake.join("rates.csv"), &texts[0]);
        data::write_ndjson(&lake.join("events.ndjson"), &texts[1]);
        data::write_sqlite(&files.path().join("crm.db"), &geography);

        postgres.exec("create database oracle").await;
        data::load_postgres(&postgres.connect().await, "public", &live).await;
        let oracle = postgres.connect_to("oracle").await;
        data::load_postgres(&oracle, "shop", &live).await;
        data::load_postgres(&oracle, "crm", &geography).await;
        data::load_postgres(&oracle, "lake", &texts).await;
        data::load_postgres(&oracle, "lake", &[lineitem]).await;

        let config = format!(
            r#"
[[source]]
name = "shop"
type = "postgres"
url = "postgres://postgres@127.0.0.1:{port}/postgres?sslmode=disable"
{shop}

[[source]]
name = "lake"
type = "files"
path = "{lake}"

[[source]]
name = "crm"
type = "sqlite"
path = "{crm}"

{READER}
[[role]]
name = "narrow"
[[role.grant]]
tables = ["shop.orders"]
privileges = ["select"]
columns = ["o_orderkey", "o_custkey", "o_orderdate"]
[[role.grant]]
tables = ["lake.rates"]
privileges = ["select"]

[[role]]
name = "administrator"
admin = true
[[role.grant]]
tables = ["*.*"]
privileges = ["select"]

[[user]]
name = "bob"
roles = ["narrow"]
[[user]]
name = "root"
roles = ["administrator"]
{rest}
"#,
            port = postgres.port(),
            lake = lake.display(),
            crm = files.path().join("crm.db").display(),
        );
        let tusk = Daemon::start(&Setup::trusting(config));
        Federation { postgres, tusk, files }
    }

    /// A connection to the oracle.
    pub(crate) async fn oracle(&self) -> Client {
        self.postgres.connect_to("oracle").await
    }
}

/// A Tusk over one PostgreSQL, mounted as `shop`: `ana` may read everything, `root` is an administrator too.
pub(crate) fn over(postgres: &TestPostgres, source: &str, rest: &str) -> Daemon {
    let config = format!(
        r#"
{rest}
[[source]]
name = "shop"
type = "postgres"
url = "postgres://postgres@127.0.0.1:{}/postgres?sslmode=disable"
{source}

{READER}
[[role]]
name = "administrator"
admin = true


[[user]]
name = "root"
roles = ["reader", "administrator"]
"#,
        postgres.port()
    );
    Daemon::start(&Setup::trusting(config))
}
