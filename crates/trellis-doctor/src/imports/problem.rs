//! What the check of imports finds.

use crate::finding::{Level, diagnoses};

diagnoses! {
    /// Whether what TRELLIS imports is here. `by` imports it; `install` says what to, such as `plyfile 1.1.3`.
    #[derive(Clone, PartialEq, Eq)]
    pub(crate) enum ImportProblem {
        #[error("{modules} modules that TRELLIS imports, by their files: all are here")]
        Found { modules: usize } = "imports_found", Level::Ok, "";
        #[error("is not installed, and {by} imports it")]
        NotInstalled { by: String, install: String } = "not_installed", Level::Error,
            format!("install {install}, or use the flake's environment");
        /// Of a package whose licence forbids commercial use.
        #[error("is not installed: jobs of the `quality` `exact` cannot be made, and all others can")]
        ForExactOnly { install: String } = "not_installed", Level::Warn,
            format!("install {install} if its licence allows your use, or leave it out");
        #[error("is not in this environment")]
        NoTrellis { folder: &'static str, repository: String } = "not_installed", Level::Error, format!(
            "put the folder `{folder}` of {repository}, submodules included, among the packages, or use the flake's \
             environment"
        );
        /// Metadata alone.
        #[error("is recorded as installed ({record}), but its files are not here, and {by} imports it")]
        FilesGone { record: String, by: String, install: String } = "files_gone", Level::Error,
            format!("remove the folder `{record}` and install {install} again");
        /// The package is there and these modules are not.
        #[error("has no module {}, which {by} imports", list(modules))]
        ModuleMissing { modules: Vec<String>, by: String, install: String } = "module_missing", Level::Error,
            format!("install {install} again, or use the flake's environment");
        /// A file that is there and that Python cannot compile.
        #[error("cannot be read, and {by} imports it: {reason}")]
        Unreadable { by: String, reason: String, install: String } = "module_unreadable", Level::Error,
            format!("install {install} again, or use the flake's environment");
        /// `here` is its record.
        #[error("is another package of this name ({here}): it has no module {}, which {by} imports", list(modules))]
        OtherPackage { here: String, modules: Vec<String>, by: String, install: String } = "other_package", Level::Error, format!("uninstall it and install {install}");
        #[error(
            "is an empty folder: the repository's submodule was not fetched, and {by} imports `{module}` from it"
        )]
        SubmoduleEmpty { module: String, by: String } = "submodule_empty", Level::Error,
            "run `git submodule update --init --recursive` in TRELLIS's repository and copy it again";
        /// Python files without the compiled part, for which any of these paths would do.
        #[error("is installed without its compiled library {}", any_of.iter().map(|stem| format!("`{stem}.*.so`")).collect::<Vec<_>>().join(" or "))]
        NotCompiled { any_of: Vec<String>, install: String } = "not_compiled", Level::Error, format!(
            "install a build of {install} for this Python, torch and CUDA: the folder of its sources is not enough"
        );
        /// nvdiffrast before 0.4.
        #[error("compiles its library at first use, which takes minutes and needs `nvcc` and `ninja`")]
        CompilesAtFirstUse = "compiles_at_first_use", Level::Warn,
            "install nvdiffrast 0.4, which is compiled when it is installed";
    }
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
