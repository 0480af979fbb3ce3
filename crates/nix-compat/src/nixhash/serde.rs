//! Hashes as fields of JSON.
//!
//! [`NixHash`] reads any notation and writes SRI. [`CAHash`] is `{"hash": …, "hashAlgo": "r:sha256"}`, as
//! `nix derivation show` prints it; the newer `"hashAlgo": "sha256", "method": "nar"` is read as well. The functions are for SHA-256 digests, by `#[serde(deserialize_with = …)]`.

use data_encoding::HEXLOWER;
use serde::de::{Error as _, Unexpected};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ca_hash::HashMode;
use super::{CAHash, Error, HashAlgo, NixHash};

/// Reads `sha256:<52 digits>` or `sha256-<base 64>`.
pub fn from_nix_nixbase32_or_sri<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
    let text = String::deserialize(deserializer)?;
    match NixHash::from_nix_nixbase32(&text) {
        Some(hash) => sha256(hash),
        None => sha256(NixHash::from_sri(&text).map_err(D::Error::custom)?),
    }
}

/// Reads `sha256-<base 64>`.
pub fn from_sri<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
    let text = String::deserialize(deserializer)?;
    sha256(NixHash::from_sri(&text).map_err(D::Error::custom)?)
}

/// Reads `sha256:<52 digits>`.
pub fn from_nix_nixbase32<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
    let text = String::deserialize(deserializer)?;
    let hash = NixHash::from_nix_nixbase32(&text);
    sha256(hash.ok_or_else(|| D::Error::invalid_value(Unexpected::Str(&text), &"`sha256:` and 52 digits"))?)
}

/// Writes `sha256:<52 digits>`.
pub fn to_nix_nixbase32<S: Serializer>(digest: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&NixHash::Sha256(*digest).to_nix_nixbase32())
}

fn sha256<E: serde::de::Error>(hash: NixHash) -> Result<[u8; 32], E> {
    match hash {
        NixHash::Sha256(digest) => Ok(digest),
        other => Err(E::custom(Error::ConflictingHashAlgos(
            HashAlgo::Sha256,
            other.algo(),
        ))),
    }
}

impl Serialize for NixHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for NixHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_str(&text, None).map_err(D::Error::custom)
    }
}

impl Serialize for CAHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_struct("CAHash", 2)?;
        map.serialize_field("hash", &HEXLOWER.encode(self.hash().digest_as_bytes()))?;
        map.serialize_field("hashAlgo", &self.algo_with_mode())?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for CAHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Fields {
            hash: String,
            hash_algo: String,
            #[serde(default)]
            method: Option<HashMode>,
        }
        let Fields {
            hash,
            hash_algo,
            method,
        } = Fields::deserialize(deserializer)?;
        let expected = &"an algorithm, with `r:` or `text:` before it or a `method` beside it";
        let wrong = || D::Error::invalid_value(Unexpected::Str(&hash_algo), expected);
        let (mode, algo) = Self::parse_algo_with_mode(&hash_algo).ok_or_else(wrong)?;
        let mode = match method {
            Some(method) if mode == HashMode::Flat => method,
            Some(method) if mode != method => return Err(wrong()),
            _ => mode,
        };
        let hash = NixHash::from_str(&hash, Some(algo)).map_err(D::Error::custom)?;
        Self::from_mode_and_hash(mode, hash).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_addresses_of_old_and_new_derivations_are_read() {
        let digest = "da39a3ee5e6b4b0d3255bfef95601890afd80709";
        let read = |fields: &str| {
            serde_json::from_str::<CAHash>(&format!(r#"{{"hash": "{digest}", {fields}}}"#))
                .map_err(|error| error.to_string())
        };
        let hash = NixHash::from_str(digest, Some(HashAlgo::Sha1)).unwrap();
        assert_eq!(read(r#""hashAlgo": "sha1""#).unwrap(), CAHash::Flat(hash.clone()));
        let nar = CAHash::Nar(hash.clone());
        assert_eq!(read(r#""hashAlgo": "r:sha1""#).unwrap(), nar);
        assert_eq!(
            read(r#""hashAlgo": "sha1", "method": "nar", "path": "/x""#).unwrap(),
            nar
        );
        assert_eq!(read(r#""hashAlgo": "r:sha1", "method": "nar""#).unwrap(), nar);
        for wrong in [
            r#""hashAlgo": "r:sha1", "method": "flat""#,
            r#""hashAlgo": "sha1", "method": "text""#,
            r#""hashAlgo": "sha1", "method": "git""#,
            r#""hashAlgo": "g:sha1""#,
            r#""hashAlgo": "md5""#,
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        let printed = serde_json::to_string(&nar).unwrap();
        assert_eq!(printed, format!(r#"{{"hash":"{digest}","hashAlgo":"r:sha1"}}"#));
    }

    #[test]
    fn digests_are_read_in_the_notations_that_are_asked_for() {
        const BASE32: &str = "\"sha256:0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73\"";
        const SRI: &str = "\"sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\"";
        let json = |text| serde_json::Deserializer::from_str(text);
        let digest = from_nix_nixbase32(&mut json(BASE32)).unwrap();
        assert_eq!(from_sri(&mut json(SRI)).unwrap(), digest);
        assert_eq!(from_nix_nixbase32_or_sri(&mut json(BASE32)).unwrap(), digest);
        assert_eq!(from_nix_nixbase32_or_sri(&mut json(SRI)).unwrap(), digest);
        assert!(from_nix_nixbase32(&mut json(SRI)).is_err());
        assert!(from_sri(&mut json(BASE32)).is_err());
        assert!(from_sri(&mut json("\"md5-1B2M2Y8AsgTpgAmY7PhCfg==\"")).is_err());
        let mut printed = Vec::new();
        to_nix_nixbase32(&digest, &mut serde_json::Serializer::new(&mut printed)).unwrap();
        assert_eq!(printed, BASE32.as_bytes());
        let hash: NixHash = serde_json::from_str(BASE32).unwrap();
        assert_eq!(serde_json::to_string(&hash).unwrap(), SRI);
    }
}
