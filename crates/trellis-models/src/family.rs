//! Tells a folder of TRELLIS.2 from one of TRELLIS: the names are alike, the models are not.
//!
//! Sources: `pipeline.json` and the file names of microsoft/TRELLIS.2-4B.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::pipeline::PIPELINE_FILE;
use crate::read::read_json;

/// Where TRELLIS.2 describes its two pipelines.
const DESCRIPTIONS: [&str; 2] = [PIPELINE_FILE, "texturing_pipeline.json"];

/// Parts of checkpoint names that only TRELLIS.2 has.
const NAMES: [&str; 4] = [
    "_img2shape_",
    "_imgshape2tex_",
    "shape_dec_next_dc",
    "tex_dec_next_dc",
];

/// A folder of TRELLIS.2.
pub(crate) struct Trellis2 {
    /// The pipeline's name, where one is described.
    pub(crate) name: Option<String>,
}

/// Looks whether a folder is one.
pub(crate) fn trellis2(folder: &Path) -> Option<Trellis2> {
    let described = DESCRIPTIONS.iter().find_map(|file| name_in(&folder.join(file)));
    match described {
        Some(name) if name.starts_with("Trellis2") => Some(Trellis2 { name: Some(name) }),
        // Another pipeline may well use a decoder of TRELLIS.2.
        Some(_) => None,
        None => {
            let found = [folder.to_owned(), folder.join("ckpts")]
                .iter()
                .any(|place| holds_its_checkpoints(place));
            found.then_some(Trellis2 { name: None })
        }
    }
}

fn name_in(path: &Path) -> Option<String> {
    let value: Value = read_json(path).ok()?;
    Some(value.get("name")?.as_str()?.to_owned())
}

fn holds_its_checkpoints(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else {
        return false;
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names = names.filter(|name| name.ends_with(".safetensors"));
    names.any(|name| NAMES.iter().any(|part| name.contains(part)))
}
