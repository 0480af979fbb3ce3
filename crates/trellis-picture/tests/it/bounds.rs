//! Memory and work follow the picture, whatever its file says.

use std::env;
use std::fs;
use std::process::Command;

use image::{DynamicImage, GrayImage, ImageFormat, RgbImage};
use trellis_picture::{PictureError, SizeLimit, decode, probe};

use crate::kit::{encoded, with_profile};

const FILE: &str = "TRELLIS_TEST_BOMB";
const MOST: &str = "TRELLIS_TEST_MOST_MIB";
const MIB: u64 = 1 << 20;

/// The most memory that this process ever held.
fn most_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|rest| rest.trim().strip_suffix(" kB"));
    kib.expect("a size").trim().parse::<u64>().expect("a number") * 1024
}

/// Run in a process of its own by the test below.
#[test]
#[ignore = "needs the file that its caller makes"]
fn reads_the_file_in_little_memory() {
    let bytes = fs::read(env::var_os(FILE).expect("the caller sets it")).unwrap();
    let most = env::var(MOST)
        .expect("the caller sets it")
        .parse::<u64>()
        .unwrap();
    let before = most_memory();
    probe(&bytes, 4_000_000).unwrap();
    decode(&bytes, 4_000_000).unwrap();
    let growth = most_memory() - before;
    assert!(growth < most * MIB, "{} MiB", growth / MIB);
}

/// Reads a picture with a profile of so many MiB of zeros in a process of its own.
fn reads_in(image: &DynamicImage, profile_mib: usize, most_mib: u64) {
    let files = with_profile(image, &vec![0; profile_mib << 20]);
    let (_, png) = files
        .iter()
        .find(|(name, _)| name.contains("png"))
        .expect("a PNG");
    assert!(png.len() < 1 << 20, "{} bytes", png.len());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bomb.png");
    fs::write(&file, png).unwrap();
    let child = Command::new(env::current_exe().unwrap())
        .args(["--ignored", "--exact", "bounds::reads_the_file_in_little_memory"])
        .env(FILE, &file)
        .env(MOST, most_mib.to_string())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn a_profile_that_unpacks_to_a_hundred_times_the_picture_takes_little_memory() {
    reads_in(&DynamicImage::from(RgbImage::new(64, 64)), 128, 48);
}

/// A pixel of grey counts as the one byte that it has, and metadata does not share in what pixels may take.
#[test]
fn a_profile_does_not_grow_with_the_picture() {
    reads_in(&DynamicImage::from(GrayImage::new(2000, 2000)), 48, 64);
}

#[test]
fn a_side_has_a_limit_of_its_own() {
    let long = encoded(GrayImage::new(1, 32_769), ImageFormat::Png);
    let refused = probe(&long, 64_000_000).unwrap_err();
    assert!(matches!(
        refused,
        PictureError::TooLarge {
            limit: SizeLimit::Side(32_768),
            ..
        }
    ));
    assert_eq!(
        refused.to_string(),
        "the picture has 1 × 32769 pixels, the limit is 32768 along a side"
    );
    assert!(probe(&encoded(GrayImage::new(1, 32_768), ImageFormat::Png), 64_000_000).is_ok());
}
