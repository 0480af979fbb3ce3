//! Damaged pages of the job database: told at the start, and what is left of it stays.

use std::fs;

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
