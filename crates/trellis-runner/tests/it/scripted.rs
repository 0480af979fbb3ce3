//! A backend that does what each job's seed says.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use trellis_backend::{
    Backend, Capabilities, Content, Latents, Made, MadeWith, Output, Readiness, Reporter, Request,
};
use trellis_core::{BackendChoice, Failure, FailureKind, Format, GenerateError, Progress, Stage, Timings};

/// A GLB of one triangle, whose buffer is its last 44 bytes.
pub(crate) static GLB: LazyLock<Bytes> = LazyLock::new(|| {
    let mut text = r#"{"asset":{"version":"2.0"},"scenes":[{"nodes":[0]}],"nodes":[{"mesh":0}],
        "meshes":[{"primitives":[{"attributes":{"POSITION":0}}]}],"buffers":[{"byteLength":36}],
        "bufferViews":[{"buffer":0,"byteLength":36}],
        "accessors":[{"bufferView":0,"componentType":5126,"count":3,"type":"VEC3"}]}"#
        .to_owned();
    text.push_str(&" ".repeat(text.len().next_multiple_of(4) - text.len()));
    let number = |value: usize| u32::try_from(value).expect("it is small").to_le_bytes();
    let mut file = b"glTF\x02\0\0\0".to_vec();
    file.extend([64 + text.len(), text.len()].into_iter().flat_map(number));
    file.extend_from_slice(b"JSON");
    file.extend_from_slice(text.as_bytes());
    file.extend_from_slice(b"\x24\0\0\0BIN\0");
    file.extend(
        [0.0_f32, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
            .into_iter()
            .flat_map(f32::to_le_bytes),
    );
    file.into()
});

/// What the scripted backend samples.
pub(crate) const SAMPLED: &[u8] = b"coordinates and features";

/// What the scripted backend does with a job; the job's seed says which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Script {
    /// Reports and gives its bytes.
    Bytes,
    /// Gives a file in its scratch folder.
    File,
    /// Works until the test opens the gate.
    Gate,
    /// Works until it is told to stop.
    UntilCancelled,
    /// Gives up.
    Fail,
    /// Says that it was cancelled when nobody cancelled it.
    StopsItself,
    /// Has a defect.
    Panic,
    /// Gives a file with a name that leads elsewhere.
    Traversal,
    /// Gives a file that is not its own.
    Foreign,
    /// Gives nothing.
    Nothing,
    /// Gives two files of one name.
    Twice,
    /// Gives a GLB that is none.
    Broken,
    /// Finds no space once the test opens the gate.
    NoSpace,
}

impl Script {
    pub(crate) const ALL: [Self; 13] = [
        Self::Bytes,
        Self::File,
        Self::Gate,
        Self::UntilCancelled,
        Self::Fail,
        Self::StopsItself,
        Self::Panic,
        Self::Traversal,
        Self::Foreign,
        Self::Nothing,
        Self::Twice,
        Self::Broken,
        Self::NoSpace,
    ];

    pub(crate) fn seed(self) -> i64 {
        Self::ALL
            .iter()
            .position(|script| *script == self)
            .unwrap()
            .try_into()
            .unwrap()
    }
}

pub(crate) struct Scripted {
    choice: BackendChoice,
    capabilities: Capabilities,
    /// Opens for every job of [`Script::Gate`] that waits or comes.
    pub(crate) gate: CancellationToken,
    /// Told when a job of [`Script::Gate`] or [`Script::UntilCancelled`] has begun.
    pub(crate) begun: Notify,
    /// Told when a job was stopped.
    pub(crate) stopped: Notify,
}

impl Scripted {
    pub(crate) fn new(choice: BackendChoice, name: &'static str, format: Format) -> Arc<Self> {
        Self::with_slots(choice, name, format, 2)
    }

    pub(crate) fn with_slots(
        choice: BackendChoice,
        name: &'static str,
        format: Format,
        slots: usize,
    ) -> Arc<Self> {
        let capabilities = Capabilities {
            name,
            description: "scripted",
            preview: choice == BackendChoice::Relief,
            formats: vec![format],
            multiview: false,
            slots,
        };
        Arc::new(Self {
            choice,
            capabilities,
            gate: CancellationToken::new(),
            begun: Notify::new(),
            stopped: Notify::new(),
        })
    }
}

fn made(name: &str, content: Content) -> Made {
    Made {
        name: name.to_owned(),
        format: Format::Glb,
        content,
    }
}

pub(crate) fn bytes(name: &str) -> Made {
    made(name, Content::Bytes(GLB.clone()))
}

#[async_trait::async_trait]
impl Backend for Scripted {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn choice(&self) -> BackendChoice {
        self.choice
    }

    fn readiness(&self) -> Readiness {
        Readiness::Ready
    }

    async fn generate(
        &self,
        request: Request,
        reporter: &dyn Reporter,
        cancel: CancellationToken,
    ) -> Result<Output, GenerateError> {
        for step in 1..=100 {
            reporter.progress(Progress {
                stage: Stage::Decode,
                step,
                total: 100,
            });
        }
        let files = match Script::ALL[request.params.seed as usize] {
            Script::Bytes => vec![bytes("model.glb")],
            Script::File => {
                let path = request.scratch.join("out");
                tokio::fs::write(&path, &*GLB).await.unwrap();
                vec![made("model.glb", Content::File(path))]
            }
            Script::Gate => {
                self.begun.notify_one();
                tokio::select! {
                    () = self.gate.cancelled() => vec![bytes("model.glb")],
                    () = cancel.cancelled() => {
                        self.stopped.notify_one();
                        return Err(GenerateError::Cancelled);
                    }
                }
            }
            Script::UntilCancelled => {
                self.begun.notify_one();
                cancel.cancelled().await;
                self.stopped.notify_one();
                return Err(GenerateError::Cancelled);
            }
            Script::Fail => return Err(Failure::new(FailureKind::NoObject, "nothing stands out").into()),
            Script::NoSpace => {
                self.begun.notify_one();
                tokio::select! {
                    () = self.gate.cancelled() => {
                        return Err(Failure::new(FailureKind::StorageFull, "no space left").into());
                    }
                    () = cancel.cancelled() => {
                        self.stopped.notify_one();
                        return Err(GenerateError::Cancelled);
                    }
                }
            }
            Script::StopsItself => return Err(GenerateError::Cancelled),
            Script::Panic => panic!("scripted"),
            Script::Traversal => vec![bytes("../model.glb")],
            Script::Foreign => vec![made("model.glb", Content::File("/etc/hostname".into()))],
            Script::Nothing => vec![],
            Script::Broken => vec![made("model.glb", Content::Bytes(Bytes::from_static(b"glTF")))],
            Script::Twice => vec![bytes("model.glb"), bytes("model.glb")],
        };
        let mut notes = vec!["scripted".to_owned()];
        let mut latents = None;
        match request.latents {
            Latents::Forget => {}
            Latents::Keep => {
                let path = request.scratch.join("sampled");
                tokio::fs::write(&path, SAMPLED).await.unwrap();
                latents = Some(path);
            }
            Latents::Of(bytes) => {
                assert_eq!((&bytes[..], request.pictures.len()), (SAMPLED, 0));
                notes.push("decoded".to_owned());
            }
        }
        Ok(Output {
            files,
            notes,
            timings: Timings::default(),
            made_with: MadeWith::default(),
            latents,
        })
    }
}
