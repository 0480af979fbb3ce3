//! Clients that would rather wait than ask again: `Prefer: wait=N` of a submission (RFC 7240, section 4.3) and `?wait=N`
//! of a job.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use trellis_core::{Job, JobId};
use trellis_jobs::{Owner, StoreError};

use crate::AppState;

/// Longer is not waited for: whoever asks for more gets the job as it is then.
pub(crate) const LONGEST_SECONDS: u32 = 600;

/// The header by which a client says what it would rather have.
pub(crate) const PREFER: HeaderName = HeaderName::from_static("prefer");

/// The header that says what was done of it.
pub(crate) const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// The job once it is finished, or as it is after `seconds`, or when the server stops.
pub(crate) async fn wait(
    state: &AppState,
    owner: &Owner,
    id: JobId,
    seconds: u32,
) -> Result<Job, StoreError> {
    let longest = Duration::from_secs(seconds.min(LONGEST_SECONDS).into());
    tokio::select! {
        ended = state.jobs.wait(owner, id) => return ended,
        () = tokio::time::sleep(longest) => {}
        () = state.stopping().cancelled() => {}
    }
    state.jobs.get(owner, id).await
}

/// For how long the client would rather wait. What cannot be read is as good as absent, as the RFC has it; of several
/// wishes the first counts, and `respond-async` is what a server does without any.
pub(crate) fn preferred(headers: &HeaderMap) -> Option<u32> {
    let lists = headers
        .get_all(PREFER)
        .iter()
        .filter_map(|list| list.to_str().ok());
    let mut preferences = lists.flat_map(|list| list.split(',')).map(|preference| {
        // Parameters of a preference follow after a semicolon.
        let preference = preference.split(';').next().unwrap_or_default();
        let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
        (
            name.trim().to_ascii_lowercase(),
            value.trim().trim_matches('"').to_owned(),
        )
    });
    preferences.find_map(|(name, value)| (name == "wait").then(|| value.parse().ok())?)
}

/// Says that the wish to wait was heeded.
pub(crate) fn applied(seconds: u32) -> HeaderValue {
    let text = format!("wait={}", seconds.min(LONGEST_SECONDS));
    HeaderValue::try_from(text).expect("digits are a header value")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferences() {
        for (lists, expected) in [
            (&["wait=10"][..], Some(10)),
            (&["respond-async, wait=10"], Some(10)),
            (&["respond-async", "Wait = \"7\"; x=1"], Some(7)),
            (&["wait=3, wait=9"], Some(3)),
            (&["wait=4000000000"], Some(4_000_000_000)),
            (&["respond-async"], None),
            (&["wait"], None),
            (&["wait=soon"], None),
            (&["wait=-1"], None),
            (&["waiting=5"], None),
            (&[], None),
        ] {
            let headers = lists.iter().map(|list| (PREFER, HeaderValue::from_static(list)));
            assert_eq!(preferred(&headers.collect()), expected, "{lists:?}");
        }
    }
}
