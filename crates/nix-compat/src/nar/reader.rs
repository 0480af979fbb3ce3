//! Reads archives, one node after the other, without holding more than a name or a target in memory.
//!
//! Every file and directory must be read to its end before the next entry is asked for; in every build an error
//! says so. An archive's own faults are [`InvalidData`](io::ErrorKind::InvalidData), one that is cut short is
//! [`UnexpectedEof`](io::ErrorKind::UnexpectedEof). Nothing is read behind the archive: for that the caller looks.

use std::io::{self, BufRead, Read, Write};
use std::mem;

use super::format::{self, Fault, Status};

/// What archives are read from.
pub type Reader<'a> = dyn BufRead + Send + 'a;

/// Begins to read an archive.
pub fn open<'a, 'r>(reader: &'a mut Reader<'r>) -> io::Result<Node<'a, 'r>> {
    magic(reader)?;
    node(reader, None, 0)
}

/// One node of an archive.
pub enum Node<'a, 'r> {
    /// A symbolic link, which is read already.
    Symlink {
        /// Where it points, 1 to 4,095 bytes without NUL.
        target: Vec<u8>,
    },
    /// A file.
    File {
        /// Whether it may be executed.
        executable: bool,
        /// Its contents.
        reader: FileReader<'a, 'r>,
    },
    /// A directory.
    Directory(DirReader<'a, 'r>),
}

/// The contents of a file.
pub struct FileReader<'a, 'r> {
    reader: &'a mut Reader<'r>,
    remaining: u64,
    padding: usize,
    parent: Option<&'a mut Status>,
}

/// The entries of a directory.
pub struct DirReader<'a, 'r> {
    reader: &'a mut Reader<'r>,
    /// Of the entry that [`Self::child`] is about; empty before the first.
    name: Vec<u8>,
    child: Status,
    at_end: bool,
    /// How many directories this one is in.
    depth: usize,
    parent: Option<&'a mut Status>,
}

/// One entry of a directory.
pub struct Entry<'a, 'r> {
    /// 1 to 255 bytes, none of them `/` or NUL; neither `.` nor `..`.
    pub name: &'a [u8],
    /// What has that name.
    pub node: Node<'a, 'r>,
}

impl<'a, 'r> FileReader<'a, 'r> {
    /// A file without contents is done at once.
    fn new(reader: &'a mut Reader<'r>, len: u64, parent: Option<&'a mut Status>) -> io::Result<Self> {
        let mut file = Self {
            reader,
            remaining: len,
            padding: format::padding(len),
            parent,
        };
        if len == 0 {
            file.finish()?;
        }
        Ok(file)
    }

    /// Whether all of it is read.
    pub fn is_empty(&self) -> bool {
        self.remaining == 0
    }

    /// Bytes still to read.
    pub fn len(&self) -> u64 {
        self.remaining
    }

    /// The next bytes, at least one unless all is read.
    pub fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.remaining == 0 {
            return Ok(&[]);
        }
        let buffer = self.reader.fill_buf()?;
        if buffer.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let len =
            usize::try_from(self.remaining).map_or(buffer.len(), |remaining| remaining.min(buffer.len()));
        Ok(&buffer[..len])
    }

    /// Passes over bytes that [`Self::fill_buf`] has shown. With the last one, what ends the file is checked.
    pub fn consume(&mut self, n: usize) -> io::Result<()> {
        let remaining = self.remaining.checked_sub(n as u64);
        let too_many = || {
            Fault::Consume {
                count: n,
                remaining: self.remaining,
            }
            .of_caller()
        };
        let remaining = remaining.ok_or_else(too_many)?;
        self.reader.consume(n);
        self.advance_to(remaining)
    }

    /// Writes the rest to `dst`.
    pub fn copy(&mut self, mut dst: impl Write) -> io::Result<()> {
        loop {
            let count = match self.fill_buf() {
                Ok([]) => return Ok(()),
                Ok(buffer) => {
                    dst.write_all(buffer)?;
                    buffer.len()
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.consume(count)?;
        }
    }

    fn advance_to(&mut self, remaining: u64) -> io::Result<()> {
        let at_end = self.remaining > 0 && remaining == 0;
        self.remaining = remaining;
        if at_end { self.finish() } else { Ok(()) }
    }

    fn finish(&mut self) -> io::Result<()> {
        zeros(self.reader, self.padding)?;
        close(self.reader, self.parent.as_deref_mut())
    }
}

impl Read for FileReader<'_, '_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = usize::try_from(self.remaining).map_or(buf.len(), |remaining| remaining.min(buf.len()));
        if len == 0 {
            return Ok(0);
        }
        let count = self.reader.read(&mut buf[..len])?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.advance_to(self.remaining - count as u64)?;
        Ok(count)
    }
}

impl<'r> DirReader<'_, 'r> {
    /// The next entry, or `None` behind the last, which ends the directory. The entry before must be done.
    #[expect(
        clippy::should_implement_trait,
        reason = "an entry borrows the directory, which no iterator can say"
    )]
    pub fn next(&mut self) -> io::Result<Option<Entry<'_, 'r>>> {
        if self.at_end {
            return Ok(None);
        }
        // Stays open if anything fails below: then the place in the archive is lost.
        if mem::replace(&mut self.child, Status::Open) == Status::Open {
            return Err(Fault::Unfinished.of_caller());
        }
        if !entry(self.reader, &mut self.name)? {
            self.at_end = true;
            end_of_directory(self.reader, self.parent.is_some())?;
            done(self.parent.as_deref_mut());
            return Ok(None);
        }
        let node = node(self.reader, Some(&mut self.child), self.depth + 1)?;
        Ok(Some(Entry {
            name: &self.name,
            node,
        }))
    }
}

pub(super) fn magic(reader: &mut Reader<'_>) -> io::Result<()> {
    expect(reader, "nix-archive-1")
}

/// Reads a node's head; all of it, if it has no contents. `depth`: how many directories it is in.
pub(super) fn node<'a, 'r>(
    reader: &'a mut Reader<'r>,
    parent: Option<&'a mut Status>,
    depth: usize,
) -> io::Result<Node<'a, 'r>> {
    expect(reader, "(")?;
    expect(reader, "type")?;
    let kind = Word::read(reader)?;
    match kind.as_bytes() {
        b"symlink" => {
            expect(reader, "target")?;
            let mut target = Vec::new();
            string(reader, "target", format::MAX_TARGET_LEN, &mut target)?;
            format::check_target(&target).map_err(Fault::of_archive)?;
            close(reader, parent)?;
            Ok(Node::Symlink { target })
        }
        b"regular" => {
            let executable = contents(reader)?;
            let len = number(reader)?;
            Ok(Node::File {
                executable,
                reader: FileReader::new(reader, len, parent)?,
            })
        }
        b"directory" if depth >= format::MAX_DEPTH => Err(Fault::Depth.of_archive()),
        b"directory" => {
            let (name, child, at_end) = (Vec::new(), Status::Done, false);
            Ok(Node::Directory(DirReader {
                reader,
                name,
                child,
                at_end,
                depth,
                parent,
            }))
        }
        _ => Err(kind.instead_of("symlink` or `regular` or `directory")),
    }
}

/// Up to the contents of a file: whether it may be executed.
fn contents(reader: &mut Reader<'_>) -> io::Result<bool> {
    let word = Word::read(reader)?;
    match word.as_bytes() {
        b"contents" => Ok(false),
        b"executable" => {
            expect(reader, "")?;
            expect(reader, "contents")?;
            Ok(true)
        }
        _ => Err(word.instead_of("executable` or `contents")),
    }
}

/// Up to an entry's node, with its name put in the place of the `last` one; or `false` at the directory's end.
pub(super) fn entry(reader: &mut Reader<'_>, last: &mut Vec<u8>) -> io::Result<bool> {
    let word = Word::read(reader)?;
    match word.as_bytes() {
        b"entry" => {}
        b")" => return Ok(false),
        _ => return Err(word.instead_of("entry` or `)")),
    }
    expect(reader, "(")?;
    expect(reader, "name")?;
    let mut name = Vec::new();
    string(reader, "name", format::MAX_NAME_LEN, &mut name)?;
    format::check_name(&name, last).map_err(Fault::of_archive)?;
    *last = name;
    expect(reader, "node")?;
    Ok(true)
}

/// What follows the `)` of a directory.
pub(super) fn end_of_directory(reader: &mut Reader<'_>, nested: bool) -> io::Result<()> {
    if nested { expect(reader, ")") } else { Ok(()) }
}

/// The end of a file or symbolic link, and of the entry that it is.
fn close(reader: &mut Reader<'_>, parent: Option<&mut Status>) -> io::Result<()> {
    expect(reader, ")")?;
    if parent.is_some() {
        expect(reader, ")")?;
    }
    done(parent);
    Ok(())
}

fn done(parent: Option<&mut Status>) {
    if let Some(status) = parent {
        *status = Status::Done;
    }
}

/// One word of the format, padded.
struct Word {
    bytes: [u8; 16],
    len: usize,
}

impl Word {
    fn read(reader: &mut Reader<'_>) -> io::Result<Self> {
        let len = number(reader)?;
        let Some(len) = usize::try_from(len)
            .ok()
            .filter(|&len| len <= format::MAX_WORD_LEN)
        else {
            return Err(Fault::Length {
                what: "word",
                len,
                max: format::MAX_WORD_LEN,
            }
            .of_archive());
        };
        let mut word = Self { bytes: [0; 16], len };
        reader.read_exact(&mut word.bytes[..len.next_multiple_of(8)])?;
        if word.bytes[len..].iter().any(|&byte| byte != 0) {
            return Err(Fault::Padding.of_archive());
        }
        Ok(word)
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn instead_of(&self, expected: &'static str) -> io::Error {
        Fault::Word {
            expected,
            found: self.as_bytes().to_owned(),
        }
        .of_archive()
    }
}

fn expect(reader: &mut Reader<'_>, expected: &'static str) -> io::Result<()> {
    let word = Word::read(reader)?;
    if word.as_bytes() == expected.as_bytes() {
        Ok(())
    } else {
        Err(word.instead_of(expected))
    }
}

fn number(reader: &mut Reader<'_>) -> io::Result<u64> {
    let mut bytes = [0; 8];
    reader.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

/// Reads 1 to `max` bytes, and their padding, into an empty `string`.
fn string(reader: &mut Reader<'_>, what: &'static str, max: usize, string: &mut Vec<u8>) -> io::Result<()> {
    let len = number(reader)?;
    format::check_len(what, len, max).map_err(Fault::of_archive)?;
    string.resize(usize::try_from(len).expect("at most `max`"), 0);
    reader.read_exact(string)?;
    zeros(reader, format::padding(len))
}

fn zeros(reader: &mut Reader<'_>, count: usize) -> io::Result<()> {
    let mut bytes = [0; 8];
    reader.read_exact(&mut bytes[..count])?;
    if bytes == [0; 8] {
        Ok(())
    } else {
        Err(Fault::Padding.of_archive())
    }
}
