//! Makes one model and prints the time of each stage and the largest memory in use.
//!
//! `cargo run --release -p trellis-relief --example profile -- PICTURE [OUT.glb]`
use std::ops::ControlFlow;
use std::time::Instant;

use trellis_core::{Params, ParamsPatch};
use trellis_picture::decode;
use trellis_relief::{Views, generate};

fn main() {
    let path = std::env::args().nth(1).expect("a picture is named");
    let bytes = std::fs::read(&path).expect("the picture is readable");
    let params: Params = ParamsPatch::default().resolve(1).expect("fine");
    for _ in 0..2 {
        let start = Instant::now();
        let first = decode(&bytes, 64_000_000).expect("decodes");
        println!("decode {:?}", start.elapsed());
        let views = Views {
            first,
            sha256: vec![],
        };
        let mut last = Instant::now();
        let relief = generate(&views, &params, &mut |progress| {
            if progress.step == 1 {
                println!("{} {:?}", progress.stage, last.elapsed());
            }
            last = Instant::now();
            ControlFlow::Continue(())
        })
        .expect("made");
        println!(
            "all {:?}, {} bytes {:?}",
            start.elapsed(),
            relief.files[0].bytes.len(),
            relief.notes
        );
        if let Some(out) = std::env::args().nth(2) {
            std::fs::write(out, &relief.files[0].bytes).expect("written");
        }
    }
}
