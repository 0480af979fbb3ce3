//! Who may use the server: API keys, read from text, kept as digests, replaceable while the server runs.
//!
//! ```text
//! file := line*    `#` begins a comment line; empty lines are skipped
//! ```
//!
//! Not here: what a line is (`key_line.rs`), where the file is (the caller), what a request without a key is answered
//! (`authorize.rs`).

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use subtle::{ConditionallySelectable as _, ConstantTimeEq as _};
use tokio::sync::watch;
use tracing::warn;
use trellis_core::{Secret, Sha256};
use trellis_jobs::RunningLimits;

use crate::bucket::{Bucket, Rate};
use crate::key_line::{Key, KeysError, MIN_SECRET_LENGTH};

/// The keys of a file, at least one. Holds no secret, only digests.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKeys(Vec<Arc<Key>>);

impl ApiKeys {
    /// Reads what stands in a file of keys.
    pub fn parse(text: &str) -> Result<Self, KeysError> {
        let mut keys: Vec<(usize, Key)> = Vec::new();
        for (line, content) in (1..).zip(text.lines()) {
            let content = content.trim();
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            let key = Key::parse(line, content)?;
            let same = |(_, other): &&(usize, Key)| other.name == key.name || other.digest == key.digest;
            if let Some((earlier, _)) = keys.iter().find(same) {
                let earlier = *earlier;
                return Err(KeysError::Twice { line, earlier });
            }
            keys.push((line, key));
        }
        if keys.is_empty() {
            return Err(KeysError::Empty);
        }
        Ok(Self(keys.into_iter().map(|(_, key)| Arc::new(key)).collect()))
    }

    /// The names of the keys, in the file's order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|key| &*key.name)
    }

    /// How many jobs of each key may run at a time, of those that have a limit.
    fn running_limits(&self) -> RunningLimits {
        let limited = |key: &Arc<Key>| Some((key.name.to_string(), key.grant.running?));
        self.0.iter().filter_map(limited).collect()
    }

    /// The key with that secret. Takes the same time for every key, known or unknown.
    fn find(&self, secret: &Secret) -> Option<Arc<Key>> {
        let digest = Sha256::of(secret.reveal());
        let mut found = u64::MAX;
        for (index, key) in (0..).zip(&self.0) {
            found.conditional_assign(&index, key.digest.as_bytes().ct_eq(digest.as_bytes()));
        }
        self.0.get(usize::try_from(found).ok()?).map(Arc::clone)
    }
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

/// The keys in force, shared by all requests. Without any, everybody may use the server.
#[derive(Debug, Clone)]
pub struct KeyRing(Arc<Ring>);

#[derive(Debug)]
struct Ring {
    keys: watch::Sender<Option<Arc<ApiKeys>>>,
    running_limits: watch::Sender<Arc<RunningLimits>>,
    /// Requests with each key, by its name: a reload does not fill them again.
    requests: Mutex<HashMap<Arc<str>, Bucket>>,
    /// How many requests of each key are at work, of those that have any.
    at_work: Mutex<HashMap<Arc<str>, usize>>,
}

/// A request that is at work until this is dropped.
#[derive(Debug)]
#[must_use = "it counts while it is kept"]
pub(crate) struct AtWork {
    ring: KeyRing,
    key: Arc<str>,
}

impl Drop for AtWork {
    fn drop(&mut self) {
        let mut all = self.ring.all_at_work();
        if let Some(count) = all.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.key);
            }
        }
    }
}

/// What a request's key opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Access {
    /// No keys are in force.
    Free,
    /// The request has this key.
    With(Arc<Key>),
    /// It has none of the keys.
    Refused,
}

impl KeyRing {
    /// With these keys, or open to everybody.
    pub fn new(keys: Option<ApiKeys>) -> Self {
        let running_limits = keys.as_ref().map(ApiKeys::running_limits).unwrap_or_default();
        Self(Arc::new(Ring {
            keys: watch::Sender::new(keys.map(Arc::new)),
            running_limits: watch::Sender::new(Arc::new(running_limits)),
            requests: Mutex::default(),
            at_work: Mutex::default(),
        }))
    }

    /// Puts other keys in force. Requests that were let in go on.
    pub fn replace(&self, keys: ApiKeys) {
        self.0
            .running_limits
            .send_replace(Arc::new(keys.running_limits()));
        let named = |name: &Arc<str>| keys.0.iter().any(|key| key.name == *name);
        self.requests().retain(|name, _| named(name));
        self.0.keys.send_replace(Some(Arc::new(keys)));
    }

    /// The names of the keys in force; `None` where everybody may use the server.
    pub fn names(&self) -> Option<Vec<String>> {
        let keys = self.0.keys.borrow().clone()?;
        Some(keys.names().map(str::to_owned).collect())
    }

    /// Whether more than one key is in force.
    pub(crate) fn are_several(&self) -> bool {
        self.0.keys.borrow().as_ref().is_some_and(|keys| keys.0.len() > 1)
    }

    /// How many jobs of each key may run at a time, now and after each reload.
    pub fn running_limits(&self) -> watch::Receiver<Arc<RunningLimits>> {
        self.0.running_limits.subscribe()
    }

    pub(crate) fn access(&self, secret: Option<&Secret>) -> Access {
        let keys = self.0.keys.borrow().clone();
        match (keys, secret) {
            (None, _) => Access::Free,
            (Some(_), None) => Access::Refused,
            (Some(keys), Some(secret)) => match keys.find(secret) {
                // The file has its digest alone, which does not tell.
                Some(key) if secret.reveal().len() < MIN_SECRET_LENGTH => {
                    let key = &*key.name;
                    warn!(%key, "refused an API key of fewer than {MIN_SECRET_LENGTH} characters: make a new one with `trellis keys new`");
                    Access::Refused
                }
                key => key.map_or(Access::Refused, Access::With),
            },
        }
    }

    /// What a session of the key of that name opens, where `fits` says that it was begun with the key of that digest.
    pub(crate) fn session(&self, name: &str, fits: impl Fn(&Sha256) -> bool) -> Access {
        let Some(keys) = self.0.keys.borrow().clone() else {
            return Access::Free;
        };
        let mut keys = keys.0.iter();
        let key = keys.find(|key| &*key.name == name && fits(&key.digest));
        key.map_or(Access::Refused, |key| Access::With(Arc::clone(key)))
    }

    /// Counts a request with this key. `Err`: it is one too many, and how long until one more is not.
    pub(crate) fn count(&self, key: &Key, now: Instant) -> Result<(), Duration> {
        let Some(burst) = key.grant.requests_per_minute else {
            return Ok(());
        };
        let rate = Rate {
            every: Duration::from_secs(60) / burst,
            burst,
        };
        let mut requests = self.requests();
        let bucket = requests
            .entry(Arc::clone(&key.name))
            .or_insert_with(|| Bucket::full(now));
        let wait = bucket.wait(rate, now);
        if !wait.is_zero() {
            return Err(wait);
        }
        bucket.take(rate, now);
        Ok(())
    }

    /// Counts a request with this key as at work; `None` where `most` are already.
    pub(crate) fn at_work(&self, key: &Key, most: usize) -> Option<AtWork> {
        let mut all = self.all_at_work();
        let count = all.entry(Arc::clone(&key.name)).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(AtWork {
            ring: self.clone(),
            key: Arc::clone(&key.name),
        })
    }

    fn all_at_work(&self) -> MutexGuard<'_, HashMap<Arc<str>, usize>> {
        // Whole after each call.
        self.0.at_work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn requests(&self) -> MutexGuard<'_, HashMap<Arc<str>, Bucket>> {
        // Whole after each call.
        self.0.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(keys: &ApiKeys, secret: &str) -> Option<String> {
        Some(keys.find(&Secret::parse(secret).unwrap())?.name.to_string())
    }

    #[test]
    fn keys_are_read_in_clear_or_as_digests() {
        // printf %s open-sesame-open-sesame | sha256sum
        let text = "# the studio\n\nstudio  s3cret-of-the-studio\r\n\tclient.2 \
                    sha256:402EA51CD0FD3AB5140C27F5BDC85E0D2236A65CB62D7D2040FC8B61F124E0DD";
        let keys = ApiKeys::parse(text).unwrap();
        assert_eq!(owner(&keys, "s3cret-of-the-studio").as_deref(), Some("studio"));
        assert_eq!(
            owner(&keys, "open-sesame-open-sesame").as_deref(),
            Some("client.2")
        );
        for wrong in [
            "s3cret-of-the-studi",
            "s3cret-of-the-studio2",
            "S3CRET-OF-THE-STUDIO",
            "studio",
            "#",
        ] {
            assert_eq!(owner(&keys, wrong), None, "{wrong}");
        }
        assert_eq!(format!("{keys:?}"), r#"["studio", "client.2"]"#);
    }

    #[test]
    fn a_bad_line_is_named_and_its_secret_is_not() {
        let long = "n".repeat(crate::key_line::MAX_NAME_LENGTH + 1);
        for (text, kind) in [
            ("hunter2".to_owned(), "not_two_words"),
            ("ada scopes=submit,read".to_owned(), "not_two_words"),
            ("ada hunter2-hunter2-hunter2 # mine".to_owned(), "unknown_word"),
            ("ada first-half-of-it hunter2".to_owned(), "unknown_word"),
            ("ada first-half-of-it scopes=hunter2".to_owned(), "invalid_word"),
            (
                "ada first-half-of-it queued=1 queued=2".to_owned(),
                "repeated_word",
            ),
            ("a:b hunter2".to_owned(), "invalid_name"),
            (format!("{long} hunter2"), "invalid_name"),
            ("ada hunter2\u{e9}".to_owned(), "invalid_secret"),
            ("ada hunter2-hunter2".to_owned(), "too_short"),
            ("ada sha256:hunter2".to_owned(), "invalid_digest"),
            (format!("ada sha256:+{}", "hunter2".repeat(9)), "invalid_digest"),
        ] {
            let error = ApiKeys::parse(&format!("bob the-first-of-them\n# second\n{text}\n")).unwrap_err();
            let said = format!("{error} {error:?} {}", error.advice());
            assert_eq!(error.kind(), kind, "{text}");
            assert!(error.to_string().contains("line 3"), "{said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
        assert_eq!(ApiKeys::parse("# nothing\n\n").unwrap_err().kind(), "empty");
    }

    #[test]
    fn a_name_or_a_secret_stands_once() {
        for text in [
            "ada number-one-of-them\n\nada number-two-of-them",
            "ada number-one-of-them\n\nbob number-one-of-them",
        ] {
            let error = ApiKeys::parse(text).unwrap_err();
            assert_eq!(error, KeysError::Twice { line: 3, earlier: 1 }, "{text}");
        }
    }

    #[test]
    fn without_keys_everybody_comes_in_and_new_keys_count_at_once() {
        let secret = Secret::parse("number-one-of-them").unwrap();
        let ring = KeyRing::new(None);
        assert_eq!((ring.names(), ring.access(None)), (None, Access::Free));
        ring.replace(ApiKeys::parse("ada number-one-of-them").unwrap());
        assert_eq!(
            (ring.names(), ring.access(None)),
            (Some(vec!["ada".to_owned()]), Access::Refused)
        );
        assert!(matches!(ring.access(Some(&secret)), Access::With(key) if &*key.name == "ada"));
        ring.replace(ApiKeys::parse("ada number-two-of-them").unwrap());
        assert_eq!(ring.access(Some(&secret)), Access::Refused);
    }

    #[test]
    fn limits_change_with_the_keys_and_what_was_used_up_stays_so() {
        let secret = Secret::parse("number-one-of-them").unwrap();
        let start = Instant::now();
        let requests = |ring: &KeyRing, now| {
            let Access::With(key) = ring.access(Some(&secret)) else {
                panic!("it is known")
            };
            std::iter::repeat_with(|| ring.count(&key, now))
                .take(100)
                .position(|counted| counted.is_err())
        };
        let keys = |words: &str| ApiKeys::parse(&format!("ada number-one-of-them {words}")).unwrap();
        let ring = KeyRing::new(Some(keys("requests_per_minute=3 running=2")));
        let running = ring.running_limits();
        assert_eq!(**running.borrow(), RunningLimits::from([("ada".to_owned(), 2)]));
        assert_eq!(requests(&ring, start), Some(3));
        assert_eq!(requests(&ring, start + Duration::from_secs(20)), Some(1));
        ring.replace(keys("requests_per_minute=3"));
        assert!(running.borrow().is_empty());
        assert_eq!(requests(&ring, start + Duration::from_secs(20)), Some(0));
        assert_eq!(requests(&ring, start + Duration::from_secs(80)), Some(3));
        ring.replace(keys(""));
        assert_eq!(requests(&ring, start + Duration::from_secs(80)), None);
    }

    #[test]
    fn a_short_secret_opens_nothing_although_its_digest_stands_in_the_file() {
        let keys = ApiKeys::parse(&format!("ada sha256:{}", Sha256::of("hunter2"))).unwrap();
        let ring = KeyRing::new(Some(keys));
        assert_eq!(
            ring.access(Some(&Secret::parse("hunter2").unwrap())),
            Access::Refused
        );
    }
}
