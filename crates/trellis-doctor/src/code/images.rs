//! The device code of a library: finds its fatbins and counts what is in them.
//!
//! Linked code lies in `.nv_fatbin`. Where that is not there, the wrappers in `.nvFatBinSegment` say where it
//! is: `magic:u32=0x466243B1 version:u32 fatbin:u64 file_name:u64`, the address often written by a relocation.
//! What the device linker made it from stays in `__nv_relfatbin`, for the CUDA runtime to link once more where
//! the result does not run. Libraries such as cuFFT hold more code among their constants and load it
//! themselves. `cuobjdump` lists linked code only, so the three are kept apart.
//! Not here: the format (`fatbin.rs`) and the verdict (`verdict.rs`).

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Range;

use super::arch::Arch;
use super::fatbin::{self, Code, Entry, FatbinError, Item};
use crate::elf::Library;
use trellis_core::Capability;

const LINKED: &str = ".nv_fatbin";
const RELOCATABLE: &str = "__nv_relfatbin";
const WRAPPERS: &str = ".nvFatBinSegment";
const WRAPPER_MAGIC: u32 = 0x4662_43B1;
const WRAPPER_BYTES: usize = 24;
/// Constants of libraries without linked code are looked through up to this size: those with embedded code
/// only (CUPTI) have few, and compilers have hundreds of megabytes.
const MAX_CONSTANT_BYTES: u64 = 16 << 20;

/// How the translation units of the linked code fare on a capability. Each is a container of its own, and
/// the driver chooses within a container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Units {
    /// With machine code that runs as it is.
    pub(super) native: u64,
    /// With PTX that the driver compiles, by the architecture that it takes.
    pub(super) compiled: BTreeMap<Arch, u64>,
    /// With neither.
    pub(super) none: u64,
}

/// Pieces of code by architecture. Architectures are below 1000, so the maps stay small.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) sass: BTreeMap<Arch, u64>,
    pub(super) ptx: BTreeMap<Arch, u64>,
}

impl Counts {
    fn add(&mut self, code: Code, arch: Arch) {
        let map = match code {
            Code::Sass => &mut self.sass,
            Code::Ptx => &mut self.ptx,
        };
        *map.entry(arch).or_default() += 1;
    }

    fn add_item(&mut self, item: Item) {
        if let Item::Entry(Entry {
            code: Some(code),
            arch,
        }) = item
        {
            self.add(code, arch);
        }
    }

    fn is_empty(&self) -> bool {
        self.sass.is_empty() && self.ptx.is_empty()
    }
}

/// What code a library holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Images {
    /// Found by the CUDA runtime, and listed by `cuobjdump`.
    pub(super) linked: Counts,
    /// Linked once more by the CUDA runtime, if need be.
    pub(super) relocatable: Counts,
    /// Loaded by the library's own code.
    pub(super) embedded: Counts,
    /// Translation units of the linked code by what they do on the asked capability.
    pub(super) units: Units,
}

impl Images {
    /// Whether there is any.
    pub(super) fn is_empty(&self) -> bool {
        [&self.linked, &self.relocatable, &self.embedded]
            .iter()
            .all(|counts| counts.is_empty())
    }
}

/// Reads all device code of a library. What was read before an error is in the images.
pub(super) fn images(library: &Library, capability: Capability) -> (Images, Result<(), FatbinError>) {
    let mut tally = Tally::new(capability);
    let outcome = read(library, &mut tally);
    (tally.finish(), outcome)
}

fn read(library: &Library, tally: &mut Tally) -> Result<(), FatbinError> {
    let (sections, relocatable) = (library.sections(LINKED), library.sections(RELOCATABLE));
    let wrapped = if sections.is_empty() && relocatable.is_empty() {
        wrapped(library)
    } else {
        Vec::new()
    };
    let constants = library.constants();
    let size: u64 = constants
        .iter()
        .map(|range| range.end.saturating_sub(range.start))
        .fold(0, u64::saturating_add);
    let linked = !(sections.is_empty() && relocatable.is_empty() && wrapped.is_empty());
    if !linked && size > MAX_CONSTANT_BYTES {
        return Ok(());
    }
    let file = library
        .file()
        .map_err(|source| FatbinError::Read { offset: 0, source })?;
    for section in sections {
        fatbin::walk(&file, section, &mut |item| tally.add_linked(item))?;
    }
    for section in relocatable {
        fatbin::walk(&file, section, &mut |item| {
            tally.images.relocatable.add_item(item);
        })?;
    }
    let mut known = Vec::new();
    for range in wrapped
        .into_iter()
        .filter_map(|address| library.file_range_of(address))
    {
        let start = range.start;
        let end = fatbin::container(&file, range, &mut |item| tally.add_linked(item))?;
        known.push(start..end);
    }
    embedded(&file, &constants, &known, tally)
}

/// Looks through the constants, but not at what is linked code.
fn embedded(
    file: &File,
    constants: &[Range<u64>],
    known: &[Range<u64>],
    tally: &mut Tally,
) -> Result<(), FatbinError> {
    for range in constants {
        let mut at = range.start;
        let within = known.iter().filter(|known| range.contains(&known.start));
        for stop in within {
            fatbin::scan(file, at..stop.start, &mut |item| {
                tally.images.embedded.add_item(item);
            })?;
            at = at.max(stop.end);
        }
        fatbin::scan(file, at..range.end, &mut |item| {
            tally.images.embedded.add_item(item);
        })?;
    }
    Ok(())
}

/// Addresses of the fatbins that the wrappers name, in order.
fn wrapped(library: &Library) -> Vec<u64> {
    let Some(addresses) = library.section_addresses(WRAPPERS) else {
        return Vec::new();
    };
    let Some(bytes) = library
        .sections(WRAPPERS)
        .first()
        .and_then(|range| library.bytes(range.clone()))
    else {
        return Vec::new();
    };
    let relocated: BTreeMap<u64, u64> = library.relocated_values(&addresses).into_iter().collect();
    let mut found: Vec<u64> = bytes
        .chunks_exact(WRAPPER_BYTES)
        .zip((addresses.start..).step_by(WRAPPER_BYTES))
        .filter_map(|(wrapper, address)| {
            let (magic, rest) = wrapper.split_first_chunk()?;
            let in_file = u64::from_le_bytes(*rest.get(4..)?.first_chunk()?);
            let field = address.checked_add(8)?;
            (u32::from_le_bytes(*magic) == WRAPPER_MAGIC)
                .then(|| relocated.get(&field).copied().unwrap_or(in_file))
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// Counts items as they come.
struct Tally {
    capability: Capability,
    images: Images,
    /// Of the container being read.
    unit: Unit,
}

#[derive(Default)]
struct Unit {
    any: bool,
    native: bool,
    ptx: Option<Arch>,
}

impl Tally {
    fn new(capability: Capability) -> Self {
        Self {
            capability,
            images: Images::default(),
            unit: Unit::default(),
        }
    }

    fn add_linked(&mut self, item: Item) {
        let Item::Entry(entry) = item else {
            return self.close();
        };
        let Some(code) = entry.code else { return };
        self.images.linked.add(code, entry.arch);
        self.unit.any = true;
        match code {
            Code::Sass => self.unit.native |= entry.arch.sass_runs_on(self.capability),
            Code::Ptx if entry.arch.ptx_compiles_for(self.capability) => {
                self.unit.ptx = self.unit.ptx.max(Some(entry.arch));
            }
            Code::Ptx => {}
        }
    }

    fn close(&mut self) {
        let unit = std::mem::take(&mut self.unit);
        let units = &mut self.images.units;
        match unit.ptx {
            _ if !unit.any => {}
            _ if unit.native => units.native += 1,
            Some(arch) => *units.compiled.entry(arch).or_default() += 1,
            None => units.none += 1,
        }
    }

    fn finish(mut self) -> Images {
        self.close();
        self.images
    }
}
