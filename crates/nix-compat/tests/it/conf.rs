//! `nix.conf` against what Nix takes from it (`tests/goldens/make-derivations`).

use std::fs;
use std::path::Path;

use nix_compat::nixcpp::conf::{NixConfig, SandboxSetting};
use serde_json::{Value, json};

/// A list as it counts: what was set, or the default, and what was added.
fn effective<T: ToString>(list: Option<Vec<T>>, extra: Option<Vec<T>>, default: &Value) -> Value {
    let texts = |list: Vec<T>| {
        list.iter()
            .map(|item| json!(item.to_string()))
            .collect::<Vec<_>>()
    };
    let mut all = list.map_or_else(|| default.as_array().unwrap().clone(), texts);
    all.extend(extra.map(texts).unwrap_or_default());
    Value::Array(all)
}

#[test]
fn nix_takes_the_same() {
    let goldens = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/made-derivations/conf.jsonl");
    let text = fs::read_to_string(goldens).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    // What holds if nothing is set.
    let default = &lines
        .iter()
        .find(|line| line["conf"] == "extra-platforms = i686-linux")
        .unwrap()["found"];
    for line in &lines {
        let conf = line["conf"].as_str().unwrap();
        let found = match NixConfig::parse(conf) {
            Err(_) => Value::Null,
            Ok(config) => {
                let NixConfig {
                    require_sigs,
                    sandbox,
                    substituters,
                    extra_substituters,
                    ..
                } = config;
                json!({
                    "require-sigs": require_sigs.map_or(default["require-sigs"].clone(), |set| json!(set)),
                    "sandbox": sandbox.map_or(default["sandbox"].clone(), |set| match set {
                        SandboxSetting::True => json!(true),
                        SandboxSetting::False => json!(false),
                        SandboxSetting::Relaxed => json!("relaxed"),
                    }),
                    "substituters": effective(substituters, extra_substituters, &default["substituters"]),
                    "trusted-public-keys": effective(
                        config.trusted_public_keys, config.extra_trusted_public_keys, &default["trusted-public-keys"],
                    ),
                    "trusted-substituters": effective(
                        config.trusted_substituters, config.extra_trusted_substituters, &default["trusted-substituters"],
                    ),
                    "trusted-users": effective(
                        config.trusted_users, config.extra_trusted_users, &default["trusted-users"],
                    ),
                })
            }
        };
        assert_eq!(found, line["found"], "{conf}");
    }
    assert!(lines.len() > 30);
}
