//! Maps a file for reading. The only unsafe code of the crate.

use std::fs::File;
use std::io;
use std::path::Path;

use memmap2::Mmap;

/// Maps the whole file; pages are read when they are touched.
pub(super) fn map(path: &Path) -> io::Result<Mmap> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is not a regular file",
        ));
    }
    let file = File::open(path)?;
    // SAFETY: the map is private and read-only, and no reference outlives the owner of the map. Changing
    // the file meanwhile could change bytes under a parser that checks them; a file cut short meanwhile
    // ends the process with SIGBUS. Both also hold for the dynamic linker, which maps the same libraries,
    // and installed libraries are replaced by renaming.
    #[expect(
        unsafe_code,
        reason = "mapping a file is unsafe, reading it whole would take 7 GB"
    )]
    unsafe {
        Mmap::map(&file)
    }
}
