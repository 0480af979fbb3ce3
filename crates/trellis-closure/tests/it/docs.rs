//! docs/closure.md names every kind of problem and of error.

use std::fs;
use std::path::Path;

/// The names that the `kind` functions give, as they stand in the code.
fn kinds(file: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file);
    let code = fs::read_to_string(path).unwrap();
    let after = code
        .split("fn kind(&self)")
        .nth(1)
        .expect("the file has such a function");
    let body = after.split("\n    }\n").next().unwrap();
    let arms = body.lines().filter_map(|line| line.split_once("=> \""));
    arms.map(|(_, name)| name.trim_end_matches(['"', ',']).to_owned())
        .collect()
}

#[test]
fn every_kind_is_in_the_page() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/closure.md");
    let page = fs::read_to_string(page).unwrap();
    for (file, least) in [
        ("error.rs", 12),
        ("verify/problem.rs", 9),
        ("lock/check.rs", 9),
        ("lock/error.rs", 8),
    ] {
        let kinds = kinds(file);
        assert!(kinds.len() >= least, "{file}: {kinds:?}");
        for kind in kinds {
            assert!(
                page.contains(&format!("`{kind}`")),
                "docs/closure.md does not name `{kind}`"
            );
        }
    }
}
