//! docs/closure.md names every kind of problem and of error.

use std::fs;
use std::path::Path;

/// The names that stand behind the variants in the code.
fn kinds(file: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file);
    let code = fs::read_to_string(path).unwrap();
    let table = code.split("explained! {").nth(1).expect("the file has a table");
    let table = table.split("\n}\n").next().unwrap();
    let words: Vec<&str> = table.split_whitespace().collect();
    let behind = words.windows(2).filter(|pair| pair[0] == "=");
    let names = behind.filter_map(|pair| pair[1].strip_prefix('"')?.strip_suffix("\","));
    names.map(str::to_owned).collect()
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
