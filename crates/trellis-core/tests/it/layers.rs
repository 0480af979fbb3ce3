//! Arrows between crates point down only: words ← engines ← services ← edges (docs/architecture.md).

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// The layer of each crate. A new crate is put here first, or the test below fails.
const LAYERS: [(&str, &[&str]); 4] = [
    (
        "words",
        &[
            "trellis-core",
            "trellis-mesh",
            "trellis-picture",
            "trellis-pins",
            "trellis-provenance",
            "nix-compat",
        ],
    ),
    (
        "engines",
        &[
            "trellis-relief",
            "trellis-convert",
            "trellis-doctor",
            "trellis-models",
            "trellis-closure",
            "trellis-gpu",
            "trellis-allocator",
        ],
    ),
    (
        "services",
        &[
            "trellis-jobs",
            "trellis-store-postgres",
            "trellis-blobs-s3",
            "trellis-backend",
            "trellis-runner",
            "trellis-supervisor",
            "trellis-model-fetch",
            "trellis-client",
            "trellis-webhook",
        ],
    ),
    (
        "edges",
        &["trellis-server", "trellis-node", "trellis-cli", "trellis-sim"],
    ),
];

/// What a layer must not depend on, at any depth.
const FORBIDDEN: [(&str, &[&str]); 3] = [
    ("words", &["tokio", "axum", "clap", "reqwest", "rusqlite"]),
    ("engines", &["tokio", "axum", "clap", "reqwest"]),
    ("services", &["axum", "clap"]),
];

fn layer_of(name: &str) -> Option<usize> {
    LAYERS.iter().position(|(_, crates)| crates.contains(&name))
}

/// Normal dependencies of each package by package id, and the workspace members by name.
fn graph() -> (BTreeMap<String, Vec<String>>, BTreeMap<String, String>) {
    // One platform only: packages of others are not on this machine, and nothing is downloaded here.
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .args([
            "--manifest-path",
            concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
        ])
        .output()
        .expect("cargo runs this test, so it can be run");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut edges = BTreeMap::new();
    for node in metadata["resolve"]["nodes"].as_array().unwrap() {
        let normal = node["deps"].as_array().unwrap().iter().filter(|dep| {
            dep["dep_kinds"]
                .as_array()
                .unwrap()
                .iter()
                .any(|kind| kind["kind"].is_null())
        });
        edges.insert(text(&node["id"]), normal.map(|dep| text(&dep["pkg"])).collect());
    }
    let members: BTreeSet<String> = metadata["workspace_members"]
        .as_array()
        .unwrap()
        .iter()
        .map(text)
        .collect();
    let packages = metadata["packages"].as_array().unwrap().iter();
    let names = packages.map(|package| (text(&package["id"]), text(&package["name"])));
    let names: BTreeMap<String, String> = names.collect();
    assert!(
        members.iter().all(|id| layer_of(&names[id]).is_some()),
        "a crate has no layer yet: {members:?}"
    );
    (edges, names)
}

fn reachable(edges: &BTreeMap<String, Vec<String>>, from: &str) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut open = vec![from.to_owned()];
    while let Some(id) = open.pop() {
        for next in &edges[&id] {
            if seen.insert(next.clone()) {
                open.push(next.clone());
            }
        }
    }
    seen
}

#[test]
fn arrows_point_down() {
    let (edges, names) = graph();
    for (id, name) in &names {
        let Some(layer) = layer_of(name) else { continue };
        for dependency in &edges[id] {
            let Some(below) = layer_of(&names[dependency]) else {
                continue;
            };
            let dependency = &names[dependency];
            assert!(
                below <= layer,
                "{name} ({}) depends on {dependency} ({})",
                LAYERS[layer].0,
                LAYERS[below].0
            );
            assert!(
                below < layer || LAYERS[layer].0 != "engines",
                "{name} and {dependency} are both engines: an engine does not know another"
            );
        }
    }
}

#[test]
fn layers_stay_free_of_what_is_above_them() {
    let (edges, names) = graph();
    for (id, name) in &names {
        let Some(layer) = layer_of(name) else { continue };
        let Some((_, forbidden)) = FORBIDDEN
            .iter()
            .find(|(layer_name, _)| *layer_name == LAYERS[layer].0)
        else {
            continue;
        };
        for dependency in reachable(&edges, id) {
            let dependency = &names[&dependency];
            assert!(
                !forbidden.contains(&dependency.as_str()),
                "{name} ({}) reaches {dependency}",
                LAYERS[layer].0
            );
        }
    }
}
