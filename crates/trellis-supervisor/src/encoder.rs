//! Whether a model can texture a given mesh: TRELLIS.2 can, where its folder has the encoder of shapes.

use std::path::Path;

use trellis_core::{Failure, FailureKind, Model};
use trellis_models::pipeline::Pipeline;
use trellis_models::shape_encoder;

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
    let folder = folder.to_owned();
    let file = tokio::task::spawn_blocking(move || missing(&folder))
        .await
        .ok()??;
    Some(Failure {
        fix: "`trellis model fetch trellis2-4b --to DIR` adds it to the model folder DIR; restart the server afterwards"
            .to_owned(),
        ..Failure::new(
            FailureKind::Unsupported,
            format!("texturing a mesh needs `{file}`, which is not in the folder of `trellis2-4b`"),
        )
    })
}

/// The encoder's weights, where they are not there. Blocks.
fn missing(folder: &Path) -> Option<String> {
    let pipeline = Pipeline::read(folder).ok();
    let named = pipeline.and_then(|pipeline| pipeline.shape_encoder());
    let file = named.map_or_else(
        || format!("{}.safetensors", shape_encoder::NAME),
        |named| named.weights(),
    );
    // A folder that cannot be looked into is for the workers to judge.
    let there = folder.join(&file).try_exists().unwrap_or(true);
    (!there).then_some(file)
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
        assert!(failure.message.contains(shape_encoder::NAME), "{failure:?}");
        assert!(
            failure.fix.contains("`trellis model fetch trellis2-4b"),
            "{failure:?}"
        );
        std::fs::write(
            folder.path().join(format!("{}.safetensors", shape_encoder::NAME)),
            "",
        )
        .unwrap();
        assert_eq!(lacking().await, None);
        let pipeline = r#"{"name": "Trellis2ImageTo3DPipeline", "args": {"models": {"shape_slat_encoder": "ckpts/mine"}}}"#;
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
