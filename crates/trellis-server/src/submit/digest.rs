//! What makes two submissions the same request.

use trellis_core::Sha256;
use trellis_jobs::Submission;

/// A digest of what is asked: pictures in order, parameters as given, backend. Not of its encoding: the
/// same request as a form with another boundary or other file names, or as JSON, is the same request.
pub(super) fn of(submission: &Submission) -> String {
    let pictures: Vec<Sha256> = submission.pictures.iter().map(Sha256::of).collect();
    let asked = (pictures, submission.backend, &submission.patch);
    Sha256::of(serde_json::to_vec(&asked).expect("texts and numbers are JSON")).to_string()
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
