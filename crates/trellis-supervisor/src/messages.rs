//! What a worker's messages mean: for the state machine, for the job's caller and for the worker's record. Pure; the
//! driver carries it out.

use std::collections::BTreeMap;

use trellis_core::{JobId, Progress, StageTime};

use crate::cause::{Cause, Doing};
use crate::protocol::{FailedReport, FromWorker, GpuFacts, PROTOCOL};
use crate::state::Event;
use crate::ticket::{File, Left, Update};

/// What a message means.
#[derive(Debug, PartialEq)]
pub(crate) struct Meaning {
    /// What happened to the worker.
    pub(crate) event: Option<Event>,
    /// What the job's caller is told.
    pub(crate) update: Option<Update>,
    /// What is known of the worker from here on.
    pub(crate) change: Option<RecordChange>,
}

/// What a message says of its worker.
#[derive(Debug, PartialEq)]
pub(crate) enum RecordChange {
    /// What is installed, and the GPU that it sees.
    Installed(BTreeMap<String, String>, Option<GpuFacts>),
    /// It got on with something; the text is for people.
    Doing(Doing, String),
    /// It is ready for jobs.
    Loaded {
        load_ms: u64,
        vram_bytes: u64,
        low_vram: bool,
        determinism: Vec<String>,
    },
    /// What it holds now.
    Holds(Memory),
    /// It finished its job.
    Done(JobReport),
    /// Its job failed.
    Failed(JobId, FailedReport),
    /// It stopped its job as it was told.
    Cancelled,
}

/// What a worker holds, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Memory {
    /// Resident memory of the process.
    pub(crate) rss: u64,
    /// Memory of the GPU.
    pub(crate) vram: u64,
}

/// What a finished job took.
#[derive(Debug, PartialEq)]
pub(crate) struct JobReport {
    pub(crate) stages: Vec<StageTime>,
    pub(crate) peak_vram_bytes: u64,
    /// What the worker holds afterwards.
    pub(crate) memory: Memory,
    pub(crate) notes: Vec<String>,
    pub(crate) non_commercial: Vec<String>,
}

impl Meaning {
    fn event(event: Event, change: RecordChange) -> Self {
        Self {
            event: Some(event),
            update: None,
            change: Some(change),
        }
    }

    fn lost(cause: Cause) -> Self {
        Self {
            event: Some(Event::Lost(cause)),
            update: None,
            change: None,
        }
    }

    fn change(change: RecordChange) -> Self {
        Self {
            event: None,
            update: None,
            change: Some(change),
        }
    }

    fn update(update: Update, change: Option<RecordChange>) -> Self {
        Self {
            event: None,
            update: Some(update),
            change,
        }
    }

    /// Of a job that the worker no longer has.
    fn nothing() -> Self {
        Self {
            event: None,
            update: None,
            change: None,
        }
    }
}

/// What a message means that comes from a worker which has this job.
pub(crate) fn meaning(message: FromWorker, held: Option<JobId>) -> Meaning {
    match message {
        FromWorker::Hello { protocol, .. } if protocol != PROTOCOL => {
            Meaning::lost(Cause::WrongProtocol { found: protocol })
        }
        FromWorker::Hello { versions, gpu, .. } => {
            Meaning::event(Event::Hello, RecordChange::Installed(versions, gpu))
        }
        FromWorker::LoadProgress { part, step, total } => {
            let text = format!("loading `{part}`, {step} of {total}");
            Meaning::change(RecordChange::Doing(Doing::Load, text))
        }
        FromWorker::Loaded {
            load_ms,
            vram_bytes,
            low_vram,
            determinism,
        } => {
            let loaded = RecordChange::Loaded {
                load_ms,
                vram_bytes,
                low_vram,
                determinism,
            };
            Meaning::event(Event::Loaded, loaded)
        }
        FromWorker::Failed { job: None, report } => Meaning::lost(Cause::LoadFailed(report)),
        FromWorker::Pong {
            rss_bytes,
            vram_bytes,
        } => Meaning::change(RecordChange::Holds(Memory {
            rss: rss_bytes,
            vram: vram_bytes,
        })),
        message => of_job(message, held),
    }
}

fn of_job(message: FromWorker, held: Option<JobId>) -> Meaning {
    match message {
        FromWorker::Progress {
            job,
            stage,
            step,
            total,
        } if Some(job) == held => {
            let text = format!("stage `{stage}`, step {step} of {total}");
            let doing = RecordChange::Doing(Doing::Stage(stage), text);
            Meaning::update(Update::Progress(Progress { stage, step, total }), Some(doing))
        }
        FromWorker::Artifact {
            job,
            name,
            format,
            size_bytes,
        } if Some(job) == held => {
            let file = File {
                name,
                format,
                size_bytes,
            };
            Meaning::update(Update::File(file), None)
        }
        FromWorker::Latents {
            job,
            name,
            size_bytes,
        } if Some(job) == held => Meaning::update(Update::Latents(Left { name, size_bytes }), None),
        FromWorker::Done {
            job,
            stages,
            peak_vram_bytes,
            vram_bytes,
            rss_bytes,
            notes,
            non_commercial,
        } => {
            let memory = Memory {
                rss: rss_bytes,
                vram: vram_bytes,
            };
            let report = JobReport {
                stages,
                peak_vram_bytes,
                memory,
                notes,
                non_commercial,
            };
            Meaning::event(Event::Ended { job, replace: false }, RecordChange::Done(report))
        }
        FromWorker::Failed {
            job: Some(job),
            report,
        } => {
            let replace = report.replace;
            Meaning::event(Event::Ended { job, replace }, RecordChange::Failed(job, report))
        }
        FromWorker::Cancelled { job } => {
            Meaning::event(Event::Ended { job, replace: false }, RecordChange::Cancelled)
        }
        _ => Meaning::nothing(),
    }
}

#[cfg(test)]
mod tests {
    use trellis_core::{FailureKind, Format, Stage};

    use super::*;

    fn id(digit: char) -> JobId {
        format!("01890a5d-ac96-774b-bcce-b3020000000{digit}")
            .parse()
            .unwrap()
    }

    fn progress(job: JobId) -> FromWorker {
        FromWorker::Progress {
            job,
            stage: Stage::Texture,
            step: 2,
            total: 9,
        }
    }

    fn failed(job: Option<JobId>) -> FromWorker {
        FromWorker::Failed {
            job,
            report: FailedReport {
                kind: FailureKind::BadInput,
                message: "no".to_owned(),
                causes: vec![],
                traceback: String::new(),
                replace: true,
            },
        }
    }

    #[test]
    fn progress_and_files_of_another_job_mean_nothing() {
        let artifact = |job| FromWorker::Artifact {
            job,
            name: "model.glb".to_owned(),
            format: Format::Glb,
            size_bytes: 3,
        };
        for held in [None, Some(id('2'))] {
            assert_eq!(meaning(progress(id('1')), held), Meaning::nothing());
            assert_eq!(meaning(artifact(id('1')), held), Meaning::nothing());
        }
        let heard = meaning(progress(id('1')), Some(id('1')));
        assert_eq!(heard.event, None);
        assert!(matches!(heard.update, Some(Update::Progress(_))));
        let doing = Doing::Stage(Stage::Texture);
        let text = "stage `texture`, step 2 of 9".to_owned();
        assert_eq!(heard.change, Some(RecordChange::Doing(doing, text)));
        let heard = meaning(artifact(id('1')), Some(id('1')));
        assert!(matches!(heard.update, Some(Update::File(file)) if file.size_bytes == 3));
    }

    #[test]
    fn ends_are_events_whoever_they_are_of() {
        let ended = |job, replace| Some(Event::Ended { job, replace });
        let cancelled = meaning(FromWorker::Cancelled { job: id('1') }, None);
        assert_eq!(cancelled.event, ended(id('1'), false));
        assert_eq!(cancelled.change, Some(RecordChange::Cancelled));
        let of_job = meaning(failed(Some(id('1'))), Some(id('1')));
        assert_eq!(of_job.event, ended(id('1'), true), "its state is in doubt");
        let of_load = meaning(failed(None), None);
        assert!(matches!(of_load.event, Some(Event::Lost(Cause::LoadFailed(_)))));
        assert_eq!(of_load.change, None);
    }

    #[test]
    fn another_protocol_is_no_hello() {
        let hello = |protocol| FromWorker::Hello {
            protocol,
            versions: BTreeMap::new(),
            gpu: None,
        };
        assert_eq!(meaning(hello(PROTOCOL), None).event, Some(Event::Hello));
        let other = meaning(hello(PROTOCOL + 1), None);
        let found = PROTOCOL + 1;
        assert_eq!(other.event, Some(Event::Lost(Cause::WrongProtocol { found })));
        assert_eq!(other.change, None);
    }
}
