//! Network addresses and hardware addresses: their text and their bytes.
//! Must not know: Arrow.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytes::{BufMut, BytesMut};

use super::number::{invalid, trim};
use crate::error::{Error, Result, SqlState};
use crate::types::binary::input::{Input, invalid as invalid_binary};
use crate::types::text::line::Line;

/// PostgreSQL's numbers of the two address families.
const FAMILY_V4: u8 = 2;
const FAMILY_V6: u8 = 3;

/// An inet or cidr value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Inet {
    pub(crate) address: IpAddr,
    pub(crate) bits: u8,
    pub(crate) cidr: bool,
}

impl Inet {
    const fn width(&self) -> u8 {
        match self.address {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 128,
        }
    }

    /// Whether bits are set to the right of the mask.
    fn has_host_bits(&self) -> bool {
        let free = u32::from(self.width() - self.bits);
        match self.address {
            IpAddr::V4(a) => free > 0 && u32::from(a).trailing_zeros() < free,
            IpAddr::V6(a) => free > 0 && u128::from(a).trailing_zeros() < free,
        }
    }

    /// Reads the text of an inet (`cidr` false) or a cidr.
    pub(crate) fn parse(text: &str, cidr: bool) -> Result<Inet> {
        let name = if cidr { "cidr" } else { "inet" };
        let value = read(text, cidr).ok_or_else(|| invalid(name, text))?;
        if cidr && value.has_host_bits() {
            let message = format!("invalid cidr value: \"{text}\"");
            return Err(Error::client(SqlState::INVALID_TEXT_REPRESENTATION, message)
                .with_detail("Value has bits set to right of mask."));
        }
        Ok(value)
    }

    /// Appends the text.
    pub(crate) fn write(&self, out: &mut BytesMut) {
        let mut line = Line::<64>::new();
        let _ = match self.address {
            IpAddr::V4(a) => write!(line, "{a}"),
            IpAddr::V6(a) => match a.segments() {
                // The old way to hold an IPv4 address in six zero words.
                [0, 0, 0, 0, 0, 0, high, low] if high != 0 => {
                    let v4 = Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
                    write!(line, "::{v4}")
                }
                _ => write!(line, "{a}"),
            },
        };
        if self.cidr || self.bits != self.width() {
            let _ = write!(line, "/{}", self.bits);
        }
        line.flush(out);
    }

    /// Appends PostgreSQL's send format.
    pub(crate) fn send(&self, out: &mut BytesMut) {
        let (family, octets): (u8, &[u8]) = match &self.address {
            IpAddr::V4(a) => (FAMILY_V4, &a.octets()),
            IpAddr::V6(a) => (FAMILY_V6, &a.octets()),
        };
        out.put_slice(&[family, self.bits, u8::from(self.cidr), octets.len() as u8]);
        out.put_slice(octets);
    }

    /// Reads PostgreSQL's send format. What it says of being a cidr does not count.
    pub(crate) fn receive(input: &mut Input<'_>, cidr: bool) -> Result<Inet> {
        let name = if cidr { "cidr" } else { "inet" };
        let wrong = |what: &str| invalid_binary(format!("invalid {what} in external \"{name}\" value"));
        let family = input.u8()?;
        if family != FAMILY_V4 && family != FAMILY_V6 {
            return Err(wrong("address family"));
        }
        let bits = input.u8()?;
        if bits > if family == FAMILY_V4 { 32 } else { 128 } {
            return Err(wrong("bits"));
        }
        let (_, length) = (input.u8()?, input.u8()?);
        let address = match (family, length) {
            (FAMILY_V4, 4) => IpAddr::from(input.bytes::<4>()?),
            (FAMILY_V6, 16) => IpAddr::from(input.bytes::<16>()?),
            _ => return Err(wrong("length")),
        };
        let value = Inet { address, bits, cidr };
        if cidr && value.has_host_bits() {
            return Err(
                invalid_binary("invalid external \"cidr\" value").with_detail("Value has bits set to right of mask.")
            );
        }
        Ok(value)
    }
}

fn read(text: &str, cidr: bool) -> Option<Inet> {
    let (host, mask) = match text.split_once('/') {
        Some((host, mask)) => (host, Some(mask)),
        None => (text, None),
    };
    let mask = match mask {
        None => None,
        Some(digits) => {
            let plain = !digits.is_empty() && digits.len() <= 3 && digits.bytes().all(|b| b.is_ascii_digit());
            Some(digits.parse::<u8>().ok().filter(|_| plain)?)
        }
    };
    if host.contains(':') {
        if text.split_once('/').is_some_and(|(_, digits)| digits.len() > 1 && digits.starts_with('0')) {
            return None;
        }
        let address: Ipv6Addr = host.parse().ok()?;
        let bits = mask.unwrap_or(128);
        return (bits <= 128).then_some(Inet { address: IpAddr::V6(address), bits, cidr });
    }
    let mut octets = [0u8; 4];
    let mut count = 0;
    for part in host.split('.') {
        let plain = !part.is_empty() && part.len() <= 3 && part.bytes().all(|b| b.is_ascii_digit());
        *octets.get_mut(count)? = part.parse().ok().filter(|_| plain)?;
        count += 1;
    }
    // inet may leave octets out only where it has a mask; cidr takes the mask from what is there.
    let bits = match mask {
        Some(bits) => bits,
        None if count == 4 => 32,
        // The bare 224 is all of multicast.
        None if cidr && count == 1 && octets[0] == 224 => 4,
        None if cidr => classful(octets[0]).max(count as u8 * 8),
        None => return None,
    };
    // Octets that are not there are zero; inet wants those its mask covers.
    let enough = cidr || usize::from(bits).div_ceil(8) <= count;
    (bits <= 32 && enough).then_some(Inet { address: IpAddr::V4(Ipv4Addr::from(octets)), bits, cidr })
}

/// The width of a network by its first octet, as it was before masks were written.
const fn classful(first: u8) -> u8 {
    match first {
        240.. => 32,
        224..=239 => 8,
        192..=223 => 24,
        128..=191 => 16,
        _ => 8,
    }
}

/// The forms of a hardware address of 6 bytes: how many digits an octet has (0: any number), and what stands behind
/// each octet.
const MAC_FORMS: [(usize, &[u8; 5]); 7] =
    [(0, b":::::"), (0, b"-----"), (2, b"  :  "), (2, b"  -  "), (2, b" . . "), (2, b" - - "), (2, b"     ")];

/// Reads six octets in one form, as C's scanf would.
fn scan_mac(text: &[u8], width: usize, between: &[u8; 5]) -> Option<[u32; 6]> {
    let mut octets = [0u32; 6];
    let mut rest = text;
    for (at, octet) in octets.iter_mut().enumerate() {
        rest = rest.trim_ascii_start();
        let most = if width == 0 { rest.len() } else { width.min(rest.len()) };
        let digits = rest.iter().take(most).take_while(|b| b.is_ascii_hexdigit()).count();
        if digits == 0 {
            return None;
        }
        let (number, tail) = rest.split_at(digits);
        *octet = number
            .iter()
            .fold(0u32, |n, b| n.saturating_mul(16).saturating_add((*b as char).to_digit(16).unwrap_or(0)));
        rest = match between.get(at) {
            Some(b' ') | None => tail,
            Some(separator) => tail.strip_prefix(&[*separator])?,
        };
    }
    rest.trim_ascii().is_empty().then_some(octets)
}

/// Reads a hardware address of 6 bytes.
pub(crate) fn parse_mac(text: &str) -> Result<Vec<u8>> {
    let found = MAC_FORMS.iter().find_map(|(width, between)| scan_mac(text.as_bytes(), *width, between));
    let octets = found.ok_or_else(|| invalid("macaddr", text))?;
    octets.iter().map(|octet| u8::try_from(*octet)).collect::<Result<_, _>>().map_err(|_| {
        let message = format!("invalid octet value in \"macaddr\" value: \"{text}\"");
        Error::client(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message)
    })
}

/// Reads a hardware address of 8 bytes; one of 6 gets `ff:fe` in its middle.
pub(crate) fn parse_mac8(text: &str) -> Result<Vec<u8>> {
    let bad = || invalid("macaddr8", text);
    let digit = |b: u8| (b as char).to_digit(16).map(|d| d as u8).ok_or_else(bad);
    let mut rest = trim(text).as_bytes();
    let mut bytes = Vec::with_capacity(8);
    let mut spacer = None;
    while let [high, low, tail @ ..] = rest {
        if bytes.len() == 8 {
            return Err(bad());
        }
        bytes.push(digit(*high)? << 4 | digit(*low)?);
        rest = match tail {
            [sign @ (b':' | b'-' | b'.'), after @ ..] => {
                if *spacer.get_or_insert(*sign) != *sign {
                    return Err(bad());
                }
                after
            }
            _ => tail,
        };
    }
    match bytes.len() {
        8 => Ok(bytes),
        6 => {
            bytes.splice(3..3, [0xff, 0xfe]);
            Ok(bytes)
        }
        _ => Err(bad()),
    }
}

/// Appends a hardware address: `08:00:2b:01:02:03`.
pub(crate) fn write_mac(bytes: &[u8], out: &mut BytesMut) {
    for (at, byte) in bytes.iter().enumerate() {
        if at > 0 {
            out.put_u8(b':');
        }
        crate::types::text::bytes::write_hex(&[*byte], out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, cidr: bool) -> String {
        let value = Inet::parse(text, cidr).unwrap();
        let (mut out, mut sent) = (BytesMut::new(), BytesMut::new());
        value.write(&mut out);
        value.send(&mut sent);
        assert_eq!(Inet::receive(&mut Input::new(&sent), cidr).unwrap(), value);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn addresses() {
        for (text, expected) in [
            ("10/8", "10.0.0.0/8"),
            ("10.1/16", "10.1.0.0/16"),
            ("192.168.1.5/24", "192.168.1.5/24"),
            ("10.1.2.3/32", "10.1.2.3"),
            ("::ffff:1.2.3.4", "::ffff:1.2.3.4"),
            ("::1.2.3.4", "::1.2.3.4"),
            ("::1", "::1"),
            ("1:0:0:2:0:0:0:3", "1:0:0:2::3"),
            ("1::2:0:0:3/64", "1::2:0:0:3/64"),
            ("1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"),
            ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"),
            ("::", "::"),
        ] {
            assert_eq!(shown(text, false), expected);
        }
        for (text, expected) in [
            ("2001:db8::/32", "2001:db8::/32"),
            ("10", "10.0.0.0/8"),
            ("192.168", "192.168.0.0/24"),
            ("172.16.5", "172.16.5.0/24"),
            ("1.2.3.4", "1.2.3.4/32"),
            ("224", "224.0.0.0/4"),
        ] {
            assert_eq!(shown(text, true), expected);
        }
        for bad in ["10.1", "1.2.3.256", "1.2.3.4/33", "x", "", "1.2.3.4.5", "::1/129", "1.2.3.4/"] {
            assert!(Inet::parse(bad, false).is_err(), "{bad}");
        }
        assert_eq!(
            Inet::parse("192.168.1.5/24", true).unwrap_err().detail(),
            Some("Value has bits set to right of mask.")
        );
        for bytes in [
            &b""[..],
            b"\x02\x21\x00\x04abcd",
            b"\x02\x18\x00\x05abcde",
            b"\x02\x18\x00\x04abc",
            b"\x04\x18\x00\x04abcd",
        ] {
            assert!(Inet::receive(&mut Input::new(bytes), false).is_err());
        }
    }

    #[test]
    fn hardware_addresses() {
        for text in
            ["08002b:010203", "08-00-2b-01-02-03", "0800.2b01.0203", "08002b010203", "0800-2b01-0203", "8:0:2b:1:2:3"]
        {
            assert_eq!(parse_mac(text).unwrap(), [8, 0, 0x2b, 1, 2, 3], "{text}");
        }
        assert_eq!(parse_mac8("08002b010203").unwrap(), [8, 0, 0x2b, 0xff, 0xfe, 1, 2, 3]);
        assert_eq!(
            parse_mac("08:00:2b:01:02:103").unwrap_err().message(),
            "invalid octet value in \"macaddr\" value: \"08:00:2b:01:02:103\""
        );
        assert!(parse_mac("").is_err() && parse_mac8("x").is_err());
    }
}
