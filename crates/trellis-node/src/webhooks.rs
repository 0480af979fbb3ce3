//! Webhooks as the settings want them: the file of secrets, read at the start, and the rules for addresses.

use std::path::PathBuf;
use std::sync::Arc;

use tracing::info;
use trellis_jobs::JobStore;
use trellis_webhook::{
    Deliverer, DeliveryObserver, HttpClientError, InvalidAllowed, InvalidSecrets, Patience, Secrets,
    WebhookRules,
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
    let text = secret_file::read(path).map_err(|source| WebhooksError::Unreadable {
        path: path.clone(),
        source,
    })?;
    let secrets = Secrets::parse(&text).map_err(|source| WebhooksError::Invalid {
        path: path.clone(),
        source,
    })?;
    let rules = WebhookRules::new(settings.allow.iter().map(String::as_str))?;
    let ids: Vec<&str> = secrets.ids().collect();
    info!(secrets = ids.join(", "), "jobs may have webhooks");
    let deliverer = Deliverer::new(store, rules.clone(), secrets, Patience::default(), observer)?;
    Ok(Some(Sending { rules, deliverer }))
}
