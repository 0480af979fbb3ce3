//! NAR, the archive that Nix hashes and ships: one file, symbolic link or directory, nothing but names, contents
//! and the executable bit.
//!
//! ```text
//! archive = "nix-archive-1" node
//! node    = "(" "type" "symlink" "target" target ")"
//!         | "(" "type" "regular" ["executable" ""] "contents" contents ")"
//!         | "(" "type" "directory" *("entry" "(" "name" name "node" node ")") ")"
//! ```
//! Every word and string is its length (64 bits, little-endian), its bytes, and zeros up to a multiple of 8. A
//! tree has exactly one archive, byte for byte: what [`reader`] lets through, [`writer`] would write the same.
//! Source: `nix-store --dump` (tests/goldens).

mod format;
pub mod reader;
pub mod writer;

use std::io::{self, Write};

use format::Status;
use reader::Node;

/// Reads one archive and writes it again, checking all of it. Uses no stack for nested directories.
///
/// Stops behind the archive: whether anything follows is for the caller to look at.
pub fn copy<W: Write>(r: &mut reader::Reader<'_>, w: &mut W) -> io::Result<()> {
    // The last name in each open directory.
    let mut open: Vec<Vec<u8>> = Vec::new();
    reader::magic(r)?;
    w.write_all(format::MAGIC)?;
    loop {
        let mut status = Status::Open;
        let parent = if open.is_empty() { None } else { Some(&mut status) };
        let nested = parent.is_some();
        match reader::node(r, parent, open.len())? {
            Node::Symlink { target } => writer::Node::within(w, nested).symlink(&target)?,
            Node::File { executable, reader } => {
                writer::Node::within(w, nested).copy_file(executable, reader)?;
            }
            Node::Directory(_) => {
                w.write_all(format::DIRECTORY)?;
                open.push(Vec::new());
            }
        }
        // To the next node: an entry of the innermost directory that is not at its end.
        loop {
            let Some(last_name) = open.last_mut() else {
                return Ok(());
            };
            if reader::entry(r, last_name)? {
                writer::entry(w, last_name)?;
                break;
            }
            open.pop();
            reader::end_of_directory(r, !open.is_empty())?;
            writer::close(w, !open.is_empty())?;
        }
    }
}
