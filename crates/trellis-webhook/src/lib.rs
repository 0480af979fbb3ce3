//! Webhooks: other programs are told of jobs.
//!
//! [`WebhookRules`] judges an address when it is submitted, and again each time before it is used. [`Deliverer`] sends
//! what waits in the job store's outbox, signed as the [Standard Webhooks](https://www.standardwebhooks.com)
//! specification says ([`SecretRing`]), and tries again where it did not arrive. Clients choose the addresses, so nothing
//! is sent into networks that are not public, unless the operator allows it; redirects are not followed.

mod deliverer;
mod post;
mod public;
mod resolver;
mod rules;
mod secrets;

pub use deliverer::{Deliverer, DeliveryObserver, DeliveryOutcome};
pub use post::{HttpClientError, Patience};
pub use rules::{InvalidAllowed, WebhookError, WebhookRules};
pub use secrets::{InvalidSecrets, SecretRing, Secrets};
