//! SCRAM-SHA-256 verifiers, in PostgreSQL's form: what is stored instead of a password.
//! Must not know: who has one, how a login goes.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, Mac};
use rand::RngCore;
use sha2::{Digest, Sha256};

/// PostgreSQL's number of iterations.
pub const SCRAM_ITERATIONS: u32 = 4096;

/// PostgreSQL's length of a salt in bytes.
const SALT_BYTES: usize = 16;

/// `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`, as in PostgreSQL's `pg_authid.rolpassword`.
#[derive(Clone)]
pub struct ScramVerifier {
    /// Rounds of PBKDF2.
    pub iterations: u32,
    /// The salt.
    pub salt: Vec<u8>,
    /// SHA-256 of the client key: 32 bytes, or no login ever matches.
    pub stored_key: Vec<u8>,
    /// The key that the server proves itself with: 32 bytes.
    pub server_key: Vec<u8>,
}

impl ScramVerifier {
    /// Parses a verifier. The form is checked, not the length of the keys: see [`ScramVerifier::usable`].
    ///
    /// # Errors
    /// What is malformed, without the text itself.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let rest = text.strip_prefix("SCRAM-SHA-256$").ok_or("it does not begin with SCRAM-SHA-256$")?;
        let (head, keys) = rest.split_once('$').ok_or("the keys are missing")?;
        let (iterations, salt) = head.split_once(':').ok_or("the salt is missing")?;
        let (stored, server) = keys.split_once(':').ok_or("the server key is missing")?;
        let iterations: u32 = iterations.parse().map_err(|_| "the number of iterations is not a number")?;
        // Fewer are no protection; more would let one login burn a core for minutes.
        if !(1..=10_000_000).contains(&iterations) {
            return Err("the number of iterations is out of range");
        }
        let salt = BASE64.decode(salt).map_err(|_| "the salt is not base64")?;
        if salt.is_empty() {
            return Err("the salt is empty");
        }
        Ok(ScramVerifier { iterations, salt, stored_key: key(stored)?, server_key: key(server)? })
    }

    /// Whether any password can match: both keys are as long as SHA-256 makes them.
    #[must_use]
    pub fn usable(&self) -> bool {
        self.stored_key.len() == 32 && self.server_key.len() == 32
    }

    /// Makes the verifier of a password with a fresh salt.
    #[must_use]
    pub fn of_password(password: &str) -> Self {
        let mut salt = [0u8; SALT_BYTES];
        rand::rng().fill_bytes(&mut salt);
        Self::with_salt(password, &salt, SCRAM_ITERATIONS)
    }

    /// Makes the verifier of a password with this salt.
    #[must_use]
    pub fn with_salt(password: &str, salt: &[u8], iterations: u32) -> Self {
        // As PostgreSQL: a password that SASLprep refuses is used as its bytes stand.
        let prepared = stringprep::saslprep(password);
        let bytes = prepared.as_deref().map_or(password.as_bytes(), str::as_bytes);
        let salted = pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(bytes, salt, iterations);
        ScramVerifier {
            iterations,
            salt: salt.to_vec(),
            stored_key: Sha256::digest(hmac(&salted, b"Client Key")).to_vec(),
            server_key: hmac(&salted, b"Server Key").to_vec(),
        }
    }
}

impl fmt::Display for ScramVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "SCRAM-SHA-256${}:{}${}:{}",
            self.iterations,
            BASE64.encode(&self.salt),
            BASE64.encode(&self.stored_key),
            BASE64.encode(&self.server_key)
        )
    }
}

impl fmt::Debug for ScramVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScramVerifier(…)")
    }
}

fn key(text: &str) -> Result<Vec<u8>, &'static str> {
    match BASE64.decode(text) {
        Ok(key) if !key.is_empty() => Ok(key),
        Ok(_) => Err("a key is empty"),
        Err(_) => Err("a key is not base64"),
    }
}

/// HMAC-SHA-256 of a 32-byte key.
fn hmac(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    // HMAC takes keys of any length: the error arm cannot happen, and an all-zero key never verifies.
    Hmac::<Sha256>::new_from_slice(key).map_or([0; 32], |mut mac| {
        mac.update(message);
        mac.finalize().into_bytes().into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips() {
        let verifier = ScramVerifier::of_password("pässword");
        let parsed = ScramVerifier::parse(&verifier.to_string()).unwrap();
        assert_eq!(parsed.stored_key, verifier.stored_key);
        assert_eq!(parsed.salt.len(), SALT_BYTES);
        assert!(parsed.usable());
    }

    #[test]
    fn same_keys_as_postgresql() {
        // From PostgreSQL 15: set password_encryption='scram-sha-256'; create role x password 'secret'; rolpassword.
        let from_postgresql = include_str!("../../tests/golden/scram_verifier.txt").trim();
        let parsed = ScramVerifier::parse(from_postgresql).unwrap();
        let ours = ScramVerifier::with_salt("secret", &parsed.salt, parsed.iterations);
        assert_eq!(ours.to_string(), from_postgresql);
    }

    #[test]
    fn malformed_ones_are_refused() {
        for text in [
            "",
            "secret",
            "md5abc",
            "SCRAM-SHA-256$4096:c2FsdA==",
            "SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk",
            "SCRAM-SHA-256$0:c2FsdA==$c3RvcmVk:c2VydmVy",
        ] {
            assert!(ScramVerifier::parse(text).is_err(), "{text}");
        }
        let example = ScramVerifier::parse("SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy").unwrap();
        assert!(!example.usable());
    }
}
