//! What an image pipeline reads besides its own folder: DINOv2's code and weights, and rembg's network. TRELLIS.2's
//! reads the last alone; its DINOv3 is in the folder.
//!
//! Sources: `torch.hub.load('facebookresearch/dinov2', NAME)` in TRELLIS's image pipeline, `hub/backbones.py`
//! of DINOv2, and `sessions/u2net.py` of rembg. Each would be downloaded at the first job if it is absent.

mod look;

use std::path::PathBuf;

use trellis_pins::{Pins, RemoteFile};

pub use look::{CODE, ExtraFault, look};

use crate::places::Places;

/// A DINOv2 network by the name that `pipeline.json` uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dinov2 {
    /// The name, such as `dinov2_vitl14_reg`.
    pub name: &'static str,
    /// Width of its features.
    pub width: u64,
    /// Its weights' file name in `checkpoints`.
    pub weights: &'static str,
    /// The folder of its weights at the publisher.
    pub folder: &'static str,
}

/// A network by its size, and how its registers show in its name and in that of its file.
macro_rules! dinov2 {
    ($size:literal, $width:literal, $registers:literal, $in_file:literal) => {
        Dinov2 {
            name: concat!("dinov2_vit", $size, "14", $registers),
            width: $width,
            weights: concat!("dinov2_vit", $size, "14", $in_file, "_pretrain.pth"),
            folder: concat!("dinov2_vit", $size, "14"),
        }
    };
}

/// Every DINOv2 backbone that torch.hub can load by name.
pub const DINOV2: [Dinov2; 8] = [
    dinov2!("s", 384, "", ""),
    dinov2!("b", 768, "", ""),
    dinov2!("l", 1024, "", ""),
    dinov2!("g", 1536, "", ""),
    dinov2!("s", 384, "_reg", "_reg4"),
    dinov2!("b", 768, "_reg", "_reg4"),
    dinov2!("l", 1024, "_reg", "_reg4"),
    dinov2!("g", 1536, "_reg", "_reg4"),
];

/// Features of the CLIP model that the text pipelines name.
pub const CLIP: (&str, u64) = ("openai/clip-vit-large-patch14", 768);

impl Dinov2 {
    /// By name.
    pub fn from_name(name: &str) -> Option<Self> {
        DINOV2.into_iter().find(|known| known.name == name)
    }
}

/// One thing besides the model folder.
#[derive(Debug, Clone)]
pub struct Extra {
    /// A stable name.
    pub name: &'static str,
    /// What it is, for people.
    pub what: &'static str,
    /// Where its reader looks for it.
    pub path: PathBuf,
    /// What kind of file it is.
    pub form: Form,
    /// The published file, where the project pins it.
    pub pin: Option<&'static RemoteFile>,
}

/// What an extra is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A folder of Python files; the path is its `hubconf.py`.
    Code,
    /// A zip archive that torch wrote.
    Torch,
    /// An ONNX model.
    Onnx,
}

/// What a pipeline that conditions on `network` needs.
pub fn needed(network: Dinov2, places: &Places) -> [Extra; 3] {
    let models = &Pins::embedded().models;
    let weights = Some(&models.dinov2).filter(|pin| pin.name.as_deref() == Some(network.name));
    [
        Extra {
            name: "dinov2_code",
            what: "DINOv2's code",
            path: dinov2_code(places).join("hubconf.py"),
            form: Form::Code,
            pin: None,
        },
        Extra {
            name: "dinov2_weights",
            what: "DINOv2's weights",
            path: places.torch_hub.join("checkpoints").join(network.weights),
            form: Form::Torch,
            pin: weights,
        },
        u2net(places),
    ]
}

/// The network that removes backgrounds, for whichever model.
pub fn u2net(places: &Places) -> Extra {
    let pin = &Pins::embedded().models.u2net;
    Extra {
        name: "u2net",
        what: "rembg's network for removing backgrounds",
        path: places.u2net.join(&pin.file),
        form: Form::Onnx,
        pin: Some(pin),
    }
}

/// Where torch.hub keeps the code that TRELLIS asks for (branch `main`, whatever commit it was).
pub fn dinov2_code(places: &Places) -> PathBuf {
    places.torch_hub.join("facebookresearch_dinov2_main")
}
