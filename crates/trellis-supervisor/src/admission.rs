//! Whether a GPU has enough memory: for a worker, asked before each start, and for a job, by its formats.
//!
//! The figures are peaks of torch's memory with models of TRELLIS-image-large's size (docs/gpu-run.md), and what
//! CUDA takes beside them. An object of many voxels can need more.

use trellis_core::{Format, Gpu, GpuProcess, Model, Params, memory_size};

use crate::cause::Cause;

const MIB: u64 = 1 << 20;
/// What a process of CUDA takes besides torch's own memory.
const CONTEXT_BYTES: u64 = 512 * MIB;

/// What a job needs on the GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Need {
    /// With all models there.
    resident_bytes: u64,
    /// With each model there for its stage only.
    low_bytes: u64,
}

/// What the jobs of a model need, by what they make.
struct Needs {
    mesh: Need,
    /// Without a mesh: splats, and what is drawn of them.
    splats: Need,
}

/// The mesh decoder's grid takes the most; what is made of Gaussians alone does without it.
const TRELLIS_IMAGE_LARGE: Needs = Needs {
    mesh: Need {
        resident_bytes: 12_595 * MIB + CONTEXT_BYTES,
        low_bytes: 8_704 * MIB + CONTEXT_BYTES,
    },
    splats: Need {
        resident_bytes: 5_837 * MIB + CONTEXT_BYTES,
        low_bytes: 3_174 * MIB + CONTEXT_BYTES,
    },
};

fn needs(model: Model) -> &'static Needs {
    match model {
        Model::TrellisImageLarge => &TRELLIS_IMAGE_LARGE,
    }
}

impl Needs {
    fn of(&self, formats: &[Format]) -> &Need {
        let splats_alone = |format: &Format| matches!(format, Format::GaussianPly | Format::Turntable);
        if formats.iter().all(splats_alone) {
            return &self.splats;
        }
        &self.mesh
    }
}

/// The mode in which a worker may start, `true` for low VRAM; it is lowered where only that fits.
pub(crate) fn admit(model: Model, gpu: &Gpu, low_vram: bool) -> Result<bool, Cause> {
    let needs = needs(model);
    if !low_vram && gpu.free_bytes >= needs.mesh.resident_bytes {
        return Ok(false);
    }
    if gpu.free_bytes >= needs.splats.low_bytes {
        return Ok(true);
    }
    let mut message = format!(
        "{} of {} are free on the GPU, a worker needs {}, and {} for a mesh",
        memory_size(gpu.free_bytes),
        memory_size(gpu.memory_bytes),
        memory_size(needs.splats.low_bytes),
        memory_size(needs.mesh.low_bytes),
    );
    if !gpu.processes.is_empty() {
        message.push_str("; held by ");
        message.push_str(&holders(&gpu.processes));
    }
    Err(Cause::NoMemory { message })
}

/// How much memory a GPU must have to make what is asked, in the mode that takes the least, bytes.
pub fn least_memory(params: &Params) -> u64 {
    needs(params.model.model()).of(&params.formats).low_bytes
}

/// Why no mode lets a GPU of `memory_bytes` make what is asked; none where one does.
pub(crate) fn too_small(params: &Params, memory_bytes: u64) -> Option<String> {
    let needs = needs(params.model.model());
    let needed = least_memory(params);
    (memory_bytes < needed).then(|| {
        let names: Vec<&str> = params.formats.iter().map(|format| format.name()).collect();
        format!(
            "{} needs {} of GPU memory even in low-VRAM mode, and this GPU has {}: `{}` needs {}",
            names.join(", "),
            memory_size(needed),
            memory_size(memory_bytes),
            Format::GaussianPly.name(),
            memory_size(needs.splats.low_bytes),
        )
    })
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

    fn params(formats: &[Format]) -> Params {
        let asked = ParamsPatch::default().with("formats", formats.to_vec());
        asked.resolve(0).unwrap()
    }

    #[test]
    fn the_mode_follows_the_free_memory() {
        let admit = |gpu: &Gpu, low_vram| admit(Model::DEFAULT, gpu, low_vram);
        assert_eq!(admit(&gpu(20), false), Ok(false));
        assert_eq!(admit(&gpu(20), true), Ok(true));
        // Less than a GLB takes with all models on the GPU.
        assert_eq!(admit(&gpu(12), false), Ok(true));
        assert_eq!(admit(&gpu(4), false), Ok(true));
        let refused = admit(&gpu(3), false).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "3.0 GiB of 24.0 GiB are free on the GPU, a worker needs 3.6 GiB, and 9.0 GiB for a mesh; \
             held by process 9 (18.0 GiB), process 7 (2.0 GiB)"
        );
    }

    #[test]
    fn a_mesh_needs_more_than_gaussians() {
        let small = 8 << 30;
        assert_eq!(
            too_small(&params(&[Format::Glb, Format::GaussianPly]), small).unwrap(),
            "glb, gaussian_ply needs 9.0 GiB of GPU memory even in low-VRAM mode, and this GPU has 8.0 GiB: \
             `gaussian_ply` needs 3.6 GiB"
        );
        assert_eq!(
            too_small(&params(&[Format::GaussianPly, Format::Turntable]), small),
            None
        );
        assert_eq!(too_small(&params(&Format::ALL), 12 << 30), None);
    }
}
