//! Names of jobs: UUIDs of version 7 (RFC 9562), so that names sort by the time of submission.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The name of one job, unique over all servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, format = Uuid))]
#[serde(try_from = "String", into = "String")]
pub struct JobId(Uuid);

/// A text that is not the name of a job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a job id: a UUID such as `01890a5d-ac96-774b-bcce-b302099a8057` is expected")]
pub struct InvalidJobId {
    /// What was given, cut to 64 characters.
    pub text: String,
}

impl JobId {
    /// A new name for a job submitted at `now`; `random` fills the bits that the time leaves free.
    pub fn new(now: Timestamp, random: [u8; 10]) -> Self {
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// When it was made, to the millisecond; `None` for a UUID that holds no such time.
    pub fn made_at(self) -> Option<Timestamp> {
        let (seconds, nanos) = self.0.get_timestamp()?.to_unix();
        Timestamp::new(i64::try_from(seconds).ok()?, i32::try_from(nanos).ok()?).ok()
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl From<JobId> for String {
    fn from(id: JobId) -> Self {
        id.to_string()
    }
}

impl From<JobId> for Uuid {
    fn from(id: JobId) -> Self {
        id.0
    }
}

impl From<Uuid> for JobId {
    fn from(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

impl TryFrom<String> for JobId {
    type Error = InvalidJobId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl FromStr for JobId {
    type Err = InvalidJobId;

    /// Takes the hyphenated form only: an id has one spelling in paths, logs and files.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match Uuid::try_parse(text) {
            Ok(uuid) if text.len() == 36 && text.bytes().all(|b| !b.is_ascii_uppercase()) => Ok(Self(uuid)),
            _ => Err(InvalidJobId {
                text: text.chars().take(64).collect(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_jobs_sort_after_earlier_ones() {
        let earlier = JobId::new(Timestamp::from_millisecond(1_700_000_000_000).unwrap(), [255; 10]);
        let later = JobId::new(Timestamp::from_millisecond(1_700_000_000_001).unwrap(), [0; 10]);
        assert!(earlier < later);
        assert!(earlier.to_string() < later.to_string());
    }

    #[test]
    fn tells_when_it_was_made() {
        let now = Timestamp::from_millisecond(1_700_000_000_001).unwrap();
        assert_eq!(JobId::new(now, [7; 10]).made_at(), Some(now));
    }

    #[test]
    fn has_one_spelling() {
        let id = JobId::new(
            Timestamp::from_millisecond(1_700_000_000_000).unwrap(),
            [0xab; 10],
        );
        let text = id.to_string();
        assert_eq!(text.parse::<JobId>().unwrap(), id);
        assert_eq!(serde_json::to_value(id).unwrap(), text);
        assert_eq!(serde_json::from_value::<JobId>(text.clone().into()).unwrap(), id);
        for other in [
            text.to_uppercase(),
            text.replace('-', ""),
            format!("{{{text}}}"),
            String::new(),
        ] {
            assert!(other.parse::<JobId>().is_err(), "{other}");
            assert!(
                serde_json::from_value::<JobId>(other.clone().into()).is_err(),
                "{other}"
            );
        }
    }
}
