//! Looks into an extra: is it the kind of file that it should be, and whole?
//!
//! A `.pth` that torch writes is a zip archive, whose directory stands at its end; an `.onnx` is one protobuf
//! message, whose fields say how long they are. Both are walked by their lengths, so a look reads a few
//! kilobytes whatever the size. Sources: the ZIP application note (4.3), the protobuf encoding guide, and
//! `onnx.proto`. Not here: hashing (`published.rs`).

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use super::{Extra, Form};
use crate::stand_in::StandIn;

/// What is wrong with an extra that is there.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
pub enum ExtraFault {
    #[error("it {0}")]
    StandIn(StandIn),
    #[error("it is cut short: {found} of {expected} bytes")]
    Truncated { found: u64, expected: u64 },
    #[error("it is cut short: the directory at the end of the archive is missing")]
    NoEndRecord,
    #[error("it is damaged: the archive's directory does not lie where its end says")]
    Misfit,
    #[error("it is not an archive as torch writes it")]
    NotTorch,
    #[error("it is not an ONNX model")]
    NotOnnx,
    #[error("its last {bytes} bytes are zeros, as after an interrupted download")]
    ZeroTail { bytes: u64 },
    #[error("its file `{file}` is missing or empty")]
    CodeIncomplete { file: &'static str },
    #[error("it is not a regular file")]
    NotAFile,
    #[error("it cannot be read")]
    Read(#[source] io::Error),
}

impl ExtraFault {
    /// Whether the file is not even the beginning of the right one.
    fn is_another_kind(&self) -> bool {
        matches!(
            self,
            Self::NotTorch | Self::NotOnnx | Self::StandIn(_) | Self::Read(_)
        )
    }
}

/// The files of DINOv2's code that torch.hub needs to build a backbone.
pub const CODE: [&str; 4] = [
    "hubconf.py",
    "dinov2/hub/backbones.py",
    "dinov2/layers/__init__.py",
    "dinov2/models/vision_transformer.py",
];

/// Bytes at either end that are looked at.
const END: u64 = 4096;

/// Looks into an extra that is there.
pub fn look(extra: &Extra) -> Result<(), ExtraFault> {
    match extra.form {
        Form::Code => code(extra.path.parent().unwrap_or(Path::new("/"))),
        Form::Torch | Form::Onnx => {
            let mut open = Opened::new(&extra.path)?;
            let checked = if extra.form == Form::Torch {
                zip(&mut open)
            } else {
                onnx(&mut open)
            };
            // The published size says by how much a file is short.
            match (checked, extra.pin) {
                (Err(fault), Some(pin)) if open.bytes < pin.size && !fault.is_another_kind() => {
                    Err(ExtraFault::Truncated {
                        found: open.bytes,
                        expected: pin.size,
                    })
                }
                (checked, _) => checked,
            }
        }
    }
}

fn code(folder: &Path) -> Result<(), ExtraFault> {
    for file in CODE {
        let text = match crate::read::read_small(&folder.join(file)) {
            Ok(text) => text,
            Err(error) if error.is_not_found() => return Err(ExtraFault::CodeIncomplete { file }),
            Err(_) => return Err(ExtraFault::NotAFile),
        };
        match StandIn::of(&text) {
            // An empty `__init__.py` is a package; none of these is empty in DINOv2.
            Some(StandIn::Empty) => return Err(ExtraFault::CodeIncomplete { file }),
            Some(StandIn::ByteOrderMark) | None => {}
            Some(found) => return Err(ExtraFault::StandIn(found)),
        }
    }
    Ok(())
}

/// A file with its length and its first bytes.
struct Opened {
    file: File,
    bytes: u64,
    start: Vec<u8>,
}

impl Opened {
    fn new(path: &Path) -> Result<Self, ExtraFault> {
        let meta = std::fs::metadata(path).map_err(ExtraFault::Read)?;
        if !meta.is_file() {
            return Err(ExtraFault::NotAFile);
        }
        let file = File::open(path).map_err(ExtraFault::Read)?;
        let mut opened = Self {
            file,
            bytes: meta.len(),
            start: Vec::new(),
        };
        opened.start = opened.at(0, END).map_err(ExtraFault::Read)?;
        match StandIn::of_binary(&opened.start) {
            Some(found) => Err(ExtraFault::StandIn(found)),
            None => Ok(opened),
        }
    }

    /// Up to `bytes` bytes from `offset` on.
    fn at(&mut self, offset: u64, bytes: u64) -> io::Result<Vec<u8>> {
        self.file.seek(SeekFrom::Start(offset))?;
        let mut read = Vec::new();
        (&self.file).take(bytes).read_to_end(&mut read)?;
        Ok(read)
    }

    /// An error if the last bytes are all zeros.
    fn check_tail(&mut self) -> Result<(), ExtraFault> {
        let length = END.min(self.bytes / 2);
        let tail = self.at(self.bytes - length, length).map_err(ExtraFault::Read)?;
        if !tail.is_empty() && tail.iter().all(|byte| *byte == 0) {
            return Err(ExtraFault::ZeroTail { bytes: length });
        }
        Ok(())
    }
}

/// A zip archive's end record without a comment, which torch never writes.
const END_RECORD: usize = 22;

fn zip(open: &mut Opened) -> Result<(), ExtraFault> {
    if !open.start.starts_with(b"PK\x03\x04") {
        return Err(ExtraFault::NotTorch);
    }
    open.check_tail()?;
    let length = END.min(open.bytes);
    let tail = open.at(open.bytes - length, length).map_err(ExtraFault::Read)?;
    let record = tail.len().checked_sub(END_RECORD).and_then(|at| tail.get(at..));
    let Some(record) = record.filter(|record| record.starts_with(b"PK\x05\x06")) else {
        return Err(ExtraFault::NoEndRecord);
    };
    let at = |from: usize| u64::from(u32::from_le_bytes([0, 1, 2, 3].map(|byte| record[from + byte])));
    let (size, offset) = (at(12), at(16));
    // All ones: the true numbers stand in the ZIP64 record, which torch writes before this one.
    if offset == u64::from(u32::MAX) || size == u64::from(u32::MAX) {
        return Ok(());
    }
    let directory = open.at(offset, 4).map_err(ExtraFault::Read)?;
    let fits = offset + size + END_RECORD as u64 <= open.bytes && directory == b"PK\x01\x02";
    if fits { Ok(()) } else { Err(ExtraFault::Misfit) }
}

/// `ModelProto.graph`, the field that holds the network.
const GRAPH: u64 = 7;

/// Walks the fields of the outermost message: the last must end where the file does.
fn onnx(open: &mut Opened) -> Result<(), ExtraFault> {
    let mut offset = 0;
    let mut graph = false;
    // `ModelProto` has 20 kinds of fields, some repeated a few times.
    for _ in 0..1024 {
        if offset == open.bytes {
            return if graph {
                open.check_tail()
            } else {
                Err(ExtraFault::NotOnnx)
            };
        }
        let field = open.at(offset, 20).map_err(ExtraFault::Read)?;
        let (tag, after_tag) = varint(&field).ok_or(ExtraFault::NotOnnx)?;
        let (value, after_value) = varint(&field[after_tag..]).ok_or(ExtraFault::NotOnnx)?;
        let head = (after_tag + after_value) as u64;
        let body = match tag & 7 {
            0 => 0,
            2 => value,
            _ => return Err(ExtraFault::NotOnnx),
        };
        if !(1..=30).contains(&(tag >> 3)) {
            return Err(ExtraFault::NotOnnx);
        }
        graph |= tag >> 3 == GRAPH;
        let end = offset.saturating_add(head).saturating_add(body);
        if end > open.bytes {
            return Err(ExtraFault::Truncated {
                found: open.bytes,
                expected: end,
            });
        }
        offset = end;
    }
    Err(ExtraFault::NotOnnx)
}

/// A number of at most 64 bits, and the bytes that it takes.
fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0;
    for (index, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f).checked_shl(7 * u32::try_from(index).ok()?)?;
        if byte & 0x80 == 0 {
            return Some((value, index + 1));
        }
    }
    None
}
