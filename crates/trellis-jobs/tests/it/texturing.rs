//! Submissions with a mesh that is to be textured.

use bytes::Bytes;
use trellis_core::{AssetName, BackendChoice, InputFile, MeshFormat, MeshInput, Model, ParamsPatch, Sha256};
use trellis_jobs::{Asked, BlobStore as _, JobStore as _, Jobs, SubmitError, Submitted, Terms};

use crate::kit::{Place, jobs, picture};

const OBJ: &[u8] = b"v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 2 3\nf 1 2 4\n";

async fn submit(
    jobs: &Jobs,
    mesh: &'static [u8],
    patch: ParamsPatch,
    terms: Terms,
) -> Result<Submitted, SubmitError> {
    let mut intake = jobs.intake();
    // A form may have it before the pictures.
    let mut arriving = intake.mesh(AssetName::of_file("stool.obj")).await?;
    arriving.write(Bytes::from_static(mesh)).await?;
    intake.take_mesh(arriving).await?;
    intake.add(picture(4), None).await?;
    let asked = Asked {
        params: patch,
        ..Asked::default()
    };
    jobs.submit(intake, asked, terms).await
}

#[tokio::test]
async fn the_mesh_is_kept_after_the_pictures_and_goes_with_the_job() {
    let place = Place::new();
    let service = place.jobs();
    let patch = ParamsPatch::default().with("seed", 7);
    let job = submit(&service, OBJ, patch, Terms::default()).await.unwrap().job;
    assert_eq!(job.backend, BackendChoice::Trellis, "no preview stands in");
    assert_eq!(job.params.model.model(), Model::Trellis2);
    let [picture, mesh] = &job.inputs[..] else {
        panic!("{:?}", job.inputs)
    };
    assert!(!picture.is_mesh() && mesh.is_mesh() && job.textures_a_mesh());
    let found = MeshInput {
        format: MeshFormat::Obj,
        vertices: 4,
        triangles: 2,
    };
    assert_eq!(mesh.file, InputFile::Mesh(found));
    assert_eq!(mesh.name, AssetName::of_text("stool"));
    assert_eq!(job.name, None, "a job is named after its picture");
    assert_eq!(
        (mesh.size_bytes, mesh.sha256),
        (OBJ.len() as u64, Sha256::of(OBJ))
    );

    // It is on disk, and found again by another process.
    let (again, key) = service
        .input(&Terms::default().owner, job.id, 1)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&again, mesh);
    assert_eq!(place.blobs.get(&key).await.unwrap(), OBJ);
    let stored = place.opened_again().find(job.id).await.unwrap();
    assert_eq!(stored.job.inputs, job.inputs);
    service
        .cancel_or_delete(&Terms::default().owner, job.id)
        .await
        .unwrap();
    service
        .cancel_or_delete(&Terms::default().owner, job.id)
        .await
        .unwrap();
    assert!(place.blobs.jobs().await.unwrap().is_empty());
}

#[tokio::test]
async fn another_mesh_is_another_request() {
    let place = Place::new();
    let service = place.jobs();
    let terms = || Terms {
        idempotency_key: Some("chair".to_owned()),
        ..Terms::default()
    };
    let first = submit(&service, OBJ, ParamsPatch::default(), terms())
        .await
        .unwrap();
    let again = submit(&service, OBJ, ParamsPatch::default(), terms())
        .await
        .unwrap();
    assert!(again.replayed && again.job.id == first.job.id);
    let other = b"v 0 0 0\nv 1 0 0\nv 0 2 0\nf 1 2 3\n";
    let error = submit(&service, other, ParamsPatch::default(), terms())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), "idempotency_key_reused");
}

#[tokio::test]
async fn what_cannot_be_textured_is_refused_and_leaves_nothing() {
    let place = Place::new();
    let service = place.jobs();
    let asked = ParamsPatch::default;
    for (mesh, patch, kind) in [
        (&b"solid chair"[..], asked(), "mesh_format"),
        (b"v 0 0 0\nf 1 1 9\n", asked(), "mesh_damaged"),
        (OBJ, asked().with("remesh", false), "invalid_parameter"),
        (
            OBJ,
            asked().with("model", "trellis-image-large"),
            "invalid_parameter",
        ),
    ] {
        let error = submit(&service, mesh, patch, Terms::default()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(!error.advice().is_empty());
    }
    let without = jobs(place.store.clone(), place.blobs.clone(), "no textures");
    let error = submit(&without, OBJ, asked(), Terms::default())
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "the encoder is missing");

    let mut intake = service.intake();
    for expected in [Ok(()), Err("too_many_meshes")] {
        let taken = async {
            let mut arriving = intake.mesh(None).await?;
            arriving.write(Bytes::from_static(OBJ)).await?;
            intake.take_mesh(arriving).await
        };
        assert_eq!(taken.await.map_err(|error| error.kind()), expected);
    }
    let error = service
        .submit(intake, Asked::default(), Terms::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), "no_picture");
    let mut intake = service.intake();
    intake.add(picture(4), None).await.unwrap();
    let mut arriving = intake.mesh(None).await.unwrap();
    arriving.write(Bytes::from_static(OBJ)).await.unwrap();
    intake.take_mesh(arriving).await.unwrap();
    let relief = Asked {
        backend: BackendChoice::Relief,
        ..Asked::default()
    };
    let error = service
        .submit(intake, relief, Terms::default())
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "`relief` does not texture meshes");
    assert!(place.blobs.jobs().await.unwrap().is_empty());
}
