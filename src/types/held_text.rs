//! Text that stands for a value: brought to the form PostgreSQL holds, and shown under a session's options.
//! Must not know: Arrow arrays, send formats.

use bytes::{BufMut, BytesMut};

use super::binary::array;
use super::binary::input::Input;
use super::format::{ByteaOutput, DateFormat, FormatOptions, IntervalStyle};
use super::forms::{multirange_of, range_bound, sender, write_timetz};
use super::input::array::parse_array;
use super::input::network::{Inet, parse_mac, parse_mac8, write_mac};
use super::input::number::{
    parse_bool, parse_c_number, parse_f32, parse_f64, parse_i16, parse_i32, parse_i64, parse_oid,
};
use super::input::{bits, datetime, geometry, interval, json, multirange, range, search, search_query, xml};
use super::numeric::Numeric;
use super::pg_type::PgType;
use super::receive::receiver;
use super::text::datetime::{ZoneClock, write_date, write_time, write_timestamp};
use super::text::line::write_int;
use super::text::list::write_element;
use super::text::{bytes as bytes_text, float, interval as interval_text};
use crate::error::{Error, Result, SqlState};

/// Bytes of text that a value sent in a much shorter form may become (a numeric of ten bytes has 130,000 digits).
pub(crate) const MAX_HELD: usize = 256 << 20;

/// Appends the text PostgreSQL would hold for a value of a type that is held as text, checking it as its input
/// function does.
/// Values of scalar types come out in the default styles.
///
/// # Errors
/// The input function's own; `0A000` for a type whose text is not known here.
pub(crate) fn write_canonical(pg: PgType, text: &str, options: &FormatOptions, out: &mut BytesMut) -> Result<()> {
    if let Some(element) = pg.element().filter(|_| !matches!(pg.oid, 22 | 30)) {
        return canonical_array(element, text, options, out);
    }
    if let Some(bound) = range_bound(pg.oid) {
        return range::write_canonical(bound, text, options, out);
    }
    if let Some(bound) = multirange_of(pg.oid).and_then(|of| range_bound(of.oid)) {
        return multirange::write_canonical(bound, text, options, out);
    }
    let precision = pg.typmod;
    match pg.oid {
        16 => out.put_u8(if parse_bool(text)? { b't' } else { b'f' }),
        17 => bytes_text::write_bytea(&bits::parse_bytea(text)?, ByteaOutput::Hex, out),
        // The first byte alone, which need not be a character: then in octal, as it is received.
        18 => through_binary(pg, text, out)?,
        19 => out.extend_from_slice(bits::fit_name(text).as_bytes()),
        20 => write_int(parse_i64(text)?, out),
        21 => write_int(parse_i16(text)?.into(), out),
        23 => write_int(parse_i32(text)?.into(), out),
        26 => write_int(parse_oid(text, "oid")?.into(), out),
        28 | 29 => write_int(i64::from(parse_c_number(text) as u32), out),
        22 => write_vector(text, |item| parse_i16(item).map(i64::from), out)?,
        30 => write_vector(text, |item| parse_oid(item, "oid").map(i64::from), out)?,
        142 => {
            xml::check_content(text)?;
            out.extend_from_slice(text.as_bytes());
        }
        114 => {
            json::check_json(text)?;
            out.extend_from_slice(text.as_bytes());
        }
        3802 => out.extend_from_slice(json::jsonb_text(text)?.as_bytes()),
        650 => Inet::parse(text, true)?.write(out),
        869 => Inet::parse(text, false)?.write(out),
        700 => float::write_float(parse_f32(text)?, 1, out),
        701 => float::write_float(parse_f64(text)?, 1, out),
        774 => write_mac(&parse_mac8(text)?, out),
        829 => write_mac(&parse_mac(text)?, out),
        1042 | 1043 => {
            let fitted = match pg.declared_length() {
                Some(length) => bits::fit_text(text, length, pg.oid == 1042)?,
                None => text.into(),
            };
            out.extend_from_slice(fitted.as_bytes());
        }
        1082 => write_date(datetime::parse_date(text, options)?, Default::default(), out),
        1083 => write_time(datetime::parse_time(text, options, precision)?, out),
        1114 => write_timestamp(datetime::parse_timestamp(text, options, precision)?, Default::default(), out),
        1184 => {
            let usecs = datetime::parse_timestamptz(text, options, precision)?;
            ZoneClock::new(Default::default()).write(usecs, Default::default(), out);
        }
        1186 => {
            let value = interval::parse_interval(text, options.interval_style, precision)?;
            interval_text::write_interval(value, IntervalStyle::Postgres, out);
        }
        1266 => {
            let (usecs, east) = datetime::parse_timetz(text, options, precision)?;
            write_timetz(usecs, east, out);
        }
        1560 | 1562 => {
            if let Some(length) = pg.declared_length() {
                bits::check_bit_length(text, length, pg.oid == 1562)?;
            }
            out.extend_from_slice(bits::parse_bits(text)?.as_bytes());
        }
        1700 if pg.typmod < 0 && is_canonical_number(text.as_bytes()) => out.extend_from_slice(text.as_bytes()),
        1700 => out.extend_from_slice(canonical_numeric(pg, text)?.to_string().as_bytes()),
        2950 => bytes_text::write_uuid(&bits::parse_uuid(text)?, out),
        5069 => out.extend_from_slice(parse_c_number(text).to_string().as_bytes()),
        27 | 3220 => through_binary(pg, text, out)?,
        600..=604 | 628 | 718 => geometry::parse(pg.oid, text)?.write(1, out),
        3614 => search::write_vector(&search::parse_vector(text, false)?, out),
        3615 => search_query::write_query(&search_query::parse_query(text, false)?, out)?,
        _ if is_taken_as_is(pg) => out.extend_from_slice(text.as_bytes()),
        _ => return Err(Error::unsupported(format!("type {} is not supported", pg.bare().display_name()))),
    }
    Ok(())
}

/// The name that PostgreSQL writes for one of its own types.
fn type_name(text: &str) -> Result<String> {
    let by_oid = text.parse().ok().map(PgType::new).filter(|found| found.row().is_some() || found.oid == 0);
    let found = by_oid.or_else(|| if text == "-" { Some(PgType::new(0)) } else { PgType::from_name(text) });
    match found {
        Some(found) if found.oid == PgType::BPCHAR.oid => Ok("character".to_owned()),
        Some(found) if found.oid == PgType::BIT.oid => Ok("bit".to_owned()),
        Some(found) => Ok(found.bare().display_name()),
        None => Err(Error::unsupported("type regtype is not supported for types that are not PostgreSQL's own")),
    }
}

/// Numbers with one blank between them.
fn write_vector(text: &str, read: fn(&str) -> Result<i64>, out: &mut BytesMut) -> Result<()> {
    let mut rest = text.trim_ascii_start();
    while !rest.is_empty() {
        let item = rest.split_ascii_whitespace().next().unwrap_or_default();
        // PostgreSQL shows all that it has not read.
        let value = read(item).or_else(|error| match error.state() {
            SqlState::INVALID_TEXT_REPRESENTATION => read(rest),
            _ => Err(error),
        })?;
        if rest.len() < text.trim_ascii_start().len() {
            out.put_u8(b' ');
        }
        write_int(value, out);
        rest = rest.get(item.len()..).unwrap_or_default().trim_ascii_start();
    }
    Ok(())
}

/// Through the send format and back.
fn through_binary(pg: PgType, text: &str, out: &mut BytesMut) -> Result<()> {
    let mut sent = BytesMut::new();
    if let (Some(send), Some(receive)) = (sender(pg), receiver(pg)) {
        send(text, &mut sent)?;
        receive(&mut Input::new(&sent), out)?;
    }
    Ok(())
}

/// Types whose text is the value (text, cursor names), and those that are not PostgreSQL's own. The names and digits of oids are for
/// the catalog's functions to make sense of.
fn is_taken_as_is(pg: PgType) -> bool {
    matches!(pg.oid, 25 | 705 | 1790 | 2275 | 2278) || is_name_of_oid(pg) || pg.row().is_none()
}

/// Whether a short number is written as PostgreSQL writes it: no exponent, no needless zeros before it, digits
/// around the point.
fn is_canonical_number(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits.iter().take_while(|b| b.is_ascii_digit()).count();
    let fraction = match &digits[whole..] {
        [] => &[][..],
        [b'.', rest @ ..] if !rest.is_empty() && rest.iter().all(u8::is_ascii_digit) => rest,
        _ => return false,
    };
    let leading_zero = digits.first() == Some(&b'0');
    // Zero has no sign.
    let signed_zero = digits.len() < text.len() && leading_zero && fraction.iter().all(|b| *b == b'0');
    whole > 0 && text.len() < 1000 && !(leading_zero && whole > 1) && !signed_zero
}

/// A numeric from its text, rounded to the declared precision if there is one.
pub(crate) fn canonical_numeric(pg: PgType, text: &str) -> Result<Numeric> {
    let number = Numeric::parse(text)?;
    match pg.precision_scale() {
        Some((precision, scale)) => number.to_precision(precision, scale),
        None => Ok(number),
    }
}

/// The `reg...` types.
const fn is_name_of_oid(pg: PgType) -> bool {
    matches!(pg.oid, 24 | 2202..=2206 | 3734 | 3769 | 4089 | 4096 | 4191)
}

/// The text of an element that names an oid. Nobody looks at it again, so that it must be the name that PostgreSQL writes.
fn named_element(element: PgType, text: &str, out: &mut BytesMut) -> Result<()> {
    match text {
        "-" => out.extend_from_slice(b"-"),
        _ if element.oid == PgType::REGTYPE.oid => out.extend_from_slice(type_name(text)?.as_bytes()),
        _ => return Err(Error::unsupported(format!("type {}[] is not supported", element.display_name()))),
    }
    Ok(())
}

fn canonical_array(element: PgType, text: &str, options: &FormatOptions, out: &mut BytesMut) -> Result<()> {
    rewrite_array(element, text, out, |item, scratch| {
        if is_name_of_oid(element) {
            return named_element(element, item, scratch);
        }
        write_canonical(element, item, options, scratch)
    })
}

/// Appends an array's text with each of its elements written anew.
fn rewrite_array(
    element: PgType,
    text: &str,
    out: &mut BytesMut,
    mut write: impl FnMut(&str, &mut BytesMut) -> Result<()>,
) -> Result<()> {
    let delimiter = element.row().map_or(b',', |row| row.delimiter);
    let parsed = parse_array(text, delimiter)?;
    let mut items = parsed.elements.iter();
    let mut scratch = BytesMut::new();
    let mut item = |out: &mut BytesMut| -> Result<()> {
        match items.next().and_then(Option::as_deref) {
            None => out.extend_from_slice(b"NULL"),
            Some(text) => {
                scratch.clear();
                write(text, &mut scratch)?;
                write_element(&scratch, delimiter, out);
            }
        }
        Ok(())
    };
    array::write_array(&parsed.dimensions, delimiter, &mut item, out)
}

/// A restyling function that can be kept.
pub(crate) type Restyle = Box<dyn FnMut(&str, &mut BytesMut) -> Result<()> + std::marker::Send>;

/// Whether these options make the text of a value that is held as text another one.
#[must_use]
pub fn shown_otherwise(pg: PgType, options: &FormatOptions) -> bool {
    restyled(pg, options).is_some()
}

/// How the text of an array or a range from a source is shown under these options; None where it is shown as it is
/// held.
///
/// Only those over types whose look depends on options need it: they are held in the default styles, in UTC.
pub(crate) fn restyled(pg: PgType, options: &FormatOptions) -> Option<Restyle> {
    if let Some(element) = pg.element() {
        let mut inner = restyled(element, options).or_else(|| restyled_scalar(element, options))?;
        return Some(Box::new(move |text, out| rewrite_array(element, text, out, &mut inner)));
    }
    if let Some(of) = multirange_of(pg.oid) {
        let mut inner = restyled_scalar(range_bound(of.oid)?, options)?;
        return Some(Box::new(move |text, out| multirange::rewrite(text, out, &mut inner)));
    }
    if matches!(pg.oid, 600..=604 | 628 | 718) {
        let (oid, digits) = (pg.oid, options.extra_float_digits);
        let differs = digits <= 0;
        return differs.then(|| -> Restyle {
            Box::new(move |text, out| {
                geometry::parse(oid, text)?.write(digits, out);
                Ok(())
            })
        });
    }
    let mut inner = restyled_scalar(range_bound(pg.oid)?, options)?;
    Some(Box::new(move |text, out| range::rewrite_range(text, out, &mut inner)))
}

/// The same for one element or bound.
fn restyled_scalar(pg: PgType, options: &FormatOptions) -> Option<Restyle> {
    let held = FormatOptions::default();
    let style = options.date_style;
    let dates_differ = style.format != DateFormat::Iso;
    Some(match pg.oid {
        1082 if dates_differ => Box::new(move |text, out| {
            write_date(datetime::parse_date(text, &held)?, style, out);
            Ok(())
        }),
        1114 if dates_differ => Box::new(move |text, out| {
            write_timestamp(datetime::parse_timestamp(text, &held, -1)?, style, out);
            Ok(())
        }),
        1184 if dates_differ || options.time_zone != held.time_zone => {
            let mut clock = ZoneClock::new(options.time_zone.clone());
            Box::new(move |text, out| {
                clock.write(datetime::parse_timestamptz(text, &held, -1)?, style, out);
                Ok(())
            })
        }
        1186 if options.interval_style != held.interval_style => {
            let style = options.interval_style;
            Box::new(move |text, out| {
                interval_text::write_interval(interval::parse_interval(text, IntervalStyle::Postgres, -1)?, style, out);
                Ok(())
            })
        }
        17 if options.bytea_output != held.bytea_output => {
            let form = options.bytea_output;
            Box::new(move |text, out| {
                bytes_text::write_bytea(&bits::parse_bytea(text)?, form, out);
                Ok(())
            })
        }
        700 | 701 if options.extra_float_digits <= 0 => {
            let (digits, single) = (options.extra_float_digits, pg.oid == 700);
            Box::new(move |text, out| {
                if single {
                    float::write_float(parse_f32(text)?, digits, out);
                } else {
                    float::write_float(parse_f64(text)?, digits, out);
                }
                Ok(())
            })
        }
        _ => return None,
    })
}
