//! Proof of who a client is: SCRAM, a certificate, or (on loopback) its word. One failure ends the connection.
//! Must not know: where accounts come from, what a session is.

mod scram;

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf, Bytes};

use crate::config::AuthMethod;
use crate::error::{Error, Result, SqlState};
use crate::wire::framing::{Allowed, FrameReader, MAX_SASL_BYTES, violation};
use crate::wire::messages::BackendWriter;
use crate::wire::stream::WriteHalf;
use crate::wire::throttle::Throttle;
use crate::wire::tls::TlsPeer;
use scram::{Exchange, Offer, Verifier};

/// Failed logins of one address within [`FAILURES_WINDOW`] that cost nothing: people mistype.
const FREE_FAILURES: u32 = 20;

/// Over which failed logins are counted.
const FAILURES_WINDOW: Duration = Duration::from_secs(10);

/// How long the answer to a further failure is held back. Only failures wait: a good password from behind the same
/// address (a proxy, say) is answered at once.
const FAILURE_DELAY: Duration = Duration::from_millis(500);

/// Who may log in.
pub trait Accounts: Send + Sync {
    /// The SCRAM verifier of a user (`SCRAM-SHA-256$…`); `None`: no such user, or one without a password.
    fn verifier(&self, user: &str) -> Option<String>;

    /// Whether the user exists and has a role.
    fn has_roles(&self, user: &str) -> bool;

    /// Whether a role of the user is an administrator's: some connections are kept for those.
    fn is_admin(&self, user: &str) -> bool;
}

/// The two directions of a connection that is logging in.
#[derive(Debug)]
pub struct Talk<'a> {
    /// What the client says.
    pub reader: &'a mut FrameReader,
    /// What it is told.
    pub writer: &'a mut BackendWriter,
    /// Where that is sent.
    pub stream: &'a mut WriteHalf,
}

/// Who a client says it is, and what speaks for it.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// The user of the start-up packet.
    pub user: &'a str,
    /// Where it comes from; `None`: a Unix socket.
    pub peer: Option<SocketAddr>,
    /// What TLS told.
    pub tls: Option<&'a TlsPeer>,
}

/// How a login ended without an answer that is still due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The claim is proven.
    Proven,
    /// The peer left.
    Gone,
}

/// Judges claims.
pub struct Authenticator {
    secret: [u8; 32],
    throttle: Throttle,
}

impl Authenticator {
    /// `secret` makes up the salts of users that do not exist; the same secret makes the same salts.
    #[must_use]
    pub fn new(secret: [u8; 32]) -> Self {
        Authenticator { secret, throttle: Throttle::new(FAILURES_WINDOW, FREE_FAILURES) }
    }

    /// Asks for the proof of a claim. AuthenticationOk is not sent; the caller does so once everything else is settled.
    ///
    /// The caller bounds the time.
    ///
    /// # Errors
    /// Each is FATAL and the end of the connection. `28P01`: a wrong password, an unknown user (the same text, the same
    /// time); `28000`: no certificate or another user's, no role, trust from afar; `08P01`: the protocol was broken.
    pub async fn prove(
        &self,
        talk: &mut Talk<'_>,
        claim: Claim<'_>,
        method: AuthMethod,
        accounts: &dyn Accounts,
    ) -> Result<Outcome> {
        let proven = match method {
            AuthMethod::ScramSha256 => self.password(talk, claim, accounts).await,
            AuthMethod::Cert => certificate(claim),
            AuthMethod::Trust => trust(claim),
        };
        match proven {
            Ok(Outcome::Gone) => Ok(Outcome::Gone),
            Ok(Outcome::Proven) if accounts.has_roles(claim.user) => Ok(Outcome::Proven),
            Ok(Outcome::Proven) => Err(Error::policy(
                SqlState::INVALID_AUTHORIZATION,
                format!("role \"{}\" is not permitted to log in", claim.user),
            )),
            Err(error) => {
                if self.throttle.failed(claim.peer.map(|peer| peer.ip().to_canonical()), Instant::now()) {
                    tokio::time::sleep(FAILURE_DELAY).await;
                }
                Err(error)
            }
        }
    }

    async fn password(&self, talk: &mut Talk<'_>, claim: Claim<'_>, accounts: &dyn Accounts) -> Result<Outcome> {
        let binding = claim.tls.and_then(|tls| tls.binding.as_deref());
        if binding.is_some() {
            talk.writer.authentication_sasl(&[scram::PLUS, scram::PLAIN]);
        } else {
            talk.writer.authentication_sasl(&[scram::PLAIN]);
        }
        let Some(choice) = listen(talk).await? else {
            return Ok(Outcome::Gone);
        };
        let (mechanism, first) = initial_response(choice)?;
        if mechanism != scram::PLAIN && !(mechanism == scram::PLUS && binding.is_some()) {
            return Err(violation("client selected an invalid SASL authentication mechanism"));
        }
        let first = match first {
            Some(first) => first,
            None => {
                talk.writer.authentication_sasl_continue(b"");
                match listen(talk).await? {
                    Some(first) => first,
                    None => return Ok(Outcome::Gone),
                }
            }
        };
        let offer = Offer { mechanism: &mechanism, binding };
        let (answer, exchange) = scram::begin(&offer, &first, self.verifier(claim.user, accounts), &nonce())?;
        talk.writer.authentication_sasl_continue(answer.as_bytes());
        let Some(last) = listen(talk).await? else {
            return Ok(Outcome::Gone);
        };
        finish(talk, exchange, &last, claim.user)
    }

    /// The user's verifier, or nobody's.
    fn verifier(&self, user: &str, accounts: &dyn Accounts) -> Verifier {
        let mock = Verifier::mock(&self.secret, user);
        match accounts.verifier(user) {
            None => mock,
            Some(text) => Verifier::parse(&text).unwrap_or_else(|| {
                tracing::error!(user, "the password of this user is not a SCRAM verifier");
                mock
            }),
        }
    }
}

impl std::fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authenticator").finish_non_exhaustive()
    }
}

fn finish(talk: &mut Talk<'_>, exchange: Exchange, last: &[u8], user: &str) -> Result<Outcome> {
    match exchange.finish(last)? {
        Some(answer) => {
            talk.writer.authentication_sasl_final(answer.as_bytes());
            Ok(Outcome::Proven)
        }
        None => Err(Error::policy(
            SqlState::INVALID_PASSWORD,
            format!("password authentication failed for user \"{user}\""),
        )),
    }
}

/// Sends what is due and takes the next answer; `None`: the peer left.
async fn listen(talk: &mut Talk<'_>) -> Result<Option<Bytes>> {
    if talk.writer.flush(talk.stream).await.is_err() {
        return Ok(None);
    }
    Ok(talk.reader.next(Allowed::Login, MAX_SASL_BYTES).await?.map(|frame| frame.body.freeze()))
}

/// SASLInitialResponse: the mechanism, and the first message if it comes with it.
fn initial_response(mut body: Bytes) -> Result<(String, Option<Bytes>)> {
    let Some(end) = body.iter().position(|byte| *byte == 0) else {
        return Err(violation("invalid string in message"));
    };
    // A name that is no text is no mechanism either.
    let mechanism = String::from_utf8_lossy(&body.split_to(end)).into_owned();
    body.advance(1);
    if body.len() < 4 {
        return Err(violation("insufficient data left in message"));
    }
    match (body.get_i32(), body.len()) {
        (-1, 0) => Ok((mechanism, None)),
        (length, left) => match usize::try_from(length) {
            Ok(length) if length == left => Ok((mechanism, Some(body))),
            Ok(length) if length < left => Err(violation("invalid message format")),
            _ if length == -1 => Err(violation("invalid message format")),
            _ => Err(violation("insufficient data left in message")),
        },
    }
}

/// 144 random bits, printable.
fn nonce() -> String {
    STANDARD.encode(rand::random::<[u8; 18]>())
}

fn certificate(claim: Claim<'_>) -> Result<Outcome> {
    match claim.tls.map(|tls| tls.common_name.as_deref()) {
        Some(Some(name)) if name == claim.user => Ok(Outcome::Proven),
        Some(Some(_)) => Err(Error::policy(
            SqlState::INVALID_AUTHORIZATION,
            format!("certificate authentication failed for user \"{}\"", claim.user),
        )),
        _ => Err(Error::policy(SqlState::INVALID_AUTHORIZATION, "connection requires a valid client certificate")),
    }
}

/// The configuration refuses trust off loopback; this looks at the peer all the same.
fn trust(claim: Claim<'_>) -> Result<Outcome> {
    match claim.peer.map(|peer| peer.ip().to_canonical()) {
        None => Ok(Outcome::Proven),
        Some(address) if IpAddr::is_loopback(&address) => Ok(Outcome::Proven),
        Some(address) => Err(Error::policy(
            SqlState::INVALID_AUTHORIZATION,
            format!("trust authentication is refused for host \"{address}\", user \"{}\"", claim.user),
        )),
    }
}

#[cfg(test)]
pub(crate) mod tests;
