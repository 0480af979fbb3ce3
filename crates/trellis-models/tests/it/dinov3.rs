//! DINOv3's weights, made of timm's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use trellis_core::Sha256;
use trellis_models::dinov3::{Size, convert, convert_sized, result_bytes};
use trellis_models::header::Header;

const SMALL: Size = Size {
    layers: 2,
    width: 4,
    inner: 8,
    patch: 2,
    registers: 3,
};

/// The shapes of timm's tensors for [`SMALL`].
fn timm() -> BTreeMap<String, Vec<u64>> {
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
fn write(folder: &Path, shapes: &BTreeMap<String, Vec<u64>>) -> PathBuf {
    let (mut header, mut at, mut numbers) = (serde_json::Map::new(), 0_u16, Vec::new());
    for (name, shape) in shapes {
        let count = u16::try_from(shape.iter().product::<u64>()).unwrap();
        let entry =
            serde_json::json!({"dtype": "F32", "shape": shape, "data_offsets": [at * 4, (at + count) * 4]});
        header.insert(name.clone(), entry);
        for number in at..at + count {
            numbers.extend((f32::from(number) + 1.0).to_le_bytes());
        }
        at += count;
    }
    let text = serde_json::to_vec(&header).unwrap();
    let file = folder.join("timm.safetensors");
    std::fs::write(
        &file,
        [&(text.len() as u64).to_le_bytes()[..], &text, &numbers].concat(),
    )
    .unwrap();
    file
}

fn numbers(file: &Path, name: &str) -> Vec<f32> {
    let header = Header::read(file).unwrap();
    let place = &header.tensors[name].place;
    let bytes = std::fs::read(file).unwrap();
    let at = |place: u64| usize::try_from(place).unwrap();
    bytes[at(place.start)..at(place.end)]
        .chunks_exact(4)
        .map(|four| f32::from_le_bytes(four.try_into().unwrap()))
        .collect()
}

fn convert_small(from: &Path, to: &Path) -> Result<(), trellis_models::dinov3::Dinov3Error> {
    // Its hash is not known before: the first try says it.
    let first = convert_sized(from, to, SMALL, "none", &|_| {});
    let Err(trellis_models::dinov3::Dinov3Error::Other { found, .. }) = first else {
        return first;
    };
    convert_sized(from, to, SMALL, &found.to_string(), &|_| {})
}

#[test]
fn each_number_has_its_place_in_the_other_names() {
    let folder = TempDir::new().unwrap();
    let from = write(folder.path(), &timm());
    let to = folder.path().join("dinov3");
    convert_small(&from, &to).unwrap();
    let made = to.join("model.safetensors");
    let header = Header::read(&made).unwrap();
    assert_eq!(header.file_bytes, result_bytes(SMALL));
    assert_eq!(header.tensors.len(), 7 + 2 * 17);
    let qkv = numbers(&from, "blocks.1.attn.qkv.weight");
    for (third, name) in ["q", "k", "v"].into_iter().enumerate() {
        let name = format!("layer.1.attention.{name}_proj.weight");
        assert_eq!(numbers(&made, &name), qkv[16 * third..16 * (third + 1)]);
        assert_eq!(header.tensors[&name].shape, [4, 4]);
    }
    for (name, source) in [
        ("embeddings.register_tokens", "reg_token"),
        ("embeddings.patch_embeddings.weight", "patch_embed.proj.weight"),
        ("layer.0.attention.v_proj.bias", "blocks.0.attn.v_bias"),
        ("layer.1.layer_scale2.lambda1", "blocks.1.gamma_2"),
        ("layer.1.mlp.down_proj.weight", "blocks.1.mlp.fc2.weight"),
        ("norm.bias", "norm.bias"),
    ] {
        assert_eq!(numbers(&made, name), numbers(&from, source), "{name}");
    }
    assert_eq!(numbers(&made, "embeddings.mask_token"), [0.0; 4]);
}

/// Names, shapes, order and padding of the header: any other choice gives another size.
#[test]
fn the_large_one_has_the_size_of_the_published_file() {
    assert_eq!(result_bytes(Size::LARGE), 1_212_559_808);
}

#[test]
fn a_file_of_another_model_is_refused_by_the_tensor_that_differs() {
    let folder = TempDir::new().unwrap();
    let to = folder.path().join("dinov3");
    let refused = |shapes: &BTreeMap<String, Vec<u64>>| {
        let error = convert_small(&write(folder.path(), shapes), &to).unwrap_err();
        assert_eq!(error.kind(), "source_of_another_model");
        error.to_string()
    };
    let mut lacking = timm();
    lacking.remove("blocks.1.gamma_1");
    assert!(refused(&lacking).ends_with("`blocks.1.gamma_1` is missing"));
    let mut more = timm();
    more.insert("blocks.0.attn.k_bias".to_owned(), vec![4]);
    assert!(refused(&more).ends_with("`blocks.0.attn.k_bias` is too much"));
    let mut larger = timm();
    larger.insert("norm.weight".to_owned(), vec![5]);
    assert!(refused(&larger).ends_with("`norm.weight` has another size or type"));
    let error = convert(&write(folder.path(), &timm()), &to, &|_| {}).unwrap_err();
    assert_eq!(error.kind(), "source_of_another_model");
}

#[test]
fn what_is_not_the_published_file_is_not_kept() {
    let folder = TempDir::new().unwrap();
    let from = write(folder.path(), &timm());
    let to = folder.path().join("dinov3");
    let other = Sha256::of(b"another").to_string();
    let error = convert_sized(&from, &to, SMALL, &other, &|_| {}).unwrap_err();
    assert_eq!(error.kind(), "result_differs");
    assert_eq!(std::fs::read_dir(&to).unwrap().count(), 0);
    let cut = std::fs::read(&from).unwrap();
    std::fs::write(&from, &cut[..cut.len() - 3]).unwrap();
    let error = convert_sized(&from, &to, SMALL, &other, &|_| {}).unwrap_err();
    assert_eq!(error.kind(), "source_damaged");
}
