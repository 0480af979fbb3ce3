//! The embedded preview as a backend: `trellis-relief` on a blocking thread.
//!
//! Not here: how a relief is made. This translates requests, progress, cancellation and errors.

use std::ops::ControlFlow;
use std::thread::available_parallelism;
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use trellis_core::{
    AssetName, BackendChoice, Failure, FailureKind, Format, GenerateError, Params, Progress, Stage, Timings,
};
use trellis_picture::{PictureError, decode};
use trellis_relief::{DESCRIPTION, FORMATS, NAME, Relief, ReliefError, Views, generate, labelled};

use crate::converted::{AssetLabel, engine_formats, is_converted, with_converted};
use crate::stopwatch::Stopwatch;
use crate::{Backend, Capabilities, Content, Made, MadeWith, Output, Readiness, Reporter, Request};

/// Most jobs at a time by default: a large picture takes some hundred megabytes.
const MOST_SLOTS: usize = 4;

/// How the embedded preview works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReliefSettings {
    /// Most pixels of a picture.
    pub max_pixels: u64,
    /// Jobs at a time, at least 1; each keeps one core busy.
    pub slots: usize,
}

impl Default for ReliefSettings {
    /// 64 million pixels, and a job for each core up to four.
    fn default() -> Self {
        Self {
            max_pixels: 64_000_000,
            slots: available_parallelism().map_or(1, |cores| cores.get().min(MOST_SLOTS)),
        }
    }
}

/// The embedded preview.
#[derive(Debug)]
pub struct ReliefBackend {
    capabilities: Capabilities,
    max_pixels: u64,
}

impl ReliefBackend {
    /// The backend; it is ready at once.
    pub fn new(settings: ReliefSettings) -> Self {
        Self {
            capabilities: Capabilities {
                name: NAME,
                description: DESCRIPTION,
                preview: true,
                formats: formats(),
                multiview: false,
                slots: settings.slots.max(1),
            },
            max_pixels: settings.max_pixels,
        }
    }
}

#[async_trait::async_trait]
impl Backend for ReliefBackend {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn choice(&self) -> BackendChoice {
        BackendChoice::Relief
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
        let stop = cancel.child_token();
        // If this future is dropped, the thread stops at its next report.
        let _guard = stop.clone().drop_guard();
        let (tell, mut told) = mpsc::unbounded_channel();
        let asked = request.params.clone();
        let label = AssetLabel {
            name: labelled(&request.name),
            about: DESCRIPTION,
        };
        let work = Work {
            pictures: request.pictures,
            name: request.name,
            params: Params {
                formats: engine_formats(&asked.formats),
                ..request.params
            },
            max_pixels: self.max_pixels,
            stop,
            tell,
        };
        let thread = tokio::task::spawn_blocking(move || work.run());
        // Ends when the thread is done and has dropped its sender.
        while let Some(progress) = told.recv().await {
            reporter.progress(progress);
        }
        let (relief, timings) = thread
            .await
            .map_err(|_| Failure::new(FailureKind::Internal, "the preview crashed"))??;
        Ok(with_converted(output(relief, timings), &asked, label).await?)
    }
}

/// One job on its thread.
struct Work {
    pictures: Vec<Bytes>,
    name: AssetName,
    params: Params,
    max_pixels: u64,
    stop: CancellationToken,
    tell: mpsc::UnboundedSender<Progress>,
}

impl Work {
    fn run(self) -> Result<(Relief, Timings), GenerateError> {
        if self.stop.is_cancelled() {
            return Err(GenerateError::Cancelled);
        }
        let Some(first) = self.pictures.first() else {
            return Err(Failure::new(FailureKind::BadInput, "no picture was given").into());
        };
        // Decoding counts as preprocessing.
        let mut watch = Stopwatch::start(Stage::Preprocess, Instant::now());
        let views = Views {
            first: decode(first, self.max_pixels).map_err(|error| unreadable(&error))?,
            count: self.pictures.len(),
            name: self.name.clone(),
        };
        let mut report = |progress| {
            watch.hear(progress, Instant::now());
            // Nobody listens any more only when the job was dropped, which also set `stop`.
            let _ = self.tell.send(progress);
            if self.stop.is_cancelled() {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        };
        let relief = generate(&views, &self.params, &mut report).map_err(|error| ended(&error))?;
        Ok((relief, watch.stop(Instant::now())))
    }
}

/// What the engine makes, and what is made from its GLB.
fn formats() -> Vec<Format> {
    let mut formats = Format::ALL.to_vec();
    formats.retain(|format| is_converted(*format) || FORMATS.contains(format));
    formats
}

fn output(relief: Relief, timings: Timings) -> Output {
    let files = relief.files.into_iter().map(|file| Made {
        name: format!("model.{}", file.format.extension()),
        format: file.format,
        content: Content::Bytes(file.bytes.into()),
    });
    Output {
        files: files.collect(),
        notes: relief.notes,
        timings,
        made_with: MadeWith::default(),
        latents: None,
    }
}

pub(crate) fn unreadable(error: &PictureError) -> Failure {
    Failure {
        fix: error.advice().to_owned(),
        ..Failure::new(FailureKind::BadInput, error.to_string())
    }
}

pub(crate) fn ended(error: &ReliefError) -> GenerateError {
    let kind = match error {
        ReliefError::Transparent | ReliefError::OnlyBackground => FailureKind::NoObject,
        ReliefError::BusyBackground | ReliefError::Scattered { .. } => FailureKind::NoClearObject,
        ReliefError::UnsupportedFormat { .. } => FailureKind::Unsupported,
        ReliefError::Texture { .. } | ReliefError::Mesh { .. } => FailureKind::Internal,
        ReliefError::Cancelled => return GenerateError::Cancelled,
    };
    Failure::new(kind, error.to_string()).into()
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::path::PathBuf;
    use std::sync::Mutex;

    use trellis_core::{JobId, ParamsPatch};

    use super::*;

    #[derive(Default)]
    struct Heard {
        progress: Mutex<Vec<Progress>>,
    }

    impl Reporter for Heard {
        fn progress(&self, progress: Progress) {
            self.progress.lock().unwrap().push(progress);
        }
    }

    fn disc() -> Bytes {
        let picture = image::RgbaImage::from_fn(80, 60, |x, y| {
            let away = (f64::from(x) - 40.0).hypot(f64::from(y) - 30.0);
            image::Rgba([200, 90, 40, if away < 20.0 { 255 } else { 0 }])
        });
        encoded(&picture)
    }

    fn encoded(picture: &image::RgbaImage) -> Bytes {
        let mut out = Cursor::new(Vec::new());
        picture.write_to(&mut out, image::ImageFormat::Png).unwrap();
        out.into_inner().into()
    }

    fn request(pictures: Vec<Bytes>, formats: &[Format]) -> Request {
        let patch = ParamsPatch::default()
            .with("formats", formats.to_vec())
            .with("texture_size", 512);
        Request {
            job: JobId::new(jiff::Timestamp::UNIX_EPOCH, [0; 10]),
            attempt: 1,
            pictures,
            mesh: None,
            source: None,
            latents: crate::Latents::Forget,
            name: AssetName::of_file("disc.png").unwrap(),
            params: patch.resolve(3).unwrap(),
            traceparent: None,
            scratch: PathBuf::new(),
        }
    }

    async fn made(
        request: Request,
        heard: &Heard,
        cancel: CancellationToken,
    ) -> Result<Output, GenerateError> {
        let backend = ReliefBackend::new(ReliefSettings::default());
        backend.generate(request, heard, cancel).await
    }

    #[tokio::test]
    async fn makes_each_format_and_reports_its_stages() {
        let heard = Heard::default();
        let request = request(vec![disc(), disc()], &[Format::Glb, Format::Stl, Format::Ply]);
        let output = made(request, &heard, CancellationToken::new()).await.unwrap();
        let names: Vec<&str> = output.files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["model.glb", "model.stl", "model.ply"]);
        assert!(
            output.notes[0].contains("the first of the 2 views"),
            "{:?}",
            output.notes
        );
        let mut stages: Vec<&str> = heard
            .progress
            .lock()
            .unwrap()
            .iter()
            .map(|progress| progress.stage.name())
            .collect();
        stages.dedup();
        assert_eq!(
            stages,
            ["preprocess", "sparse_structure", "simplify", "texture", "export"]
        );
    }

    /// The OBJ's text in a zip, unpacked by the crate that reads it back elsewhere.
    fn obj_of(output: &Output) -> String {
        let Content::Bytes(zip) = &output
            .files
            .iter()
            .find(|file| file.format == Format::Obj)
            .unwrap()
            .content
        else {
            panic!("it is in memory")
        };
        let bundle = trellis_convert::Bundle::from_zip(zip).unwrap();
        String::from_utf8(bundle.files[0].bytes.clone()).unwrap()
    }

    #[tokio::test]
    async fn an_obj_comes_with_and_without_the_glb_that_it_is_made_from() {
        let heard = Heard::default();
        for (formats, names) in [
            (&[Format::Obj][..], &["model.obj.zip"][..]),
            (
                &[Format::Stl, Format::Obj, Format::Glb],
                &["model.stl", "model.glb", "model.obj.zip"],
            ),
        ] {
            let output = made(request(vec![disc()], formats), &heard, CancellationToken::new());
            let output = output.await.unwrap();
            let made: Vec<&str> = output.files.iter().map(|file| file.name.as_str()).collect();
            assert_eq!(made, names);
            let text = obj_of(&output);
            assert!(text.starts_with("# disc (preview, not TRELLIS): a preview from the outline"));
            assert!(text.contains("\nusemtl disc_(preview,_not_TRELLIS)\n"));
        }
    }

    #[tokio::test]
    async fn failures_have_their_kind() {
        let transparent = encoded(&image::RgbaImage::new(9, 9));
        let noise = encoded(&image::RgbaImage::from_fn(90, 80, |x, y| {
            let value =
                |factor: u32| ((x * 7919 + y * y * 104_729 + x * y * 31) % 251 * factor).to_le_bytes()[0];
            image::Rgba([value(1), value(3), value(7), 255])
        }));
        let cases = [
            (
                vec![Bytes::from_static(b"no picture")],
                Format::Glb,
                FailureKind::BadInput,
            ),
            (vec![disc().slice(..200)], Format::Glb, FailureKind::BadInput),
            (vec![], Format::Glb, FailureKind::BadInput),
            (vec![transparent], Format::Glb, FailureKind::NoObject),
            (vec![noise], Format::Glb, FailureKind::NoClearObject),
            (vec![disc()], Format::GaussianPly, FailureKind::Unsupported),
        ];
        for (pictures, format, kind) in cases {
            let request = request(pictures, &[format]);
            let ended = made(request, &Heard::default(), CancellationToken::new()).await;
            assert!(
                matches!(&ended, Err(GenerateError::Failed(failure)) if failure.kind == kind),
                "{ended:?}"
            );
        }
    }

    #[tokio::test]
    async fn stops_when_cancelled() {
        let cancel = CancellationToken::new();
        let heard = Heard::default();
        cancel.cancel();
        let ended = made(request(vec![disc()], &[Format::Glb]), &heard, cancel).await;
        assert_eq!(ended.unwrap_err(), GenerateError::Cancelled);
        assert!(heard.progress.lock().unwrap().is_empty());
    }
}
