//! Whether a GPU has enough memory: for a worker, asked before each start, and for a job, by its formats, quality and
//! resolution.
//!
//! The figures of TRELLIS-image-large are peaks of torch's memory with models of its size, and what CUDA takes beside
//! them. Those of TRELLIS's own ways are what torch reserved (docs/gpu-run.md). Those of ours are what it gave out
//! (docs/performance.md), and a margin. Those of TRELLIS.2 are in trellis-core. An object of many voxels can need more.

use trellis_core::{Format, Gpu, GpuNeed, GpuProcess, Model, ModelParams, Params, Quality, memory_size};

use crate::cause::Cause;
use crate::share::Share;

const MIB: u64 = 1 << 20;
/// What torch reserves beyond what it gives out: of TRELLIS's own ways it reserved 12.3 GiB and gave out 11.0, in low-VRAM
/// mode 8.5 and 7.4.
const RESERVE_BYTES: u64 = 1280 * MIB;

/// By what torch reserved, in MiB.
const fn reserved(resident: u64, low: u64) -> GpuNeed {
    GpuNeed {
        resident_bytes: resident * MIB + GpuNeed::CONTEXT_BYTES,
        low_bytes: low * MIB + GpuNeed::CONTEXT_BYTES,
    }
}

/// By what torch gave out, in MiB.
const fn given_out(resident: u64, low: u64) -> GpuNeed {
    GpuNeed {
        resident_bytes: resident * MIB + RESERVE_BYTES + GpuNeed::CONTEXT_BYTES,
        low_bytes: low * MIB + RESERVE_BYTES + GpuNeed::CONTEXT_BYTES,
    }
}

/// What the jobs of a model need, by what they make.
#[derive(Debug, Clone, Copy)]
struct Needs {
    mesh: GpuNeed,
    /// Without a mesh: splats, and what is drawn of them.
    splats: GpuNeed,
}

/// TRELLIS's own ways. The mesh decoder's grid takes the most; what is made of Gaussians alone does without it.
const EXACT: Needs = Needs {
    mesh: reserved(12_595, 8_704),
    splats: reserved(5_837, 3_174),
};

/// Ours: a whole job to a textured GLB took 7.24 GiB. In low-VRAM mode the mesh decoder takes the most, 3.23. Of splats the
/// structured latent is counted: 4.64 and 1.99.
const OURS: Needs = Needs {
    mesh: given_out(7_414, 3_308),
    splats: given_out(4_752, 2_038),
};

/// What a worker's jobs need; of TRELLIS.2, whose jobs need different amounts, those at its least resolution.
fn needs(model: Model, quality: Quality) -> Needs {
    match (model, quality) {
        (Model::TrellisImageLarge, Quality::Exact) => EXACT,
        (Model::TrellisImageLarge, Quality::Balanced | Quality::Draft) => OURS,
        (Model::Trellis2, _) => Needs {
            mesh: GpuNeed::of_trellis2(512),
            splats: GpuNeed::of_trellis2(512),
        },
    }
}

fn needs_of(params: &Params) -> GpuNeed {
    match &params.model {
        ModelParams::TrellisImageLarge(own) => {
            needs(Model::TrellisImageLarge, own.quality).of(&params.formats)
        }
        ModelParams::Trellis2(own) => GpuNeed::of_trellis2(own.resolution),
    }
}

impl Needs {
    fn of(&self, formats: &[Format]) -> GpuNeed {
        let splats_alone = |format: &Format| matches!(format, Format::GaussianPly | Format::Turntable);
        if formats.iter().all(splats_alone) {
            return self.splats;
        }
        self.mesh
    }
}

/// The mode in which a worker may start, `true` for low VRAM; it is lowered where only that fits.
pub(crate) fn admit(
    asked: (Model, Quality),
    gpu: &Gpu,
    share: &Share,
    low_vram: bool,
) -> Result<bool, Cause> {
    let needs = needs(asked.0, asked.1);
    let room = share.of_free(gpu.free_bytes);
    if !low_vram && room >= needs.mesh.resident_bytes {
        return Ok(false);
    }
    if room >= needs.splats.low_bytes {
        return Ok(true);
    }
    let mut least = memory_size(needs.splats.low_bytes);
    if needs.mesh != needs.splats {
        least = format!("{least}, and {} for a mesh", memory_size(needs.mesh.low_bytes));
    }
    let mut said = vec![format!(
        "{} of {} are free on the GPU, a worker needs {least}",
        memory_size(gpu.free_bytes),
        memory_size(gpu.memory_bytes),
    )];
    if share.workers() > 1 {
        let part = memory_size(room);
        said.push(format!("{} workers share it, {part} for each", share.workers()));
    }
    if !gpu.processes.is_empty() {
        said.push(format!("held by {}", holders(&gpu.processes)));
    }
    let message = said.join("; ");
    Err(Cause::NoMemory { message })
}

/// How much memory a GPU must have to make what is asked, in the mode that takes the least, bytes.
pub fn least_memory(params: &Params) -> u64 {
    needs_of(params).low_bytes
}

/// Whether a job is better made with each model on the GPU for its stage only: all of them do not fit `memory_bytes`.
pub(crate) fn fits_in_low_mode_only(params: &Params, memory_bytes: u64) -> bool {
    memory_bytes < needs_of(params).resident_bytes
}

/// Why no mode lets a worker that may have `memory_bytes` make what is asked; none where one does.
pub(crate) fn too_small(params: &Params, memory_bytes: u64) -> Option<String> {
    let needed = least_memory(params);
    (memory_bytes < needed).then(|| {
        let names: Vec<&str> = params.formats.iter().map(|format| format.name()).collect();
        let needs = format!(
            "{} needs {} of GPU memory even in low-VRAM mode, and a worker here has {}",
            names.join(", "),
            memory_size(needed),
            memory_size(memory_bytes),
        );
        let less = others(params).into_iter().filter_map(|(what, other)| {
            let bytes = needs_of(&other).low_bytes;
            (bytes < needed).then(|| format!("{what} needs {}", memory_size(bytes)))
        });
        let said: Vec<String> = [needs].into_iter().chain(less).collect();
        said.join("; ")
    })
}

/// What somebody may ask for in its place that needs less.
fn others(params: &Params) -> Vec<(&'static str, Params)> {
    let mut ours = params.clone();
    match &mut ours.model {
        ModelParams::TrellisImageLarge(own) => own.quality = Quality::Balanced,
        ModelParams::Trellis2(own) => {
            own.resolution = 1024;
            return vec![("a resolution of 1024", ours)];
        }
    }
    let splats = Params {
        formats: vec![Format::GaussianPly],
        ..params.clone()
    };
    vec![("the quality `balanced`", ours), ("`gaussian_ply`", splats)]
}

fn holders(processes: &[GpuProcess]) -> String {
    let mut sorted: Vec<&GpuProcess> = processes.iter().collect();
    sorted.sort_by_key(|process| std::cmp::Reverse(process.memory_bytes));
    let shown: Vec<String> = sorted
        .iter()
        .take(3)
        .map(|process| match process.memory_bytes {
            Some(bytes) => format!("process {} ({})", process.pid, memory_size(bytes)),
            None => format!("process {}", process.pid),
        })
        .collect();
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use trellis_core::{Capability, ParamsPatch};

    use super::*;

    fn gpu(free_gib: u64) -> Gpu {
        Gpu {
            index: 0,
            uuid: "GPU-a".to_owned(),
            name: "NVIDIA GeForce RTX 5090 Laptop GPU".to_owned(),
            capability: Capability { major: 12, minor: 0 },
            memory_bytes: 24 << 30,
            free_bytes: free_gib << 30,
            temperature: None,
            utilisation: None,
            power_milliwatts: None,
            persistent: None,
            processes: vec![
                GpuProcess {
                    name: None,
                    pid: 7,
                    memory_bytes: Some(2 << 30),
                },
                GpuProcess {
                    name: None,
                    pid: 9,
                    memory_bytes: Some(18 << 30),
                },
            ],
        }
    }

    fn params(formats: &[Format], quality: Quality) -> Params {
        let asked = ParamsPatch::default()
            .with("formats", formats.to_vec())
            .with("quality", quality);
        asked.resolve(0).unwrap()
    }

    #[test]
    fn the_mode_follows_the_free_memory() {
        let alone = Share::among(1);
        let admit = |gpu: &Gpu, quality, low_vram| admit((Model::DEFAULT, quality), gpu, &alone, low_vram);
        for quality in [Quality::Balanced, Quality::Draft, Quality::Exact] {
            assert_eq!(admit(&gpu(20), quality, false), Ok(false));
            assert_eq!(admit(&gpu(20), quality, true), Ok(true));
            assert_eq!(admit(&gpu(4), quality, false), Ok(true));
        }
        assert_eq!(admit(&gpu(11), Quality::Balanced, false), Ok(false));
        // Less than a GLB takes with all models on the GPU.
        assert_eq!(admit(&gpu(11), Quality::Exact, false), Ok(true));
        assert_eq!(admit(&gpu(8), Quality::Balanced, false), Ok(true));
        let refused = admit(&gpu(3), Quality::Balanced, false).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "3.0 GiB of 24.0 GiB are free on the GPU, a worker needs 3.7 GiB, and 5.0 GiB for a mesh; \
             held by process 9 (18.0 GiB), process 7 (2.0 GiB)"
        );
    }

    #[test]
    fn workers_of_one_gpu_count_on_their_part() {
        let balanced = (Model::DEFAULT, Quality::Balanced);
        let two = Share::among(2);
        assert_eq!(admit(balanced, &gpu(22), &two, false), Ok(false));
        // The first holds its models now; there is room for the second as well.
        assert_eq!(admit(balanced, &gpu(17), &two, false), Ok(false));
        let three = Share::among(3);
        assert_eq!(admit(balanced, &gpu(22), &three, false), Ok(true));
        let many = Share::among(8);
        let refused = admit(balanced, &gpu(22), &many, false).unwrap_err().to_string();
        assert!(
            refused.contains("; 8 workers share it, 2.8 GiB for each; held by"),
            "{refused}"
        );
    }

    #[test]
    fn a_mesh_needs_more_than_gaussians_and_exact_more_than_our_ways() {
        let small = 4 << 30;
        let mesh = &[Format::Glb, Format::GaussianPly];
        assert_eq!(
            too_small(&params(mesh, Quality::Balanced), small).unwrap(),
            "glb, gaussian_ply needs 5.0 GiB of GPU memory even in low-VRAM mode, and a worker here has 4.0 GiB; \
             `gaussian_ply` needs 3.7 GiB"
        );
        assert_eq!(
            too_small(&params(mesh, Quality::Exact), 8 << 30).unwrap(),
            "glb, gaussian_ply needs 9.0 GiB of GPU memory even in low-VRAM mode, and a worker here has 8.0 GiB; \
             the quality `balanced` needs 5.0 GiB; `gaussian_ply` needs 3.6 GiB"
        );
        assert_eq!(too_small(&params(mesh, Quality::Balanced), 8 << 30), None);
        let splats = &[Format::GaussianPly, Format::Turntable];
        assert_eq!(too_small(&params(splats, Quality::Balanced), small), None);
        assert_eq!(too_small(&params(&Format::ALL, Quality::Exact), 12 << 30), None);
    }

    #[test]
    fn a_job_of_trellis_2_needs_what_its_resolution_takes() {
        let at = |resolution: i64| {
            let asked = ParamsPatch::default().or_model(Model::Trellis2);
            asked.with("resolution", resolution).resolve(0).unwrap()
        };
        // The memory of a card as it is told, and whether each resolution has all models on the GPU there.
        for (card, whole) in [
            (8u64 << 30, [false, false, false]),
            (24 << 30, [true, false, false]),
            (32 << 30, [true, true, false]),
            (48 << 30, [true, true, false]),
            (80 << 30, [true, true, false]),
            (139 << 30, [true, true, true]),
        ] {
            let all = [512, 1024, 1536].map(|resolution| !fits_in_low_mode_only(&at(resolution), card));
            assert_eq!(all, whole, "{}", memory_size(card));
        }
        assert_eq!(too_small(&at(1024), 8 << 30), None);
        assert_eq!(too_small(&at(1536), 24 << 30), None);
        assert_eq!(
            too_small(&at(1536), 8 << 30).unwrap(),
            "glb needs 12.4 GiB of GPU memory even in low-VRAM mode, and a worker here has 8.0 GiB; a resolution of \
             1024 needs 7.1 GiB"
        );
        assert!(too_small(&at(512), 6 << 30).is_some());
        // A worker starts where its least job fits, with all models where that one has them there.
        let asked = (Model::Trellis2, Quality::Balanced);
        let alone = Share::among(1);
        assert_eq!(admit(asked, &gpu(23), &alone, false), Ok(false));
        assert_eq!(admit(asked, &gpu(20), &alone, false), Ok(true));
        assert_eq!(
            admit(asked, &gpu(6), &Share::among(1), false)
                .unwrap_err()
                .to_string(),
            "6.0 GiB of 24.0 GiB are free on the GPU, a worker needs 7.1 GiB; held by process 9 (18.0 GiB), process 7 \
             (2.0 GiB)"
        );
    }

    #[test]
    fn a_job_for_which_all_models_are_too_much_has_each_for_its_stage() {
        let card = 12 << 30;
        assert!(fits_in_low_mode_only(&params(&Format::ALL, Quality::Exact), card));
        assert!(!fits_in_low_mode_only(
            &params(&Format::ALL, Quality::Draft),
            card
        ));
        assert!(!fits_in_low_mode_only(
            &params(&[Format::Turntable], Quality::Exact),
            card
        ));
    }
}
