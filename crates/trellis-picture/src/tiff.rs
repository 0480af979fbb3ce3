//! Reads the directories of a TIFF, for what the decoder does not tell: pages, whether the pixels of the first are
//! all there, and cameras' raw files, which are TIFFs, too. EXIF data has the same form.
//!
//! Format: TIFF 6.0, section 2, and BigTIFF; raw files by TIFF/EP (ISO 12234-2) and Adobe's DNG
//! specification. Every offset is checked, and walks end after a fixed number of steps.

use crate::flaw::Flaw;

/// Most pages that are counted.
pub(crate) const MOST_PAGES: u32 = 1000;
/// Most entries of a directory that are looked at.
const MOST_ENTRIES: usize = 4096;
/// Most directories below the first that are looked at.
const MOST_BELOW: usize = 8;

const NEW_SUBFILE_TYPE: u16 = 254;
const COMPRESSION: u16 = 259;
const PHOTOMETRIC: u16 = 262;
const STRIP_OFFSETS: u16 = 273;
const STRIP_BYTE_COUNTS: u16 = 279;
const TILE_WIDTH: u16 = 322;
const TILE_LENGTH: u16 = 323;
const TILE_OFFSETS: u16 = 324;
const TILE_BYTE_COUNTS: u16 = 325;
const SUB_IFDS: u16 = 330;
const ICC_PROFILE: u16 = 34_675;
const EXIF_IFD: u16 = 0x8769;
const INTEROPERABILITY_IFD: u16 = 0xA005;
const INTEROPERABILITY_INDEX: u16 = 1;
const DNG_VERSION: u16 = 0xC612;

/// Most strips or tiles that are looked at.
const MOST_PARTS: usize = 1 << 20;
/// A tile may be larger than the picture, up to this side, pixels.
const LARGEST_TILE: usize = 4096;

/// A TIFF's bytes with their order.
#[derive(Clone, Copy)]
pub(crate) struct Tiff<'a> {
    bytes: &'a [u8],
    little: bool,
    big: bool,
}

/// A directory: its entries, and where the next one is.
struct Directory {
    entries: Vec<Entry>,
    next: usize,
}

#[derive(Clone, Copy)]
struct Entry {
    tag: u16,
    kind: u16,
    count: usize,
    /// Where its value or, if that is long, its offset lies.
    at: usize,
}

impl<'a> Tiff<'a> {
    /// The bytes as a TIFF, if they start like one.
    pub(crate) fn open(bytes: &'a [u8]) -> Option<Self> {
        let (little, big) = match bytes.get(..4)? {
            b"II*\0" => (true, false),
            b"MM\0*" => (false, false),
            b"II+\0" => (true, true),
            b"MM\0+" => (false, true),
            _ => return None,
        };
        Some(Self { bytes, little, big })
    }

    /// How many pages it has, thumbnails left out; at most [`MOST_PAGES`].
    pub(crate) fn pages(self) -> u32 {
        let mut pages = 0;
        let mut at = self.first();
        // A chain that leads back to itself ends here, too.
        for _ in 0..MOST_PAGES {
            let Some(directory) = at.and_then(|at| self.directory(at)) else {
                break;
            };
            let reduced = self
                .number(&directory, NEW_SUBFILE_TYPE)
                .is_some_and(|bits| bits & 1 == 1);
            pages += u32::from(!reduced);
            at = Some(directory.next).filter(|next| *next != 0);
        }
        pages
    }

    /// Whether it is a camera's raw file: its first directory or one below it says so.
    pub(crate) fn is_raw(self) -> bool {
        if self.bytes.get(8..10) == Some(b"CR") {
            return true;
        }
        let Some(first) = self.first().and_then(|at| self.directory(at)) else {
            return false;
        };
        let below = self.numbers(&first, SUB_IFDS, MOST_BELOW);
        let thumbnail = self
            .number(&first, NEW_SUBFILE_TYPE)
            .is_some_and(|bits| bits & 1 == 1);
        let is_sensor = |directory: &Directory| {
            // Colour filter array, linear raw; Sony's, Nikon's and Pentax's compression.
            matches!(self.number(directory, PHOTOMETRIC), Some(32_803 | 34_892))
                || matches!(
                    self.number(directory, COMPRESSION),
                    Some(32_767 | 34_713 | 65_535)
                )
        };
        first.entries.iter().any(|entry| entry.tag == DNG_VERSION)
            || is_sensor(&first)
            || (thumbnail && !below.is_empty())
            || below
                .iter()
                .filter_map(|at| self.directory(*at))
                .any(|directory| is_sensor(&directory))
    }

    /// Whether the strips or tiles of the first page are all within the file, and no tile is far larger than the
    /// picture of `width × height` pixels.
    pub(crate) fn check(self, width: u32, height: u32) -> Result<(), Flaw> {
        let first = self.first().and_then(|at| self.directory(at));
        let first = first.ok_or(Flaw::CutShort)?;
        for (tag, side) in [(TILE_WIDTH, width), (TILE_LENGTH, height)] {
            let side = usize::try_from(side).unwrap_or(usize::MAX);
            if self
                .number(&first, tag)
                .is_some_and(|tile| tile > LARGEST_TILE.max(side.next_multiple_of(16)))
            {
                return Err(Flaw::OutOfProportion("tiles far larger than the picture"));
            }
        }
        for (offsets, counts) in [
            (STRIP_OFFSETS, STRIP_BYTE_COUNTS),
            (TILE_OFFSETS, TILE_BYTE_COUNTS),
        ] {
            let offsets = self.numbers(&first, offsets, MOST_PARTS);
            let counts = self.numbers(&first, counts, MOST_PARTS);
            let mut parts = offsets.into_iter().zip(counts);
            if parts.any(|(at, count)| at.checked_add(count).is_none_or(|end| end > self.bytes.len())) {
                return Err(Flaw::CutShort);
            }
        }
        Ok(())
    }

    /// The colour profile. `Err`: there is one, but the file ends within it.
    ///
    /// The decoder's own way to it fails where the profile is larger than the pixels.
    pub(crate) fn profile(self) -> Result<Option<&'a [u8]>, ()> {
        let first = self.first().and_then(|at| self.directory(at));
        let entry = first.and_then(|directory| {
            directory
                .entries
                .into_iter()
                .find(|entry| entry.tag == ICC_PROFILE)
        });
        let Some(entry) = entry else {
            return Ok(None);
        };
        let bytes = || {
            let start = self.word(entry.at, if self.big { 8 } else { 4 })?;
            self.bytes.get(start..start.checked_add(entry.count)?)
        };
        bytes().map(Some).ok_or(())
    }

    /// Whether EXIF data names Adobe RGB: the index `R03` of DCF 2.0, as cameras write it without a profile.
    pub(crate) fn is_adobe_rgb(self) -> bool {
        let index = || {
            let first = self.directory(self.first()?)?;
            let exif = self.directory(self.number(&first, EXIF_IFD)?)?;
            let names = self.directory(self.number(&exif, INTEROPERABILITY_IFD)?)?;
            let entry = names
                .entries
                .iter()
                .find(|entry| entry.tag == INTEROPERABILITY_INDEX)?;
            self.bytes.get(entry.at..entry.at + 3)
        };
        index() == Some(b"R03")
    }

    fn first(self) -> Option<usize> {
        if self.big {
            self.word(8, 8)
        } else {
            self.word(4, 4)
        }
    }

    fn directory(self, at: usize) -> Option<Directory> {
        let (count_size, entry_size, offset_size) = if self.big { (8, 20, 8) } else { (2, 12, 4) };
        let count = self.word(at, count_size)?;
        let start = at.checked_add(count_size)?;
        let end = start.checked_add(count.checked_mul(entry_size)?)?;
        let entries = (0..count.min(MOST_ENTRIES)).map_while(|index| {
            let at = start + index * entry_size;
            Some(Entry {
                tag: u16::try_from(self.word(at, 2)?).ok()?,
                kind: u16::try_from(self.word(at + 2, 2)?).ok()?,
                count: self.word(at + 4, offset_size)?,
                at: at + 4 + offset_size,
            })
        });
        Some(Directory {
            entries: entries.collect(),
            next: self.word(end, offset_size).unwrap_or(0),
        })
    }

    fn number(self, directory: &Directory, tag: u16) -> Option<usize> {
        self.numbers(directory, tag, 1).first().copied()
    }

    /// The whole numbers of an entry, `most` at most.
    fn numbers(self, directory: &Directory, tag: u16, most: usize) -> Vec<usize> {
        let values = || {
            let entry = directory.entries.iter().find(|entry| entry.tag == tag)?;
            let size = match entry.kind {
                1 => 1,
                3 => 2,
                4 | 13 => 4,
                16 | 18 => 8,
                _ => return None,
            };
            let inline = if self.big { 8 } else { 4 };
            let at = if entry.count.checked_mul(size)? <= inline {
                entry.at
            } else {
                self.word(entry.at, inline)?
            };
            let count = entry.count.min(most);
            Some(
                (0..count)
                    .map_while(|index| self.word(at.checked_add(index * size)?, size))
                    .collect(),
            )
        };
        values().unwrap_or_default()
    }

    /// A whole number of `size` bytes.
    fn word(self, at: usize, size: usize) -> Option<usize> {
        let bytes = self.bytes.get(at..at.checked_add(size)?)?;
        let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        let value = if self.little {
            bytes.iter().rev().fold(0, add)
        } else {
            bytes.iter().fold(0, add)
        };
        usize::try_from(value).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_that_lead_back_to_the_first_are_counted_to_the_limit() {
        // A directory without entries at 8, whose next is itself.
        let endless = b"II*\0\x08\0\0\0\0\0\x08\0\0\0";
        assert_eq!(Tiff::open(endless).unwrap().pages(), MOST_PAGES);
    }

    #[test]
    fn a_profile_beyond_the_end_is_no_profile() {
        let cut = b"MM\0*\0\0\0\x08\0\x01\x87\x73\0\x07\0\0\xff\xff\0\0\0\x08\0\0\0\0";
        assert_eq!(Tiff::open(cut).unwrap().profile(), Err(()));
        let whole = b"MM\0*\0\0\0\x08\0\x01\x87\x73\0\x07\0\0\0\x05\0\0\0\x08\0\0\0\0";
        assert_eq!(Tiff::open(whole).unwrap().profile(), Ok(Some(&whole[8..13])));
    }
}
