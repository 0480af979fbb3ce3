//! What PostgreSQL and the way to it say, sorted into the store's errors.

use std::error::Error as _;
use std::io;
use std::path::PathBuf;

use deadpool_postgres::PoolError;
use tokio_postgres::error::{Severity, SqlState};
use trellis_jobs::StoreError;

/// What the database or the way to it said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("PostgreSQL: {message}{}", code.as_ref().map(|code| format!(" (code {code})")).unwrap_or_default())]
pub struct PostgresFailure {
    /// The SQLSTATE; `None`: the database did not answer.
    pub code: Option<String>,
    /// The words.
    pub message: String,
    /// Whether the same call may succeed on another connection.
    passes: bool,
    /// Whether the connection ended with these words, or all of the database did: nobody knows what became of a commit then.
    pub(crate) ended: bool,
}

/// Why a database is not used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A schema that this version must not touch.
    #[error("the database has schema {found}, which needs a newer version: this one knows up to {known}")]
    Newer {
        /// Its schema.
        found: i32,
        /// The newest known.
        known: i32,
    },
    /// The certificates to trust cannot be read.
    #[error("cannot read the certificates in `{}`", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// TLS cannot be used.
    #[error("the system's certificates cannot be used")]
    Tls {
        /// Why.
        #[source]
        source: rustls::Error,
    },
}

impl PostgresFailure {
    /// One of the way to the database.
    pub(crate) fn unreached(message: String) -> Self {
        Self {
            code: None,
            message,
            passes: true,
            ended: true,
        }
    }
}

/// An error of the driver.
pub(crate) fn failed(error: &tokio_postgres::Error) -> StoreError {
    let Some(said) = error.as_db_error() else {
        let message = error
            .source()
            .map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"));
        return unavailable(PostgresFailure {
            code: None,
            message,
            // What is not the database's word is the connection's, or a value that the driver does not take.
            passes: error.is_closed()
                || error
                    .source()
                    .is_some_and(<dyn std::error::Error>::is::<io::Error>),
            ended: true,
        });
    };
    let severity = said.parsed_severity();
    // A database that finds no room for its log stops, and starts again.
    let stops = severity == Some(Severity::Panic);
    let failure = PostgresFailure {
        code: Some(said.code().code().to_owned()),
        message: said.message().to_owned(),
        passes: stops || passes(said.code()),
        ended: stops || severity == Some(Severity::Fatal),
    };
    if failure.ended {
        return unavailable(failure);
    }
    let source = Box::new(failure.clone());
    match said.code().code() {
        "53100" => StoreError::Full { source },
        "XX001" | "XX002" => StoreError::Corrupt { source },
        _ => unavailable(failure),
    }
}

/// No connection.
pub(crate) fn no_connection(error: &PoolError) -> StoreError {
    match error {
        PoolError::Backend(error) => match failed(error) {
            // Another server of the address or the same one a little later may take us, unless it is told who we are and
            // refuses us, or we refuse its certificate: that needs a person.
            StoreError::Unavailable { source } => match source.downcast::<PostgresFailure>() {
                Ok(failure) => {
                    let takes_us = failure.code.as_deref().is_none_or(|code| !code.starts_with("28"));
                    let passes = takes_us && !has_wrong_certificate(error);
                    unavailable(PostgresFailure { passes, ..*failure })
                }
                Err(source) => StoreError::Unavailable { source },
            },
            error => error,
        },
        error => unavailable(PostgresFailure::unreached(error.to_string())),
    }
}

/// Whether the database's certificate is not to be trusted.
fn has_wrong_certificate(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(found) = cause {
        // An I/O error hides what it is about.
        let inside = found.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let tls = match inside {
            Some(inside) => inside.downcast_ref::<rustls::Error>(),
            None => found.downcast_ref::<rustls::Error>(),
        };
        if matches!(tls, Some(rustls::Error::InvalidCertificate(_))) {
            return true;
        }
        cause = found.source();
    }
    false
}

/// A value that cannot be read back was changed behind our back.
pub(crate) fn odd(error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Corrupt {
        source: Box::new(error),
    }
}

pub(crate) fn unavailable(failure: PostgresFailure) -> StoreError {
    StoreError::Unavailable {
        source: Box::new(failure),
    }
}

/// Whether the same call may succeed on another connection.
pub(crate) fn may_pass(error: &StoreError) -> bool {
    match error {
        StoreError::Unavailable { source } => source
            .downcast_ref::<PostgresFailure>()
            .is_some_and(|failure| failure.passes),
        _ => false,
    }
}

/// Servers that start, stop, change their part or are out of connections; and calls that got into each other's way.
fn passes(code: &SqlState) -> bool {
    let code = code.code();
    code.starts_with("08")
        || [
            "25006", "40001", "40P01", "53300", "55P03", "57014", "57P01", "57P02", "57P03", "57P05",
        ]
        .contains(&code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_is_refused_is_found_inside_an_io_error() {
        let refused = rustls::Error::InvalidCertificate(rustls::CertificateError::Expired);
        assert!(has_wrong_certificate(&refused));
        assert!(has_wrong_certificate(&io::Error::other(refused)));
        let cut = io::Error::other(rustls::Error::HandshakeNotComplete);
        assert!(!has_wrong_certificate(&cut));
        assert!(!has_wrong_certificate(&io::Error::from(
            io::ErrorKind::ConnectionReset
        )));
    }
}
