//! A flake reference as an address. What was parsed comes back as an address that parses to the same.

use percent_encoding::{AsciiSet, utf8_percent_encode};
use url::Url;

use super::FlakeRef;
use super::parse::is_rev;
use super::query::{Parameters, RESERVED};

/// What is escaped in a path: its slashes are not.
const IN_PATH: &AsciiSet = &RESERVED.remove(b'/');

impl FlakeRef {
    /// The address of the source tree, in the form that Nix writes. As in every address, `.` and `..` in an
    /// absolute path are resolved.
    #[expect(clippy::missing_panics_doc, reason = "all that is put together is an address")]
    pub fn to_uri(&self) -> Url {
        let mut parameters = Parameters::after(self.address());
        self.add_to(&mut parameters);
        Url::parse(&parameters.into_text())
            .expect("an address stays one behind a scheme; all else is escaped")
    }

    fn address(&self) -> String {
        match self {
            Self::File { url, .. } => format!("file+{url}"),
            Self::Tarball { url, .. } if matches!(url.scheme(), "https" | "http" | "file") => url.to_string(),
            Self::Tarball { url, .. } => format!("tarball+{url}"),
            Self::Path { path, .. } => {
                let path = escape(&path.to_string_lossy());
                // Else its first part would be the name of a machine.
                let local = if path.starts_with("//") { "//" } else { "" };
                format!("path:{local}{path}")
            }
            Self::Git { url, .. } if url.scheme() == "git" => url.to_string(),
            Self::Git { url, .. } => format!("git+{url}"),
            Self::GitHub {
                owner,
                repo,
                r#ref,
                rev,
                ..
            } => {
                format!(
                    "github:{}",
                    forge(owner, repo, in_path(r#ref.as_deref(), rev.as_deref()))
                )
            }
            Self::GitLab {
                owner,
                repo,
                r#ref,
                rev,
                ..
            } => {
                format!(
                    "gitlab:{}",
                    forge(owner, repo, in_path(r#ref.as_deref(), rev.as_deref()))
                )
            }
            Self::SourceHut {
                owner,
                repo,
                r#ref,
                rev,
                ..
            } => {
                format!(
                    "sourcehut:{}",
                    forge(owner, repo, in_path(r#ref.as_deref(), rev.as_deref()))
                )
            }
            Self::Indirect { id, r#ref, rev } => {
                let parts = [Some(id), r#ref.as_ref(), rev.as_ref()].into_iter().flatten();
                format!(
                    "flake:{}",
                    parts.map(|part| escape(part)).collect::<Vec<_>>().join("/")
                )
            }
            Self::Mercurial { .. } => "hg:".to_owned(),
        }
    }

    fn add_to(&self, parameters: &mut Parameters) {
        match self {
            Self::File {
                last_modified,
                nar_hash,
                rev,
                rev_count,
                ..
            }
            | Self::Tarball {
                last_modified,
                nar_hash,
                rev,
                rev_count,
                ..
            }
            | Self::Path {
                last_modified,
                nar_hash,
                rev,
                rev_count,
                ..
            } => {
                parameters.add(
                    "lastModified",
                    last_modified.map(|seconds| seconds.to_string()).as_deref(),
                );
                parameters.add("narHash", nar_hash.as_deref());
                parameters.add("rev", rev.as_deref());
                parameters.add("revCount", rev_count.map(|count| count.to_string()).as_deref());
            }
            Self::Git {
                all_refs,
                export_ignore,
                shallow,
                submodules,
                verify_commit,
                ..
            } => {
                parameters.add_flag("allRefs", *all_refs);
                parameters.add_flag("exportIgnore", *export_ignore);
                parameters.add_flag("shallow", *shallow);
                parameters.add_flag("submodules", *submodules);
                parameters.add_flag("verifyCommit", *verify_commit);
            }
            Self::GitHub { host, .. } | Self::GitLab { host, .. } | Self::SourceHut { host, .. } => {
                parameters.add("host", host.as_deref());
            }
            Self::Indirect { .. } | Self::Mercurial { .. } => {}
        }
        match self {
            Self::Git {
                keytype,
                public_key,
                public_keys,
                ..
            }
            | Self::GitHub {
                keytype,
                public_key,
                public_keys,
                ..
            }
            | Self::GitLab {
                keytype,
                public_key,
                public_keys,
                ..
            }
            | Self::SourceHut {
                keytype,
                public_key,
                public_keys,
                ..
            } => {
                parameters.add("keytype", keytype.as_deref());
                parameters.add("publicKey", public_key.as_deref());
                for key in public_keys.iter().flatten() {
                    parameters.add("publicKeys", Some(key));
                }
            }
            _ => {}
        }
        match self {
            Self::GitHub { r#ref, rev, .. }
            | Self::GitLab { r#ref, rev, .. }
            | Self::SourceHut { r#ref, rev, .. }
                if in_path(r#ref.as_deref(), rev.as_deref()).is_some() => {}
            Self::Git { r#ref, rev, .. }
            | Self::GitHub { r#ref, rev, .. }
            | Self::GitLab { r#ref, rev, .. }
            | Self::SourceHut { r#ref, rev, .. }
            | Self::Mercurial { r#ref, rev } => {
                parameters.add("ref", r#ref.as_deref());
                parameters.add("rev", rev.as_deref());
            }
            _ => {}
        }
    }
}

fn escape(path: &str) -> String {
    utf8_percent_encode(path, IN_PATH).to_string()
}

/// Which of a forge's `ref` and `rev` stands in the path. A branch that looks like a commit or has an empty
/// part, or both of them, are parameters.
fn in_path<'a>(r#ref: Option<&'a str>, rev: Option<&'a str>) -> Option<&'a str> {
    match (r#ref, rev) {
        (None, rev) => rev,
        (Some(name), None) if !is_rev(name) && name.split('/').all(|part| !part.is_empty()) => Some(name),
        _ => None,
    }
}

fn forge(owner: &str, repo: &str, in_path: Option<&str>) -> String {
    let names = [owner, repo].map(|name| utf8_percent_encode(name, RESERVED).to_string());
    let rest = in_path
        .map(|name| format!("/{}", escape(name)))
        .unwrap_or_default();
    format!("{}{rest}", names.join("/"))
}
