//! `flake.lock`: which revision of each input a flake takes.
//!
//! Format: Nix's manual, "nix flake", lock files; versions 5 to 7, which differ in nothing that is read here.
//! A node's input is either the name of a node or a path of input names from the root (`follows`).

mod check;
mod error;
mod graph;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use self::graph::Targets;
pub use check::{Finding, age_days, check};
pub use error::LockError;
pub use graph::User;
pub use trellis_core::Severity;

/// The versions of the format that are read.
const VERSIONS: std::ops::RangeInclusive<u32> = 5..=7;

/// A lock file. Its graph is sound: every name in it names something, and nothing comes back to itself.
#[derive(Debug, Clone)]
pub struct FlakeLock {
    version: u32,
    root: String,
    nodes: BTreeMap<String, Node>,
    /// The node that each input is in the end, by the node that has the input and the input's name.
    targets: Targets,
}

/// The file itself.
#[derive(Deserialize)]
struct File {
    version: u32,
    root: String,
    nodes: BTreeMap<String, Node>,
}

/// One node.
#[derive(Debug, Clone, Deserialize)]
pub struct Node {
    /// What its own inputs are.
    #[serde(default)]
    pub inputs: BTreeMap<String, Input>,
    /// What it is pinned to; only the root has none.
    pub locked: Option<Locked>,
    /// What the flake asks for.
    pub original: Option<Original>,
    /// Whether it is a flake itself, or only files.
    #[serde(default = "yes")]
    pub flake: bool,
}

fn yes() -> bool {
    true
}

/// What an input is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Input {
    /// A node of its own.
    Node(String),
    /// The same as another input, named by a path from the root; an empty path is the root.
    Follows(Vec<String>),
}

/// What an input is pinned to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Locked {
    /// `github`, `git`, `tarball`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Of a repository on a forge.
    pub owner: Option<String>,
    /// Of a repository on a forge.
    pub repo: Option<String>,
    /// Of `git`, `tarball`, `file`.
    pub url: Option<String>,
    /// Of `path`.
    pub path: Option<String>,
    /// The commit.
    pub rev: Option<String>,
    /// SRI hash of the tree as a NAR.
    pub nar_hash: Option<String>,
    /// Seconds since 1970 of the commit.
    pub last_modified: Option<i64>,
    /// Everything else, such as `dir` or `submodules`.
    #[serde(flatten)]
    pub rest: BTreeMap<String, serde_json::Value>,
}

impl Locked {
    /// Where it is from, on one line.
    pub fn origin(&self) -> String {
        match (&self.owner, &self.repo, self.url.as_ref().or(self.path.as_ref())) {
            (Some(owner), Some(repo), _) => format!("{}:{owner}/{repo}", self.kind),
            (_, _, Some(place)) => format!("{}:{place}", self.kind),
            _ => self.kind.clone(),
        }
    }
}

/// What a flake asks for. Only the branch or tag is read: the rest is in [`Locked`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Original {
    /// The branch or tag that is followed.
    #[serde(rename = "ref")]
    pub branch: Option<String>,
}

impl FlakeLock {
    /// Reads a lock file.
    pub fn read(path: &Path) -> Result<Self, LockError> {
        let text = std::fs::read_to_string(path).map_err(|source| LockError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text)
    }

    /// Reads a lock file's text.
    pub fn parse(text: &str) -> Result<Self, LockError> {
        #[derive(Deserialize)]
        struct LockFile {
            version: u32,
        }
        let LockFile { version } =
            serde_json::from_str(text).map_err(|source| LockError::Shape { source })?;
        if !VERSIONS.contains(&version) {
            return Err(LockError::Version {
                found: version,
                known: VERSIONS,
            });
        }
        let file: File = serde_json::from_str(text).map_err(|source| LockError::Shape { source })?;
        let targets = graph::targets(&file.root, &file.nodes)?;
        Ok(Self {
            version: file.version,
            root: file.root,
            nodes: file.nodes,
            targets,
        })
    }

    /// The version of the format.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// A node by name.
    pub fn node(&self, name: &str) -> Option<&Node> {
        self.nodes.get(name)
    }

    /// Every node but the root, by name.
    pub fn nodes(&self) -> impl Iterator<Item = (&str, &Node)> {
        let others = self.nodes.iter().filter(|(name, _)| **name != self.root);
        others.map(|(name, node)| (name.as_str(), node))
    }
}
