//! `trellis top` in a real terminal, beside a real server.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::kit::client::Client;
use crate::kit::server::Server;
use crate::kit::terminal::{Ended, in_terminal};
use crate::kit::{describe, fake, filters, picture, trellis};

fn home() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn top(home: &Path, server: &str) -> Command {
    let mut top = trellis(home);
    top.args(["top", "--server", server]);
    top
}

fn watched(home: &Path, server: &str, steps: &Value) -> Ended {
    in_terminal(&top(home, server), steps)
}

#[tokio::test]
async fn once_prints_a_picture_as_plain_text() {
    let home = home();
    let server = Server::start(home.path(), &[]);
    let client = Client::new(&server.address);
    let id = client.accepted(picture::png(96, 90), "top").await;
    client.finished(&id).await;
    let shown = describe(top(home.path(), &server.address).arg("--once"));
    let mut settings = filters(home.path());
    settings.add_filter(r"\d+ s( |\n)", "[TIME]$1");
    settings.add_filter(r"up \d+ s", "up [TIME]");
    settings.add_filter(r" +\[TIME\]", " [TIME]");
    settings.add_filter(&id[24..], "[ID]");
    settings.bind(|| insta::assert_snapshot!("top_once", shown));
}

#[test]
fn without_a_terminal_or_a_server_it_says_so() {
    let home = home();
    let server = Server::start(home.path(), &[]);
    let shown = describe(&mut top(home.path(), &server.address));
    filters(home.path()).bind(|| insta::assert_snapshot!("top_without_a_terminal", shown));
    // Before the screen is taken.
    let steps = json!([{ "wait": "Connection refused" }]);
    let ended = watched(home.path(), "http://127.0.0.1:1", &steps);
    assert_eq!((ended.code, &ended.missing), (1, &None), "{}", ended.output);
    assert!(!ended.output.contains("\x1b[?1049h"), "{:?}", ended.output);
}

#[test]
fn every_end_gives_the_terminal_back() {
    let home = home();
    let server = Server::start(home.path(), &[]);
    let drawn = json!({ "wait": "none runs or waits" });
    for end in [
        json!({ "send": "q" }),
        json!({ "send": "\u{3}" }),
        json!({ "signal": 15 }),
        json!({ "signal": 2 }),
    ] {
        let ended = watched(home.path(), &server.address, &json!([drawn, end]));
        ended.is_clean();
        assert_eq!(ended.code, 0, "{end}");
    }
    let steps = json!([drawn, { "size": [60, 20] }, { "wait": "0 done, 0 fa…" }, { "send": "?" }, { "wait": "KEYS" }, { "send": "qq" }]);
    watched(home.path(), &server.address, &steps).is_clean();
}

#[tokio::test]
async fn jobs_are_followed_and_cancelled() {
    let home = home();
    let model = fake::model(home.path(), &json!([{ "at": "decode", "do": "hang" }]));
    let flags = fake::flags(&model, 1);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let server = Server::start(home.path(), &flags);
    let client = Client::new(&server.address);
    let id = client.for_trellis(picture::png(96, 90), &json!({})).await;
    client.running(&id, 1).await;
    let steps = json!([
        { "wait": "decode" }, { "send": "\u{1b}[B" }, { "wait": ">" },
        { "send": "c" }, { "wait": format!("cancel {id}? y yes") }, { "send": "y" },
        { "wait": "is cancelled" }, { "wait": "ENDED" }, { "send": "q" },
    ]);
    let ended = tokio::task::spawn_blocking({
        let (home, address) = (home.path().to_owned(), server.address.clone());
        move || watched(&home, &address, &steps)
    });
    ended.await.expect("it does not panic").is_clean();
    assert_eq!(client.job(&id).await["state"], "cancelled");
}

#[test]
fn a_server_that_restarts_is_found_again() {
    let home = home();
    let server = Server::start(home.path(), &[]);
    let (address, port) = (
        server.address.clone(),
        server.address.rsplit(':').next().expect("a port").to_owned(),
    );
    let kill = ["kill", "-s", "KILL", &server.id().to_string()].map(str::to_owned);
    let data = home.path().join("data");
    let mut again = trellis(home.path());
    again.args(["serve", "--port", &port, "--data-dir"]).arg(&data);
    let serve: Vec<_> = std::iter::once(again.get_program())
        .chain(again.get_args())
        .collect();
    let serve: Vec<_> = serve.iter().map(|word| format!("'{}'", word.display())).collect();
    let pid = home.path().join("pid");
    let in_background = format!(
        "{} >/dev/null 2>&1 & echo $! > '{}'",
        serve.join(" "),
        pid.display()
    );
    let steps = json!([
        { "wait": "none runs or waits" }, { "run": kill }, { "wait": "asking again: Connection refused" },
        { "run": ["sh", "-c", in_background] }, { "wait": "the server was restarted" }, { "send": "q" },
    ]);
    let ended = watched(home.path(), &address, &steps);
    assert_eq!(ended.missing, None, "{}", ended.output);
    let pid = std::fs::read_to_string(pid).expect("it was started");
    let killed = Command::new("kill").args(["-s", "KILL", pid.trim()]).status();
    assert!(killed.expect("`kill` is a command of every Unix").success());
    ended.is_clean();
}
