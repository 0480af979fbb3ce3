//! The servers that share a database: each says every few seconds that it is there and what it can do.
//!
//! Not here: what they say of themselves (`trellis-node`).

use std::time::Duration;

use futures::FutureExt as _;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_postgres::types::Json;
use trellis_jobs::StoreError;

use crate::PostgresStore;
use crate::session::{Durability, Session};

/// One that has not been there for so long is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(24 * 3600);

/// A server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node<T> {
    /// Its name, under which it claims jobs.
    pub name: String,
    /// What it says of itself; `None`: this version cannot read it.
    pub about: Option<T>,
    /// How long ago it said so, by the database's clock.
    pub silent_for: Duration,
    /// Whether somebody wants it to begin no job.
    pub drains: bool,
    /// How many jobs it works on.
    pub jobs: u64,
}

impl PostgresStore {
    /// Says that the server of that name is there.
    pub async fn announce(&self, name: &str, about: &(impl Serialize + Sync)) -> Result<(), StoreError> {
        let about = serde_json::to_value(about).map_err(crate::error::odd)?;
        let name = name.to_owned();
        self.write(Durability::Whenever, move |session, _| {
            let (name, about) = (name.clone(), about.clone());
            async move { Ok((announce(session, &name, &about).await?, None)) }.boxed()
        })
        .await
    }

    /// All servers, by name.
    pub async fn nodes<T: DeserializeOwned + Send + 'static>(&self) -> Result<Vec<Node<T>>, StoreError> {
        self.read(|session| nodes(session).boxed()).await
    }

    /// Has a server begin no job, or begin jobs again; `false` where there is none of that name.
    pub async fn drain(&self, name: &str, drains: bool) -> Result<bool, StoreError> {
        let name = name.to_owned();
        self.write(Durability::Now, move |session, _| {
            let name = name.clone();
            async move {
                let set = "UPDATE nodes SET drains = $2 WHERE name = $1";
                Ok((session.execute(set, &[&name, &drains]).await? > 0, None))
            }
            .boxed()
        })
        .await
    }
}

async fn announce(session: &Session, name: &str, about: &serde_json::Value) -> Result<(), StoreError> {
    let now = session.now(Timestamp::now()).await?;
    session
        .execute(
            "INSERT INTO nodes (name, about, seen_at) VALUES ($1, $2, $3)
             ON CONFLICT (name) DO UPDATE SET about = excluded.about, seen_at = excluded.seen_at",
            &[&name, &Json(about), &now.as_microsecond()],
        )
        .await?;
    let long_ago = now.checked_sub(FORGOTTEN_AFTER).unwrap_or(Timestamp::MIN);
    session
        .execute(
            "DELETE FROM nodes WHERE seen_at < $1",
            &[&long_ago.as_microsecond()],
        )
        .await?;
    Ok(())
}

async fn nodes<T: DeserializeOwned>(session: &Session) -> Result<Vec<Node<T>>, StoreError> {
    let now = session.now(Timestamp::now()).await?;
    let rows = session
        .rows(
            "SELECT name, about, seen_at, drains, coalesce(jobs, 0) AS jobs
             FROM nodes LEFT JOIN (
                 SELECT worker, count(*) AS jobs FROM jobs WHERE state = 'running' GROUP BY worker) AS busy
                 ON worker = name
             ORDER BY name",
            &[],
        )
        .await?;
    let nodes = rows.iter().map(|row| {
        Ok(Node {
            name: row.get("name")?,
            about: row.json("about").ok(),
            silent_for: Duration::try_from(now.duration_since(row.time("seen_at")?)).unwrap_or_default(),
            drains: row.get("drains")?,
            jobs: row.number("jobs")?,
        })
    });
    nodes.collect()
}
