//! A key is read as it is written, and a secret one never shows.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

/// A key made for the tests alone: the seed is 32 zeros.
pub(crate) fn key(name: &str, seed: u8) -> SigningKey {
    let key = ed25519_dalek::SigningKey::from_bytes(&[seed; 32]);
    let text = format!("{name}:{}", STANDARD.encode(key.to_keypair_bytes()));
    text.parse().unwrap()
}

#[test]
fn a_public_key_is_read_as_it_is_shown() {
    let public = key("studio-1", 0).public();
    assert_eq!(
        public.to_string(),
        "studio-1:O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik="
    );
    assert_eq!(public.to_string().parse::<PublicKey>().unwrap(), public);
}

#[test]
fn a_secret_never_shows() {
    assert_eq!(format!("{:?}", key("studio-1", 0)), "SigningKey(studio-1:***)");
}

#[test]
fn what_is_no_key_is_refused_without_repeating_it() {
    let zeros = STANDARD.encode([0; 32]);
    for (text, expected) in [
        (zeros.clone(), KeyError::Form),
        (format!(":{zeros}"), KeyError::Form),
        ("name:***".to_owned(), KeyError::Base64),
        (
            format!("name:{zeros}"),
            KeyError::Length {
                found: 32,
                expected: 64,
            },
        ),
        (format!("name:{}", STANDARD.encode([7; 64])), KeyError::NotAKey),
    ] {
        let error = text.parse::<SigningKey>().unwrap_err();
        assert_eq!(error, expected);
        assert!(!error.to_string().contains(&zeros));
    }
    let secret = ed25519_dalek::SigningKey::from_bytes(&[0; 32]).to_keypair_bytes();
    for name in ["two words", "schlüssel", &"n".repeat(256)] {
        let text = format!("{name}:{}", STANDARD.encode(secret));
        assert_eq!(text.parse::<SigningKey>().unwrap_err(), KeyError::Form, "{name}");
    }
}
