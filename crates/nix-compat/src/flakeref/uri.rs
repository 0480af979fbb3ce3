//! A flake reference as an address. What was parsed comes back as an address that parses to the same.

use percent_encoding::{AsciiSet, utf8_percent_encode};
use url::Url;

use super::FlakeRef;
use super::parse::is_rev;
use super::query::{Parameters, RESERVED};

/// What is escaped in a path: its slashes are not.
const IN_PATH: &AsciiSet = &RESERVED.remove(b'/');

impl FlakeRef {
    /// The address of the source tree, in the form that Nix writes.
    #[expect(clippy::missing_panics_doc, reason = "all that is put together is an address")]
    pub fn to_uri(&self) -> Url {
        let text = match self {
            Self::File {
                last_modified,
                nar_hash,
                rev,
                rev_count,
                url,
            } => {
                let tree = Tree {
                    last_modified,
                    nar_hash,
                    rev,
                    rev_count,
                };
                tree.at(format!("file+{url}"))
            }
            Self::Tarball {
                last_modified,
                nar_hash,
                rev,
                rev_count,
                url,
            } => {
                let tree = Tree {
                    last_modified,
                    nar_hash,
                    rev,
                    rev_count,
                };
                let prefix = if matches!(url.scheme(), "https" | "http" | "file") {
                    ""
                } else {
                    "tarball+"
                };
                tree.at(format!("{prefix}{url}"))
            }
            Self::Path {
                last_modified,
                nar_hash,
                path,
                rev,
                rev_count,
            } => {
                let tree = Tree {
                    last_modified,
                    nar_hash,
                    rev,
                    rev_count,
                };
                tree.at(format!("path:{}", escape(&path.to_string_lossy())))
            }
            Self::GitHub {
                owner,
                repo,
                host,
                keytype,
                public_key,
                public_keys,
                r#ref,
                rev,
            } => {
                let keys = Keys {
                    r#type: keytype,
                    one: public_key,
                    more: public_keys,
                };
                keys.added_to(forge("github", [owner, repo], [host, r#ref, rev]))
            }
            Self::GitLab {
                owner,
                repo,
                host,
                keytype,
                public_key,
                public_keys,
                r#ref,
                rev,
            } => {
                let keys = Keys {
                    r#type: keytype,
                    one: public_key,
                    more: public_keys,
                };
                keys.added_to(forge("gitlab", [owner, repo], [host, r#ref, rev]))
            }
            Self::SourceHut {
                owner,
                repo,
                host,
                keytype,
                public_key,
                public_keys,
                r#ref,
                rev,
            } => {
                let keys = Keys {
                    r#type: keytype,
                    one: public_key,
                    more: public_keys,
                };
                keys.added_to(forge("sourcehut", [owner, repo], [host, r#ref, rev]))
            }
            Self::Git {
                all_refs,
                export_ignore,
                keytype,
                public_key,
                public_keys,
                r#ref,
                rev,
                shallow,
                submodules,
                url,
                verify_commit,
            } => {
                let prefix = if url.scheme() == "git" { "" } else { "git+" };
                let mut parameters = Parameters::after(format!("{prefix}{url}"));
                parameters.add("ref", r#ref.as_deref());
                parameters.add("rev", rev.as_deref());
                parameters.add_flag("allRefs", *all_refs);
                parameters.add_flag("exportIgnore", *export_ignore);
                parameters.add_flag("shallow", *shallow);
                parameters.add_flag("submodules", *submodules);
                parameters.add_flag("verifyCommit", *verify_commit);
                Keys {
                    r#type: keytype,
                    one: public_key,
                    more: public_keys,
                }
                .added_to(parameters)
            }
            Self::Indirect { id, r#ref, rev } => {
                let parts = [Some(id), r#ref.as_ref(), rev.as_ref()].into_iter().flatten();
                format!(
                    "flake:{}",
                    parts.map(|part| escape(part)).collect::<Vec<_>>().join("/")
                )
            }
            Self::Mercurial { r#ref, rev } => {
                let mut parameters = Parameters::after("hg:".to_owned());
                parameters.add("ref", r#ref.as_deref());
                parameters.add("rev", rev.as_deref());
                parameters.into_text()
            }
        };
        Url::parse(&text).expect("an address stays one behind a scheme; all else is escaped")
    }
}

fn escape(path: &str) -> String {
    utf8_percent_encode(path, IN_PATH).to_string()
}

/// What a tree that is fetched as a whole must have.
struct Tree<'a> {
    last_modified: &'a Option<u64>,
    nar_hash: &'a Option<String>,
    rev: &'a Option<String>,
    rev_count: &'a Option<u64>,
}

impl Tree<'_> {
    fn at(&self, address: String) -> String {
        let mut parameters = Parameters::after(address);
        parameters.add(
            "lastModified",
            self.last_modified.map(|seconds| seconds.to_string()).as_deref(),
        );
        parameters.add("narHash", self.nar_hash.as_deref());
        parameters.add("rev", self.rev.as_deref());
        parameters.add(
            "revCount",
            self.rev_count.map(|count| count.to_string()).as_deref(),
        );
        parameters.into_text()
    }
}

/// Whose signature a commit must have.
struct Keys<'a> {
    r#type: &'a Option<String>,
    one: &'a Option<String>,
    more: &'a Option<Vec<String>>,
}

impl Keys<'_> {
    fn added_to(&self, mut parameters: Parameters) -> String {
        parameters.add("keytype", self.r#type.as_deref());
        parameters.add("publicKey", self.one.as_deref());
        for key in self.more.iter().flatten() {
            parameters.add("publicKeys", Some(key));
        }
        parameters.into_text()
    }
}

/// A branch, tag or commit stands in the path; a branch that looks like a commit, or both, do not.
fn forge(scheme: &str, names: [&String; 2], [host, r#ref, rev]: [&Option<String>; 3]) -> Parameters {
    let mut path = names
        .map(|name| utf8_percent_encode(name, RESERVED).to_string())
        .join("/");
    let (in_path, r#ref, rev) = match (r#ref, rev) {
        (None, rev) => (rev.as_deref(), None, None),
        (Some(name), None) if !is_rev(name) => (Some(name.as_str()), None, None),
        (name, rev) => (None, name.as_deref(), rev.as_deref()),
    };
    if let Some(name) = in_path {
        path = format!("{path}/{}", escape(name));
    }
    let mut parameters = Parameters::after(format!("{scheme}:{path}"));
    parameters.add("host", host.as_deref());
    parameters.add("ref", r#ref);
    parameters.add("rev", rev);
    parameters
}
