//! TLS to the database: the server's certificate must be for the host's name and signed by somebody we trust.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{Address, OpenError};

/// What makes connections to that address secret, where they are to be.
pub(crate) fn connector(address: &Address) -> Result<MakeRustlsConnect, OpenError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|source| OpenError::Tls { source })?;
    let builder = match address.root_certificates() {
        Some(path) => builder.with_root_certificates(roots(path)?),
        // Never used.
        None if !address.is_encrypted() => builder.with_root_certificates(RootCertStore::empty()),
        None => builder
            .with_platform_verifier()
            .map_err(|source| OpenError::Tls { source })?,
    };
    Ok(MakeRustlsConnect::new(builder.with_no_client_auth()))
}

fn roots(path: &Path) -> Result<RootCertStore, OpenError> {
    let unreadable = |source: Box<dyn std::error::Error + Send + Sync>| OpenError::Certificates {
        path: path.to_owned(),
        source,
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| unreadable(error.into()))? {
        let certificate = certificate.map_err(|error| unreadable(error.into()))?;
        roots.add(certificate).map_err(|error| unreadable(error.into()))?;
    }
    if roots.is_empty() {
        return Err(unreadable("there is no certificate in it".into()));
    }
    Ok(roots)
}
