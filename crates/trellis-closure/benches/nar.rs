//! Hashing trees, beside `nix hash path` over the same files in the same run.
//!
//! `cargo bench -p trellis-closure` prints both; without Nix it prints ours and `skipped: why`. `NIX` is what
//! `nix` is called with, `NIX_ROOT` the folder that it sees as `/`: for a Nix in a chroot
//! `NIX='chroot /srv/nix' NIX_ROOT=/srv/nix`. `NAR_BENCH_BYTES` is the size of the big file (default 1 GB).
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench's result is what it prints"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rayon::prelude::*;
use trellis_closure::hash_path;

const ROUNDS: usize = 7;
const TREES: usize = 8;
const FILES_PER_TREE: usize = 3000;

fn main() {
    let bytes: u64 = std::env::var("NAR_BENCH_BYTES").map_or(1_000_000_000, |text| text.parse().unwrap());
    let nix = Nix::from_env();
    let folder = tempfile::tempdir_in(nix.root.join("tmp")).unwrap();
    let big = folder.path().join("big");
    write_big(&big, bytes);
    let tiny = folder.path().join("tiny");
    fs::write(&tiny, "x").unwrap();
    let trees: Vec<PathBuf> = (0..TREES)
        .map(|number| folder.path().join(format!("tree{number}")))
        .collect();
    for tree in &trees {
        write_tree(tree);
    }
    let bench = Bench {
        nix: nix.works().then_some(&nix),
        tiny,
    };
    if bench.nix.is_none() {
        println!("skipped: `{}` is not here to compare with", nix.command.join(" "));
    }
    bench.compare("small files, 8 paths", &trees);
    bench.compare("small files, 1 path", &trees[..1]);
    bench.compare("one big file", &[big]);
}

struct Bench<'a> {
    nix: Option<&'a Nix>,
    /// A file that takes no time to hash, to see how long Nix takes to start.
    tiny: PathBuf,
}

impl Bench<'_> {
    /// Rounds of both in turn, so that other load meets both; the best of each counts. What Nix takes to start is
    /// taken off.
    fn compare(&self, what: &str, paths: &[PathBuf]) {
        let (mut best, mut started, mut best_of_nix) = (Duration::MAX, Duration::MAX, Duration::MAX);
        let mut bytes = 0;
        for _ in 0..ROUNDS {
            let ours = timed(&mut best, || {
                let hashed = paths.iter().par_bridge().map(|path| hash_path(path).unwrap());
                hashed.collect::<Vec<_>>()
            });
            bytes = ours.iter().map(|(_, bytes)| bytes).sum();
            let Some(nix) = self.nix else { continue };
            timed(&mut started, || nix.hash(std::slice::from_ref(&self.tiny)));
            let theirs = timed(&mut best_of_nix, || nix.hash(paths));
            let mut ours: Vec<String> = ours.iter().map(|(hash, _)| hash.to_sri_string()).collect();
            let mut theirs: Vec<String> = theirs.lines().map(ToOwned::to_owned).collect();
            ours.sort();
            theirs.sort();
            assert_eq!(ours, theirs, "{what}");
        }
        let ours = best.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
        let rate = bytes as f64 / ours / 1e6;
        print!("{what:<22} trellis {ours:>7.3} s {rate:>6.0} MB/s");
        if self.nix.is_some() {
            let theirs = best_of_nix.saturating_sub(started).as_secs_f64();
            let (start, ratio) = (started.as_secs_f64(), theirs / ours);
            print!("   nix {theirs:>7.3} s (and {start:.3} s to start)   {ratio:.2}×");
        }
        println!();
    }
}

/// Runs a round and keeps the least time.
fn timed<T>(best: &mut Duration, round: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let made = round();
    *best = (*best).min(start.elapsed());
    made
}

/// How to call Nix.
struct Nix {
    command: Vec<String>,
    root: PathBuf,
}

impl Nix {
    fn from_env() -> Self {
        let prefix = std::env::var("NIX").unwrap_or_default();
        Self {
            command: prefix
                .split_whitespace()
                .chain(["nix"])
                .map(ToOwned::to_owned)
                .collect(),
            root: std::env::var_os("NIX_ROOT").map_or_else(|| "/".into(), PathBuf::from),
        }
    }

    fn call(&self) -> Command {
        let mut call = Command::new(&self.command[0]);
        call.args(&self.command[1..]).stderr(Stdio::null());
        call
    }

    fn works(&self) -> bool {
        self.call()
            .arg("--version")
            .output()
            .is_ok_and(|output| output.status.success())
    }

    /// One process for all paths, as a person would call it.
    fn hash(&self, paths: &[PathBuf]) -> String {
        let seen = paths
            .iter()
            .map(|path| Path::new("/").join(path.strip_prefix(&self.root).unwrap()));
        let mut call = self.call();
        call.args([
            "--extra-experimental-features",
            "nix-command",
            "hash",
            "path",
            "--sri",
        ]);
        let output = call.args(seen).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    }
}

/// Bytes that do not repeat soon.
fn noise(seed: usize, length: usize) -> Vec<u8> {
    let mut state = seed as u64 | 1;
    let next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state.to_le_bytes()[7]
    };
    std::iter::repeat_with(next).take(length).collect()
}

fn write_big(file: &Path, bytes: u64) {
    let block = noise(1, 1 << 20);
    let blocks = bytes / block.len() as u64;
    fs::write(file, block.repeat(usize::try_from(blocks).unwrap())).unwrap();
}

/// Sizes as in a Python environment: most files of a few kilobytes, some of hundreds.
fn write_tree(tree: &Path) {
    for number in 0..FILES_PER_TREE {
        let folder = tree.join(format!("package{}/module{}", number % 40, number % 7));
        fs::create_dir_all(&folder).unwrap();
        let length = match number % 50 {
            0 => 200_000,
            1..10 => 20_000,
            _ => 500 + (number * 37) % 6000,
        };
        fs::write(folder.join(format!("file{number}.py")), noise(number, length)).unwrap();
    }
}
