//! Start-up over a pipe: what is understood, what is refused, in which words.

use bytes::BufMut;
use tokio::io::DuplexStream;

use super::*;

fn packet(code: u32, body: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    packet.put_u32(body.len() as u32 + 8);
    packet.put_u32(code);
    packet.put_slice(body);
    packet
}

const SSL: u32 = 80_877_103;
const GSS: u32 = 80_877_104;
const CANCEL: u32 = 80_877_102;
const V3_0: u32 = 196_608;

/// Sends bytes, keeps the pipe open, and opens without TLS.
async fn begin(bytes: &[u8]) -> (DuplexStream, Result<Option<Opened>, Refused>) {
    let (mut client, server) = tokio::io::duplex(1 << 16);
    client.write_all(bytes).await.unwrap();
    let opened = tokio::time::timeout(std::time::Duration::from_secs(1), open(Stream::Memory(server), None));
    (client, opened.await.expect("an answer"))
}

async fn greeting(code: u32, body: &[u8]) -> Greeting {
    match begin(&packet(code, body)).await.1.unwrap().unwrap().opening {
        Opening::Session(greeting) => greeting,
        other => panic!("{other:?}"),
    }
}

async fn session(code: u32, body: &[u8]) -> Startup {
    greeting(code, body).await.into_startup().unwrap()
}

async fn refused(bytes: &[u8]) -> (String, String) {
    let error = begin(bytes).await.1.unwrap_err().error;
    (error.state().code().to_owned(), error.message().to_owned())
}

fn says(state: &str, message: &str) -> (String, String) {
    (state.to_owned(), message.to_owned())
}

#[tokio::test]
async fn reads_a_startup_in_order() {
    let body = b"user\0ana\0application_name\0psql\0options\0-c jit=off --a-b=c\0TimeZone\0UTC\0replication\0off\0\0";
    let startup = session(V3_0, body).await;
    assert_eq!((startup.user.as_str(), startup.database.as_str(), startup.minor), ("ana", "ana", 0));
    let params: Vec<_> = startup.params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(params, [("jit", "off"), ("a_b", "c"), ("application_name", "psql"), ("TimeZone", "UTC")]);
    let startup = session(V3_0, b"user\0ana\0database\0tusk\0empty\0\0\0").await;
    assert_eq!((startup.database.as_str(), startup.params), ("tusk", vec![("empty".into(), String::new())]));
}

#[tokio::test]
async fn cuts_long_names_between_characters() {
    let long = "ä".repeat(40);
    let startup = session(V3_0, format!("user\0{long}\0\0").as_bytes()).await;
    assert_eq!(startup.user, "ä".repeat(31));
    assert_eq!(startup.database, startup.user);
}

#[tokio::test]
async fn negotiates_versions() {
    let plain = greeting(V3_0 + 2, b"user\0a\0\0").await;
    assert_eq!((plain.negotiate(), plain.into_startup().unwrap().minor), (None, 2));
    let newer = greeting(V3_0 + 9999, b"user\0a\0\0").await;
    assert_eq!(newer.negotiate(), Some((196_610, Vec::new())));
    assert_eq!(newer.into_startup().unwrap().minor, 2);
    let option = greeting(V3_0, b"user\0a\0_pq_.x\x001\0\0").await;
    assert_eq!(option.negotiate(), Some((196_608, vec!["_pq_.x".to_owned()])));
    assert!(option.into_startup().unwrap().params.is_empty());
    let words =
        |version: &str| says("0A000", &format!("unsupported frontend protocol {version}: server supports 3.0 to 3.2"));
    assert_eq!(refused(&packet(2 << 16, b"x\0")).await, words("2.0"));
    assert_eq!(refused(&packet(4 << 16, b"")).await, words("4.0"));
    assert_eq!(refused(&packet(0, b"")).await, words("0.0"));
}

#[tokio::test]
async fn options_are_judged_after_the_proof() {
    let error = greeting(V3_0, b"user\0a\0options\0-Z\0\0").await.into_startup().unwrap_err();
    assert_eq!(error.state().code(), "42601");
}

#[tokio::test]
async fn refuses_malformed_packets() {
    let length = says("08P01", "invalid length of startup packet");
    for bytes in [&[0, 0, 0, 0][..], &[0, 0, 0, 7], &[0, 0, 0x27, 0x11], &[0xff; 4], b"GET / HTTP/1.1\r\n\r\n"] {
        assert_eq!(refused(bytes).await, length, "{bytes:?}");
    }
    let layout = says("08P01", "invalid startup packet layout: expected terminator as last byte");
    for body in [&b""[..], b"user", b"user\0", b"user\0a", b"user\0a\0", b"user\0a\0\0x", b"user\0a\0\0\0"] {
        assert_eq!(refused(&packet(V3_0, body)).await, layout, "{body:?}");
    }
    let no_user = says("28000", "no PostgreSQL user name specified in startup packet");
    assert_eq!(refused(&packet(V3_0, b"\0")).await, no_user);
    assert_eq!(refused(&packet(V3_0, b"user\0\0\0")).await, no_user);
    assert_eq!(refused(&packet(V3_0, b"user\0\xff\0\0")).await.0, "22021");
    assert_eq!(refused(&packet(V3_0, b"user\0a\0replication\0maybe\0\0")).await.0, "22023");
    assert_eq!(refused(&packet(SSL, b"x")).await, length);
}

#[tokio::test]
async fn answers_encryption_requests_once_each() {
    let (mut client, server) = tokio::io::duplex(1 << 16);
    let opened = tokio::spawn(open(Stream::Memory(server), None));
    for request in [SSL, GSS] {
        client.write_all(&packet(request, b"")).await.unwrap();
        assert_eq!(client.read_u8().await.unwrap(), b'N');
    }
    client.write_all(&packet(SSL, b"")).await.unwrap();
    let error = opened.await.unwrap().unwrap_err().error;
    assert_eq!(error.message(), "unsupported frontend protocol 1234.5679: server supports 3.0 to 3.2");
}

#[tokio::test]
async fn refuses_what_was_sent_ahead_of_encryption() {
    for (request, name) in [(SSL, "SSL request"), (GSS, "GSSAPI encryption request")] {
        let mut bytes = packet(request, b"");
        bytes.extend(packet(V3_0, b"user\0mallory\0\0"));
        assert_eq!(refused(&bytes).await, says("08P01", &format!("received unencrypted data after {name}")));
    }
}

#[tokio::test]
async fn reads_cancel_requests() {
    for length in [4, 32, 256] {
        let mut body = vec![0, 0, 0, 42];
        body.extend(vec![7; length]);
        match begin(&packet(CANCEL, &body)).await.1.unwrap().unwrap().opening {
            Opening::Cancel { pid, key } => assert_eq!((pid, key.len()), (42, length)),
            other => panic!("{other:?}"),
        }
    }
    for body in [&[][..], &[0, 0, 0, 1], &[0, 0, 0, 1, 2, 3, 4], &[7; 261]] {
        assert!(begin(&packet(CANCEL, body)).await.1.unwrap().is_none());
    }
}

#[tokio::test]
async fn takes_bytes_one_at_a_time_and_keeps_what_is_beyond() {
    let (mut client, server) = tokio::io::duplex(1);
    let opened = tokio::spawn(open(Stream::Memory(server), None));
    for byte in packet(V3_0, b"user\0a\0\0") {
        client.write_all(&[byte]).await.unwrap();
    }
    assert!(opened.await.unwrap().unwrap().is_some());
    let mut bytes = packet(V3_0, b"user\0a\0\0");
    bytes.extend_from_slice(b"rest");
    assert_eq!(&begin(&bytes).await.1.unwrap().unwrap().buffer[..], b"rest");
}

#[tokio::test]
async fn a_peer_that_leaves_is_owed_nothing() {
    let bytes = packet(V3_0, b"user\0a\0\0");
    for cut in [0, 3, 7, bytes.len() - 1] {
        let (mut client, server) = tokio::io::duplex(1 << 16);
        client.write_all(&bytes[..cut]).await.unwrap();
        drop(client);
        assert!(open(Stream::Memory(server), None).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn holds_little_of_a_long_packet() {
    let mut body = b"user\0a\0x\0".to_vec();
    body.resize(9_990, b'y');
    body.extend_from_slice(b"\0\0");
    let opened = begin(&packet(V3_0, &body)).await.1.unwrap().unwrap();
    assert!(opened.buffer.capacity() <= 16 * 1024);
    assert_eq!(refused(&[0, 0, 0x27, 0x11, 0]).await.0, "08P01");
}
