//! A short buffer on the stack in which a value's text is put together, and the digits of integers.
//! Must not know: types, Arrow.

use bytes::BytesMut;

/// The two digits of every number below 100.
const PAIRS: &[u8; 200] = b"0001020304050607080910111213141516171819\
2021222324252627282930313233343536373839\
4041424344454647484950515253545556575859\
6061626364656667686970717273747576777879\
8081828384858687888990919293949596979899";

/// A buffer of `N` bytes. What does not fit is dropped; the sizes are chosen so that everything fits.
pub(crate) struct Line<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

/// Bytes of the length of a field.
const LENGTH: usize = 4;

impl<const N: usize> Line<N> {
    pub(crate) const fn new() -> Self {
        Line { bytes: [0; N], len: 0 }
    }

    /// An empty line with room for the length of a field before it.
    #[inline]
    pub(crate) const fn of_field() -> Self {
        Line { bytes: [0; N], len: LENGTH }
    }

    /// The text of a line that is a field.
    #[inline]
    pub(crate) fn value(&self) -> &[u8] {
        self.as_bytes().get(LENGTH..).unwrap_or_default()
    }

    /// The whole field: the length, then the text.
    #[inline]
    pub(crate) fn field(&mut self) -> &[u8] {
        let length = (self.len - LENGTH) as i32;
        self.bytes[..LENGTH].copy_from_slice(&length.to_be_bytes());
        self.as_bytes()
    }

    #[inline]
    pub(crate) fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
    }

    #[inline]
    pub(crate) fn str(&mut self, text: &str) {
        self.slice(text.as_bytes());
    }

    #[inline]
    pub(crate) fn slice(&mut self, text: &[u8]) {
        if let Some(place) = self.bytes.get_mut(self.len..self.len + text.len()) {
            place.copy_from_slice(text);
            self.len += text.len();
        }
    }

    /// Two digits; the number is below 100.
    #[inline]
    pub(crate) fn two(&mut self, number: u32) {
        let at = (number as usize % 100) * 2;
        self.slice(&[PAIRS[at], PAIRS[at + 1]]);
    }

    /// The digits of a number, at least `width` of them.
    #[inline]
    pub(crate) fn padded(&mut self, number: u64, width: usize) {
        let mut digits = [0u8; 20];
        let start = digits_before(&mut digits, number);
        for _ in digits.len() - start..width {
            self.push(b'0');
        }
        self.slice(&digits[start..]);
    }

    #[inline]
    pub(crate) fn int(&mut self, number: i64) {
        if number < 0 {
            self.push(b'-');
        }
        self.padded(number.unsigned_abs(), 1);
    }

    /// A point and the microseconds (below a million) without trailing zeros; nothing for none.
    #[inline]
    pub(crate) fn fraction(&mut self, micros: u32) {
        if micros == 0 {
            return;
        }
        self.push(b'.');
        self.two(micros / 10_000);
        self.two(micros / 100);
        self.two(micros);
        while self.len > 0 && self.bytes[self.len - 1] == b'0' {
            self.len -= 1;
        }
    }

    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    #[inline]
    pub(crate) fn flush(&self, out: &mut BytesMut) {
        out.extend_from_slice(self.as_bytes());
    }
}

impl<const N: usize> std::fmt::Write for Line<N> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.str(text);
        Ok(())
    }
}

/// Writes the digits of a number at the end of a buffer; returns where they start.
#[inline]
pub(crate) fn digits_before(buffer: &mut [u8], mut number: u64) -> usize {
    let mut at = buffer.len();
    while number >= 100 {
        let pair = (number % 100) as usize * 2;
        number /= 100;
        at -= 2;
        buffer[at] = PAIRS[pair];
        buffer[at + 1] = PAIRS[pair + 1];
    }
    if number >= 10 {
        let pair = number as usize * 2;
        at -= 2;
        buffer[at] = PAIRS[pair];
        buffer[at + 1] = PAIRS[pair + 1];
    } else {
        at -= 1;
        buffer[at] = b'0' + number as u8;
    }
    at
}

/// The text of an integer.
#[inline]
pub(crate) fn write_int(number: i64, out: &mut BytesMut) {
    let mut line = Line::<21>::new();
    line.int(number);
    line.flush(out);
}
