//! The extended protocol, as drivers use it.
//! Must not know: the simple protocol's texts.

use super::*;

#[tokio::test]
async fn parse_bind_describe_execute() {
    let house = House::new();
    let mut client = house.client().await;
    let all = [parse("", "select $1"), bind("", "", &[Some("41")], &[]), describe('P', ""), execute("", 0), sync()];
    let (kinds, answer) = client.ask(&all).await;
    assert_eq!((kinds.as_str(), text_of(&answer[3]).as_str()), ("12TDCZ", "41"));
    client.send(&[parse("s", "select $1"), describe('S', "s"), frame(b'H', b"")]).await;
    let answer = client.until('T').await;
    assert_eq!(answer.iter().map(|message| message.kind).collect::<String>(), "1tT");
    assert_eq!(&answer[1].body[..], b"\0\x01\0\0\0\x14");
    let (kinds, answer) = client.ask(&[bind("", "s", &[None], &[1]), execute("", 0), sync()]).await;
    assert_eq!((kinds.as_str(), answer[1].row()), ("2DCZ", vec![None]));
    let (_, answer) = client.ask(&[bind("", "s", &[Some("7")], &[1]), execute("", 0), sync()]).await;
    assert_eq!(answer[1].row(), [Some(7_i64.to_be_bytes().to_vec())]);
    let (kinds, _) = client.ask(&[close('S', "s"), close('S', "s"), close('P', "nope"), sync()]).await;
    assert_eq!(kinds, "333Z");
    let (_, answer) = client.ask(&[bind("", "s", &[Some("7")], &[]), sync()]).await;
    assert_eq!(errors(&answer)[0].0, "26000");
}

#[tokio::test]
async fn what_is_refused_and_how() {
    let house = House::new();
    let mut client = house.client().await;
    let counts = "bind message supplies 2 parameters, but prepared statement \"\" requires 1";
    let formats = "bind message has 2 result formats but query has 1 columns";
    for (messages, code, text) in [
        (vec![parse("", "select $1"), bind("", "", &[None, None], &[])], "08P01", counts),
        (vec![parse("", "select 1"), bind("", "", &[], &[0, 1])], "08P01", formats),
        (vec![parse("", "select 1"), bind("", "", &[], &[7]), execute("", 0)], "22023", "unsupported format code: 7"),
        (vec![parse("", "select 1; select 2")], "42601", "cannot insert multiple commands into a prepared statement"),
        (vec![bind("", "", &[], &[])], "26000", "unnamed prepared statement does not exist"),
        (vec![execute("p", 0)], "34000", "portal \"p\" does not exist"),
        (vec![describe('S', "x")], "26000", "prepared statement \"x\" does not exist"),
        (vec![parse("d", "select 1"), parse("d", "select 1")], "42P05", "prepared statement \"d\" already exists"),
        (vec![frame(b'D', b"Zx\0")], "08P01", "invalid DESCRIBE message subtype 90"),
    ] {
        let mut messages = messages;
        messages.extend([execute("", 0), describe('S', ""), sync()]);
        let (kinds, answer) = client.ask(&messages).await;
        assert_eq!(errors(&answer), [(code.to_owned(), text.to_owned())]);
        assert!(kinds.ends_with("EZ"), "{kinds}: what follows is skipped");
    }
    let (_, answer) = client.ask(&[parse("", "select $1"), bind("", "", &[Some("x")], &[]), sync()]).await;
    let error = answer.iter().find(|message| message.kind == 'E').unwrap();
    assert_eq!(
        (error.field(b'C').unwrap().as_str(), error.field(b'W').unwrap().as_str()),
        ("22P02", "unnamed portal parameter $1 = '...'")
    );
    let (kinds, _) = client.ask(&[frame(b'F', b"junk")]).await;
    assert_eq!((kinds.as_str(), client.run("select 1").await.as_str()), ("EZ", "<0> SELECT 1 I"));
}

#[tokio::test]
async fn portals_are_suspended_and_end_with_their_transaction() {
    let house = House::new();
    let mut client = house.client().await;
    client.run("begin").await;
    let first = [parse("", "select rows(2500)"), bind("p", "", &[], &[]), execute("p", 1200), sync()];
    let (kinds, _) = client.ask(&first).await;
    assert_eq!((kinds.matches('D').count(), kinds.ends_with("DsZ")), (1200, true));
    assert!(house.fake.pulled.load(Ordering::SeqCst) <= 2, "rows were read ahead");
    let (kinds, answer) = client.ask(&[execute("p", 1200), sync()]).await;
    assert_eq!(
        (kinds.matches('D').count(), text_of(&answer[0]).as_str(), kinds.ends_with("DsZ")),
        (1200, "1200", true)
    );
    let (kinds, answer) = client.ask(&[execute("p", i32::MAX), sync()]).await;
    assert_eq!((kinds.matches('D').count(), answer[100].text().as_str()), (100, "SELECT 100"));
    let (_, answer) = client.ask(&[execute("p", 0), sync()]).await;
    assert_eq!(answer[0].text(), "SELECT 0");
    let (kinds, _) =
        client.ask(&[parse("", "select rows(5000)"), bind("q", "", &[], &[]), execute("q", 1), sync()]).await;
    assert_eq!(kinds, "12DsZ");
    assert_eq!(house.fake.live.load(Ordering::SeqCst), 1);
    client.run("commit").await;
    house.all_dropped().await;
    let (_, answer) = client.ask(&[execute("q", 0), sync()]).await;
    assert_eq!(errors(&answer)[0].0, "34000");
    client.ask(&[parse("", "select 1"), bind("r", "", &[], &[]), sync()]).await;
    let (_, answer) = client.ask(&[execute("r", 0), sync()]).await;
    assert_eq!(errors(&answer)[0].0, "34000", "the implicit transaction ended at Sync");
}

#[tokio::test]
async fn savepoints_take_their_portals_with_them() {
    let house = House::new();
    let mut client = house.client().await;
    client.run("begin").await;
    client.ask(&[parse("s", "select rows(9)"), bind("outer", "s", &[], &[]), execute("outer", 1), sync()]).await;
    client.run("savepoint a").await;
    client.ask(&[bind("inner", "s", &[], &[]), execute("inner", 1), sync()]).await;
    client.run("rollback to a").await;
    let (kinds, _) = client.ask(&[execute("outer", 1), sync()]).await;
    assert_eq!(kinds, "DsZ");
    let (_, answer) = client.ask(&[execute("inner", 1), sync()]).await;
    assert_eq!(errors(&answer)[0].0, "34000");
}

#[tokio::test]
async fn commands_and_empty_texts() {
    let house = House::new();
    let mut client = house.client().await;
    let (kinds, _) = client.ask(&[parse("", ""), bind("", "", &[], &[]), execute("", 0), sync()]).await;
    assert_eq!(kinds, "12IZ");
    let begin =
        [parse("", "begin"), describe('S', ""), bind("", "", &[], &[]), describe('P', ""), execute("", 0), sync()];
    let (kinds, answer) = client.ask(&begin).await;
    assert_eq!((kinds.as_str(), answer[6].text().as_str()), ("1tn2nCZ", "T"));
    let (_, answer) = client.ask(&[parse("", "select 1/0"), bind("", "", &[], &[]), execute("", 0), sync()]).await;
    assert_eq!(answer.last().unwrap().text(), "E");
    let (_, answer) = client.ask(&[parse("", "select 1"), sync()]).await;
    assert_eq!(errors(&answer)[0].0, "25P02");
    let (kinds, answer) = client.ask(&[parse("", "commit"), bind("", "", &[], &[]), execute("", 0), sync()]).await;
    assert_eq!((kinds.as_str(), answer[2].text().as_str()), ("12CZ", "ROLLBACK"));
    let show = [
        parse("", "show transaction isolation level"),
        bind("", "", &[], &[]),
        describe('P', ""),
        execute("", 0),
        sync(),
    ];
    let (kinds, answer) = client.ask(&show).await;
    assert_eq!(kinds, "12TDCZ");
    assert!(answer[2].body[2..].starts_with(b"transaction_isolation\0"));
    let twice = [parse("", "set work_mem = '1MB'"), bind("x", "", &[], &[]), execute("x", 0), execute("x", 0), sync()];
    let (_, answer) = client.ask(&twice).await;
    assert_eq!(errors(&answer), [("55000".to_owned(), "portal \"x\" cannot be run".to_owned())]);
    assert_eq!(client.run("show work_mem").await, "<8MB> SHOW I", "the batch was one transaction");
}

#[tokio::test]
async fn pipelines_keep_their_order() {
    let house = House::new();
    let mut client = house.client().await;
    let mut all = Vec::new();
    for i in 0..200 {
        let value = i.to_string();
        all.extend([parse("", "select $1"), bind("", "", &[Some(&value)], &[]), execute("", 0), sync()]);
    }
    client.send(&all).await;
    for i in 0..200 {
        let answer = client.until('Z').await;
        assert_eq!(text_of(&answer[2]), i.to_string());
    }
}
