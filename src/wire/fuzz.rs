//! A seeded mutator over start-up, framing and decoders: no panic, no growth, whatever comes.

use std::time::Duration;

use bytes::{BufMut, BytesMut};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::io::AsyncWriteExt;

use super::framing::{Allowed, FrameReader};
use super::messages::decode;
use super::startup;
use super::stream::Stream;

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.put_u32(body.len() as u32 + 4);
    bytes.put_slice(body);
    bytes
}

fn packet(code: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.put_u32(body.len() as u32 + 8);
    bytes.put_u32(code);
    bytes.put_slice(body);
    bytes
}

/// Well-formed openings; what is made of them is not.
fn openings() -> Vec<Vec<u8>> {
    vec![
        packet(196_608, b"user\0ana\0database\0tusk\0options\0-c a=b\\ c --d-e=f\0client_encoding\0UTF8\0\0"),
        packet(196_610, b"user\0ana\0_pq_.x\x001\0replication\0off\0\0"),
        packet(80_877_102, &[0, 0, 0, 9, 1, 2, 3, 4]),
        [packet(80_877_103, b""), packet(80_877_104, b""), packet(196_608, b"user\0a\0\0")].concat(),
    ]
}

/// Well-formed conversations.
fn conversations() -> Vec<Vec<u8>> {
    let bind: &[u8] = b"c\0s\0\0\x02\0\0\0\x01\0\x02\0\0\0\x03abc\xff\xff\xff\xff\0\x01\0\x01";
    vec![
        [message(b'Q', b"select 1\0"), message(b'X', b"")].concat(),
        [
            message(b'P', b"s\0select $1, $2\0\0\x02\0\0\0\x17\0\0\0\0"),
            message(b'B', bind),
            message(b'D', b"Pc\0"),
            message(b'E', b"c\0\0\0\0\x0a"),
            message(b'C', b"Ss\0"),
            message(b'H', b""),
            message(b'S', b""),
        ]
        .concat(),
        [message(b'd', b"1\t2\n"), message(b'c', b""), message(b'f', b"no\0"), message(b'F', b"\0\0\0\0")].concat(),
        message(b'p', b"SCRAM-SHA-256\0\0\0\0\x0bn,,n=,r=abc"),
    ]
}

fn mutate(bytes: &mut Vec<u8>, random: &mut StdRng) {
    for _ in 0..random.random_range(1..6) {
        let at = random.random_range(0..bytes.len().max(1));
        match random.random_range(0..7) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << random.random_range(0..8),
            1 if !bytes.is_empty() => bytes[at] = *[0, 1, 0x7f, 0x80, 0xff].get(at % 5).unwrap_or(&0),
            2 => bytes.truncate(at),
            3 => bytes.insert(at.min(bytes.len()), random.random()),
            4 if bytes.len() > at + 4 => bytes[at..at + 4].copy_from_slice(&random.random::<u32>().to_be_bytes()),
            5 if bytes.len() > at + 4 => bytes[at..at + 4].copy_from_slice(&[0xff, 0xff, 0xff, random.random()]),
            _ => {
                let copy = bytes[at.min(bytes.len())..].to_vec();
                bytes.extend_from_slice(&copy[..copy.len().min(200)]);
            }
        }
    }
}

/// Feeds a conversation to the framer in pieces and decodes what it cuts.
async fn converse(bytes: &[u8], allowed: Allowed, piece: usize) {
    let (mut client, server) = tokio::io::duplex(4096);
    let (half, write) = Stream::Memory(server).split();
    let mut reader = FrameReader::new(half, BytesMut::new());
    reader.login_done();
    let feed = async {
        for piece in bytes.chunks(piece) {
            if client.write_all(piece).await.is_err() {
                break;
            }
        }
        drop(client);
    };
    let read = async move {
        while let Ok(Some(frame)) = reader.next(allowed, 1 << 16).await {
            let kind = frame.kind;
            if let Ok(message) = decode(frame) {
                assert!(!format!("{message:?}").is_empty(), "{kind}");
            }
            assert!(reader.buffered() <= 128 * 1024);
        }
        // The feeder must not wait for a reader that has given up.
        drop(reader);
        drop(write);
    };
    tokio::join!(feed, read);
}

#[tokio::test]
async fn no_bytes_panic_or_hang() {
    let mut random = StdRng::seed_from_u64(7);
    let (openings, conversations) = (openings(), conversations());
    for round in 0..50_000_usize {
        if round % 2 == 0 {
            let mut bytes = openings[(round / 2) % openings.len()].clone();
            mutate(&mut bytes, &mut random);
            let (mut client, server) = tokio::io::duplex(1 << 16);
            client.write_all(&bytes).await.unwrap();
            client.shutdown().await.unwrap();
            let opened = startup::open(Stream::Memory(server), None);
            let opened = tokio::time::timeout(Duration::from_secs(5), opened).await.expect("no hang");
            if let Ok(Some(opened)) = opened {
                assert!(opened.buffer.capacity() <= 16 * 1024);
            }
        } else {
            let mut bytes = conversations[(round / 2) % conversations.len()].clone();
            mutate(&mut bytes, &mut random);
            let allowed = if random.random_bool(0.2) { Allowed::Login } else { Allowed::Session };
            let piece = random.random_range(1..64);
            let talk = converse(&bytes, allowed, piece);
            tokio::time::timeout(Duration::from_secs(5), talk).await.expect("no hang");
        }
    }
}
