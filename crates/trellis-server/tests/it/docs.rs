//! docs/http.md: its commands run, its table of routes is the contract's.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use trellis_backend::{Backend as _, ReliefBackend, ReliefSettings};
use trellis_core::Format;

use crate::kit::{Kit, png};

const DOCS: &str = include_str!("../../../../docs/http.md");

#[test]
fn the_routes_are_those_of_the_contract() {
    let contract = serde_json::to_value(trellis_server::openapi(16)).unwrap();
    let mut expected = BTreeSet::new();
    for (path, item) in contract["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let summary = operation["summary"].as_str().unwrap();
            expected.insert(format!("| {} | `{path}` | {summary} |", method.to_uppercase()));
        }
    }
    let listed = DOCS
        .lines()
        .filter(|line| line.contains("| `/v1/"))
        .map(str::to_owned)
        .collect();
    assert_eq!(expected, listed);
}

#[test]
fn the_formats_are_listed_with_their_media_types_in_their_order() {
    let listed: Vec<(&str, &str)> = DOCS
        .lines()
        .skip_while(|line| *line != "## Formats")
        .skip_while(|line| !line.starts_with("|---"))
        .skip(1)
        .map_while(|line| {
            let mut cells = line
                .strip_prefix("| ")?
                .split(" | ")
                .map(|cell| cell.trim_matches('`'));
            Some((cells.next()?, cells.nth(1)?))
        })
        .collect();
    let expected = Format::ALL.map(|format| (format.name(), format.media_type()));
    assert_eq!(listed, expected);
    assert!(DOCS.contains("`relief` makes the first five"));
    let relief = ReliefBackend::new(ReliefSettings::default());
    assert_eq!(relief.capabilities().formats, Format::ALL[..5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_do_what_the_page_says() {
    let kit = Kit::new();
    let server = kit.serve().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("samples")).unwrap();
    std::fs::write(folder.path().join("samples/duck.png"), png()).unwrap();
    let script: String = DOCS
        .split("```sh\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    let script = script.replace("127.0.0.1:8000", &server.address.to_string());
    assert!(script.matches("curl").count() >= 4, "{script}");
    let place = folder.path().to_owned();
    let shell = tokio::task::spawn_blocking(move || {
        Command::new("sh")
            .arg("-euxc")
            .arg(script)
            .current_dir(place)
            .output()
            .unwrap()
    });
    // Works on the first job as a runner would; its followers wait for that.
    let mut arrivals = kit.state.jobs.store.arrivals();
    while kit.state.jobs.stats().await.unwrap().queued == 0 {
        tokio::time::timeout(Duration::from_secs(20), arrivals.changed())
            .await
            .expect("a job comes");
    }
    let claim = kit.claim().await;
    kit.progress(&claim, 1).await;
    kit.succeed(&claim, b"the asset").await;
    let output = shell.await.unwrap();
    let (said, trace) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{said}\n{trace}");
    assert!(
        said.contains("event: progress") && said.contains("\"state\":\"succeeded\""),
        "{said}"
    );
    assert_eq!(
        std::fs::read(folder.path().join("duck.glb")).unwrap(),
        b"the asset"
    );
    assert!(said.contains("\"backend\":\"relief\""), "{said}");
}
