//! Environments of TRELLIS.2, by files.

use trellis_core::Model;
use trellis_doctor::gpu::Gpu;
use trellis_doctor::{Capability, Level, Report, Settings, Unfit, quick};
use trellis_pins::Pins;

use crate::kit::Env;
use crate::machine::{laptop, machine};

fn errors(report: &Report) -> Vec<String> {
    let errors = report
        .findings
        .iter()
        .filter(|finding| finding.level == Level::Error);
    errors
        .map(|finding| format!("{} {}: {}", finding.kind, finding.subject, finding.message))
        .collect()
}

#[test]
fn a_whole_environment_has_no_errors_and_needs_nothing_of_trellis() {
    let env = Env::whole_trellis2();
    let report = env.report();
    assert_eq!(report.models, [Model::Trellis2]);
    assert_eq!(errors(&report), Vec::<String>::new(), "{}", report.to_text(false));
    assert!(env.kinds().contains(&"imports_found"));
    assert_eq!(Env::whole().report().models, [Model::TrellisImageLarge]);
}

#[test]
fn an_environment_of_both_is_checked_for_both() {
    let env = Env::whole_trellis2();
    env.file("trellis/pipelines/__init__.py", "");
    let report = env.report();
    assert_eq!(report.models, [Model::TrellisImageLarge, Model::Trellis2]);
    assert!(
        errors(&report)
            .contains(&"not_installed kaolin: is not installed, and TRELLIS imports it".to_owned())
    );
}

#[test]
fn what_trellis2_imports_must_be_there() {
    for (module, record, said) in [
        (
            "o_voxel",
            None,
            "not_installed o_voxel: is not installed, and TRELLIS.2 imports it",
        ),
        (
            "flex_gemm",
            Some("flex_gemm-1.0.0.dist-info"),
            "not_installed flex_gemm: is not installed, and TRELLIS.2 imports it",
        ),
        (
            "cumesh/_cubvh.so",
            None,
            "not_compiled cumesh: is installed without its compiled library `cumesh/_cubvh.*.so`",
        ),
        (
            "o_voxel/_C.so",
            None,
            "not_compiled o_voxel: is installed without its compiled library `o_voxel/_C.*.so`",
        ),
    ] {
        let env = Env::whole_trellis2();
        env.remove(module);
        if let Some(record) = record {
            env.remove(record);
        }
        assert_eq!(errors(&env.report()), [said], "{module}");
    }
}

/// What the registry has under that name is somebody else's.
#[test]
fn the_registry_s_cumesh_is_told() {
    let env = Env::whole_trellis2();
    env.remove("cumesh").remove("cumesh-0.0.1.dist-info");
    env.file("cumesh/__init__.py", "").package("cumesh", "0.1.0", &[]);
    let told = errors(&env.report());
    assert!(
        told.iter()
            .any(|line| line
                .starts_with("other_package cumesh: is another package of this name (cumesh 0.1.0)")),
        "{told:?}"
    );
}

#[test]
fn a_transformers_with_other_names_inside_is_told() {
    for (version, unfit) in [
        ("4.55.4", true),
        ("4.56.0", false),
        ("4.57.6", false),
        ("5.0.0", true),
    ] {
        let env = Env::whole_trellis2();
        env.remove("transformers-4.57.6.dist-info")
            .package("transformers", version, &[]);
        let said = "transformers_unfit transformers: is ".to_owned()
            + version
            + ": TRELLIS.2 finds DINOv3's layers in 4.56 and 4.57 only";
        let expected = if unfit { vec![said] } else { Vec::new() };
        assert_eq!(errors(&env.report()), expected);
    }
    let env = Env::whole();
    env.package("transformers", "5.0.0", &[]);
    assert_eq!(
        errors(&env.report()),
        Vec::<String>::new(),
        "TRELLIS does not read it"
    );
}

/// Its licence forbids commercial use, and workers do without it but for `exact`.
#[test]
fn an_environment_without_nvdiffrast_is_warned_of_exact_alone() {
    let env = Env::whole_trellis2();
    let record = format!(
        "nvdiffrast-{}.dist-info",
        Pins::embedded().sources["nvdiffrast"].version
    );
    env.remove("nvdiffrast")
        .remove("_nvdiffrast_c.so")
        .remove(&record);
    let report = env.report();
    assert_eq!(errors(&report), Vec::<String>::new());
    let told = report
        .findings
        .iter()
        .find(|finding| finding.subject == "nvdiffrast");
    let told = told.map(|finding| (finding.kind, finding.level));
    assert_eq!(
        told,
        Some(("not_installed", Level::Warn)),
        "{}",
        report.to_text(false)
    );
}

/// What a server is told that is to run `model` on cards of these capabilities, each with so much memory.
fn refusal(env: &Env, model: Option<Model>, capabilities: &[(u32, u32)], memory_bytes: u64) -> String {
    let cards = capabilities.iter().map(|&(major, minor)| Gpu {
        capability: Capability { major, minor },
        memory_bytes,
        ..laptop()
    });
    let machine = machine("580.65", cards.collect());
    let settings = Settings {
        capability: machine.capability().unwrap(),
        library_folders: Vec::new(),
        pins: Pins::embedded(),
        model,
    };
    match quick(Some(env.root()), &settings, &machine) {
        Ok(()) => String::new(),
        Err(Unfit::Errors { errors }) => errors,
        Err(unfit @ Unfit::Environment { .. }) => panic!("{unfit}"),
    }
}

#[test]
fn a_server_is_refused_an_old_card_for_trellis_2_alone_and_only_without_a_newer_one() {
    let env = Env::whole_trellis2();
    env.file("trellis/pipelines/__init__.py", "");
    let told = |model, capabilities: &[(u32, u32)]| {
        refusal(&env, model, capabilities, 24 << 30).contains("FlexGEMM's kernels end the process")
    };
    assert!(told(None, &[(7, 5)]), "both models are meant");
    assert!(told(Some(Model::Trellis2), &[(7, 5)]));
    assert!(!told(Some(Model::TrellisImageLarge), &[(7, 5)]));
    assert!(!told(Some(Model::Trellis2), &[(7, 5), (12, 0)]));
}

#[test]
fn a_server_of_the_first_model_is_not_refused_for_what_the_second_needs_of_memory() {
    let env = Env::whole_trellis2();
    env.file("trellis/pipelines/__init__.py", "");
    let told = |model| refusal(&env, Some(model), &[(12, 0)], 6 << 30).contains("and TRELLIS.2 needs");
    assert!(told(Model::Trellis2));
    assert!(!told(Model::TrellisImageLarge));
}
