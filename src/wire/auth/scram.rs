//! SCRAM-SHA-256 and -PLUS, the server's side, from verifiers (RFC 5802, RFC 7677), in PostgreSQL's words.
//! Must not know: sockets, users.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::error::{Error, Result, SqlState};
use crate::wire::framing::violation;

/// The mechanism without channel binding.
pub(super) const PLAIN: &str = "SCRAM-SHA-256";

/// The mechanism with channel binding.
pub(super) const PLUS: &str = "SCRAM-SHA-256-PLUS";

/// The one type of channel binding.
const END_POINT: &str = "tls-server-end-point";

/// What PostgreSQL and `tusk hash-password` use, and so what a mock shows.
const MOCK_ITERATIONS: u32 = 4096;

type Key = [u8; 32];

/// What is known of a password, and not enough to log in with.
pub(super) struct Verifier {
    iterations: u32,
    salt: Vec<u8>,
    stored_key: Key,
    server_key: Key,
    /// Nobody's: the exchange runs to its end and fails there.
    mock: bool,
}

impl Verifier {
    /// Parses `SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>`.
    pub(super) fn parse(text: &str) -> Option<Verifier> {
        let mut parts = text.strip_prefix("SCRAM-SHA-256$")?.split('$');
        let (iterations, salt) = parts.next()?.split_once(':')?;
        let (stored_key, server_key) = parts.next()?.split_once(':')?;
        if parts.next().is_some() {
            return None;
        }
        Some(Verifier {
            iterations: iterations.parse().ok().filter(|count| *count > 0)?,
            salt: STANDARD.decode(salt).ok()?,
            stored_key: STANDARD.decode(stored_key).ok()?.try_into().ok()?,
            server_key: STANDARD.decode(server_key).ok()?.try_into().ok()?,
            mock: false,
        })
    }

    /// Nobody's verifier: the same salt for the same name each time, so that an unknown user looks like a known one.
    pub(super) fn mock(secret: &Key, user: &str) -> Verifier {
        let keyed = |label: &[u8]| hmac(secret, &[label, user.as_bytes()]);
        Verifier {
            iterations: MOCK_ITERATIONS,
            salt: keyed(b"salt:")[..16].to_vec(),
            stored_key: keyed(b"stored key:"),
            server_key: keyed(b"server key:"),
            mock: true,
        }
    }
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> Key {
    let mut output = Key::default();
    // A key of any length is taken; the other arm does not exist.
    if let Ok(mut mac) = <Hmac<Sha256> as Mac>::new_from_slice(key) {
        for part in parts {
            mac.update(part);
        }
        output.copy_from_slice(&mac.finalize().into_bytes());
    }
    output
}

/// What the client's first message must agree with.
pub(super) struct Offer<'a> {
    /// The mechanism that the client chose.
    pub(super) mechanism: &'a str,
    /// The certificate's hash, where -PLUS was offered.
    pub(super) binding: Option<&'a [u8]>,
}

/// The exchange, once the server's first message is made.
pub(super) struct Exchange {
    verifier: Verifier,
    /// The base64 text that `c=` must be.
    channel: String,
    nonce: String,
    /// client-first-message-bare and server-first-message, with their commas.
    transcript: String,
}

/// Answers the client's first message: the server's first message, and what awaits the client's final one.
///
/// # Errors
/// `08P01`: malformed, or channel binding that does not fit the offer (a downgrade); `0A000`: an extension.
pub(super) fn begin(offer: &Offer<'_>, message: &[u8], verifier: Verifier, nonce: &str) -> Result<(String, Exchange)> {
    let text = text(message)?;
    let mut reader = Attributes(text);
    let flag = channel_flag(&mut reader, offer)?;
    match reader.0.as_bytes().first() {
        Some(b'a') => return Err(Error::unsupported("client uses authorization identity, but it is not supported")),
        Some(b',') => reader.0 = &reader.0[1..],
        _ => return Err(malformed("Unexpected attribute in client-first-message.")),
    }
    let header = &text[..text.len() - reader.0.len()];
    let bare = reader.0;
    if bare.starts_with('m') {
        return Err(Error::unsupported("client requires an unsupported SCRAM extension"));
    }
    // The name was said in the start-up packet; the one here is not looked at.
    reader.value('n')?;
    let client_nonce = reader.value('r')?;
    if client_nonce.is_empty() || !client_nonce.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(violation("non-printable characters in SCRAM nonce"));
    }
    while !reader.0.is_empty() {
        reader.any()?;
    }
    let mut channel = header.as_bytes().to_vec();
    if flag == Flag::Bound {
        channel.extend_from_slice(offer.binding.unwrap_or_default());
    }
    let nonce = format!("{client_nonce}{nonce}");
    let first = format!("r={nonce},s={},i={}", STANDARD.encode(&verifier.salt), verifier.iterations);
    let transcript = format!("{bare},{first},");
    Ok((first, Exchange { verifier, channel: STANDARD.encode(channel), nonce, transcript }))
}

#[derive(PartialEq, Eq, Clone, Copy)]
enum Flag {
    /// The client cannot bind.
    No,
    /// The client could bind and thinks that the server cannot.
    Yes,
    /// The client binds.
    Bound,
}

fn channel_flag(reader: &mut Attributes<'_>, offer: &Offer<'_>) -> Result<Flag> {
    let plus = offer.mechanism == PLUS;
    let unbound = if plus {
        Some("The client selected SCRAM-SHA-256-PLUS, but the SCRAM message does not include channel binding data.")
    } else {
        None
    };
    let flag = match reader.0.as_bytes().first() {
        Some(b'n') => Flag::No,
        Some(b'y') => Flag::Yes,
        Some(b'p') => Flag::Bound,
        _ => return Err(malformed("Unexpected channel-binding flag.")),
    };
    if flag == Flag::Bound {
        if !plus || offer.binding.is_none() {
            return Err(malformed(
                "The client selected SCRAM-SHA-256 without channel binding, \
                 but the SCRAM message includes channel binding data.",
            ));
        }
        let kind = reader.value('p')?;
        if kind != END_POINT {
            return Err(violation(format!("unsupported SCRAM channel-binding type \"{kind}\"")));
        }
        return Ok(flag);
    }
    if let Some(detail) = unbound {
        return Err(malformed(detail));
    }
    if flag == Flag::Yes && offer.binding.is_some() {
        return Err(violation("SCRAM channel binding negotiation error").with_detail(
            "The client supports SCRAM channel binding but thinks the server does not.  \
             However, this server does support channel binding.",
        ));
    }
    reader.0 = &reader.0[1..];
    match reader.0.strip_prefix(',') {
        Some(rest) => {
            reader.0 = rest;
            Ok(flag)
        }
        None => Err(malformed("Comma expected.")),
    }
}

impl Exchange {
    /// Judges the client's final message: the server's final message, or `None` where the proof is wrong (or nobody's).
    ///
    /// # Errors
    /// `08P01`: malformed, another nonce; `28000`: another channel.
    pub(super) fn finish(self, message: &[u8]) -> Result<Option<String>> {
        let text = text(message)?;
        let mut reader = Attributes(text);
        let channel = reader.value('c')?;
        if channel != self.channel {
            let unbound = ["biws", "eSws"].contains(&self.channel.as_str());
            return Err(if unbound {
                violation("unexpected SCRAM channel-binding attribute in client-final-message")
            } else {
                Error::client(SqlState::INVALID_AUTHORIZATION, "SCRAM channel binding check failed")
            });
        }
        let nonce = reader.value('r')?;
        if nonce != self.nonce {
            return Err(violation("invalid SCRAM response").with_detail("Nonce does not match."));
        }
        let (without_proof, proof) = loop {
            let before = text.len() - reader.0.len();
            if let ('p', value) = reader.any()? {
                break (&text[..before.saturating_sub(1)], value);
            }
        };
        let proof: Key = STANDARD
            .decode(proof)
            .ok()
            .and_then(|proof| proof.try_into().ok())
            .ok_or_else(|| malformed("Malformed proof in client-final-message."))?;
        if !reader.0.is_empty() {
            return Err(malformed("Garbage found at the end of client-final-message."));
        }
        Ok(self.judge(without_proof, &proof))
    }

    /// Does the same work whoever it is.
    fn judge(&self, without_proof: &str, proof: &Key) -> Option<String> {
        let said = [self.transcript.as_bytes(), without_proof.as_bytes()];
        let mut client_key = hmac(&self.verifier.stored_key, &said);
        for (byte, proof) in client_key.iter_mut().zip(proof) {
            *byte ^= proof;
        }
        let proven = Sha256::digest(client_key).ct_eq(&self.verifier.stored_key);
        let signature = hmac(&self.verifier.server_key, &said);
        (bool::from(proven) && !self.verifier.mock).then(|| format!("v={}", STANDARD.encode(signature)))
    }
}

fn malformed(detail: &str) -> Error {
    violation("malformed SCRAM message").with_detail(detail)
}

fn text(message: &[u8]) -> Result<&str> {
    if message.is_empty() {
        return Err(malformed("The message is empty."));
    }
    if message.contains(&0) {
        return Err(malformed("Message length does not match input length."));
    }
    std::str::from_utf8(message).map_err(|_| malformed("The message is not UTF-8."))
}

/// What is left of a list of `a=value` with commas between.
struct Attributes<'a>(&'a str);

impl<'a> Attributes<'a> {
    /// The next attribute, which must be this one.
    fn value(&mut self, wanted: char) -> Result<&'a str> {
        match self.any()? {
            (name, value) if name == wanted => Ok(value),
            (name, _) => {
                Err(malformed(&format!("Expected attribute \"{wanted}\" but found \"{}\".", name.escape_debug())))
            }
        }
    }

    fn any(&mut self) -> Result<(char, &'a str)> {
        let mut characters = self.0.chars();
        let name = characters.next().ok_or_else(|| malformed("Attribute expected, but found end of string."))?;
        if !name.is_ascii_alphabetic() {
            let shown = name.escape_debug();
            return Err(malformed(&format!("Attribute expected, but found invalid character \"{shown}\".")));
        }
        let Some(rest) = characters.as_str().strip_prefix('=') else {
            return Err(malformed(&format!("Expected character \"=\" for attribute \"{name}\".")));
        };
        let (value, rest) = rest.split_once(',').unwrap_or((rest, ""));
        self.0 = rest;
        Ok((name, value))
    }
}

#[cfg(test)]
pub(super) mod tests;
