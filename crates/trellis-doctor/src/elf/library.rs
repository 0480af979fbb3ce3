//! One shared object: names, needs, search paths and sections, read once and kept.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use object::LittleEndian;
use object::elf;
use object::read::elf::{FileHeader as _, ProgramHeader as _, SectionHeader as _, SectionTable};

use super::{Header, Tables, map};

/// The longest name taken, and the most names of one kind: far above what linkers write, and what keeps
/// a crafted file, whose names may overlap, from filling the memory.
const MAX_NAME_BYTES: usize = 4096;
const MAX_NAMES: usize = 4096;

/// Why a file is no library that can be judged.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ElfError {
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} is not a readable 64-bit ELF library", path.display())]
    Format {
        path: PathBuf,
        source: object::read::Error,
    },
    /// The file ends before its own tables say.
    #[error("{} is cut short", path.display())]
    CutShort { path: PathBuf },
    /// More or longer names than any linker writes.
    #[error("{} has more names than a library can need", path.display())]
    Excess { path: PathBuf },
}

/// Sections without code that a library could load: device code that is found anyway, and tables for unwinding.
const UNSEARCHED: [&[u8]; 5] = [
    b".nv_fatbin",
    b"__nv_relfatbin",
    b".nvFatBinSegment",
    b".eh_frame",
    b".gcc_except_table",
];

/// Why a part of the file is refused, before the path is known.
enum Refusal {
    Format(object::read::Error),
    Excess,
    CutShort,
}

impl From<object::read::Error> for Refusal {
    fn from(error: object::read::Error) -> Self {
        Self::Format(error)
    }
}

/// Keeps a name, within the limits.
fn keep<T>(list: &mut Vec<T>, name: &[u8], make: impl FnOnce(String) -> T) -> Result<(), Refusal> {
    if name.len() > MAX_NAME_BYTES || list.len() >= MAX_NAMES {
        return Err(Refusal::Excess);
    }
    list.push(make(String::from_utf8_lossy(name).into_owned()));
    Ok(())
}

/// A symbol version that a library needs from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VersionNeed {
    /// The other's name, as in `DT_NEEDED`.
    pub file: String,
    /// Such as `GLIBC_2.38`.
    pub version: String,
    /// The linker loads the library without it, too.
    pub weak: bool,
}

/// A shared object.
#[derive(Debug)]
pub(crate) struct Library {
    /// Where it was found.
    pub path: PathBuf,
    /// Its own name.
    pub soname: Option<String>,
    /// `DT_NEEDED`, in order.
    pub needed: Vec<String>,
    /// Directories of `DT_RUNPATH` and `DT_RPATH`, `$ORIGIN` not yet replaced.
    pub search: Vec<String>,
    /// Symbol versions that it defines.
    pub defines: Vec<String>,
    /// Symbol versions that it needs.
    pub needs: Vec<VersionNeed>,
    /// The program interpreter, for executables.
    pub interpreter: Option<PathBuf>,
    /// The machine that it is for (`e_machine`).
    pub machine: u16,
    map: Mmap,
}

impl Library {
    /// Maps and reads a library.
    pub(crate) fn open(path: &Path) -> Result<Self, ElfError> {
        let map = map::map(path).map_err(|source| ElfError::Read {
            path: path.to_owned(),
            source,
        })?;
        let mut library = Self {
            path: path.to_owned(),
            soname: None,
            needed: Vec::new(),
            search: Vec::new(),
            defines: Vec::new(),
            needs: Vec::new(),
            interpreter: None,
            machine: 0,
            map,
        };
        library.fill().map_err(|refusal| {
            let path = path.to_owned();
            match refusal {
                Refusal::Format(source) => ElfError::Format { path, source },
                Refusal::Excess => ElfError::Excess { path },
                Refusal::CutShort => ElfError::CutShort { path },
            }
        })?;
        Ok(library)
    }

    /// A handle for reading parts of the file without mapping them.
    pub(crate) fn file(&self) -> io::Result<File> {
        File::open(&self.path)
    }

    /// The name that others ask for: the soname, or the file's name.
    pub(crate) fn name(&self) -> &str {
        let file_name = || self.path.file_name().and_then(|name| name.to_str());
        self.soname.as_deref().or_else(file_name).unwrap_or_default()
    }

    /// The symbol tables; parsed again by each call, which costs a few header reads.
    pub(crate) fn tables(&self) -> Result<Tables<'_>, object::read::Error> {
        Tables::parse(&self.map)
    }

    /// Where sections of this name lie in the file.
    pub(crate) fn sections(&self, name: &str) -> Vec<Range<u64>> {
        let Ok((_, sections)) = table(&self.map) else {
            return Vec::new();
        };
        let named = sections
            .iter()
            .filter(|section| sections.section_name(LittleEndian, section) == Ok(name.as_bytes()));
        named
            .filter_map(|section| section.file_range(LittleEndian))
            .map(|(start, size)| start..start.saturating_add(size))
            .collect()
    }

    /// Sections with constants and variables: loaded, not executable, not the linker's own tables, and not
    /// those that hold linked device code.
    pub(crate) fn constants(&self) -> Vec<Range<u64>> {
        let Ok((_, sections)) = table(&self.map) else {
            return Vec::new();
        };
        let is_constants = |section: &&_| {
            let section: &elf::SectionHeader64<LittleEndian> = section;
            let flags = section.sh_flags(LittleEndian);
            let name = sections.section_name(LittleEndian, section).unwrap_or_default();
            section.sh_type(LittleEndian) == elf::SHT_PROGBITS
                && flags.contains(elf::SHF_ALLOC)
                && !flags.contains(elf::SHF_EXECINSTR)
                && !UNSEARCHED.iter().any(|prefix| name.starts_with(prefix))
        };
        let constants = sections.iter().filter(is_constants);
        constants
            .filter_map(|section| section.file_range(LittleEndian))
            .map(|(start, size)| start..start.saturating_add(size))
            .collect()
    }

    /// The mapped bytes of a range of the file.
    pub(crate) fn bytes(&self, range: Range<u64>) -> Option<&[u8]> {
        self.map
            .get(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)
    }

    /// The file offset of an address, and how many bytes follow it in its segment.
    pub(crate) fn file_range_of(&self, address: u64) -> Option<Range<u64>> {
        let header = Header::parse(&*self.map).ok()?;
        let segments = header.program_headers(LittleEndian, &*self.map).ok()?;
        segments
            .iter()
            .filter(|segment| segment.p_type(LittleEndian) == elf::PT_LOAD)
            .find_map(|segment| {
                let into = address.checked_sub(segment.p_vaddr(LittleEndian))?;
                let (start, size) = segment.file_range(LittleEndian);
                (into < size).then_some(start.checked_add(into)?..start.checked_add(size)?)
            })
    }

    /// The values that the dynamic linker writes to addresses of the range (relative relocations).
    pub(crate) fn relocated_values(&self, addresses: &Range<u64>) -> Vec<(u64, u64)> {
        let Ok((_, sections)) = table(&self.map) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for section in sections.iter() {
            let Ok(Some((relocations, _))) = section.rela(LittleEndian, &*self.map) else {
                continue;
            };
            found.extend(relocations.iter().filter_map(|relocation| {
                let address = relocation.r_offset.get(LittleEndian);
                let value = relocation.r_addend.get(LittleEndian).cast_unsigned();
                addresses.contains(&address).then_some((address, value))
            }));
        }
        found
    }

    /// The address range of a section.
    pub(crate) fn section_addresses(&self, name: &str) -> Option<Range<u64>> {
        let (_, sections) = table(&self.map).ok()?;
        let (_, section) = sections.section_by_name(LittleEndian, name.as_bytes())?;
        let start = section.sh_addr(LittleEndian);
        Some(start..start.checked_add(section.sh_size(LittleEndian))?)
    }

    fn fill(&mut self) -> Result<(), Refusal> {
        let bytes: &[u8] = &self.map;
        // What the linker maps may be gone although the tables, which patching tools move, are there.
        if is_cut_short(bytes)? {
            return Err(Refusal::CutShort);
        }
        let (header, sections) = table(bytes)?;
        self.machine = header.e_machine.get(LittleEndian).0;
        self.interpreter = interpreter(header, bytes);
        let dynamic = sections.dynamic_table(LittleEndian, bytes)?;
        for entry in &dynamic {
            match entry.tag {
                elf::DT_NEEDED => keep(&mut self.needed, dynamic.string(entry)?, |name| name)?,
                elf::DT_SONAME => {
                    let mut names = Vec::new();
                    keep(&mut names, dynamic.string(entry)?, |name| name)?;
                    self.soname = names.pop();
                }
                elf::DT_RUNPATH | elf::DT_RPATH => {
                    for directory in dynamic.string(entry)?.split(|byte| *byte == b':') {
                        keep(&mut self.search, directory, |name| name)?;
                    }
                }
                _ => {}
            }
        }
        self.defines = version_definitions(&sections, bytes)?;
        self.needs = version_needs(&sections, bytes)?;
        Ok(())
    }
}

fn table(bytes: &[u8]) -> object::read::Result<(&Header, SectionTable<'_, Header>)> {
    let header = Header::parse(bytes)?;
    header.endian()?;
    let sections = header.sections(LittleEndian, bytes)?;
    Ok((header, sections))
}

/// Whether the file ends before a segment or the table of sections does.
fn is_cut_short(bytes: &[u8]) -> object::read::Result<bool> {
    let header = Header::parse(bytes)?;
    let length = bytes.len() as u64;
    let sections = header.e_shoff.get(LittleEndian);
    let segments = header.program_headers(LittleEndian, bytes)?;
    Ok(sections > length
        || segments
            .iter()
            .filter(|segment| segment.p_type(LittleEndian) == elf::PT_LOAD)
            .any(|segment| {
                let (start, size) = segment.file_range(LittleEndian);
                start.saturating_add(size) > length
            }))
}

fn interpreter(header: &Header, bytes: &[u8]) -> Option<PathBuf> {
    let segments = header.program_headers(LittleEndian, bytes).ok()?;
    let path = segments
        .iter()
        .find_map(|segment| segment.interpreter(LittleEndian, bytes).ok().flatten())?;
    Some(PathBuf::from(String::from_utf8_lossy(path).into_owned()))
}

fn version_definitions(sections: &SectionTable<'_, Header>, bytes: &[u8]) -> Result<Vec<String>, Refusal> {
    let mut names = Vec::new();
    let Some((mut definitions, link)) = sections.gnu_verdef(LittleEndian, bytes)? else {
        return Ok(names);
    };
    let strings = sections.strings(LittleEndian, bytes, link)?;
    while let Some((_, mut names_of_one)) = definitions.next()? {
        // The first is the version itself, the others its parents.
        if let Some(name) = names_of_one.next()? {
            keep(&mut names, name.name(LittleEndian, strings)?, |name| name)?;
        }
    }
    Ok(names)
}

fn version_needs(sections: &SectionTable<'_, Header>, bytes: &[u8]) -> Result<Vec<VersionNeed>, Refusal> {
    let mut needs = Vec::new();
    let Some((mut files, link)) = sections.gnu_verneed(LittleEndian, bytes)? else {
        return Ok(needs);
    };
    let strings = sections.strings(LittleEndian, bytes, link)?;
    while let Some((file, mut versions)) = files.next()? {
        let mut file_name = Vec::new();
        keep(&mut file_name, file.file(LittleEndian, strings)?, |name| name)?;
        let file_name = file_name.pop().unwrap_or_default();
        while let Some(version) = versions.next()? {
            let weak = version.vna_flags.get(LittleEndian).contains(elf::VER_FLG_WEAK);
            keep(&mut needs, version.name(LittleEndian, strings)?, |name| {
                VersionNeed {
                    file: file_name.clone(),
                    version: name,
                    weak,
                }
            })?;
        }
    }
    Ok(needs)
}
