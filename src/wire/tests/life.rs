//! How sessions end.
//! Must not know: rows.

use super::*;

async fn fatal(client: &mut Client) -> (String, String) {
    let answer = client.rest().await;
    assert_eq!(answer.last().unwrap().field(b'S').as_deref(), Some("FATAL"));
    errors(&answer).pop().unwrap()
}

#[tokio::test]
async fn idle_sessions_end_when_told() {
    let house = House::with("idle_timeout = \"50ms\"\nidle_in_transaction_timeout = \"60ms\"");
    let mut client = house.client().await;
    let expected = ("57P05".to_owned(), "terminating connection due to idle-session timeout".to_owned());
    assert_eq!(fatal(&mut client).await, expected);
    let mut client = house.client().await;
    client.run("begin").await;
    let expected = ("25P03".to_owned(), "terminating connection due to idle-in-transaction timeout".to_owned());
    assert_eq!(fatal(&mut client).await, expected);
    assert!(house.registry.is_empty());
    let house = House::new();
    let mut client = house.client().await;
    client.run("set idle_session_timeout = 30").await;
    assert_eq!(fatal(&mut client).await.0, "57P05");
}

#[tokio::test]
async fn the_drain_ends_idle_sessions_and_waits_for_statements() {
    let house = House::new();
    let (mut idle, mut busy) = (house.client().await, house.client().await);
    busy.send(&[query("select rows(100000)")]).await;
    busy.next().await.unwrap();
    house.shutdown.begin_drain();
    let expected = ("57P01".to_owned(), "terminating connection due to administrator command".to_owned());
    assert_eq!(fatal(&mut idle).await, expected);
    let answer = busy.rest().await;
    assert_eq!(answer.iter().filter(|message| message.kind == 'D').count(), 100_000);
    assert_eq!(errors(&answer), [expected]);
}

#[tokio::test]
async fn an_administrator_ends_idle_and_busy_sessions() {
    let house = House::new();
    let (mut idle, mut busy) = (house.client().await, house.client().await);
    busy.send(&[query("select hang()")]).await;
    house.fake.hung.notified().await;
    for client in [&mut idle, &mut busy] {
        assert!(house.registry.terminate(client.pid, None));
        assert_eq!(fatal(client).await.0, "57P01");
    }
    house.all_dropped().await;
    let mut last = house.client().await;
    last.send(&[query("select hang()")]).await;
    house.fake.hung.notified().await;
    house.shutdown.stop_now();
    assert_eq!(fatal(&mut last).await.0, "57P01");
}

#[tokio::test]
async fn a_broken_protocol_is_fatal_and_goodbye_is_quiet() {
    let house = House::new();
    let mut client = house.client().await;
    client.send(&[vec![0xff]]).await;
    assert_eq!(fatal(&mut client).await.0, "08P01");
    let mut client = house.client().await;
    client.send(&[frame(b'X', b"")]).await;
    assert!(client.rest().await.is_empty());
    let mut client = house.client().await;
    let (kinds, answer) = client.ask(&[frame(b'Q', b"select '\xff'\0")]).await;
    assert_eq!((kinds.as_str(), errors(&answer)[0].0.as_str()), ("EZ", "22021"));
    assert_eq!(client.run("select 1").await, "<0> SELECT 1 I");
}

/// Messages in any order and of any make: every session answers in the end, or says why it ends.
#[tokio::test]
async fn any_order_of_messages_leaves_a_session_that_answers() {
    use rand::prelude::*;
    let house = House::new();
    let texts =
        ["select 1", "select rows(3000)", "begin", "commit", "selekt", "select 1/0", "", "savepoint a", "rollback"];
    let names = ["", "a", "b"];
    for seed in 0..200 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut client = house.client_with(&[], 1 << 20).await;
        let mut messages = Vec::new();
        for _ in 0..random.random_range(1..30) {
            let mut name = || *names.choose(&mut random).unwrap();
            let (one, two) = (name(), name());
            let text = *texts.choose(&mut random).unwrap();
            messages.push(match random.random_range(0..12) {
                0 => query(text),
                1 | 2 => parse(one, text),
                3 | 4 => bind(one, two, &[], &[1]),
                5 | 6 => execute(one, random.random_range(-1..2000)),
                7 => describe(if random.random() { 'S' } else { 'P' }, one),
                8 => close(if random.random() { 'S' } else { 'P' }, one),
                9 => sync(),
                10 => frame(b'd', b"copy data"),
                _ => frame(*b"QPBDEC".choose(&mut random).unwrap(), b"\x01\x00junk"),
            });
        }
        messages.extend([sync(), query("rollback"), query("select rows(4242)")]);
        client.send(&messages).await;
        loop {
            let answer = client.until('Z').await;
            if answer.iter().any(|message| message.kind == 'C' && message.text() == "SELECT 4242") {
                break;
            }
        }
    }
    house.all_dropped().await;
}
