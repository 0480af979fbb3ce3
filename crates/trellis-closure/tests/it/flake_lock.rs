//! Lock files: their graph, and the repository's own.

use std::path::Path;

use proptest::prelude::*;
use trellis_closure::lock::{Finding, FlakeLock, Severity, check};
use trellis_core::Explain as _;
use trellis_pins::Pins;

const NOW: i64 = 1_800_000_000;

fn repository() -> FlakeLock {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../flake.lock");
    FlakeLock::read(&file).unwrap()
}

/// A lock file of version 7 with these nodes.
fn lock(nodes: &str) -> Result<FlakeLock, String> {
    let text = format!("{{\"version\": 7, \"root\": \"root\", \"nodes\": {{{nodes}}}}}");
    FlakeLock::parse(&text).map_err(|error| {
        let source = std::error::Error::source(&error).map_or(String::new(), |source| format!(": {source}"));
        format!("{}: {error}{source}", error.kind())
    })
}

/// `flake.lock` locks exactly what the pins name, each thing as they name it.
#[test]
fn the_repository_s_lock_agrees_with_the_pins() {
    let errors: Vec<_> = check(&repository(), Pins::embedded(), NOW, i64::MAX);
    assert_eq!(errors, []);
}

#[test]
fn every_departure_from_the_pins_is_found() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../flake.lock");
    let text = std::fs::read_to_string(file).unwrap();
    let pins = Pins::embedded();
    let rev = &pins.crane.rev;
    let changes = [
        (
            rev.as_str(),
            "0000000000000000000000000000000000000000",
            "differs",
        ),
        (rev.as_str(), "main", "bad_revision"),
        (pins.crane.nar_hash.as_str(), "sha256-AAAA", "bad_hash"),
        ("\"owner\": \"ipetkov\"", "\"owner\": \"somebody\"", "differs"),
        (
            "\"owner\": \"ipetkov\"",
            "\"dir\": \"x\", \"owner\": \"ipetkov\"",
            "differs",
        ),
        ("\"ref\": \"nixos-26.05\"", "\"ref\": \"master\"", "differs"),
        ("\"flake\": false", "\"flake\": true", "differs"),
        ("\"shallow\": true", "\"shallow\": false", "differs"),
        ("\"crane\": \"crane\"", "\"cranes\": \"crane\"", "input_missing"),
        ("\"crane\": \"crane\"", "\"cranes\": \"crane\"", "input_unknown"),
        ("\"crane\": \"crane\"", "\"crane\": [\"nixpkgs\"]", "unused"),
    ];
    for (was, becomes, kind) in changes {
        assert!(text.contains(was), "{was}");
        let other = FlakeLock::parse(&text.replace(was, becomes)).unwrap();
        let findings = check(&other, pins, NOW, i64::MAX);
        assert!(
            findings.iter().any(|finding| finding.kind() == kind),
            "{becomes}: {findings:?}"
        );
    }
}

#[test]
fn old_flakes_are_warned_of_and_sources_do_not_age() {
    let findings = check(&repository(), Pins::embedded(), NOW, 1);
    let old: Vec<_> = findings
        .iter()
        .map(|finding| (finding.kind(), finding.severity()))
        .collect();
    assert_eq!(old, [("old", Severity::Warning); 2], "{findings:?}");
    assert!(
        findings
            .iter()
            .any(|finding| matches!(finding, Finding::Old { node, .. } if node == "nixpkgs"))
    );
}

#[test]
fn follows_leads_to_the_node_that_is_meant() {
    let lock = lock(
        r#""root": {"inputs": {"a": "a", "b": "b_2", "top": ["b", "deep", "leaf"]}},
           "a": {"inputs": {"nixpkgs": ["b", "nixpkgs"], "self": []}},
           "b_2": {"inputs": {"nixpkgs": "nixpkgs", "deep": "deep"}},
           "deep": {"inputs": {"leaf": ["a", "nixpkgs"]}},
           "nixpkgs": {}"#,
    )
    .unwrap();
    let paths: [(&[&str], &str); 5] = [
        (&[], "root"),
        (&["b"], "b_2"),
        (&["a", "nixpkgs"], "nixpkgs"),
        (&["a", "self"], "root"),
        (&["top"], "nixpkgs"),
    ];
    for (path, node) in paths {
        assert_eq!(lock.resolve(path), Some(node), "{path:?}");
    }
    assert_eq!(lock.resolve(&["a", "absent"]), None);
    assert!(lock.unused().is_empty());
    let users = lock.users();
    let of_nixpkgs: Vec<_> = users["nixpkgs"]
        .iter()
        .map(|user| format!("{}.{} {}", user.node, user.input, user.follows))
        .collect();
    assert_eq!(
        of_nixpkgs,
        [
            "a.nixpkgs true",
            "b_2.nixpkgs false",
            "deep.leaf true",
            "root.top true"
        ]
    );
}

#[test]
fn a_graph_that_is_not_sound_is_refused_by_name() {
    let cases = [
        r#""other": {}"#,
        r#""root": {"inputs": {"a": "a"}}"#,
        r#""root": {"inputs": {"a": "a"}}, "a": {"inputs": {"x": ["a", "y"]}}"#,
        r#""root": {"inputs": {"a": ["b"], "b": ["a"]}}"#,
        r#""root": {"inputs": {"a": "a"}}, "a": {"inputs": {"x": ["a", "x"]}}"#,
        r#""root": {"inputs": {"a": "a"}}, "a": {"inputs": {"b": "b"}}, "b": {"inputs": {"a": "a"}}"#,
        r#""root": {"inputs": {"me": "root"}}"#,
        r#""root": {"inputs": {"a": 3}}"#,
    ];
    let refused: Vec<String> = cases.iter().map(|nodes| lock(nodes).unwrap_err()).collect();
    insta::assert_snapshot!(refused.join("\n"));
}

#[test]
fn a_version_that_is_not_known_is_refused() {
    let error = FlakeLock::parse(r#"{"version": 8, "root": "root", "nodes": {}}"#).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the lock file is of version 8; versions 5 to 7 are supported"
    );
}

/// A long chain neither overflows the stack nor takes long.
#[test]
fn a_long_chain_is_read() {
    let mut nodes = vec![r#""root": {"inputs": {"n": "n0"}}"#.to_owned()];
    nodes.extend((0..50_000).map(|at| format!(r#""n{at}": {{"inputs": {{"n": "n{}"}}}}"#, at + 1)));
    nodes.push(r#""n50000": {}"#.to_owned());
    let lock = lock(&nodes.join(",")).unwrap();
    assert_eq!(lock.resolve(&vec!["n"; 50_001]), Some("n50000"));
}

const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "root"];

/// A lock file of eight nodes whose inputs lead anywhere, by name or by path.
fn any_graph() -> impl Strategy<Value = String> {
    let name = || prop::sample::select(&NAMES[..]);
    let node = name().prop_map(|name| format!("{name:?}"));
    let follows = prop::collection::vec(name(), 0..4).prop_map(|path| format!("{path:?}"));
    let inputs = prop::collection::btree_map(name(), prop_oneof![node, follows], 0..3);
    prop::collection::vec(inputs, NAMES.len()).prop_map(|nodes| {
        let nodes = NAMES.iter().zip(nodes).map(|(name, inputs)| {
            let inputs: Vec<_> = inputs
                .iter()
                .map(|(name, what)| format!("{name:?}: {what}"))
                .collect();
            format!("{name:?}: {{\"inputs\": {{{}}}}}", inputs.join(", "))
        });
        nodes.collect::<Vec<_>>().join(", ")
    })
}

proptest! {
    /// Whatever the graph: it is refused, or every input of it is a node.
    #[test]
    fn any_graph_is_refused_or_sound(nodes in any_graph()) {
        if let Ok(lock) = lock(&nodes) {
            for (name, node) in lock.nodes() {
                let users = lock.users();
                for input in node.inputs.keys() {
                    let uses = users.iter().filter(|(_, users)| {
                        users.iter().any(|user| user.node == name && user.input == *input)
                    });
                    prop_assert_eq!(uses.count(), 1, "{}.{}", name, input);
                }
                prop_assert!(lock.unused().contains(&name) || users.contains_key(name));
            }
        }
    }
}
