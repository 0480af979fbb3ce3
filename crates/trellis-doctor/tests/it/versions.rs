//! Packages against the pins and against each other.

use trellis_doctor::{Check, Level};

use crate::kit::Env;

#[test]
fn the_pinned_set_is_fine() {
    let env = Env::whole();
    assert_eq!(env.kinds(), ["imports_found", "abi_complete", "as_pinned"]);
    assert_eq!(env.report().exit_code(true), 0);
}

#[test]
fn what_differs_or_is_absent_is_told() {
    let env = Env::new();
    env.torch("2.7.0", "12.6").package("spconv-cu120", "2.3.6", &[]);
    let report = env.report();
    let told: Vec<String> = report
        .findings
        .iter()
        .filter(|finding| finding.level > Level::Ok && finding.check == Check::Versions)
        .map(|finding| format!("{} {}: {}", finding.kind, finding.subject, finding.message))
        .collect();
    assert_eq!(
        told,
        [
            "not_pinned torch: is 2.7.0, and 2.9.1 is pinned",
            "other_cuda torch: is built for CUDA 12.6, and 12.8 is pinned",
        ]
    );
}

#[test]
fn xformers_records_its_build() {
    let env = Env::whole();
    env.file(
        "xformers/cpp_lib.json",
        r#"{"version": {"cuda": 1206, "torch": "2.9.1+cu126"}}"#,
    );
    let finding = env.finding("built_for_other");
    assert_eq!(finding.message, "was built for CUDA 12.6, and 12.8 is here");
    env.file("xformers/cpp_lib.json", "not JSON");
    assert!(!env.kinds().contains(&"built_for_other"));
}

#[test]
fn requirements_between_packages() {
    let env = Env::whole();
    env.package("numba", "0.63.1", &["numpy<2.4,>=1.22", "x; extra == 'y'"])
        .remove("numpy-2.3.5.dist-info")
        .package("numpy", "2.4.0", &[]);
    let finding = env.finding("requirement_unmet");
    assert_eq!((finding.subject.as_str(), finding.level), ("numba", Level::Warn));
    assert_eq!(finding.message, "requires numpy>=1.22,<2.4, and 2.4.0 is here");
}
