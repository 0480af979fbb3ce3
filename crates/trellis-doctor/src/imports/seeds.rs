//! What TRELLIS and TRELLIS.2 import, at start-up and in a job: facts from their sources at the pinned revisions.
//!
//! Their own modules are walked where they are there; the packages are named as well, since some are imported
//! in a function, by a name that is put together, or by the worker. Not here: open3d and transformers, which
//! only the text pipeline imports; the walk finds them where TRELLIS is as its authors publish it.

use trellis_core::Model;

/// TRELLIS's modules that the image pipeline takes.
const OWN: [&str; 9] = [
    "trellis.pipelines",
    "trellis.models.sparse_structure_vae",
    "trellis.models.sparse_structure_flow",
    "trellis.models.structured_latent_vae",
    "trellis.models.structured_latent_flow",
    "trellis.renderers.gaussian_render",
    "trellis.renderers.mesh_renderer",
    "trellis.utils.render_utils",
    "trellis.utils.postprocessing_utils",
];

/// Modules of packages, each with who imports it.
const PACKAGES: [(&str, &str); 26] = [
    ("torch", "TRELLIS"),
    ("torchvision.transforms", "TRELLIS"),
    ("numpy", "TRELLIS"),
    ("PIL.Image", "TRELLIS"),
    ("rembg", "TRELLIS"),
    ("onnxruntime", "rembg"),
    ("easydict", "TRELLIS"),
    ("tqdm", "TRELLIS"),
    ("safetensors.torch", "TRELLIS"),
    ("huggingface_hub", "TRELLIS"),
    ("spconv.pytorch", "TRELLIS"),
    ("kaolin.utils.testing", "TRELLIS"),
    ("nvdiffrast.torch", "TRELLIS"),
    ("diff_gaussian_rasterization", "TRELLIS"),
    ("utils3d.torch", "TRELLIS"),
    ("utils3d.numpy", "TRELLIS"),
    ("utils3d.io", "TRELLIS"),
    ("plyfile", "TRELLIS"),
    ("trimesh.visual", "TRELLIS"),
    ("xatlas", "TRELLIS"),
    ("pyvista", "TRELLIS"),
    ("pymeshfix._meshfix", "TRELLIS"),
    ("igraph", "TRELLIS"),
    ("cv2", "TRELLIS"),
    ("scipy.stats", "TRELLIS"),
    // utils3d puts the names of its modules together; they need it for connected components.
    ("scipy.sparse.csgraph", "utils3d"),
];

/// TRELLIS.2's modules that the pipeline takes.
const OWN2: [&str; 9] = [
    "trellis2.pipelines.trellis2_image_to_3d",
    "trellis2.models.sparse_structure_vae",
    "trellis2.models.sparse_structure_flow",
    "trellis2.models.structured_latent_flow",
    "trellis2.models.sc_vaes.sparse_unet_vae",
    "trellis2.models.sc_vaes.fdg_vae",
    "trellis2.modules.image_feature_extractor",
    "trellis2.modules.sparse.conv.conv_flex_gemm",
    "trellis2.representations",
];

/// Modules of packages, as above.
const PACKAGES2: [(&str, &str); 23] = [
    ("torch", "TRELLIS.2"),
    ("torchvision.transforms", "TRELLIS.2"),
    ("numpy", "TRELLIS.2"),
    ("PIL.Image", "TRELLIS.2"),
    ("transformers.models.dinov3_vit.modeling_dinov3_vit", "TRELLIS.2"),
    ("easydict", "TRELLIS.2"),
    ("tqdm", "TRELLIS.2"),
    ("safetensors.torch", "TRELLIS.2"),
    ("huggingface_hub", "TRELLIS.2"),
    ("o_voxel.postprocess", "TRELLIS.2"),
    ("o_voxel.convert", "TRELLIS.2"),
    // Modules that another package of the name does not have.
    ("cumesh.remeshing", "TRELLIS.2"),
    ("cumesh.bvh", "TRELLIS.2"),
    ("cumesh.xatlas", "TRELLIS.2"),
    ("flex_gemm.ops.spconv", "TRELLIS.2"),
    ("flex_gemm.ops.grid_sample", "TRELLIS.2"),
    ("triton.language", "FlexGEMM"),
    ("nvdiffrast.torch", "o_voxel"),
    ("trimesh.visual", "o_voxel"),
    ("cv2", "o_voxel"),
    ("plyfile", "o_voxel"),
    // The worker removes backgrounds with it in place of RMBG-2.0.
    ("rembg", "the worker"),
    ("onnxruntime", "rembg"),
];

/// Either of these computes attention.
const ATTENTION: [&str; 2] = ["xformers.ops", "flash_attn"];

/// Where the walk begins for the models. `is_here` says whether an outermost package is there.
pub(super) fn seeds(
    models: &[Model],
    mut is_here: impl FnMut(&str) -> bool,
) -> Vec<(&'static str, &'static str)> {
    let attention = ATTENTION.into_iter().find(|module| is_here(outermost(module)));
    let attention = attention.unwrap_or(ATTENTION[0]);
    let of = |model: &Model| {
        let (own, packages, name): (&[&'static str], &[(&'static str, &'static str)], _) = match model {
            Model::TrellisImageLarge => (&OWN, &PACKAGES, "TRELLIS"),
            Model::Trellis2 => (&OWN2, &PACKAGES2, "TRELLIS.2"),
        };
        let own = own.iter().map(move |module| (*module, name));
        own.chain(packages.iter().copied()).chain([(attention, name)])
    };
    models.iter().flat_map(of).collect()
}

/// `x` of `x.y.z`.
pub(super) fn outermost(module: &str) -> &str {
    module.split('.').next().unwrap_or(module)
}

/// The name under which a module's package is pinned or published, where it is another than the module's.
pub(super) fn published(module: &str) -> &str {
    match module {
        "PIL" => "pillow",
        "cv2" => "opencv-python-headless",
        "skimage" => "scikit-image",
        "spconv" => "spconv-cu126",
        "cumm" => "cumm-cu126",
        "yaml" => "pyyaml",
        "dateutil" => "python-dateutil",
        "vtkmodules" => "vtk",
        "warp" => "warp-lang",
        "diff_gaussian_rasterization" => "mip-splatting",
        "_nvdiffrast_c" => "nvdiffrast",
        "google" => "protobuf",
        // A folder of that repository.
        "o_voxel" => "trellis2",
        other => other,
    }
}
