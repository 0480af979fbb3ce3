//! Whether a lock file pins everything, and pins what `nix/pins.json` says.

use std::collections::BTreeSet;

use nix_compat::nixhash::NixHash;
use serde::{Serialize, Serializer};
use trellis_core::{Severity, Told};
use trellis_pins::{Pins, Revision};

use super::{FlakeLock, Node};

const DAY_SECONDS: i64 = 24 * 60 * 60;

trellis_core::explained! {
    /// Something about a lock file.
    #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
    #[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
    pub enum Finding {
        #[error("`{node}` is not locked at all")]
        NotLocked { node: String } = "not_locked", WRITE_AGAIN;
        #[error("`{node}` has no `{field}`, so what is downloaded could be anything")]
        FieldMissing { node: String, field: &'static str } = "field_missing", WRITE_AGAIN;
        #[error("`{node}` has the invalid narHash `{text}`")]
        BadHash { node: String, text: String } = "bad_hash", WRITE_AGAIN;
        #[error("`{node}` has the commit `{text}`, which is not 40 hexadecimal digits")]
        BadRevision { node: String, text: String } = "bad_revision", WRITE_AGAIN;
        #[error("`{node}` is unused")]
        Unused { node: String } = "unused", "`nix flake lock` removes it", Severity::Warning;
        #[error("`{node}` is {days} {} old", if *days == 1 { "day" } else { "days" })]
        Old { node: String, days: i64 } = "old", "`nix/update-pins` takes a newer revision", Severity::Warning;
        #[error("input `{input}` is pinned in pins.json but is not in flake.lock")]
        InputMissing { input: String } = "input_missing", ONE_SOURCE;
        #[error("input `{input}` is in flake.lock but not in pins.json")]
        InputUnknown { input: String } = "input_unknown", ONE_SOURCE;
        #[error("`{input}` has {field} {locked} in flake.lock and {pinned} in pins.json")]
        Differs { input: String, field: String, locked: String, pinned: String } = "differs", ONE_SOURCE;
    }
}

const WRITE_AGAIN: &str = "let `nix flake lock` write it again";
const ONE_SOURCE: &str = "`nix/update-pins` writes both files from one source";

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Told::weighed(self).serialize(serializer)
    }
}

/// Everything that can be said against a lock file. `now` is in seconds since 1970; a flake older than
/// `max_age_days` is a warning. Plain sources are pinned at the commit that a version means: they do not age.
pub fn check(lock: &FlakeLock, pins: &Pins, now: i64, max_age_days: i64) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, node) in lock.nodes() {
        pinned(name, node, &mut findings);
        let made = node.locked.as_ref().and_then(|locked| locked.last_modified);
        let days = made.map(|made| age_days(made, now));
        if let Some(days) = days.filter(|days| node.flake && *days > max_age_days) {
            findings.push(Finding::Old {
                node: name.to_owned(),
                days,
            });
        }
    }
    let unused = lock.unused().into_iter().map(|node| Finding::Unused {
        node: node.to_owned(),
    });
    findings.extend(unused);
    agree(lock, pins, &mut findings);
    findings
}

/// How old a revision is that was made then, in seconds since 1970 like `now`.
pub fn age_days(made: i64, now: i64) -> i64 {
    now.saturating_sub(made).max(0) / DAY_SECONDS
}

/// A node must name one content: by its hash, or by a git commit, which is a hash itself.
fn pinned(name: &str, node: &Node, findings: &mut Vec<Finding>) {
    let node_name = || name.to_owned();
    let Some(locked) = &node.locked else {
        findings.push(Finding::NotLocked { node: node_name() });
        return;
    };
    let (needs_rev, needs_hash) = match locked.kind.as_str() {
        "git" => (true, false),
        "github" | "gitlab" | "sourcehut" | "hg" => (true, true),
        _ => (false, true),
    };
    let missing = [
        (needs_rev && locked.rev.is_none(), "rev"),
        (needs_hash && locked.nar_hash.is_none(), "narHash"),
    ];
    for (_, field) in missing.into_iter().filter(|(missing, _)| *missing) {
        findings.push(Finding::FieldMissing {
            node: node_name(),
            field,
        });
    }
    let is_hash = |text: &String| NixHash::from_sri(text).is_ok();
    if let Some(text) = locked.nar_hash.as_ref().filter(|text| !is_hash(text)) {
        findings.push(Finding::BadHash {
            node: node_name(),
            text: text.clone(),
        });
    }
    let is_commit = |text: &String| text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if let Some(text) = locked.rev.as_ref().filter(|text| !is_commit(text)) {
        findings.push(Finding::BadRevision {
            node: node_name(),
            text: text.clone(),
        });
    }
}

/// The root's inputs are exactly the pinned ones, each as pinned.
fn agree(lock: &FlakeLock, pins: &Pins, findings: &mut Vec<Finding>) {
    let expected = expected(pins);
    for pin in &expected {
        match lock.resolve(&[&pin.input]).and_then(|name| lock.node(name)) {
            Some(node) => compare(pin, node, findings),
            None => findings.push(Finding::InputMissing {
                input: pin.input.clone(),
            }),
        }
    }
    let known: BTreeSet<&str> = expected.iter().map(|pin| pin.input.as_str()).collect();
    for (input, _) in lock.root_inputs().filter(|(input, _)| !known.contains(input)) {
        findings.push(Finding::InputUnknown {
            input: input.to_owned(),
        });
    }
}

/// One input as the pins want it locked.
struct Expected {
    input: String,
    /// Names and values, as a lock file has them; `None` must not be there.
    fields: Vec<(&'static str, Option<String>)>,
    flake: bool,
}

/// Where nixpkgs is, which the pins leave out.
const NIXPKGS: (&str, &str) = ("NixOS", "nixpkgs");

fn expected(pins: &Pins) -> Vec<Expected> {
    let flakes = [("nixpkgs", &pins.nixpkgs), ("crane", &pins.crane)];
    let flakes = flakes.map(|(input, pin)| flake(input, pin));
    let sources = pins.sources.values().map(|source| {
        let mut fields = vec![("rev", Some(source.rev.clone()))];
        if let Some(nar_hash) = &source.nar_hash {
            fields.extend([
                ("type", Some("github".to_owned())),
                ("owner", Some(source.owner.clone())),
                ("repo", Some(source.repo.clone())),
                ("url", None),
                ("narHash", Some(nar_hash.clone())),
                ("lastModified", Some(source.last_modified.to_string())),
            ]);
        } else {
            let url = format!("https://github.com/{}/{}", source.owner, source.repo);
            fields.extend([
                ("type", Some("git".to_owned())),
                ("url", Some(url)),
                // One commit, not the history.
                ("shallow", Some("true".to_owned())),
                ("submodules", source.submodules.then(|| "true".to_owned())),
                ("owner", None),
                ("repo", None),
                ("narHash", None),
                ("lastModified", None),
            ]);
        }
        Expected {
            input: source.input.clone(),
            fields,
            flake: false,
        }
    });
    flakes.into_iter().chain(sources).collect()
}

fn flake(input: &str, pin: &Revision) -> Expected {
    let or = |value: &Option<String>, otherwise: &str| Some(value.clone().unwrap_or(otherwise.to_owned()));
    Expected {
        input: input.to_owned(),
        fields: vec![
            ("type", Some("github".to_owned())),
            ("owner", or(&pin.owner, NIXPKGS.0)),
            ("repo", or(&pin.repo, NIXPKGS.1)),
            ("url", None),
            ("ref", pin.branch.clone()),
            ("rev", Some(pin.rev.clone())),
            ("narHash", Some(pin.nar_hash.clone())),
            ("lastModified", Some(pin.last_modified.to_string())),
        ],
        flake: true,
    }
}

fn compare(pin: &Expected, node: &Node, findings: &mut Vec<Finding>) {
    let Some(locked) = &node.locked else { return };
    let mut differs = |field: &str, locked: Option<String>, pinned: Option<String>| {
        if locked != pinned {
            let shown = |value: Option<String>| value.unwrap_or_else(|| "nothing".to_owned());
            findings.push(Finding::Differs {
                input: pin.input.clone(),
                field: field.to_owned(),
                locked: shown(locked),
                pinned: shown(pinned),
            });
        }
    };
    for (field, pinned) in &pin.fields {
        let found = match *field {
            "type" => Some(locked.kind.clone()),
            "owner" => locked.owner.clone(),
            "repo" => locked.repo.clone(),
            "url" => locked.url.clone(),
            "rev" => locked.rev.clone(),
            "narHash" => locked.nar_hash.clone(),
            "lastModified" => locked.last_modified.map(|seconds| seconds.to_string()),
            "shallow" | "submodules" => locked.rest.get(*field).map(ToString::to_string),
            _ => node
                .original
                .as_ref()
                .and_then(|original| original.branch.clone()),
        };
        differs(field, found, pinned.clone());
    }
    // Such as `submodules` or `dir`, which change what is taken.
    let is_pinned = |field: &str| pin.fields.iter().any(|(name, _)| *name == field);
    for (field, value) in locked.rest.iter().filter(|(field, _)| !is_pinned(field)) {
        differs(field, Some(value.to_string()), None);
    }
    differs("flake", Some(node.flake.to_string()), Some(pin.flake.to_string()));
}
