//! Reads parts of a value from the front of its bytes, with PostgreSQL's errors for what is missing or left over.
//! Must not know: what any type looks like.

use crate::error::{Error, Result, SqlState};

/// What PostgreSQL says of bytes behind the end of a value, up to the place where they were.
pub(crate) const LEFT_OVER: &str = "incorrect binary data format";

/// The bytes of a value that are not read yet.
pub(crate) struct Input<'a> {
    rest: &'a [u8],
}

macro_rules! numbers {
    ($($name:ident: $type:ty;)*) => {
        $(
            #[inline]
            pub(crate) fn $name(&mut self) -> Result<$type> {
                self.array().map(<$type>::from_be_bytes)
            }
        )*
    };
}

impl<'a> Input<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Input { rest: bytes }
    }

    numbers! {
        i16: i16;
        u16: u16;
        i32: i32;
        u32: u32;
        i64: i64;
        u64: u64;
        f32: f32;
        f64: f64;
    }

    /// The next byte.
    #[inline]
    pub(crate) fn u8(&mut self) -> Result<u8> {
        self.array().map(|[byte]| byte).map_err(|_| no_data())
    }

    /// The next bytes, which PostgreSQL takes one by one.
    pub(crate) fn bytes<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.array().map_err(|_| no_data())
    }

    /// The next byte, which PostgreSQL takes as a number.
    pub(crate) fn number(&mut self) -> Result<u8> {
        self.array().map(|[byte]| byte)
    }

    /// The next bytes, as many as there are elements.
    #[inline]
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (head, tail) = self.rest.split_first_chunk().ok_or_else(missing)?;
        self.rest = tail;
        Ok(*head)
    }

    /// The next bytes.
    #[inline]
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (head, tail) = self.rest.split_at_checked(count).ok_or_else(missing)?;
        self.rest = tail;
        Ok(head)
    }

    /// The next bytes, as many as a length before them says.
    pub(crate) fn sized(&mut self) -> Result<Input<'a>> {
        let length = usize::try_from(self.i32()?).map_err(|_| missing())?;
        self.take(length).map(Input::new)
    }

    /// Text up to a NUL, without it.
    pub(crate) fn string(&mut self) -> Result<&'a [u8]> {
        let end = self
            .rest
            .iter()
            .position(|byte| *byte == 0)
            .ok_or_else(|| Error::client(SqlState::PROTOCOL_VIOLATION, "invalid string in message"))?;
        let text = self.take(end)?;
        self.take(1)?;
        Ok(text)
    }

    /// All that is left.
    #[inline]
    pub(crate) fn all(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// How many bytes are left.
    #[inline]
    pub(crate) const fn left(&self) -> usize {
        self.rest.len()
    }

    /// Nothing may be left of a value.
    #[inline]
    pub(crate) fn end(&self) -> Result<()> {
        if self.rest.is_empty() { Ok(()) } else { Err(left_over()) }
    }

    /// Nothing may be left of a part that PostgreSQL treats as a message of its own.
    pub(crate) fn end_of_message(&self) -> Result<()> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(Error::client(SqlState::PROTOCOL_VIOLATION, "invalid message format"))
    }
}

/// PostgreSQL has words of its own for a byte that is missing.
#[cold]
pub(crate) fn no_data() -> Error {
    Error::client(SqlState::PROTOCOL_VIOLATION, "no data left in message")
}

/// The bytes, if they are exactly as many as the type has.
#[inline]
pub(crate) fn exact<const N: usize>(bytes: &[u8]) -> Result<[u8; N]> {
    bytes.try_into().map_err(|_| if bytes.len() < N { missing() } else { left_over() })
}

#[cold]
pub(crate) fn missing() -> Error {
    Error::client(SqlState::PROTOCOL_VIOLATION, "insufficient data left in message")
}

#[cold]
fn left_over() -> Error {
    Error::client(SqlState::INVALID_BINARY_REPRESENTATION, LEFT_OVER)
}

/// `22P03` in PostgreSQL's words for a value that is wrong inside.
#[cold]
pub(crate) fn invalid(message: impl Into<String>) -> Error {
    Error::client(SqlState::INVALID_BINARY_REPRESENTATION, message)
}
