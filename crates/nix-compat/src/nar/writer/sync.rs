//! Writes archives to a [`Write`], best a buffered one.
//!
//! What can't be in an archive is an error in every build, of kind [`InvalidInput`](io::ErrorKind::InvalidInput):
//! names out of order or not allowed, targets of no length, an entry begun and not written, files longer than was
//! said. A file that is shorter is [`UnexpectedEof`](io::ErrorKind::UnexpectedEof). After an error the archive is
//! of no use.

use std::io::{self, BufRead, Write};
use std::mem;

use crate::nar::format::{self, Fault, Status};
use crate::nar::reader::FileReader;

/// Begins an archive.
pub fn open<W: Write>(writer: &mut W) -> io::Result<Node<'_, W>> {
    writer.write_all(format::MAGIC)?;
    Ok(Node::within(writer, false))
}

/// A place for one file, symbolic link or directory.
#[must_use = "an archive without its node is cut short"]
pub struct Node<'a, W: Write> {
    writer: &'a mut W,
    nested: bool,
    parent: Option<&'a mut Status>,
}

/// A directory that is being written.
#[must_use = "a directory ends with `close`"]
pub struct Directory<'a, W: Write> {
    writer: &'a mut W,
    last_name: Vec<u8>,
    child: Status,
    parent: Option<&'a mut Status>,
}

/// A file whose contents the caller writes, exactly as many bytes as were said.
#[must_use = "a file ends with `close`"]
pub struct FileManualWrite {
    padding: usize,
    nested: bool,
}

impl<'a, W: Write> Node<'a, W> {
    /// `nested`: it is an entry of a directory, which is closed with it.
    pub(in crate::nar) fn within(writer: &'a mut W, nested: bool) -> Self {
        Self {
            writer,
            nested,
            parent: None,
        }
    }

    /// Writes a symbolic link to `target`, of 1 to 4,095 bytes.
    pub fn symlink(self, target: &[u8]) -> io::Result<()> {
        format::check_target(target).map_err(Fault::of_caller)?;
        self.writer.write_all(format::SYMLINK)?;
        string(self.writer, target)?;
        self.finish()
    }

    /// Writes a file of `size` bytes, which must be all that `reader` has.
    pub fn file(mut self, executable: bool, size: u64, reader: &mut dyn BufRead) -> io::Result<()> {
        self.begin_file(executable, size)?;
        let mut remaining = size;
        loop {
            let buffer = match reader.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if buffer.is_empty() {
                break;
            }
            let len = buffer.len();
            let Some(rest) = remaining.checked_sub(len as u64) else {
                return Err(Fault::LongFile(size).of_caller());
            };
            self.writer.write_all(buffer)?;
            reader.consume(len);
            remaining = rest;
        }
        if remaining > 0 {
            let short = Fault::ShortFile {
                size,
                missing: remaining,
            };
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, short));
        }
        self.end_file(size)
    }

    /// Begins a file whose contents the caller writes to the returned writer.
    pub fn file_manual_write(
        mut self,
        executable: bool,
        size: u64,
    ) -> io::Result<(&'a mut W, FileManualWrite)> {
        self.begin_file(executable, size)?;
        if let Some(status) = self.parent {
            *status = Status::Done;
        }
        Ok((
            self.writer,
            FileManualWrite {
                padding: format::padding(size),
                nested: self.nested,
            },
        ))
    }

    /// Begins a directory.
    pub fn directory(self) -> io::Result<Directory<'a, W>> {
        self.writer.write_all(format::DIRECTORY)?;
        let (last_name, child) = (Vec::new(), Status::Done);
        Ok(Directory {
            writer: self.writer,
            last_name,
            child,
            parent: self.parent,
        })
    }

    /// Writes a file of another archive.
    pub(in crate::nar) fn copy_file(
        mut self,
        executable: bool,
        mut file: FileReader<'_, '_>,
    ) -> io::Result<()> {
        let size = file.len();
        self.begin_file(executable, size)?;
        file.copy(&mut *self.writer)?;
        self.end_file(size)
    }

    fn begin_file(&mut self, executable: bool, size: u64) -> io::Result<()> {
        self.writer.write_all(if executable {
            format::EXECUTABLE
        } else {
            format::FILE
        })?;
        self.writer.write_all(&size.to_le_bytes())
    }

    fn end_file(self, size: u64) -> io::Result<()> {
        zeros(self.writer, format::padding(size))?;
        self.finish()
    }

    fn finish(self) -> io::Result<()> {
        close(self.writer, self.nested)?;
        done(self.parent);
        Ok(())
    }
}

impl<W: Write> Directory<'_, W> {
    /// Begins the entry `name`, which must sort after the one before. That one must be done.
    pub fn entry(&mut self, name: &[u8]) -> io::Result<Node<'_, W>> {
        // Stays open if anything fails: then the archive is of no use.
        if mem::replace(&mut self.child, Status::Open) == Status::Open {
            return Err(Fault::Unfinished.of_caller());
        }
        format::check_name(name, &self.last_name).map_err(Fault::of_caller)?;
        name.clone_into(&mut self.last_name);
        entry(self.writer, name)?;
        Ok(Node {
            writer: self.writer,
            nested: true,
            parent: Some(&mut self.child),
        })
    }

    /// Ends the directory.
    pub fn close(self) -> io::Result<()> {
        if self.child == Status::Open {
            return Err(Fault::Unfinished.of_caller());
        }
        close(self.writer, self.parent.is_some())?;
        done(self.parent);
        Ok(())
    }
}

impl FileManualWrite {
    /// Ends the file.
    pub fn close<W: Write>(self, writer: &mut W) -> io::Result<()> {
        zeros(writer, self.padding)?;
        close(writer, self.nested)
    }
}

/// The end of a node, and of the entry that it is.
pub(in crate::nar) fn close(writer: &mut impl Write, nested: bool) -> io::Result<()> {
    writer.write_all(if nested {
        format::CLOSE_ENTRY
    } else {
        format::CLOSE
    })
}

/// Up to an entry's node.
pub(in crate::nar) fn entry(writer: &mut impl Write, name: &[u8]) -> io::Result<()> {
    writer.write_all(format::ENTRY)?;
    string(writer, name)?;
    writer.write_all(format::NODE)
}

fn done(parent: Option<&mut Status>) {
    if let Some(status) = parent {
        *status = Status::Done;
    }
}

fn string(writer: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    let len = bytes.len() as u64;
    writer.write_all(&len.to_le_bytes())?;
    writer.write_all(bytes)?;
    zeros(writer, format::padding(len))
}

fn zeros(writer: &mut impl Write, count: usize) -> io::Result<()> {
    writer.write_all(&[0; 8][..count])
}
