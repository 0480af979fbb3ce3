//! docs/doctor.md names every kind of finding.

use std::fs;
use std::path::Path;

/// Kinds are the string arms of the functions named `kind`.
fn kinds(source: &str) -> Vec<String> {
    let Some((_, rest)) = source.split_once("fn kind(&self)") else {
        return Vec::new();
    };
    let body = rest.split("\n    }\n").next().unwrap_or_default();
    let quoted = body.lines().filter_map(|line| line.split('"').nth(1));
    quoted.map(str::to_owned).collect()
}

fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else {
            found.push(fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_kind_is_described() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(here.join("../../docs/doctor.md")).unwrap();
    let mut texts = Vec::new();
    sources(&here.join("src"), &mut texts);
    let kinds: Vec<String> = texts.iter().flat_map(|text| kinds(text)).collect();
    assert!(kinds.len() > 40, "the kinds were found: {kinds:?}");
    for kind in kinds {
        assert!(
            page.contains(&format!("`{kind}`")),
            "docs/doctor.md does not name `{kind}`"
        );
    }
}
