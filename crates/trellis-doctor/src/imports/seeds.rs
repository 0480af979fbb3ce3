//! What TRELLIS imports, at start-up and in a job: facts from its source at the pinned revision.
//!
//! TRELLIS's own modules are walked where they are there; the packages are named as well, since some are imported
//! in a function, by a name that is put together, or by the worker. Not here: open3d and transformers, which
//! only the text pipeline imports; the walk finds them where TRELLIS is as its authors publish it.

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

/// Either of these computes attention.
const ATTENTION: [&str; 2] = ["xformers.ops", "flash_attn"];

/// Where the walk begins. `is_here` says whether an outermost package is there.
pub(super) fn seeds(mut is_here: impl FnMut(&str) -> bool) -> Vec<(&'static str, &'static str)> {
    let attention = ATTENTION.into_iter().find(|module| is_here(outermost(module)));
    let own = OWN.into_iter().map(|module| (module, "TRELLIS"));
    let attention = (attention.unwrap_or(ATTENTION[0]), "TRELLIS");
    own.chain(PACKAGES).chain([attention]).collect()
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
        other => other,
    }
}
