//! TLS to a source: what each sslmode verifies, as libpq does.
//! Must not know: when connections are made.

use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use futures::FutureExt;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres::tls::{TlsConnect, TlsStream};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::frames::{Frames, Seen};
use super::line::{Encrypted, LibraryEnd, Line};
use crate::config::{PostgresSettings, SslMode};
use crate::error::{Error, Fault, Result, SqlState};

/// The TLS side of a source's connections.
///
/// # Errors
/// `F0000` where the CA file cannot be read or holds no certificate.
pub(super) fn connector(source: &str, settings: &PostgresSettings) -> Result<MakeRustlsConnect> {
    let provider = Arc::new(ring::default_provider());
    let verifier = verifier(source, settings, &provider)?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::internal("no TLS versions").with_cause(error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn verifier(source: &str, settings: &PostgresSettings, provider: &Arc<CryptoProvider>) -> Result<Verifier> {
    let algorithms = provider.signature_verification_algorithms;
    let pinned = match &settings.tls_ca {
        Some(path) => authorities(source, path)?,
        None => Vec::new(),
    };
    // As libpq has it: `require` with a CA file at hand verifies like `verify-ca`.
    let verified = match settings.sslmode {
        SslMode::Disable | SslMode::Prefer => false,
        SslMode::Require => settings.tls_ca.is_some(),
        SslMode::VerifyCa | SslMode::VerifyFull => true,
    };
    let chain = if verified { Some(chain(source, settings, &pinned, provider)?) } else { None };
    Ok(Verifier { chain, pinned, name: settings.sslmode == SslMode::VerifyFull, algorithms })
}

fn chain(
    source: &str,
    settings: &PostgresSettings,
    pinned: &[CertificateDer<'static>],
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>> {
    let mut roots = RootCertStore::empty();
    if settings.tls_ca.is_none() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    for certificate in pinned {
        roots.add(certificate.clone()).map_err(|error| ca_error(source).with_cause(error))?;
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|error| ca_error(source).with_cause(error))
}

fn authorities(source: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let cause =
        |text: String| ca_error(source).with_cause(std::io::Error::other(format!("{}: {text}", path.display())));
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>)
        .map_err(|error| cause(error.to_string()))?;
    if certificates.is_empty() {
        return Err(cause("no certificate in it".into()));
    }
    Ok(certificates)
}

fn ca_error(source: &str) -> Error {
    let message = format!("could not read the CA file of source \"{source}\"");
    Error::new(SqlState::CONFIG_FILE_ERROR, Fault::Source, message)
}

/// Verifies as much as the sslmode asks for. The handshake's signature is always verified: SCRAM's channel binding counts on it.
#[derive(Debug)]
struct Verifier {
    /// `None`: any certificate will do.
    chain: Option<Arc<WebPkiServerVerifier>>,
    /// The certificates of the CA file.
    pinned: Vec<CertificateDer<'static>>,
    /// The certificate must be for the host.
    name: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        match chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // The name is looked at last: the chain and the dates are good.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.name => Ok(ServerCertVerified::assertion()),
            // PostgreSQL's documentation makes a self-signed certificate that is its own CA; OpenSSL takes it. Its dates were looked
            // at before this was found, so what is left is that it is the very one that was configured, and its name.
            Err(rustls::Error::InvalidCertificate(CertificateError::Other(other)))
                if format!("{other:?}").contains("CaUsedAsEndEntity")
                    && self.pinned.contains(&end_entity.clone().into_owned()) =>
            {
                if self.name {
                    verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                }
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// A TLS handshake whose stream is watched, and shared: its line is put here.
pub(super) struct Watched<C>(pub(super) C, pub(super) Arc<OnceLock<Line>>);

impl<S, C> TlsConnect<S> for Watched<C>
where
    C: TlsConnect<S>,
    C::Stream: TlsStream + Send + 'static,
    C::Future: Send + 'static,
{
    type Stream = LibraryEnd;
    type Error = C::Error;
    type Future = Pin<Box<dyn Future<Output = std::result::Result<Self::Stream, Self::Error>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        let put = self.1;
        Box::pin(self.0.connect(stream).map(move |stream| {
            stream.map(|stream| {
                let seen = Arc::<Seen>::default();
                let frames = Frames::encrypted(stream, Arc::clone(&seen));
                let (line, end) = Line::over(Box::new(Encrypted(frames)), seen);
                let _ = put.set(line);
                end
            })
        }))
    }
}
