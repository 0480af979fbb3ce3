//! What libraries say when something is wrong, and which kind of failure that is.
//!
//! The texts are in `symptoms.json` beside the worker's sources, most telling first; the worker reads the same
//! file. Not here: what a text says beyond its kind, such as the name of a library.

use std::sync::LazyLock;

use crate::FailureKind;

static SYMPTOMS: LazyLock<Vec<(FailureKind, Vec<String>)>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../worker/trellis_worker/symptoms.json"))
        .expect("a test of this file parses the table")
});

impl FailureKind {
    /// The kind of failure that a library's error text tells, in any case of letters; `None` if it tells none.
    pub fn from_symptom(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let found = SYMPTOMS
            .iter()
            .find(|(_, needles)| needles.iter().any(|needle| text.contains(needle)));
        found.map(|(kind, _)| *kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_tell_their_kind() {
        for (text, kind) in [
            (
                "cudaErrorNoKernelImageForDevice",
                Some(FailureKind::NoKernelImage),
            ),
            ("torch.OutOfMemoryError: full", Some(FailureKind::GpuOutOfMemory)),
            // xformers asks for an operator that its build lacks: it was built for another torch.
            (
                "No operator found for `x`: xFormers wasn't build with CUDA support",
                Some(FailureKind::ExtensionAbi),
            ),
            // What LLVM prints before it ends the process, on GPUs before capability 8.0.
            (
                "LLVM ERROR: Failed to compute parent layout for slice layout.",
                Some(FailureKind::NoKernelImage),
            ),
            (
                "RuntimeError: Cannot find ptxas",
                Some(FailureKind::ExtensionMissing),
            ),
            ("a shape mismatch", None),
        ] {
            assert_eq!(FailureKind::from_symptom(text), kind, "{text}");
        }
    }

    #[test]
    fn texts_can_be_found() {
        for needle in SYMPTOMS.iter().flat_map(|(_, needles)| needles) {
            assert_eq!(*needle, needle.to_ascii_lowercase());
            assert!(needle.len() > 8, "{needle}");
        }
    }
}
