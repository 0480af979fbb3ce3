//! NVRTC libraries and whether they know the capability: its architecture is a string in their constants.

use memchr::memmem;
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use trellis_core::Capability;

use super::problem::CodeProblem;
use crate::library_index::LibraryIndex;

/// Looks at each NVRTC, also at bundled copies such as `libnvrtc-a1f1e7d6.so.12.6.85`.
pub(super) fn check(index: &LibraryIndex, capability: Capability) -> Vec<(String, CodeProblem)> {
    let architecture = format!("compute_{}\0", capability.number());
    let entries = (0..index.entries.len()).into_par_iter();
    entries
        .filter_map(|id| {
            let entry = &index.entries[id];
            let file = entry.name.rsplit('/').next().unwrap_or_default();
            if !file.starts_with("libnvrtc") || file.starts_with("libnvrtc-builtins") {
                return None;
            }
            let constants = entry.library.sections(".rodata").into_iter();
            let mut constants = constants
                .filter_map(|range| entry.library.bytes(range))
                .peekable();
            constants.peek()?;
            let knows = constants.any(|bytes| memmem::find(bytes, architecture.as_bytes()).is_some());
            (!knows).then(|| (entry.name.clone(), CodeProblem::CompilerTooOld { capability }))
        })
        .collect()
}
