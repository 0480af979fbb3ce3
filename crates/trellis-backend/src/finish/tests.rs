use trellis_core::{Installation, ParamsPatch, Pin, ServerBuild};

use super::*;
use crate::reading::tests::triangle as glb;
use crate::{MadeWith, ReliefBackend, ReliefSettings};

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
        latents: None,
    };
    let origin = Origin::new(installation, None).with_statements(true);
    let backend = ReliefBackend::new(ReliefSettings::default());
    let whole = |made: Made| Ok(vec![made.into()]);
    origin.finish(&backend, job, output, whole).await
}

fn bytes_of(file: &FinishedFile) -> Vec<u8> {
    match &file.piece.content {
        Content::Bytes(bytes) => bytes.to_vec(),
        Content::File(path) => std::fs::read(path).unwrap(),
    }
}

#[tokio::test]
async fn a_glb_gets_its_record_in_memory_and_in_a_file_and_the_digest_is_of_what_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.glb");
    std::fs::write(&path, glb()).unwrap();
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
    assert_eq!(std::fs::read(&path).unwrap(), glb());
}

/// One triangle.
fn stl() -> Vec<u8> {
    let mut file = vec![0; 84 + 50];
    file[80] = 1;
    file[84 + 12..84 + 16].copy_from_slice(&1.0_f32.to_le_bytes());
    file
}

#[tokio::test]
async fn files_come_in_the_order_that_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = |bytes: Vec<u8>| Content::Bytes(bytes.into());
    let path = folder.path().join("model.stl");
    std::fs::write(&path, stl()).unwrap();
    let files = vec![
        made("model.glb", Format::Glb, bytes(glb())),
        made("more.ply", Format::Ply, bytes(b"not asked for".to_vec())),
        made("model.stl", Format::Stl, Content::File(path.clone())),
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
    assert_eq!(finished.files[0].sha256, Sha256::of(stl()));
    // What a worker still writes into its file is not delivered.
    std::fs::write(&path, "changed").unwrap();
    assert_eq!(bytes_of(&finished.files[0]), stl());
}

/// What a backend in this process, or a worker by its files, gives instead of a result.
#[tokio::test]
async fn what_cannot_be_read_or_meant_is_not_delivered() {
    let mut nan = stl();
    nan[84 + 12..84 + 16].copy_from_slice(&f32::NAN.to_le_bytes());
    let mut empty = stl();
    empty.truncate(84);
    empty[80] = 0;
    let text = b"21 bytes of some text".to_vec();
    let mut short = glb();
    short.truncate(30);
    for (format, bytes, kind, why) in [
        (
            Format::Glb,
            text.clone(),
            FailureKind::Internal,
            "cannot be read: this is not a GLB",
        ),
        (Format::Glb, short, FailureKind::Internal, "cannot be read: "),
        (
            Format::Stl,
            text,
            FailureKind::Internal,
            "cannot be read: it is cut short",
        ),
        (
            Format::Stl,
            empty,
            FailureKind::ImplausibleResult,
            "it has no triangles",
        ),
        (
            Format::Stl,
            nan,
            FailureKind::ImplausibleResult,
            "position that is not a number",
        ),
    ] {
        for on_disk in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("left");
            std::fs::write(&path, &bytes).unwrap();
            let content = if on_disk {
                Content::File(path)
            } else {
                Content::Bytes(bytes.clone().into())
            };
            let files = vec![made("model.x", format, content)];
            let failure = finished(folder.path(), files, &[format]).await.unwrap_err();
            assert_eq!(failure.kind, kind, "{failure}");
            assert!(failure.message.contains(why), "{failure}");
        }
    }
}

/// Nothing waits for the writer of a pipe, nor is anything written through a link.
#[tokio::test]
async fn what_is_not_a_file_ends_the_job() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.glb");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &path,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    let files = vec![made("model.glb", Format::Glb, Content::File(path.clone()))];
    let ended = finished(folder.path(), files.clone(), &[Format::Glb]);
    let ended = tokio::time::timeout(std::time::Duration::from_secs(20), ended).await;
    let failure = ended.expect("it ends").unwrap_err();
    assert_eq!(
        failure.message,
        "the backend left a pipe in place of the file `model.glb`"
    );

    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, glb()).unwrap();
    let target = tempfile::NamedTempFile::new().unwrap();
    std::os::unix::fs::symlink(target.path(), folder.path().join("model.glb.stamped")).unwrap();
    let failure = finished(folder.path(), files, &[Format::Glb]).await.unwrap_err();
    assert_eq!(failure.message, "the result cannot be stored");
    assert_eq!(std::fs::read(target.path()).unwrap(), b"");
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
            "the backend left a link in place of the file `link.glb`",
        ),
        (
            vec![file(elsewhere.path())],
            "the backend named a file outside its folder",
        ),
        (
            vec![file(&folder.path().join("gone"))],
            "the backend's file `gone` cannot be read",
        ),
    ] {
        let failure = finished(folder.path(), files, &[Format::Glb]).await.unwrap_err();
        assert_eq!(
            (failure.kind, failure.message.as_str()),
            (FailureKind::Internal, message)
        );
    }
}
