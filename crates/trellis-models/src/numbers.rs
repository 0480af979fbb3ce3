//! Looks at samples of a checkpoint's numbers: a header can be sound while what follows it never arrived.
//!
//! Programs that reserve a file's whole length first leave zeros where a download broke off, at the end with
//! one connection, anywhere with several. A conversion that went wrong leaves NaN. Trained weights have
//! neither. A few hundred kilobytes are read whatever the size, so what lies between the samples is not
//! judged; hashing judges all of it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use safetensors::Dtype;

use crate::header::{Header, Tensor};

/// Samples spread evenly over the tensors' bytes.
pub const SPREAD: u64 = 64;

/// Bytes of a sample: a page, which a disk reads anyway.
pub const SAMPLE_BYTES: u64 = 4096;

/// Up to this many tensors each gets a sample of its own; a real checkpoint has hundreds, small ones of which
/// lie between the samples.
const FEW: usize = 128;

/// What is wrong with the numbers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
pub enum Numbers {
    #[error(
        "from tensor `{tensor}` to its end it contains only zeros, {bytes} bytes: the download reserved the space and was interrupted"
    )]
    ZeroTail { tensor: String, bytes: u64 },
    #[error(
        "{zero} of {all} samples contain only zeros, the first in tensor `{tensor}`: pieces of the download \
         are missing"
    )]
    Holes { tensor: String, zero: usize, all: usize },
    #[error("tensor `{tensor}` contains NaN in {bad} of the {all} values sampled")]
    Nan { tensor: String, bad: usize, all: usize },
}

/// One tensor with its name.
type Named<'a> = (&'a str, &'a Tensor);

/// Looks at samples of the tensors' bytes; `None` where they are as trained weights are.
pub fn look(path: &Path, header: &Header) -> io::Result<Option<Numbers>> {
    let file = File::open(path)?;
    let mut tensors: Vec<Named<'_>> = header
        .tensors
        .iter()
        .map(|(name, tensor)| (name.as_str(), tensor))
        .filter(|(_, tensor)| !tensor.place.is_empty())
        .collect();
    tensors.sort_by_key(|(_, tensor)| tensor.place.start);
    if let Some(found) = zero_tail(&file, &tensors)? {
        return Ok(Some(found));
    }
    let mut zero: Vec<&str> = Vec::new();
    let samples = samples(&tensors);
    for (name, tensor, at) in &samples {
        let bytes = sample(&file, tensor, *at)?;
        let (bad, all) = nans(tensor.dtype, &bytes);
        if bad > 0 {
            let tensor = (*name).to_owned();
            return Ok(Some(Numbers::Nan { tensor, bad, all }));
        }
        // A short tensor may well be zero throughout: a bias that was never trained.
        if bytes.len() as u64 == SAMPLE_BYTES && is_zero(&bytes) {
            zero.push(name);
        }
    }
    // One page of zeros can be chance; a piece that a downloader lacks spans more.
    Ok(match zero[..] {
        [first, _, ..] => Some(Numbers::Holes {
            tensor: first.to_owned(),
            zero: zero.len(),
            all: samples.len(),
        }),
        _ => None,
    })
}

/// Where to look: `SPREAD` places over all bytes, and the middle of each tensor where there are few.
fn samples<'a>(tensors: &[Named<'a>]) -> Vec<(&'a str, &'a Tensor, u64)> {
    let (Some(first), Some(last)) = (tensors.first(), tensors.last()) else {
        return Vec::new();
    };
    let (start, end) = (first.1.place.start, last.1.place.end);
    let spread = (0..SPREAD).map(|part| start + (end - start) / SPREAD * part);
    let few = tensors.iter().take(if tensors.len() <= FEW { FEW } else { 0 });
    let middles = few.map(|(_, tensor)| tensor.place.start + (tensor.place.end - tensor.place.start) / 2);
    let mut places: Vec<u64> = spread.chain(middles).collect();
    places.sort_unstable();
    places.dedup();
    let found = places.into_iter().filter_map(|at| {
        let index = tensors.partition_point(|(_, tensor)| tensor.place.end <= at);
        let (name, tensor) = tensors.get(index)?;
        Some((*name, *tensor, at))
    });
    found.collect()
}

/// A sample near `at`, inside the tensor and on the border of an element.
fn sample(file: &File, tensor: &Tensor, at: u64) -> io::Result<Vec<u8>> {
    let latest = tensor.place.end.saturating_sub(SAMPLE_BYTES);
    let at = at.min(latest).max(tensor.place.start);
    let at = at - (at - tensor.place.start) % 8;
    let mut bytes = vec![0; usize::try_from((tensor.place.end - at).min(SAMPLE_BYTES)).unwrap_or(0)];
    file.read_exact_at(&mut bytes, at)?;
    Ok(bytes)
}

/// Zeros from some tensor to the end: at least two whole tensors, or the last page of a long one.
fn zero_tail(file: &File, tensors: &[Named<'_>]) -> io::Result<Option<Numbers>> {
    let mut zero = 0;
    for (_, tensor) in tensors.iter().rev() {
        let (start, end) = (tensor.place.start, tensor.place.end);
        let places = [end, start + (end - start) / 2, start];
        let mut empty = true;
        for at in places {
            empty = empty && is_zero(&sample(file, tensor, at)?);
        }
        if !empty {
            break;
        }
        zero += 1;
    }
    let Some((last, tensor)) = tensors.last() else {
        return Ok(None);
    };
    let end = tensor.place.end;
    if zero >= 2 {
        let (name, first) = tensors[tensors.len() - zero];
        return Ok(Some(Numbers::ZeroTail {
            tensor: name.to_owned(),
            bytes: end - first.place.start,
        }));
    }
    let length = end - tensor.place.start;
    let cut_inside = length >= 4 * SAMPLE_BYTES && is_zero(&sample(file, tensor, end)?);
    Ok(cut_inside.then(|| Numbers::ZeroTail {
        tensor: (*last).to_owned(),
        bytes: SAMPLE_BYTES,
    }))
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

/// How many of the values are NaN, and how many there are.
fn nans(dtype: Dtype, bytes: &[u8]) -> (usize, usize) {
    // All ones in the exponent and a fraction that is not zero.
    let half = |infinity: u16| {
        let values = bytes.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]]));
        (
            values.filter(|bits| bits & 0x7fff > infinity).count(),
            bytes.len() / 2,
        )
    };
    match dtype {
        Dtype::F16 => half(0x7c00),
        Dtype::BF16 => half(0x7f80),
        Dtype::F32 => {
            let values = bytes.chunks_exact(4);
            let values = values.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            (values.filter(|value| value.is_nan()).count(), bytes.len() / 4)
        }
        _ => (0, bytes.len()),
    }
}
