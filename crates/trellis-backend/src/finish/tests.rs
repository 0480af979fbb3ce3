use bytes::Bytes;
use trellis_core::{Installation, ParamsPatch, Pin, ServerBuild};

use super::*;
use crate::{MadeWith, ReliefBackend, ReliefSettings};

/// The smallest GLB: an asset with nothing in it.
fn glb() -> Vec<u8> {
    let mut file = b"glTF\x02\0\0\0\x20\0\0\0\x0c\0\0\0JSON".to_vec();
    file.extend_from_slice(br#"{"asset":{}}"#);
    file
}

fn made(name: &str, format: Format, content: Content) -> Made {
    Made {
        name: name.to_owned(),
        format,
        content,
    }
}

async fn finished(folder: &Path, files: Vec<Made>, formats: &[Format]) -> Result<Finished, Failure> {
    let pin = Pin::Unpinned { sha256: None };
    let installation = Installation {
        server: ServerBuild {
            version: "0.1.0".to_owned(),
            pin: pin.clone(),
        },
        python_env: pin,
        model_lock: None,
    };
    let patch = ParamsPatch::default().with("formats", formats.to_vec());
    let job = Finishing {
        job: "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap(),
        began_at: Timestamp::UNIX_EPOCH,
        pictures: Pictures::default(),
        params: patch.resolve(7).unwrap(),
        scratch: folder.to_owned(),
    };
    let output = Output {
        files,
        notes: vec!["made".to_owned()],
        timings: Timings::default(),
        made_with: MadeWith::default(),
    };
    let origin = Origin::new(installation, None).with_statements(true);
    let backend = ReliefBackend::new(ReliefSettings::default());
    let whole = |made: Made| Ok(vec![made.into()]);
    origin.finish(&backend, job, output, whole).await
}

fn bytes_of(file: &FinishedFile) -> Vec<u8> {
    match &file.piece.content {
        Content::Bytes(bytes) => bytes.to_vec(),
        Content::File(path) => fs::read(path).unwrap(),
    }
}

#[tokio::test]
async fn a_glb_gets_its_record_in_memory_and_in_a_file_and_the_digest_is_of_what_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.glb");
    fs::write(&path, glb()).unwrap();
    let mut all = Vec::new();
    for content in [Content::Bytes(glb().into()), Content::File(path.clone())] {
        let files = vec![made("model.glb", Format::Glb, content)];
        let finished = finished(folder.path(), files, &[Format::Glb]).await.unwrap();
        let [file] = &finished.files[..] else {
            panic!("there is one")
        };
        let bytes = bytes_of(file);
        assert_eq!(glb::read(&mut &bytes[..]).unwrap(), finished.provenance);
        assert_eq!(
            (file.size_bytes, file.sha256),
            (bytes.len() as u64, Sha256::of(&bytes))
        );
        let statement = String::from_utf8(finished.statement.unwrap().bytes).unwrap();
        assert!(statement.contains(&file.sha256.to_string()), "{statement}");
        assert_eq!(finished.notes, ["made"]);
        all.push(bytes);
    }
    assert_eq!(all[0], all[1]);
    // What the backend wrote stays as it was.
    assert_eq!(fs::read(&path).unwrap(), glb());
}

#[tokio::test]
async fn files_come_in_the_order_that_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = |text: &'static str| Content::Bytes(Bytes::from_static(text.as_bytes()));
    let files = vec![
        made("model.glb", Format::Glb, bytes("no GLB")),
        made("more.ply", Format::Ply, bytes("not asked for")),
        made("model.stl", Format::Stl, bytes("solid")),
    ];
    let finished = finished(folder.path(), files, &[Format::Stl, Format::Glb])
        .await
        .unwrap();
    let names: Vec<&str> = finished
        .files
        .iter()
        .map(|file| file.piece.name.as_str())
        .collect();
    assert_eq!(names, ["model.stl", "model.glb"]);
    assert_eq!(finished.files[0].sha256, Sha256::of("solid"));
    assert_eq!(
        finished.notes[1],
        "`model.glb` carries no provenance: this is not a GLB (version 2)"
    );
}

#[tokio::test]
async fn what_a_backend_must_not_do_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::NamedTempFile::new().unwrap();
    let outside = folder.path().join("link.glb");
    std::os::unix::fs::symlink(elsewhere.path(), &outside).unwrap();
    let glb = |name| made(name, Format::Glb, Content::Bytes(glb().into()));
    let file = |path: &Path| made("model.glb", Format::Glb, Content::File(path.to_owned()));
    for (files, message) in [
        (vec![], "the backend left out `glb`"),
        (vec![glb("a.glb"), glb("a.glb")], "the backend made `a.glb` twice"),
        (vec![glb("../a.glb")], "the backend named a file `../a.glb`"),
        (
            vec![file(&outside)],
            "the backend named a file outside its folder",
        ),
        (
            vec![file(&folder.path().join("gone"))],
            "a file of the backend cannot be read",
        ),
    ] {
        let failure = finished(folder.path(), files, &[Format::Glb]).await.unwrap_err();
        assert_eq!(
            (failure.kind, failure.message.as_str()),
            (FailureKind::Internal, message)
        );
    }
}

#[test]
fn refuses_path_traversal_in_file_name() {
    for name in [
        "", ".", "..", "../x", "a/b", "a\\b", ".hidden", "x\0", "x\n", "m.glb#1", "é.glb",
    ] {
        assert!(!is_plain(name), "{name:?}");
    }
    assert!(is_plain("model_2-b.glb"));
}
