//! A model folder for the stand-in for TRELLIS, and the flags that make a server use it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn fake() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fake_trellis")
}

/// A model folder in `home` that fails by these rules (tests/fake_trellis/trellis/script.py).
pub(crate) fn model(home: &Path, rules: &Value) -> PathBuf {
    let folder = home.join("model");
    let written = Command::new("python3")
        .arg(fake().join("model.py"))
        .arg(&folder)
        .status();
    assert!(written.expect("python3 runs").success());
    std::fs::write(folder.join("script.json"), rules.to_string()).expect("the folder is there");
    // Where torch looks if nothing says otherwise.
    std::fs::create_dir(home.join(".cache")).expect("the home is there");
    std::fs::rename(folder.join("torch"), home.join(".cache/torch")).expect("the model has it");
    folder
}

/// Flags of a server with so many workers on a model folder, without a warm-up.
pub(crate) fn flags(model: &Path, workers: u32) -> Vec<String> {
    let python = fake().join("python");
    let text = |path: &Path| path.to_str().expect("it is UTF-8").to_owned();
    vec![
        "--model".to_owned(),
        text(model),
        "--python".to_owned(),
        text(&python),
        "--gpus".to_owned(),
        format!("unchecked:{workers}"),
        "--warm-up=false".to_owned(),
        // The faster ways need real tensors.
        "--default-quality=exact".to_owned(),
    ]
}
