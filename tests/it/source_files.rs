//! Sources of files through the library and DataFusion: what is a table, types, damage, pruning, changing files.
//! Must not know: the wire.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

mod csv;
mod json;
mod parquet;

use std::path::Path;
use std::sync::Arc;

use arrow::util::display::array_value_to_string;
use datafusion::error::DataFusionError;
use datafusion::prelude::{SessionConfig, SessionContext};
use tusk::config::{FileTableSettings, FilesSettings, Patterns};
use tusk::error::{Error, SqlState};
use tusk::source::files::FilesConnector;
use tusk::source::{Access, Connector, RemoteSchema};
use tusk::types::PgType;

/// A folder of files as a source.
pub(crate) struct Lake {
    pub(crate) folder: tempfile::TempDir,
    connector: FilesConnector,
}

impl Lake {
    pub(crate) fn new() -> Self {
        Lake::with_tables(|_| Vec::new())
    }

    pub(crate) fn with_tables(tables: impl FnOnce(&Path) -> Vec<FileTableSettings>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings =
            FilesSettings { path: Some(folder.path().to_string_lossy().into_owned()), tables: tables(folder.path()) };
        let connector = FilesConnector::new("lake", &settings, &Patterns::new(&["*".to_owned()]));
        Lake { folder, connector }
    }

    pub(crate) fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    pub(crate) async fn schema(&self) -> RemoteSchema {
        self.connector.introspect().await.unwrap()
    }

    /// A context with all tables that can be read.
    pub(crate) async fn open(&self) -> SessionContext {
        self.open_with(SessionConfig::new().with_target_partitions(4)).await
    }

    pub(crate) async fn open_with(&self, config: SessionConfig) -> SessionContext {
        let context = SessionContext::new_with_config(config);
        let Access::Files(reader) = self.connector.access() else { panic!("files are files") };
        for table in self.schema().await.tables {
            let provider = reader.provider(&table).unwrap();
            assert_eq!(provider.schema(), table.arrow_schema());
            context.register_table(format!("\"{}\"", table.name), provider).unwrap();
        }
        context
    }

    pub(crate) async fn rows(&self, sql: &str) -> Result<Vec<String>, Error> {
        rows(&self.open().await, sql).await
    }

    /// Columns as `name type`, of a table that can be read.
    pub(crate) async fn columns(&self, table: &str) -> Vec<String> {
        let schema = self.schema().await;
        let table = schema.tables.iter().find(|known| known.name == table);
        let table = table.unwrap_or_else(|| panic!("{:?}", schema.problems));
        table.columns.iter().map(|column| format!("{} {}", column.name, column.ty.display_name())).collect()
    }

    /// The error of a table that cannot be read.
    pub(crate) async fn broken(&self, table: &str) -> Error {
        let schema = self.schema().await;
        let found = schema.broken.iter().find(|(_, name, _)| name == table);
        found.unwrap_or_else(|| panic!("{table} is not broken")).2.clone()
    }
}

pub(crate) async fn rows(context: &SessionContext, sql: &str) -> Result<Vec<String>, Error> {
    let batches = match context.sql(sql).await {
        Ok(frame) => frame.collect().await,
        Err(error) => Err(error),
    };
    let mut rows = Vec::new();
    for batch in batches.map_err(|error| own(&error))? {
        for row in 0..batch.num_rows() {
            let values: Vec<String> =
                batch.columns().iter().map(|column| array_value_to_string(column, row).unwrap()).collect();
            rows.push(values.join("|"));
        }
    }
    Ok(rows)
}

/// The error of ours inside DataFusion's.
fn own(error: &DataFusionError) -> Error {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = next {
        if let Some(own) = cause.downcast_ref::<Error>() {
            return own.clone();
        }
        if let Some(DataFusionError::External(inner)) = cause.downcast_ref::<DataFusionError>()
            && let Some(own) = inner.downcast_ref::<Error>()
        {
            return own.clone();
        }
        if let Some(DataFusionError::Shared(inner)) = cause.downcast_ref::<DataFusionError>() {
            return own(inner);
        }
        next = cause.source();
    }
    panic!("not an error of ours: {error:?}");
}

pub(crate) fn table(name: &str, path: &Path) -> FileTableSettings {
    FileTableSettings {
        name: name.to_owned(),
        path: path.to_string_lossy().into_owned(),
        format: None,
        csv: tusk::config::CsvSettings::default(),
        schema: None,
    }
}

#[tokio::test]
async fn files_and_folders_are_tables() {
    let lake = Lake::new();
    lake.write("Rates.csv", "a\n1\n");
    lake.write("notes.txt", "no table");
    lake.write(".hidden.csv", "a\n1\n");
    lake.write("parts/one.csv", "a,b\n1,x\n");
    lake.write("parts/deep/two.csv", "b,a\ny,2\n");
    lake.write("parts/_temporary/three.csv", "a\n9\n");
    lake.write("mixed/one.csv", "a\n1\n");
    lake.write("mixed/two.ndjson", "{\"a\":1}\n");
    lake.write("twice.csv", "a\n1\n");
    lake.write("twice.json", "[{\"a\":1}]");
    let schema = lake.schema().await;
    let names: Vec<&str> = schema.tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(names, ["Rates", "parts"]);
    assert!(lake.broken("mixed").await.message().contains("more than one format"));
    assert!(lake.broken("twice").await.message().contains("several files"));
    // Columns of one table are matched by name.
    assert_eq!(lake.rows("select a, b from parts order by a").await.unwrap(), ["1|x", "2|y"]);
    // A new file is seen by the next introspection.
    lake.write("parts/three.csv", "a,c\n3,true\n");
    assert_eq!(lake.columns("parts").await, ["b text", "a bigint", "c boolean"]);
    assert_eq!(lake.rows("select a, b, c from parts order by a").await.unwrap(), ["1|x|", "2|y|", "3||true"]);
}

#[tokio::test]
async fn links_and_pipes_are_not_followed() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret.csv"), "a\n1\n").unwrap();
    let lake = Lake::new();
    lake.write("real.csv", "a\n1\n");
    let at = |name: &str| lake.folder.path().join(name);
    std::os::unix::fs::symlink(outside.path().join("secret.csv"), at("leak.csv")).unwrap();
    std::os::unix::fs::symlink(outside.path(), at("folder")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", at("zero.csv")).unwrap();
    std::os::unix::fs::symlink(at("loop.csv"), at("loop.csv")).unwrap();
    std::os::unix::fs::symlink(at("real.csv"), at("alias.csv")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(at("pipe.csv")).status().unwrap().success());
    let begun = std::time::Instant::now();
    let schema = lake.schema().await;
    assert!(begun.elapsed() < std::time::Duration::from_secs(2));
    let names: Vec<&str> = schema.tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(names, ["alias", "real"]);
    for refused in ["leak.csv", "folder", "zero.csv", "loop.csv", "pipe.csv"] {
        assert!(schema.problems.iter().any(|problem| problem.contains(refused)), "{refused}: {:?}", schema.problems);
    }
}

#[tokio::test]
async fn a_file_that_becomes_a_link_is_not_opened() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret.csv"), "a\n42\n").unwrap();
    let lake = Lake::new();
    lake.write("real.csv", "a\n1\n");
    let context = lake.open().await;
    let path = lake.folder.path().join("real.csv");
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret.csv"), &path).unwrap();
    assert_eq!(rows(&context, "select * from real").await.unwrap_err().state(), SqlState::IO_ERROR);
    std::fs::remove_file(&path).unwrap();
    let error = rows(&context, "select * from real").await.unwrap_err();
    assert_eq!(error.state(), SqlState::UNDEFINED_FILE);
    assert!(!error.message().contains(&*lake.folder.path().to_string_lossy()), "{error}");
}

#[tokio::test]
async fn hive_folders_are_columns() {
    let lake = Lake::new();
    lake.write("sales/year=2023/city=New%20York/a.csv", "n\n1\n");
    lake.write("sales/year=2024/city=__HIVE_DEFAULT_PARTITION__/a.csv", "n\n2\n");
    lake.write("sales/year=2024/city=Bern/a.csv", "n\n3\n4\n");
    assert_eq!(lake.columns("sales").await, ["n bigint", "year bigint", "city text"]);
    let all = lake.rows("select n, year, city from sales order by n").await.unwrap();
    assert_eq!(all, ["1|2023|New York", "2|2024|", "3|2024|Bern", "4|2024|Bern"]);
    let context = lake.open().await;
    let plan = rows(&context, "explain select n from sales where year = 2023").await.unwrap().join("\n");
    assert!(plan.contains("files=1"), "{plan}");
    assert_eq!(rows(&context, "select n from sales where city is null").await.unwrap(), ["2"]);
    assert_eq!(rows(&context, "select count(*) from sales where year > 2024").await.unwrap(), ["0"]);
    lake.write("sales/year=2025/extra.csv", "n\n9\n");
    assert_eq!(lake.broken("sales").await.state(), SqlState::DATATYPE_MISMATCH);
}

#[tokio::test]
async fn the_config_names_tables() {
    let lake = Lake::with_tables(|folder| {
        let mut odd = table("odd", &folder.join("in/rates_*.txt"));
        odd.format = Some(tusk::config::FileFormat::Csv);
        odd.csv.delimiter = Some(b';');
        odd.csv.null = Some("NA".to_owned());
        odd.schema = Some(vec![
            ("day".to_owned(), "date".to_owned()),
            ("currency".to_owned(), "text".to_owned()),
            ("rate".to_owned(), "numeric(18,6)".to_owned()),
        ]);
        let mut plain = table("plain", &folder.join("in/plain.csv"));
        plain.csv.header = false;
        vec![odd, plain, table("gone", &folder.join("none/*.csv"))]
    });
    lake.write("in/rates_1.txt", "d;c;r\n2024-01-01;EUR;1\n2024-01-02;;NA\n");
    lake.write("in/rates_2.txt", "d;c;r\n2024-01-03;USD;1.5\n");
    lake.write("in/plain.csv", "1,x\n2,y\n");
    assert_eq!(lake.columns("odd").await, ["day date", "currency text", "rate numeric(18,6)"]);
    assert_eq!(
        lake.rows("select * from odd order by day").await.unwrap(),
        ["2024-01-01|EUR|1.000000", "2024-01-02||", "2024-01-03|USD|1.500000"]
    );
    assert_eq!(lake.columns("plain").await, ["column1 bigint", "column2 text"]);
    assert_eq!(lake.broken("gone").await.state(), SqlState::UNDEFINED_FILE);
    let schema = lake.schema().await;
    assert_eq!(schema.tables.iter().find(|table| table.name == "odd").unwrap().columns[0].ty, PgType::DATE);
}

#[tokio::test]
async fn a_missing_root_is_an_error() {
    let settings = FilesSettings { path: Some("/nonexistent/tusk".to_owned()), tables: Vec::new() };
    let connector: Arc<dyn Connector> = Arc::new(FilesConnector::new("lake", &settings, &Patterns::default()));
    assert_eq!(connector.introspect().await.unwrap_err().state(), SqlState::UNDEFINED_FILE);
    assert_eq!(connector.ping().await.unwrap_err().state(), SqlState::CONNECT_FAILED);
}
