//! Hashes in the notations of `nix hash convert`.

use nix_compat::nixbase32;
use nix_compat::nixhash::{HashAlgo, NixHash};

use crate::kit::rows;

#[test]
fn every_notation_is_written_and_read_as_nix_does() {
    for [algo, base16, base32, base64, sri] in rows("hashes.tsv") {
        let algo: HashAlgo = algo.parse().unwrap();
        let hash = NixHash::from_str(&base16, Some(algo)).unwrap();
        assert_eq!(hash.algo(), algo);
        assert_eq!(hash.digest_as_bytes().len(), algo.digest_length());
        assert_eq!(nixbase32::encode(hash.digest_as_bytes()), base32);
        assert_eq!(nixbase32::decode(&base32).unwrap(), hash.digest_as_bytes());
        assert_eq!(hash.to_sri_string(), sri);
        assert_eq!(hash.to_string(), sri);
        assert_eq!(hash.to_nix_lowerhex_string(), format!("{algo}:{base16}"));
        assert_eq!(hash.to_nix_nixbase32(), format!("{algo}:{base32}"));
        assert_eq!(
            NixHash::from_nix_nixbase32(&format!("{algo}:{base32}")).as_ref(),
            Some(&hash)
        );
        assert_eq!(NixHash::from_sri(&sri).as_ref(), Ok(&hash));
        for digits in [&base32, &base64, &base16] {
            assert_eq!(NixHash::from_str(digits, Some(algo)).as_ref(), Ok(&hash));
            assert_eq!(
                NixHash::from_str(&format!("{algo}:{digits}"), None).as_ref(),
                Ok(&hash)
            );
        }
    }
}

#[test]
fn what_nix_takes_is_taken_and_nothing_else() {
    for [text, read] in rows("hash-notations.tsv") {
        let hash = NixHash::from_str(&text.replace("\\n", "\n"), Some(HashAlgo::Sha256));
        match read.as_str() {
            "refused" => assert!(hash.is_err(), "{text}: {hash:?}"),
            base16 => assert_eq!(
                hash.unwrap_or_else(|error| panic!("{text}: {error}"))
                    .to_nix_lowerhex_string(),
                format!("sha256:{base16}")
            ),
        }
    }
}
