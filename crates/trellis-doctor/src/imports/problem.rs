//! What the check of imports finds.

use crate::finding::{Diagnosis, Level};

/// Whether what TRELLIS imports is here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportProblem {
    /// Everything is.
    #[error("{modules} modules that TRELLIS imports, by their files: all are here")]
    Found {
        /// Modules that were followed.
        modules: usize,
    },
    /// A package that nobody brings.
    #[error("is not installed, and {by} imports it")]
    NotInstalled {
        /// Who imports it.
        by: String,
        /// What to install, such as `plyfile 1.1.3`.
        install: String,
    },
    /// TRELLIS's own code.
    #[error("is not in this environment")]
    NoTrellis {
        /// Its repository.
        repository: String,
    },
    /// Metadata alone.
    #[error("is recorded as installed ({record}), but its files are not here, and {by} imports it")]
    FilesGone {
        /// The record's folder.
        record: String,
        /// Who imports it.
        by: String,
        /// What to install.
        install: String,
    },
    /// The package is there and the module is not.
    #[error("has no module {}, which {by} imports", list(modules))]
    ModuleMissing {
        /// Dotted.
        modules: Vec<String>,
        /// Who imports it.
        by: String,
        /// What to install.
        install: String,
    },
    /// A file that is there and that Python cannot compile.
    #[error("cannot be read, and {by} imports it: {reason}")]
    Unreadable {
        /// Who imports it.
        by: String,
        /// What is wrong with the file.
        reason: String,
        /// What to install.
        install: String,
    },
    /// A package of the same name.
    #[error(
        "is another package of this name ({here}): it has no module {}, which {by} imports",
        list(modules)
    )]
    OtherPackage {
        /// Its record.
        here: String,
        /// Dotted.
        modules: Vec<String>,
        /// Who imports it.
        by: String,
        /// What to install.
        install: String,
    },
    /// A folder that git fills only when asked to.
    #[error(
        "is an empty folder: the repository's submodule was not fetched, and {by} imports `{module}` from it"
    )]
    SubmoduleEmpty {
        /// Dotted.
        module: String,
        /// Who imports it.
        by: String,
    },
    /// Python files without the compiled part.
    #[error("is installed without its compiled library {}", any_of.iter().map(|stem| format!("`{stem}.*.so`")).collect::<Vec<_>>().join(" or "))]
    NotCompiled {
        /// Paths below the packages; any would do.
        any_of: Vec<String>,
        /// What to install.
        install: String,
    },
    /// nvdiffrast before 0.4 compiles its library when it is first used.
    #[error("compiles its library at first use, which takes minutes and needs `nvcc` and `ninja`")]
    CompilesAtFirstUse,
}

/// `a`, `b` or `c`
fn list(modules: &[String]) -> String {
    let quoted: Vec<String> = modules.iter().map(|module| format!("`{module}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

impl Diagnosis for ImportProblem {
    fn kind(&self) -> &'static str {
        match self {
            Self::Found { .. } => "imports_found",
            Self::NotInstalled { .. } | Self::NoTrellis { .. } => "not_installed",
            Self::FilesGone { .. } => "files_gone",
            Self::ModuleMissing { .. } => "module_missing",
            Self::Unreadable { .. } => "module_unreadable",
            Self::OtherPackage { .. } => "other_package",
            Self::SubmoduleEmpty { .. } => "submodule_empty",
            Self::NotCompiled { .. } => "not_compiled",
            Self::CompilesAtFirstUse => "compiles_at_first_use",
        }
    }

    fn level(&self) -> Level {
        match self {
            Self::Found { .. } => Level::Ok,
            Self::CompilesAtFirstUse => Level::Warn,
            _ => Level::Error,
        }
    }

    fn advice(&self) -> String {
        match self {
            Self::Found { .. } => String::new(),
            Self::NotInstalled { install, .. } => {
                format!("install {install}, or use the flake's environment")
            }
            Self::NoTrellis { repository } => {
                format!(
                    "put the folder `trellis` of {repository}, submodules included, among the packages, or use the flake's environment"
                )
            }
            Self::FilesGone { install, record, .. } => {
                format!("remove the folder `{record}` and install {install} again")
            }
            Self::ModuleMissing { install, .. } | Self::Unreadable { install, .. } => {
                format!("install {install} again, or use the flake's environment")
            }
            Self::OtherPackage { install, .. } => format!("uninstall it and install {install}"),
            Self::SubmoduleEmpty { .. } => {
                "run `git submodule update --init --recursive` in TRELLIS's repository and copy it again"
                    .to_owned()
            }
            Self::CompilesAtFirstUse => {
                "install nvdiffrast 0.4, which is compiled when it is installed".to_owned()
            }
            Self::NotCompiled { install, .. } => format!(
                "install a build of {install} for this Python, torch and CUDA: the folder of its sources is not enough"
            ),
        }
    }
}
