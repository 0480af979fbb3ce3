//! Requirements of packages: which apply here, and what fits them (PEP 440 and 508, by uv's crates).

use std::str::FromStr as _;

use pep440_rs::Version;
use pep508_rs::{MarkerEnvironment, MarkerEnvironmentBuilder, MarkerTree, Requirement, VersionOrUrl};

use crate::environment::PythonVersion;

/// What markers ask about, for CPython on Linux. The kernel's release and version are empty: a requirement
/// that depends on them does not apply.
pub(crate) fn markers(python: PythonVersion) -> Option<MarkerEnvironment> {
    let (full, short) = (format!("{python}.0"), python.to_string());
    MarkerEnvironment::try_from(MarkerEnvironmentBuilder {
        implementation_name: "cpython",
        implementation_version: &full,
        os_name: "posix",
        platform_machine: std::env::consts::ARCH,
        platform_python_implementation: "CPython",
        platform_release: "",
        platform_system: "Linux",
        platform_version: "",
        python_full_version: &full,
        python_version: &short,
        sys_platform: "linux",
    })
    .ok()
}

/// Reads a requirement such as `torch>=2.9`.
pub(crate) fn parse(text: &str) -> Option<Requirement> {
    Requirement::from_str(text).ok()
}

/// Whether a version fits. A local part (`+cu128`) may be there where none is asked for. What names an
/// address instead of a version, and a version that is none, cannot be judged and fits.
pub(crate) fn fits(requirement: &Requirement, version: &str) -> bool {
    let Some(VersionOrUrl::VersionSpecifier(specifiers)) = &requirement.version_or_url else {
        return true;
    };
    Version::from_str(version).map_or(true, |version| {
        specifiers.contains(&version) || specifiers.contains(&version.without_local())
    })
}

/// Whether an exact version is asked for, as compiled parts ask for one torch.
pub(crate) fn is_exact(requirement: &Requirement) -> bool {
    match &requirement.version_or_url {
        Some(VersionOrUrl::VersionSpecifier(specifiers)) => specifiers.iter().any(|one| {
            let operator = one.operator();
            matches!(
                operator,
                pep440_rs::Operator::Equal | pep440_rs::Operator::EqualStar | pep440_rs::Operator::ExactEqual
            )
        }),
        _ => false,
    }
}

/// A requirement without its marker, such as `numpy<2.4,>=1.22` or `fsspec[http]`.
pub(crate) fn text(requirement: &Requirement) -> String {
    let marker = MarkerTree::TRUE;
    Requirement {
        marker,
        ..requirement.clone()
    }
    .to_string()
}

/// Whether two versions are the same release; a local part (`+cu128`) does not count.
pub(crate) fn same(a: &str, b: &str) -> bool {
    match (Version::from_str(a), Version::from_str(b)) {
        (Ok(a), Ok(b)) => a.without_local() == b.without_local(),
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(requirement: &str, version: &str) -> bool {
        fits(&Requirement::from_str(requirement).unwrap(), version)
    }

    #[test]
    fn compares_as_pip_does() {
        assert!(allows("torch==2.9.1", "2.9.1+cu128"));
        assert!(allows("torch<=2.9.1", "2.9.1+cu128"));
        assert!(!allows("torch==2.9.1", "2.8.0"));
        assert!(allows("torch (>=2.8,<2.10)", "2.9.1"));
        assert!(!allows("torch (>=2.8,<2.10)", "2.10.0"));
        assert!(allows("numpy~=1.26", "1.27"));
        assert!(!allows("numpy~=1.26", "2.0"));
        assert!(allows("x[y]==1.*; platform_system == \"Linux\"", "1.7"));
        assert!(allows("numpy", "3"));
    }

    #[test]
    fn pre_releases_and_epochs_have_their_order() {
        assert!(!same("2.9.0a1", "2.9.0rc1"));
        assert!(!allows("x>=2.9.0rc1", "2.9.0a1"));
        assert!(!allows("x>=2.9", "2.9.0rc1"));
        assert!(!allows("x<2", "1!1.0"));
        assert!(allows("x>=2", "1!1.0"));
        assert!(same("2.9.1+cu128", "2.9.1"));
    }

    #[test]
    fn is_shown_without_its_marker() {
        let shown = text(&"fsspec[http] (>=1, <2); python_version >= '3.9'".parse().unwrap());
        assert_eq!(shown, "fsspec[http]>=1,<2");
    }

    #[test]
    fn markers_are_evaluated() {
        let applies = |text: &str| {
            let markers = markers(PythonVersion { major: 3, minor: 12 }).unwrap();
            let requirement: Requirement = text.parse().unwrap();
            requirement.evaluate_markers(&markers, &[])
        };
        for text in [
            "x; python_version >= '3.9'",
            "x; sys_platform != 'win32' and implementation_name == 'cpython'",
            "x; (python_full_version < '3.13') or extra == 'dev'",
        ] {
            assert!(applies(text), "{text}");
        }
        for text in [
            "x; extra == 'dev'",
            "x; python_version < '3.9'",
            "x; platform_system == 'Darwin'",
        ] {
            assert!(!applies(text), "{text}");
        }
    }
}
