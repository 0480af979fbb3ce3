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

/// A model folder of TRELLIS.2 in `home`, and the flags of a server with a worker on it.
pub(crate) fn trellis2(home: &Path) -> Vec<String> {
    let folder = home.join("trellis2");
    let written = Command::new("python3")
        .args([
            fake().join("model.py").as_os_str(),
            "--trellis2".as_ref(),
            folder.as_os_str(),
        ])
        .status();
    assert!(written.expect("python3 runs").success());
    let text = |path: &Path| path.to_str().expect("it is UTF-8").to_owned();
    vec![
        "--trellis2-model".to_owned(),
        text(&folder),
        "--trellis2-python".to_owned(),
        text(&fake().join("python")),
        "--trellis2-gpus".to_owned(),
        "unchecked:1".to_owned(),
    ]
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
