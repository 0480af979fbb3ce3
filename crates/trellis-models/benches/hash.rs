//! Hashing a model folder, beside `sha256sum` with one process a core over the same files.
//!
//! `cargo bench -p trellis-models` prints both; `HASH_BENCH_BYTES` sets the size (default 1 GB).
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench's result is what it prints"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// The shares of the released checkpoints' weights, in thousandths.
const SHARES: [u64; 6] = [49, 376, 57, 57, 61, 400];
const ROUNDS: usize = 5;

fn main() {
    let bytes: u64 = std::env::var("HASH_BENCH_BYTES").map_or(1_000_000_000, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let paths = write_files(folder.path(), bytes);
    let total: u64 = paths.iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    let ours = best(|| {
        for digest in trellis_models::hash::sha256_all(&paths, &|_| {}) {
            digest.unwrap();
        }
    });
    report("trellis", total, ours);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let theirs = best(|| sha256sum(&paths, cores));
    report("sha256sum", total, theirs);
    if let Some(openssl) = openssl(&paths, cores) {
        report("openssl", total, openssl);
    }
    println!(
        "trellis reaches {:.0} % of sha256sum",
        100.0 * theirs.as_secs_f64() / ours.as_secs_f64()
    );
}

fn write_files(folder: &Path, bytes: u64) -> Vec<PathBuf> {
    let block: Vec<u8> = (0..1_u32 << 20)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 24).to_le_bytes()[0])
        .collect();
    let paths = SHARES.iter().enumerate().map(|(number, share)| {
        let path = folder.join(format!("{number}.safetensors"));
        let blocks = bytes * share / 1000 / block.len() as u64;
        fs::write(&path, block.repeat(usize::try_from(blocks).unwrap())).unwrap();
        path
    });
    paths.collect()
}

/// The best of a few rounds: the files are in the page cache, so what differs is the other load.
fn best(mut round: impl FnMut()) -> Duration {
    let rounds = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        round();
        start.elapsed()
    });
    rounds.min().unwrap()
}

/// One file a process, as many processes as cores, the next file as soon as one ends.
fn sha256sum(paths: &[PathBuf], cores: usize) {
    let mut xargs = Command::new("xargs");
    xargs.args(["-P", &cores.to_string(), "-n", "1", "sha256sum"]);
    run(&mut xargs, &largest_first(paths));
}

fn openssl(paths: &[PathBuf], cores: usize) -> Option<Duration> {
    Command::new("openssl").arg("version").output().ok()?;
    Some(best(|| {
        let mut xargs = Command::new("xargs");
        xargs.args(["-P", &cores.to_string(), "-n", "1", "openssl", "dgst", "-sha256"]);
        run(&mut xargs, &largest_first(paths));
    }))
}

/// One path a line, the largest first, as we hash them too.
fn largest_first(paths: &[PathBuf]) -> String {
    let lines: Vec<String> = paths
        .iter()
        .rev()
        .map(|path| path.display().to_string())
        .collect();
    lines.join("\n")
}

fn run(command: &mut Command, input: &str) {
    use std::io::Write as _;
    use std::process::Stdio;
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

fn report(name: &str, bytes: u64, elapsed: Duration) {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let rate = bytes as f64 / elapsed.as_secs_f64() / 1e6;
    println!("{name:<10} {:>7.3} s {rate:>7.0} MB/s", elapsed.as_secs_f64());
}
