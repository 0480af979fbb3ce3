//! Files of Nix itself, the program.

pub mod conf;
