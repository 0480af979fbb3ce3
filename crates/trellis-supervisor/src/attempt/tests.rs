//! What becomes of a job, by what its workers do; the workers are scripted, the files are real.

use std::sync::Mutex;

use bytes::Bytes;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use trellis_backend::MadeWith;
use trellis_core::{AssetName, Format, ParamsPatch, Progress, Stage, StageTime, Timings};
use trellis_picture::Picture;

use super::*;
use crate::protocol::FailedReport;

/// Answers each ticket with the next of a list.
struct Scripted {
    answers: Mutex<Vec<Answer>>,
    seen: Mutex<Vec<bool>>,
    gone: Option<Failure>,
}

enum Answer {
    Done,
    Lie,
    Pipe,
    Many,
    Fails(FailureKind),
    Lost,
    Cancelled,
    Dropped,
    Nothing,
}

impl Workers for Scripted {
    fn enqueue(&self, ticket: Ticket) {
        self.seen.lock().unwrap().push(ticket.task.low_vram);
        let answer = self.answers.lock().unwrap().remove(0);
        ticket.tell(Update::Progress(Progress {
            stage: Stage::Decode,
            step: 0,
            total: 1,
        }));
        let finished = Finished {
            timings: Timings {
                stages: vec![StageTime {
                    stage: Stage::Decode,
                    ms: 95,
                }],
                peak_vram_bytes: Some(3 << 29),
            },
            low_vram: ticket.task.low_vram,
            notes: vec!["worker's note".to_owned()],
            made_with: MadeWith::default(),
        };
        let size_bytes = if matches!(answer, Answer::Lie) { 9 } else { 3 };
        let ended = match answer {
            Answer::Done | Answer::Lie => {
                std::fs::write(ticket.task.out.join("model.glb"), b"glb").unwrap();
                ticket.tell(Update::File(File {
                    name: "model.glb".to_owned(),
                    format: Format::Glb,
                    size_bytes,
                }));
                Ended::Done(finished)
            }
            Answer::Pipe => {
                let place = ticket.task.out.join("model.glb");
                mknodat(CWD, &place, FileType::Fifo, Mode::RUSR, 0).unwrap();
                ticket.tell(Update::File(File {
                    name: "model.glb".to_owned(),
                    format: Format::Glb,
                    size_bytes: 0,
                }));
                Ended::Done(finished)
            }
            Answer::Many => {
                for number in 0..20_000 {
                    ticket.tell(Update::File(File {
                        name: format!("{number}.glb"),
                        format: Format::Glb,
                        size_bytes: 1,
                    }));
                }
                Ended::Done(finished)
            }
            Answer::Fails(kind) => Ended::Failed(FailedReport {
                kind,
                message: "cannot read `/srv/secret/model/x.json`".to_owned(),
                causes: vec![],
                traceback: String::new(),
                replace: false,
            }),
            Answer::Lost => Ended::Lost(Cause::Exited {
                how: "exited with status 3".to_owned(),
                inferred: None,
            }),
            Answer::Cancelled => Ended::Cancelled,
            Answer::Dropped => return,
            Answer::Nothing => {
                std::mem::forget(ticket);
                return;
            }
        };
        ticket.tell(Update::Ended(ended));
    }

    async fn unavailable(&self) -> Failure {
        match &self.gone {
            Some(failure) => failure.clone(),
            None => std::future::pending().await,
        }
    }
}

#[derive(Default)]
struct Heard(Mutex<usize>);

impl Reporter for Heard {
    fn progress(&self, _: Progress) {
        *self.0.lock().unwrap() += 1;
    }
}

fn picture() -> Bytes {
    let picture = Picture::from_rgba8(2, 1, vec![200; 8]).unwrap();
    picture.to_png().into()
}

async fn run(
    answers: Vec<Answer>,
    gone: Option<Failure>,
    cancel: &CancellationToken,
) -> (Result<Output, GenerateError>, Vec<bool>) {
    let scratch = tempfile::tempdir().unwrap();
    let workers = Scripted {
        answers: Mutex::new(answers),
        seen: Mutex::default(),
        gone,
    };
    let request = Request {
        job: "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap(),
        attempt: 1,
        pictures: vec![picture()],
        mesh: None,
        source: None,
        latents: Latents::Forget,
        name: AssetName::of_file("chair.png").unwrap(),
        params: ParamsPatch::default().resolve(7).unwrap(),
        traceparent: None,
        scratch: scratch.path().to_owned(),
    };
    let done = make(&workers, &Limits::default(), &request, &Heard::default(), cancel).await;
    (done, workers.seen.into_inner().unwrap())
}

fn failure_of(ended: Result<Output, GenerateError>) -> Failure {
    match ended {
        Err(GenerateError::Failed(failure)) => failure,
        other => panic!("{other:?}"),
    }
}

async fn outcome(answers: Vec<Answer>) -> (Result<Output, GenerateError>, Vec<bool>) {
    run(answers, None, &CancellationToken::new()).await
}

#[tokio::test]
async fn a_done_job_gives_its_files_and_notes() {
    let (done, _) = outcome(vec![Answer::Done]).await;
    let output = done.unwrap();
    assert_eq!(output.files.len(), 1);
    assert_eq!(output.notes, ["worker's note"]);
    assert_eq!(output.timings.peak_vram_bytes, Some(3 << 29));
    assert_eq!(output.timings.stages[0].ms, 95);
}

#[tokio::test]
async fn a_lost_worker_is_retried_twice_and_then_told() {
    let (done, seen) = outcome(vec![Answer::Lost, Answer::Dropped, Answer::Done]).await;
    assert!(done.unwrap().notes[0].contains("exited with status 3"));
    assert_eq!(seen.len(), 3);
    let (failed, seen) = outcome(vec![Answer::Lost, Answer::Lost, Answer::Lost]).await;
    let failure = failure_of(failed);
    assert_eq!(failure.kind, FailureKind::WorkerLost);
    assert_eq!(
        failure.message,
        "the worker exited with status 3, 3 times in a row"
    );
    assert_eq!(seen.len(), 3);
}

#[tokio::test]
async fn memory_is_retried_once_in_low_vram_mode() {
    let full = || Answer::Fails(FailureKind::GpuOutOfMemory);
    let (done, seen) = outcome(vec![full(), Answer::Done]).await;
    assert!(done.unwrap().notes[0].contains("low-VRAM mode"));
    assert_eq!(seen, [false, true]);
    let (failed, _) = outcome(vec![full(), full()]).await;
    assert_eq!(failure_of(failed).kind, FailureKind::GpuOutOfMemory);
}

#[tokio::test]
async fn the_jobs_own_failure_is_not_retried_and_names_no_path() {
    let (failed, seen) = outcome(vec![Answer::Fails(FailureKind::BadInput)]).await;
    let failure = failure_of(failed);
    assert_eq!(
        (failure.kind, failure.message.as_str()),
        (FailureKind::BadInput, "cannot read `x.json`")
    );
    assert_eq!(seen.len(), 1);
}

#[tokio::test]
async fn a_file_that_is_not_as_the_worker_says_is_refused() {
    for (answer, why) in [
        (Answer::Lie, "`model.glb` has 3 bytes, not 9"),
        (Answer::Pipe, "left a pipe in place of the file `model.glb`"),
        (Answer::Many, "reported 20000 files; the limit is 32"),
    ] {
        let (failed, _) = outcome(vec![answer]).await;
        let failure = failure_of(failed);
        assert_eq!(failure.kind, FailureKind::Internal);
        assert!(failure.message.contains(why), "{failure}");
    }
}

#[tokio::test]
async fn a_job_does_not_wait_for_workers_that_will_not_come() {
    let gone = Failure::new(FailureKind::CheckpointMissing, "a checkpoint is missing");
    let (failed, _) = run(
        vec![Answer::Nothing],
        Some(gone.clone()),
        &CancellationToken::new(),
    )
    .await;
    assert_eq!(failure_of(failed), gone);
}

/// A cancel is nobody's fault: no failure, no other worker.
#[tokio::test]
async fn a_cancelled_job_is_cancelled_wherever_it_is() {
    let cancel = CancellationToken::new();
    cancel.cancel();
    for answers in [vec![Answer::Nothing], vec![Answer::Cancelled], vec![Answer::Lost]] {
        let (ended, seen) = run(answers, None, &cancel).await;
        assert_eq!(ended.unwrap_err(), GenerateError::Cancelled);
        assert_eq!(seen.len(), 1);
    }
}
