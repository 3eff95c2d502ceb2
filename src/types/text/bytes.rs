//! The text of bytea, in hex and escaped.
//! Must not know: Arrow arrays.

use bytes::{BufMut, BytesMut};

use crate::types::format::ByteaOutput;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends bytes as lower-case hex.
pub(crate) fn write_hex(bytes: &[u8], out: &mut BytesMut) {
    out.reserve(bytes.len() * 2);
    let mut chunk = [0u8; 128];
    for part in bytes.chunks(64) {
        for (pair, byte) in chunk.chunks_exact_mut(2).zip(part) {
            pair[0] = HEX[usize::from(byte >> 4)];
            pair[1] = HEX[usize::from(byte & 15)];
        }
        out.extend_from_slice(&chunk[..part.len() * 2]);
    }
}

/// The text of bytea.
pub(crate) fn write_bytea(bytes: &[u8], form: ByteaOutput, out: &mut BytesMut) {
    if form == ByteaOutput::Hex {
        out.extend_from_slice(b"\\x");
        return write_hex(bytes, out);
    }
    for byte in bytes {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x20..=0x7e => out.put_u8(*byte),
            _ => out.extend_from_slice(&[b'\\', b'0' + (byte >> 6), b'0' + ((byte >> 3) & 7), b'0' + (byte & 7)]),
        }
    }
}

/// The text of a uuid's 16 bytes (any other length is written as hex alone).
pub(crate) fn write_uuid(bytes: &[u8], out: &mut BytesMut) {
    if bytes.len() != 16 {
        return write_hex(bytes, out);
    }
    for (at, range) in [(0, 0..4), (1, 4..6), (2, 6..8), (3, 8..10), (4, 10..16)] {
        if at > 0 {
            out.put_u8(b'-');
        }
        write_hex(bytes.get(range).unwrap_or_default(), out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms() {
        let mut out = BytesMut::new();
        write_bytea(b"a\x01\\\xff", ByteaOutput::Hex, &mut out);
        out.put_u8(b' ');
        write_bytea(b"a\x01\\\xff", ByteaOutput::Escape, &mut out);
        assert_eq!(out, "\\x61015cff a\\001\\\\\\377");
        out.clear();
        let long: Vec<u8> = (0..=255).collect();
        write_hex(&long, &mut out);
        assert!(out.len() == 512 && out.ends_with(b"fdfeff"));
    }
}
