//! Messages cut short, made longer, and in any order: Tusk answers with PostgreSQL's codes and is in step again where PostgreSQL is.
//! Must not know: what valid messages answer.

use std::collections::BTreeSet;

use super::{AT_ONCE, unharmed};
use crate::harness::peer::{Came, Peer};
use crate::harness::raw::{Message, frame};
use crate::transcripts::send::{Send, parse};
use crate::transcripts::tables;

/// Messages of every type, in the notation of transcripts.
const VALID: &[&str] = &[
    "Query select 1",
    "Parse \"s\" (int4, text) select $1, $2",
    "Bind \"\" \"two\" (x00000001, \"text\") results 1 0",
    "Describe statement \"two\"",
    "Describe portal \"\"",
    "Execute \"\" 5",
    "Close statement \"two\"",
    "Close portal \"\"",
    "Sync",
    "Flush",
    "CopyData \"1\\tone\\n\"",
    "CopyDone",
    "CopyFail \"no\"",
];

/// Messages that are put in every order.
const ORDERED: &[&str] = &[
    "Query select 7 as a",
    "Query selec",
    "Query begin",
    "Query rollback",
    "Parse \"\" select 'p' as b",
    "Parse \"\" select nothing",
    "Bind \"\" \"\"",
    "Describe statement \"\"",
    "Describe portal \"\"",
    "Execute \"\" 1",
    "Close portal \"\"",
    "Close statement \"\"",
    "Sync",
    "CopyData \"x\"",
    "CopyDone",
];

const END: &str = "the end of it";

fn bytes(line: &str) -> Vec<u8> {
    match parse(line) {
        Ok(Send::Bytes(bytes, _)) => bytes,
        _ => panic!("{line}"),
    }
}

/// What a server says to bytes, and whether it is in step afterwards: types of messages, and the codes of errors.
fn answers(port: u16, bytes_sent: &[u8]) -> String {
    let mut peer = Peer::open(port, AT_ONCE);
    assert!(peer.login(&[]).last().is_some_and(|message| message.tag == b'Z'));
    peer.send(&bytes("Parse \"two\" (int4, text) select $1, $2"));
    peer.send(&bytes("Bind \"\" \"two\" (\"1\", \"text\")"));
    peer.send(bytes_sent);
    peer.send(&bytes("Sync"));
    // In a failed block nothing else is answered.
    peer.send(&bytes("Query rollback"));
    peer.send(&bytes(&format!("Query select '{END}'")));
    let mut said = String::new();
    let mut ended = false;
    loop {
        match peer.next() {
            Came::Message(message) => {
                ended |= message.tag == b'D' && message.body.ends_with(END.as_bytes());
                said += &shown(&message);
                if ended && message.tag == b'Z' {
                    return said;
                }
            }
            Came::Closed => return said + "closed",
            Came::Silence => return said + "silence",
        }
    }
}

fn shown(message: &Message) -> String {
    match message.tag {
        b'E' => format!("E({} {}) ", message.fields()[&'S'], message.fields()[&'C']),
        b'N' => format!("N({}) ", message.fields()[&'C']),
        b'Z' => format!("Z{} ", message.body[0] as char),
        b'C' => format!("C({}) ", message.body.escape_ascii()),
        other => format!("{} ", other as char),
    }
}

/// Where Tusk answers something else and ought to: a type that does not exist is no bug of the server, an unknown format is
/// refused when it is bound and not when it is used, and of two mistakes in a message the one in its form is told.
fn meant(theirs: &str, ours: &str) -> bool {
    let instead = [
        ("E(ERROR XX000)", "E(ERROR 42704)"),
        ("1 2 2 ZI", "1 2 E(ERROR 22023) ZI"),
        ("E(ERROR 22021)", "E(ERROR 08P01)"),
    ];
    instead.iter().any(|(one, other)| theirs.replacen(one, other, 1) == ours)
}

/// PostgreSQL hangs up on a length that no message has without a word; Tusk says why first.
fn told(theirs: &str, ours: &str) -> bool {
    let why = ours.strip_prefix("1 2 ").unwrap_or(ours);
    theirs == "closed" && ["E(FATAL 08P01) closed", "E(FATAL 54000) closed"].contains(&why)
}

/// What PostgreSQL and Tusk say to the same, where it is not the same.
fn compare(ports: (u16, u16), cases: &[(String, Vec<u8>)], wrong: &mut Vec<String>) -> BTreeSet<String> {
    let mut kinds = BTreeSet::new();
    for (what, sent) in cases {
        let (theirs, ours) = (answers(ports.0, sent), answers(ports.1, sent));
        if theirs != ours && !meant(&theirs, &ours) && !told(&theirs, &ours) {
            wrong.push(format!("{what}\n    PostgreSQL {theirs}\n    Tusk       {ours}"));
        }
        kinds.insert(theirs);
    }
    kinds
}

fn none(wrong: &[String], cases: usize, kinds: usize) {
    eprintln!("{cases} cases, {kinds} different answers of PostgreSQL, {} differ", wrong.len());
    let shown: Vec<&String> = wrong.iter().take(40).collect();
    assert!(wrong.is_empty(), "{} of {cases} differ:\n{shown:#?}", wrong.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_cut_short_or_made_longer() {
    let (postgres, tusk) = tables::start().await;
    let pid = tusk.pid();
    let mut cases = Vec::new();
    for line in VALID {
        let valid = bytes(line);
        let (tag, body) = (valid[0], &valid[5..]);
        for length in 0..body.len() {
            cases.push((format!("{line}, {length} bytes of it"), frame(tag, &body[..length])));
        }
        for more in [&b"\0"[..], b"more", &frame(b'Q', b"select 'hidden'\0")] {
            cases.push((format!("{line} and {}", more.escape_ascii()), frame(tag, &[body, more].concat())));
        }
        // Every two bytes of it another number.
        for at in (0..body.len().saturating_sub(1)).step_by(if body.len() > 40 { 3 } else { 1 }) {
            for number in [[0x7f, 0xff], [0xff, 0xff], [0x80, 0x00]] {
                let mut changed = body.to_vec();
                changed[at..at + 2].copy_from_slice(&number);
                cases.push((format!("{line} with {number:x?} at {at}"), frame(tag, &changed)));
            }
        }
    }
    let mut wrong = Vec::new();
    let kinds = compare((postgres.port(), tusk.port()), &cases, &mut wrong);
    unharmed(&tusk, pid);
    none(&wrong, cases.len(), kinds.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_in_any_order() {
    let (postgres, tusk) = tables::start().await;
    let pid = tusk.pid();
    let mut cases = Vec::new();
    for first in ORDERED {
        for second in ORDERED {
            for third in ORDERED {
                let lines = [*first, *second, *third];
                cases.push((lines.join(" / "), lines.iter().flat_map(|line| bytes(line)).collect()));
            }
        }
    }
    // A part of all that takes no two of a kind in a row, so that the test stays short.
    let cases: Vec<(String, Vec<u8>)> = cases.into_iter().step_by(2).collect();
    let mut wrong = Vec::new();
    let kinds = compare((postgres.port(), tusk.port()), &cases, &mut wrong);
    unharmed(&tusk, pid);
    none(&wrong, cases.len(), kinds.len());
}

/// Types and lengths that no message of a client has: FATAL, and the connection ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_that_are_none() {
    let (postgres, tusk) = tables::start().await;
    let pid = tusk.pid();
    let mut cases: Vec<(String, Vec<u8>)> = Vec::new();
    for tag in 0..=255_u8 {
        if !b"QPBDECHSXdcfF".contains(&tag) {
            cases.push((format!("type {tag}"), frame(tag, b"")));
        }
    }
    for tag in *b"QPBDECHSXdcf" {
        for length in [0_u32, 3, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff] {
            // Up to its own bound of size PostgreSQL waits for what comes: that is not a matter of form.
            if length == 0x7fff_ffff && b"QPBd".contains(&tag) {
                continue;
            }
            cases.push((format!("{} of length {length}", tag as char), [&[tag][..], &length.to_be_bytes()].concat()));
        }
    }
    let mut wrong = Vec::new();
    let kinds = compare((postgres.port(), tusk.port()), &cases, &mut wrong);
    unharmed(&tusk, pid);
    none(&wrong, cases.len(), kinds.len());
}
