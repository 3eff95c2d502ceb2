//! For each type that may be held as text: how that text is sent, and how what was sent becomes text.
//! Must not know: Arrow arrays.

use std::sync::Arc;

use bytes::{BufMut, BytesMut};

use super::binary::{array, bad_binary, form, numeric, range, scalar};
use super::format::{ByteaOutput, FormatOptions, IntervalStyle};
use super::input::network::{Inet, parse_mac, parse_mac8, write_mac};
use super::input::number::{parse_bool, parse_f32, parse_f64, parse_i16, parse_i32, parse_i64, parse_oid, trim};
use super::input::{bits, datetime, interval};
use super::pg_type::PgType;
use super::text::datetime::{ZoneClock, write_date, write_offset, write_time, write_timestamp};
use super::text::line::{Line, write_int};
use super::text::{bytes as bytes_text, float, interval as interval_text};
use crate::error::{Error, Result, SqlState};

/// Appends the send format of a value from its text.
pub(crate) type Send<'a> = &'a dyn Fn(&str, &mut BytesMut) -> Result<()>;
/// Appends the text of a value from its send format.
pub(crate) type Receive<'a> = &'a dyn Fn(&[u8], &mut BytesMut) -> Result<()>;
/// A sender that can be kept.
pub(crate) type OwnedSend = Arc<dyn Fn(&str, &mut BytesMut) -> Result<()> + std::marker::Send + Sync>;
/// A receiver that can be kept.
pub(crate) type OwnedReceive = Arc<dyn Fn(&[u8], &mut BytesMut) -> Result<()> + std::marker::Send + Sync>;

fn defaults() -> FormatOptions {
    FormatOptions::default()
}

/// The type of a range's bounds.
pub(crate) fn range_bound(oid: u32) -> Option<PgType> {
    Some(match oid {
        3904 => PgType::INT4,
        3906 => PgType::NUMERIC,
        3908 => PgType::TIMESTAMP,
        3910 => PgType::TIMESTAMPTZ,
        3912 => PgType::DATE,
        3926 => PgType::INT8,
        _ => return None,
    })
}

/// How the text of a type is sent; None where the type has no binary form here.
pub(crate) fn sender(pg: PgType) -> Option<OwnedSend> {
    if let Some(element) = pg.element() {
        let send = sender(element)?;
        return Some(match pg.oid {
            22 | 30 => Arc::new(move |text, out| array::send_vector(text, element, &*send, out)),
            _ => Arc::new(move |text, out| array::send_text(text, element, &*send, out)),
        });
    }
    if let Some(bound) = range_bound(pg.oid) {
        let send = sender(bound)?;
        return Some(Arc::new(move |text, out| range::send_text(text, &*send, out)));
    }
    let send: fn(&str, &mut BytesMut) -> Result<()> = match pg.oid {
        16 => |t, out| parse_bool(t).map(|v| out.put_u8(u8::from(v))),
        17 => |t, out| bits::parse_bytea(t).map(|v| out.extend_from_slice(&v)),
        18 => |t, out| {
            out.put_u8(t.as_bytes().first().copied().unwrap_or(0));
            Ok(())
        },
        19 | 25 | 114 | 142 | 705 | 1042 | 1043 | 1790 | 2275 => |t, out| {
            out.extend_from_slice(t.as_bytes());
            Ok(())
        },
        // void is sent as nothing.
        2278 => |_, _| Ok(()),
        20 => |t, out| parse_i64(t).map(|v| out.put_i64(v)),
        21 => |t, out| parse_i16(t).map(|v| out.put_i16(v)),
        23 => |t, out| parse_i32(t).map(|v| out.put_i32(v)),
        26 | 28 | 29 => |t, out| parse_oid(t, "oid").map(|v| out.put_u32(v)),
        24 | 2202..=2206 | 3734 | 3769 | 4089 | 4096 | 4191 => send_registered,
        27 => send_tid,
        3802 | 4072 => |t, out| {
            out.put_u8(1);
            out.extend_from_slice(t.as_bytes());
            Ok(())
        },
        600 => send_point,
        650 => |t, out| Inet::parse(t, true).map(|v| v.send(out)),
        869 => |t, out| Inet::parse(t, false).map(|v| v.send(out)),
        700 => |t, out| parse_f32(t).map(|v| out.put_f32(v)),
        701 => |t, out| parse_f64(t).map(|v| out.put_f64(v)),
        774 => |t, out| parse_mac8(t).map(|v| out.extend_from_slice(&v)),
        829 => |t, out| parse_mac(t).map(|v| out.extend_from_slice(&v)),
        1082 => |t, out| scalar::send_date(datetime::parse_date(t, &defaults())?, out),
        1083 => |t, out| datetime::parse_time(t, &defaults(), -1).map(|v| out.put_i64(v)),
        1114 => |t, out| scalar::send_timestamp(datetime::parse_timestamp(t, &defaults(), -1)?, out),
        1184 => |t, out| scalar::send_timestamp(datetime::parse_timestamptz(t, &defaults(), -1)?, out),
        1186 => {
            |t, out| interval::parse_interval(t, IntervalStyle::Postgres, -1).map(|v| scalar::send_interval(v, out))
        }
        1266 => |t, out| {
            datetime::parse_timetz(t, &defaults(), -1).map(|(usecs, east)| scalar::send_timetz(usecs, east, out))
        },
        1560 | 1562 => |t, out| bits::parse_bits(t).map(|v| scalar::send_bits(&v, out)),
        1700 => numeric::send_text,
        2950 => |t, out| bits::parse_uuid(t).map(|v| out.extend_from_slice(&v)),
        3220 => |t, out| parse_lsn(t).map(|v| out.put_u64(v)),
        5069 => |t, out| match trim(t).parse::<u64>() {
            Ok(v) => {
                out.put_u64(v);
                Ok(())
            }
            Err(_) => Err(super::input::number::invalid("xid8", t)),
        },
        _ => return None,
    };
    Some(Arc::new(send))
}

/// A reg* value as its oid. Of names only those of built-in types are known here.
fn send_registered(text: &str, out: &mut BytesMut) -> Result<()> {
    let oid = match text {
        "-" => Some(0),
        _ if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok(),
        _ => PgType::from_name(text).map(|found| found.oid),
    };
    out.put_u32(oid.ok_or_else(|| form("regclass"))?);
    Ok(())
}

fn send_tid(text: &str, out: &mut BytesMut) -> Result<()> {
    let parts = trim(text).strip_prefix('(').and_then(|t| t.strip_suffix(')')).and_then(|t| t.split_once(','));
    let parsed = parts.and_then(|(block, offset)| Some((block.parse::<u32>().ok()?, offset.parse::<u16>().ok()?)));
    let (block, offset) = parsed.ok_or_else(|| super::input::number::invalid("tid", text))?;
    out.put_u32(block);
    out.put_u16(offset);
    Ok(())
}

fn send_point(text: &str, out: &mut BytesMut) -> Result<()> {
    let body = trim(text);
    let body = body.strip_prefix('(').and_then(|t| t.strip_suffix(')')).unwrap_or(body);
    let (x, y) = body.split_once(',').ok_or_else(|| super::input::number::invalid("point", text))?;
    out.put_f64(parse_f64(x)?);
    out.put_f64(parse_f64(y)?);
    Ok(())
}

fn parse_lsn(text: &str) -> Result<u64> {
    let part = |t: &str| u32::from_str_radix(t, 16).ok().filter(|_| !t.starts_with('+')).map(u64::from);
    text.split_once('/')
        .and_then(|(high, low)| Some(part(high)? << 32 | part(low)?))
        .ok_or_else(|| super::input::number::invalid("pg_lsn", text))
}

/// How the send format of a type becomes its text (in PostgreSQL's default styles, UTC); None where it is not known
/// here.
pub(crate) fn receiver(pg: PgType) -> Option<OwnedReceive> {
    if let Some(element) = pg.element() {
        let receive = receiver(element)?;
        return Some(match pg.oid {
            22 | 30 => Arc::new(move |bytes, out| receive_vector(bytes, element, &*receive, out)),
            _ => Arc::new(move |bytes, out| array::receive_text(bytes, element, &*receive, out)),
        });
    }
    if let Some(bound) = range_bound(pg.oid) {
        let receive = receiver(bound)?;
        return Some(Arc::new(move |bytes, out| range::receive_text(bytes, &*receive, out)));
    }
    let receive: fn(&[u8], &mut BytesMut) -> Result<()> = match pg.oid {
        16 => |b, out| match b {
            [value] => {
                out.put_u8(if *value != 0 { b't' } else { b'f' });
                Ok(())
            }
            _ => Err(bad_binary("boolean")),
        },
        17 => |b, out| {
            bytes_text::write_bytea(b, ByteaOutput::Hex, out);
            Ok(())
        },
        18 => receive_char,
        19 | 25 | 114 | 142 | 705 | 1042 | 1043 | 1790 | 2275 => receive_utf8,
        20 => |b, out| scalar::exact(b, "bigint").map(|v| write_int(i64::from_be_bytes(v), out)),
        21 => |b, out| scalar::exact(b, "smallint").map(|v| write_int(i16::from_be_bytes(v).into(), out)),
        23 => |b, out| scalar::exact(b, "integer").map(|v| write_int(i32::from_be_bytes(v).into(), out)),
        26 | 28 | 29 => |b, out| scalar::exact(b, "oid").map(|v| write_int(u32::from_be_bytes(v).into(), out)),
        27 => receive_tid,
        3802 | 4072 => |b, out| match b {
            [1, text @ ..] => receive_utf8(text, out),
            _ => Err(bad_binary("jsonb")),
        },
        600 => receive_point,
        650 => |b, out| receive_inet(b, true, out),
        869 => |b, out| receive_inet(b, false, out),
        700 => |b, out| scalar::exact(b, "real").map(|v| float::write_float(f32::from_be_bytes(v), 1, out)),
        701 => |b, out| scalar::exact(b, "double precision").map(|v| float::write_float(f64::from_be_bytes(v), 1, out)),
        774 => |b, out| scalar::exact::<8>(b, "macaddr8").map(|v| write_mac(&v, out)),
        829 => |b, out| scalar::exact::<6>(b, "macaddr").map(|v| write_mac(&v, out)),
        1082 => |b, out| scalar::receive_date(b).map(|v| write_date(v, Default::default(), out)),
        1083 => |b, out| scalar::receive_time(b).map(|v| write_time(v, out)),
        1114 => |b, out| scalar::receive_timestamp(b).map(|v| write_timestamp(v, Default::default(), out)),
        1184 => |b, out| {
            let usecs = scalar::receive_timestamp(b)?;
            ZoneClock::new(Default::default()).write(usecs, Default::default(), out);
            Ok(())
        },
        1186 => {
            |b, out| scalar::receive_interval(b).map(|v| interval_text::write_interval(v, IntervalStyle::Postgres, out))
        }
        1266 => |b, out| scalar::receive_timetz(b).map(|(usecs, east)| write_timetz(usecs, east, out)),
        1560 | 1562 => scalar::receive_bits,
        1700 => |b, out| numeric::receive(b).map(|v| numeric::write_text(&v, out)),
        2950 => |b, out| scalar::exact::<16>(b, "uuid").map(|v| bytes_text::write_uuid(&v, out)),
        3220 => |b, out| {
            let value = u64::from_be_bytes(scalar::exact(b, "pg_lsn")?);
            out.extend_from_slice(format!("{:X}/{:X}", value >> 32, value & 0xffff_ffff).as_bytes());
            Ok(())
        },
        5069 => |b, out| {
            let mut line = Line::<20>::new();
            line.padded(u64::from_be_bytes(scalar::exact(b, "xid8")?), 1);
            line.flush(out);
            Ok(())
        },
        _ => return None,
    };
    Some(Arc::new(receive))
}

fn receive_vector(bytes: &[u8], element: PgType, receive: Receive, out: &mut BytesMut) -> Result<()> {
    let mut text = BytesMut::new();
    array::receive_text(bytes, element, receive, &mut text)?;
    // `[0:1]={1,2}` as an array; as a vector its elements with blanks between.
    let inside = text.iter().position(|b| *b == b'{').map_or(0, |at| at + 1);
    let inside = text.get(inside..text.len().saturating_sub(1)).unwrap_or_default();
    out.extend(inside.iter().map(|b| if *b == b',' { b' ' } else { *b }));
    Ok(())
}

/// Checks that bytes are UTF-8 without NUL and appends them.
pub(crate) fn receive_utf8(bytes: &[u8], out: &mut BytesMut) -> Result<()> {
    utf8(bytes)?;
    out.extend_from_slice(bytes);
    Ok(())
}

/// Bytes as text: `22021` where they are not UTF-8, or have a NUL in them.
#[inline]
pub(crate) fn utf8(bytes: &[u8]) -> Result<&str> {
    let text = std::str::from_utf8(bytes).map_err(|error| invalid_utf8(bytes, error.valid_up_to()))?;
    if bytes.contains(&0) {
        return Err(invalid_utf8(bytes, bytes.iter().position(|b| *b == 0).unwrap_or(0)));
    }
    Ok(text)
}

#[cold]
fn invalid_utf8(bytes: &[u8], at: usize) -> Error {
    let rest = bytes.get(at..).unwrap_or_default();
    // As many bytes as the first one announces, which is what PostgreSQL shows.
    let announced = match rest.first() {
        Some(0xf0..=0xf7) => 4,
        Some(0xe0..=0xef) => 3,
        Some(0xc0..=0xdf) => 2,
        _ => 1,
    };
    let shown: Vec<String> = rest.iter().take(announced).map(|b| format!("0x{b:02x}")).collect();
    let message = format!("invalid byte sequence for encoding \"UTF8\": {}", shown.join(" "));
    Error::client(SqlState::CHARACTER_NOT_IN_REPERTOIRE, message)
}

fn receive_char(bytes: &[u8], out: &mut BytesMut) -> Result<()> {
    match bytes {
        [0] => Ok(()),
        [byte] if byte.is_ascii() => {
            out.put_u8(*byte);
            Ok(())
        }
        // A byte that is no character of its own, as later versions of PostgreSQL write it.
        [byte] => {
            out.extend_from_slice(&[b'\\', b'0' + (byte >> 6), b'0' + ((byte >> 3) & 7), b'0' + (byte & 7)]);
            Ok(())
        }
        _ => Err(bad_binary("\"char\"")),
    }
}

fn receive_tid(bytes: &[u8], out: &mut BytesMut) -> Result<()> {
    let [a, b, c, d, e, f] = scalar::exact(bytes, "tid")?;
    let (block, offset) = (u32::from_be_bytes([a, b, c, d]), u16::from_be_bytes([e, f]));
    out.extend_from_slice(format!("({block},{offset})").as_bytes());
    Ok(())
}

fn receive_point(bytes: &[u8], out: &mut BytesMut) -> Result<()> {
    let (x, y) = bytes.split_at_checked(8).ok_or_else(|| bad_binary("point"))?;
    out.put_u8(b'(');
    float::write_float(f64::from_be_bytes(scalar::exact(x, "point")?), 1, out);
    out.put_u8(b',');
    float::write_float(f64::from_be_bytes(scalar::exact(y, "point")?), 1, out);
    out.put_u8(b')');
    Ok(())
}

fn receive_inet(bytes: &[u8], cidr: bool, out: &mut BytesMut) -> Result<()> {
    let value = Inet::receive(bytes).filter(|value| value.cidr == cidr);
    value.ok_or_else(|| bad_binary(if cidr { "cidr" } else { "inet" }))?.write(out);
    Ok(())
}

pub(crate) fn write_timetz(usecs: i64, east: i32, out: &mut BytesMut) {
    write_time(usecs, out);
    let mut line = Line::<16>::new();
    write_offset(&mut line, east, false);
    line.flush(out);
}
