//! Signatures by the Standard Webhooks specification: HMAC-SHA256 of `id.timestamp.body`, in base64.

use std::sync::{Arc, PoisonError, RwLock};

use data_encoding::{BASE64, HEXLOWER};
use ring::{digest, hmac};

/// Bytes that a secret may have, as the specification says.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// Secrets that a file may have: the one in use, and one before or after it.
const MOST: usize = 4;
const PREFIX: &str = "whsec_";

/// A file whose text is not secrets of webhooks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSecrets {
    /// No line has one.
    #[error("it has no secret")]
    Empty,
    /// More than anybody signs with.
    #[error("it has more than {MOST} secrets")]
    TooMany,
    /// A line that is not one. Its text stays secret.
    #[error("line {line} is not `whsec_` followed by the base64 of 24 to 64 bytes")]
    Malformed {
        /// Which, from 1.
        line: usize,
    },
}

/// One secret or more; each signs.
#[derive(Clone)]
pub struct Secrets(Vec<Signer>);

#[derive(Clone)]
struct Signer {
    key: hmac::Key,
    id: String,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

impl Secrets {
    /// From a file with a secret a line. Empty lines and those that begin with `#` are passed over.
    pub fn parse(text: &str) -> Result<Self, InvalidSecrets> {
        let mut signers = Vec::new();
        for (line, text) in (1..).zip(text.lines()) {
            let text = text.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let bytes = text
                .strip_prefix(PREFIX)
                .map(|text| BASE64.decode(text.as_bytes()));
            let bytes = bytes
                .and_then(Result::ok)
                .filter(|bytes| BYTES.contains(&bytes.len()));
            let bytes = bytes.ok_or(InvalidSecrets::Malformed { line })?;
            let fingerprint = digest::digest(&digest::SHA256, &bytes);
            signers.push(Signer {
                key: hmac::Key::new(hmac::HMAC_SHA256, &bytes),
                id: HEXLOWER.encode(&fingerprint.as_ref()[..4]),
            });
        }
        match signers.len() {
            0 => Err(InvalidSecrets::Empty),
            1..=MOST => Ok(Self(signers)),
            _ => Err(InvalidSecrets::TooMany),
        }
    }

    /// The beginning of each secret's SHA-256, by which receivers choose theirs.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|signer| signer.id.as_str())
    }

    /// The value of `webhook-signature`: one of each secret, with spaces between. `seconds` since 1970.
    pub(crate) fn sign(&self, id: &str, seconds: i64, body: &[u8]) -> String {
        let signatures = self.0.iter().map(|signer| {
            let mut signing = hmac::Context::with_key(&signer.key);
            signing.update(format!("{id}.{seconds}.").as_bytes());
            signing.update(body);
            format!("v1,{}", BASE64.encode(signing.sign().as_ref()))
        });
        signatures.collect::<Vec<_>>().join(" ")
    }
}

/// The secrets in force, which can be replaced while messages are sent. Clones share them.
#[derive(Debug, Clone)]
pub struct SecretRing(Arc<RwLock<Secrets>>);

impl SecretRing {
    /// With these.
    pub fn new(secrets: Secrets) -> Self {
        Self(Arc::new(RwLock::new(secrets)))
    }

    /// Signs with others from the next attempt on.
    pub fn replace(&self, secrets: Secrets) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = secrets;
    }

    pub(crate) fn in_force(&self) -> Secrets {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    /// The example that libraries of the specification test with.
    #[test]
    fn signs_as_other_implementations_do() {
        let secrets = Secrets::parse(SECRET).unwrap();
        let signature = secrets.sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn each_secret_signs_and_none_is_printed() {
        let other = format!("whsec_{}", BASE64.encode(&[7; 32]));
        let secrets = Secrets::parse(&format!("# since May\n{SECRET}\n\n {other} \n")).unwrap();
        let signature = secrets.sign("evt_1", 1, b"{}");
        let alone = |secret| Secrets::parse(secret).unwrap().sign("evt_1", 1, b"{}");
        assert_eq!(signature, format!("{} {}", alone(SECRET), alone(&other)));
        let ids: Vec<_> = secrets.ids().collect();
        assert_eq!(format!("{secrets:?}"), format!("{ids:?}"));
    }

    #[test]
    fn a_weak_secret_is_refused_by_its_line() {
        let of = |bytes: usize| format!("whsec_{}", BASE64.encode(&vec![7; bytes]));
        for (text, expected) in [
            (String::new(), InvalidSecrets::Empty),
            ("# later\n".to_owned(), InvalidSecrets::Empty),
            (format!("{SECRET}\nsecret"), InvalidSecrets::Malformed { line: 2 }),
            (of(23), InvalidSecrets::Malformed { line: 1 }),
            (of(65), InvalidSecrets::Malformed { line: 1 }),
            ("whsec_?".to_owned(), InvalidSecrets::Malformed { line: 1 }),
            (vec![of(32); 5].join("\n"), InvalidSecrets::TooMany),
        ] {
            assert_eq!(Secrets::parse(&text).unwrap_err(), expected, "{text}");
        }
        assert!(Secrets::parse(&of(24)).is_ok() && Secrets::parse(&of(64)).is_ok());
    }
}
