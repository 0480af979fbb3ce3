//! What a key may do, and which of that a request needs.
//!
//! Not here: how many requests and jobs a key may have (`grant.rs`), whose jobs it sees (`trellis_jobs::Owner`).

use std::fmt;
use std::str::FromStr;

use axum::http::Method;

use crate::scrape;

/// Something that a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Submit jobs, follow, cancel and delete its own.
    Submit,
    /// List its own jobs, follow them and fetch their files.
    Read,
    /// See and end the jobs of all keys, command workers, read `/metrics`.
    Admin,
}

/// A word that is not a scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a scope is `submit`, `read` or `admin`")]
pub struct UnknownScope;

impl Scope {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Submit, Self::Read, Self::Admin];

    /// Its name in files of keys, answers and docs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::Read => "read",
            Self::Admin => "admin",
        }
    }
}

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        let known = Self::ALL.into_iter().find(|scope| scope.name() == text);
        known.ok_or(UnknownScope)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The scopes of which a request needs one; with none listed any key will do. A route that is not named here and
/// changes something needs `submit`.
pub(crate) fn needed(method: &Method, path: &str) -> &'static [Scope] {
    let changes = ![Method::GET, Method::HEAD, Method::OPTIONS].contains(method);
    match (path, changes) {
        (scrape::PATH | scrape::NIM_PATH, _) => &[Scope::Admin],
        ("/v1/jobs", false) => &[Scope::Read, Scope::Admin],
        (path, true) if path.starts_with("/v1/workers/") => &[Scope::Admin],
        (path, false) if path.starts_with("/v1/jobs/") => &[Scope::Read, Scope::Submit, Scope::Admin],
        (path, true) if path.starts_with("/v1/jobs/") => &[Scope::Submit, Scope::Admin],
        (_, true) => &[Scope::Submit],
        (_, false) => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_route_needs_what_it_should() {
        use Scope::{Admin, Read, Submit};
        let cases: [(&str, &str, &[Scope]); 15] = [
            ("POST", "/v1/jobs", &[Submit]),
            ("POST", "/v1/infer", &[Submit]),
            ("POST", "/generate", &[Submit]),
            ("POST", "/v1/something-new", &[Submit]),
            ("GET", "/v1/jobs", &[Read, Admin]),
            ("HEAD", "/v1/jobs", &[Read, Admin]),
            ("GET", "/v1/jobs/ID", &[Read, Submit, Admin]),
            ("GET", "/v1/jobs/ID/events", &[Read, Submit, Admin]),
            ("DELETE", "/v1/jobs/ID", &[Submit, Admin]),
            ("POST", "/v1/workers/0/drain", &[Admin]),
            ("GET", "/v1/workers", &[]),
            ("GET", "/v1/status", &[]),
            ("OPTIONS", "/v1/jobs/ID", &[Read, Submit, Admin]),
            ("GET", "/metrics", &[Admin]),
            ("GET", "/v1/metrics", &[Admin]),
        ];
        for (method, path, scopes) in cases {
            let found = needed(&method.parse().unwrap(), path);
            assert_eq!(found, scopes, "{method} {path}");
        }
    }
}
