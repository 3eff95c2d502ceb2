//! Positions as a PostgreSQL 15 gives them, over rows that come in small batches.
//! Must not know: engines.

use arrow::array::{Int32Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use async_trait::async_trait;
use futures::stream;
use tokio_util::sync::CancellationToken;

use super::*;

/// Keeps so many batches.
struct Few(Vec<RecordBatch>, usize);

#[async_trait]
impl RowStore for Few {
    async fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        if self.0.len() >= self.1 {
            return Err(Error::resource(SqlState::OUT_OF_MEMORY, "full"));
        }
        self.0.push(batch.clone());
        Ok(())
    }

    async fn at(&mut self, row: u64) -> Result<(RecordBatch, u64)> {
        let mut first = 0;
        for batch in &self.0 {
            let next = first + batch.num_rows() as u64;
            if row < next {
                return Ok((batch.clone(), first));
            }
            first = next;
        }
        Err(Error::internal("not kept"))
    }

    fn allow_file(&mut self) {
        self.1 = usize::MAX;
    }
}

fn bounds(max_rows: Option<u64>) -> Bounds {
    Bounds { max_rows, ..Bounds::cancelled_by(CancellationToken::new()) }
}

/// Rows 1 to 7 in batches of one, two and four.
fn cursor(store: Option<usize>, max_rows: Option<u64>) -> Cursor {
    let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int32, false)]));
    let batch = |range: std::ops::Range<i32>| {
        let column = Arc::new(Int32Array::from_iter_values(range));
        Ok(RecordBatch::try_new(Arc::clone(&schema), vec![column]).unwrap())
    };
    let batches = vec![batch(1..2), batch(2..4), batch(4..4), batch(4..8)];
    let rows = Rows { shape: Arc::new(RowShape::of_schema(&schema)), batches: Box::pin(stream::iter(batches)) };
    let store = store.map(|batches| Box::new(Few(Vec::new(), batches)) as Box<dyn RowStore>);
    Cursor::new(Scroll::new(rows, bounds(max_rows), store))
}

async fn fetch(cursor: &Cursor, direction: Direction) -> std::result::Result<Vec<i32>, String> {
    let message = |error: Error| error.message().to_owned();
    let mut rows = cursor.fetch("c", direction, bounds(None)).map_err(message)?.batches;
    let mut values = Vec::new();
    while let Some(batch) = rows.next().await {
        let batch = batch.map_err(message)?;
        values.extend(batch.column(0).as_any().downcast_ref::<Int32Array>().unwrap().values().iter());
    }
    Ok(values)
}

use Direction::{Absolute, Backward, Forward, Relative};

const EVERY: i64 = i64::MAX;

#[tokio::test]
async fn it_scrolls_as_postgresql_does() {
    let c = cursor(Some(10), None);
    for (direction, rows) in [
        (Forward(0), vec![]),
        (Backward(1), vec![]),
        (Forward(2), vec![1, 2]),
        (Forward(0), vec![2]),
        (Forward(3), vec![3, 4, 5]),
        (Backward(2), vec![4, 3]),
        (Relative(2), vec![5]),
        (Relative(-3), vec![2]),
        (Absolute(7), vec![7]),
        (Forward(1), vec![]),
        (Forward(1), vec![]),
        (Forward(0), vec![]),
        (Backward(EVERY), vec![7, 6, 5, 4, 3, 2, 1]),
        (Backward(1), vec![]),
        (Absolute(-2), vec![6]),
        (Absolute(0), vec![]),
        (Forward(-1), vec![]),
        (Backward(-2), vec![1, 2]),
        (Absolute(99), vec![]),
        (Absolute(-1), vec![7]),
        (Absolute(-99), vec![]),
        (Forward(EVERY), vec![1, 2, 3, 4, 5, 6, 7]),
        (Relative(0), vec![]),
        (Absolute(1), vec![1]),
    ] {
        assert_eq!(fetch(&c, direction).await.unwrap(), rows, "{direction:?}");
    }
    for (direction, passed) in [
        (Forward(0), 1),
        (Forward(3), 3),
        (Backward(EVERY), 3),
        (Forward(0), 0),
        (Forward(EVERY), 7),
        (Backward(EVERY), 7),
        (Absolute(5), 1),
        (Absolute(50), 0),
        (Relative(-1), 1),
    ] {
        assert_eq!(c.advance("c", direction).await.unwrap(), passed, "{direction:?}");
    }
    assert_eq!(fetch(&c, Forward(0)).await.unwrap(), [7]);
}

#[tokio::test]
async fn without_a_history_it_goes_forward_only() {
    let forward_only = Err("cursor can only scan forward".to_owned());
    for direction in [Backward(1), Backward(0), Forward(0), Absolute(1), Absolute(-1), Relative(-1), Absolute(0)] {
        let c = cursor(None, None);
        assert_eq!(fetch(&c, Forward(2)).await.unwrap(), [1, 2]);
        assert_eq!(fetch(&c, Absolute(4)).await.unwrap(), [4]);
        assert_eq!(fetch(&c, direction).await, forward_only, "{direction:?}");
        // A cursor that failed cannot be run again.
        assert_eq!(fetch(&c, Forward(1)).await, Err("portal \"c\" cannot be run".to_owned()));
    }
    let c = cursor(None, None);
    assert_eq!(c.advance("c", Backward(EVERY)).await.unwrap(), 0);
    assert_eq!(fetch(&c, Absolute(1)).await.unwrap(), [1]);
    // What the store has no room for ends the history, not the cursor.
    let c = cursor(Some(2), None);
    assert_eq!(fetch(&c, Forward(3)).await.unwrap(), [1, 2, 3]);
    assert_eq!(fetch(&c, Backward(1)).await.unwrap(), [2]);
    assert_eq!(fetch(&c, Forward(EVERY)).await.unwrap(), [3, 4, 5, 6, 7]);
    assert_eq!(fetch(&c, Backward(1)).await, forward_only);
}

#[tokio::test]
async fn held_cursors_go_on_where_they_were() {
    let c = cursor(Some(1), None);
    assert_eq!(fetch(&c, Forward(1)).await.unwrap(), [1]);
    c.hold("c", Box::new(Few(Vec::new(), 0))).await.unwrap();
    assert_eq!(fetch(&c, Forward(3)).await.unwrap(), [2, 3, 4]);
    assert_eq!(fetch(&c, Backward(EVERY)).await.unwrap(), [3, 2, 1]);
    let c = cursor(None, None);
    assert_eq!(fetch(&c, Forward(2)).await.unwrap(), [1, 2]);
    c.hold("c", Box::new(Few(Vec::new(), 0))).await.unwrap();
    assert_eq!(fetch(&c, Relative(2)).await.unwrap(), [4]);
    assert_eq!(fetch(&c, Forward(EVERY)).await.unwrap(), [5, 6, 7]);
    assert!(fetch(&c, Backward(1)).await.is_err());
}

#[tokio::test]
async fn limits_hold_over_all_fetches() {
    let c = cursor(Some(10), Some(4));
    assert_eq!(fetch(&c, Forward(3)).await.unwrap(), [1, 2, 3]);
    assert_eq!(c.advance("c", Forward(1)).await.unwrap(), 1);
    assert_eq!(fetch(&c, Forward(2)).await, Err("result exceeds max_rows of 4".to_owned()));
    // Rows that nobody took to the end leave the cursor unusable, not in a place that nobody knows.
    let c = cursor(Some(10), None);
    drop(c.fetch("c", Forward(3), bounds(None)).unwrap());
    assert!(c.is_away() && fetch(&c, Forward(1)).await.is_err());
}
