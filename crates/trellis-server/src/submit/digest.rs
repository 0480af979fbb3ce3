//! What makes two submissions the same request.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};
use trellis_jobs::Submission;

/// A digest of what is asked: pictures in order, parameters as given, backend. Not of its encoding: the
/// same request as a form with another boundary, or as JSON, is the same request.
pub(super) fn of(submission: &Submission) -> String {
    let mut digest = Sha256::new();
    for picture in &submission.pictures {
        digest.update(Sha256::digest(picture));
    }
    digest.update(submission.backend.name());
    let patch = serde_json::to_vec(&submission.patch).expect("parameters are plain JSON");
    digest.update(patch);
    digest
        .finalize()
        .iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a string takes everything");
            text
        })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use trellis_core::{BackendChoice, ParamsPatch};

    use super::*;

    #[test]
    fn everything_that_is_asked_counts() {
        let pictures = vec![Bytes::from_static(b"a"), Bytes::from_static(b"b")];
        let one = Submission {
            pictures,
            ..Submission::default()
        };
        let swapped = Submission {
            pictures: one.pictures.iter().rev().cloned().collect(),
            ..one.clone()
        };
        let seeded = Submission {
            patch: ParamsPatch {
                seed: Some(1),
                ..one.patch.clone()
            },
            ..one.clone()
        };
        let elsewhere = Submission {
            backend: BackendChoice::Relief,
            ..one.clone()
        };
        assert_eq!(of(&one), of(&one.clone()));
        for other in [swapped, seeded, elsewhere] {
            assert_ne!(of(&one), of(&other));
        }
    }
}
