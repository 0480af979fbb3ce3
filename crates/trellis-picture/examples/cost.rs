//! What it costs to look at a picture before it is accepted, against decoding it: a table for docs/performance.md.
//!
//! `cargo run --release -p trellis-picture --example cost [PICTURE…]`; without pictures some are made here.
#![expect(clippy::print_stdout, reason = "it is there to print")]

use std::io::Cursor;
use std::time::{Duration, Instant};

use image::{DynamicImage, ImageFormat, RgbImage};
use trellis_picture::{decode, probe};

const SIDE: u32 = 1024;
const ROUNDS: usize = 10;
const MAX_PIXELS: u64 = 64_000_000;

fn main() {
    let paths: Vec<String> = std::env::args().skip(1).collect();
    let pictures = if paths.is_empty() {
        made()
    } else {
        let read = |path: String| {
            let bytes = std::fs::read(&path).expect("the picture is readable");
            (path, bytes)
        };
        paths.into_iter().map(read).collect()
    };
    println!("| picture | bytes | look at it | decode it | times |\n|---|---:|---:|---:|---:|");
    for (name, bytes) in pictures {
        let look = least(|| probe(&bytes, MAX_PIXELS).is_ok());
        let decoded = least(|| decode(&bytes, MAX_PIXELS).is_ok());
        let [look, decoded] = [look, decoded].map(|time| time.as_secs_f64() * 1e3);
        println!(
            "| {name} | {} | {look:.2} ms | {decoded:.1} ms | {:.0} |",
            bytes.len(),
            decoded / look
        );
    }
}

fn least(mut work: impl FnMut() -> bool) -> Duration {
    let time = |()| {
        let start = Instant::now();
        let accepted = work();
        let time = start.elapsed();
        if !accepted {
            println!("(refused)");
        }
        time
    };
    [(); ROUNDS].into_iter().map(time).min().unwrap_or_default()
}

/// Something like a photo of 1024 × 1024 pixels: slopes with a little noise.
fn made() -> Vec<(String, Vec<u8>)> {
    let photo = RgbImage::from_fn(SIDE, SIDE, |x, y| {
        let noise = (x.wrapping_mul(7919) ^ y.wrapping_mul(104_729)).wrapping_mul(2_654_435_761) >> 29;
        let shade = |value: u32| u8::try_from((value + noise) % 256).unwrap_or_default();
        image::Rgb([shade(x / 5), shade(y / 5), shade((x + y) / 9)])
    });
    let encoded = |name: &str, format| {
        let mut bytes = Cursor::new(Vec::new());
        DynamicImage::from(photo.clone())
            .write_to(&mut bytes, format)
            .expect("memory takes it");
        (name.to_owned(), bytes.into_inner())
    };
    vec![
        encoded("PNG", ImageFormat::Png),
        encoded("JPEG", ImageFormat::Jpeg),
        encoded("WebP, lossless", ImageFormat::WebP),
        encoded("BMP", ImageFormat::Bmp),
        encoded("TIFF", ImageFormat::Tiff),
    ]
}
