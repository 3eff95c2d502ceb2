//! Decodes one frame into one message: every count and length checked, every byte used, nothing invented.
//! Must not know: sockets.

use bytes::Bytes;

use crate::error::{Error, Result, SqlState};
use crate::wire::framing::{Frame, violation};

/// What a client says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FrontendMessage {
    /// Statements, simple protocol.
    Query(String),
    /// A statement to prepare.
    Parse {
        /// The statement's name; empty: the unnamed one.
        name: String,
        /// Its text.
        sql: String,
        /// Type OIDs of the first parameters; 0: to be inferred.
        param_types: Vec<u32>,
    },
    /// Values for a prepared statement.
    Bind {
        /// The portal's name; empty: the unnamed one.
        portal: String,
        /// The statement's name; empty: the unnamed one.
        statement: String,
        /// What stands behind the names. It is read as it is needed: what is wrong with the statement is told first.
        body: BindBody,
    },
    /// What does it look like?
    Describe {
        /// A statement or a portal.
        kind: Target,
        /// Its name.
        name: String,
    },
    /// Run a portal.
    Execute {
        /// Its name.
        portal: String,
        /// Rows at most; zero or less: all.
        max_rows: i32,
    },
    /// Forget a statement or a portal.
    Close {
        /// A statement or a portal.
        kind: Target,
        /// Its name.
        name: String,
    },
    /// Send what is ready.
    Flush,
    /// End of an extended batch.
    Sync,
    /// Goodbye.
    Terminate,
    /// A piece of COPY data. Outside COPY it is ignored, as PostgreSQL does.
    CopyData(Bytes),
    /// The end of COPY data. Outside COPY it is ignored.
    CopyDone,
    /// The client gave up its COPY, and why. Outside COPY it is ignored.
    CopyFail(String),
    /// A fast-path function call, undecoded.
    FunctionCall,
    /// A password, or a step of SASL.
    Password(Bytes),
}

/// What Describe and Close mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A prepared statement.
    Statement,
    /// A portal.
    Portal,
}

/// Decodes a frame.
///
/// # Errors
/// The frame was whole, so the connection may go on (an ERROR, not a FATAL, as in PostgreSQL). `08P01`: a malformed
/// body; `22021`: text that is not UTF-8.
pub fn decode(frame: Frame) -> Result<FrontendMessage> {
    let mut body = Body(frame.body.freeze());
    let message = match frame.kind {
        b'Q' => FrontendMessage::Query(body.text()?),
        b'P' => body.parse()?,
        b'B' => {
            let (portal, statement) = (body.text()?, body.text()?);
            return Ok(FrontendMessage::Bind { portal, statement, body: BindBody(body) });
        }
        b'D' => {
            let (kind, name) = body.target("DESCRIBE")?;
            FrontendMessage::Describe { kind, name }
        }
        b'E' => FrontendMessage::Execute { portal: body.text()?, max_rows: body.int32()? },
        b'C' => {
            let (kind, name) = body.target("CLOSE")?;
            FrontendMessage::Close { kind, name }
        }
        b'H' => FrontendMessage::Flush,
        b'S' => FrontendMessage::Sync,
        // Of these PostgreSQL looks at the type alone: what else they carry makes no difference.
        b'X' | b'c' => {
            body.rest();
            if frame.kind == b'X' { FrontendMessage::Terminate } else { FrontendMessage::CopyDone }
        }
        b'd' => FrontendMessage::CopyData(body.rest()),
        b'f' => FrontendMessage::CopyFail(body.reason()),
        b'F' => {
            body.rest();
            FrontendMessage::FunctionCall
        }
        b'p' => FrontendMessage::Password(body.rest()),
        kind => return Err(violation(format!("invalid frontend message type {kind}"))),
    };
    body.end()?;
    Ok(message)
}

/// The body of a message, read from the front.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Body(Bytes);

impl Body {
    fn bytes(&mut self, count: usize) -> Result<Bytes> {
        if count > self.0.len() {
            return Err(violation("insufficient data left in message"));
        }
        Ok(self.0.split_to(count))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(&self.bytes(N)?);
        Ok(array)
    }

    fn count(&mut self) -> Result<usize> {
        Ok(usize::from(u16::from_be_bytes(self.array()?)))
    }

    fn int32(&mut self) -> Result<i32> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    fn text(&mut self) -> Result<String> {
        let Some(length) = self.0.iter().position(|byte| *byte == 0) else {
            return Err(violation("invalid string in message"));
        };
        let bytes = self.bytes(length)?;
        self.bytes(1)?;
        Ok(utf8(&bytes)?.to_owned())
    }

    fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.0)
    }

    fn end(&self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(violation("invalid message format")) }
    }

    /// Why a COPY was given up: up to the first NUL or the end. Outside COPY nobody asks for its form.
    fn reason(&mut self) -> String {
        let bytes = self.rest();
        let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        String::from_utf8_lossy(text).into_owned()
    }

    /// Subtype and name, read before either is judged, as PostgreSQL does.
    fn target(&mut self, message: &str) -> Result<(Target, String)> {
        if self.0.is_empty() {
            return Err(violation("no data left in message"));
        }
        let kind: [u8; 1] = self.array()?;
        let name = self.text()?;
        match kind {
            [b'S'] => Ok((Target::Statement, name)),
            [b'P'] => Ok((Target::Portal, name)),
            [other] => Err(violation(format!("invalid {message} message subtype {other}"))),
        }
    }

    fn formats(&mut self) -> Result<Vec<i16>> {
        // The bytes are there before the vector is made.
        let count = self.count()?;
        let bytes = self.bytes(2 * count)?;
        Ok(bytes.chunks_exact(2).map(|pair| i16::from_be_bytes([pair[0], pair[1]])).collect())
    }

    fn parse(&mut self) -> Result<FrontendMessage> {
        let name = self.text()?;
        let sql = self.text()?;
        let count = self.count()?;
        let bytes = self.bytes(4 * count)?;
        let param_types =
            bytes.chunks_exact(4).map(|oid| u32::from_be_bytes([oid[0], oid[1], oid[2], oid[3]])).collect();
        Ok(FrontendMessage::Parse { name, sql, param_types })
    }
}

/// What stands behind the names of a Bind message: to be read in this order, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindBody(Body);

impl BindBody {
    /// The formats of the parameters (none, one for all, or one for each; 0 text, 1 binary, anything else unchecked), and the number of values.
    ///
    /// # Errors
    /// `08P01`: the message is too short, or the two do not fit.
    pub fn counts(&mut self) -> Result<(Vec<i16>, usize)> {
        let formats = self.0.formats()?;
        let count = self.0.count()?;
        if formats.len() > 1 && formats.len() != count {
            let given = formats.len();
            return Err(violation(format!("bind message has {given} parameter formats but {count} parameters")));
        }
        Ok((formats, count))
    }

    /// The next value; `None`: NULL.
    ///
    /// # Errors
    /// `08P01`: the message is too short.
    pub fn value(&mut self) -> Result<Option<Bytes>> {
        match self.0.int32()? {
            -1 => Ok(None),
            length => {
                let length = usize::try_from(length).map_err(|_| violation("insufficient data left in message"))?;
                self.0.bytes(length).map(Some)
            }
        }
    }

    /// The formats of the columns: none, one for all, or one for each; 0 text, 1 binary, anything else unchecked. They end the message.
    ///
    /// # Errors
    /// `08P01`: the message is too short, or too long.
    pub fn result_formats(&mut self) -> Result<Vec<i16>> {
        let formats = self.0.formats()?;
        self.0.end()?;
        Ok(formats)
    }
}

/// Text that came from a client.
///
/// # Errors
/// `22021` with PostgreSQL's words: the bytes of the first character that is not UTF-8.
pub(crate) fn utf8(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|error| {
        let bad = bytes.get(error.valid_up_to()..).unwrap_or_default();
        let meant = match bad.first() {
            Some(0xc0..=0xdf) => 2,
            Some(0xe0..=0xef) => 3,
            Some(0xf0..=0xf7) => 4,
            _ => 1,
        };
        let shown: Vec<String> = bad.iter().take(meant).map(|byte| format!("0x{byte:02x}")).collect();
        Error::client(
            SqlState::CHARACTER_NOT_IN_REPERTOIRE,
            format!("invalid byte sequence for encoding \"UTF8\": {}", shown.join(" ")),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BytesMut;

    fn read(kind: u8, body: &[u8]) -> Result<FrontendMessage> {
        decode(Frame { kind, body: BytesMut::from(body) })
    }

    fn refused(kind: u8, body: &[u8]) -> (String, String) {
        let error = read(kind, body).unwrap_err();
        (error.state().code().to_owned(), error.message().to_owned())
    }

    #[test]
    fn reads_the_extended_protocol() {
        let parse = read(b'P', b"s1\0select $1\0\0\x01\0\0\0\x17").unwrap();
        let expected = FrontendMessage::Parse { name: "s1".into(), sql: "select $1".into(), param_types: vec![23] };
        assert_eq!(parse, expected);
        let bind = read(b'B', b"\0s1\0\0\x01\0\x01\0\x03\0\0\0\x02ab\xff\xff\xff\xff\0\0\0\0\0\x02\0\x01\0\0");
        let Ok(FrontendMessage::Bind { portal, statement, mut body }) = bind else { panic!("another message") };
        assert_eq!((portal.as_str(), statement.as_str()), ("", "s1"));
        assert_eq!(body.counts().unwrap(), (vec![1], 3));
        let values: Vec<_> = (0..3).map(|_| body.value().unwrap()).collect();
        assert_eq!(values, [Some(Bytes::from_static(b"ab")), None, Some(Bytes::new())]);
        assert_eq!(body.result_formats().unwrap(), [1, 0]);
        assert_eq!(
            read(b'E', b"\0\x7f\xff\xff\xff").unwrap(),
            FrontendMessage::Execute { portal: String::new(), max_rows: i32::MAX }
        );
        assert_eq!(
            read(b'D', b"Sx\0").unwrap(),
            FrontendMessage::Describe { kind: Target::Statement, name: "x".into() }
        );
    }

    #[test]
    fn refuses_malformed_bodies_in_postgresqls_words() {
        let protocol = |text: &str| ("08P01".to_owned(), text.to_owned());
        assert_eq!(refused(b'Q', b"select 1"), protocol("invalid string in message"));
        assert_eq!(refused(b'Q', b"select 1\0Q\0\0\0\x09x\0"), protocol("invalid message format"));
        assert_eq!(refused(b'S', b"P"), protocol("invalid message format"));
        assert_eq!(refused(b'P', b"\0x\0\0\x02\0\0\0\x17"), protocol("insufficient data left in message"));
        assert_eq!(refused(b'P', b"\0x\0\xff\xff"), protocol("insufficient data left in message"));
        assert_eq!(refused(b'E', b"\0\0\0"), protocol("insufficient data left in message"));
        let counts = |body: &'static [u8]| BindBody(Body(Bytes::from_static(body))).counts().unwrap_err();
        assert_eq!(counts(b"\0\x02\0\0\0\0\0\x01").message(), "bind message has 2 parameter formats but 1 parameters");
        assert_eq!(counts(b"\0\x02\0\0\0").message(), "insufficient data left in message");
        for short in [&b"\xff\xff\xff\xfe\0\0"[..], b"\0\0\0\x09ab", b"\0"] {
            let error = BindBody(Body(Bytes::from_static(short))).value().unwrap_err();
            assert_eq!(error.message(), "insufficient data left in message");
        }
        let error = BindBody(Body(Bytes::from_static(b"\0\0\0"))).result_formats().unwrap_err();
        assert_eq!(error.message(), "invalid message format");
        assert_eq!(refused(b'D', b"Zx\0"), protocol("invalid DESCRIBE message subtype 90"));
        assert_eq!(refused(b'C', b""), protocol("no data left in message"));
        assert_eq!(refused(0xfe, b""), protocol("invalid frontend message type 254"));
    }

    #[test]
    fn refuses_text_that_is_not_utf8() {
        let bad = |text: &str| ("22021".to_owned(), format!("invalid byte sequence for encoding \"UTF8\": {text}"));
        assert_eq!(refused(b'Q', b"select '\xff'\0"), bad("0xff"));
        assert_eq!(refused(b'Q', b"select '\xc0\xa7'\0"), bad("0xc0 0xa7"));
        assert_eq!(refused(b'Q', b"select '\xe2\x28\xa1'\0"), bad("0xe2 0x28 0xa1"));
        assert_eq!(refused(b'Q', b"\xf0\x9f\0"), bad("0xf0 0x9f"));
    }
}
