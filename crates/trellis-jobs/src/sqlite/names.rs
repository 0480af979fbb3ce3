//! What people call jobs and how these look: kept, and searched by name.

use rusqlite::{Connection, OptionalExtension as _, params};
use trellis_core::{AssetName, JobId, JobState};

use super::claim::measure;
use super::rows::{Json, below, parsed, time};
use crate::rules::Edit;
use crate::{JobQuery, KeptLatents, StoreError, Thumbnail};

/// Walks the index from the newest name on, which has all that is looked at; rows of jobs are read once they are found.
/// Cases are folded here, because SQLite folds those of ASCII alone.
const NAMES: &str = "SELECT id, name FROM jobs INDEXED BY jobs_by_name
     WHERE name IS NOT NULL AND id < ?1 AND (?2 IS NULL OR state = ?2)
       AND (?4 OR owner IN (SELECT value FROM json_each(?3)))
     ORDER BY id DESC";

/// The newest jobs whose name has `part` in it, in whatever case, at most `most`.
pub(super) fn with(
    connection: &Connection,
    query: &JobQuery,
    part: &str,
    most: usize,
) -> Result<Vec<JobId>, StoreError> {
    let part = part.to_lowercase();
    let mut statement = connection.prepare_cached(NAMES)?;
    let state = query.state.map(JobState::name);
    let visible = Json(query.owner.visible());
    let all = query.owner.rights().sees_all;
    let mut rows = statement.query(params![below(query.before), state, visible, all])?;
    let mut found = Vec::new();
    while found.len() < most
        && let Some(row) = rows.next()?
    {
        let name = row.get_ref(1)?.as_str().unwrap_or_default();
        if name.to_lowercase().contains(&part) {
            found.push(parsed(row, 0)?);
        }
    }
    Ok(found)
}

/// Writes down what a client changed.
pub(super) fn put(connection: &Connection, number: i64, edit: &Edit) -> Result<(), StoreError> {
    match edit {
        Edit::Name(name) => {
            connection
                .prepare_cached("UPDATE jobs SET name = ?2 WHERE number = ?1")?
                .execute(params![number, AssetName::as_str(name)])?;
        }
        Edit::Thumbnail(thumbnail) => {
            connection
                .prepare_cached("UPDATE jobs SET thumbnail = ?2 WHERE number = ?1")?
                .execute(params![number, Json(thumbnail)])?;
            measure(connection, number)?;
        }
        Edit::DropLatents => {
            connection
                .prepare_cached("UPDATE jobs SET latents = NULL WHERE number = ?1")?
                .execute([number])?;
            measure(connection, number)?;
        }
    }
    Ok(())
}

/// What was sampled for jobs and is kept, the newest job first.
pub(super) fn with_latents(connection: &Connection) -> Result<Vec<KeptLatents>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, coalesce(ended_at, updated_at), latents FROM jobs WHERE latents IS NOT NULL ORDER BY id DESC",
    )?;
    let found = statement.query_map([], |row| {
        Ok(KeptLatents {
            job: parsed(row, 0)?,
            ended_at: time(row, 1)?,
            latents: row.get::<_, Json<_>>(2)?.0,
        })
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// The small picture that a job has.
pub(super) fn thumbnail(connection: &Connection, id: JobId) -> Result<Option<Thumbnail>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT thumbnail FROM jobs WHERE id = ?1")?;
    let found = statement.query_row([id.to_string()], |row| row.get::<_, Option<Json<Thumbnail>>>(0));
    Ok(found.optional()?.flatten().map(|json| json.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::schema::open_writer;

    #[test]
    fn a_search_by_name_reads_one_index_and_sorts_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let connection = open_writer(&folder.path().join("jobs.db")).unwrap();
        let mut plan = connection
            .prepare(&format!("EXPLAIN QUERY PLAN {NAMES}"))
            .unwrap();
        let lines = plan.query_map(params!["g", None::<String>, "[]", false], |row| {
            row.get::<_, String>(3)
        });
        let lines: Vec<String> = lines.unwrap().map(Result::unwrap).collect();
        assert!(
            lines[0].contains("USING COVERING INDEX jobs_by_name (id<?)"),
            "{lines:?}"
        );
        assert!(
            !lines.iter().any(|line| line.contains("TEMP B-TREE")),
            "{lines:?}"
        );
    }
}
