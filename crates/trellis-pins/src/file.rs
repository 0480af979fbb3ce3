//! The shape of `nix/pins.json`. Unknown keys are errors: a key that nobody reads is a mistake.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use trellis_core::Sha256;

/// The file as it was when the program was built.
const EMBEDDED: &str = include_str!("../../../nix/pins.json");

static PINS: LazyLock<Pins> =
    LazyLock::new(|| Pins::parse(EMBEDDED).expect("a test of this crate parses the embedded file"));

/// Why a pins file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PinsError {
    /// Not JSON, or not of this shape.
    #[error("the pins are not of the expected shape")]
    Shape(#[source] serde_json::Error),
}

/// Everything that is pinned.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pins {
    /// Grows when a reader of an older shape would misread the file.
    pub schema: u32,
    /// What the file is, for a person who opens it.
    pub about: String,
    /// The interpreter.
    pub python: Python,
    /// The CUDA release and what is compiled for it.
    pub cuda: Cuda,
    /// What torch says of itself.
    pub torch: Torch,
    /// The nixpkgs release.
    pub nixpkgs: Revision,
    /// The Rust builder.
    pub crane: Revision,
    /// Sources by name: what is built here, and DINOv2's code.
    pub sources: BTreeMap<String, Source>,
    /// Wheels by distribution name, lower case, words joined by `-`.
    pub wheels: BTreeMap<String, Wheel>,
    /// What binaries need of each other.
    pub abi: Abi,
    /// The models.
    pub models: Models,
}

impl Pins {
    /// The pins that this program was built with.
    pub fn embedded() -> &'static Self {
        &PINS
    }

    /// Reads a pins file's text.
    pub fn parse(text: &str) -> Result<Self, PinsError> {
        serde_json::from_str(text).map_err(PinsError::Shape)
    }
}

/// The Python release.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Python {
    /// Major and minor version, as `3.12`.
    pub version: String,
    /// Its name in nixpkgs.
    pub nixpkgs: String,
    /// The tag of compiled wheels, as `cp312`.
    pub abi: String,
}

/// The CUDA release.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cuda {
    /// Major and minor version, as `12.8`.
    pub version: String,
    /// The name of its package set in nixpkgs.
    pub nixpkgs: String,
    /// Compute capabilities that extensions are compiled for, the first being the one checked.
    pub capabilities: Vec<String>,
    /// The oldest Linux driver that runs this release's PTX, as NVIDIA's release notes give it.
    pub driver_minimum: String,
    /// The flake's packages with TRELLIS, by name: which cards each is compiled for.
    pub packages: BTreeMap<String, CardPackage>,
}

impl Cuda {
    /// The flake's package for cards of a compute capability, as `8.9`; `None` where it has none.
    pub fn package_for(&self, capability: &str) -> Option<&str> {
        self.packages
            .iter()
            .find(|(_, package)| package.capabilities.iter().any(|found| found == capability))
            .map(|(name, _)| name.as_str())
    }
}

/// A package of the flake for cards of one generation.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardPackage {
    /// Compute capabilities that its extensions are compiled for.
    pub capabilities: Vec<String>,
    /// The cards, for people.
    pub cards: String,
}

/// What the pinned torch reports.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Torch {
    /// `torch.__version__`; differs from the wheel's own version by the CUDA release.
    pub reports: String,
}

/// One revision of a flake. `ref` is a branch, where the flake follows one.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Revision {
    /// The branch that is followed.
    #[serde(rename = "ref")]
    pub branch: Option<String>,
    /// Owner on GitHub; nixpkgs' own where it is left out.
    pub owner: Option<String>,
    /// Repository on GitHub; nixpkgs' own where it is left out.
    pub repo: Option<String>,
    /// The commit, 40 hex digits.
    pub rev: String,
    /// SRI hash of the tree as a NAR.
    pub nar_hash: String,
    /// Seconds since 1970 of the commit.
    pub last_modified: u64,
}

/// One source tree that the flake takes as an input.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Source {
    /// The name of the flake's input.
    pub input: String,
    /// Owner on GitHub.
    pub owner: String,
    /// Repository on GitHub.
    pub repo: String,
    /// The commit, 40 hex digits.
    pub rev: String,
    /// SRI hash of the tree as a NAR; `None` for inputs locked by git's own hash.
    pub nar_hash: Option<String>,
    /// Whether its submodules come along; only of inputs locked by git's own hash, which covers them.
    #[serde(default)]
    pub submodules: bool,
    /// Seconds since 1970 of the commit.
    pub last_modified: u64,
    /// The version of the package made of it.
    pub version: String,
}

/// One wheel, exactly.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wheel {
    /// The version that its metadata says.
    pub version: String,
    /// Its file name, which holds the tags.
    pub filename: String,
    /// Size of the file in bytes.
    pub size: u64,
    /// Size of what is in it in bytes, by its `RECORD`; known of those that an overlay brings.
    pub unpacked: Option<u64>,
    /// Of the file.
    pub sha256: Sha256,
    /// The overlay that brings it; `None` where nixpkgs' own package serves.
    pub overlay: Option<String>,
    /// GPU code by library path inside the wheel; empty for wheels without any.
    #[serde(default)]
    pub machine_code: BTreeMap<String, MachineCode>,
}

/// The GPU code in one library. Capabilities are written without the dot: 120 is 12.0.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MachineCode {
    /// Capabilities with code that runs as it is.
    pub sass: Vec<u16>,
    /// Capabilities with code that the driver compiles for a card of that or a later one.
    pub ptx: Vec<u16>,
}

/// What binaries need of each other.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Abi {
    /// Between xformers and torch.
    pub xformers: XformersAbi,
    /// Between kaolin and torch.
    pub kaolin: KaolinAbi,
}

/// How to tell that kaolin was compiled against an older torch than it stands on.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KaolinAbi {
    /// Strong symbols that a kaolin for the older torch imports and the pinned torch lacks.
    pub needs_from_torch: Vec<String>,
    /// The last torch that exports them.
    pub last_in_torch: String,
}

/// How to tell that xformers stands on another torch than the one it was compiled against.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct XformersAbi {
    /// Strong symbols that xformers imports and only the right torch exports.
    pub needs_from_torch: Vec<String>,
    /// A torch that lacks them: the usual mistake.
    pub missing_in_torch: String,
    /// Weak undefined symbols, absent from every torch: never a finding.
    pub weak_ignored: Vec<String>,
}

/// The models, and the weights that TRELLIS loads beside them.
#[derive(Debug, Clone, Deserialize)]
pub struct Models {
    /// The picture encoder's weights.
    pub dinov2: RemoteFile,
    /// What TRELLIS.2's picture encoder is made of.
    pub dinov3: Convertible,
    /// The background remover's weights.
    pub u2net: RemoteFile,
    /// The folder of each model, by the model's name in parameters.
    #[serde(flatten)]
    pub folders: BTreeMap<String, TrellisModel>,
}

/// A model folder on a hub.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrellisModel {
    /// Owner and name on the hub.
    pub repository: String,
    /// The commit on the hub, 40 hex digits.
    pub revision: String,
    /// The licence of what is in the repository.
    pub licence: String,
    /// The files that inference reads, `pipeline.json` first. Each is at
    /// `HUB/REPOSITORY/resolve/REVISION/PATH`, unless it says what it is of.
    pub files: Vec<ModelFile>,
}

impl TrellisModel {
    /// The file at `path` in the folder.
    pub fn file(&self, path: &str) -> Option<&ModelFile> {
        self.files.iter().find(|file| file.path == path)
    }
}

/// One file of a model folder.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// Its place in the folder, with `/` between the parts.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
    /// Its digest.
    pub sha256: Sha256,
    /// How many independent public sources give that SHA-256. 0: the text was put together from published
    /// values, and only its length is public.
    pub sources: u32,
    /// Tensors in it, where a strict load of the file counted them.
    pub tensors: Option<u64>,
    /// Elements of all its tensors together, from the same source.
    pub elements: Option<u64>,
    /// Where it comes from, if not from the model's own repository: the model whose folder has it at the same
    /// path, or `dinov3`.
    pub of: Option<String>,
}

/// A file on a hub that weights are made of.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Convertible {
    /// Owner and name on the hub.
    pub repository: String,
    /// The commit on the hub, 40 hex digits.
    pub revision: String,
    /// Its path there.
    pub file: String,
    /// Its digest.
    pub sha256: Sha256,
    /// How many independent public sources give that SHA-256.
    pub sources: u32,
    /// The licence of the weights.
    pub licence: String,
}

/// A file at a fixed address.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoteFile {
    /// The name that the reading program expects.
    pub file: String,
    /// The name of the model inside it, where there is one.
    pub name: Option<String>,
    /// Where it is.
    pub url: String,
    /// Size in bytes.
    pub size: u64,
    /// Its digest.
    pub sha256: Sha256,
    /// How many independent public sources give that SHA-256.
    pub sources: u32,
    /// Its licence.
    pub licence: String,
}
