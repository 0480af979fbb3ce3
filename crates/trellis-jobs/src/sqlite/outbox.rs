//! Deliveries to webhooks that wait in the database.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use trellis_core::{JobEvent, WebhookEvent, WebhookState};

use super::rows::{Json, micros, time};
use crate::{Delivery, DeliveryId, NextDelivery, Settled, StoreError, WaitingDeliveries, Webhook};

/// The webhook of a job, where it has one.
pub(super) fn webhook_of(connection: &Connection, number: i64) -> Result<Option<Webhook>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT webhook FROM jobs WHERE number = ?1")?;
    let found: Option<Json<Webhook>> = statement.query_row([number], |row| row.get(0))?;
    Ok(found.map(|Json(webhook)| webhook))
}

/// Has the event delivered.
pub(super) fn put(
    connection: &Connection,
    number: i64,
    webhook: &Webhook,
    event: &JobEvent,
) -> Result<(), StoreError> {
    let kind = WebhookEvent::of(&event.kind);
    if kind == WebhookEvent::Progress || kind.is_final() {
        // Progress that nobody was told of yet is overtaken.
        connection
            .prepare_cached("DELETE FROM deliveries WHERE job = ?1 AND kind = ?2 AND tries = 0")?
            .execute([event.job.to_string(), WebhookEvent::Progress.name().to_owned()])?;
    }
    connection
        .prepare_cached(
            "INSERT INTO deliveries (id, job, host, url, event, kind, due_at)
             VALUES ('evt_' || lower(hex(randomblob(16))), ?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            event.job.to_string(),
            webhook.host,
            webhook.url,
            Json(event),
            kind.name(),
            micros(event.at),
        ])?;
    if kind.is_final() {
        connection
            .prepare_cached("UPDATE jobs SET webhook_state = ?2, webhook_problem = NULL WHERE number = ?1")?
            .execute(params![number, WebhookState::Pending.name()])?;
    }
    Ok(())
}

/// How many wait.
pub(super) fn waiting(connection: &Connection) -> Result<WaitingDeliveries, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT count(*) FILTER (WHERE tries = 0), count(*) FILTER (WHERE tries > 0) FROM deliveries",
    )?;
    Ok(statement.query_row([], |row| {
        Ok(WaitingDeliveries {
            untried: row.get(0)?,
            tried: row.get(1)?,
        })
    })?)
}

/// Takes one that is due.
pub(super) fn claim(
    connection: &Connection,
    now: Timestamp,
    lease: Duration,
    passed_over: &[String],
) -> Result<NextDelivery, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT due_at, number FROM deliveries WHERE host NOT IN (SELECT value FROM json_each(?1))
         ORDER BY due_at, number LIMIT 1",
    )?;
    let first = statement.query_row([Json(passed_over)], |row| {
        Ok((time(row, 0)?, row.get::<_, i64>(1)?))
    });
    let number = match first.optional()? {
        None => return Ok(NextDelivery::None),
        Some((due, _)) if due > now => return Ok(NextDelivery::At(due)),
        Some((_, number)) => number,
    };
    let until = now.checked_add(lease).unwrap_or(Timestamp::MAX);
    let mut statement = connection.prepare_cached(
        "UPDATE deliveries SET tries = tries + 1, due_at = ?2 WHERE number = ?1
         RETURNING id, url, host, event, tries",
    )?;
    let claimed = statement.query_row(params![number, micros(until)], delivery)?;
    Ok(NextDelivery::Now(claimed))
}

fn delivery(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    Ok(Delivery {
        id: DeliveryId(row.get(0)?),
        url: row.get(1)?,
        host: row.get(2)?,
        event: row.get::<_, Json<JobEvent>>(3)?.0,
        tries: row.get(4)?,
    })
}

/// Writes what became of a claimed one.
pub(super) fn settle(
    connection: &Connection,
    delivery: &Delivery,
    settled: Settled,
) -> Result<(), StoreError> {
    let id = &delivery.id.0;
    let (state, problem, changed) = match settled {
        Settled::Delivered => {
            // Also where its claim has lapsed: it arrived.
            let mut statement = connection.prepare_cached("DELETE FROM deliveries WHERE id = ?1")?;
            (WebhookState::Delivered, None, statement.execute([id])?)
        }
        Settled::GivenUp { problem } => {
            let mut statement =
                connection.prepare_cached("DELETE FROM deliveries WHERE id = ?1 AND tries = ?2")?;
            let changed = statement.execute(params![id, delivery.tries])?;
            (WebhookState::GivenUp, Some(problem), changed)
        }
        Settled::Again { at, problem } => {
            let mut statement = connection
                .prepare_cached("UPDATE deliveries SET due_at = ?3 WHERE id = ?1 AND tries = ?2")?;
            let changed = statement.execute(params![id, delivery.tries, micros(at)])?;
            (WebhookState::Pending, Some(problem), changed)
        }
    };
    if changed > 0 && WebhookEvent::of(&delivery.event.kind).is_final() {
        // The job may be gone by now.
        connection
            .prepare_cached("UPDATE jobs SET webhook_state = ?2, webhook_problem = ?3 WHERE id = ?1")?
            .execute(params![delivery.event.job.to_string(), state.name(), problem])?;
    }
    Ok(())
}
