//! Writes a GLB of every test picture into a folder, for the validator and for looking at.
//!
//! `cargo run -p trellis-relief --example test_pictures -- FOLDER`
use std::ops::ControlFlow;
use std::path::PathBuf;

use trellis_core::{Params, ParamsPatch};
use trellis_picture::decode;
use trellis_relief::{Views, generate};

#[path = "../tests/it/pictures.rs"]
#[expect(dead_code, reason = "the tests also compare shapes, parts and holes")]
mod pictures;

fn main() {
    let folder: PathBuf = std::env::args_os().nth(1).expect("a folder is named").into();
    for case in pictures::all().into_iter().chain([pictures::huge()]) {
        let params = Params {
            remove_background: case.remove_background,
            ..ParamsPatch::default()
                .resolve(1)
                .expect("the defaults are allowed")
        };
        let views = Views {
            first: decode(&case.bytes, 64_000_000).expect("the picture is whole"),
            count: 1,
            name: trellis_core::AssetName::default(),
        };
        let relief =
            generate(&views, &params, &mut |_| ControlFlow::Continue(())).expect("there is an object");
        let path = folder.join(format!("{}.glb", case.name));
        std::fs::write(&path, &relief.files[0].bytes).expect("the folder is writable");
    }
}
