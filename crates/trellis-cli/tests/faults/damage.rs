//! Damaged pages of the job database: told at the start, and what is left of it stays.

use std::fs;
use std::os::unix::fs::FileExt as _;

use reqwest::StatusCode;
use serde_json::Value;

use crate::kit::client::Client;
use crate::kit::picture;
use crate::kit::server::Server;

/// SQLite's page size unless told otherwise.
const PAGE: u64 = 4096;

#[tokio::test]
async fn damaged_pages_are_told_each_time_and_nothing_is_thrown_away() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let server = Server::start(home.path(), &[]);
    let client = Client::new(&server.address);
    let path = home.path().join("data/jobs.sqlite");
    // SQLite moves pages from its log into the file now and then, and begins the log again with the next
    // write: only after that do pages stand in the file alone.
    let mut after = 0;
    for number in 0_u32.. {
        client.accepted(picture::png(64, 90), &format!("{number}")).await;
        after += u32::from(fs::metadata(&path).expect("the database").len() > 32 * PAGE);
        if after == 5 {
            break;
        }
    }
    server.kill();

    let mut bytes = fs::read(&path).expect("the database");
    for byte in &mut bytes[usize::try_from(PAGE).expect("it is small")..] {
        *byte = !*byte;
    }
    fs::write(&path, &bytes).expect("the database can be written");

    // Twice: the first refusal must not have put an empty database in the place of the damaged one. The
    // file may have changed all the same, because SQLite moves the rest of its log there.
    for _ in 0..2 {
        let Err(log) = Server::try_start(home.path(), &[]) else {
            panic!("it serves from a damaged database")
        };
        assert!(log.contains("is damaged") && log.contains("hint: "), "{log}");
        assert!(
            fs::metadata(&path).expect("the database").len() >= bytes.len() as u64,
            "it was cut"
        );
        println!("{}", log.lines().take(3).collect::<Vec<_>>().join("\n"));
    }

    for name in ["jobs.sqlite", "jobs.sqlite-wal", "jobs.sqlite-shm"] {
        let _ = fs::rename(home.path().join("data").join(name), home.path().join(name));
    }
    let server = Server::start(home.path(), &[]);
    let client = Client::new(&server.address);
    let id = client.accepted(picture::png(64, 9), "after").await;
    assert_eq!(client.finished(&id).await["state"], "succeeded", "the hint works");
}

/// Pages that are overwritten under the running server. The damage is in what is told of jobs; the jobs themselves can
/// be read.
#[tokio::test]
async fn with_a_database_that_is_damaged_meanwhile_no_job_is_accepted() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let server = Server::start(home.path(), &[]);
    let client = Client::new(&server.address);
    let mut ids = Vec::new();
    for number in 0..40 {
        ids.push(
            client
                .accepted(picture::png(64, number), &format!("{number}"))
                .await,
        );
    }
    let mut finished = Vec::new();
    for id in &ids {
        finished.push(client.finished(id).await);
    }
    let path = home.path().join("data/jobs.sqlite");
    let others = rusqlite::Connection::open(&path).expect("the database");
    // A change by another process: the server forgets the pages that it has read.
    others
        .execute_batch("UPDATE sqlite_sequence SET seq = seq; PRAGMA wal_checkpoint(TRUNCATE)")
        .expect("it is sound");
    let mut pages = others
        .prepare("SELECT pageno FROM dbstat WHERE name = 'events'")
        .expect("a table of pages");
    let pages: Vec<u64> = pages
        .query_map([], |row| row.get(0))
        .and_then(Iterator::collect)
        .expect("numbers");
    let file = fs::File::options().write(true).open(&path).expect("the database");
    for page in &pages {
        file.write_all_at(&[0xa5; 4096], (page - 1) * PAGE)
            .expect("a page");
    }

    let told = client.look(&format!("jobs/{}/events", ids[0])).await;
    assert_eq!(
        told["type"], "urn:trellis-server:problem:database_corrupt",
        "{told}"
    );
    for key in ["new", "another"] {
        let refused = client.submit(picture::png(64, 1), key).await.expect("an answer");
        assert_eq!(refused.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let problem: Value = refused.json().await.expect("JSON");
        assert_eq!(problem["type"], "urn:trellis-server:problem:database_corrupt");
    }
    let ready = client.look("health/ready").await;
    assert_eq!(ready["status"], "not_ready");
    let message = ready["message"].as_str().expect("a sentence");
    assert!(message.contains("put back a copy"), "{message}");
    for job in &finished {
        let id = job["id"].as_str().expect("an id");
        assert_eq!(client.job(id).await, *job);
        assert_eq!(client.damage(job).await, None, "what can be read is served");
    }
    println!(
        "{} pages overwritten: nothing accepted, {} results served",
        pages.len(),
        finished.len()
    );
    server.kill();
    let Err(log) = Server::try_start(home.path(), &[]) else {
        panic!("it serves from a damaged database")
    };
    assert!(log.contains("is damaged"), "{log}");
}
