//! A small vision transformer with timm's names, of which DINOv3's small twin is made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use trellis_models::dinov3::Size;

/// How large it is.
pub(crate) const SMALL: Size = Size {
    layers: 2,
    width: 4,
    inner: 8,
    patch: 2,
    registers: 3,
};

/// The shapes of timm's tensors for [`SMALL`].
pub(crate) fn timm() -> BTreeMap<String, Vec<u64>> {
    let mut shapes = BTreeMap::from(
        [
            ("cls_token", vec![1, 1, 4]),
            ("reg_token", vec![1, 3, 4]),
            ("patch_embed.proj.weight", vec![4, 3, 2, 2]),
            ("patch_embed.proj.bias", vec![4]),
            ("norm.weight", vec![4]),
            ("norm.bias", vec![4]),
        ]
        .map(|(name, shape)| (name.to_owned(), shape)),
    );
    for layer in 0..2 {
        for (name, shape) in [
            ("norm1.weight", vec![4]),
            ("norm1.bias", vec![4]),
            ("norm2.weight", vec![4]),
            ("norm2.bias", vec![4]),
            ("attn.qkv.weight", vec![12, 4]),
            ("attn.q_bias", vec![4]),
            ("attn.v_bias", vec![4]),
            ("attn.proj.weight", vec![4, 4]),
            ("attn.proj.bias", vec![4]),
            ("gamma_1", vec![4]),
            ("gamma_2", vec![4]),
            ("mlp.fc1.weight", vec![8, 4]),
            ("mlp.fc1.bias", vec![8]),
            ("mlp.fc2.weight", vec![4, 8]),
            ("mlp.fc2.bias", vec![4]),
        ] {
            shapes.insert(format!("blocks.{layer}.{name}"), shape);
        }
    }
    shapes
}

/// Writes a file in which every number is another one.
pub(crate) fn write(folder: &Path, shapes: &BTreeMap<String, Vec<u64>>) -> PathBuf {
    let (mut header, mut at, mut numbers) = (serde_json::Map::new(), 0_u16, Vec::new());
    for (name, shape) in shapes {
        let count = u16::try_from(shape.iter().product::<u64>()).expect("it is small");
        let entry =
            serde_json::json!({"dtype": "F32", "shape": shape, "data_offsets": [at * 4, (at + count) * 4]});
        header.insert(name.clone(), entry);
        for number in at..at + count {
            numbers.extend((f32::from(number) + 1.0).to_le_bytes());
        }
        at += count;
    }
    let text = serde_json::to_vec(&header).expect("names and numbers are JSON");
    let file = folder.join("timm.safetensors");
    std::fs::write(
        &file,
        [&(text.len() as u64).to_le_bytes()[..], &text, &numbers].concat(),
    )
    .expect("a test's folder can be written");
    file
}
