//! The files of a job, and what a client changes of it.

use tokio_postgres::types::Json;
use trellis_core::Artifact;
use trellis_jobs::rules::Edit;
use trellis_jobs::{BlobKey, CacheKey, Delivered, Outcome, StoreError, Thumbnail};

use crate::lists::clamped;
use crate::session::Session;

/// Adds up what a job keeps, after its files changed.
pub(crate) async fn measure(session: &Session, number: i64) -> Result<(), StoreError> {
    session
        .execute(
            "UPDATE jobs SET size_bytes = statement_bytes + thumbnail_bytes + latent_bytes
                 + coalesce((SELECT sum(size_bytes) FROM inputs WHERE job = $1), 0)::bigint
                 + coalesce((SELECT sum(size_bytes) FROM artifacts WHERE job = $1), 0)::bigint
             WHERE number = $1",
            &[&number],
        )
        .await?;
    Ok(())
}

/// Lists a preview of a job, in the place of an earlier one of its name.
pub(crate) async fn add(session: &Session, number: i64, file: &Delivered) -> Result<(), StoreError> {
    put(session, number, 0, &file.artifact, &file.key).await?;
    measure(session, number).await
}

/// Lists a file of a job; of those with one name the last.
pub(crate) async fn put(
    session: &Session,
    number: i64,
    position: i64,
    artifact: &Artifact,
    key: &BlobKey,
) -> Result<(), StoreError> {
    session
        .execute(
            "INSERT INTO artifacts (job, name, position, artifact, key, size_bytes) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (job, name) DO UPDATE
             SET position = excluded.position, artifact = excluded.artifact, key = excluded.key,
                 size_bytes = excluded.size_bytes",
            &[
                &number,
                &artifact.name,
                &position,
                &Json(artifact),
                &key.as_str(),
                &clamped(artifact.size_bytes),
            ],
        )
        .await?;
    Ok(())
}

/// Lists the files of a result and what is known of it.
pub(crate) async fn put_result(session: &Session, number: i64, outcome: &Outcome) -> Result<(), StoreError> {
    session
        .execute("DELETE FROM artifacts WHERE job = $1", &[&number])
        .await?;
    for (position, file) in (0i64..).zip(&outcome.artifacts) {
        put(session, number, position, &file.artifact, &file.key).await?;
    }
    let statement = outcome.statement.as_ref();
    session
        .execute(
            "UPDATE jobs SET made_by = $2, notes = $3, provenance = $4, statement = $5, statement_key = $6,
                             statement_bytes = $7, timings = $8, cache_key = $9, latents = $10, latent_bytes = $11
             WHERE number = $1",
            &[
                &number,
                &outcome.made_by,
                &Json(&outcome.notes),
                &outcome.provenance.as_ref().map(Json),
                &statement.map(|stated| Json(&stated.file)),
                &statement.map(|stated| stated.key.as_str()),
                &statement.map_or(0, |stated| clamped(stated.file.size_bytes)),
                &outcome.timings.as_ref().map(Json),
                &outcome.cache_key.as_ref().map(CacheKey::as_str),
                &outcome.latents.as_ref().map(Json),
                &outcome
                    .latents
                    .as_ref()
                    .map_or(0, |latents| clamped(latents.size_bytes)),
            ],
        )
        .await?;
    measure(session, number).await
}

/// Writes down what a client changed.
pub(crate) async fn put_edit(session: &Session, number: i64, edit: &Edit) -> Result<(), StoreError> {
    match edit {
        Edit::Name(name) => {
            let name = name.as_str();
            session
                .execute(
                    "UPDATE jobs SET name = $2, name_folded = $3 WHERE number = $1",
                    &[&number, &name, &name.to_lowercase()],
                )
                .await?;
        }
        Edit::Thumbnail(thumbnail) => {
            session
                .execute(
                    "UPDATE jobs SET thumbnail = $2, thumbnail_bytes = $3 WHERE number = $1",
                    &[&number, &Json(thumbnail), &clamped(thumbnail.size_bytes)],
                )
                .await?;
            measure(session, number).await?;
        }
        Edit::DropLatents => {
            session
                .execute(
                    "UPDATE jobs SET latents = NULL, latent_bytes = 0 WHERE number = $1",
                    &[&number],
                )
                .await?;
            measure(session, number).await?;
        }
    }
    Ok(())
}

/// The small picture that a job has.
pub(crate) async fn thumbnail(session: &Session, number: i64) -> Result<Option<Thumbnail>, StoreError> {
    let found = session
        .row("SELECT thumbnail FROM jobs WHERE number = $1", &[&number])
        .await?;
    found.map_or(Ok(None), |row| row.json_or_none("thumbnail"))
}
