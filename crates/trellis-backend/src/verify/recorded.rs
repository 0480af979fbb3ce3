//! A result and what is said of how it was made; the pictures it was made from, and its bytes made again.

use bytes::Bytes;
use trellis_core::{AskedBackend, Format, Provenance, Sha256, counted};
use trellis_provenance::glb::{self, GlbError};

use super::check::Check;

const AGAIN: &str = "made again";

/// A file and what is said of how it was made.
#[derive(Debug)]
pub struct Recorded {
    /// The file.
    pub bytes: Bytes,
    /// Its digest.
    pub sha256: Sha256,
    /// What made it.
    pub provenance: Provenance,
    /// Whether the file itself says it, as a GLB does; else the statement alone.
    pub by_itself: bool,
}

impl Recorded {
    /// `stated` is the record of a statement, for a file that has no place for one.
    pub fn read(bytes: Bytes, stated: Option<Provenance>) -> Result<Self, GlbError> {
        let (provenance, by_itself) = match (glb::read(&mut bytes.as_ref()), stated) {
            (Err(GlbError::NotGlb), Some(stated)) => (stated, false),
            (read, _) => (read?, true),
        };
        Ok(Self {
            sha256: Sha256::of(&bytes),
            bytes,
            provenance,
            by_itself,
        })
    }

    /// Compares pictures with those that the record names, in their order.
    pub fn compare_pictures(&self, pictures: &[Bytes]) -> Check {
        let about = "pictures";
        let expected = &self.provenance.inputs;
        if pictures.is_empty() {
            return Check::open(about, "name them with `--input` to compare them");
        }
        if pictures.len() != expected.len() {
            let were = counted(expected.len() as u64, "picture", "pictures");
            return Check::differs(about, format!("it was made from {were}, not {}", pictures.len()));
        }
        let mut pairs = pictures.iter().zip(expected);
        match pairs.position(|(picture, expected)| Sha256::of(picture) != *expected) {
            Some(index) => Check::differs(
                about,
                format!(
                    "picture {} is not the one with sha256 {}",
                    index + 1,
                    expected[index]
                ),
            ),
            None => Check::same(about, format!("{} with the recorded sha256", pictures.len())),
        }
    }

    /// Which backend can make it again anywhere: one that needs no GPU. Else the check that says so.
    pub fn backend_to_reproduce(&self) -> Result<AskedBackend, Check> {
        match self.provenance.backend.parse() {
            Ok(AskedBackend::Relief) => Ok(AskedBackend::Relief),
            _ => Err(Check::open(
                AGAIN,
                format!(
                    "`{}` needs a GPU: make it again with `trellis generate`",
                    self.provenance.backend
                ),
            )),
        }
    }

    /// Compares the files that were made again, byte by byte; of a failure the reason.
    pub fn compare_reproduced(&self, made: Result<Vec<(Format, Bytes)>, String>) -> Check {
        let files = match made {
            Ok(files) => files,
            Err(reason) => return Check::differs(AGAIN, format!("it cannot be made: {reason}")),
        };
        if !self.by_itself {
            // A file without a record has its bytes alone.
            return match files.iter().find(|(_, bytes)| *bytes == self.bytes) {
                Some((format, _)) => {
                    Check::same(AGAIN, format!("the same {} bytes, as {format}", self.bytes.len()))
                }
                None => Check::differs(AGAIN, "no file with these bytes came out"),
            };
        }
        let glb = files.iter().find(|(format, _)| *format == Format::Glb);
        // What made it is compared by itself: with the same record, the bytes differ where the model does.
        let Some(stamped) = glb.and_then(|(_, made)| self.with_its_record(made)) else {
            return Check::differs(AGAIN, "no GLB came out of it");
        };
        if stamped == self.bytes {
            Check::same(AGAIN, format!("the same {}", count(stamped.len())))
        } else if Some(&stamped) == self.with_its_record(&self.bytes).as_ref() {
            // Another version writes the same record with other fields.
            Check::same(AGAIN, "the same but for how its record is written")
        } else {
            Check::differs(AGAIN, first_difference(&stamped, &self.bytes))
        }
    }

    /// A GLB with this record, as this version writes it.
    fn with_its_record(&self, glb: &[u8]) -> Option<Vec<u8>> {
        let mut stamped = Vec::new();
        let written = glb::stamp(&mut &*glb, &mut stamped, &self.provenance);
        written.is_ok().then_some(stamped)
    }
}

fn count(bytes: usize) -> String {
    counted(bytes as u64, "byte", "bytes")
}

fn first_difference(made: &[u8], recorded: &[u8]) -> String {
    let mut pairs = made.iter().zip(recorded);
    match pairs.position(|(made, recorded)| made != recorded) {
        Some(at) => format!("other bytes, the first at {at} of {}", recorded.len()),
        None => format!("{} came out, it has {}", count(made.len()), recorded.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_named() {
        assert_eq!(
            first_difference(b"abc", b"axc"),
            "other bytes, the first at 1 of 3"
        );
        assert_eq!(first_difference(b"ab", b"abc"), "2 bytes came out, it has 3");
    }
}
