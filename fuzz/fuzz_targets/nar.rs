//! Archives from anybody: what is let through is written byte for byte the same, by `copy` and by hand, and never
//! needs more memory than a name, a target and the depth of directories.
#![no_main]

use std::io::{self, BufReader, Write};

use libfuzzer_sys::fuzz_target;
use nix_compat::nar::{self, reader, writer};

/// Copies a node through the public types, as a program that looks at each would.
fn copy(from: reader::Node<'_, '_>, to: writer::Node<'_, impl Write>) -> io::Result<()> {
    match from {
        reader::Node::Symlink { target } => to.symlink(&target),
        reader::Node::File { executable, mut reader } => {
            let (to, file) = to.file_manual_write(executable, reader.len())?;
            reader.copy(&mut *to)?;
            file.close(to)
        }
        reader::Node::Directory(mut from) => {
            let mut to = to.directory()?;
            while let Some(entry) = from.next()? {
                copy(entry.node, to.entry(entry.name)?)?;
            }
            to.close()
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut once = Vec::new();
    let taken = nar::copy(&mut &*bytes, &mut once);
    let mut twice = Vec::new();
    // In pieces of three bytes, so that every word lies across a border.
    let mut pieces = BufReader::with_capacity(3, bytes);
    let by_hand = reader::open(&mut pieces)
        .and_then(|from| copy(from, writer::open(&mut twice)?));
    assert_eq!(taken.is_ok(), by_hand.is_ok(), "{taken:?} and {by_hand:?}");
    if taken.is_ok() {
        assert_eq!(once, bytes[..once.len()]);
        assert_eq!(twice, once);
    }
});
