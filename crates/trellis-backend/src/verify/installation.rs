//! What a record names, compared with what is installed here.

use trellis_core::{GpuUsed, Installation, Pin, Provenance};

use super::check::Check;
use super::store_path;

/// Compares a record with what is installed here and the GPUs of this machine. Store paths are really hashed:
/// blocks.
pub fn compare_installation(recorded: &Provenance, here: &Installation, gpus: &[GpuUsed]) -> Vec<Check> {
    let mut checks = vec![
        version(&recorded.server.version, &here.server.version),
        pin("program", &recorded.server.pin, &here.server.pin),
    ];
    match &recorded.python_env {
        Some(env) => checks.push(pin("python", &env.pin, &here.python_env)),
        None => checks.push(Check::open("python", "not involved")),
    }
    checks.push(model(recorded, here));
    if let Some(tuning) = &recorded.tuning {
        let said = format!(
            "recorded {tuning}: only with that record of FlexGEMM's are the latents the same to the bit"
        );
        checks.push(Check::open("tuning", said));
    }
    if let Some(variant) = &recorded.variant {
        checks.push(Check::open("variant", format!("recorded {variant}")));
    }
    checks.push(match &recorded.gpu {
        Some(gpu) => compare_gpu(gpu, gpus),
        None => Check::open("gpu", "not involved"),
    });
    checks
}

fn version(recorded: &str, here: &str) -> Check {
    if recorded == here {
        Check::same("version", format!("trellis-server {here}"))
    } else {
        Check::differs("version", format!("recorded {recorded}; this is {here}"))
    }
}

fn pin(about: &'static str, recorded: &Pin, here: &Pin) -> Check {
    match (recorded, here) {
        (Pin::Nix { store_path, nar_hash }, here) => {
            let problem = store_path::check(store_path, nar_hash.as_deref());
            let runs = matches!(here, Pin::Nix { store_path: own, .. } if own == store_path);
            match problem {
                Err(problem) => Check::differs(about, problem),
                Ok(found) if runs => Check::same(about, format!("{store_path}, {found}")),
                Ok(found) => Check::differs(
                    about,
                    format!(
                        "{store_path} is here, {found}, but this machine runs {}",
                        shown(here)
                    ),
                ),
            }
        }
        (
            Pin::Unpinned {
                sha256: Some(recorded),
            },
            Pin::Unpinned { sha256: Some(here) },
        ) => {
            if recorded == here {
                Check::same(about, format!("the same file, sha256 {here}"))
            } else {
                Check::differs(about, format!("recorded sha256 {recorded}; this one has {here}"))
            }
        }
        (Pin::Unpinned { sha256: None }, _) => {
            Check::open(about, "not recorded: it was not from a Nix store")
        }
        (
            Pin::Unpinned {
                sha256: Some(recorded),
            },
            here,
        ) => Check::differs(
            about,
            format!(
                "recorded sha256 {recorded}, not from a Nix store; this is {}",
                shown(here)
            ),
        ),
    }
}

fn shown(pin: &Pin) -> String {
    match pin {
        Pin::Nix { store_path, .. } => store_path.clone(),
        Pin::Unpinned { sha256: Some(sha256) } => format!("one with sha256 {sha256}"),
        Pin::Unpinned { sha256: None } => "one that is not from a Nix store".to_owned(),
    }
}

fn model(recorded: &Provenance, here: &Installation) -> Check {
    let about = "model";
    match (&recorded.model_lock, &here.model_lock) {
        (Some(recorded), Some(here)) if recorded == here => Check::same(
            about,
            "same lock; `trellis model check --hash` compares the files with it",
        ),
        (Some(recorded), Some(here)) => Check::differs(
            about,
            format!("recorded a lock with sha256 {recorded}; this one has {here}"),
        ),
        (Some(_), None) => Check::open(
            about,
            "no lock found; name the model folder with `$TRELLIS_MODEL_PATH`",
        ),
        (None, _) if recorded.python_env.is_some() => Check::open(about, "the model was not locked"),
        (None, _) => Check::open(about, "not involved"),
    }
}

fn compare_gpu(recorded: &GpuUsed, here: &[GpuUsed]) -> Check {
    let about = "gpu";
    let same_kind = |gpu: &&GpuUsed| (&gpu.name, &gpu.capability) == (&recorded.name, &recorded.capability);
    let kind = format!("{} ({})", recorded.name, recorded.capability);
    match (here.iter().find(same_kind), &recorded.driver) {
        (None, _) if here.is_empty() => {
            Check::differs(about, format!("recorded {kind}; this machine has no GPU"))
        }
        (None, _) => {
            let names: Vec<String> = here
                .iter()
                .map(|gpu| format!("{} ({})", gpu.name, gpu.capability))
                .collect();
            Check::differs(
                about,
                format!("recorded {kind}; this machine has {}", names.join(", ")),
            )
        }
        (Some(found), Some(driver)) if found.driver.as_ref() != Some(driver) => Check::differs(
            about,
            format!(
                "recorded {kind} with driver {driver}; this machine has {}",
                found.driver.as_deref().unwrap_or("another driver")
            ),
        ),
        (Some(_), Some(driver)) => Check::same(about, format!("{kind}, driver {driver}")),
        (Some(_), None) => Check::same(about, kind),
    }
}

#[cfg(test)]
mod tests {
    use trellis_core::{ServerBuild, Sha256};

    use super::*;

    fn gpu(name: &str, driver: Option<&str>) -> GpuUsed {
        GpuUsed {
            name: name.to_owned(),
            capability: "12.0".to_owned(),
            driver: driver.map(str::to_owned),
        }
    }

    fn digest(digits: u8) -> Sha256 {
        Sha256::from([digits; 32])
    }

    fn built(digits: u8) -> Pin {
        Pin::Unpinned {
            sha256: Some(digest(digits)),
        }
    }

    fn said(checks: Vec<Check>) -> String {
        let line = |check: Check| format!("{:?} {}: {}\n", check.verdict, check.about, check.detail);
        checks.into_iter().map(line).collect()
    }

    #[test]
    fn programs_are_told_apart() {
        let nowhere = Pin::Nix {
            store_path: "/nix/store/0c6kzph7l0dcbfmjap64f0czdafn3b7x-trellis-0.1.0".to_owned(),
            nar_hash: None,
        };
        let unknown = Pin::Unpinned { sha256: None };
        insta::assert_snapshot!(said(vec![
            version("0.1.0", "0.1.0"),
            version("0.1.0", "0.2.0"),
            pin("program", &built(0xaa), &built(0xaa)),
            pin("program", &built(0xaa), &built(0xbb)),
            pin("program", &built(0xaa), &nowhere),
            pin("python", &unknown, &nowhere),
        ]));
    }

    #[test]
    fn gpus_and_models_are_told_apart() {
        let laptop = gpu("RTX 5090 Laptop", Some("570.86"));
        let here = [
            gpu("RTX 5090 Laptop", Some("570.86")),
            gpu("RTX 5090", Some("570.86")),
        ];
        let installed = |lock: Option<u8>| Installation {
            server: ServerBuild {
                version: "0.1.0".to_owned(),
                pin: built(0xaa),
            },
            python_env: built(0xaa),
            model_lock: lock.map(digest),
        };
        let record = |lock: Option<u8>| -> Provenance {
            let mut record = serde_json::json!({
                "schema": 1, "inputs": [], "backend": "trellis",
                "params": trellis_core::ParamsPatch::default().resolve(7).unwrap(),
                "server": { "version": "0.1.0", "pin": "unpinned" },
                "python_env": { "versions": {}, "pin": "unpinned" },
            });
            record["model_lock"] = serde_json::json!(lock.map(digest));
            serde_json::from_value(record).unwrap()
        };
        insta::assert_snapshot!(said(vec![
            compare_gpu(&laptop, &here),
            compare_gpu(&gpu("RTX 5090 Laptop", None), &here),
            compare_gpu(&gpu("RTX 5090 Laptop", Some("580.1")), &here),
            compare_gpu(&gpu("H100", None), &here),
            compare_gpu(&laptop, &[]),
            model(&record(Some(0x11)), &installed(Some(0x11))),
            model(&record(Some(0x11)), &installed(Some(0x22))),
            model(&record(Some(0x11)), &installed(None)),
            model(&record(None), &installed(Some(0x11))),
        ]));
    }
}
