//! JSON and NDJSON: types over all objects, exact nested values, and bad JSON with its place.
//! Must not know: other formats.

use tusk::error::SqlState;

use super::Lake;

#[tokio::test]
async fn objects_become_rows() {
    let lake = Lake::new();
    lake.write(
        "t.ndjson",
        concat!(
            "{\"id\":1,\"price\":12.50,\"at\":\"2025-01-01T10:00:00Z\",\"tags\":[\"a\", 1.0],\"ok\":true}\n",
            "\n",
            "{\"price\":3,\"id\":2,\"name\":\"Zo\\u00eb\",\"tags\":{\"k\":null},\"ok\":null,\"id\":20}\n",
        ),
    );
    assert_eq!(
        lake.columns("t").await,
        ["id bigint", "price numeric(18,2)", "at timestamp with time zone", "tags json", "ok boolean", "name text"]
    );
    assert_eq!(
        lake.rows("select id, price, tags, ok, name from t order by id").await.unwrap(),
        ["1|12.50|[\"a\", 1.0]|true|", "20|3.00|{\"k\":null}||Zoë"]
    );
}

#[tokio::test]
async fn arrays_and_sequences() {
    let lake = Lake::new();
    lake.write("a.json", "[\n {\"x\": 1},\n {\"x\": \"two\"}\n]\n");
    lake.write("b.json", "{\"x\":\n1}\n{\"x\":2}");
    lake.write("empty.json", "[]");
    assert_eq!(lake.rows("select x from a").await.unwrap(), ["1", "two"]);
    assert_eq!(lake.rows("select sum(x) from b").await.unwrap(), ["3"]);
    assert_eq!(lake.broken("empty").await.state(), SqlState::DATA_CORRUPTED);
    let mut text = String::from("[");
    for n in 0..100_000 {
        text.push_str(&format!("{}{{\"n\":{n},\"s\":\"}}]\\\"{n}\"}}\n", if n == 0 { "" } else { "," }));
    }
    lake.write("large.json", format!("{text}]"));
    assert_eq!(lake.rows("select count(*), sum(n) from large").await.unwrap(), ["100000|4999950000"]);
    lake.write("large.json", &text);
    assert_eq!(lake.broken("large").await.state(), SqlState::INVALID_TEXT_REPRESENTATION);
}

#[tokio::test]
async fn bad_json_names_its_line() {
    let deep = format!("{{\"a\":{}1{}}}\n", "[".repeat(100_000), "]".repeat(100_000));
    for (text, line) in [
        ("{\"a\":1}\n{\"a\":NaN}\n", "line 2"),
        ("{\"a\":1}\n{\"a\":1}\n{\"a\":", "line 3"),
        ("{\"a\":1}\n[1]\n", "line 2"),
        ("{\"a\":\"\\ud800\"}\n", "line 1"),
        ("{\"a\":01}\n", "line 1"),
        ("{\"a\":1} {\n", "line 1"),
        (deep.as_str(), "line 1"),
    ] {
        let lake = Lake::new();
        lake.write("t.ndjson", text);
        let error = lake.broken("t").await;
        assert_eq!(error.state(), SqlState::INVALID_TEXT_REPRESENTATION, "{error}");
        assert!(error.context().unwrap().contains(line), "{:?}", error.context());
    }
}
