//! Makes DINOv3's weights as TRELLIS.2 reads them of those that timm publishes without an account.
//!
//! Both files hold the same numbers: names differ, timm has one matrix for query, key and value, and a mask token of
//! zeros, which inference never looks at, is left out there. The result is the published file to the byte, which its
//! SHA-256 shows: anything else is removed again. So is the configuration. Names are those of timm's `vit_large_patch16_dinov3_qkvb` and of
//! `DINOv3ViTModel` in transformers. Not here: fetching the file.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use safetensors::tensor::Dtype;
use serde_json::json;
use tempfile::NamedTempFile;
use trellis_core::{Model, Sha256};
use trellis_pins::{ModelFile, Pins};

use crate::header::{Header, HeaderError};
use crate::write::{finish, write_atomically};

/// The encoder's folder in TRELLIS.2's.
pub const FOLDER: &str = "dinov3";
/// Its files, relative to TRELLIS.2's folder, the configuration first.
pub const FILES: [&str; 2] = ["dinov3/config.json", "dinov3/model.safetensors"];
/// How much is copied at a time.
const BLOCK_BYTES: u64 = 1 << 20;
const NUMBER_BYTES: u64 = 4;

/// How large a vision transformer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Its blocks.
    pub layers: u64,
    /// Numbers for each part of a picture.
    pub width: u64,
    /// Numbers inside of a block.
    pub inner: u64,
    /// Side of a part in pixels.
    pub patch: u64,
    /// Tokens that stand for no part.
    pub registers: u64,
}

impl Size {
    /// DINOv3 ViT-L/16.
    pub const LARGE: Self = Self {
        layers: 24,
        width: 1024,
        inner: 4096,
        patch: 16,
        registers: 4,
    };
}

/// Why there is no converted file.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
pub enum Dinov3Error {
    #[error("{} is not a whole safetensors file", path.display())]
    Header { path: PathBuf, source: HeaderError },
    #[error("{} does not hold timm's DINOv3 ViT-L/16: `{name}` {what}", path.display())]
    Tensor {
        path: PathBuf,
        name: String,
        what: &'static str,
    },
    #[error("the file converted from {} differs from the published one: {found} instead of {expected}", path.display())]
    Other {
        path: PathBuf,
        found: Sha256,
        expected: String,
    },
    #[error("{} cannot be read or written", path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl Dinov3Error {
    /// The stable name in JSON and tests.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Header { .. } => "source_damaged",
            Self::Tensor { .. } => "source_of_another_model",
            Self::Other { .. } => "result_differs",
            Self::Io { .. } => "unreadable",
        }
    }

    /// What to do about it, one sentence.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Header { .. } | Self::Tensor { .. } | Self::Other { .. } => {
                "download `model.safetensors` of timm/vit_large_patch16_dinov3_qkvb.lvd1689m again"
            }
            Self::Io { .. } => "check the path, its permissions and the free space",
        }
    }
}

/// A tensor of the result: its shape, and where its numbers come from.
struct Part {
    shape: Vec<u64>,
    /// A tensor of the source and, of three of one shape that it holds, which; `None`: zeros.
    source: Option<(String, u64)>,
}

impl Part {
    fn bytes(&self) -> u64 {
        self.shape.iter().product::<u64>() * NUMBER_BYTES
    }
}

/// The tensors of the result by name.
fn parts(size: Size) -> BTreeMap<String, Part> {
    let Size {
        layers,
        width,
        inner,
        patch,
        registers,
    } = size;
    let mut parts = BTreeMap::new();
    let mut add = |name: String, shape: &[u64], source: Option<(String, u64)>| {
        let shape = shape.to_vec();
        parts.insert(name, Part { shape, source });
    };
    let whole = |name: &str| Some((name.to_owned(), 0));
    add("embeddings.cls_token".into(), &[1, 1, width], whole("cls_token"));
    add("embeddings.mask_token".into(), &[1, 1, width], None);
    add(
        "embeddings.register_tokens".into(),
        &[1, registers, width],
        whole("reg_token"),
    );
    add(
        "embeddings.patch_embeddings.weight".into(),
        &[width, 3, patch, patch],
        whole("patch_embed.proj.weight"),
    );
    add(
        "embeddings.patch_embeddings.bias".into(),
        &[width],
        whole("patch_embed.proj.bias"),
    );
    add("norm.weight".into(), &[width], whole("norm.weight"));
    add("norm.bias".into(), &[width], whole("norm.bias"));
    for layer in 0..layers {
        let to = |name: &str| format!("layer.{layer}.{name}");
        let from = |name: &str| Some((format!("blocks.{layer}.{name}"), 0));
        for norm in ["norm1", "norm2"] {
            for part in ["weight", "bias"] {
                let name = format!("{norm}.{part}");
                add(to(&name), &[width], from(&name));
            }
        }
        for (third, name) in (0..).zip(["q", "k", "v"]) {
            let source = Some((format!("blocks.{layer}.attn.qkv.weight"), third));
            add(
                to(&format!("attention.{name}_proj.weight")),
                &[width, width],
                source,
            );
        }
        // There is none of the key: softmax would not notice it.
        for name in ["q", "v"] {
            let source = from(&format!("attn.{name}_bias"));
            add(to(&format!("attention.{name}_proj.bias")), &[width], source);
        }
        for (name, source, shape) in [
            ("attention.o_proj.weight", "attn.proj.weight", &[width, width][..]),
            ("attention.o_proj.bias", "attn.proj.bias", &[width]),
            ("layer_scale1.lambda1", "gamma_1", &[width]),
            ("layer_scale2.lambda1", "gamma_2", &[width]),
            ("mlp.up_proj.weight", "mlp.fc1.weight", &[inner, width]),
            ("mlp.up_proj.bias", "mlp.fc1.bias", &[inner]),
            ("mlp.down_proj.weight", "mlp.fc2.weight", &[width, inner]),
            ("mlp.down_proj.bias", "mlp.fc2.bias", &[width]),
        ] {
            add(to(name), shape, from(source));
        }
    }
    parts
}

/// Length and JSON, padded as the crate `safetensors` pads.
fn header(parts: &BTreeMap<String, Part>) -> Vec<u8> {
    // Put together as text: the order is that of the numbers, and the metadata come first.
    let mut text = r#"{"__metadata__":{"format":"pt"}"#.to_owned();
    let mut at = 0;
    for (name, part) in parts {
        let end = at + part.bytes();
        let (name, shape) = (json!(name), json!(part.shape));
        write!(
            text,
            r#",{name}:{{"dtype":"F32","shape":{shape},"data_offsets":[{at},{end}]}}"#
        )
        .expect("a text grows");
        at = end;
    }
    text.push('}');
    let padded = text.len().next_multiple_of(8);
    text.push_str(&" ".repeat(padded - text.len()));
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text.into_bytes());
    bytes
}

/// What stands before the numbers of the result: a length, and names with their shapes and places.
pub fn result_header(size: Size) -> Vec<u8> {
    header(&parts(size))
}

/// The size of the result in bytes.
pub fn result_bytes(size: Size) -> u64 {
    let parts = parts(size);
    header(&parts).len() as u64 + parts.values().map(Part::bytes).sum::<u64>()
}

/// The published files by their path in TRELLIS.2's folder, as in [`FILES`].
fn published() -> [&'static ModelFile; 2] {
    let folder = &Pins::embedded().models.folders[Model::Trellis2.name()];
    FILES.map(|path| folder.file(path).expect("a test reads both out of the pins"))
}

/// Converts the file at `from` into the folder `to`: `model.safetensors` and its `config.json`. `on_bytes` hears of
/// progress.
pub fn convert(from: &Path, to: &Path, on_bytes: &dyn Fn(u64)) -> Result<(), Dinov3Error> {
    let [_, weights] = published();
    convert_sized(from, to, Size::LARGE, &weights.sha256.to_string(), on_bytes)?;
    write_configuration(to)
}

/// Writes the large one's `config.json` into the folder `to`.
pub fn write_configuration(to: &Path) -> Result<(), Dinov3Error> {
    let config = to.join("config.json");
    write_atomically(&config, configuration().as_bytes())
        .map_err(|source| Dinov3Error::Io { path: config, source })
}

/// As Python spells it.
const EPSILON: &str = "1e-05";

/// The published configuration, to the byte; keys are in their order there.
fn configuration() -> String {
    let values = json!({
        "architectures": ["DINOv3ViTModel"],
        "attention_dropout": 0.0,
        "drop_path_rate": 0.0,
        "hidden_act": "gelu",
        "hidden_size": 1024,
        "image_size": 224,
        "initializer_range": 0.02,
        "intermediate_size": 4096,
        "key_bias": false,
        "layer_norm_eps": EPSILON,
        "layerscale_value": 1.0,
        "mlp_bias": true,
        "model_type": "dinov3_vit",
        "num_attention_heads": 16,
        "num_channels": 3,
        "num_hidden_layers": 24,
        "num_register_tokens": 4,
        "patch_size": 16,
        "pos_embed_jitter": null,
        "pos_embed_rescale": 2.0,
        "pos_embed_shift": null,
        "proj_bias": true,
        "query_bias": true,
        "rope_theta": 100.0,
        "torch_dtype": "float32",
        "transformers_version": "4.56.0.dev0",
        "use_gated_mlp": false,
        "value_bias": true
    });
    format!("{values:#}\n").replace(&format!("\"{EPSILON}\""), EPSILON)
}

/// What in a file's header is not DINOv3 ViT-L/16 as transformers names it; `None` where all is.
pub fn misfit(header: &Header) -> Option<String> {
    let parts = parts(Size::LARGE);
    let wrong = parts
        .iter()
        .find_map(|(name, part)| match header.tensors.get(name) {
            None => Some(format!("tensor `{name}` is missing")),
            Some(tensor) if tensor.shape != part.shape => Some(format!(
                "tensor `{name}` is {:?}, DINOv3's is {:?}",
                tensor.shape, part.shape
            )),
            Some(_) => None,
        });
    let more = || header.tensors.keys().find(|name| !parts.contains_key(*name));
    wrong.or_else(|| Some(format!("tensor `{}` is not one of DINOv3's", more()?)))
}

/// The same for a transformer of any size, whose result has this SHA-256.
pub fn convert_sized(
    from: &Path,
    to: &Path,
    size: Size,
    expected: &str,
    on_bytes: &dyn Fn(u64),
) -> Result<(), Dinov3Error> {
    let source = Header::read(from).map_err(|source| Dinov3Error::Header {
        path: from.to_owned(),
        source,
    })?;
    let parts = parts(size);
    fits(&source, &parts).map_err(|(name, what)| Dinov3Error::Tensor {
        path: from.to_owned(),
        name,
        what,
    })?;
    let target = to.join("model.safetensors");
    let failed = |source| Dinov3Error::Io {
        path: target.clone(),
        source,
    };
    std::fs::create_dir_all(to).map_err(failed)?;
    let mut file = NamedTempFile::new_in(to).map_err(failed)?;
    copy(from, &source, &parts, file.as_file_mut(), on_bytes).map_err(failed)?;
    file.as_file_mut().seek(SeekFrom::Start(0)).map_err(failed)?;
    let (_, found) = Sha256::of_reader(file.as_file_mut()).map_err(failed)?;
    if found.to_string() != expected {
        return Err(Dinov3Error::Other {
            path: from.to_owned(),
            found,
            expected: expected.to_owned(),
        });
    }
    finish(file, &target).map_err(failed)
}

/// Whether the source has each tensor that is needed, in its shape, and no other.
fn fits(source: &Header, parts: &BTreeMap<String, Part>) -> Result<(), (String, &'static str)> {
    let mut needed: BTreeMap<&str, u64> = BTreeMap::new();
    for (part, (name, third)) in parts
        .values()
        .filter_map(|part| part.source.as_ref().map(|source| (part, source)))
    {
        let bytes = needed.entry(name).or_default();
        *bytes = (*bytes).max((third + 1) * part.bytes());
    }
    for (name, bytes) in &needed {
        let there = source.tensors.get(*name);
        let there = there.ok_or_else(|| ((*name).to_owned(), "is missing"))?;
        if there.dtype != Dtype::F32 || there.place.end - there.place.start != *bytes {
            return Err(((*name).to_owned(), "has another size or type"));
        }
    }
    match source
        .tensors
        .keys()
        .find(|name| !needed.contains_key(name.as_str()))
    {
        Some(name) => Err((name.clone(), "is too much")),
        None => Ok(()),
    }
}

fn copy(
    from: &Path,
    source: &Header,
    parts: &BTreeMap<String, Part>,
    to: &mut File,
    on_bytes: &dyn Fn(u64),
) -> io::Result<()> {
    let mut file = File::open(from)?;
    let mut to = BufWriter::new(to);
    to.write_all(&header(parts))?;
    for part in parts.values() {
        let bytes = part.bytes();
        let mut left = bytes;
        let mut numbers: Box<dyn io::Read> = match &part.source {
            None => Box::new(io::repeat(0)),
            Some((name, third)) => {
                let place = &source.tensors[name].place;
                file.seek(SeekFrom::Start(place.start + third * bytes))?;
                Box::new(&mut file)
            }
        };
        while left > 0 {
            let copied = io::copy(&mut numbers.by_ref().take(left.min(BLOCK_BYTES)), &mut to)?;
            if copied == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            left -= copied;
            on_bytes(copied);
        }
    }
    to.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_and_the_length_are_those_of_the_published_files() {
        let [config, weights] = published();
        assert_eq!(Sha256::of(configuration()), config.sha256);
        assert_eq!(configuration().len() as u64, config.size);
        assert_eq!(result_bytes(Size::LARGE), weights.size);
    }
}
