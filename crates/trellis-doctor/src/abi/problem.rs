//! What the ABI check finds.

use crate::finding::{Level, diagnoses};
use crate::text::count;

/// A symbol that nothing defines.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MissingSymbol {
    /// As the linker names it.
    pub(super) mangled: String,
    /// As C++ names it; the same as `mangled` where it cannot be told.
    pub(super) demangled: String,
}

impl MissingSymbol {
    fn line(&self) -> String {
        if self.mangled == self.demangled {
            self.mangled.clone()
        } else {
            format!("{}  {}", self.mangled, self.demangled)
        }
    }
}

diagnoses! {
    /// Why an extension does not load, or that all do.
    #[derive(Clone, PartialEq, Eq)]
    pub(crate) enum AbiProblem {
        #[error("{}: every C++ symbol and library that {} was found", count(*libraries, "library", "libraries"), if *libraries == 1 { "it needs" } else { "they need" })]
        Complete { libraries: usize } = "abi_complete", Level::Ok, "";
        #[error("needs {} that nothing here defines{}", count(symbols.len(), "C++ symbol", "C++ symbols"), reason(cause.as_ref()))]
        MissingSymbols { symbols: Vec<MissingSymbol>, cause: Option<BuiltFor> } = "missing_symbols", Level::Error,
            cause.as_ref().map_or_else(|| UNRELATED.to_owned(), BuiltFor::advice),
            symbols.iter().map(MissingSymbol::line).collect();
        /// A library of `DT_NEEDED`.
        #[error("needs {}, which is not here", names(libraries))]
        MissingLibrary { libraries: Vec<String> } = "missing_library", Level::Error,
            "install the package with the library; on NixOS use the flake's environment, which patches wheels to find it";
        /// The same, in libraries that nothing loads at start: plug-ins for clusters, optional modules.
        #[error("{} a library that is not here; nothing that is loaded at start needs them", count(plugins.len(), "plug-in needs", "plug-ins need"))]
        PluginIncomplete { plugins: Vec<String> } = "plugin_incomplete", Level::Ok, "", plugins.clone();
        /// `newest` is the highest of the same family that is there.
        #[error("needs {version} of `{library}`{}", newest.as_ref().map(|newest| format!(", and the one here ends at {newest}")).unwrap_or_default())]
        VersionMissing { library: String, version: String, newest: Option<String> } = "library_too_old", Level::Error,
            format!("use a system whose `{library}` has {version}, or the flake, which has its own");
        /// Major versions, and the libraries with what they need.
        #[error("CUDA runtimes {} meet in one process", versions.join(" and "))]
        TwoCudaRuntimes { versions: Vec<String>, users: Vec<String> } = "two_cuda_runtimes", Level::Warn,
            "install builds for one CUDA major version only, as in the pinned set", users.clone();
        #[error("is compiled for {built} only, and this is {here}")]
        PythonTag { built: String, here: String } = "python_abi", Level::Error,
            format!("install the package with this environment's own pip ({here})");
        #[error("is compiled for NumPy 1, and NumPy {here} is here: {} cannot be imported", count(libraries.len(), "extension", "extensions"))]
        OtherNumpy { here: String, needed: bool, libraries: Vec<String> } = "numpy_abi", where_needed(*needed),
            "install a release of it that was built with NumPy 2 headers, as the pinned set has", libraries.clone();
        /// Named like a library and none.
        #[error("cannot be read as a library: {reason}")]
        Unreadable { needed: bool, reason: String } = "unreadable_library", where_needed(*needed),
            "install the package again";
    }
}

const UNRELATED: &str =
    "install builds that belong together: the extension and what it needs come from different versions";

/// An error where TRELLIS imports the package.
fn where_needed(needed: bool) -> Level {
    if needed { Level::Error } else { Level::Warn }
}

/// Which package an extension was built against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BuiltFor {
    /// The extension's package.
    pub(super) package: String,
    /// The package that should define the symbols, such as `torch`.
    pub(super) provider: String,
    /// The provider's version that it was built for, such as `2.9.1+cu128`.
    pub(super) built: String,
    /// The provider's version that is here.
    pub(super) here: Option<String>,
    /// Whether that is the pinned one, so that the extension should change and not the provider.
    pub(super) here_is_pinned: bool,
}

impl BuiltFor {
    fn advice(&self) -> String {
        let Self {
            package,
            provider,
            built,
            ..
        } = self;
        let provider_first = format!("install {provider} {built}");
        let Some(here) = &self.here else {
            return provider_first;
        };
        if self.here_is_pinned {
            return format!("install a build of {package} for {provider} {here}, as the flake has");
        }
        format!("{provider_first}, or a build of {package} for {provider} {here}")
    }
}

fn reason(cause: Option<&BuiltFor>) -> String {
    cause.map_or_else(String::new, |cause| {
        let here = cause.here.as_deref().map_or_else(
            || format!("and there is no {} here", cause.provider),
            |here| format!("and {} {here} is here", cause.provider),
        );
        format!(": it was built for {} {}, {here}", cause.provider, cause.built)
    })
}

fn names(libraries: &[String]) -> String {
    libraries
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}
