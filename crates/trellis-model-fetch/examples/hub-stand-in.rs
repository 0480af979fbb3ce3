//! The tests' hub as a program, for scripts: a small true model, or one of any size with made-up bytes.
//!
//! ```text
//! hub-stand-in [BYTES]
//! ```
//! Prints `endpoint URL`, then `SHA256  PATH` for each file as `sha256sum` does, then serves until it is killed.
//! With BYTES the six weights share them as the released ones do; their bytes are made as they are sent.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a helper of test scripts"
)]

#[path = "../../trellis-models/tests/sample/mod.rs"]
mod sample;
#[expect(
    dead_code,
    reason = "the tests change the script while it runs, the program does not"
)]
#[path = "../tests/stand_in/mod.rs"]
mod stand_in;

use stand_in::{Content, Script, StandIn};

/// The released weights' bytes, in the order of `sample::MODELS`.
const RELEASED: [u64; 6] = [
    147_591_972,
    1_130_770_840,
    171_450_952,
    171_450_488,
    181_903_412,
    1_203_755_136,
];

#[tokio::main]
async fn main() {
    let bytes: Option<u64> = std::env::args().nth(1).map(|text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    sample::write_model(folder.path()).unwrap();
    let mut script = Script::with_folder("org/model", folder.path());
    if let Some(bytes) = bytes {
        let files = script.files.get_mut("org/model").unwrap();
        let all: u64 = RELEASED.iter().sum();
        for ((_, name, _), released) in sample::MODELS.iter().zip(RELEASED) {
            let share = u128::from(bytes) * u128::from(released) / u128::from(all);
            let content = Content::Made(u64::try_from(share).unwrap());
            files.insert(format!("ckpts/{name}.safetensors"), content);
        }
    }
    let files = script.files["org/model"].clone();
    for (path, content) in &files {
        let digest = content.sha256();
        println!("{digest}  {path}");
        if path.ends_with(".safetensors") {
            // Known from here on: a listing need not make five gigabytes again.
            script.listed_digests.insert(path.clone(), digest);
        }
    }
    let hub = StandIn::start(script).await;
    println!("endpoint {}", hub.endpoint());
    std::future::pending::<()>().await;
}
