//! Reads the header of a `.safetensors` file: names, types and shapes of its tensors, and whether the file
//! is as long as they need.
//!
//! Format: 8 bytes little-endian length, that many bytes of JSON, then the tensors back to back. The crate
//! `safetensors` checks that the offsets have no holes and fit the shapes. Tensor bytes are never read, and
//! no more than `MAX_HEADER_BYTES` is allocated whatever the file says.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;

use safetensors::tensor::{Dtype, Metadata};

use crate::stand_in::StandIn;

/// TRELLIS's largest header has about 700 tensors in 80 KiB; this is two hundred times that.
pub const MAX_HEADER_BYTES: u64 = 16 << 20;

/// What is looked at to tell a header from a web page.
const START_BYTES: u64 = 512;

/// One tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// Its element type as the file names it, such as `F16`.
    pub dtype: Dtype,
    /// Its shape.
    pub shape: Vec<u64>,
    /// Where its elements lie in the file.
    pub place: Range<u64>,
}

/// What a sound header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The tensors by name.
    pub tensors: BTreeMap<String, Tensor>,
    /// Bytes of the whole file.
    pub file_bytes: u64,
}

/// Why a file is not a whole safetensors file.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
pub enum HeaderError {
    #[error("it is cut short: {found} of {expected} bytes")]
    Truncated { found: u64, expected: u64 },
    #[error("it has {found} bytes, its header accounts for {expected}")]
    TrailingBytes { found: u64, expected: u64 },
    #[error("it {0}")]
    StandIn(StandIn),
    #[error("its header claims {bytes} bytes, more than the {MAX_HEADER_BYTES} that a header may have")]
    HeaderTooLong { bytes: u64 },
    #[error("its header is damaged")]
    Malformed { source: serde_json::Error },
    #[error("it cannot be read")]
    Read { source: io::Error },
}

impl Header {
    /// Reads the header of a file.
    pub fn read(path: &Path) -> Result<Self, HeaderError> {
        let open = || -> io::Result<(File, u64)> {
            let file = File::open(path)?;
            let bytes = file.metadata()?.len();
            Ok((file, bytes))
        };
        let (file, file_bytes) = open().map_err(|source| HeaderError::Read { source })?;
        Self::from_reader(file, file_bytes)
    }

    /// Reads a header from the start of `reader`, the beginning of a file of `file_bytes`.
    pub fn from_reader(mut reader: impl Read, file_bytes: u64) -> Result<Self, HeaderError> {
        let read = |source| HeaderError::Read { source };
        // Enough for whatever lies there instead: a header's length and its first characters are neither text
        // nor zeros.
        let mut start = Vec::new();
        reader
            .by_ref()
            .take(START_BYTES)
            .read_to_end(&mut start)
            .map_err(read)?;
        if let Some(found) = StandIn::of_binary(&start) {
            return Err(HeaderError::StandIn(found));
        }
        let mut reader = start.as_slice().chain(reader);
        let mut length = [0; 8];
        let at_least = |expected: u64| {
            let found = file_bytes;
            (found >= expected)
                .then_some(())
                .ok_or(HeaderError::Truncated { found, expected })
        };
        at_least(8)?;
        reader.read_exact(&mut length).map_err(read)?;
        let header_bytes = u64::from_le_bytes(length);
        if header_bytes > MAX_HEADER_BYTES {
            return Err(HeaderError::HeaderTooLong { bytes: header_bytes });
        }
        let expected = 8 + header_bytes;
        at_least(expected)?;
        let mut json = Vec::new();
        reader.take(header_bytes).read_to_end(&mut json).map_err(read)?;
        let metadata: Metadata =
            serde_json::from_slice(&json).map_err(|source| HeaderError::Malformed { source })?;
        let data_at = expected;
        let expected = expected.saturating_add(metadata.data_len() as u64);
        at_least(expected)?;
        if file_bytes > expected {
            let found = file_bytes;
            return Err(HeaderError::TrailingBytes { found, expected });
        }
        let tensors = metadata.tensors().into_iter().map(|(name, info)| {
            let shape = info.shape.iter().map(|&side| side as u64).collect();
            let (from, to) = info.data_offsets;
            let tensor = Tensor {
                dtype: info.dtype,
                shape,
                place: data_at + from as u64..data_at + to as u64,
            };
            (name, tensor)
        });
        Ok(Self {
            tensors: tensors.collect(),
            file_bytes,
        })
    }

    /// The element types in use, each once, by name.
    pub fn dtypes(&self) -> Vec<String> {
        let mut names: Vec<String> = self.tensors.values().map(|t| t.dtype.to_string()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Elements of all tensors together.
    pub fn elements(&self) -> u64 {
        let of = |tensor: &Tensor| tensor.shape.iter().product::<u64>();
        self.tensors.values().map(of).fold(0, u64::saturating_add)
    }

    /// How many `blocks.N.` there are, counted as the highest `N` + 1.
    pub fn blocks(&self) -> u64 {
        let numbers = self.tensors.keys().filter_map(|name| {
            let (number, _) = name.strip_prefix("blocks.")?.split_once('.')?;
            number.parse::<u64>().ok()
        });
        numbers.max().map_or(0, |highest| highest.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(json: &str, data: usize) -> Vec<u8> {
        let mut bytes = (json.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(json.as_bytes());
        bytes.resize(bytes.len() + data, 0);
        bytes
    }

    fn parse(bytes: &[u8]) -> Result<Header, HeaderError> {
        Header::from_reader(bytes, bytes.len() as u64)
    }

    const ONE: &str = r#"{"w":{"dtype":"F16","shape":[2,3],"data_offsets":[0,12]}}"#;

    #[test]
    fn reads_names_types_and_shapes() {
        let header = parse(&file(ONE, 12)).unwrap();
        assert_eq!(header.tensors["w"].shape, [2, 3]);
        assert_eq!(header.dtypes(), ["F16"]);
    }

    #[test]
    fn names_a_truncated_download_and_a_too_long_file() {
        let whole = file(ONE, 12);
        let expected = whole.len() as u64;
        for cut in 1..whole.len() {
            let error = parse(&whole[..cut]).unwrap_err();
            let HeaderError::Truncated { found, .. } = error else {
                panic!("cut at {cut}: {error}")
            };
            assert_eq!(found, cut as u64);
        }
        let longer = file(ONE, 13);
        assert!(
            matches!(parse(&longer), Err(HeaderError::TrailingBytes { expected: e, .. }) if e == expected)
        );
    }

    #[test]
    fn names_what_people_save_instead_of_the_file() {
        let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";
        assert!(matches!(
            parse(pointer),
            Err(HeaderError::StandIn(StandIn::LfsPointer))
        ));
        assert!(matches!(
            parse(b"<!DOCTYPE html><title>Sign in"),
            Err(HeaderError::StandIn(StandIn::WebPage))
        ));
        assert!(matches!(parse(b""), Err(HeaderError::StandIn(StandIn::Empty))));
        assert!(matches!(
            parse(&[0; 4096]),
            Err(HeaderError::StandIn(StandIn::Zeros))
        ));
    }

    #[test]
    fn refuses_a_header_length_beyond_the_limit_without_allocating_it() {
        let mut bytes = u64::MAX.to_le_bytes().to_vec();
        bytes.extend_from_slice(b"{}");
        assert!(matches!(parse(&bytes), Err(HeaderError::HeaderTooLong { .. })));
    }

    #[test]
    fn refuses_holes_overlaps_and_overflowing_shapes() {
        for json in [
            r#"{"w":{"dtype":"F16","shape":[2],"data_offsets":[2,6]}}"#,
            r#"{"w":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"v":{"dtype":"F16","shape":[2],"data_offsets":[2,6]}}"#,
            r#"{"w":{"dtype":"F16","shape":[18446744073709551615,9],"data_offsets":[0,6]}}"#,
            r#"{"w":{"dtype":"F16","shape":[1e99],"data_offsets":[0,6]}}"#,
        ] {
            assert!(
                matches!(parse(&file(json, 6)), Err(HeaderError::Malformed { .. })),
                "{json}"
            );
        }
        let deep = "[".repeat(100_000);
        assert!(matches!(
            parse(&file(&deep, 0)),
            Err(HeaderError::Malformed { .. })
        ));
    }
}
