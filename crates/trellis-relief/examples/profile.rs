//! Times the stages of one relief, and says the most memory that the process had.
//!
//! `cargo run --release -p trellis-relief --example profile` prints the table of docs/performance.md.
//! `… --example profile -- PICTURE|cut_out|photo [OUT.glb]` takes one picture.
//! `cut_out` and `photo` are 1024 × 1024 pixels, made here, with an alpha channel and without.
#![expect(clippy::print_stdout, reason = "it is there to print")]

use std::ops::ControlFlow;
use std::time::Instant;

use image::ImageFormat;
use trellis_core::{ParamsPatch, Progress};
use trellis_picture::decode;
use trellis_relief::{Views, generate};

#[path = "../tests/it/pictures.rs"]
#[expect(dead_code, reason = "only two of the tests' pictures are timed")]
mod pictures;

const SIDE: u32 = 1024;
const ROUNDS: usize = 10;
const MAX_PIXELS: u64 = 64_000_000;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let Some(name) = arguments.next() else {
        return print_table();
    };
    let bytes = match name.as_str() {
        "cut_out" => pictures::encoded(pictures::cut_out(pictures::blob, SIDE, SIDE), ImageFormat::Png),
        "photo" => pictures::encoded(pictures::photo(pictures::blob, SIDE, SIDE), ImageFormat::Png),
        path => std::fs::read(path).expect("the picture is readable"),
    };
    let rounds: Vec<Round> = (0..ROUNDS).map(|_| round(&bytes)).collect();
    let least = |of: &dyn Fn(&Round) -> f64| rounds.iter().map(of).fold(f64::MAX, f64::min);
    for (stage, (name, _)) in rounds[0].stages.iter().enumerate() {
        println!(
            "{:<44} {:>6.1} ms",
            row(name),
            least(&|round| round.stages[stage].1)
        );
    }
    println!("{:<44} {:>6.1} ms", "all", least(&|round| round.all));
    println!(
        "{:<44} {:>6.0} MB",
        "most memory of the process",
        peak_megabytes()
    );
    if let Some(out) = arguments.next() {
        std::fs::write(out, &rounds[0].glb).expect("the file is writable");
    }
}

/// The rows of both pictures side by side; each in a process of its own, as memory is counted by process.
fn print_table() {
    let [photo, cut_out] = ["photo", "cut_out"].map(|name| {
        let this = std::env::current_exe().expect("this program has a path");
        let ended = std::process::Command::new(this).arg(name).output();
        let ended = ended.expect("this program starts again");
        assert!(
            ended.status.success(),
            "{}",
            String::from_utf8_lossy(&ended.stderr)
        );
        String::from_utf8(ended.stdout).expect("rows are text")
    });
    println!("| stage | no alpha channel | alpha channel |\n|---|---:|---:|");
    for (photo, cut_out) in photo.lines().zip(cut_out.lines()) {
        let (name, [photo, cut_out]) = (
            photo[..44].trim_end(),
            [photo, cut_out].map(|row| row[44..].trim()),
        );
        println!("| {name} | {photo} | {cut_out} |");
    }
}

/// A stage, with what it does here.
fn row(stage: &str) -> String {
    match stage {
        "preprocess" => format!("{stage} (mask, matting)"),
        "sparse_structure" => format!("{stage} (inflation)"),
        "simplify" => format!("{stage} (triangulation, fewer triangles)"),
        _ => stage.to_owned(),
    }
}

struct Round {
    /// Each stage and its milliseconds.
    stages: Vec<(String, f64)>,
    all: f64,
    glb: Vec<u8>,
}

fn round(bytes: &[u8]) -> Round {
    let params = ParamsPatch::default()
        .resolve(1)
        .expect("the defaults are allowed");
    let start = Instant::now();
    let first = decode(bytes, MAX_PIXELS).expect("the picture is whole");
    let mut stages = vec![("decode".to_owned(), milliseconds(start))];
    let views = Views {
        first,
        count: 1,
        name: trellis_core::AssetName::default(),
    };
    let mut last = Instant::now();
    let mut report = |progress: Progress| {
        if progress.step == progress.total {
            stages.push((progress.stage.to_string(), milliseconds(last)));
        }
        last = Instant::now();
        ControlFlow::Continue(())
    };
    let relief = generate(&views, &params, &mut report).expect("there is an object");
    let glb = relief
        .files
        .into_iter()
        .next()
        .expect("a GLB is the default")
        .bytes;
    Round {
        stages,
        all: milliseconds(start),
        glb,
    }
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

/// The most memory that this process had so far; 0 where there is no Linux to ask.
fn peak_megabytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|text| text.trim().trim_end_matches("kB").trim().parse::<f64>().ok());
    kilobytes.unwrap_or(0.0) / 1000.0
}
