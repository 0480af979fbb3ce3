//! `flake.lock` locks exactly what the pins name.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use trellis_pins::Pins;

use crate::kit::read;

fn nodes() -> Value {
    let lock: Value = serde_json::from_str(&read("flake.lock")).expect("the lock is JSON");
    assert_eq!(lock["version"], 7);
    lock["nodes"].clone()
}

#[test]
fn sources_are_locked_as_pinned() {
    let nodes = nodes();
    for (name, source) in &Pins::embedded().sources {
        let locked = &nodes[&source.input]["locked"];
        let expected = match &source.nar_hash {
            Some(nar_hash) => json!({
                "type": "github", "owner": source.owner, "repo": source.repo, "rev": source.rev,
                "narHash": nar_hash, "lastModified": source.last_modified,
            }),
            None => json!({
                "type": "git", "url": format!("https://github.com/{}/{}", source.owner, source.repo),
                "rev": source.rev,
            }),
        };
        assert_eq!(locked, &expected, "{name}");
        assert_eq!(nodes[&source.input]["flake"], false, "{name}");
    }
}

#[test]
fn flakes_are_locked_as_pinned() {
    let nodes = nodes();
    let pins = Pins::embedded();
    for (input, pin) in [("nixpkgs", &pins.nixpkgs), ("crane", &pins.crane)] {
        let locked = &nodes[input]["locked"];
        assert_eq!(locked["rev"], pin.rev, "{input}");
        assert_eq!(locked["narHash"], pin.nar_hash, "{input}");
        assert_eq!(locked["lastModified"], pin.last_modified, "{input}");
        assert_eq!(
            nodes[input]["original"]["ref"].as_str(),
            pin.branch.as_deref(),
            "{input}"
        );
    }
}

#[test]
fn nothing_else_is_locked() {
    let pins = Pins::embedded();
    let expected: BTreeSet<&str> = pins
        .sources
        .values()
        .map(|source| source.input.as_str())
        .chain(["nixpkgs", "crane"])
        .collect();
    let nodes = nodes();
    let inputs: BTreeSet<&str> = nodes["root"]["inputs"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(inputs, expected);
}
