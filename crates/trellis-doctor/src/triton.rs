//! What Triton compiles FlexGEMM's kernels with when they are first used: a C compiler with Python's headers, `ptxas`, and
//! the driver's library. It needs a GPU of capability 8.0.
//!
//! Source: Triton 3.5, `runtime/build.py`, `knobs.py` and `backends/nvidia/driver.py`. Whether a kernel compiles, the probe
//! tells.

use std::path::{Path, PathBuf};

use crate::environment::Environment;
use crate::finding::{Check, Finding, Findings, Level, diagnoses};
use trellis_core::{Capability, Model};

const SUBJECT: &str = "Triton";
/// The first capability that Triton compiles FlexGEMM's kernels for.
const FIRST_COMPILED: Capability = Capability { major: 8, minor: 0 };
/// The one place where Triton asks for the driver's library.
const LDCONFIG: &str = "/sbin/ldconfig";

diagnoses! {
    /// What Triton lacks.
    #[derive(Clone, PartialEq, Eq)]
    enum TritonProblem {
        #[error("no C compiler is in `PATH` and `CC` names none: FlexGEMM's kernels are compiled when they are first used")]
        NoCompiler = "no_compiler", Level::Warn, "install `gcc`, or set `CC`";
        #[error("Python's headers are missing ({}): the C compiler needs them for what starts FlexGEMM's kernels", looked.display())]
        NoHeaders { looked: PathBuf } = "no_python_headers", Level::Warn,
            "install them: `python3-dev` on Debian and Ubuntu, `python3-devel` on Fedora";
        #[error("has no `ptxas`, which compiles FlexGEMM's kernels, and `TRITON_PTXAS_PATH` names none")]
        NoPtxas = "no_ptxas", Level::Warn,
            "install Triton's own wheel, or set `TRITON_PTXAS_PATH` to the `ptxas` of CUDA";
        #[error("`{LDCONFIG}`, which Triton asks for `libcuda.so.1`, is not here, and `TRITON_LIBCUDA_PATH` is not set")]
        NoLdconfig = "no_ldconfig", Level::Warn,
            "set `TRITON_LIBCUDA_PATH` to the folder of `libcuda.so.1`, or start with the flake's wrapper, which does";
        /// Of the oldest GPU; `beside_newer`: another will do.
        #[error("FlexGEMM's kernels end the process on capability {capability}: Triton compiles them from 8.0 on")]
        TooOld { capability: Capability, beside_newer: bool } = "triton_too_new", if *beside_newer {
            Level::Warn
        } else {
            Level::Error
        }, if *beside_newer {
            "name the newer GPUs with `--trellis2-gpus`"
        } else {
            "use a card of capability 8.0 or above for TRELLIS.2, or the model `trellis-image-large`"
        };
    }
}

/// Judges what Triton finds in the environment, by the variables that `get` knows and the system's files. `models` are
/// those that the environment is for.
pub fn check(
    get: &dyn Fn(&str) -> Option<String>,
    environment: &Environment,
    models: &[Model],
) -> Vec<Finding> {
    let mut findings = Findings::of(Check::Variables);
    if models.contains(&Model::Trellis2) {
        let has_ldconfig = Path::new(LDCONFIG).exists();
        findings.say_all(SUBJECT, lacking(get, environment, has_ldconfig));
    }
    findings.into_vec()
}

/// Whether Triton compiles for the GPUs of these capabilities at all. `models` are those that are to run.
pub fn of_gpus(capabilities: &[Capability], models: &[Model]) -> Vec<Finding> {
    let mut findings = Findings::of(Check::Variables);
    let oldest = capabilities.iter().min().copied();
    if let Some(capability) = oldest.filter(|oldest| *oldest < FIRST_COMPILED)
        && models.contains(&Model::Trellis2)
    {
        let beside_newer = capabilities.iter().any(|other| *other >= FIRST_COMPILED);
        let problem = TritonProblem::TooOld {
            capability,
            beside_newer,
        };
        findings.say(SUBJECT, &problem);
    }
    findings.into_vec()
}

fn lacking(
    get: &dyn Fn(&str) -> Option<String>,
    environment: &Environment,
    has_ldconfig: bool,
) -> Vec<TritonProblem> {
    let set = |name: &str| get(name).filter(|value| !value.is_empty());
    let path = set("PATH").unwrap_or_default();
    let in_path = |name: &str| {
        let mut folders = path.split(':').filter(|folder| !folder.is_empty());
        folders.any(|folder| Path::new(folder).join(name).is_file())
    };
    let mut found = Vec::new();
    if set("CC").is_none() && !["cc", "gcc", "clang"].into_iter().any(in_path) {
        found.push(TritonProblem::NoCompiler);
    }
    found.extend(headers_gone(environment).map(|looked| TritonProblem::NoHeaders { looked }));
    let of_package = environment.places("triton/backends/nvidia/bin/ptxas");
    let named = set("TRITON_PTXAS_PATH").map(PathBuf::from);
    let is_installed = environment.places("triton").iter().any(|folder| folder.is_dir());
    if is_installed && !named.iter().chain(&of_package).any(|program| program.is_file()) {
        found.push(TritonProblem::NoPtxas);
    }
    if set("TRITON_LIBCUDA_PATH").is_none() && !has_ldconfig {
        found.push(TritonProblem::NoLdconfig);
    }
    found
}

/// Where `Python.h` would lie, if it is nowhere; `None` too where the environment has no interpreter to tell by.
fn headers_gone(environment: &Environment) -> Option<PathBuf> {
    let (python, program) = (environment.python?, environment.interpreter.as_ref()?);
    // That of a virtual environment is a link to the one that it was made with.
    let own = program.canonicalize().ok()?;
    let prefix = own.parent()?.parent()?;
    let header = |prefix: &Path| prefix.join(format!("include/python{python}/Python.h"));
    let (of_prefix, of_root) = (header(prefix), header(&environment.root));
    (!of_prefix.is_file() && !of_root.is_file()).then_some(of_prefix)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;
    use trellis_core::Explain as _;

    use super::*;

    fn write(path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }

    /// A virtual environment with Triton, made with a Python that has its headers.
    fn whole(home: &Path) -> Environment {
        let (base, root) = (home.join("usr"), home.join("env"));
        write(&base.join("bin/python3.12"));
        write(&base.join("include/python3.12/Python.h"));
        write(&root.join("lib/python3.12/site-packages/triton/backends/nvidia/bin/ptxas"));
        fs::create_dir_all(root.join("bin")).unwrap();
        symlink(base.join("bin/python3.12"), root.join("bin/python3")).unwrap();
        Environment::discover(&root).unwrap()
    }

    fn kinds(found: &[TritonProblem]) -> Vec<&'static str> {
        found.iter().map(TritonProblem::kind).collect()
    }

    #[test]
    fn each_thing_that_triton_compiles_with_is_told_where_it_is_missing() {
        let home = TempDir::new().unwrap();
        let environment = whole(home.path());
        let compiler = |name: &str| (name == "CC").then(|| "/usr/bin/cc".to_owned());
        assert_eq!(kinds(&lacking(&compiler, &environment, true)), [""; 0]);
        assert_eq!(kinds(&lacking(&|_| None, &environment, true)), ["no_compiler"]);
        assert_eq!(kinds(&lacking(&compiler, &environment, false)), ["no_ldconfig"]);
        let with_driver = |name: &str| Some(format!("/{name}"));
        assert_eq!(kinds(&lacking(&with_driver, &environment, false)), [""; 0]);

        fs::remove_file(home.path().join("usr/include/python3.12/Python.h")).unwrap();
        let packages = home.path().join("env/lib/python3.12/site-packages");
        fs::remove_file(packages.join("triton/backends/nvidia/bin/ptxas")).unwrap();
        let found = lacking(&compiler, &environment, true);
        assert_eq!(kinds(&found), ["no_python_headers", "no_ptxas"]);
        let named = home.path().join("cuda/ptxas");
        write(&named);
        let with_ptxas = |name: &str| match name {
            "TRITON_PTXAS_PATH" => Some(named.display().to_string()),
            name => compiler(name),
        };
        let found = lacking(&with_ptxas, &environment, true);
        assert_eq!(kinds(&found), ["no_python_headers"]);
        // That Triton itself is missing, the imports tell.
        fs::remove_dir_all(packages.join("triton")).unwrap();
        let found = lacking(&compiler, &environment, true);
        assert_eq!(kinds(&found), ["no_python_headers"]);
    }

    #[test]
    fn a_card_before_8_0_is_refused_for_trellis_2_alone() {
        let turing = Capability { major: 7, minor: 5 };
        let told = |capabilities: &[Capability], models: &[Model]| {
            let told = of_gpus(capabilities, models).into_iter();
            told.map(|one| (one.kind, one.level)).collect::<Vec<_>>()
        };
        let error = [("triton_too_new", Level::Error)];
        assert_eq!(told(&[turing], &[Model::Trellis2]), error);
        assert_eq!(told(&[turing, turing], &Model::ALL), error);
        assert_eq!(told(&[turing], &[Model::TrellisImageLarge]), []);
        assert_eq!(told(&[FIRST_COMPILED], &[Model::Trellis2]), []);
        assert_eq!(told(&[], &[Model::Trellis2]), []);
    }

    #[test]
    fn an_old_card_beside_a_newer_one_is_a_warning() {
        let turing = Capability { major: 7, minor: 5 };
        for capabilities in [[turing, FIRST_COMPILED], [FIRST_COMPILED, turing]] {
            let told = of_gpus(&capabilities, &[Model::Trellis2]);
            assert_eq!(
                told.iter().map(|one| (one.kind, one.level)).collect::<Vec<_>>(),
                [("triton_too_new", Level::Warn)]
            );
            assert!(
                told[0].message.contains("on capability 7.5"),
                "{}",
                told[0].message
            );
        }
    }
}
