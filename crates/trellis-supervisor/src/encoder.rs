//! Whether a model can texture a given mesh: TRELLIS.2 can, where its folder has the encoder of shapes.

use std::path::Path;

use serde::Deserialize;
use trellis_core::{Failure, FailureKind, Model};

/// Where the encoder is unless `pipeline.json` says otherwise. The worker's `trellis2_texturing.py` has the same.
const CHECKPOINT: &str = "ckpts/shape_enc_next_dc_f16c32_fp16";

#[derive(Deserialize)]
struct Pipeline {
    args: Arguments,
}

#[derive(Deserialize)]
struct Arguments {
    models: Models,
}

#[derive(Deserialize)]
struct Models {
    shape_slat_encoder: Option<String>,
}

/// Why the model in `folder` cannot texture meshes, if it cannot. What else is wrong with a folder its workers say.
pub(crate) async fn lacking(model: Model, folder: &Path) -> Option<Failure> {
    if model != Model::Trellis2 {
        return Some(Failure {
            fix: "send the mesh to a server that runs `trellis2-4b`".to_owned(),
            ..Failure::new(
                FailureKind::Unsupported,
                format!("`{}` does not texture meshes", model.name()),
            )
        });
    }
    let pipeline = tokio::fs::read(folder.join("pipeline.json")).await.ok();
    let pipeline = pipeline.and_then(|text| serde_json::from_slice::<Pipeline>(&text).ok());
    let named = pipeline.and_then(|pipeline| pipeline.args.models.shape_slat_encoder);
    let file = format!("{}.safetensors", named.as_deref().unwrap_or(CHECKPOINT));
    if tokio::fs::try_exists(folder.join(&file)).await.unwrap_or(true) {
        return None;
    }
    Some(Failure {
        fix: "copy that file from `microsoft/TRELLIS.2-4B` into the model folder and restart the server"
            .to_owned(),
        ..Failure::new(
            FailureKind::Unsupported,
            format!("texturing a mesh needs `{file}`, which is not in the folder of `trellis2-4b`"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_without_the_encoder_textures_no_mesh() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("ckpts")).unwrap();
        let lacking = || lacking(Model::Trellis2, folder.path());
        let failure = lacking().await.unwrap();
        assert_eq!(failure.kind, FailureKind::Unsupported);
        assert!(failure.message.contains(CHECKPOINT), "{failure:?}");
        std::fs::write(folder.path().join(format!("{CHECKPOINT}.safetensors")), "").unwrap();
        assert_eq!(lacking().await, None);
        let pipeline = r#"{"args": {"models": {"shape_slat_encoder": "ckpts/mine"}}}"#;
        std::fs::write(folder.path().join("pipeline.json"), pipeline).unwrap();
        assert!(
            lacking()
                .await
                .unwrap()
                .message
                .contains("`ckpts/mine.safetensors`")
        );
        let other = super::lacking(Model::TrellisImageLarge, folder.path())
            .await
            .unwrap();
        assert_eq!(other.message, "`trellis-image-large` does not texture meshes");
    }
}
