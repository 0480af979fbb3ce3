//! docs/doctor.md names every kind of finding, and every field of the JSON form.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::kit::{Env, Lib, fatbin, ptx, sass};

/// Kinds stand first behind the variants of the tables that `diagnoses!` reads.
fn kinds(source: &str) -> Vec<String> {
    let tables = source.split("diagnoses! {").skip(1);
    let tables = tables.filter_map(|rest| rest.split("\n}\n").next());
    let quoted = tables.flat_map(|table| table.split(" = \"").skip(1));
    let kinds = quoted.map(|rest| rest.split('"').next().unwrap().to_owned());
    kinds.filter(|kind| !kind.contains(' ')).collect()
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
    assert!(kinds.len() > 80, "the kinds were found: {kinds:?}");
    for kind in kinds {
        assert!(
            page.contains(&format!("`{kind}`")),
            "docs/doctor.md does not name `{kind}`"
        );
    }
}

/// Fields as the page writes them, `findings[].kind`, without those of the lists of code.
fn fields(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) if path.matches('.').count() <= 1 => {
            for (name, value) in object {
                let path = format!("{path}{name}");
                found.insert(path.clone());
                let below = if value.is_array() { "[]." } else { "." };
                fields(value, &format!("{path}{below}"), found);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| fields(value, path, found)),
        _ => {}
    }
}

#[test]
fn the_table_of_the_json_form_has_its_fields() {
    let env = Env::new();
    let section = Some((".nv_fatbin", fatbin(&[sass(90), ptx(90)])));
    env.library(
        "x/_C.so",
        Lib {
            section,
            ..Lib::default()
        },
    );
    let mut written = BTreeSet::new();
    fields(&serde_json::to_value(env.report()).unwrap(), "", &mut written);

    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(here.join("../../docs/doctor.md")).unwrap();
    let (_, table) = page.split_once("## JSON").unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
    let described: BTreeSet<String> = rows
        .filter_map(|row| row.split('`').next())
        .filter(|field| !field.contains('…'))
        .map(|field| field.trim_end_matches("[]").to_owned())
        .collect();
    assert_eq!(described, written);
}
