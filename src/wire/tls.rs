//! TLS of the wire: loads what the configuration names, accepts handshakes, and knows what binds a login to them.
//! Must not know: messages, users.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;
use x509_parser::signature_algorithm::SignatureAlgorithm;

use crate::config::TlsSettings;
use crate::error::{Error, Result, SqlState};
use crate::wire::stream::Stream;

/// The protocol's name in ALPN.
const ALPN: &[u8] = b"postgresql";

/// One loaded certificate with its key: handshakes that have begun keep theirs when another is loaded.
pub struct Tls {
    acceptor: TlsAcceptor,
    binding: Option<Arc<[u8]>>,
}

/// What a handshake told of the peer.
#[derive(Debug, Clone)]
pub struct TlsPeer {
    /// The hash of the certificate that was shown (`tls-server-end-point`); `None`: its signature defines no hash.
    pub binding: Option<Arc<[u8]>>,
    /// The common name of the client's certificate, verified against `client_ca`.
    pub common_name: Option<String>,
    /// ALPN chose `postgresql`.
    pub alpn: bool,
}

impl Tls {
    /// Loads the chain, the key and the CA of clients. Never falls back to anything.
    ///
    /// # Errors
    /// `F0000`: a file that cannot be read or holds nothing of its kind, a key that is not the certificate's.
    pub fn load(settings: &TlsSettings) -> Result<Tls> {
        let chain = certificates(&settings.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&settings.private_key)
            .map_err(|error| unusable("private key", &settings.private_key, error))?;
        let binding = chain.first().and_then(|certificate| end_point_hash(certificate));
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| unusable("certificate", &settings.certificate, error))?;
        let builder = match &settings.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates(path)? {
                    roots.add(certificate).map_err(|error| unusable("client CA", path, error))?;
                }
                // A client without a certificate is refused by the login, in words; one with a wrong certificate here.
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                    .allow_unauthenticated()
                    .build()
                    .map_err(|error| unusable("client CA", path, error))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder
            .with_single_cert(chain, key)
            .map_err(|error| unusable("certificate and private key", &settings.certificate, error))?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        // Like PostgreSQL: no resumption, so that a withdrawn certificate is withdrawn.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Tls { acceptor: TlsAcceptor::from(Arc::new(config)), binding })
    }

    /// Runs the handshake; the caller bounds the time.
    ///
    /// # Errors
    /// `08P01`: it failed; TLS has told the peer, and nothing may be written in the clear.
    pub async fn accept(&self, tcp: TcpStream) -> Result<(Stream, TlsPeer)> {
        let stream = self.acceptor.accept(tcp).await.map_err(|error| {
            Error::client(SqlState::PROTOCOL_VIOLATION, "could not accept SSL connection").with_cause(error)
        })?;
        let (_, connection) = stream.get_ref();
        let peer = TlsPeer {
            binding: self.binding.clone(),
            common_name: connection
                .peer_certificates()
                .and_then(|chain| chain.first())
                .and_then(|der| common_name(der)),
            alpn: connection.alpn_protocol() == Some(ALPN),
        };
        Ok((Stream::Tls(Box::new(stream)), peer))
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| unusable("certificate", path, error))?;
    if certificates.is_empty() {
        return Err(unusable("certificate", path, io::Error::other("the file has no certificate")));
    }
    Ok(certificates)
}

fn unusable(what: &str, path: &Path, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::client(SqlState::CONFIG_FILE_ERROR, format!("could not load {what} \"{}\": {error}", path.display()))
        .with_cause(error)
}

/// RFC 5929: the hash of the certificate by the hash of its signature, MD5 and SHA-1 replaced by SHA-256.
fn end_point_hash(der: &[u8]) -> Option<Arc<[u8]>> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let oid = match SignatureAlgorithm::try_from(&certificate.signature_algorithm) {
        Ok(SignatureAlgorithm::RSASSA_PSS(parameters)) => parameters.hash_algorithm_oid().to_id_string(),
        _ => certificate.signature_algorithm.algorithm.to_id_string(),
    };
    let hash = match oid.as_str() {
        // RSA, DSA and ECDSA with MD5, SHA-1 or SHA-256, and those two hashes by themselves (PSS).
        "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.113549.1.1.11"
        | "1.2.840.10040.4.3"
        | "2.16.840.1.101.3.4.3.2"
        | "1.2.840.10045.4.1"
        | "1.2.840.10045.4.3.2"
        | "1.3.14.3.2.26"
        | "2.16.840.1.101.3.4.2.1" => Sha256::digest(der).to_vec(),
        "1.2.840.113549.1.1.14" | "2.16.840.1.101.3.4.3.1" | "1.2.840.10045.4.3.1" | "2.16.840.1.101.3.4.2.4" => {
            Sha224::digest(der).to_vec()
        }
        "1.2.840.113549.1.1.12" | "2.16.840.1.101.3.4.3.3" | "1.2.840.10045.4.3.3" | "2.16.840.1.101.3.4.2.2" => {
            Sha384::digest(der).to_vec()
        }
        "1.2.840.113549.1.1.13" | "2.16.840.1.101.3.4.3.4" | "1.2.840.10045.4.3.4" | "2.16.840.1.101.3.4.2.3" => {
            Sha512::digest(der).to_vec()
        }
        // Ed25519 and the like: no hash is defined, so nothing can be bound.
        _ => return None,
    };
    Some(hash.into())
}

/// The first common name of a certificate's subject; none that a NUL would cut short for others.
fn common_name(der: &[u8]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let name = certificate.subject().iter_common_name().next()?.as_str().ok()?;
    (!name.is_empty() && !name.contains('\0')).then(|| name.to_owned())
}
