//! Rows on their way: memory, the first row, cancel, timeouts, clients that leave or do not read.
//! Must not know: what rows hold.

use super::*;

#[tokio::test]
async fn a_client_that_does_not_read_holds_the_source_back() {
    let house = House::new();
    let mut client = house.client().await;
    client.send(&[parse("", "select rows(1000000)"), bind("", "", &[], &[]), execute("", 0), sync()]).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let pulled = house.fake.pulled.load(Ordering::SeqCst);
    // 64 KiB in the pipe, 64 KiB in the buffer, 16 bytes a row.
    assert!((1..20).contains(&pulled), "{pulled} batches were pulled");
    let answer = client.until('Z').await;
    assert_eq!(answer.iter().filter(|message| message.kind == 'D').count(), 1_000_000);
    assert_eq!(answer[answer.len() - 2].text(), "SELECT 1000000");
}

#[tokio::test]
async fn the_first_row_leaves_while_the_source_still_reads() {
    let house = House::new();
    let mut client = house.client().await;
    client.send(&[query("select rows(3), then_hang()")]).await;
    for kind in ['T', 'D', 'D', 'D'] {
        assert_eq!(client.next().await.unwrap().kind, kind);
    }
    assert!(house.registry.cancel(client.pid, &client.key));
    let answer = client.until('Z').await;
    assert_eq!(errors(&answer)[0].0, "57014");
    house.all_dropped().await;
    assert_eq!(client.run("select 1").await, "<0> SELECT 1 I");
}

#[tokio::test]
async fn a_full_socket_does_not_delay_a_cancel() {
    let house = House::new();
    let mut client = house.client().await;
    client.send(&[query("select rows(100000000)")]).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(house.registry.cancel(client.pid, &client.key));
    house.all_dropped().await;
    let answer = client.until('Z').await;
    let rows = answer.iter().filter(|message| message.kind == 'D').count();
    assert!(rows < 20_000, "{rows} rows came after the cancel");
    let told = ("57014".to_owned(), "canceling statement due to user request".to_owned());
    assert_eq!(errors(&answer), [told]);
    assert_eq!(client.run("select 1").await, "<0> SELECT 1 I");
}

#[tokio::test]
async fn cancels_find_the_running_statement_only() {
    let house = House::new();
    let mut client = house.client().await;
    assert!(house.registry.cancel(client.pid, &client.key), "nothing runs: the next statement is not hit");
    for text in ["select hang()", "select hang_in_planning()"] {
        client.send(&[query(text)]).await;
        house.fake.hung.notified().await;
        assert!(!house.registry.cancel(client.pid, b"nope"));
        assert!(house.registry.cancel(client.pid, &client.key));
        assert_eq!(errors(&client.until('Z').await)[0].0, "57014");
        assert_eq!(client.run("select 1").await, "<0> SELECT 1 I");
    }
}

#[tokio::test]
async fn statement_timeout_holds_everywhere() {
    let house = House::new();
    let mut client = house.client().await;
    client.run("set statement_timeout = 50").await;
    for text in ["select hang()", "select hang_in_planning()", "select rows(5), then_hang()"] {
        let (_, answer) = client.ask(&[query(text)]).await;
        let told = ("57014".to_owned(), "canceling statement due to statement timeout".to_owned());
        assert_eq!(errors(&answer), [told], "{text}");
    }
    // The client does not read: the time runs all the same.
    client.send(&[query("select rows(100000000)")]).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(house.fake.live.load(Ordering::SeqCst), 1);
    house.all_dropped().await;
    assert_eq!(errors(&client.until('Z').await)[0].0, "57014");
}

#[tokio::test]
async fn work_ends_with_a_client_that_leaves() {
    for text in ["select hang()", "select hang_in_planning()", "select rows(5), then_hang()", "select rows(100000000)"]
    {
        let house = House::new();
        let mut client = house.client().await;
        client.send(&[query(text)]).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        drop(client.socket);
        tokio::time::timeout(PATIENCE, client.task).await.expect("the session goes on").unwrap();
        house.all_dropped().await;
        assert!(house.registry.is_empty());
    }
}

#[tokio::test]
async fn terminate_behind_a_running_statement_ends_it() {
    let house = House::new();
    let mut client = house.client().await;
    client.send(&[query("select hang()"), frame(b'X', b"")]).await;
    tokio::time::timeout(PATIENCE, client.task).await.expect("the session goes on").unwrap();
    house.all_dropped().await;
}

#[tokio::test]
async fn a_lost_source_is_an_error_after_the_rows() {
    let house = House::new();
    let mut client = house.client().await;
    let (kinds, answer) = client.ask(&[query("select rows(1500), then_fail()")]).await;
    assert_eq!((kinds.matches('D').count(), kinds.ends_with("DEZ")), (1500, true));
    assert_eq!(errors(&answer)[0].0, "08006");
    let all = [parse("", "select rows(3), then_fail()"), bind("", "", &[], &[]), execute("", 0), sync()];
    let (kinds, _) = client.ask(&all).await;
    assert_eq!(kinds, "12DDDEZ");
}
