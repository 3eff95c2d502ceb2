//! CSV and TSV: types over all values, and bad rows with their place.
//! Must not know: other formats.

use std::io::Write;

use tusk::error::SqlState;

use super::{Lake, rows, table};

#[tokio::test]
async fn types_hold_every_value() {
    let lake = Lake::new();
    let mut text = String::from("\u{feff}id,price,zip,day,at,flag,ratio,note\n");
    for n in 0..20_000 {
        text.push_str(&format!("{n},{n}.5,0123,2024-01-31,2024-01-31 10:00:00,true,1e-3,\"a,\"\"b\"\"\n c\"\n"));
    }
    // The last rows decide, however late they come.
    text.push_str("9223372036854775807,1.25,12345,,2024-01-31T10:00:00.25,,NaN,\n");
    lake.write("t.csv", text);
    assert_eq!(
        lake.columns("t").await,
        [
            "id bigint",
            "price numeric(18,2)",
            "zip text",
            "day date",
            "at timestamp without time zone",
            "flag boolean",
            "ratio double precision",
            "note text"
        ]
    );
    let found = lake.rows("select count(*), count(day), sum(price), max(id), min(zip) from t").await.unwrap();
    assert_eq!(found, ["20001|20000|200000001.25|9223372036854775807|0123"]);
    assert_eq!(lake.rows("select note from t where id = 7").await.unwrap(), ["a,\"b\"\n c"]);
    assert_eq!(lake.schema().await.tables[0].estimated_rows, Some(20_001));
}

#[tokio::test]
async fn null_and_empty_text_differ() {
    let lake = Lake::new();
    lake.write("t.csv", "a,b\n,\"\"\nx,y\n");
    let read = lake.rows("select a is null, b is null, b = '' from t").await.unwrap();
    assert_eq!(read, ["true|false|true", "false|false|false"]);
    lake.write("u.tsv", "a\tb\n1\tx,y\n");
    assert_eq!(lake.rows("select * from u").await.unwrap(), ["1|x,y"]);
}

#[tokio::test]
async fn bad_rows_name_their_place() {
    for (text, state, line) in [
        ("a,b\n1,2\n3\n", SqlState::BAD_COPY_FILE_FORMAT, "line 3"),
        ("a,b\n1,2\n3,4,5\n", SqlState::BAD_COPY_FILE_FORMAT, "line 3"),
        ("a,b\n1,2\n3,\"x\n", SqlState::BAD_COPY_FILE_FORMAT, "line 3"),
        ("a,b\n1,x\"y\n", SqlState::BAD_COPY_FILE_FORMAT, "line 2"),
        ("a,b\n1,x\ry\n", SqlState::BAD_COPY_FILE_FORMAT, "line 2"),
        ("a,b\n1,x\0\n", SqlState::CHARACTER_NOT_IN_REPERTOIRE, "line 2"),
        ("a,a\n1,2\n", SqlState::DUPLICATE_COLUMN, "line 1"),
    ] {
        let lake = Lake::new();
        lake.write("t.csv", text);
        let error = lake.broken("t").await;
        assert_eq!(error.state(), state, "{text:?}: {error}");
        let context = error.context().unwrap();
        assert!(context.contains(line) && context.contains("\"t.csv\""), "{text:?}: {context}");
    }
    let lake = Lake::new();
    lake.write("t.csv", b"a,b\n1,2\n3,caf\xe9\n");
    let error = lake.broken("t").await;
    assert_eq!(error.state(), SqlState::CHARACTER_NOT_IN_REPERTOIRE);
    assert!(error.context().unwrap().contains("line 3"));
    lake.write("t.csv", b"\xff\xfea\0,\0b\0\n\0");
    assert_eq!(lake.broken("t").await.state(), SqlState::CHARACTER_NOT_IN_REPERTOIRE);
}

#[tokio::test]
async fn values_of_declared_types_are_checked() {
    let declared = |skip: bool| {
        Lake::with_tables(|folder| {
            let mut t = table("t", &folder.join("in/t.csv"));
            t.schema = Some(vec![("n".to_owned(), "int".to_owned()), ("day".to_owned(), "date".to_owned())]);
            t.csv.skip_bad_rows = skip;
            vec![t]
        })
    };
    let text = "n,day\n1,2024-01-01\nx,2024-01-02\n3,2024-02-30\n4\n5,2024-01-05\n";
    let lake = declared(false);
    lake.write("in/t.csv", text.replace("4\n", ""));
    let error = lake.rows("select * from t").await.unwrap_err();
    assert_eq!(error.state(), SqlState::INVALID_TEXT_REPRESENTATION, "{}", error.chain());
    let context = error.context().unwrap();
    assert!(context.contains("line 3, column \"n\""), "{context}");
    // A column that is not read is not converted.
    assert_eq!(lake.rows("select count(*) from t").await.unwrap(), ["4"]);
    let lake = declared(true);
    lake.write("in/t.csv", text);
    assert_eq!(lake.rows("select n, day from t order by n").await.unwrap(), ["1|2024-01-01", "5|2024-01-05"]);
}

#[tokio::test]
async fn a_record_may_be_16_mib_long() {
    let lake = Lake::new();
    let mut text = String::from("a,b\n1,");
    text.push_str(&"x".repeat(17 * 1024 * 1024));
    lake.write("t.csv", &text);
    let error = lake.broken("t").await;
    assert_eq!(error.state(), SqlState::PROGRAM_LIMIT_EXCEEDED);
    assert!(error.context().unwrap().contains("line 2"));
}

#[tokio::test]
async fn compressed_text_streams() {
    let lake = Lake::new();
    let mut gzip = flate(b"n,s\n");
    for n in 0..50_000 {
        writeln!(gzip.0, "{n},row number {n}").unwrap();
    }
    lake.write("t.csv.gz", gzip.finish());
    assert_eq!(lake.rows("select count(*), sum(n) from t").await.unwrap(), ["50000|1249975000"]);
    assert_eq!(lake.rows("select n from t limit 3").await.unwrap().len(), 3);
    let whole = std::fs::read(lake.folder.path().join("t.csv.gz")).unwrap();
    lake.write("t.csv.gz", &whole[..whole.len() / 2]);
    let error = lake.broken("t").await;
    assert_eq!(error.state(), SqlState::DATA_CORRUPTED, "{}", error.chain());
}

/// A gzip stream of stored blocks: no encoder is needed to test the decoder.
struct Stored(Vec<u8>);

fn flate(start: &[u8]) -> Stored {
    Stored(start.to_vec())
}

impl Stored {
    fn finish(self) -> Vec<u8> {
        let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
        let chunks: Vec<&[u8]> = self.0.chunks(65_535).collect();
        for (at, chunk) in chunks.iter().enumerate() {
            out.push(u8::from(at + 1 == chunks.len()));
            out.extend((chunk.len() as u16).to_le_bytes());
            out.extend((!(chunk.len() as u16)).to_le_bytes());
            out.extend(*chunk);
        }
        let crc = self.0.iter().fold(!0_u32, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (0_u32.wrapping_sub(crc & 1))))
        });
        out.extend((!crc).to_le_bytes());
        out.extend((self.0.len() as u32).to_le_bytes());
        out
    }
}

#[tokio::test]
async fn one_large_file_is_read_in_parallel() {
    let lake = Lake::new();
    let mut text = String::from("n,s\n");
    for n in 0..300_000 {
        text.push_str(&format!("{n},\"row\nnumber {n}\"\n"));
    }
    lake.write("t.csv", text);
    let context = lake.open().await;
    let plan = rows(&context, "explain select sum(n) from t").await.unwrap().join("\n");
    assert!(plan.contains("FilesExec") && !plan.contains("RepartitionExec"), "{plan}");
    let sums = "select count(*), sum(n), count(distinct s) from t";
    assert_eq!(rows(&context, sums).await.unwrap(), ["300000|44999850000|300000"]);
    // The same plan gives the same rows when it is run again.
    let physical = context.sql("select n from t").await.unwrap().create_physical_plan().await.unwrap();
    for _ in 0..2 {
        let batches =
            datafusion::physical_plan::collect(std::sync::Arc::clone(&physical), context.task_ctx()).await.unwrap();
        assert_eq!(batches.iter().map(arrow::array::RecordBatch::num_rows).sum::<usize>(), 300_000);
    }
}

#[tokio::test]
async fn a_file_that_changes_is_noticed() {
    let lake = Lake::new();
    lake.write("t.csv", "a\n1\n");
    let context = lake.open().await;
    let plan = context.sql("select a from t").await.unwrap().create_physical_plan().await.unwrap();
    lake.write("t.csv", "a\n2\n3\n");
    let error = datafusion::physical_plan::collect(plan, context.task_ctx()).await.unwrap_err();
    assert_eq!(super::own(&error).state(), SqlState::SERIALIZATION_FAILURE);
    // A new statement reads the new version, if its columns are the same.
    assert_eq!(rows(&context, "select a from t order by a").await.unwrap(), ["2", "3"]);
    lake.write("t.csv", "a\nx\n");
    assert_eq!(rows(&context, "select a from t").await.unwrap_err().state(), SqlState::SERIALIZATION_FAILURE);
    assert_eq!(lake.rows("select a from t").await.unwrap(), ["x"]);
}
