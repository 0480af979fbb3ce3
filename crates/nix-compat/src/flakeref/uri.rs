//! A flake reference as an address. What was parsed comes back as an address that parses to the same.

use percent_encoding::{AsciiSet, utf8_percent_encode};
use url::Url;

use super::FlakeRef;
use super::parse::is_rev;
use super::query::{Parameters, RESERVED};

/// What is escaped in a path: its slashes are not.
const IN_PATH: &AsciiSet = &RESERVED.remove(b'/');

/// These fields of any of the forms.
macro_rules! of {
    ($($Form:ident)|+: $($field:ident),+) => { of!(@ [$($Form)+] ($($field,)+ ..)) };
    (@ [$($Form:ident)+] $fields:tt) => { $(of!(# $Form $fields))|+ };
    (# $Form:ident ($($fields:tt)+)) => { FlakeRef::$Form { $($fields)+ } };
}

/// These fields of an archive of a forge.
macro_rules! forge {
    ($($field:ident),+) => { of!(GitHub | GitLab | SourceHut: $($field),+) };
}

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
            forge!(owner, repo, r#ref, rev) => {
                let scheme = match self {
                    Self::GitHub { .. } => "github",
                    Self::GitLab { .. } => "gitlab",
                    _ => "sourcehut",
                };
                let names = [owner, repo].map(|name| utf8_percent_encode(name, RESERVED).to_string());
                let rest = in_path(r#ref.as_deref(), rev.as_deref()).map(|name| format!("/{}", escape(name)));
                format!("{scheme}:{}{}", names.join("/"), rest.unwrap_or_default())
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
            of!(File | Tarball | Path: last_modified, nar_hash, rev, rev_count) => {
                let number = |number: Option<u64>| number.map(|number| number.to_string());
                parameters.add("lastModified", number(*last_modified).as_deref());
                parameters.add("narHash", nar_hash.as_deref());
                parameters.add("rev", rev.as_deref());
                parameters.add("revCount", number(*rev_count).as_deref());
            }
            of!(Git: all_refs, export_ignore, shallow, submodules, verify_commit) => {
                parameters.add_flag("allRefs", *all_refs);
                parameters.add_flag("exportIgnore", *export_ignore);
                parameters.add_flag("shallow", *shallow);
                parameters.add_flag("submodules", *submodules);
                parameters.add_flag("verifyCommit", *verify_commit);
            }
            forge!(host) => parameters.add("host", host.as_deref()),
            Self::Indirect { .. } | Self::Mercurial { .. } => {}
        }
        if let of!(Git | GitHub | GitLab | SourceHut: keytype, public_key, public_keys) = self {
            parameters.add("keytype", keytype.as_deref());
            parameters.add("publicKey", public_key.as_deref());
            for key in public_keys.iter().flatten() {
                parameters.add("publicKeys", Some(key));
            }
        }
        match self {
            forge!(r#ref, rev) if in_path(r#ref.as_deref(), rev.as_deref()).is_some() => {}
            of!(Git | GitHub | GitLab | SourceHut | Mercurial: r#ref, rev) => {
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
