//! Driver, GPU, variables and host: values in, sentences out.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use trellis_core::Model;
use trellis_doctor::gpu::{self, Driver, Gpu, GpuProcess, Machine, Place, Target};
use trellis_doctor::host::{self, Host};
use trellis_doctor::{Capability, Finding, Level, variables};
use trellis_pins::Pins;

const BLACKWELL: Capability = Capability { major: 12, minor: 0 };

fn lines(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let Finding {
            level,
            kind,
            subject,
            message,
            advice,
            ..
        } = finding;
        let _ = writeln!(text, "{level:?} {kind} {subject}: {message} → {advice}");
    }
    text
}

pub(crate) fn laptop() -> Gpu {
    Gpu {
        index: 0,
        uuid: "GPU-a".to_owned(),
        temperature: None,
        utilisation: None,
        name: "NVIDIA GeForce RTX 5090 Laptop GPU".to_owned(),
        capability: BLACKWELL,
        memory_bytes: 24 << 30,
        free_bytes: 23 << 30,
        processes: Vec::new(),
        power_milliwatts: None,
        persistent: Some(false),
    }
}

pub(crate) fn machine(version: &str, gpus: Vec<Gpu>) -> Machine {
    Machine {
        place: Place::Linux,
        in_windows: false,
        hardware: true,
        driver: Driver::Running {
            version: version.to_owned(),
            gpus,
        },
        libcuda: Some(PathBuf::from("/usr/lib/libcuda.so.1")),
        closed_nodes: Vec::new(),
    }
}

fn checked(machine: &Machine, models: &[Model], target: Target) -> Vec<Finding> {
    let wanted = gpu::Wanted {
        capability: BLACKWELL,
        cuda: &Pins::embedded().cuda,
        models,
    };
    gpu::check(machine, &wanted, target)
}

fn judged(machine: &Machine) -> String {
    lines(&checked(machine, &[], Target::Anywhere))
}

/// What a card can do of TRELLIS.2, and whether TRELLIS-image-large beside it has something to say too.
#[test]
fn a_card_is_told_the_resolutions_that_it_can_do() {
    let said = |gib: u64, models: &[Model]| {
        let gpu = Gpu {
            memory_bytes: (gib << 30) - (300 << 20),
            free_bytes: (gib << 30) - (400 << 20),
            ..laptop()
        };
        let findings = checked(&machine("580.65", vec![gpu]), models, Target::Here);
        let of_memory = ["gpu_for_trellis2", "gpu_too_small", "gpu_low_vram"];
        let found = findings
            .iter()
            .filter(|finding| of_memory.contains(&finding.kind));
        found.map(|finding| finding.message.clone()).collect::<Vec<_>>()
    };
    let second = [Model::Trellis2];
    for (gib, expected) in [
        (
            6,
            "has 5.7 GiB, and TRELLIS.2 needs 7.1 GiB even in its low-VRAM mode",
        ),
        (
            8,
            "has 7.7 GiB: TRELLIS.2 runs in low-VRAM mode, which it takes by itself, at 512 and 1024",
        ),
        (
            24,
            "has 23.7 GiB: TRELLIS.2 runs with all models on it at 512, in low-VRAM mode, which it takes by itself, at \
             1024 and 1536",
        ),
        (
            80,
            "has 79.7 GiB: TRELLIS.2 runs with all models on it at 512 and 1024, in low-VRAM mode, which it takes by \
             itself, at 1536",
        ),
        (
            140,
            "has 139.7 GiB: TRELLIS.2 runs with all models on it at 512, 1024 and 1536",
        ),
    ] {
        assert_eq!(said(gib, &second), [expected]);
    }
    let held = Gpu {
        free_bytes: 2 << 30,
        ..laptop()
    };
    let findings = checked(&machine("580.65", vec![held]), &second, Target::Here);
    let occupied = findings.iter().find(|finding| finding.kind == "gpu_occupied");
    assert_eq!(
        occupied.unwrap().message,
        "has 2.0 GiB free, and TRELLIS.2 needs 7.1 GiB even in its low-VRAM mode"
    );
    let both = said(8, &Model::ALL);
    assert_eq!(both.len(), 2, "{both:?}");
    assert_eq!(both[1], "has 7.7 GiB: TRELLIS fits in its low-VRAM mode only");
    assert_eq!(said(24, &[]), [""; 0]);
}

#[test]
fn a_good_machine() {
    insta::assert_snapshot!(judged(&machine("570.86.16", vec![laptop()])));
}

#[test]
fn an_old_driver_and_a_small_card() {
    let gpu = Gpu {
        capability: Capability { major: 8, minor: 6 },
        memory_bytes: 10 << 30,
        ..laptop()
    };
    insta::assert_snapshot!(judged(&machine("565.77", vec![gpu])));
}

#[test]
fn a_card_that_others_use() {
    let holder = GpuProcess {
        pid: 4242,
        name: Some("game".to_owned()),
        memory_bytes: Some(15 << 30),
    };
    let gpu = Gpu {
        free_bytes: 9 << 30,
        processes: vec![holder],
        power_milliwatts: None,
        persistent: Some(true),
        ..laptop()
    };
    let findings = checked(&machine("580.65", vec![gpu]), &[], Target::Anywhere);
    let occupied = findings
        .iter()
        .find(|finding| finding.kind == "gpu_occupied")
        .unwrap();
    assert_eq!(
        occupied.message,
        "has 9.0 GiB free, and TRELLIS needs up to 12 GiB"
    );
    assert_eq!(occupied.evidence, ["4242 game  15.0 GiB"]);
}

#[test]
fn a_twelve_gigabyte_card_is_not_short_of_its_own_reserve() {
    let total_bytes = (12 << 30) - (300 << 20);
    let gpu = Gpu {
        memory_bytes: total_bytes,
        free_bytes: total_bytes - (200 << 20),
        ..laptop()
    };
    let text = judged(&machine("570.26", vec![gpu]));
    assert!(
        !text.contains("gpu_low_vram") && !text.contains("gpu_occupied"),
        "{text}"
    );
}

#[test]
fn that_windows_moves_a_gpu_s_memory_is_told_there_alone() {
    for (place, in_windows) in [
        (Place::Wsl, true),
        (Place::NixOs, true),
        (Place::NixOs, false),
        (Place::Linux, false),
    ] {
        let machine = Machine {
            place,
            in_windows,
            ..machine("570.26", vec![laptop()])
        };
        assert_eq!(
            judged(&machine).contains("system_memory_fallback"),
            in_windows,
            "{place:?}"
        );
    }
}

#[test]
fn without_a_driver_each_system_has_its_own_advice() {
    let mut text = String::new();
    for place in [Place::NixOs, Place::Wsl, Place::Linux] {
        for (hardware, driver) in [
            (true, Driver::Missing),
            (
                true,
                Driver::Broken {
                    reason: "mismatch".to_owned(),
                },
            ),
        ] {
            let machine = Machine {
                place,
                in_windows: place == Place::Wsl,
                hardware,
                driver,
                ..machine("", Vec::new())
            };
            text.push_str(&judged(&machine));
        }
        text.push_str(&judged(&Machine {
            place,
            in_windows: place == Place::Wsl,
            libcuda: None,
            ..machine("570.26", Vec::new())
        }));
    }
    insta::assert_snapshot!(text);
}

#[test]
fn without_a_card_it_is_a_warning() {
    let machine = Machine {
        hardware: false,
        driver: Driver::Missing,
        ..machine("", Vec::new())
    };
    insta::assert_snapshot!(judged(&machine));
}

#[test]
fn device_files_of_others() {
    let closed_nodes = vec!["nvidia-uvm".to_owned(), "nvidia0".to_owned()];
    let machine = Machine {
        closed_nodes,
        ..machine("570.26", vec![laptop()])
    };
    assert!(judged(&machine).starts_with(
        "Error device_files_closed device files: this user may not open /dev/nvidia-uvm, /dev/nvidia0"
    ));
}

const FIRST: [Model; 1] = [Model::TrellisImageLarge];

#[test]
fn variables_that_are_unset_or_wrong() {
    let unset = lines(&variables::check(&|_| None, BLACKWELL, &FIRST));
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("libstdc++.so.6"), "").unwrap();
    std::fs::write(folder.path().join("libharmless.so"), "").unwrap();
    let get = |name: &str| {
        let value = match name {
            "ATTN_BACKEND" => "flash-attn",
            "SPARSE_BACKEND" => "spconv2",
            "SPCONV_ALGO" => "implicit_gemm",
            "PYTHONPATH" => "/home/me/lib",
            "LD_LIBRARY_PATH" => folder.path().to_str()?,
            "CUDA_VISIBLE_DEVICES" => "",
            "XFORMERS_DISABLED" | "HF_HUB_OFFLINE" => "1",
            _ => return None,
        };
        Some(value.to_owned())
    };
    let wrong = variables::check(&get, BLACKWELL, &FIRST);
    let libraries = wrong
        .iter()
        .find(|finding| finding.kind == "foreign_libraries")
        .unwrap();
    assert_eq!(
        libraries.evidence,
        [folder.path().join("libstdc++.so.6").display().to_string()]
    );
    insta::assert_snapshot!(format!("{unset}\n{}", lines(&wrong)));
}

#[test]
fn a_backend_that_only_the_dense_half_knows() {
    let check = |sparse: Option<&'static str>| {
        let get = move |name: &str| match name {
            "ATTN_BACKEND" => Some("sdpa".to_owned()),
            "SPARSE_ATTN_BACKEND" => sparse.map(str::to_owned),
            _ => None,
        };
        let findings = variables::check(&get, BLACKWELL, &FIRST).into_iter();
        findings
            .filter(|finding| finding.kind == "value_ignored")
            .map(|finding| finding.message)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        check(None),
        ["is `sdpa`, which TRELLIS's sparse attention does not know: it uses flash_attn there"]
    );
    assert_eq!(check(Some("xformers")), Vec::<String>::new());
    assert_eq!(
        check(Some("sdpa")),
        ["`sdpa` is not one of xformers, flash_attn: TRELLIS ignores it and uses flash_attn"]
    );
}

#[test]
fn what_only_trellis2_reads_is_told_for_it_alone() {
    let kinds = |models: &[Model], attention: &str, convolutions: &str| {
        let get = |name: &str| match name {
            "ATTN_BACKEND" => Some(attention.to_owned()),
            "SPCONV_ALGO" => Some("auto".to_owned()),
            "HF_HUB_OFFLINE" => Some("1".to_owned()),
            "SPARSE_CONV_BACKEND" => Some(convolutions.to_owned()),
            _ => None,
        };
        let found = variables::check(&get, BLACKWELL, models);
        found.into_iter().map(|finding| finding.kind).collect::<Vec<_>>()
    };
    let second = [Model::Trellis2];
    assert_eq!(kinds(&second, "xformers", "spconv"), ["other_convolutions"]);
    assert_eq!(kinds(&second, "xformers", "flex_gemm"), ["variables_fine"]);
    assert_eq!(kinds(&second, "flash_attn_3", "flex_gemm"), ["variables_fine"]);
    assert_eq!(
        kinds(&FIRST, "flash_attn_3", "spconv"),
        ["value_ignored", "xformers_enabled", "spconv_compiles"]
    );
}

#[test]
fn variables_as_the_wrapper_sets_them() {
    let get = |name: &str| {
        let value = match name {
            "ATTN_BACKEND" => "xformers",
            "SPCONV_ALGO" => "native",
            "XFORMERS_DISABLED" | "HF_HUB_OFFLINE" => "1",
            _ => return None,
        };
        Some(value.to_owned())
    };
    assert_eq!(
        variables::check(&get, BLACKWELL, &FIRST)[0].kind,
        "variables_fine"
    );
    let hopper = variables::check(&|_| None, Capability { major: 9, minor: 0 }, &FIRST);
    assert!(hopper.iter().all(|finding| finding.kind != "xformers_enabled"));
}

#[test]
fn hosts() {
    let good = Host {
        disks: vec![(PathBuf::from("/var/lib/trellis"), 200 << 30)],
        nix_store_bytes: Some(41_000_000_000),
        memory_bytes: Some(32 << 30),
        lockable_bytes: Some(8 << 20),
        now_seconds: 1_800_000_000,
    };
    let poor = Host {
        disks: vec![(PathBuf::from("/var/lib/trellis"), 2 << 30)],
        nix_store_bytes: Some(39_000_000_000),
        memory_bytes: Some(8 << 30),
        lockable_bytes: None,
        now_seconds: 0,
    };
    insta::assert_snapshot!(format!(
        "{}\n{}",
        lines(&host::check(&good)),
        lines(&host::check(&poor))
    ));
}

#[test]
fn this_machine_can_be_looked_at() {
    let folder = TempDir::new().unwrap();
    let host = Host::look(&[folder.path().join("not/there/yet"), folder.path().to_owned()]);
    assert!(host.memory_bytes > Some(0) && host.disks.len() == 1 && host.now_seconds > 0);
    assert!(host.nix_store_bytes.is_none());
    assert!(host.before_a_build(folder.path()).nix_store_bytes > Some(0));
    Machine::look(Driver::Missing, None, &[]);
}

/// What the doctor asks for is what the pages say, and more than what the pins alone add up to.
#[test]
fn the_room_for_a_build_is_that_of_the_pages() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for page in ["README.md", "docs/nix.md"] {
        let text = std::fs::read_to_string(root.join(page)).unwrap().to_lowercase();
        assert!(text.contains("have 40 gb free"), "{page}");
    }
    let pins = Pins::embedded();
    let wheels = pins
        .wheels
        .values()
        .filter_map(|wheel| Some(wheel.size + wheel.unpacked?));
    let models = &pins.models;
    let files = models.folders["trellis-image-large"]
        .files
        .iter()
        .map(|file| file.size);
    let all: u64 = wheels
        .chain(files)
        .chain([models.dinov2.size, models.u2net.size])
        .sum();
    let tight = Host {
        nix_store_bytes: Some(all),
        ..Host::default()
    };
    let found = host::check(&tight);
    assert!(
        found.iter().any(|finding| finding.kind == "nix_store_full"),
        "{found:?}"
    );
}

#[test]
fn without_a_card_trellis_cannot_run_here_but_an_environment_can_be_checked() {
    let machine = Machine {
        place: Place::Linux,
        in_windows: false,
        hardware: false,
        driver: Driver::Missing,
        libcuda: None,
        closed_nodes: Vec::new(),
    };
    let level = |target| checked(&machine, &[], target)[0].level;
    assert_eq!(
        (level(Target::Here), level(Target::Anywhere)),
        (Level::Error, Level::Warn)
    );
}
