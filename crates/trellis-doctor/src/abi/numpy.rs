//! Extensions that were compiled for NumPy 1, which NumPy 2 refuses.
//!
//! An extension asks for NumPy's C API by the name of the module that holds it. Headers of NumPy 1 know
//! `numpy.core._multiarray_umath` (before 1.16 `numpy.core.multiarray`) alone; those of NumPy 2 try
//! `numpy._core._multiarray_umath` first, and what is built with them runs on NumPy 1, too. So the names among
//! an extension's constants tell. Not seen: names that a program puts together, as pybind11 does from 2.12 on
//! (which runs on both), and the minor release that an extension needs of NumPy.

use memchr::memmem::Finder;

use crate::elf::Library;

/// In the constants of what gets NumPy's C API.
const API: &[u8] = b"_ARRAY_API";
/// Names of the module before NumPy 2, and since.
const BEFORE: [&[u8]; 2] = [b"numpy.core._multiarray_umath", b"numpy.core.multiarray"];
const SINCE: [&[u8]; 2] = [b"numpy._core._multiarray_umath", b"numpy._core.multiarray"];

/// Whether a library holds NumPy 1's way to the C API and not NumPy 2's.
pub(super) fn for_numpy_1(library: &Library) -> bool {
    let constants: Vec<&[u8]> = library
        .constants()
        .into_iter()
        .filter_map(|range| library.bytes(range))
        .collect();
    let holds = |needle: &[u8]| {
        let finder = Finder::new(needle);
        constants.iter().any(|bytes| finder.find(bytes).is_some())
    };
    holds(API) && BEFORE.iter().any(|name| holds(name)) && !SINCE.iter().any(|name| holds(name))
}
