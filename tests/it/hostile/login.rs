//! Peers that never log in: what they may hold, and for how long (promises P1, P3).
//! Must not know: sessions.

use std::time::{Duration, Instant};

use super::{AT_ONCE, bare, lives, unharmed};
use crate::harness::peer::{Came, Peer};
use crate::harness::raw::{Raw, error, rows};

/// What a connection that has not logged in may make the daemon grow by: 16 KiB of its bytes, and as much again for its task and socket.
const HELD: u64 = 32 * 1024;

/// A start-up packet of the greatest length that is accepted, but for its last byte.
fn almost() -> Vec<u8> {
    let mut packet = [&10_000_i32.to_be_bytes()[..], &196_608_i32.to_be_bytes(), b"user\0ana\0options\0"].concat();
    packet.resize(9_999, b'x');
    packet
}

#[test]
fn an_unfinished_start_up_holds_little() {
    let tusk = bare("startup_timeout = \"60s\"\nmax_connections = 1000");
    let pid = tusk.pid();
    // What the allocator keeps after a first crowd is not counted.
    let crowd = |number: usize| -> Vec<Peer> {
        let open = |_| {
            let mut peer = Peer::open(tusk.port(), AT_ONCE);
            assert!(peer.send(&almost()));
            peer
        };
        (0..number).map(open).collect()
    };
    drop(crowd(50));
    lives(&tusk);
    let before = tusk.resident();
    let peers = crowd(500);
    lives(&tusk);
    let grown = tusk.resident().saturating_sub(before) / peers.len() as u64;
    eprintln!("an unauthenticated connection with 9,999 bytes holds {} KiB", grown / 1024);
    assert!(grown < HELD, "{grown} bytes for each");
    unharmed(&tusk, pid);
}

/// Everything that is no start-up packet is answered or hung up on at once, and costs nothing.
#[test]
fn rubbish_before_the_login_ends_the_connection() {
    let tusk = bare("startup_timeout = \"60s\"");
    let (pid, before) = (tusk.pid(), tusk.resident());
    let version =
        |version: u32, rest: &[u8]| [&(rest.len() as i32 + 8).to_be_bytes()[..], &version.to_be_bytes(), rest].concat();
    let mut rubbish: Vec<Vec<u8>> = vec![
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        b"SSH-2.0-OpenSSH_9.2p1\r\n".to_vec(),
        vec![0; 4096],
        vec![0xff; 4096],
        version(196_608, b""),
        version(196_608, b"user"),
        version(196_608, b"user\0ana"),
        version(196_608, b"user\0ana\0"),
        version(196_608, b"user\0ana\0database\0\0\0"),
        version(196_608, b"user\0\xff\xfe\0\0"),
        version(196_608, &[&b"user\0ana\0\0"[..], &[b'x'; 900]].concat()),
        version(80_877_102, b""),
        version(80_877_102, b"1234"),
        version(80_877_102, &[7; 9_000]),
        version(80_877_103, b"more"),
        version(131_072, b"user\0ana\0\0"),
        version(0xffff_ffff, b"user\0ana\0\0"),
        version(0, b""),
    ];
    // A declared length far beyond what comes.
    rubbish.extend(
        [0_u32, 1, 7, 10_001, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]
            .map(|length| [&length.to_be_bytes()[..], &196_608_u32.to_be_bytes(), &[b'u'; 512]].concat()),
    );
    for bytes in &rubbish {
        let mut peer = Peer::open(tusk.port(), AT_ONCE);
        peer.send(bytes);
        peer.leave();
        loop {
            match peer.next() {
                Came::Message(message) => {
                    assert_ne!(message.tag, b'Z', "a session began with {}", bytes.escape_ascii());
                    if message.tag == b'E' {
                        let fields = message.fields();
                        let known = ["08P01", "0A000", "28000", "28P01", "3D000", "22021"];
                        assert_eq!(fields[&'S'], "FATAL");
                        assert!(known.contains(&fields[&'C'].as_str()), "{fields:?} to {}", bytes.escape_ascii());
                    }
                }
                Came::Closed => break,
                Came::Silence => panic!("not hung up on after {}", bytes.escape_ascii()),
            }
        }
    }
    lives(&tusk);
    assert!(tusk.resident() < before + (64 << 20));
    unharmed(&tusk, pid);
}

/// Who sends a byte now and then is hung up on when the time for a login is over, and not before.
#[test]
fn a_login_has_a_deadline_however_slow_it_trickles() {
    let tusk = bare("startup_timeout = \"2s\"");
    let packet = almost();
    let begun = Instant::now();
    let mut peer = Peer::open(tusk.port(), Duration::from_millis(50));
    let ended = packet.iter().find_map(|byte| {
        peer.send(&[*byte]);
        matches!(peer.next(), Came::Closed).then(|| begun.elapsed())
    });
    let ended = ended.expect("hung up on");
    eprintln!("a trickling login was ended after {ended:?}");
    assert!(ended >= Duration::from_millis(1_900) && ended < AT_ONCE, "{ended:?}");
    lives(&tusk);
}

/// Half-open sockets, some silent, some in the midst of their packet, leave logins working.
#[test]
fn half_open_sockets_leave_logins_working() {
    let tusk = bare("startup_timeout = \"60s\"");
    let held: Vec<Peer> = (0..200)
        .map(|number| {
            let mut peer = Peer::open(tusk.port(), AT_ONCE);
            peer.send(&almost()[..number * 40 % 5_000]);
            peer
        })
        .collect();
    let mut times: Vec<Duration> = (0..50)
        .map(|_| {
            let begun = Instant::now();
            lives(&tusk);
            begun.elapsed()
        })
        .collect();
    times.sort();
    eprintln!("a login beside {} half-open sockets: p50 {:?}, slowest {:?}", held.len(), times[25], times[49]);
    assert!(times[49] < AT_ONCE);
}

/// More slow peers than there may be connections: the longest waiting must go, who logs in at once gets in.
#[test]
fn a_thousand_slow_peers_do_not_keep_a_good_one_out() {
    let tusk = bare("startup_timeout = \"60s\"\nmax_connections = 100");
    let (pid, before) = (tusk.pid(), tusk.resident());
    let mut slow = Vec::new();
    for number in 0..1_000 {
        let mut peer = Peer::open(tusk.port(), AT_ONCE);
        peer.send(&almost()[..100]);
        slow.push(peer);
        if number % 100 == 99 {
            lives(&tusk);
        }
    }
    for peer in &mut slow {
        peer.send(b"x");
    }
    lives(&tusk);
    let mut left = 0;
    for peer in &mut slow {
        peer.patience(Duration::from_millis(1));
        left += usize::from(matches!(peer.next(), Came::Silence));
    }
    let grown = tusk.resident().saturating_sub(before) >> 10;
    eprintln!("of 1,000 slow peers {left} were still held; the daemon grew by {grown} KiB");
    assert!(left <= 100 + 256, "{left} slow peers are held");
    unharmed(&tusk, pid);
}

/// Beyond `max_connections` a connection is told so; three places are kept for administrators; a role has its own bound.
#[test]
fn connections_end_at_their_number() {
    let tusk = bare("max_connections = 13");
    let refusal = |user: &str| {
        let mut raw = Raw::open(tusk.port());
        raw.start(&[("user", user), ("database", "tusk")]);
        let begun = Instant::now();
        let fields = error(&raw.until_closed());
        assert!(begun.elapsed() < AT_ONCE);
        assert_eq!((fields[&'S'].as_str(), fields[&'C'].as_str()), ("FATAL", "53300"), "{fields:?}");
        fields[&'M'].clone()
    };
    let login = |user: &str| Raw::login(tusk.port(), user, "tusk");
    let mut held: Vec<Raw> = (0..10).map(|_| login("ana")).collect();
    assert_eq!(refusal("ana"), "remaining connection slots are reserved for administrators");
    held.extend((0..3).map(|_| login("root")));
    assert_eq!(refusal("ana"), "sorry, too many clients already");
    assert_eq!(refusal("root"), "sorry, too many clients already");
    for raw in &mut held {
        assert_eq!(rows(&raw.ask("select 1")).len(), 1);
    }
    // A place that becomes free is taken again.
    held.pop();
    let deadline = Instant::now() + AT_ONCE;
    loop {
        let mut raw = Raw::open(tusk.port());
        raw.start(&[("user", "root"), ("database", "tusk")]);
        let first = raw.read();
        if first.tag == b'R' {
            break;
        }
        assert!(Instant::now() < deadline, "the place stays taken");
    }
}
