//! What a burst took is given back.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![expect(clippy::unwrap_used, reason = "a test may stop where it cannot go on")]

use std::thread;
use std::time::{Duration, Instant};

use trellis_allocator as _;

/// Pages that the process holds without a file.
fn held_mib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib / 1024
}

/// Threads that each hold blocks of 64 KiB at the same time, with a small one after each, as uploads do. With glibc
/// the small ones keep all of it.
#[test]
fn the_memory_of_a_burst_is_given_back_though_some_of_it_is_still_used() {
    let before = held_mib();
    let burst = || {
        let blocks: Vec<(Vec<u8>, Box<[u8]>)> = (0..256)
            .map(|_| (vec![1; 64 << 10], vec![1; 64].into_boxed_slice()))
            .collect();
        blocks.into_iter().map(|(_, small)| small).collect::<Vec<_>>()
    };
    let threads: Vec<_> = (0..8).map(|_| thread::spawn(burst)).collect();
    let kept: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let deadline = Instant::now() + Duration::from_secs(20);
    while held_mib() > before + 8 {
        assert!(
            Instant::now() < deadline,
            "{} MiB are held, and {before} before",
            held_mib()
        );
        thread::sleep(Duration::from_millis(50));
    }
    drop(kept);
}
