//! Symbols of a library: those it wants, and whether it defines a given one.
//!
//! A lookup goes through the hash table that the file carries for the dynamic linker. So there is no
//! index to build or to hold: a miss costs one word of the Bloom filter.

use object::elf::{self, STB_WEAK};
use object::read::elf::{
    FileHeader as _, GnuHashTable, HashTable, Sym as _, SymbolTable, Version, VersionTable,
};
use object::{LittleEndian, SymbolIndex};

use super::Header;

/// The dynamic symbols of a mapped library.
pub(crate) struct Tables<'map> {
    symbols: SymbolTable<'map, Header>,
    versions: VersionTable<'map, Header>,
    lookup: Lookup<'map>,
    /// Undefined symbols lie below this index.
    undefined_below: usize,
}

enum Lookup<'map> {
    Gnu(GnuHashTable<'map, Header>),
    SystemV(HashTable<'map, Header>),
    Nothing,
}

/// A symbol that must come from elsewhere.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'map> {
    /// As in the table, mangled.
    pub(crate) name: &'map [u8],
    /// May stay unresolved.
    pub(crate) weak: bool,
    /// The version asked for, with the library that it was linked against.
    pub(crate) version: Option<Version<'map>>,
    gnu_hash: u32,
}

impl<'map> Tables<'map> {
    pub(super) fn parse(bytes: &'map [u8]) -> object::read::Result<Self> {
        let header = Header::parse(bytes)?;
        let sections = header.sections(header.endian()?, bytes)?;
        let symbols = sections.symbols(LittleEndian, bytes, elf::SHT_DYNSYM)?;
        let versions = sections.versions(LittleEndian, bytes)?.unwrap_or_default();
        let mut undefined_below = symbols.len();
        let mut lookup = Lookup::Nothing;
        // A shift of 32 and more is undefined in the format, and would overflow in the lookup.
        let shift = sections.gnu_hash_header(LittleEndian, bytes)?;
        let usable = shift.is_some_and(|header| header.bloom_shift.get(LittleEndian) < u32::BITS);
        if let Some((table, _)) = sections.gnu_hash(LittleEndian, bytes)?.filter(|_| usable) {
            undefined_below = undefined_below.min(table.symbol_base() as usize);
            lookup = Lookup::Gnu(table);
        } else if let Some((table, _)) = sections.hash(LittleEndian, bytes)? {
            lookup = Lookup::SystemV(table);
        }
        Ok(Self {
            symbols,
            versions,
            lookup,
            undefined_below,
        })
    }

    /// The symbols that must come from elsewhere.
    pub(crate) fn wanted(&self) -> impl Iterator<Item = Wanted<'map>> + '_ {
        // Entry 0 is the null symbol.
        (1..self.undefined_below).filter_map(|index| {
            let index = SymbolIndex(index);
            let symbol = self.symbols.symbol(index).ok()?;
            if !symbol.is_undefined(LittleEndian) || symbol.is_local() {
                return None;
            }
            let name = self.symbols.symbol_name(LittleEndian, symbol).ok()?;
            let version = self.versions.version_index(LittleEndian, index);
            Some(Wanted {
                name,
                weak: symbol.st_bind() == STB_WEAK,
                version: self.versions.version(version.index()).ok().flatten().copied(),
                gnu_hash: elf::gnu_hash(name),
            })
        })
    }

    /// Whether this library defines the symbol. Where the library has no versions, any version fits, as
    /// with the dynamic linker.
    pub(crate) fn defines(&self, wanted: &Wanted<'_>) -> bool {
        let version = wanted.version.as_ref().filter(|_| !self.versions.is_empty());
        let (symbols, versions) = (&self.symbols, &self.versions);
        let found = match &self.lookup {
            Lookup::Gnu(table) => table.find(
                LittleEndian,
                wanted.name,
                wanted.gnu_hash,
                version,
                symbols,
                versions,
            ),
            Lookup::SystemV(table) => {
                let hash = elf::hash(wanted.name);
                table.find(LittleEndian, wanted.name, hash, version, symbols, versions)
            }
            Lookup::Nothing => None,
        };
        found.is_some_and(|(_, symbol)| !symbol.is_undefined(LittleEndian))
    }
}
