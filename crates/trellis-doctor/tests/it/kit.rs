//! Makes environments: packages, compiled libraries, fatbins.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use trellis_doctor::{Environment, Finding, Report, Settings, examine};
use trellis_pins::Pins;

/// Wheels with metadata in a whole environment.
const WHEELS: [&str; 9] = [
    "torchvision",
    "triton",
    "xformers",
    "spconv-cu126",
    "cumm-cu126",
    "numpy",
    "typing-extensions",
    "plyfile",
    "scipy",
];

/// Modules of a whole environment.
const MODULES: [(&str, &str); 41] = [
    (
        "torch/__init__.py",
        "import typing_extensions\nfrom . import nn\n",
    ),
    ("torch/nn.py", ""),
    ("typing_extensions.py", ""),
    ("torchvision/transforms/__init__.py", ""),
    ("torchvision/__init__.py", ""),
    ("numpy/__init__.py", ""),
    ("PIL/Image.py", ""),
    ("rembg/__init__.py", "import numpy as np\n"),
    ("onnxruntime/__init__.py", ""),
    ("easydict.py", ""),
    ("tqdm/__init__.py", ""),
    ("safetensors/torch.py", ""),
    ("huggingface_hub/__init__.py", ""),
    ("spconv/pytorch/__init__.py", ""),
    ("cumm/__init__.py", ""),
    ("xformers/ops/__init__.py", ""),
    ("kaolin/utils/testing.py", ""),
    ("nvdiffrast/torch/__init__.py", "from .ops import *\n"),
    ("nvdiffrast/torch/ops.py", "import _nvdiffrast_c\n"),
    ("diff_gaussian_rasterization/__init__.py", ""),
    ("utils3d/torch/__init__.py", ""),
    ("utils3d/numpy/__init__.py", ""),
    ("utils3d/io/__init__.py", ""),
    ("plyfile.py", ""),
    ("trimesh/visual/__init__.py", ""),
    ("pyvista/__init__.py", ""),
    ("igraph/__init__.py", ""),
    ("cv2/__init__.py", ""),
    ("scipy/stats/__init__.py", ""),
    ("scipy/sparse/csgraph/__init__.py", ""),
    (
        "trellis/pipelines/__init__.py",
        "from ..representations.mesh import cube2mesh\n",
    ),
    ("trellis/models/sparse_structure_vae.py", ""),
    ("trellis/models/sparse_structure_flow.py", ""),
    ("trellis/models/structured_latent_vae.py", ""),
    ("trellis/models/structured_latent_flow.py", ""),
    ("trellis/renderers/gaussian_render.py", ""),
    ("trellis/renderers/mesh_renderer.py", ""),
    ("trellis/utils/render_utils.py", ""),
    ("trellis/utils/postprocessing_utils.py", ""),
    (
        "trellis/representations/mesh/cube2mesh.py",
        "from .flexicubes.flexicubes import FlexiCubes\n",
    ),
    ("trellis/representations/mesh/flexicubes/flexicubes.py", ""),
];

/// Libraries of a whole environment.
const LIBRARIES: [&str; 19] = [
    "torch/lib/libtorch_python.so",
    "torch/lib/libtorch_cpu.so",
    "torch/lib/libc10.so",
    "torchvision/_C.so",
    "xformers/_C.so",
    "spconv/core_cc.so",
    "cumm/core_cc.so",
    "kaolin/_C.so",
    "_nvdiffrast_c.so",
    "diff_gaussian_rasterization/_C.so",
    "numpy/_core/_multiarray_umath.so",
    "scipy/linalg/_fblas.so",
    "PIL/_imaging.so",
    "cv2/cv2.abi3.so",
    "onnxruntime/capi/onnxruntime_pybind11_state.so",
    "safetensors/_safetensors_rust.abi3.so",
    "igraph/_igraph.abi3.so",
    "pymeshfix/_meshfix.abi3.so",
    "xatlas.so",
];

/// Modules that only TRELLIS.2 needs.
const MODULES_OF_TRELLIS2: [(&str, &str); 23] = [
    ("cumesh/remeshing.py", ""),
    ("cumesh/bvh.py", ""),
    ("cumesh/xatlas.py", ""),
    ("triton/language.py", ""),
    (
        "trellis2/__init__.py",
        "from . import models, pipelines, representations\n",
    ),
    ("trellis2/pipelines/__init__.py", ""),
    ("trellis2/pipelines/trellis2_image_to_3d.py", ""),
    ("trellis2/models/__init__.py", ""),
    ("trellis2/models/sparse_structure_vae.py", ""),
    ("trellis2/models/sparse_structure_flow.py", ""),
    ("trellis2/models/structured_latent_flow.py", ""),
    ("trellis2/models/sc_vaes/sparse_unet_vae.py", ""),
    ("trellis2/models/sc_vaes/fdg_vae.py", ""),
    (
        "trellis2/modules/image_feature_extractor.py",
        "from transformers import DINOv3ViTModel\n",
    ),
    (
        "trellis2/modules/sparse/conv/conv_flex_gemm.py",
        "from flex_gemm.ops.spconv import sparse_submanifold_conv3d\n",
    ),
    ("trellis2/representations/__init__.py", "import cumesh\n"),
    ("transformers/models/dinov3_vit/modeling_dinov3_vit.py", ""),
    ("o_voxel/__init__.py", ""),
    (
        "o_voxel/postprocess.py",
        "import cumesh\nimport nvdiffrast.torch as dr\n",
    ),
    ("o_voxel/convert/__init__.py", ""),
    (
        "cumesh/__init__.py",
        "from . import remeshing\nfrom .bvh import cuBVH\nfrom .xatlas import Atlas\n",
    ),
    (
        "flex_gemm/ops/spconv/__init__.py",
        "import triton.language as tl\n",
    ),
    ("flex_gemm/ops/grid_sample/__init__.py", ""),
];

/// Its libraries.
const LIBRARIES_OF_TRELLIS2: [&str; 5] = [
    "cumesh/_C.so",
    "cumesh/_cubvh.so",
    "cumesh/_cumesh_xatlas.so",
    "flex_gemm/kernels/cuda.so",
    "o_voxel/_C.so",
];

/// A Python 3.12 environment in a folder of its own.
pub(crate) struct Env {
    folder: TempDir,
}

/// A shared object to compile. Nothing of the system is linked in, so the test decides what is there.
#[derive(Default)]
pub(crate) struct Lib<'a> {
    pub(crate) defines: &'a [&'a str],
    pub(crate) needs: &'a [&'a str],
    pub(crate) weak: &'a [&'a str],
    /// Libraries of the environment, by path below the packages.
    pub(crate) links: &'a [&'a str],
    /// A section's name and its content.
    pub(crate) section: Option<(&'a str, Vec<u8>)>,
    /// A version that the defined symbols get.
    pub(crate) version: Option<&'a str>,
    pub(crate) flags: &'a [&'a str],
    /// Further C.
    pub(crate) code: &'a str,
}

impl Env {
    pub(crate) fn new() -> Self {
        let env = Self {
            folder: TempDir::new().unwrap(),
        };
        fs::create_dir_all(env.packages()).unwrap();
        env
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn packages(&self) -> PathBuf {
        self.root().join("lib/python3.12/site-packages")
    }

    /// Writes a file below the packages.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.packages().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    /// All that TRELLIS imports, each package with its metadata, a module and its library, as pinned.
    pub(crate) fn whole() -> Self {
        let (env, pins) = (Self::new(), Pins::embedded());
        env.torch(&pins.wheels["torch"].version, &pins.cuda.version);
        for name in WHEELS {
            env.package(name, &pins.wheels[name].version, &[]);
        }
        for name in ["kaolin", "nvdiffrast", "utils3d"] {
            env.package(name, &pins.sources[name].version, &[]);
        }
        for (module, source) in MODULES {
            env.file(module, source);
        }
        env.library("torch/_C.so", Lib::default());
        let library = fs::read(env.packages().join("torch/_C.so")).unwrap();
        for name in LIBRARIES {
            env.file(name, &library);
        }
        env
    }

    /// All that TRELLIS.2 imports, and nothing that only TRELLIS does.
    pub(crate) fn whole_trellis2() -> Self {
        let (env, pins) = (Self::whole(), Pins::embedded());
        for only_first in [
            "trellis",
            "spconv",
            "cumm",
            "kaolin",
            "diff_gaussian_rasterization",
            "utils3d",
            "pyvista",
            "igraph",
            "pymeshfix",
            "xatlas.so",
            "scipy",
        ] {
            env.remove(only_first);
        }
        let records = ["spconv-cu126", "cumm-cu126", "scipy"].map(|name| (name, &pins.wheels[name].version));
        let sources = ["kaolin", "utils3d"].map(|name| (name, &pins.sources[name].version));
        for (name, version) in records.into_iter().chain(sources) {
            env.remove(&format!("{}-{version}.dist-info", name.replace('-', "_")));
        }
        let versions = ["transformers", "tokenizers"].map(|name| (name, &pins.wheels[name].version));
        let built = ["cumesh", "flex-gemm"].map(|name| (name, &pins.sources[name].version));
        for (name, version) in versions.into_iter().chain(built) {
            env.package(name, version, &[]);
        }
        for (module, source) in MODULES_OF_TRELLIS2 {
            env.file(module, source);
        }
        let library = fs::read(env.packages().join("torch/_C.so")).unwrap();
        for name in LIBRARIES_OF_TRELLIS2 {
            env.file(name, &library);
        }
        env
    }

    /// Removes a file or a folder below the packages, if it is there.
    pub(crate) fn remove(&self, name: &str) -> &Self {
        let path = self.packages().join(name);
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap();
        } else if path.exists() {
            fs::remove_file(path).unwrap();
        }
        self
    }

    /// Installs a package's metadata.
    pub(crate) fn package(&self, name: &str, version: &str, requires: &[&str]) -> &Self {
        let mut metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n");
        for requirement in requires {
            let _ = writeln!(metadata, "Requires-Dist: {requirement}");
        }
        let folder = format!("{}-{version}.dist-info", name.replace('-', "_"));
        self.file(&format!("{folder}/METADATA"), metadata)
    }

    /// torch's metadata and what it says of itself.
    pub(crate) fn torch(&self, version: &str, cuda: &str) -> &Self {
        let tag = cuda.replace('.', "");
        let module = format!("__version__ = '{version}+cu{tag}'\ncuda: Optional[str] = '{cuda}'\n");
        self.package("torch", version, &[])
            .file("torch/version.py", module)
    }

    /// Compiles a library to a path below the packages.
    pub(crate) fn library(&self, name: &str, lib: Lib<'_>) -> &Self {
        let path = self.packages().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let scratch = TempDir::new().unwrap();
        let Lib {
            links,
            version,
            flags,
            ..
        } = lib;
        let source = scratch.path().join("lib.c");
        fs::write(&source, lib.source(scratch.path())).unwrap();
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-nostdlib", "-O0", "-o"])
            .arg(&path)
            .arg(&source);
        let soname = path.file_name().unwrap().to_string_lossy().into_owned();
        cc.arg(format!("-Wl,-soname,{soname}")).args(flags);
        if let Some(version) = version {
            let script = scratch.path().join("versions");
            fs::write(&script, format!("{version} {{ global: *; }};\n")).unwrap();
            cc.arg(format!("-Wl,--version-script={}", script.display()));
        }
        // Even where nothing is used of them, as linkers of wheels do.
        cc.arg("-Wl,--no-as-needed")
            .args(links.iter().map(|link| self.packages().join(link)));
        let output = cc
            .output()
            .expect("a C compiler is there: tests/setup installs it");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        self
    }

    pub(crate) fn report(&self) -> Report {
        self.report_for("12.0")
    }

    pub(crate) fn report_for(&self, capability: &str) -> Report {
        let environment = Environment::discover(self.root()).unwrap();
        let settings = Settings {
            capability: capability.parse().unwrap(),
            library_folders: Vec::new(),
            pins: Pins::embedded(),
            model: None,
        };
        examine(&environment, &settings)
    }

    /// The finding of a kind; fails with all of them if there is not exactly one.
    pub(crate) fn finding(&self, kind: &str) -> Finding {
        let report = self.report();
        let mut found = report.findings.iter().filter(|finding| finding.kind == kind);
        match (found.next(), found.next()) {
            (Some(one), None) => one.clone(),
            _ => panic!("not exactly one {kind}: {:#?}", report.findings),
        }
    }

    pub(crate) fn kinds(&self) -> Vec<&'static str> {
        self.report()
            .findings
            .iter()
            .map(|finding| finding.kind)
            .collect()
    }
}

impl Lib<'_> {
    fn source(self, scratch: &Path) -> String {
        let mut source = format!("{}\n", self.code);
        for (number, symbol) in self.defines.iter().enumerate() {
            let _ = writeln!(
                source,
                "void d{number}(void) __asm__(\"{symbol}\"); void d{number}(void) {{}}"
            );
        }
        for (number, symbol) in self.needs.iter().enumerate() {
            let _ = writeln!(source, "extern void n{number}(void) __asm__(\"{symbol}\");");
            let _ = writeln!(source, "void *use_n{number}(void) {{ return n{number}; }}");
        }
        for (number, symbol) in self.weak.iter().enumerate() {
            let _ = writeln!(
                source,
                "extern __attribute__((weak)) void w{number}(void) __asm__(\"{symbol}\");"
            );
            let _ = writeln!(source, "void *use_w{number}(void) {{ return w{number}; }}");
        }
        if let Some((name, content)) = &self.section {
            let path = scratch.join("section.bin");
            fs::write(&path, content).unwrap();
            let path = path.display();
            let _ = writeln!(
                source,
                "__asm__(\".section {name},\\\"a\\\"\\n.balign 8\\n.incbin \\\"{path}\\\"\\n.previous\");"
            );
        }
        source
    }
}

/// A piece of code in a fatbin made by hand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Piece {
    pub(crate) kind: u16,
    pub(crate) arch: u32,
    pub(crate) flags: u64,
    pub(crate) payload: u64,
}

pub(crate) fn sass(arch: u32) -> Piece {
    Piece {
        kind: 2,
        arch,
        flags: 0x11,
        payload: 32,
    }
}

pub(crate) fn ptx(arch: u32) -> Piece {
    Piece {
        kind: 1,
        ..sass(arch)
    }
}

impl Piece {
    /// `sm_90a`
    pub(crate) fn exact(self) -> Self {
        Self {
            flags: self.flags | 0x10_0000,
            ..self
        }
    }

    /// `sm_100f`
    pub(crate) fn family(self) -> Self {
        Self {
            flags: self.flags | 0x20_0000,
            ..self
        }
    }
}

/// One container, as `fatbinary` writes it.
pub(crate) fn fatbin(pieces: &[Piece]) -> Vec<u8> {
    let mut entries = Vec::new();
    for piece in pieces {
        entries.extend(piece.kind.to_le_bytes());
        entries.extend(0x101_u16.to_le_bytes());
        entries.extend(64_u32.to_le_bytes());
        entries.extend(piece.payload.to_le_bytes());
        entries.extend([0; 12]);
        entries.extend(piece.arch.to_le_bytes());
        entries.extend([0; 8]);
        entries.extend(piece.flags.to_le_bytes());
        entries.extend([0; 16]);
        entries.extend(vec![0xAB; usize::try_from(piece.payload).unwrap()]);
    }
    let mut bytes = 0xBA55_ED50_u32.to_le_bytes().to_vec();
    bytes.extend(1_u16.to_le_bytes());
    bytes.extend(16_u16.to_le_bytes());
    bytes.extend((entries.len() as u64).to_le_bytes());
    bytes.extend(entries);
    bytes
}
