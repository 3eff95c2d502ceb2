//! TLS that is TLS or the end of the connection, and a login that does not tell who exists (promises P4, P5).
//! Must not know: sessions.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::AT_ONCE;
use crate::harness::daemon::{Daemon, Setup, binary};
use crate::harness::raw::{Raw, printable};
use crate::harness::tls::Authority;

const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

fn with_tls(server: &str) -> Daemon {
    let pair = Authority::new().server();
    let config = "[server.tls]\ncertificate = \"server.crt\"\nprivate_key = \"server.key\"\n\
                  [[role]]\nname = \"reader\"\n[[user]]\nname = \"ana\"\nroles = [\"reader\"]\n";
    Daemon::start(&Setup {
        config: config.into(),
        server: format!("auth = \"trust\"\n{server}"),
        files: vec![("server.crt".into(), pair.certificate), ("server.key".into(), pair.key)],
        ..Setup::default()
    })
}

/// A ClientHello that offers this version and nothing newer.
fn hello(version: [u8; 2]) -> Vec<u8> {
    let suites: [u8; 8] = [0xc0, 0x13, 0xc0, 0x14, 0x00, 0x2f, 0x00, 0x35];
    let groups: &[u8] = &[0x00, 0x0a, 0x00, 0x04, 0x00, 0x02, 0x00, 0x17, 0x00, 0x0b, 0x00, 0x02, 0x01, 0x00];
    let mut body = [&version[..], &[7; 32], &[0], &(suites.len() as u16).to_be_bytes(), &suites, &[1, 0]].concat();
    body.extend_from_slice(&(groups.len() as u16).to_be_bytes());
    body.extend_from_slice(groups);
    let mut handshake = vec![1, 0];
    handshake.extend_from_slice(&(body.len() as u16).to_be_bytes());
    handshake.extend_from_slice(&body);
    [&[0x16, 3, 1][..], &(handshake.len() as u16).to_be_bytes(), &handshake].concat()
}

/// What a daemon says in the clear after its `S` to these bytes.
fn after_s(tusk: &Daemon, bytes: &[u8]) -> Vec<u8> {
    let mut raw = Raw::open(tusk.port());
    raw.bytes(&SSL_REQUEST);
    let mut answer = [0];
    std::io::Read::read_exact(&mut raw.stream(), &mut answer).unwrap();
    assert_eq!(&answer, b"S");
    raw.bytes(bytes);
    raw.everything(AT_ONCE)
}

#[test]
fn old_tls_is_refused_and_nothing_goes_on_in_the_clear() {
    let tusk = with_tls("startup_timeout = \"5s\"");
    for version in [[3, 0], [3, 1], [3, 2]] {
        let said = after_s(&tusk, &hello(version));
        // A fatal alert, and no other record.
        assert!(said.len() == 7 && said[0] == 0x15 && said[5] == 2, "{}", printable(&said));
    }
    let start = b"\0\0\0\x20\0\x03\0\0user\0ana\0database\0tusk\0\0";
    for bytes in [&start[..], b"GET / HTTP/1.1\r\n\r\n", &SSL_REQUEST, &[0x16; 600], &[0; 600]] {
        let said = after_s(&tusk, bytes);
        assert!(said.is_empty() || said[0] == 0x15, "answered in the clear: {}", printable(&said));
    }
    // TLS from the first byte without ALPN: told so under TLS or not at all, never in the clear.
    let mut raw = Raw::open(tusk.port());
    raw.bytes(&hello([3, 1]));
    let said = raw.everything(AT_ONCE);
    assert!(said.is_empty() || said[0] == 0x15, "{}", printable(&said));
}

/// A handshake that is begun and not gone on with ends with the time for a login.
#[test]
fn a_handshake_has_a_deadline() {
    let tusk = with_tls("startup_timeout = \"1s\"");
    for part in [0, 3, 40] {
        let begun = Instant::now();
        after_s(&tusk, &hello([3, 3])[..part]);
        assert!(begun.elapsed() >= Duration::from_millis(900) && begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
    }
}

/// The time in which a wrong proof is refused says nothing of whether the user exists.
#[test]
fn time_does_not_tell_who_exists() {
    let mut child =
        Command::new(binary()).arg("hash-password").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"right\n").unwrap();
    let verifier = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    let user = format!("[[user]]\nname = \"ana\"\nroles = [\"reader\"]\npassword = \"{}\"\n", verifier.trim());
    let tusk = Daemon::start(&Setup { config: format!("[[role]]\nname = \"reader\"\n{user}"), ..Setup::default() });
    let refused_in = |user: &str| {
        let mut raw = Raw::open(tusk.port());
        let begun = Instant::now();
        raw.start(&[("user", user), ("database", "tusk")]);
        assert_eq!(raw.read().tag, b'R');
        let first = b"n,,n=,r=abcdefghijklmnopqrstuvwx";
        raw.send(b'p', &[&b"SCRAM-SHA-256\0"[..], &(first.len() as i32).to_be_bytes(), first].concat());
        let challenge = String::from_utf8(raw.read().body[4..].to_vec()).unwrap();
        let nonce = challenge.split(',').next().unwrap()[2..].to_owned();
        raw.send(b'p', format!("c=biws,r={nonce},p={}=", "A".repeat(43)).as_bytes());
        assert_eq!(raw.read().tag, b'E');
        begun.elapsed()
    };
    let median = |mut times: Vec<Duration>| {
        times.sort();
        times[times.len() / 2]
    };
    let times: Vec<_> = (0..15).map(|_| (refused_in("ana"), refused_in("abe"))).collect();
    let known = median(times.iter().map(|(known, _)| *known).collect());
    let unknown = median(times.iter().map(|(_, unknown)| *unknown).collect());
    eprintln!("a wrong password is refused in {known:?}, an unknown user in {unknown:?}");
    assert!(known.abs_diff(unknown) <= Duration::from_millis(20), "{known:?} and {unknown:?}");
}
