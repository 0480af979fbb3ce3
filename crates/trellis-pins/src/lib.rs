//! What the project pins: `nix/pins.json`, embedded and typed.
//!
//! The overlays read the same file, so what the doctor compares an environment with is what the flake
//! builds. Not here: judging anything. Opens no file.

mod file;

pub use file::{
    Abi, CardPackage, Cuda, KaolinAbi, MachineCode, ModelFile, Models, Pins, PinsError, Python, RemoteFile,
    Revision, Source, Torch, TrellisModel, Wheel, XformersAbi,
};
