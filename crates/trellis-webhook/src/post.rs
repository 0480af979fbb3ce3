//! One attempt to deliver: an HTTP request, signed.
//!
//! Of the answer its status counts; its body is not read. Redirects are not followed, no proxy is asked, and each
//! attempt makes a connection of its own, to an address that was checked.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Client, StatusCode, redirect};
use serde::Serialize;
use trellis_core::{JobEvent, WebhookEvent};
use trellis_jobs::Delivery;

use crate::resolver::{CheckedResolver, NotAllowed};
use crate::{SecretRing, WebhookRules};

/// How long an attempt may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Until the connection is there.
    pub connect: Duration,
    /// Until the answer has begun.
    pub answer: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(15),
        }
    }
}

/// Why no HTTP client could be made: the system has no certificates, for example.
#[derive(Debug, thiserror::Error)]
#[error("no HTTP client can be made for webhooks")]
pub struct HttpClientError(#[source] reqwest::Error);

/// Why a delivery did not arrive.
#[derive(Debug)]
pub(crate) struct Vain {
    /// For the job's owner: says nothing of the server's own network.
    pub(crate) problem: String,
    /// For the log.
    pub(crate) cause: Option<reqwest::Error>,
    /// Whether the receiver said that it is gone for good.
    pub(crate) gone: bool,
}

/// What is sent.
#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    timestamp: Timestamp,
    data: &'a JobEvent,
}

/// Sends deliveries.
#[derive(Debug, Clone)]
pub(crate) struct Post {
    http: Client,
    rules: Arc<WebhookRules>,
    secrets: SecretRing,
    patience: Patience,
}

impl Post {
    /// Opens no connection.
    pub(crate) fn new(
        rules: WebhookRules,
        secrets: SecretRing,
        patience: Patience,
    ) -> Result<Self, HttpClientError> {
        // Fails when a provider is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let rules = Arc::new(rules);
        let http = Client::builder()
            .user_agent(concat!("trellis-server/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(CheckedResolver(Arc::clone(&rules)))
            .redirect(redirect::Policy::none())
            .no_proxy()
            .pool_max_idle_per_host(0)
            .connect_timeout(patience.connect)
            .timeout(patience.answer)
            .build()
            .map_err(HttpClientError)?;
        Ok(Self {
            http,
            rules,
            secrets,
            patience,
        })
    }

    /// Sends it once.
    pub(crate) async fn send(&self, delivery: &Delivery, now: Timestamp) -> Result<(), Vain> {
        // Again: the operator may have changed the rules since it was submitted.
        let url = self.rules.url(&delivery.url).map_err(|error| Vain {
            problem: error.to_string(),
            cause: None,
            gone: false,
        })?;
        let body = body(&delivery.event);
        let id = &delivery.id.0;
        let seconds = now.as_second();
        let secrets = self.secrets.in_force();
        let ids: Vec<&str> = secrets.ids().collect();
        let request = self
            .http
            .post(url)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header("webhook-id", id)
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", secrets.sign(id, seconds, &body))
            .header("webhook-key-id", ids.join(" "))
            .body(body);
        match request.send().await {
            Ok(answer) => judged(answer.status()),
            Err(error) => Err(self.unanswered(error.without_url())),
        }
    }

    fn unanswered(&self, error: reqwest::Error) -> Vain {
        let problem = if has_cause::<NotAllowed>(&error) {
            "its name leads to no public address".to_owned()
        } else if error.is_timeout() {
            format!("it did not answer within {} s", self.patience.answer.as_secs())
        } else if is_of_tls(&error) {
            "no TLS connection to it could be made, which may be for its certificate".to_owned()
        } else if error.is_connect() {
            "it cannot be reached".to_owned()
        } else {
            "the connection to it broke".to_owned()
        };
        Vain {
            problem,
            cause: Some(error),
            gone: false,
        }
    }
}

fn body(event: &JobEvent) -> Vec<u8> {
    let body = Body {
        r#type: format!("job.{}", WebhookEvent::of(&event.kind)),
        timestamp: event.at,
        data: event,
    };
    serde_json::to_vec(&body).expect("texts and numbers are JSON")
}

fn judged(status: StatusCode) -> Result<(), Vain> {
    if status.is_success() {
        return Ok(());
    }
    let mut problem = format!("it answered {}", status.as_u16());
    if status.is_redirection() {
        problem += ", and redirects are not followed";
    }
    Err(Vain {
        problem,
        cause: None,
        gone: status == StatusCode::GONE,
    })
}

/// Whether TLS itself failed, which comes inside of I/O errors.
fn is_of_tls(error: &(dyn Error + 'static)) -> bool {
    let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error.is::<rustls::Error>()
        || inner.is_some_and(|inner| is_of_tls(inner))
        || error.source().is_some_and(is_of_tls)
}

fn has_cause<T: Error + 'static>(error: &dyn Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<T>() {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secrets;

    #[tokio::test]
    async fn a_name_that_leads_inside_is_not_connected_to() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback");
        let port = listener.local_addr().expect("bound").port();
        let sender = |allowed: &[&str]| {
            let rules = WebhookRules::new(allowed.iter().copied()).expect("networks");
            let secrets = Secrets::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");
            let patience = Patience {
                answer: Duration::from_secs(1),
                ..Patience::default()
            };
            Post::new(rules, SecretRing::new(secrets), patience).expect("a client")
        };
        // By the client itself, past the rule that knows this name.
        let asked = |post: Post| async move {
            let url = format!("http://localhost:{port}/");
            let error = post.http.post(url).send().await.expect_err("nobody answers");
            post.unanswered(error).problem
        };
        assert_eq!(asked(sender(&[])).await, "its name leads to no public address");
        // It is there to be connected to.
        assert_eq!(
            asked(sender(&["127.0.0.0/8"])).await,
            "it did not answer within 1 s"
        );
    }
}
