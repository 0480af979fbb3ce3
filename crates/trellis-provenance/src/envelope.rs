//! A signed statement: the envelope of DSSE v1.
//!
//! Signed is `"DSSEv1" SP LEN(type) SP type SP LEN(payload) SP payload`, so neither the text of the envelope
//! nor the payload's form matters to the signature. Source: the Dead Simple Signing Envelope, protocol.md.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::{PublicKey, SigningKey, Statement};

/// An envelope with at least one signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    payload_type: String,
    payload: String,
    signatures: Vec<Signed>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Signed {
    #[serde(default)]
    keyid: String,
    sig: String,
}

/// What an envelope holds, and who signed it.
#[derive(Debug, Clone, PartialEq)]
pub struct Opened {
    /// The statement.
    pub statement: Statement,
    /// Whether the given key signed it; none where no key was given.
    pub signed: Option<bool>,
}

/// Why an envelope cannot be opened.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
pub enum OpenError {
    #[error("the envelope holds `{found}`, not an in-toto statement")]
    OtherPayload { found: String },
    #[error("the envelope's payload is not base64")]
    Base64,
    /// It is not one that this program makes.
    #[error("the envelope's statement cannot be read")]
    Statement { source: serde_json::Error },
}

impl Envelope {
    /// The envelope's own media type, as the in-toto specification has it.
    pub const MEDIA_TYPE: &str = "application/vnd.in-toto.provenance+dsse";
    /// The ending of a file that holds one.
    pub const ENDING: &str = "intoto.dsse.json";

    /// Signs a statement.
    pub fn seal(statement: &Statement, key: &SigningKey) -> Self {
        let payload = statement.to_json();
        let signature = key.sign(&signed_bytes(Statement::MEDIA_TYPE, &payload));
        Self {
            payload_type: Statement::MEDIA_TYPE.to_owned(),
            payload: STANDARD.encode(payload),
            signatures: vec![Signed {
                keyid: key.name().to_owned(),
                sig: STANDARD.encode(signature),
            }],
        }
    }

    /// As it is written.
    ///
    /// # Panics
    /// Never: texts alone are JSON.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts alone")
    }

    /// Checks the signature before anything of the payload is read.
    pub fn open(&self, key: Option<&PublicKey>) -> Result<Opened, OpenError> {
        if self.payload_type != Statement::MEDIA_TYPE {
            return Err(OpenError::OtherPayload {
                found: self.payload_type.chars().take(100).collect(),
            });
        }
        let payload = STANDARD.decode(&self.payload).map_err(|_| OpenError::Base64)?;
        let signed = key.map(|key| {
            let message = signed_bytes(&self.payload_type, &payload);
            // The key's id is a hint that nobody vouches for, so it is not looked at.
            self.signatures.iter().any(|signed| {
                STANDARD
                    .decode(&signed.sig)
                    .is_ok_and(|signature| key.has_signed(&message, &signature))
            })
        });
        let statement = serde_json::from_slice(&payload).map_err(|source| OpenError::Statement { source })?;
        Ok(Opened { statement, signed })
    }

    /// The names of the keys that it says it is signed with.
    pub fn key_names(&self) -> Vec<&str> {
        self.signatures
            .iter()
            .map(|signed| signed.keyid.as_str())
            .collect()
    }
}

fn signed_bytes(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::tests::key;
    use crate::statement::tests::statement;

    #[test]
    fn signs_what_the_protocol_says() {
        // The example of the protocol's own text.
        assert_eq!(
            signed_bytes("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }

    #[test]
    fn the_key_that_signed_it_is_told_from_another() {
        let secret = key("studio-1", 0);
        let envelope = Envelope::seal(&statement(), &secret);
        let text = serde_json::to_string(&envelope).unwrap();
        let read: Envelope = serde_json::from_str(&text).unwrap();
        let opened = read.open(Some(&secret.public())).unwrap();
        assert_eq!((opened.signed, opened.statement), (Some(true), statement()));
        // Its name is no proof.
        let other = key("studio-1", 1).public();
        assert_eq!(read.open(Some(&other)).unwrap().signed, Some(false));
        assert_eq!(read.open(None).unwrap().signed, None);
        assert_eq!(read.key_names(), ["studio-1"]);
    }

    #[test]
    fn a_changed_payload_or_type_is_not_signed() {
        let secret = key("studio-1", 0);
        let sealed = Envelope::seal(&statement(), &secret);
        let mut other = statement();
        other.subject[0]
            .digest
            .insert("sha256".to_owned(), "2".repeat(64));
        let payload = Envelope {
            payload: STANDARD.encode(other.to_json()),
            ..sealed.clone()
        };
        assert_eq!(payload.open(Some(&secret.public())).unwrap().signed, Some(false));
        let kind = Envelope {
            payload_type: "text/plain".to_owned(),
            ..sealed
        };
        assert!(matches!(
            kind.open(Some(&secret.public())),
            Err(OpenError::OtherPayload { .. })
        ));
    }

    #[test]
    fn its_form_is_stable() {
        insta::assert_json_snapshot!(Envelope::seal(&statement(), &key("studio-1", 0)));
    }
}
