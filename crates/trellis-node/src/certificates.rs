//! The files of the certificate and its key: read at the start, at SIGHUP, and when they have changed, so that a
//! renewal needs nobody. What stands in them: `trellis_server::Certificate`.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use trellis_server::{Certificate, Tls, TlsError, Validity};

use crate::{SecretFileError, TlsFiles, nearby, secret_file};

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(60);
/// So many looks are a day, after which it is said once more that the certificate ends.
const LOOKS_A_DAY: u64 = 24 * 60;
/// Whoever renews certificates is late by then; shorter would be too late for a person.
const ENDS_SOON: Duration = Duration::from_secs(2 * 24 * 3600);

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
pub enum CertificateError {
    /// One of the two settings without the other.
    #[error("`{set}` is set and `{missing}` is not")]
    Half {
        set: &'static str,
        missing: &'static str,
    },
    /// A file cannot be read.
    #[error("cannot read `{}` (`{setting}`)", path.display())]
    Unreadable {
        setting: &'static str,
        path: PathBuf,
        #[source]
        source: SecretFileError,
    },
    /// Files without what they should have.
    #[error("cannot use the certificate `{}` with the key `{}`", certificate.display(), key.display())]
    Invalid {
        certificate: PathBuf,
        key: PathBuf,
        #[source]
        source: TlsError,
    },
}

impl CertificateError {
    /// Stable name, for scripts.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Half { .. } => "tls_half_set",
            Self::Unreadable { .. } => "tls_unreadable",
            Self::Invalid { .. } => "tls_invalid",
        }
    }

    /// What to do, one sentence.
    pub fn advice(&self) -> String {
        match self {
            Self::Half { missing, .. } => format!("set `{missing}` too, or neither for HTTP without TLS"),
            Self::Unreadable {
                setting,
                path,
                source,
            } => match source {
                SecretFileError::Unreadable(source) => match nearby::hint(path, source) {
                    Some(hint) => format!("correct `{setting}`: {hint}"),
                    None => format!("correct `{setting}`, or let this user read the file"),
                },
                SecretFileError::Exposed => format!(
                    "`chmod 600 {}`, and renew the certificate if somebody may have read the key",
                    path.display()
                ),
                SecretFileError::NotAFile | SecretFileError::TooLarge => {
                    format!("name the PEM file with `{setting}`")
                }
            },
            Self::Invalid { source, .. } => source.advice().to_owned(),
        }
    }
}

/// The certificate in force and the files it comes from; a clone is the same one.
#[derive(Debug, Clone)]
pub struct Certificates {
    files: TlsFiles,
    tls: Tls,
}

impl Certificates {
    /// Reads the files, or nothing where none are named.
    pub(crate) fn open(files: &TlsFiles) -> Result<Option<Self>, CertificateError> {
        let is_set = |path: &Path| !path.as_os_str().is_empty();
        match (is_set(&files.certificate), is_set(&files.key)) {
            (false, false) => return Ok(None),
            (true, false) => {
                return Err(CertificateError::Half {
                    set: "tls.certificate",
                    missing: "tls.key",
                });
            }
            (false, true) => {
                return Err(CertificateError::Half {
                    set: "tls.key",
                    missing: "tls.certificate",
                });
            }
            (true, true) => {}
        }
        let certificate = read(files)?;
        tell_dates(&certificate, SystemTime::now());
        Ok(Some(Self {
            files: files.clone(),
            tls: Tls::new(certificate),
        }))
    }

    /// Where the server looks for the certificate in force.
    pub(crate) fn tls(&self) -> &Tls {
        &self.tls
    }

    /// The DNS names that it is for.
    pub fn names(&self) -> Vec<String> {
        self.tls.certificate().names()
    }

    /// Puts what the files have now in force. Where they cannot be used the old certificate stays.
    pub fn reload(&self) {
        match read(&self.files) {
            Ok(certificate) => {
                tell_dates(&certificate, SystemTime::now());
                self.tls.replace(certificate);
                info!(certificate = %self.files.certificate.display(), "reloaded the certificate");
            }
            Err(problem) => error!(
                %problem,
                cause = %std::error::Error::source(&problem).map(ToString::to_string).unwrap_or_default(),
                fix = problem.advice(),
                "cannot reload the certificate; the old one stays in force"
            ),
        }
    }

    /// Reloads when a file has changed, until the server stops.
    pub(crate) async fn watch(self, stopping: CancellationToken) {
        self.watch_every(EVERY, stopping).await;
    }

    async fn watch_every(self, every: Duration, stopping: CancellationToken) {
        let mut seen = self.stamps();
        for look in 1_u64.. {
            tokio::select! {
                () = stopping.cancelled() => return,
                () = tokio::time::sleep(every) => {}
            }
            let now = self.stamps();
            if now != seen {
                seen = now;
                self.reload();
            } else if look.is_multiple_of(LOOKS_A_DAY) {
                tell_dates(&self.tls.certificate(), SystemTime::now());
            }
        }
    }

    /// Differ where a file was written, replaced or given to others.
    fn stamps(&self) -> [Option<(u64, u64, i64, i64)>; 2] {
        [&self.files.certificate, &self.files.key].map(|path| {
            let about = std::fs::metadata(path).ok()?;
            Some((about.dev(), about.ino(), about.ctime(), about.ctime_nsec()))
        })
    }
}

fn read(files: &TlsFiles) -> Result<Certificate, CertificateError> {
    let unreadable = |setting, path: &Path| {
        let path = path.to_owned();
        move |source| CertificateError::Unreadable {
            setting,
            path,
            source,
        }
    };
    let certificates = secret_file::read_public(&files.certificate)
        .map_err(unreadable("tls.certificate", &files.certificate))?;
    let key = secret_file::read(&files.key).map_err(unreadable("tls.key", &files.key))?;
    Certificate::parse(certificates.as_bytes(), key.as_bytes()).map_err(|source| CertificateError::Invalid {
        certificate: files.certificate.clone(),
        key: files.key.clone(),
        source,
    })
}

/// Clients refuse such a certificate; which one to use is still the operator's to say.
fn tell_dates(certificate: &Certificate, now: SystemTime) {
    let at = |moment: SystemTime| {
        let moment = jiff::Timestamp::try_from(moment).unwrap_or(jiff::Timestamp::MAX);
        certificate.validity(moment)
    };
    match (at(now), at(now + ENDS_SOON)) {
        (Validity::Expired(since), _) => warn!(%since, "the certificate has expired: clients refuse it"),
        (Validity::NotYet(from), _) => warn!(%from, "the certificate is not valid yet: clients refuse it"),
        (Validity::Valid, Validity::Expired(at)) => warn!(%at, "the certificate expires soon"),
        (Validity::Valid, _) => {}
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use rcgen::{CertifiedKey, generate_simple_self_signed};

    use super::*;

    /// Writes a certificate for `name` and its key.
    fn write(folder: &Path, name: &str) -> TlsFiles {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        let files = TlsFiles {
            certificate: folder.join("certificate.pem"),
            key: folder.join("key.pem"),
        };
        fs::write(&files.certificate, cert.pem()).unwrap();
        fs::write(&files.key, signing_key.serialize_pem()).unwrap();
        fs::set_permissions(&files.key, Permissions::from_mode(0o640)).unwrap();
        files
    }

    fn kind(files: &TlsFiles) -> &'static str {
        let refused = Certificates::open(files).unwrap_err();
        assert!(!refused.advice().is_empty());
        refused.kind()
    }

    #[test]
    fn what_cannot_be_used_is_refused_before_anything_starts() {
        let folder = tempfile::tempdir().unwrap();
        let files = write(folder.path(), "a.example");
        assert!(Certificates::open(&files).unwrap().is_some());
        let none = TlsFiles {
            certificate: PathBuf::new(),
            key: PathBuf::new(),
        };
        assert!(Certificates::open(&none).unwrap().is_none());
        for half in [
            TlsFiles {
                key: PathBuf::new(),
                ..files.clone()
            },
            TlsFiles {
                certificate: PathBuf::new(),
                ..files.clone()
            },
        ] {
            assert_eq!(kind(&half), "tls_half_set");
        }
        let missing = TlsFiles {
            key: folder.path().join("kye.pem"),
            ..files.clone()
        };
        assert_eq!(kind(&missing), "tls_unreadable");
        let other = tempfile::tempdir().unwrap();
        let mixed = TlsFiles {
            key: write(other.path(), "a.example").key,
            ..files.clone()
        };
        assert_eq!(kind(&mixed), "tls_invalid");
        fs::set_permissions(&files.key, Permissions::from_mode(0o644)).unwrap();
        assert_eq!(kind(&files), "tls_unreadable");
    }

    #[tokio::test(start_paused = true)]
    async fn files_that_change_are_read_again_and_bad_ones_change_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let files = write(folder.path(), "a.example");
        let certificates = Certificates::open(&files).unwrap().unwrap();
        let names = || certificates.names();
        let stopping = CancellationToken::new();
        let watching = tokio::spawn(certificates.clone().watch(stopping.clone()));
        tokio::time::sleep(EVERY / 2).await;
        fs::write(&files.certificate, "-----BEGIN").unwrap();
        tokio::time::sleep(EVERY).await;
        assert_eq!(names(), ["a.example"]);
        // As a renewal does: one file after the other.
        let new = tempfile::tempdir().unwrap();
        let renewed = write(new.path(), "b.example");
        fs::rename(&renewed.certificate, &files.certificate).unwrap();
        tokio::time::sleep(EVERY).await;
        assert_eq!(names(), ["a.example"]);
        fs::rename(&renewed.key, &files.key).unwrap();
        tokio::time::sleep(EVERY).await;
        assert_eq!(names(), ["b.example"]);
        stopping.cancel();
        watching.await.unwrap();
    }
}
