//! Where the database is, as a URL: `postgres://USER@HOST[:PORT][,HOST…]/DATABASE[?OPTION=VALUE&…]`.
//!
//! Options are those of PostgreSQL's own clients as far as the driver knows them, and two of ours: `sslmode` is `disable`
//! or `verify-full`, `sslrootcert` a file of certificates to trust in place of the system's. Never holds a password.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

/// Where the database is.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// As it was given.
    text: String,
    pub(crate) config: Config,
    pub(crate) root_certificates: Option<PathBuf>,
}

/// Why an address is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It is no such URL.
    #[error("it is not a URL such as `postgres://trellis@db.example/trellis`")]
    NotPostgres,
    /// The driver does not understand it.
    #[error("{reason}")]
    Invalid {
        /// What it says.
        reason: String,
    },
    /// It names no host.
    #[error("it names no host")]
    NoHost,
    /// Addresses are shown and logged.
    #[error("it holds a password, which lists of processes and logs would show: put it into a file")]
    Password,
    /// Another way to use TLS.
    #[error("`sslmode` is `disable` or `verify-full`, not `{found}`")]
    Mode {
        /// What was asked for.
        found: String,
    },
}

impl Address {
    /// Whether connections are encrypted and the server's certificate is checked.
    pub fn is_encrypted(&self) -> bool {
        self.config.get_ssl_mode() != SslMode::Disable
    }

    /// A file of certificates to trust in place of the system's.
    pub fn root_certificates(&self) -> Option<&Path> {
        self.root_certificates.as_deref()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", self.text)
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if !["postgres://", "postgresql://"]
            .iter()
            .any(|scheme| text.starts_with(scheme))
        {
            return Err(AddressError::NotPostgres);
        }
        let (place, options) = text.split_once('?').unwrap_or((text, ""));
        let (mut mode, mut root_certificates, mut others) = (None, None, Vec::new());
        for option in options.split('&').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("sslmode", value)) => mode = Some(encrypts(value)?),
                Some(("sslrootcert", value)) => {
                    let path = percent_decode_str(value).decode_utf8_lossy();
                    root_certificates = Some(PathBuf::from(&*path));
                }
                _ => others.push(option),
            }
        }
        let plain = format!("{place}?{}", others.join("&"));
        let mut config: Config = plain
            .parse()
            .map_err(|error| AddressError::Invalid { reason: said(&error) })?;
        if config.get_password().is_some() {
            return Err(AddressError::Password);
        }
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(AddressError::NoHost);
        }
        let encrypted = mode.unwrap_or_else(|| !config.get_hosts().iter().all(is_here));
        config.ssl_mode(if encrypted {
            SslMode::Require
        } else {
            SslMode::Disable
        });
        // Of several servers the one that takes changes.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        Ok(Self {
            text: text.to_owned(),
            config,
            root_certificates,
        })
    }
}

fn encrypts(mode: &str) -> Result<bool, AddressError> {
    match mode {
        "disable" => Ok(false),
        "verify-full" => Ok(true),
        found => Err(AddressError::Mode {
            found: found.to_owned(),
        }),
    }
}

/// Whether nothing leaves this machine on the way there.
fn is_here(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            let ip = name.parse::<std::net::IpAddr>();
            name.eq_ignore_ascii_case("localhost") || ip.is_ok_and(|ip| ip.is_loopback())
        }
    }
}

fn said(error: &tokio_postgres::Error) -> String {
    let cause = std::error::Error::source(error);
    cause.map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaves_the_machine_is_encrypted_unless_somebody_says_otherwise() {
        for (text, encrypted) in [
            ("postgres://trellis@db.example/trellis", true),
            ("postgresql://trellis@10.0.0.2:5433,10.0.0.3/trellis", true),
            ("postgres://trellis@localhost,db.example/trellis", true),
            ("postgres://trellis@localhost/trellis", false),
            ("postgres://trellis@[::1]:5433/trellis", false),
            ("postgres://trellis@%2Frun%2Fpostgresql/trellis", false),
            ("postgres:///trellis?user=trellis&host=/run/postgresql", false),
            ("postgres://trellis@db.example/trellis?sslmode=disable", false),
            ("postgres://trellis@localhost/trellis?sslmode=verify-full", true),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.is_encrypted(), encrypted, "{text}");
            assert_eq!(address.to_string(), text);
            assert_eq!(
                address.config.get_target_session_attrs(),
                TargetSessionAttrs::ReadWrite
            );
        }
    }

    #[test]
    fn options_of_ours_are_taken_out_and_the_others_are_the_driver_s() {
        let text =
            "postgres://t@one,two:5433/db?connect_timeout=3&sslrootcert=%2Fetc%2Fca.pem&application_name=x";
        let address: Address = text.parse().unwrap();
        assert_eq!(address.root_certificates(), Some(Path::new("/etc/ca.pem")));
        assert_eq!(address.config.get_hosts().len(), 2);
        assert_eq!(address.config.get_ports(), [5432, 5433]);
        assert_eq!(address.config.get_application_name(), Some("x"));
    }

    #[test]
    fn an_address_that_is_none_says_why_and_a_password_is_never_repeated() {
        for (text, reason) in [
            ("mysql://db.example/trellis", "it is not a URL"),
            ("db.example", "it is not a URL"),
            ("postgres:///trellis", "it names no host"),
            (
                "postgres://trellis:hunter2@db.example/trellis",
                "it holds a password",
            ),
            (
                "postgres://db.example/trellis?password=hunter2",
                "it holds a password",
            ),
            ("postgres://db.example/trellis?sslmode=require", "not `require`"),
            ("postgres://db.example:many/trellis", "port"),
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
