//! Compiled libraries that packages do not work without. A package that was unpacked from its source, or whose
//! compilation failed half-way, has its Python files and lacks these.

use std::fs;

use crate::environment::Environment;
use crate::packages::files::has_extension;
use crate::text;

/// A library by its path below the packages, without what follows the first dot of its name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Needed {
    /// The package's module.
    pub(super) package: &'static str,
    /// Any of these will do.
    pub(super) any_of: &'static [&'static str],
}

const fn needed(package: &'static str, any_of: &'static [&'static str]) -> Needed {
    Needed { package, any_of }
}

/// By the packages' own sources. nvdiffrast names its library `_nvdiffrast_c` from 0.4 on.
const NEEDED: [Needed; 34] = [
    needed("torch", &["torch/_C"]),
    needed("torch", &["torch/lib/libtorch_python"]),
    needed("torch", &["torch/lib/libtorch_cpu"]),
    needed("torch", &["torch/lib/libc10"]),
    needed("torchvision", &["torchvision/_C"]),
    needed("xformers", &["xformers/_C"]),
    needed("flash_attn", &["flash_attn_2_cuda", "flash_attn_cuda"]),
    needed("spconv", &["spconv/core_cc"]),
    needed("cumm", &["cumm/core_cc"]),
    needed("kaolin", &["kaolin/_C"]),
    needed(
        "nvdiffrast",
        &["_nvdiffrast_c", "nvdiffrast/_C", "nvdiffrast_plugin"],
    ),
    needed("diff_gaussian_rasterization", &["diff_gaussian_rasterization/_C"]),
    needed("diffoctreerast", &["diffoctreerast/_C"]),
    needed(
        "numpy",
        &["numpy/_core/_multiarray_umath", "numpy/core/_multiarray_umath"],
    ),
    needed("scipy", &["scipy/linalg/_fblas"]),
    needed("PIL", &["PIL/_imaging"]),
    needed("cv2", &["cv2/cv2", "cv2/python-3/cv2", "cv2"]),
    needed("onnxruntime", &["onnxruntime/capi/onnxruntime_pybind11_state"]),
    needed("safetensors", &["safetensors/_safetensors_rust"]),
    needed("igraph", &["igraph/_igraph"]),
    needed("pymeshfix", &["pymeshfix/_meshfix"]),
    needed("xatlas", &["xatlas", "xatlas/xatlas", "xatlas/_xatlas"]),
    needed("vtkmodules", &["vtkmodules/vtkCommonCore"]),
    needed("llvmlite", &["llvmlite/binding/libllvmlite"]),
    needed("numba", &["numba/_dispatcher"]),
    needed("skimage", &["skimage/_shared/geometry", "skimage/measure/_ccomp"]),
    needed("open3d", &["open3d/cpu/pybind", "open3d/cuda/pybind"]),
    needed("tokenizers", &["tokenizers/tokenizers"]),
    needed("warp", &["warp/bin/warp"]),
    needed("cumesh", &["cumesh/_C"]),
    needed("cumesh", &["cumesh/_cubvh"]),
    needed("cumesh", &["cumesh/_cumesh_xatlas"]),
    needed("flex_gemm", &["flex_gemm/kernels/cuda"]),
    needed("o_voxel", &["o_voxel/_C"]),
];

/// What of a package that is here is not; `is_here` knows modules.
pub(super) fn absent(environment: &Environment, mut is_here: impl FnMut(&str) -> bool) -> Vec<Needed> {
    let mut absent: Vec<Needed> = NEEDED
        .into_iter()
        .filter(|needed| is_here(needed.package))
        .collect();
    absent.retain(|needed| !needed.any_of.iter().any(|stem| is_there(environment, stem)));
    absent
}

/// Whether a file `stem.….so` is in any folder of packages. A link to nowhere counts: the check of the ABI tells it.
fn is_there(environment: &Environment, stem: &str) -> bool {
    let (folder, name) = stem.rsplit_once('/').unwrap_or(("", stem));
    let prefix = format!("{name}.");
    let folders = if folder.is_empty() {
        environment.package_folders()
    } else {
        environment.places(folder)
    };
    folders.iter().any(|folder| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut entries = entries.filter(|entry| {
            let kind = entry.file_type();
            kind.is_ok_and(|kind| kind.is_file() || kind.is_symlink())
        });
        entries.any(|entry| {
            let file = entry.file_name().to_string_lossy().into_owned();
            file.starts_with(&prefix) && (has_extension(&file, "so") || file.contains(".so."))
        })
    })
}

/// Whether the nvdiffrast that is here compiles its library itself, as those before 0.4 do.
pub(super) fn nvdiffrast_compiles(environment: &Environment) -> bool {
    let sources = environment.places("nvdiffrast/torch/ops.py").into_iter();
    sources
        .filter_map(|path| text::small(&path).ok())
        .any(|text| text.contains("cpp_extension"))
}
