//! COPY TO STDOUT: its messages in both protocols, and its ends.
//! Must not know: what rows hold.

use super::*;

#[tokio::test]
async fn both_protocols_have_the_same_messages() {
    let house = House::new();
    let mut client = house.client().await;
    let (kinds, answer) = client.ask(&[query("copy (select rows(3)) to stdout")]).await;
    assert_eq!(kinds, "HdddcCZ");
    assert_eq!((answer[0].body.as_slice(), answer[2].body.as_slice()), (&b"\0\0\x01\0\0"[..], &b"1\n"[..]));
    assert_eq!(answer[5].text(), "COPY 3");
    let (kinds, _) = client.ask(&[query("select 1; copy (select rows(1)) to stdout; select 2")]).await;
    assert_eq!(kinds, "TDCHdcCTDCZ");
    let all = [
        parse("", "copy (select rows(2)) to stdout (format binary)"),
        bind("", "", &[], &[1]),
        describe('P', ""),
        execute("", 1),
        execute("", 0),
        sync(),
    ];
    let (kinds, answer) = client.ask(&all).await;
    assert_eq!(kinds, "12nHdddcCEZ");
    assert_eq!(answer[3].body, b"\x01\0\x01\0\x01");
    assert!(answer[4].body.starts_with(b"PGCOPY\n\xff\r\n\0") && answer[6].body == b"\xff\xff");
    assert_eq!(errors(&answer)[0], ("55000".to_owned(), "portal \"\" cannot be run".to_owned()));
}

#[tokio::test]
async fn an_error_in_the_midst_is_the_end() {
    let house = House::new();
    let mut client = house.client().await;
    let (kinds, answer) = client.ask(&[query("copy (select rows(1500), then_fail()) to stdout")]).await;
    assert_eq!((kinds.matches('d').count(), kinds.ends_with("dEZ"), kinds.contains('c')), (1500, true, false));
    assert_eq!(errors(&answer)[0].0, "08006");
    let (kinds, answer) = client.ask(&[query("copy (select rows(3)) to stdout (format xml)")]).await;
    assert_eq!((kinds.as_str(), errors(&answer)[0].0.as_str()), ("EZ", "22023"));
    assert_eq!(client.run("select 1").await, "<0> SELECT 1 I");
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_the_source_back() {
    let house = House::new();
    let mut client = house.client().await;
    client.send(&[query("copy (select rows(1000000)) to stdout")]).await;
    // Others are served meanwhile, many times over: what could be pulled has been. Each of them pulls a batch too.
    let mut other = house.client().await;
    let others = 500;
    for _ in 0..others {
        assert_eq!(other.run("select 1").await, "<0> SELECT 1 I");
    }
    let pulled = house.fake.pulled.load(Ordering::SeqCst) - others;
    assert!((1..40).contains(&pulled), "{pulled} batches were pulled");
    let answer = client.until('Z').await;
    assert_eq!(answer[answer.len() - 2].text(), "COPY 1000000");
}

#[tokio::test]
async fn cancel_timeout_and_leaving_end_it() {
    let house = House::new();
    let mut client = house.client().await;
    client.send(&[query("copy (select rows(3), then_hang()) to stdout")]).await;
    for kind in ['H', 'd', 'd', 'd'] {
        assert_eq!(client.next().await.unwrap().kind, kind);
    }
    assert!(house.registry.cancel(client.pid, &client.key));
    assert_eq!(errors(&client.until('Z').await)[0].0, "57014");
    house.all_dropped().await;
    client.run("set statement_timeout = 50").await;
    let (kinds, answer) = client.ask(&[query("copy (select rows(3), then_hang()) to stdout")]).await;
    assert_eq!((kinds.as_str(), errors(&answer)[0].0.as_str()), ("HdddEZ", "57014"));
    client.send(&[query("copy (select rows(100000000)) to stdout")]).await;
    drop(client.socket);
    tokio::time::timeout(PATIENCE, client.task).await.expect("the session goes on").unwrap();
    house.all_dropped().await;
}
