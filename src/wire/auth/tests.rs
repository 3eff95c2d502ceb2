//! Logins over a pipe: what each kind of proof accepts and refuses.

use bytes::{BufMut, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::scram::tests::{client_final, verifier};
use super::*;
use crate::wire::stream::Stream;

/// The verifier of the password "pencil".
pub(crate) fn pencil() -> String {
    verifier("pencil", b"0123456789abcdef")
}

struct Ana;

impl Accounts for Ana {
    fn verifier(&self, user: &str) -> Option<String> {
        ["ana", "idle"].contains(&user).then(pencil)
    }

    fn has_roles(&self, user: &str) -> bool {
        user == "ana"
    }

    fn is_admin(&self, _: &str) -> bool {
        false
    }
}

async fn send(client: &mut DuplexStream, body: &[u8]) {
    let mut message = BytesMut::new();
    message.put_u8(b'p');
    message.put_u32(body.len() as u32 + 4);
    message.put_slice(body);
    client.write_all(&message).await.unwrap();
}

async fn receive(client: &mut DuplexStream) -> (u32, String) {
    assert_eq!(client.read_u8().await.unwrap(), b'R');
    let length = client.read_u32().await.unwrap() as usize;
    let code = client.read_u32().await.unwrap();
    let mut body = vec![0; length - 8];
    client.read_exact(&mut body).await.unwrap();
    (code, String::from_utf8(body).unwrap())
}

fn initial(mechanism: &str, first: &str) -> Vec<u8> {
    let mut body = mechanism.as_bytes().to_vec();
    body.push(0);
    body.extend_from_slice(&(first.len() as u32).to_be_bytes());
    body.extend_from_slice(first.as_bytes());
    body
}

/// What the server sent, and how it ended.
async fn login(user: &str, password: &str) -> (Vec<(u32, String)>, Result<Outcome>) {
    let (mut client, server) = tokio::io::duplex(8192);
    let (half, mut stream) = Stream::Memory(server).split();
    let (mut reader, mut writer) = (FrameReader::new(half, BytesMut::new()), BackendWriter::new());
    let authenticator = Authenticator::new([3; 32]);
    let mut talk = Talk { reader: &mut reader, writer: &mut writer, stream: &mut stream };
    let claim = Claim { user, peer: None, tls: None };
    let server = authenticator.prove(&mut talk, claim, AuthMethod::ScramSha256, &Ana);
    let client = async {
        let offer = receive(&mut client).await;
        send(&mut client, &initial("SCRAM-SHA-256", "n,,n=,r=abc")).await;
        let first = receive(&mut client).await;
        send(&mut client, client_final(password, "n=,r=abc", &first.1, b"n,,").as_bytes()).await;
        vec![offer, first]
    };
    let (outcome, said) = tokio::join!(server, client);
    (said, outcome)
}

#[tokio::test]
async fn a_password_opens_and_a_wrong_one_does_not() {
    let (said, outcome) = login("ana", "pencil").await;
    assert_eq!(said[0], (10, "SCRAM-SHA-256\0\0".into()));
    assert_eq!(said[1].0, 11);
    assert_eq!(outcome.unwrap(), Outcome::Proven);
    for (user, password) in [("ana", "wrong"), ("nobody", "pencil")] {
        let error = login(user, password).await.1.unwrap_err();
        assert_eq!(error.state(), SqlState::INVALID_PASSWORD);
        assert_eq!(error.message(), format!("password authentication failed for user \"{user}\""));
        assert!(error.detail().is_none() && error.hint().is_none());
    }
}

#[tokio::test]
async fn an_unknown_user_looks_like_a_known_one() {
    let salt = |first: &str| first.split(',').nth(1).unwrap().to_owned();
    let (first, second) = (login("nobody", "x").await.0, login("nobody", "y").await.0);
    assert_eq!(first[0], second[0]);
    assert_eq!(salt(&first[1].1), salt(&second[1].1));
    let known = login("ana", "x").await.0;
    assert_eq!(known[1].1.len(), first[1].1.len());
    assert!(known[1].1.ends_with(",i=4096") && first[1].1.ends_with(",i=4096"));
}

#[tokio::test]
async fn a_user_without_a_role_is_refused_after_the_proof() {
    let error = login("idle", "pencil").await.1.unwrap_err();
    assert_eq!(error.state(), SqlState::INVALID_AUTHORIZATION);
    assert_eq!(error.message(), "role \"idle\" is not permitted to log in");
    assert_eq!(login("idle", "wrong").await.1.unwrap_err().state(), SqlState::INVALID_PASSWORD);
}

#[test]
fn reads_the_initial_response_exactly() {
    let read = |body: &[u8]| initial_response(Bytes::copy_from_slice(body));
    assert_eq!(read(b"X\0\xff\xff\xff\xff").unwrap(), ("X".into(), None));
    assert_eq!(read(b"X\0\0\0\0\x01a").unwrap(), ("X".into(), Some(Bytes::from_static(b"a"))));
    for body in [
        &b""[..],
        b"X",
        b"X\0",
        b"X\0\0\0\0",
        b"X\0\0\0\0\x02a",
        b"X\0\0\0\0\x01ab",
        b"X\0\xff\xff\xff\xffa",
        b"X\0\xff\xff\xff\xfea",
        b"X\0\x7f\xff\xff\xffa",
    ] {
        assert_eq!(read(body).unwrap_err().state(), SqlState::PROTOCOL_VIOLATION, "{body:?}");
    }
}

#[test]
fn trust_ends_at_loopback() {
    let from = |peer: &str| trust(Claim { user: "ana", peer: Some(peer.parse().unwrap()), tls: None });
    assert!(from("127.0.0.1:1").is_ok() && from("[::1]:1").is_ok() && from("[::ffff:127.0.0.1]:1").is_ok());
    for far in ["10.0.0.1:1", "[2001:db8::1]:1", "[::ffff:10.0.0.1]:1"] {
        assert_eq!(from(far).unwrap_err().state(), SqlState::INVALID_AUTHORIZATION);
    }
    assert!(trust(Claim { user: "ana", peer: None, tls: None }).is_ok());
}

#[test]
fn a_certificate_speaks_for_its_own_name_only() {
    let shown = |name: Option<&str>| {
        let tls = TlsPeer { binding: None, common_name: name.map(str::to_owned), alpn: false };
        certificate(Claim { user: "ana", peer: None, tls: Some(&tls) }).map_err(|error| error.message().to_owned())
    };
    assert_eq!(shown(Some("ana")), Ok(Outcome::Proven));
    assert_eq!(shown(Some("Ana")), Err("certificate authentication failed for user \"ana\"".into()));
    assert_eq!(shown(None), Err("connection requires a valid client certificate".into()));
    assert!(certificate(Claim { user: "ana", peer: None, tls: None }).is_err());
}
