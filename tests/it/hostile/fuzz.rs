//! A seeded mutator over whole sessions, from the start-up on: transcripts are what it begins with, nothing is too strange for it.
//! Must not know: what the right answer is.
//!
//! `TUSK_FUZZ=100000` for more inputs than the few of every run, `TUSK_FUZZ_SEED=n` for others.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::{AT_ONCE, unharmed};
use crate::harness::daemon::Daemon;
use crate::harness::peer::{Came, Peer};
use crate::harness::raw::{Raw, frame, rows};
use crate::transcripts::notation::Script;
use crate::transcripts::send::Send;
use crate::transcripts::{paths, tables};

/// Inputs of an ordinary run.
const INPUTS: u64 = 2_000;

/// Sessions that are attacked at once.
const AT_A_TIME: u64 = 4;

/// What a server that is not told the end may be silent for before it is.
const SILENCE: Duration = Duration::from_millis(60);

/// Growth that is none of a leak, in bytes.
const GROWTH: u64 = 256 << 20;

/// Conversations: the messages of each connection of each transcript, its start-up first.
fn corpus() -> Vec<Vec<Vec<u8>>> {
    let mut all = Vec::new();
    for path in paths() {
        let script = Script::read("corpus", &std::fs::read_to_string(&path).unwrap());
        let names: std::collections::BTreeSet<String> = script.steps().map(|step| step.connection.clone()).collect();
        for name in names {
            let mut messages = Vec::new();
            for step in script.steps().filter(|step| step.connection == name) {
                for message in &step.messages {
                    if let Send::Bytes(bytes, _) | Send::Ask(bytes) = message {
                        messages.push(bytes.clone());
                    }
                }
            }
            if messages.first().is_some_and(|first| first.first() != Some(&0)) {
                messages.insert(0, start());
            }
            if !messages.is_empty() {
                all.push(messages);
            }
        }
    }
    all
}

fn start() -> Vec<u8> {
    let body = b"\0\x03\0\0user\0ana\0database\0tusk\0statement_timeout\x002000\0\0";
    [&(body.len() as i32 + 4).to_be_bytes()[..], body].concat()
}

/// An input: a conversation with some of it left out, doubled, exchanged, mixed with others, and bytes changed.
fn input(corpus: &[Vec<Vec<u8>>], random: &mut StdRng) -> Vec<u8> {
    let mut messages = corpus[random.random_range(0..corpus.len())].clone();
    // Most leave the start-up as it is: behind a broken one nothing is reached.
    let first = usize::from(random.random_bool(0.9));
    for _ in 0..random.random_range(1..6) {
        let at = random.random_range(first.min(messages.len())..=messages.len());
        match random.random_range(0..8) {
            0 if at < messages.len() => drop(messages.remove(at)),
            1 if at < messages.len() => messages.insert(at, messages[at].clone()),
            2 if at < messages.len() => {
                let other = random.random_range(first.min(at)..messages.len());
                messages.swap(at, other);
            }
            3 => {
                let other = &corpus[random.random_range(0..corpus.len())];
                let other = other[random.random_range(0..other.len())].clone();
                messages.insert(at, other);
            }
            4 if at < messages.len() => relength(&mut messages[at], random),
            _ if at < messages.len() => change(&mut messages[at], random),
            _ => messages.push(frame(random.random(), &[random.random(); 3])),
        }
    }
    messages.concat()
}

/// The body changed, and the length with it: the message stays in its frame.
fn relength(message: &mut Vec<u8>, random: &mut StdRng) {
    if message.len() < 5 || message[0] == 0 {
        return;
    }
    let mut body = message[5..].to_vec();
    match random.random_range(0..3) {
        0 => body.truncate(random.random_range(0..=body.len())),
        1 => body.extend((0..random.random_range(1..40)).map(|_| random.random::<u8>())),
        _ => change(&mut body, random),
    }
    *message = frame(message[0], &body);
}

fn change(bytes: &mut Vec<u8>, random: &mut StdRng) {
    for _ in 0..random.random_range(1..4) {
        if bytes.is_empty() {
            return;
        }
        let at = random.random_range(0..bytes.len());
        match random.random_range(0..6) {
            0 => bytes[at] ^= 1 << random.random_range(0..8),
            1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random.random_range(0..5)],
            2 => bytes.truncate(at),
            3 => bytes.insert(at, random.random()),
            4 if bytes.len() > at + 4 => bytes[at..at + 4].copy_from_slice(&random.random::<u32>().to_be_bytes()),
            _ => {
                let end = (at + random.random_range(1..60)).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
        }
    }
}

/// Sends an input, cut into pieces as networks do; what is wrong with how it ends.
fn attack(tusk: &Daemon, bytes: &[u8], random: &mut StdRng) -> Option<String> {
    let mut peer = Peer::open(tusk.port(), SILENCE);
    let piece = random.random_range(1..=bytes.len().max(2));
    let taken = bytes.chunks(piece).all(|piece| peer.send(piece));
    if taken {
        peer.send(&[frame(b'S', b""), frame(b'X', b"")].concat());
    }
    if random.random_bool(0.1) {
        peer.reset();
        return None;
    }
    let begun = Instant::now();
    let mut left = false;
    loop {
        match peer.next() {
            Came::Message(message) => {
                let fields = if message.tag == b'E' { message.fields() } else { BTreeMap::new() };
                // PostgreSQL has this code for versions of binary forms, too, and names them.
                let told = fields.get(&'M').is_some_and(|told| told.contains(" version number "));
                if fields.get(&'C').is_some_and(|code| code == "XX000") && !told {
                    return Some(format!("an internal error: {fields:?}"));
                }
            }
            Came::Closed => return None,
            Came::Silence if !left => {
                left = true;
                peer.leave();
            }
            Came::Silence if begun.elapsed() > AT_ONCE => return Some("the connection stays open".into()),
            Came::Silence => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_conversation_harms_the_daemon() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (inputs, seed) = (number("TUSK_FUZZ").unwrap_or(INPUTS), number("TUSK_FUZZ_SEED").unwrap_or(3));
    let (_postgres, tusk) = tables::start().await;
    let (pid, corpus) = (tusk.pid(), corpus());
    let before = tusk.resident();
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for thread in 0..AT_A_TIME {
            let (tusk, corpus, wrong) = (&tusk, &corpus, &wrong);
            scope.spawn(move || {
                let mut good = Raw::login(tusk.port(), "ana", "tusk");
                for round in (thread..inputs).step_by(AT_A_TIME as usize) {
                    let mut random = StdRng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(round));
                    let bytes = input(corpus, &mut random);
                    let found = attack(tusk, &bytes, &mut random);
                    assert_eq!(rows(&good.ask("select 1")), [[Some("1".to_owned())]], "round {round}");
                    if let Some(found) = found {
                        let shown: String = bytes.escape_ascii().to_string().chars().take(1_500).collect();
                        wrong.lock().unwrap().push(format!("round {round}: {found}\n{shown}"));
                    }
                }
            });
        }
    });
    unharmed(&tusk, pid);
    let grown = tusk.resident().saturating_sub(before);
    let wrong = wrong.into_inner().unwrap();
    eprintln!("{inputs} inputs from {} conversations, seed {seed}: {} KiB grown", corpus.len(), grown >> 10);
    assert!(wrong.is_empty(), "{} inputs end badly:\n{}", wrong.len(), wrong.join("\n"));
    assert!(grown < GROWTH, "{grown} bytes grown");
}
