//! Shared objects: what they need, what they define, and where their device code lies.
//!
//! `map.rs` maps, `library.rs` reads what is small and keeps it, `tables.rs` looks symbols up in the
//! file's own hash table. 64-bit little-endian only: CUDA has no other.

mod library;
mod map;
mod tables;

pub(crate) use library::{ElfError, Library};
pub(crate) use tables::{Tables, Wanted};

type Header = object::elf::FileHeader64<object::LittleEndian>;
