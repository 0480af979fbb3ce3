//! The pins agree with themselves and with the Nix files that read them.

mod docs;
mod filesets;
mod kit;
mod nix_files;
mod overlays;
mod wheels;
