//! The pins agree with themselves, with `flake.lock` and with the Nix files that read them.

mod kit;
mod lock;
mod nix_files;
mod overlays;
mod wheels;
