//! What the storage says, in plain words and sorted into the store's errors.
//!
//! Its answers are XML that repeats the request; of them the status and the code are kept.

use object_store::Error;
use trellis_jobs::{BlobError, BlobKey};

/// What the storage or the way to it said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct S3Failure {
    /// The HTTP status; `None`: there was no answer.
    pub status: Option<u16>,
    /// The code in the answer, such as `NoSuchBucket`.
    pub code: Option<String>,
    /// One line.
    message: String,
}

/// Why a bucket cannot be used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
pub enum OpenError {
    /// The wrong key, secret, policy or clock.
    #[error("the storage at {endpoint} does not let this server use the bucket `{bucket}`")]
    Refused {
        endpoint: String,
        bucket: String,
        #[source]
        source: S3Failure,
    },
    /// A bucket is never made by us.
    #[error("the storage at {endpoint} has no bucket `{bucket}`")]
    NoBucket {
        endpoint: String,
        bucket: String,
        #[source]
        source: S3Failure,
    },
    /// Nobody said who we are.
    #[error("there are no credentials for the bucket `{bucket}`")]
    NoCredentials {
        bucket: String,
        #[source]
        source: S3Failure,
    },
    /// No answer, or one that says nothing of us.
    #[error("the storage at {endpoint} cannot be used")]
    Unusable {
        endpoint: String,
        #[source]
        source: S3Failure,
    },
}

impl OpenError {
    /// Stable name, for scripts.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "blobs_refused",
            Self::NoBucket { .. } => "blobs_no_bucket",
            Self::NoCredentials { .. } => "blobs_no_credentials",
            Self::Unusable { .. } => "blobs_unusable",
        }
    }

    /// What to do, one sentence.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Refused { source, .. } if source.is("RequestTimeTooSkewed") => {
                "set this machine's clock: requests carry its time"
            }
            Self::Refused { source, .. } if source.is("InvalidAccessKeyId") => {
                "correct the key's id: the storage does not know it"
            }
            Self::Refused { source, .. } if source.is("SignatureDoesNotMatch") => {
                "correct the key's secret: the storage knows the id and not this secret"
            }
            Self::Refused { .. } => {
                "correct the credentials, or let their owner list the bucket and read, write and delete its objects"
            }
            Self::NoBucket { .. } => "make the bucket, or correct its name in `--blobs`",
            Self::NoCredentials { .. } => {
                "name a file with `--blobs-credentials-file`, or set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`"
            }
            Self::Unusable { .. } => {
                "look whether it runs and is reached from here; storage other than AWS's needs \
                 `?endpoint=https://HOST` at the end of `--blobs`"
            }
        }
    }
}

impl S3Failure {
    /// What is behind an error of the client.
    pub(crate) fn said(error: &Error) -> Self {
        // Each link of the chain repeats the next; the last one is the cause.
        let mut cause: &(dyn std::error::Error + 'static) = error;
        while let Some(next) = cause.source() {
            cause = next;
        }
        let text = cause.to_string();
        let between = |before: &str, after: &str| {
            let (_, rest) = text.split_once(before)?;
            Some(rest.split_once(after)?.0.trim().to_owned())
        };
        let status = between("status code: ", ":").and_then(|status| status.get(..3)?.parse().ok());
        let code =
            between("<Code>", "</Code>").filter(|code| code.bytes().all(|b| b.is_ascii_alphanumeric()));
        let message = match (status, &code) {
            (Some(status), Some(code)) => format!("it answered {status} ({code})"),
            (Some(status), None) => format!("it answered {status}"),
            (None, Some(code)) => format!("it answered {code}"),
            (None, None) => text
                .lines()
                .next()
                .unwrap_or_default()
                .chars()
                .take(300)
                .collect(),
        };
        Self {
            status,
            code,
            message,
        }
    }

    pub(crate) fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    /// Whether the credentials, not the request, are at fault.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self.status, Some(401 | 403)) || self.is("InvalidAccessKeyId")
    }
}

/// An error of a call for that key.
pub(crate) fn failed(key: &BlobKey, error: &Error) -> BlobError {
    let key = key.clone();
    let said = S3Failure::said(error);
    // Without its bucket nothing is known of the object.
    if matches!(error, Error::NotFound { .. }) && !said.is("NoSuchBucket") {
        return BlobError::NotFound { key };
    }
    let source = Box::new(said.clone());
    let full = said.status == Some(507) || said.code.as_ref().is_some_and(|code| code.contains("Quota"));
    if full {
        BlobError::Full { key, source }
    } else {
        BlobError::Unavailable { key, source }
    }
}

/// An error of this machine.
pub(crate) fn unavailable(
    key: &BlobKey,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> BlobError {
    BlobError::Unavailable {
        key: key.clone(),
        source: source.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> Error {
        Error::Generic {
            store: "S3",
            source: text.to_owned().into(),
        }
    }

    #[test]
    fn of_an_answer_its_status_and_its_code_are_kept() {
        let said = S3Failure::said(&answer(
            "Server returned non-2xx status code: 403 Forbidden: <?xml version=\"1.0\"?><Error><Code>\
             SignatureDoesNotMatch</Code><AWSAccessKeyId>AKIA1</AWSAccessKeyId></Error>",
        ));
        assert_eq!(said.to_string(), "it answered 403 (SignatureDoesNotMatch)");
        assert!(said.is_refusal());
        let refused = S3Failure::said(&answer("connection refused"));
        assert_eq!(
            (refused.status, refused.to_string().as_str()),
            (None, "connection refused")
        );
        let odd = S3Failure::said(&answer("status code: 500 x: <Code><script></Code>"));
        assert_eq!(odd.to_string(), "it answered 500");
    }

    #[test]
    fn storage_that_is_full_is_told_from_storage_that_fails() {
        let key = BlobKey::from_stored("jobs/a".to_owned());
        for (text, kind) in [
            ("status code: 507 Insufficient Storage: ", "storage_full"),
            (
                "status code: 403 Forbidden: <Code>QuotaExceeded</Code>",
                "storage_full",
            ),
            (
                "status code: 503 Service Unavailable: <Code>SlowDown</Code>",
                "blobs_unavailable",
            ),
        ] {
            assert_eq!(failed(&key, &answer(text)).kind(), kind, "{text}");
        }
        let gone = |text: &str| Error::NotFound {
            path: "jobs/a".to_owned(),
            source: text.to_owned().into(),
        };
        assert_eq!(
            failed(&key, &gone("status code: 404 Not Found: ")).kind(),
            "blob_not_found"
        );
        let bucket = gone("status code: 404 Not Found: <Code>NoSuchBucket</Code>");
        assert_eq!(failed(&key, &bucket).kind(), "blobs_unavailable");
    }
}
