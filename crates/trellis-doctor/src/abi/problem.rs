//! What the ABI check finds.

use crate::finding::{Diagnosis, Level};

/// A symbol that nothing defines.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MissingSymbol {
    /// As the linker names it.
    pub mangled: String,
    /// As C++ names it; the same as `mangled` where it cannot be told.
    pub demangled: String,
}

/// Why an extension does not load, or that all do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AbiProblem {
    /// Every need is met.
    #[error("{}: every C++ symbol and library that {} was found", match libraries {
        1 => "1 library".to_owned(),
        many => format!("{many} libraries"),
    }, if *libraries == 1 { "it needs" } else { "they need" })]
    Complete {
        /// How many were looked at.
        libraries: usize,
    },
    /// C++ symbols that nothing defines.
    #[error("needs {} that nothing here defines{}", count(symbols.len(), "C++ symbol"), reason(cause.as_ref()))]
    MissingSymbols {
        /// Which.
        symbols: Vec<MissingSymbol>,
        /// Why, if it is known.
        cause: Option<BuiltFor>,
    },
    /// A library of `DT_NEEDED` that is nowhere.
    #[error("needs {}, which is not here", names(libraries))]
    MissingLibrary {
        /// Which.
        libraries: Vec<String>,
    },
    /// The same, in libraries that nothing loads at start: plug-ins for clusters, optional modules.
    #[error("{} a library that is not here; nothing that is loaded at start needs them", if plugins.len() == 1 { "1 plug-in needs".to_owned() } else { format!("{} plug-ins need", plugins.len()) })]
    PluginIncomplete {
        /// Each with what it lacks.
        plugins: Vec<String>,
    },
    /// A library is older than what was built against it.
    #[error("needs {version} of `{library}`{}", newest.as_ref().map(|newest| format!(", and the one here ends at {newest}")).unwrap_or_default())]
    VersionMissing {
        /// Such as `libc.so.6`.
        library: String,
        /// Such as `GLIBC_2.38`.
        version: String,
        /// The highest of the same family that is there.
        newest: Option<String>,
    },
    /// CUDA runtimes of several major versions in one process.
    #[error("CUDA runtimes {} meet in one process", versions.join(" and "))]
    TwoCudaRuntimes {
        /// Major versions.
        versions: Vec<String>,
        /// The libraries with what they need.
        users: Vec<String>,
    },
    /// Compiled for another Python.
    #[error("is compiled for {built} only, and this is {here}")]
    PythonTag {
        /// Such as `cpython-311`.
        built: String,
        /// Such as `cpython-312`.
        here: String,
    },
    /// Compiled for NumPy 1, and NumPy 2 is here.
    #[error("is compiled for NumPy 1, and NumPy {here} is here: {} cannot be imported", if libraries.len() == 1 { "1 extension".to_owned() } else { format!("{} extensions", libraries.len()) })]
    OtherNumpy {
        /// NumPy's version.
        here: String,
        /// TRELLIS imports the package.
        needed: bool,
        /// The extensions.
        libraries: Vec<String>,
    },
    /// Named like a library and none.
    #[error("cannot be read as a library: {reason}")]
    Unreadable {
        /// TRELLIS imports its package.
        needed: bool,
        /// What does not fit.
        reason: String,
    },
}

/// Which package an extension was built against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltFor {
    /// The extension's package.
    pub package: String,
    /// The package that should define the symbols, such as `torch`.
    pub provider: String,
    /// The provider's version that it was built for, such as `2.9.1+cu128`.
    pub built: String,
    /// The provider's version that is here.
    pub here: Option<String>,
    /// Whether that is the pinned one, so that the extension should change and not the provider.
    pub here_is_pinned: bool,
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

fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

fn names(libraries: &[String]) -> String {
    libraries
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

impl Diagnosis for AbiProblem {
    fn kind(&self) -> &'static str {
        match self {
            Self::Complete { .. } => "abi_complete",
            Self::MissingSymbols { .. } => "missing_symbols",
            Self::MissingLibrary { .. } => "missing_library",
            Self::PluginIncomplete { .. } => "plugin_incomplete",
            Self::VersionMissing { .. } => "library_too_old",
            Self::TwoCudaRuntimes { .. } => "two_cuda_runtimes",
            Self::PythonTag { .. } => "python_abi",
            Self::OtherNumpy { .. } => "numpy_abi",
            Self::Unreadable { .. } => "unreadable_library",
        }
    }

    fn level(&self) -> Level {
        match self {
            Self::Complete { .. } | Self::PluginIncomplete { .. } => Level::Ok,
            Self::TwoCudaRuntimes { .. }
            | Self::Unreadable { needed: false, .. }
            | Self::OtherNumpy { needed: false, .. } => Level::Warn,
            Self::MissingSymbols { .. }
            | Self::MissingLibrary { .. }
            | Self::VersionMissing { .. }
            | Self::Unreadable { needed: true, .. }
            | Self::OtherNumpy { needed: true, .. }
            | Self::PythonTag { .. } => Level::Error,
        }
    }

    fn advice(&self) -> String {
        match self {
            Self::Complete { .. } | Self::PluginIncomplete { .. } => String::new(),
            Self::MissingSymbols { cause: Some(cause), .. } => cause.advice(),
            Self::MissingSymbols { cause: None, .. } => {
                "install builds that belong together: the extension and what it needs come from different versions"
                    .to_owned()
            }
            Self::MissingLibrary { .. } => {
                "install the package with the library; on NixOS use the flake's environment, which patches \
                 wheels to find it"
                    .to_owned()
            }
            Self::VersionMissing { library, version, .. } => format!(
                "use a system whose `{library}` has {version}, or the flake, which has its own"
            ),
            Self::TwoCudaRuntimes { .. } => {
                "install builds for one CUDA major version only, as in the pinned set".to_owned()
            }
            Self::PythonTag { here, .. } => format!("install the package with this environment's own pip ({here})"),
            Self::OtherNumpy { .. } => {
                "install a release of it that was built with NumPy 2 headers, as the pinned set has".to_owned()
            }
            Self::Unreadable { .. } => "install the package again".to_owned(),
        }
    }

    fn evidence(&self) -> Vec<String> {
        match self {
            Self::MissingSymbols { symbols, .. } => symbols
                .iter()
                .map(|symbol| {
                    if symbol.mangled == symbol.demangled {
                        symbol.mangled.clone()
                    } else {
                        format!("{}  {}", symbol.mangled, symbol.demangled)
                    }
                })
                .collect(),
            Self::TwoCudaRuntimes { users, .. } => users.clone(),
            Self::PluginIncomplete { plugins } => plugins.clone(),
            Self::OtherNumpy { libraries, .. } => libraries.clone(),
            _ => Vec::new(),
        }
    }
}
