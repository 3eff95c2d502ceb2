//! The two servers that clients are run against: Tusk over a PostgreSQL and files, and a PostgreSQL database with the same tables.
//! Must not know: the clients.

use tempfile::TempDir;

use crate::harness::daemon::{Daemon, Setup, repository, verifier};
use crate::harness::data;
use crate::harness::postgres::{Options, TestPostgres};

const USER: &str = "ana";
const PASSWORD: &str = "pass word";
const DATABASE: &str = "tusk";

/// Both, and a database each for the foreign tables of postgres_fdw.
pub(super) struct Servers {
    postgres: TestPostgres,
    tusk: Daemon,
    _files: TempDir,
}

/// Where a program is to connect.
pub(super) struct Target {
    port: u16,
    link: String,
    /// Tells whether another session runs a statement with `{mark}` in it.
    running: &'static str,
}

impl Target {
    /// The variables that programs read.
    pub(super) fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("PGHOST", "127.0.0.1".into()),
            ("PGPORT", self.port.to_string()),
            ("PGUSER", USER.into()),
            ("PGPASSWORD", PASSWORD.into()),
            ("PGDATABASE", DATABASE.into()),
            ("LINK_URL", self.link.clone()),
            ("STEP_RUNNING", self.running.into()),
        ]
    }
}

impl Servers {
    /// Starts them. Schemas: `shop` (PostgreSQL) and `lake` (CSV and Parquet). `ana` may read everything and write `shop.inbox`.
    pub(super) async fn start() -> Self {
        let postgres = TestPostgres::start_with(&Options {
            // A statement that is compiled does not see a request to cancel for so long that programs would often meet that time.
            conf: vec!["timezone = 'UTC'".into(), "jit = off".into()],
            hba: "local all all trust\nhost all postgres all trust\nhost all all all scram-sha-256\n".into(),
            ..Options::default()
        });
        let files = tempfile::tempdir().unwrap();
        let lake = files.path().join("lake");
        let (rates, lineitem) = (data::texts(1).remove(0), data::lineitem(1500, 6000));
        data::write_parquet(&lake.join("lineitem"), &lineitem, 2);
        data::write_csv(&lake.join("rates.csv"), &rates);
        let script = std::fs::read_to_string(repository("tests/clients/data.sql")).unwrap();
        postgres.exec(&script).await;
        for database in [DATABASE, "link_tusk", "link_postgres"] {
            postgres.exec(&format!("create database {database}")).await;
        }
        for database in ["link_tusk", "link_postgres"] {
            postgres.connect_to(database).await.batch_execute("create extension postgres_fdw").await.unwrap();
        }
        postgres.exec(&format!("create role {USER} login password '{PASSWORD}'")).await;
        let oracle = postgres.connect_to(DATABASE).await;
        oracle.batch_execute("drop schema public; create schema shop; set search_path = shop").await.unwrap();
        oracle.batch_execute(&script).await.unwrap();
        data::load_postgres(&oracle, "lake", &[rates, lineitem]).await;
        // What Tusk says of all tables: they are its own.
        oracle
            .batch_execute(&format!(
                "create role tusk; alter schema shop owner to tusk; alter schema lake owner to tusk; {}
                 grant usage on schema shop, lake to {USER}; grant select on all tables in schema shop, lake to {USER}; \
                 grant insert on shop.inbox to {USER}; alter database {DATABASE} set search_path = \"$user\", shop, lake",
                ["shop.customer", "shop.orders", "shop.kinds", "shop.inbox", "shop.open_orders", "lake.rates", "lake.lineitem"]
                    .map(|table| format!("alter table {table} owner to tusk;"))
                    .concat()
            ))
            .await
            .unwrap();
        // To Tusk every source is a foreign server.
        for (source, kind) in [("shop", "postgres"), ("lake", "files")] {
            let server = format!(
                "create foreign data wrapper {kind}; create server {source} type '{kind}' foreign data wrapper {kind}; \
                 alter server {source} owner to tusk"
            );
            oracle.batch_execute(&server).await.unwrap();
        }
        let tusk = Daemon::start(&Setup { config: config(&postgres, &lake), ..Setup::default() });
        Servers { postgres, tusk, _files: files }
    }

    /// Tusk.
    pub(super) fn tusk(&self) -> Target {
        let running = "select count(*) > 0 from tusk.queries where state = 'running' and session_id <> pg_backend_pid() \
                       and query like '%{mark} %'";
        Target { port: self.tusk.port(), link: self.link("link_tusk"), running }
    }

    /// PostgreSQL.
    pub(super) fn oracle(&self) -> Target {
        let running = "select count(*) > 0 from pg_stat_activity where state = 'active' and pid <> pg_backend_pid() \
                       and query like '%{mark} %'";
        Target { port: self.postgres.port(), link: self.link("link_postgres"), running }
    }

    fn link(&self, database: &str) -> String {
        format!("postgresql://postgres@127.0.0.1:{}/{database}", self.postgres.port())
    }
}

fn config(postgres: &TestPostgres, lake: &std::path::Path) -> String {
    format!(
        r#"
[[source]]
name = "shop"
type = "postgres"
url = "postgres://postgres@127.0.0.1:{port}/postgres?sslmode=disable"
writable = true

[[source]]
name = "lake"
type = "files"
path = "{lake}"

[[role]]
name = "reader"
[[role.grant]]
tables = ["*.*"]
privileges = ["select"]
[[role.grant]]
tables = ["shop.inbox"]
privileges = ["insert"]

[[user]]
name = "{USER}"
roles = ["reader"]
password = "{verifier}"
"#,
        port = postgres.port(),
        lake = lake.display(),
        verifier = verifier(PASSWORD),
    )
}
