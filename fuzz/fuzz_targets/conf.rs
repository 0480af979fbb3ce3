//! `nix.conf` from anybody: an answer or an error, and what is kept stands in the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nix_compat::nixcpp::conf::NixConfig;

fuzz_target!(|text: &str| {
    let Ok(config) = NixConfig::parse(text) else {
        return;
    };
    for list in [
        config.substituters,
        config.trusted_users,
        config.extra_trusted_substituters,
    ] {
        for word in list.into_iter().flatten() {
            assert!(!word.is_empty() && text.contains(word) && !word.contains(['#', ' ', '\n']));
        }
    }
    for key in config.trusted_public_keys.into_iter().flatten() {
        assert!(text.contains(key.name()));
    }
});
