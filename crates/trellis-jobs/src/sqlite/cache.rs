//! The list of kept results, in the job database.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::SqliteStore;
use super::rows::{Json, clamped, micros};
use super::thread::Announce;
use crate::StoreError;
use crate::cache::{CacheIndex, CacheKey, Entry, EntryId, KeptResult};

#[async_trait::async_trait]
impl CacheIndex for SqliteStore {
    async fn begin(&self, key: &CacheKey, result: KeptResult, now: Timestamp) -> Result<EntryId, StoreError> {
        let key = key.clone();
        self.writer
            .call(Announce::No, move |db| begin(db, &key, &result, now))
            .await
    }

    async fn finish(&self, entry: EntryId) -> Result<Option<Entry>, StoreError> {
        self.writer.call(Announce::No, move |db| finish(db, entry)).await
    }

    async fn shrink(&self, max_bytes: u64) -> Result<Vec<Entry>, StoreError> {
        self.writer
            .call(Announce::No, move |db| shrink(db, max_bytes))
            .await
    }

    async fn find(&self, key: &CacheKey, now: Timestamp) -> Result<Option<Entry>, StoreError> {
        let key = key.clone();
        self.writer
            .call(Announce::No, move |db| find(db, &key, now))
            .await
    }

    async fn give_up(&self, entry: EntryId) -> Result<(), StoreError> {
        self.writer
            .call(Announce::No, move |db| {
                run(db, "UPDATE cache SET ready = 0 WHERE entry = ?1", entry)
            })
            .await
    }

    async fn forget(&self, entry: EntryId) -> Result<(), StoreError> {
        self.writer
            .call(Announce::No, move |db| {
                run(db, "DELETE FROM cache WHERE entry = ?1", entry)
            })
            .await
    }

    async fn unready(&self, before: Timestamp) -> Result<Vec<Entry>, StoreError> {
        self.reader
            .call(Announce::No, move |db| unready(db, before))
            .await
    }
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        id: EntryId(row.get(0)?),
        result: row.get::<_, Json<_>>(1)?.0,
    })
}

fn run(connection: &Connection, statement: &str, entry: EntryId) -> Result<(), StoreError> {
    connection.prepare_cached(statement)?.execute([entry.0])?;
    Ok(())
}

fn begin(
    connection: &Connection,
    key: &CacheKey,
    result: &KeptResult,
    now: Timestamp,
) -> Result<EntryId, StoreError> {
    connection
        .prepare_cached("INSERT INTO cache (key, size_bytes, result, used_at) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![
            key.as_str(),
            clamped(result.size_bytes()),
            Json(result),
            micros(now)
        ])?;
    Ok(EntryId(connection.last_insert_rowid()))
}

fn finish(connection: &Connection, id: EntryId) -> Result<Option<Entry>, StoreError> {
    let earlier = connection
        .prepare_cached(
            "UPDATE cache SET ready = 0
             WHERE ready = 1 AND key = (SELECT key FROM cache WHERE entry = ?1) RETURNING entry, result",
        )?
        .query_row([id.0], entry)
        .optional()?;
    run(connection, "UPDATE cache SET ready = 1 WHERE entry = ?1", id)?;
    Ok(earlier)
}

fn shrink(connection: &Connection, max_bytes: u64) -> Result<Vec<Entry>, StoreError> {
    let mut statement = connection.prepare_cached(
        "UPDATE cache SET ready = 0 WHERE entry IN (
             SELECT entry FROM (
                 SELECT entry, sum(size_bytes) OVER (ORDER BY used_at DESC, entry DESC) AS so_far
                 FROM cache WHERE ready = 1)
             WHERE so_far > ?1)
         RETURNING entry, result",
    )?;
    let found = statement.query_map([clamped(max_bytes)], entry)?;
    Ok(found.collect::<Result<_, _>>()?)
}

fn find(connection: &Connection, key: &CacheKey, now: Timestamp) -> Result<Option<Entry>, StoreError> {
    let mut statement = connection.prepare_cached(
        "UPDATE cache SET used_at = max(used_at, ?2) WHERE key = ?1 AND ready = 1 RETURNING entry, result",
    )?;
    let found = statement.query_row(params![key.as_str(), micros(now)], entry);
    Ok(found.optional()?)
}

fn unready(connection: &Connection, before: Timestamp) -> Result<Vec<Entry>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT entry, result FROM cache WHERE ready = 0 AND used_at < ?1 ORDER BY entry")?;
    let found = statement.query_map([micros(before)], entry)?;
    Ok(found.collect::<Result<_, _>>()?)
}
