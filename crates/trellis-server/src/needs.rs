//! Which scopes a request needs.
//!
//! Not here: whose jobs a key sees (`trellis_jobs::Owner`), which routes need no key (`authorize.rs`).

use axum::http::Method;

use crate::scopes::Scope;
use crate::scrape;

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
        let cases: [(&str, &str, &[Scope]); 16] = [
            ("POST", "/v1/jobs", &[Submit]),
            ("POST", "/v1/infer", &[Submit]),
            ("POST", "/generate", &[Submit]),
            ("POST", "/v1/something-new", &[Submit]),
            ("GET", "/v1/jobs", &[Read, Admin]),
            ("HEAD", "/v1/jobs", &[Read, Admin]),
            ("GET", "/v1/jobs/ID", &[Read, Submit, Admin]),
            ("GET", "/v1/jobs/ID/events", &[Read, Submit, Admin]),
            ("DELETE", "/v1/jobs/ID", &[Submit, Admin]),
            ("POST", "/v1/jobs/ID/cancel", &[Submit, Admin]),
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
