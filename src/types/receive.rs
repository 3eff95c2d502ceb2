//! For each type that may be held as text: how what was sent becomes that text, checked as PostgreSQL checks it.
//! Must not know: Arrow arrays, text options.

use std::sync::Arc;

use bytes::{BufMut, BytesMut};

use super::binary::input::Input;
use super::binary::{array, geometry, numeric, range, scalar, search};
use super::format::{ByteaOutput, IntervalStyle};
use super::forms::{multirange_of, range_bound, write_timetz};
use super::input::network::{Inet, write_mac};
use super::pg_type::PgType;
use super::text::datetime::{ZoneClock, write_date, write_time, write_timestamp};
use super::text::line::{Line, write_int};
use super::text::{bytes as bytes_text, float, interval as interval_text};
use crate::error::{Error, Result, SqlState};

/// Reads a value in its send format and appends its text. What it leaves of the input is too much.
pub(crate) type Receive<'a> = &'a dyn Fn(&mut Input<'_>, &mut BytesMut) -> Result<()>;
/// A receiver that can be kept.
pub(crate) type OwnedReceive = Arc<dyn Fn(&mut Input<'_>, &mut BytesMut) -> Result<()> + Send + Sync>;

/// Bytes of a name that PostgreSQL holds, with the zero behind it.
const NAME_LENGTH: usize = 64;

/// How the send format of a type becomes its text (in PostgreSQL's default styles, UTC); None where it is not known
/// here.
pub(crate) fn receiver(pg: PgType) -> Option<OwnedReceive> {
    if let Some(element) = pg.element() {
        let receive = receiver(element)?;
        return Some(match pg.oid {
            22 | 30 => Arc::new(move |input, out| array::receive_vector(input, pg, element, &*receive, out)),
            _ => Arc::new(move |input, out| array::receive_text(input, element, &*receive, out)),
        });
    }
    if let Some(of) = multirange_of(pg.oid) {
        let (bound, receive) = (range_bound(of.oid)?, receiver(range_bound(of.oid)?)?);
        return Some(Arc::new(move |input, out| range::receive_multirange(input, bound, &*receive, out)));
    }
    if let Some(bound) = range_bound(pg.oid) {
        let receive = receiver(bound)?;
        return Some(Arc::new(move |input, out| range::receive_text(input, bound, &*receive, out)));
    }
    plain(pg.oid)
        .or_else(|| timed(pg.oid))
        .or_else(|| other(pg.oid))
        .map(|receive| -> OwnedReceive { Arc::new(receive) })
}

type Plain = fn(&mut Input<'_>, &mut BytesMut) -> Result<()>;

/// Text, numbers and bytes.
fn plain(oid: u32) -> Option<Plain> {
    Some(match oid {
        16 => |b, out| {
            out.put_u8(if b.u8()? != 0 { b't' } else { b'f' });
            Ok(())
        },
        17 => |b, out| {
            bytes_text::write_bytea(b.all(), ByteaOutput::Hex, out);
            Ok(())
        },
        18 => receive_char,
        19 => receive_name,
        25 | 114 | 142 | 705 | 1042 | 1043 | 1790 | 2275 => |b, out| receive_utf8(b.all(), out),
        3802 => |b, out| receive_versioned("jsonb", b, out),
        4072 => |b, out| receive_versioned("jsonpath", b, out),
        20 => |b, out| b.i64().map(|v| write_int(v, out)),
        21 => |b, out| b.i16().map(|v| write_int(v.into(), out)),
        23 => |b, out| b.i32().map(|v| write_int(v.into(), out)),
        26 | 28 | 29 => |b, out| b.u32().map(|v| write_int(v.into(), out)),
        700 => |b, out| b.f32().map(|v| float::write_float(v, 1, out)),
        701 => |b, out| b.f64().map(|v| float::write_float(v, 1, out)),
        1560 | 1562 => scalar::receive_bits,
        1700 => |b, out| numeric::receive(b).map(|v| numeric::write_text(&v, out)),
        5069 => |b, out| {
            let mut line = Line::<20>::new();
            line.padded(b.u64()?, 1);
            line.flush(out);
            Ok(())
        },
        _ => return None,
    })
}

/// Dates, times, intervals.
fn timed(oid: u32) -> Option<Plain> {
    Some(match oid {
        1082 => |b, out| scalar::date(b.i32()?).map(|v| write_date(v, Default::default(), out)),
        1083 => |b, out| scalar::time(b.i64()?).map(|v| write_time(v, out)),
        1114 => |b, out| scalar::timestamp(b.i64()?).map(|v| write_timestamp(v, Default::default(), out)),
        1184 => |b, out| {
            let usecs = scalar::timestamp(b.i64()?)?;
            ZoneClock::new(Default::default()).write(usecs, Default::default(), out);
            Ok(())
        },
        1186 => {
            |b, out| scalar::receive_interval(b).map(|v| interval_text::write_interval(v, IntervalStyle::Postgres, out))
        }
        1266 => |b, out| scalar::receive_timetz(b).map(|(usecs, east)| write_timetz(usecs, east, out)),
        _ => return None,
    })
}

/// Addresses, identifiers, shapes, documents.
fn other(oid: u32) -> Option<Plain> {
    Some(match oid {
        27 => |b, out| {
            let (block, offset) = (b.u32()?, b.u16()?);
            out.extend_from_slice(format!("({block},{offset})").as_bytes());
            Ok(())
        },
        600 => geometry::receive_point,
        601 => geometry::receive_lseg,
        602 => geometry::receive_path,
        603 => geometry::receive_box,
        604 => geometry::receive_polygon,
        628 => geometry::receive_line,
        718 => geometry::receive_circle,
        650 => |b, out| Inet::receive(b, true).map(|v| v.write(out)),
        869 => |b, out| Inet::receive(b, false).map(|v| v.write(out)),
        774 => |b, out| {
            // Six bytes are an address of the shorter kind.
            if b.left() == 6 {
                let [a, b, c, d, e, f] = b.bytes()?;
                write_mac(&[a, b, c, 0xff, 0xfe, d, e, f], out);
            } else {
                write_mac(&b.bytes::<8>()?, out);
            }
            Ok(())
        },
        829 => |b, out| b.bytes::<6>().map(|v| write_mac(&v, out)),
        2950 => |b, out| b.array::<16>().map(|v| bytes_text::write_uuid(&v, out)),
        3220 => |b, out| {
            let value = b.u64()?;
            out.extend_from_slice(format!("{:X}/{:X}", value >> 32, value & 0xffff_ffff).as_bytes());
            Ok(())
        },
        3614 => search::receive_vector,
        3615 => search::receive_query,
        _ => return None,
    })
}

fn receive_name(input: &mut Input<'_>, out: &mut BytesMut) -> Result<()> {
    let text = utf8(input.all())?;
    if text.len() >= NAME_LENGTH {
        return Err(Error::client(SqlState::NAME_TOO_LONG, "identifier too long")
            .with_detail(format!("Identifier must be less than {NAME_LENGTH} characters.")));
    }
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// The version of a document's form, then its text. A source's needs no check; a client's gets one: `params`.
fn receive_versioned(name: &str, input: &mut Input<'_>, out: &mut BytesMut) -> Result<()> {
    let version = input.number()?;
    if version != 1 {
        return Err(unknown_version(name, version));
    }
    receive_utf8(input.all(), out)
}

/// PostgreSQL calls it an internal error; it is the client's.
fn unknown_version(what: &str, version: u8) -> Error {
    Error::client(SqlState::INTERNAL_ERROR, format!("unsupported {what} version number {version}"))
}

/// Checks that bytes are UTF-8 without NUL and appends them.
fn receive_utf8(bytes: &[u8], out: &mut BytesMut) -> Result<()> {
    utf8(bytes)?;
    out.extend_from_slice(bytes);
    Ok(())
}

/// Bytes as text: `22021` where they are not UTF-8, or have a NUL in them.
#[inline]
pub(crate) fn utf8(bytes: &[u8]) -> Result<&str> {
    let text = std::str::from_utf8(bytes).map_err(|error| invalid_utf8(bytes, error.valid_up_to()))?;
    if bytes.contains(&0) {
        return Err(invalid_utf8(bytes, bytes.len()));
    }
    Ok(text)
}

#[cold]
fn invalid_utf8(bytes: &[u8], at: usize) -> Error {
    // Whichever comes first: what is no character, or a NUL.
    let at = bytes.iter().take(at).position(|byte| *byte == 0).unwrap_or(at);
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

fn receive_char(input: &mut Input<'_>, out: &mut BytesMut) -> Result<()> {
    match input.u8()? {
        0 => {}
        byte if byte.is_ascii() => out.put_u8(byte),
        // A byte that is no character of its own, as later versions of PostgreSQL write it.
        byte => out.extend_from_slice(&[b'\\', b'0' + (byte >> 6), b'0' + ((byte >> 3) & 7), b'0' + (byte & 7)]),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::types::{
        ColumnBuilder, FormatOptions, Param, binary_encoder, binary_readable, builtin_types, decode_param, field,
        row_text,
    };

    /// Bytes that look like lengths, flags, counts and the oids of elements more often than chance would have it.
    fn hostile() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![
            4 => Just(0u8),
            2 => prop::sample::select(vec![1u8, 2, 3, 4, 8, 16, 20, 23, 25, 0x7f, 0x80, 0xff]),
            1 => any::<u8>(),
        ];
        prop::collection::vec(byte, 0..120)
    }

    /// The header of an array of this type with such bytes behind it.
    fn as_array(pg: PgType, bytes: &[u8]) -> Vec<u8> {
        let Some(element) = pg.element() else { return bytes.to_vec() };
        let length = bytes.len() as i32 % 3;
        let header = [1, 0, element.oid as i32, length, 1].map(i32::to_be_bytes).concat();
        [header.as_slice(), bytes].concat()
    }

    /// What is taken has a text that is read back as itself, and a binary form; everything else is an error.
    fn taken_or_refused(pg: PgType, bytes: &[u8]) {
        let options = FormatOptions::default();
        let Ok(array) = decode_param(pg, Param { number: 1, format: 1, value: Some(bytes) }, &options) else { return };
        let made = field("c", pg, true);
        let text = row_text(&made, &array, 0, &options).unwrap().unwrap();
        let mut encoder = binary_encoder(&made).unwrap();
        encoder.bind(&array).unwrap();
        encoder.encode(0, &mut BytesMut::new()).unwrap_or_else(|error| panic!("{} {text:?}: {error}", pg.name()));
        // jsonpath has no input function here; a tsvector may be sent with a word twice.
        if matches!(pg.oid, 4072 | 4073 | 3614 | 3643) {
            return;
        }
        let mut builder = ColumnBuilder::new(pg, 1);
        builder.append_text(Some(&text), &options).unwrap_or_else(|error| panic!("{} {text:?}: {error}", pg.name()));
        assert_eq!(row_text(&made, &builder.finish(), 0, &options).unwrap().unwrap(), text, "{}", pg.name());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn whatever_is_sent(bytes in hostile()) {
            for row in builtin_types().iter().filter(|row| binary_readable(row.oid)) {
                let pg = PgType::new(row.oid);
                taken_or_refused(pg, &bytes);
                taken_or_refused(pg, &as_array(pg, &bytes));
                taken_or_refused(PgType::numeric(15, 2), &bytes);
            }
        }
    }
}
