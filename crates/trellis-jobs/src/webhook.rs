//! What the store keeps of webhooks: where a job's events go, and what is still to be delivered.
//!
//! Deliveries are written in the transaction of their event, so that no crash comes between, and stay until somebody
//! settles them: each is delivered at least once. Not here: which addresses are allowed, and sending (trellis-webhook).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use trellis_core::{EventKind, JobEvent, WebhookEvent};

/// Who is told of a job. Its address was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Where.
    pub url: String,
    /// The host of `url`, in lower case; deliveries to one host take turns.
    pub host: String,
    /// What of `url` is shown.
    pub shown: String,
    /// Of what.
    pub events: Vec<WebhookEvent>,
}

impl Webhook {
    /// Whether it is told of that.
    pub fn wants(&self, event: &EventKind) -> bool {
        self.events.contains(&WebhookEvent::of(event))
    }
}

/// What receivers know a delivery by: the same each time it is sent, and never used again.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DeliveryId(pub String);

/// An event on its way to a webhook.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// Its name.
    pub id: DeliveryId,
    /// Where it goes.
    pub url: String,
    /// The host of `url`.
    pub host: String,
    /// What happened.
    pub event: JobEvent,
    /// How often it was claimed, this time included.
    pub tries: u32,
}

/// The answer to a claim of a delivery.
#[derive(Debug, Clone, PartialEq)]
pub enum NextDelivery {
    /// This one.
    Now(Delivery),
    /// None before then.
    At(Timestamp),
    /// None waits.
    None,
}

/// How many deliveries wait.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WaitingDeliveries {
    /// Nobody has tried these yet.
    pub untried: u64,
    /// These were tried and did not arrive, or are on their way.
    pub tried: u64,
}

/// What became of a claimed delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// It arrived.
    Delivered,
    /// It did not arrive and is due again.
    Again {
        /// When.
        at: Timestamp,
        /// Why it did not arrive.
        problem: String,
    },
    /// It did not arrive and is sent no more.
    GivenUp {
        /// Why it did not arrive.
        problem: String,
    },
}
