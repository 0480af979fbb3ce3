//! Brings the database's schema up to date. All of it stands in the schema `trellis`.
//!
//! Each migration is a file in `migrations/`, run once, in order, and never edited after a release. Servers of two versions
//! work on one database while they are replaced one by one: a migration first adds what the new version needs in a way that
//! the old one does not mind, and a later release removes what nobody uses any more. `works_with` is the oldest program
//! that may still work on it, by the number of migrations that it knows.

use trellis_jobs::StoreError;

use crate::OpenError;
use crate::session::Session;

const MIGRATIONS: [Migration; 5] = [
    Migration {
        text: include_str!("migrations/0001_jobs.sql"),
        works_with: 1,
    },
    Migration {
        text: include_str!("migrations/0002_latents.sql"),
        works_with: 1,
    },
    Migration {
        text: include_str!("migrations/0003_needs.sql"),
        works_with: 1,
    },
    Migration {
        text: include_str!("migrations/0004_counts.sql"),
        works_with: 1,
    },
    Migration {
        text: include_str!("migrations/0005_priorities.sql"),
        works_with: 1,
    },
];

struct Migration {
    text: &'static str,
    works_with: i32,
}

/// Taken by whoever migrates: several servers may start at once.
const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended('trellis migrations', 0))";

/// Makes the tables, or changes them where they are of an earlier version. In one transaction.
pub(crate) async fn migrate(session: &Session) -> Result<(), StoreError> {
    session.batch(LOCK).await?;
    session
        .batch(
            "CREATE SCHEMA IF NOT EXISTS trellis;
             CREATE TABLE IF NOT EXISTS trellis.about (version int NOT NULL, works_with int NOT NULL)",
        )
        .await?;
    let about = session.row("SELECT version, works_with FROM about", &[]).await?;
    let (found, works_with) = match &about {
        Some(row) => (row.get::<i32>("version")?, row.get("works_with")?),
        None => (0, 0),
    };
    let known = i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX);
    if works_with > known {
        return Err(StoreError::Unavailable {
            source: Box::new(OpenError::Newer { found, known }),
        });
    }
    let done = usize::try_from(found).unwrap_or(0);
    let Some(missing) = MIGRATIONS.get(done..).filter(|missing| !missing.is_empty()) else {
        return Ok(());
    };
    let mut works_with = works_with;
    for migration in missing {
        session.batch(migration.text).await?;
        works_with = works_with.max(migration.works_with);
    }
    session.batch("DELETE FROM about").await?;
    session
        .execute(
            "INSERT INTO about (version, works_with) VALUES ($1, $2)",
            &[&known, &works_with],
        )
        .await?;
    Ok(())
}
