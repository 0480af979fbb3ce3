//! Deliveries to webhooks that wait in the database.

use std::time::Duration;

use jiff::Timestamp;
use tokio_postgres::types::Json;
use trellis_core::{JobEvent, WebhookEvent, WebhookState};
use trellis_jobs::{Delivery, DeliveryId, NextDelivery, Settled, StoreError, WaitingDeliveries, Webhook};
use uuid::Uuid;

use crate::session::{Found, Session};

/// The webhook of a job, where it has one.
pub(crate) async fn webhook_of(session: &Session, number: i64) -> Result<Option<Webhook>, StoreError> {
    let found = session
        .row("SELECT webhook FROM jobs WHERE number = $1", &[&number])
        .await?;
    found.map_or(Ok(None), |row| row.json_or_none("webhook"))
}

/// Has the event delivered.
pub(crate) async fn put(
    session: &Session,
    number: i64,
    webhook: &Webhook,
    event: &JobEvent,
) -> Result<(), StoreError> {
    let kind = WebhookEvent::of(&event.kind);
    let job = Uuid::from(event.job);
    if kind == WebhookEvent::Progress || kind.is_final() {
        // Progress that nobody was told of yet is overtaken.
        session
            .execute(
                "DELETE FROM deliveries WHERE job = $1 AND kind = $2 AND tries = 0",
                &[&job, &WebhookEvent::Progress.name()],
            )
            .await?;
    }
    let id = format!("evt_{:032x}", rand::random::<u128>());
    session
        .execute(
            "INSERT INTO deliveries (id, job, host, url, event, kind, due_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            &[
                &id,
                &job,
                &webhook.host,
                &webhook.url,
                &Json(event),
                &kind.name(),
                &event.at.as_microsecond(),
            ],
        )
        .await?;
    if kind.is_final() {
        session
            .execute(
                "UPDATE jobs SET webhook_state = $2, webhook_problem = NULL WHERE number = $1",
                &[&number, &WebhookState::Pending.name()],
            )
            .await?;
    }
    Ok(())
}

/// How many wait.
pub(crate) async fn waiting(session: &Session) -> Result<WaitingDeliveries, StoreError> {
    let counted =
        "SELECT count(*) FILTER (WHERE tries = 0) AS untried, count(*) FILTER (WHERE tries > 0) AS tried
                   FROM deliveries";
    let Some(row) = session.row(counted, &[]).await? else {
        return Ok(WaitingDeliveries::default());
    };
    Ok(WaitingDeliveries {
        untried: row.number("untried")?,
        tried: row.number("tried")?,
    })
}

/// Takes one that is due. One that somebody takes at this moment is passed over.
pub(crate) async fn claim(
    session: &Session,
    now: Timestamp,
    lease: Duration,
    passed_over: &[String],
) -> Result<NextDelivery, StoreError> {
    let now = session.now(now).await?;
    let first = session
        .row(
            "SELECT due_at, number FROM deliveries WHERE host <> ALL($1) ORDER BY due_at, number LIMIT 1
             FOR UPDATE SKIP LOCKED",
            &[&passed_over],
        )
        .await?;
    let Some(first) = first else {
        return Ok(NextDelivery::None);
    };
    let due = first.time("due_at")?;
    if due > now {
        return Ok(NextDelivery::At(due));
    }
    let until = now.checked_add(lease).unwrap_or(Timestamp::MAX);
    let claimed = session
        .row(
            "UPDATE deliveries SET tries = tries + 1, due_at = $2 WHERE number = $1
             RETURNING id, url, host, event, tries",
            &[&first.get::<i64>("number")?, &until.as_microsecond()],
        )
        .await?;
    claimed.map_or(Ok(NextDelivery::None), |row| {
        delivery(&row).map(NextDelivery::Now)
    })
}

fn delivery(row: &Found) -> Result<Delivery, StoreError> {
    Ok(Delivery {
        id: DeliveryId(row.get("id")?),
        url: row.get("url")?,
        host: row.get("host")?,
        event: row.json("event")?,
        tries: row.number("tries")?,
    })
}

/// Writes what became of a claimed one.
pub(crate) async fn settle(
    session: &Session,
    delivery: &Delivery,
    settled: &Settled,
) -> Result<(), StoreError> {
    let (id, tries) = (&delivery.id.0, i64::from(delivery.tries));
    let (state, problem, changed) = match settled {
        Settled::Delivered => {
            // Also where its claim has lapsed: it arrived.
            let gone = session
                .execute("DELETE FROM deliveries WHERE id = $1", &[id])
                .await?;
            (WebhookState::Delivered, None, gone)
        }
        Settled::GivenUp { problem } => {
            let gone = session
                .execute(
                    "DELETE FROM deliveries WHERE id = $1 AND tries = $2",
                    &[id, &tries],
                )
                .await?;
            (WebhookState::GivenUp, Some(problem), gone)
        }
        Settled::Again { at, problem } => {
            let put_off = session
                .execute(
                    "UPDATE deliveries SET due_at = $3 WHERE id = $1 AND tries = $2",
                    &[id, &tries, &at.as_microsecond()],
                )
                .await?;
            (WebhookState::Pending, Some(problem), put_off)
        }
    };
    if changed > 0 && WebhookEvent::of(&delivery.event.kind).is_final() {
        // What a receiver said may hold anything; texts here hold no NUL. The job may be gone by now.
        let problem = problem.map(|problem| problem.replace('\0', ""));
        session
            .execute(
                "UPDATE jobs SET webhook_state = $2, webhook_problem = $3 WHERE id = $1",
                &[&Uuid::from(delivery.event.job), &state.name(), &problem],
            )
            .await?;
    }
    Ok(())
}
