//! The graph of a lock file: what each input is in the end, who uses what, and whether it is sound.

use std::collections::{BTreeMap, BTreeSet};

use super::{FlakeLock, Input, LockError, Node};

/// The node that each input is in the end.
pub(super) type Targets = BTreeMap<(String, String), String>;

/// How many inputs may follow one another; a flake has one or two.
const MAX_FOLLOWED: usize = 64;

/// One use of a node: input `input` of node `node`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct User {
    /// The node that uses it.
    pub node: String,
    /// By which name.
    pub input: String,
    /// Whether it is another node's input that is used (`follows`).
    pub follows: bool,
}

impl FlakeLock {
    /// The node that a path of input names leads to, from the root; an empty path is the root.
    pub fn resolve(&self, path: &[&str]) -> Option<&str> {
        path.iter().try_fold(self.root.as_str(), |at, input| {
            let target = self.targets.get(&(at.to_owned(), (*input).to_owned()));
            target.map(String::as_str)
        })
    }

    /// The root's inputs, each with its node.
    pub fn root_inputs(&self) -> impl Iterator<Item = (&str, &str)> {
        let of_root = self.targets.iter().filter(|((node, _), _)| *node == self.root);
        of_root.map(|((_, input), target)| (input.as_str(), target.as_str()))
    }

    /// Who uses each node, by the node's name. A node that is missing here is unused.
    pub fn users(&self) -> BTreeMap<&str, BTreeSet<User>> {
        let mut users: BTreeMap<&str, BTreeSet<User>> = BTreeMap::new();
        for ((node, input), target) in &self.targets {
            let what = self.nodes.get(node).and_then(|node| node.inputs.get(input));
            users.entry(target).or_default().insert(User {
                node: node.clone(),
                input: input.clone(),
                follows: matches!(what, Some(Input::Follows(_))),
            });
        }
        users
    }

    /// Nodes that no way from the root leads to.
    pub fn unused(&self) -> Vec<&str> {
        let mut reached = BTreeSet::from([self.root.as_str()]);
        let mut open = vec![self.root.as_str()];
        while let Some(name) = open.pop() {
            for target in self.nodes.get(name).into_iter().flat_map(own_inputs) {
                if reached.insert(target) {
                    open.push(target);
                }
            }
        }
        let nodes = self.nodes.keys().map(String::as_str);
        nodes.filter(|name| !reached.contains(name)).collect()
    }
}

/// The nodes that are a node's own inputs. What it follows is another's.
fn own_inputs(node: &Node) -> impl Iterator<Item = &str> {
    node.inputs.values().filter_map(|input| match input {
        Input::Node(target) => Some(target.as_str()),
        Input::Follows(_) => None,
    })
}

/// What each input is in the end. Fails where a name names nothing or comes back to itself.
pub(super) fn targets(root: &str, nodes: &BTreeMap<String, Node>) -> Result<Targets, LockError> {
    if !nodes.contains_key(root) {
        return Err(LockError::RootMissing {
            named: root.to_owned(),
        });
    }
    let mut search = Search {
        root,
        nodes,
        found: BTreeMap::new(),
        way: Vec::new(),
    };
    for (name, node) in nodes {
        for (input, what) in &node.inputs {
            search.target((name, input), what)?;
        }
    }
    let found = search.found.into_iter();
    let owned = found.map(|((node, input), target)| ((node.to_owned(), input.to_owned()), target.to_owned()));
    let targets = owned.collect();
    check_cycles(nodes)?;
    Ok(targets)
}

/// An input: the node that has it, and its name there.
type Edge<'a> = (&'a str, &'a str);

struct Search<'a> {
    root: &'a str,
    nodes: &'a BTreeMap<String, Node>,
    found: BTreeMap<Edge<'a>, &'a str>,
    /// The inputs that are being followed.
    way: Vec<Edge<'a>>,
}

impl<'a> Search<'a> {
    fn target(&mut self, edge: Edge<'a>, what: &'a Input) -> Result<&'a str, LockError> {
        if let Some(found) = self.found.get(&edge) {
            return Ok(found);
        }
        let target = match what {
            Input::Node(name) => match self.nodes.get_key_value(name) {
                Some((name, _)) => name,
                None => {
                    return Err(LockError::NodeMissing {
                        node: edge.0.to_owned(),
                        input: edge.1.to_owned(),
                        named: name.clone(),
                    });
                }
            },
            Input::Follows(path) => {
                if self.way.contains(&edge) || self.way.len() == MAX_FOLLOWED {
                    return Err(follows_itself(edge, &self.way));
                }
                self.way.push(edge);
                let target = self.walk(path, edge)?;
                self.way.pop();
                target
            }
        };
        self.found.insert(edge, target);
        Ok(target)
    }

    /// Follows a path of input names from the root, on behalf of `asked`.
    fn walk(&mut self, path: &'a [String], asked: Edge<'a>) -> Result<&'a str, LockError> {
        let mut at = self.root;
        for name in path {
            let node = self.nodes.get(at);
            let Some((name, what)) = node.and_then(|node| node.inputs.get_key_value(name)) else {
                return Err(LockError::FollowsNothing {
                    node: asked.0.to_owned(),
                    input: asked.1.to_owned(),
                    path: path.join("/"),
                    at: at.to_owned(),
                    missing: name.clone(),
                });
            };
            at = self.target((at, name), what)?;
        }
        Ok(at)
    }
}

fn follows_itself(edge: Edge<'_>, way: &[Edge<'_>]) -> LockError {
    let round = way.iter().skip_while(|step| **step != edge).chain([&edge]);
    let round: Vec<_> = round.map(|(node, input)| format!("{node}.{input}")).collect();
    LockError::FollowsItself {
        node: edge.0.to_owned(),
        input: edge.1.to_owned(),
        way: round.join(" → "),
    }
}

/// No node is its own input, however far away: nodes without inputs are taken away until none is left, or
/// until every one that is left has an input that is left.
fn check_cycles(nodes: &BTreeMap<String, Node>) -> Result<(), LockError> {
    let mut users: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut left: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, node) in nodes {
        left.insert(name, own_inputs(node).count());
        for input in own_inputs(node) {
            users.entry(input).or_default().push(name);
        }
    }
    let mut open: Vec<&str> = left
        .iter()
        .filter(|(_, inputs)| **inputs == 0)
        .map(|(name, _)| *name)
        .collect();
    while let Some(name) = open.pop() {
        left.remove(name);
        for user in users.get(name).into_iter().flatten() {
            if let Some(inputs) = left.get_mut(user) {
                *inputs -= 1;
                if *inputs == 0 {
                    open.push(user);
                }
            }
        }
    }
    match left.keys().next() {
        Some(start) => Err(round_trip(nodes, &left, start)),
        None => Ok(()),
    }
}

/// Names the cycle that walking from `start` runs into, among nodes that each have an input left.
fn round_trip(nodes: &BTreeMap<String, Node>, left: &BTreeMap<&str, usize>, start: &str) -> LockError {
    let mut way = vec![start.to_owned()];
    loop {
        let at = way.last().and_then(|name| nodes.get(name));
        let next = at
            .into_iter()
            .flat_map(own_inputs)
            .find(|input| left.contains_key(input));
        let next = next.unwrap_or(start).to_owned();
        if let Some(first) = way.iter().position(|name| *name == next) {
            way.drain(..first);
            way.push(next.clone());
            return LockError::NodeCycle {
                node: next,
                way: way.join(" → "),
            };
        }
        way.push(next);
    }
}
