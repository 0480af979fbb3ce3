//! The wheels fit the interpreter and each other.

use trellis_pins::Pins;

/// Name, version, Python, ABI and platform of `NAME-VERSION-PYTHON-ABI-PLATFORM.whl`. No pinned wheel has a build
/// number, which would be a sixth part.
fn parts(filename: &str) -> [&str; 5] {
    let stem = filename.strip_suffix(".whl").expect(filename);
    let parts: Vec<&str> = stem.split('-').collect();
    parts.try_into().expect(filename)
}

#[test]
fn file_names_agree_with_names_and_versions() {
    for (name, wheel) in &Pins::embedded().wheels {
        let [found, version, ..] = parts(&wheel.filename);
        assert_eq!(&found.replace(['_', '.'], "-").to_lowercase(), name);
        assert_eq!(version, wheel.version, "{name}");
    }
}

#[test]
fn tags_fit_the_pinned_python_on_linux() {
    let pins = Pins::embedded();
    for wheel in pins.wheels.values() {
        let [.., abi, platform] = parts(&wheel.filename);
        let fits = abi == pins.python.abi || ["abi3", "none"].contains(&abi);
        let linux = platform == "any" || platform.contains("linux") && platform.contains("x86_64");
        assert!(fits && linux, "{}", wheel.filename);
    }
}

#[test]
fn torch_reports_its_version_and_cuda_release() {
    let pins = Pins::embedded();
    let cuda = pins.cuda.version.replace('.', "");
    assert_eq!(
        pins.torch.reports,
        format!("{}+cu{cuda}", pins.wheels["torch"].version)
    );
}

#[test]
fn cuda_libraries_are_of_the_pinned_release() {
    let pins = Pins::embedded();
    for name in [
        "nvidia-cuda-runtime-cu12",
        "nvidia-cuda-nvrtc-cu12",
        "nvidia-nvjitlink-cu12",
    ] {
        assert!(
            pins.wheels[name].version.starts_with(&pins.cuda.version),
            "{name}"
        );
    }
}

#[test]
fn every_wheel_with_gpu_code_reaches_the_first_capability() {
    let pins = Pins::embedded();
    let first: u16 = pins.cuda.capabilities[0].replace('.', "").parse().unwrap();
    for (name, wheel) in &pins.wheels {
        let reached = wheel
            .machine_code
            .values()
            .any(|code| code.sass.contains(&first) || code.ptx.iter().any(|ptx| *ptx <= first));
        assert!(wheel.machine_code.is_empty() || reached, "{name}");
    }
}
