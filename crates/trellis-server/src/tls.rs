//! TLS by rustls: a certificate with its key, which may be replaced while the server runs.
//!
//! Everything is handed in as PEM; who reads the files, and when again, is `trellis-node`. HTTP/1.1 alone is
//! offered, which is what is served. No client certificates.

use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::{InconsistentKeys, ServerConfig};
use webpki::{EndEntityCert, KeyUsage};

/// Why a certificate and a key cannot be used. No text of the key is in it.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// No certificate in PEM.
    #[error("the file of the certificate has no `-----BEGIN CERTIFICATE-----`")]
    NoCertificate,
    /// A certificate that is not PEM.
    #[error("the file of the certificate is not PEM: {0}")]
    CertificateNotPem(pem::Error),
    /// No private key in PEM, or an encrypted one.
    #[error("the file of the key has no private key in PEM, or one with a password")]
    NoKey,
    /// The key is another certificate's.
    #[error("the key does not belong to the certificate, which has to be the first one of its file")]
    Mismatch,
    /// Of a kind that cannot be used.
    #[error("certificate and key cannot be used: {0}")]
    Unusable(rustls::Error),
}

impl TlsError {
    /// What to do, one sentence.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::NoCertificate | Self::CertificateNotPem(_) => {
                "name the file with the certificate and those of its authorities below it, such as `fullchain.pem`, \
                 with `tls.certificate`"
            }
            Self::NoKey => {
                "name the file with the certificate's private key, without a password, with `tls.key`"
            }
            Self::Mismatch => "name files that were made together with `tls.certificate` and `tls.key`",
            Self::Unusable(_) => "use an X.509 certificate of version 3 with an ECDSA, Ed25519 or RSA key",
        }
    }
}

/// A certificate, its chain and its key, found to belong together.
#[derive(Debug, Clone)]
pub struct Certificate {
    leaf: CertificateDer<'static>,
    config: Arc<ServerConfig>,
}

/// What a certificate's dates say of a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// Nothing is wrong with it.
    Valid,
    /// It begins at that time.
    NotYet(Timestamp),
    /// It ended at that time.
    Expired(Timestamp),
}

impl Certificate {
    /// Reads the PEM of a certificate, its own first and then those of its authorities, and of its key.
    pub fn parse(certificates: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(certificates)
            .collect::<Result<_, _>>()
            .map_err(TlsError::CertificateNotPem)?;
        let leaf = chain.first().ok_or(TlsError::NoCertificate)?.clone();
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsError::NoKey)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Unusable)?
            .with_no_client_auth()
            .with_single_cert(chain, key);
        let mut config = config.map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => TlsError::Mismatch,
            error => TlsError::Unusable(error),
        })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            leaf,
            config: Arc::new(config),
        })
    }

    /// Whether its dates include `at`.
    pub fn validity(&self, at: Timestamp) -> Validity {
        let Ok(leaf) = EndEntityCert::try_from(&self.leaf) else {
            return Validity::Valid;
        };
        let since = std::time::Duration::from_secs(at.as_second().try_into().unwrap_or_default());
        let time = UnixTime::since_unix_epoch(since);
        // Dates are looked at first, and without a trusted authority nothing else is.
        let found = leaf.verify_for_usage(&[], &[], &[], time, KeyUsage::server_auth(), None, None);
        let moment = |time: UnixTime| {
            let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
            Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
        };
        match found {
            Err(webpki::Error::CertExpired { not_after, .. }) => Validity::Expired(moment(not_after)),
            Err(webpki::Error::CertNotValidYet { not_before, .. }) => Validity::NotYet(moment(not_before)),
            _ => Validity::Valid,
        }
    }

    /// The DNS names that it is for, without those with a `*`.
    pub fn names(&self) -> Vec<String> {
        let leaf = EndEntityCert::try_from(&self.leaf);
        let names = leaf.iter().flat_map(|leaf| leaf.valid_dns_names());
        let plain = names.filter(|name| !name.contains('*'));
        plain.map(str::to_owned).collect()
    }
}

/// The certificate in force; a clone is the same one.
#[derive(Debug, Clone)]
pub struct Tls(Arc<RwLock<Certificate>>);

impl Tls {
    /// Begins with that certificate.
    pub fn new(certificate: Certificate) -> Self {
        Self(Arc::new(RwLock::new(certificate)))
    }

    /// New connections get that certificate from now on; open ones go on.
    pub fn replace(&self, certificate: Certificate) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = certificate;
    }

    /// The certificate in force.
    pub fn certificate(&self) -> Certificate {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.certificate().config
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn made(names: &[&str]) -> (String, String) {
        let names = names.iter().map(|name| (*name).to_owned());
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(names.collect::<Vec<_>>()).unwrap();
        params.not_before = rcgen::date_time_ymd(2026, 1, 2);
        params.not_after = rcgen::date_time_ymd(2026, 4, 1);
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    #[test]
    fn dates_and_names_are_read() {
        let (certificate, key) = made(&["studio.example", "*.studio.example", "10.0.0.7"]);
        let certificate = Certificate::parse(certificate.as_bytes(), key.as_bytes()).unwrap();
        assert_eq!(certificate.names(), ["studio.example"]);
        for (at, expected) in [
            (
                "2026-01-01T23:59:59Z",
                Validity::NotYet("2026-01-02T00:00:00Z".parse().unwrap()),
            ),
            ("2026-01-02T00:00:00Z", Validity::Valid),
            ("2026-04-01T00:00:00Z", Validity::Valid),
            (
                "2026-04-01T00:00:01Z",
                Validity::Expired("2026-04-01T00:00:00Z".parse().unwrap()),
            ),
        ] {
            assert_eq!(certificate.validity(at.parse().unwrap()), expected, "{at}");
        }
    }

    #[test]
    fn what_does_not_belong_together_is_told_apart() {
        let (certificate, key) = made(&["a.example"]);
        let (_, other) = made(&["a.example"]);
        let refused = |certificate: &str, key: &str| {
            Certificate::parse(certificate.as_bytes(), key.as_bytes()).unwrap_err()
        };
        assert!(matches!(refused(&certificate, &other), TlsError::Mismatch));
        assert!(matches!(refused("", &key), TlsError::NoCertificate));
        assert!(matches!(refused(&key, &key), TlsError::NoCertificate));
        assert!(matches!(refused(&certificate, &certificate), TlsError::NoKey));
        let cut = &certificate[..certificate.len() / 2];
        assert!(matches!(refused(cut, &key), TlsError::CertificateNotPem(_)));
        let locked = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        assert!(matches!(refused(&certificate, &locked), TlsError::NoKey));
        let empty = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(refused(empty, &key), TlsError::Unusable(_)));
    }
}
