//! Parquet and Arrow files: types, pruning, damage, files that change.
//! Must not know: other formats.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, Date32Array, Decimal128Array, DictionaryArray, FixedSizeBinaryArray, Float64Array,
    Int8Array, Int32Array, Int64Array, ListArray, StringArray, StructArray, TimestampNanosecondArray, UInt64Array,
};
use arrow::datatypes::{DataType, Field, Int8Type, Int32Type, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::file::properties::{EnabledStatistics, WriterProperties};
use tusk::error::SqlState;

use super::{Lake, rows};

fn write(path: &Path, columns: Vec<(&str, ArrayRef)>, group: usize) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let batch =
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap();
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(group))
        .set_data_page_row_count_limit(group.div_ceil(4))
        .set_write_batch_size(64)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_bloom_filter_enabled(true)
        .build();
    let file = std::fs::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn numbers(from: i64, to: i64) -> Vec<(&'static str, ArrayRef)> {
    vec![
        ("n", Arc::new(Int64Array::from_iter_values(from..to)) as ArrayRef),
        ("s", Arc::new(StringArray::from_iter_values((from..to).map(|n| format!("row {n:08}"))))),
    ]
}

#[tokio::test]
async fn arrow_types_become_postgresql_types() {
    let lake = Lake::new();
    let dictionary: DictionaryArray<Int32Type> = vec![Some("a"), None].into_iter().collect();
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![Some(1), None]), None]);
    let record = StructArray::from(vec![(
        Arc::new(Field::new("k", DataType::Int32, true)),
        Arc::new(Int32Array::from(vec![Some(1), None])) as ArrayRef,
    )]);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("tiny", Arc::new(Int8Array::from(vec![Some(-1), None]))),
        ("huge", Arc::new(UInt64Array::from(vec![u64::MAX, 0]))),
        ("money", Arc::new(Decimal128Array::from(vec![1250, -1]).with_precision_and_scale(15, 2).unwrap())),
        ("day", Arc::new(Date32Array::from(vec![0, 1]))),
        ("at", Arc::new(TimestampNanosecondArray::from(vec![1_500_000_000_000_001_000, 0]).with_timezone("UTC"))),
        ("word", Arc::new(dictionary)),
        ("bytes", Arc::new(BinaryArray::from_vec(vec![b"\x00\xff", b""]))),
        ("id", Arc::new(FixedSizeBinaryArray::try_from_iter(vec![[7_u8; 4], [8; 4]].into_iter()).unwrap())),
        ("list", Arc::new(list)),
        ("record", Arc::new(record)),
        ("f", Arc::new(Float64Array::from(vec![f64::NAN, 1.5]))),
    ];
    write(&lake.folder.path().join("t.parquet"), columns, 100);
    assert_eq!(
        lake.columns("t").await,
        [
            "tiny smallint",
            "huge numeric(20,0)",
            "money numeric(15,2)",
            "day date",
            "at timestamp with time zone",
            "word text",
            "bytes bytea",
            "id bytea",
            "list integer[]",
            "record json",
            "f double precision"
        ]
    );
    let read = lake.rows("select tiny, huge, money, day, at, word, bytes, list, record, f from t").await.unwrap();
    assert_eq!(
        read,
        [
            "-1|18446744073709551615|12.50|1970-01-01|2017-07-14T02:40:00.000001Z|a|00ff|{1,NULL}|{\"k\":1}|NaN",
            "|0|-0.01|1970-01-02|1970-01-01T00:00:00Z||||{\"k\":null}|1.5"
        ]
    );
    // NaN is the largest float: no statistics may hide it.
    assert_eq!(lake.rows("select count(*) from t where f > 1000").await.unwrap(), ["1"]);
}

#[tokio::test]
async fn nanoseconds_are_refused_not_rounded() {
    let lake = Lake::new();
    write(
        &lake.folder.path().join("t.parquet"),
        vec![("at", Arc::new(TimestampNanosecondArray::from(vec![1001])))],
        10,
    );
    let error = lake.rows("select at from t").await.unwrap_err();
    assert_eq!(error.state(), SqlState::DATETIME_FIELD_OVERFLOW);
    assert_eq!(lake.rows("select count(*) from t").await.unwrap(), ["1"]);
}

#[tokio::test]
async fn files_of_a_folder_are_merged_by_name() {
    let lake = Lake::new();
    let at = |name: &str| lake.folder.path().join("t").join(name);
    write(
        &at("a.parquet"),
        vec![("n", Arc::new(Int32Array::from(vec![1]))), ("x", Arc::new(StringArray::from(vec!["a"])))],
        10,
    );
    write(
        &at("b.parquet"),
        vec![("y", Arc::new(Int64Array::from(vec![7]))), ("n", Arc::new(Int64Array::from(vec![1 << 40])))],
        10,
    );
    assert_eq!(lake.columns("t").await, ["n bigint", "x text", "y bigint"]);
    assert_eq!(lake.rows("select n, x, y from t order by n").await.unwrap(), ["1|a|", "1099511627776||7"]);
    assert_eq!(lake.rows("select n from t where x = 'a'").await.unwrap(), ["1"]);
    write(&at("c.parquet"), vec![("n", Arc::new(StringArray::from(vec!["no number"])))], 10);
    let error = lake.broken("t").await;
    assert_eq!(error.state(), SqlState::DATATYPE_MISMATCH);
    assert!(error.message().contains("\"n\""));
}

#[tokio::test]
async fn names_that_no_column_can_have() {
    let lake = Lake::new();
    let one = || Arc::new(Int64Array::from(vec![1])) as ArrayRef;
    write(&lake.folder.path().join("twice.parquet"), vec![("a", one()), ("a", one())], 10);
    assert_eq!(lake.broken("twice").await.state(), SqlState::DUPLICATE_COLUMN);
    write(&lake.folder.path().join("empty.parquet"), vec![("", one())], 10);
    assert_eq!(lake.broken("empty").await.state(), SqlState::INVALID_NAME);
}

/// Metrics of the scan in EXPLAIN ANALYZE: name to value.
fn metrics(plan: &str) -> HashMap<String, String> {
    let line = plan.lines().find(|line| line.contains("DataSourceExec")).unwrap();
    let inside = &line[line.find("metrics=[").unwrap() + 9..];
    inside
        .trim_end_matches([']', '|'])
        .split(", ")
        .filter_map(|part| part.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[tokio::test]
async fn filters_skip_row_groups_and_pages() {
    let lake = Lake::new();
    write(&lake.folder.path().join("t.parquet"), numbers(0, 40_000), 10_000);
    let context = lake.open().await;
    let run = async |sql: &str| metrics(&rows(&context, &format!("explain analyze {sql}")).await.unwrap().join("\n"));
    let found = run("select s from t where n between 12500 and 12510").await;
    assert!(found["row_groups_pruned_statistics"].starts_with("4 total → 1 matched"), "{found:?}");
    assert!(found["page_index_rows_pruned"].contains("10.00 K total → 2.5"), "{found:?}");
    // Every third number is absent; only the bloom filter can tell.
    let odd: Vec<(&str, ArrayRef)> = vec![("k", Arc::new(Int64Array::from_iter_values((0..9_000).map(|n| n * 3))))];
    write(&lake.folder.path().join("odd.parquet"), odd, 3_000);
    let context = lake.open().await;
    let plan = rows(&context, "explain analyze select k from odd where k = 3001").await.unwrap().join("\n");
    assert!(metrics(&plan)["row_groups_pruned_bloom_filter"].starts_with("1 total → 0 matched"), "{plan}");
    // Columns that are not asked for are not read.
    let narrow = run_bytes(&lake, "select n from t").await;
    let wide = run_bytes(&lake, "select n, s from t").await;
    assert!(narrow * 2 < wide, "{narrow} {wide}");
    assert_eq!(lake.rows("select n from t limit 5").await.unwrap().len(), 5);
    assert_eq!(lake.rows("select count(*) from t").await.unwrap(), ["40000"]);
}

async fn run_bytes(lake: &Lake, sql: &str) -> usize {
    use datafusion::physical_plan::{ExecutionPlan, collect};
    let context = lake.open().await;
    let plan = context.sql(sql).await.unwrap().create_physical_plan().await.unwrap();
    collect(Arc::clone(&plan), context.task_ctx()).await.unwrap();
    fn find(plan: &Arc<dyn ExecutionPlan>) -> usize {
        let own = plan.metrics().and_then(|m| m.sum_by_name("bytes_scanned")).map_or(0, |m| m.as_usize());
        own + plan.children().into_iter().map(find).sum::<usize>()
    }
    find(&plan)
}

#[tokio::test]
async fn truncated_files_are_xx001() {
    let lake = Lake::new();
    let path = lake.folder.path().join("t.parquet");
    write(&path, numbers(0, 5_000), 1_000);
    let whole = std::fs::read(&path).unwrap();
    for length in [0, 4, 8, 100, whole.len() / 2, whole.len() - 8, whole.len() - 1] {
        lake.write("t.parquet", &whole[..length]);
        let error = lake.broken("t").await;
        assert_eq!(error.state(), SqlState::DATA_CORRUPTED, "cut to {length}: {}", error.chain());
        assert!(error.message().contains("t.parquet"), "{error}");
    }
    // A footer that is whole over data that are not: zeros where the first row group was.
    let mut holed = whole.clone();
    holed[4..2_000].fill(0);
    lake.write("t.parquet", &holed);
    let error = lake.rows("select sum(n), max(s) from t").await.unwrap_err();
    assert_eq!(error.state(), SqlState::DATA_CORRUPTED, "{}", error.chain());
    assert!(error.message().contains("t.parquet"), "{error}");
}

#[tokio::test]
async fn flipped_bits_are_errors_or_rows_never_panics() {
    let lake = Lake::new();
    let path = lake.folder.path().join("t.parquet");
    write(&path, numbers(0, 500), 100);
    let whole = std::fs::read(&path).unwrap();
    let mut seed = 42_u64;
    for _ in 0..300 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = (seed >> 33) as usize % whole.len();
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (seed >> 61);
        lake.write("t.parquet", &flipped);
        let schema = lake.schema().await;
        match schema.broken.first() {
            Some((_, _, error)) => assert_eq!(error.state(), SqlState::DATA_CORRUPTED, "{at}: {}", error.chain()),
            None => {
                if let Err(error) = lake.rows("select * from t where n >= 0").await {
                    let known = [SqlState::DATA_CORRUPTED, SqlState::UNDEFINED_COLUMN, SqlState::SERIALIZATION_FAILURE];
                    assert!(known.contains(&error.state()), "{at}: {}", error.chain());
                }
            }
        }
    }
}

#[tokio::test]
async fn a_replaced_file_is_one_version_or_40001() {
    let lake = Lake::new();
    let path = lake.folder.path().join("t.parquet");
    write(&path, numbers(0, 10_000), 1_000);
    let context = lake.open().await;
    let plan = context.sql("select n from t").await.unwrap().create_physical_plan().await.unwrap();
    write(&path, numbers(0, 20), 1_000);
    let error = datafusion::physical_plan::collect(plan, context.task_ctx()).await.unwrap_err();
    assert_eq!(super::own(&error).state(), SqlState::SERIALIZATION_FAILURE);
    assert_eq!(rows(&context, "select count(*) from t").await.unwrap(), ["20"]);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(rows(&context, "select n from t").await.unwrap_err().state(), SqlState::UNDEFINED_FILE);
}

#[tokio::test]
async fn hive_partitions_of_parquet() {
    let lake = Lake::new();
    for (day, from) in [("2024-01-01", 0), ("2024-01-02", 100), ("__HIVE_DEFAULT_PARTITION__", 200)] {
        write(&lake.folder.path().join(format!("t/day={day}/a.parquet")), numbers(from, from + 100), 50);
    }
    assert_eq!(lake.columns("t").await, ["n bigint", "s text", "day date"]);
    let counts = "select day, count(*), min(n) from t group by day order by day";
    assert_eq!(lake.rows(counts).await.unwrap(), ["2024-01-01|100|0", "2024-01-02|100|100", "|100|200"]);
    let context = lake.open().await;
    let one = "select min(n) from t where day = date '2024-01-02'";
    assert_eq!(rows(&context, one).await.unwrap(), ["100"]);
    let plan = rows(&context, &format!("explain {one}")).await.unwrap().join("\n");
    assert!(plan.contains("day=2024-01-02") && !plan.contains("day=2024-01-01"), "{plan}");
}

#[tokio::test]
async fn arrow_files_and_streams() {
    let lake = Lake::new();
    let batch = RecordBatch::try_from_iter(numbers(0, 10)).unwrap();
    let mut bytes = Vec::new();
    let mut writer = arrow::ipc::writer::FileWriter::try_new(&mut bytes, &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    lake.write("a/p=1/f.arrow", &bytes);
    let mut stream = Vec::new();
    let mut writer = arrow::ipc::writer::StreamWriter::try_new(&mut stream, &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    lake.write("b.ipc", &stream);
    assert_eq!(lake.rows("select count(*), sum(n), max(p) from a").await.unwrap(), ["10|45|1"]);
    assert_eq!(lake.rows("select max(s) from b").await.unwrap(), ["row 00000009"]);
    lake.write("b.ipc", &stream[..20]);
    assert_eq!(lake.broken("b").await.state(), SqlState::DATA_CORRUPTED);
    lake.write("c.arrow", &bytes[..bytes.len() / 2]);
    assert_eq!(lake.broken("c").await.state(), SqlState::DATA_CORRUPTED);
    // Types in the metadata of a file are not believed.
    let claimed =
        Field::new("n", DataType::Int8, true).with_metadata(HashMap::from([("pg.oid".to_owned(), "16".to_owned())]));
    let odd = RecordBatch::try_new(
        Arc::new(Schema::new(vec![claimed])),
        vec![Arc::new(arrow::array::PrimitiveArray::<Int8Type>::from(vec![1]))],
    )
    .unwrap();
    let mut bytes = Vec::new();
    let mut writer = arrow::ipc::writer::FileWriter::try_new(&mut bytes, &odd.schema()).unwrap();
    writer.write(&odd).unwrap();
    writer.finish().unwrap();
    drop(writer);
    lake.write("d.arrow", &bytes);
    assert_eq!(lake.columns("d").await, ["n smallint"]);
}
