//! Webhooks as the settings want them: the file of secrets, read at the start and again at SIGHUP, and the rules for
//! addresses.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::{error, info, warn};
use trellis_jobs::JobStore;
use trellis_webhook::{
    Deliverer, DeliveryObserver, HttpClientError, InvalidAllowed, InvalidSecrets, Patience, SecretRing,
    Secrets, WebhookRules,
};

use crate::settings::Webhooks;
use crate::{SecretFileError, nearby, secret_file};

/// Why webhooks that are wanted cannot be sent.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
pub enum WebhooksError {
    /// The file of secrets cannot be read.
    #[error("cannot read `{}` (`webhooks.secret_file`)", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: SecretFileError,
    },
    /// The file of secrets holds something else. Its text is in no error.
    #[error("cannot use the secrets in `{}` (`webhooks.secret_file`)", path.display())]
    Invalid {
        path: PathBuf,
        #[source]
        source: InvalidSecrets,
    },
    /// What is allowed is neither a host nor a network.
    #[error("cannot use `webhooks.allow`")]
    Allowed(#[from] InvalidAllowed),
    /// No client can be made.
    #[error(transparent)]
    Client(#[from] HttpClientError),
}

impl WebhooksError {
    /// Stable name, for scripts.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "webhook_secrets_unreadable",
            Self::Invalid { .. } => "webhook_secrets_invalid",
            Self::Allowed(_) => "webhooks_allow_invalid",
            Self::Client(_) => "webhooks_client",
        }
    }

    /// What to do, one sentence.
    pub fn advice(&self) -> String {
        match self {
            Self::Unreadable { path, source } => match source {
                SecretFileError::Unreadable(source) => match nearby::hint(path, source) {
                    Some(hint) => format!("correct `webhooks.secret_file`: {hint}"),
                    None => "correct `webhooks.secret_file`, or let this user read the file".to_owned(),
                },
                SecretFileError::Exposed => format!(
                    "`chmod 600 {}`, and make a new secret if somebody may have read it",
                    path.display()
                ),
                SecretFileError::NotAFile | SecretFileError::TooLarge => {
                    "name the file of the secrets with `webhooks.secret_file`".to_owned()
                }
            },
            Self::Invalid { path, .. } => format!(
                "`(umask 077 && echo whsec_$(head -c 32 /dev/urandom | base64) > {})` makes a secret",
                path.display()
            ),
            Self::Allowed(_) => "name hosts such as `hooks.internal`, addresses and networks".to_owned(),
            Self::Client(_) => {
                "install the certificates of public authorities, or name their file with `SSL_CERT_FILE`"
                    .to_owned()
            }
        }
    }
}

/// Where webhooks may be and who sends to them.
pub(crate) struct Sending {
    pub(crate) rules: WebhookRules,
    pub(crate) deliverer: Deliverer,
    pub(crate) secrets: SecretRing,
}

/// Reads the secrets; `None` where jobs have no webhooks. Webhooks that are wanted and cannot be sent keep the server
/// from starting: jobs would wait for a day to tell of themselves.
pub(crate) fn open(
    settings: &Webhooks,
    store: Arc<dyn JobStore>,
    observer: Arc<dyn DeliveryObserver>,
) -> Result<Option<Sending>, WebhooksError> {
    let path = &settings.secret_file;
    if path.as_os_str().is_empty() {
        return Ok(None);
    }
    let secrets = read(path)?;
    let rules = WebhookRules::new(settings.allow.iter().map(String::as_str))?;
    info!(secrets = named(&secrets), "jobs may have webhooks");
    let secrets = SecretRing::new(secrets);
    let patience = Patience::default();
    let deliverer = Deliverer::new(store, rules.clone(), secrets.clone(), patience, observer)?;
    Ok(Some(Sending {
        rules,
        deliverer,
        secrets,
    }))
}

/// Signs with the file's present secrets from now on. Where it has none the old ones stay; turning webhooks on or off needs
/// a restart.
pub fn reload(settings: &Webhooks, ring: Option<&SecretRing>) {
    let path = &settings.secret_file;
    let ring = match (ring, path.as_os_str().is_empty()) {
        (None, true) => return,
        (None, false) => {
            warn!("`webhooks.secret_file` is set; jobs may have webhooks after a restart");
            return;
        }
        (Some(_), true) => {
            warn!("`webhooks.secret_file` is unset; the secrets stay in force until a restart");
            return;
        }
        (Some(ring), false) => ring,
    };
    match read(path) {
        Ok(secrets) => {
            let names = named(&secrets);
            ring.replace(secrets);
            info!(secrets = names, "reloaded the secrets of webhooks");
        }
        Err(problem) => error!(
            %problem,
            cause = %std::error::Error::source(&problem).map(ToString::to_string).unwrap_or_default(),
            fix = problem.advice(),
            "cannot reload the secrets of webhooks; the old ones stay in force"
        ),
    }
}

fn read(path: &Path) -> Result<Secrets, WebhooksError> {
    let text = secret_file::read(path).map_err(|source| WebhooksError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    Secrets::parse(&text).map_err(|source| WebhooksError::Invalid {
        path: path.to_owned(),
        source,
    })
}

/// For the log.
fn named(secrets: &Secrets) -> String {
    secrets.ids().collect::<Vec<_>>().join(", ")
}
