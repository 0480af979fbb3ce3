//! Wrong API keys, counted and slowed by where they come from.
//!
//! After [`BURST`] wrong keys a site may try one every [`EVERY`]; till then its keys are not looked at, right or
//! wrong, so that guesses learn nothing. A key that worked from there before goes on working: behind one address
//! may be a studio, and one of its programs with an old key must not lock out the others. Memory is bounded.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::warn;

use crate::bucket::{Bucket, Rate};

/// So many wrong keys are looked at as fast as they come.
const BURST: u32 = 10;
/// How often one is looked at after that.
const EVERY: Duration = Duration::from_secs(5);
const RATE: Rate = Rate {
    every: EVERY,
    burst: BURST,
};
/// How many sites are remembered; the one that was quiet the longest is forgotten for a new one.
const SITES: usize = 4096;
/// How many keys are remembered of a site.
const KEYS_OF_SITE: usize = 256;

/// What every site tried.
#[derive(Default)]
pub(crate) struct Attempts(Mutex<HashMap<IpAddr, Site>>);

struct Site {
    looks: Bucket,
    wrong: u64,
    /// The names of keys that worked.
    known: Vec<Arc<str>>,
    seen: Instant,
}

impl Attempts {
    /// Takes note that the key of that name came from `site`, or with `None` a wrong one. `Err`: how long that site's keys
    /// are not looked at.
    pub(crate) fn note(&self, site: IpAddr, key: Option<&Arc<str>>, now: Instant) -> Result<(), Duration> {
        let mut sites = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sites.len() >= SITES && !sites.contains_key(&site) {
            let quiet = sites.iter().min_by_key(|(_, site)| site.seen);
            if let Some(quiet) = quiet.map(|(address, _)| *address) {
                sites.remove(&quiet);
            }
        }
        let entry = sites.entry(site).or_insert_with(|| Site {
            looks: Bucket::full(now),
            wrong: 0,
            known: Vec::new(),
            seen: now,
        });
        entry.seen = now;
        let wait = entry.looks.wait(RATE, now);
        match key {
            Some(name) if entry.known.contains(name) => Ok(()),
            _ if !wait.is_zero() => Err(wait),
            Some(name) => {
                if entry.known.len() < KEYS_OF_SITE {
                    entry.known.push(Arc::clone(name));
                }
                Ok(())
            }
            None => {
                entry.looks.take(RATE, now);
                entry.wrong += 1;
                let wrong = entry.wrong;
                // Once when it begins, then for each doubling.
                if wrong >= u64::from(BURST)
                    && (wrong / u64::from(BURST)).is_power_of_two()
                    && wrong.is_multiple_of(BURST.into())
                {
                    warn!(%site, wrong, "wrong API keys come from this address; it may try one every {} s", EVERY.as_secs());
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(number: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(number).into()
    }

    fn key(name: &str) -> Arc<str> {
        name.into()
    }

    #[test]
    fn wrong_keys_are_slowed_and_right_ones_are_not_locked_out() {
        let attempts = Attempts::default();
        let start = Instant::now();
        assert_eq!(attempts.note(site(1), Some(&key("studio")), start), Ok(()));
        for _ in 0..BURST {
            assert_eq!(attempts.note(site(1), None, start), Ok(()));
        }
        assert_eq!(attempts.note(site(1), None, start), Err(EVERY));
        assert_eq!(
            attempts.note(site(1), Some(&key("studio")), start),
            Ok(()),
            "it worked before"
        );
        assert_eq!(
            attempts.note(site(1), Some(&key("client")), start),
            Err(EVERY),
            "it may be a guess"
        );
        assert_eq!(
            attempts.note(site(2), Some(&key("client")), start),
            Ok(()),
            "another address"
        );
        // What is not looked at does not make the wait longer.
        let later = start + EVERY;
        assert_eq!(attempts.note(site(1), None, later), Ok(()));
        assert_eq!(attempts.note(site(1), Some(&key("client")), later), Err(EVERY));
        assert_eq!(
            attempts.note(site(1), Some(&key("client")), later + EVERY),
            Ok(())
        );
        assert_eq!(
            attempts.note(site(1), Some(&key("client")), later),
            Ok(()),
            "from now on"
        );
    }

    #[test]
    fn the_memory_has_an_end_and_forgets_the_quiet_ones() {
        let attempts = Attempts::default();
        let start = Instant::now();
        for number in 0..=u32::try_from(SITES).unwrap() {
            let now = start + Duration::from_millis(number.into());
            assert_eq!(attempts.note(site(number), None, now), Ok(()));
        }
        let sites = attempts.0.lock().unwrap();
        assert_eq!((sites.len(), sites.contains_key(&site(0))), (SITES, false));
        drop(sites);
        for number in 0..1000 {
            let name = format!("key-{number}");
            assert_eq!(attempts.note(site(7), Some(&key(&name)), start), Ok(()));
        }
        assert_eq!(attempts.0.lock().unwrap()[&site(7)].known.len(), KEYS_OF_SITE);
    }
}
