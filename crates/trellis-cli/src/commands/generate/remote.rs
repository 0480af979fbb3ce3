//! Makes assets on a server: submits, follows the job's events, downloads its files.

use std::fmt::Write as _;

use tokio_util::sync::CancellationToken;
use trellis_backend::{Content, Piece, Reporter as _};
use trellis_client::{Client, ServerInfo, ServerProblem, Submission, address};
use trellis_core::{Artifact, AskedBackend, EventKind, Format, Job, JobEvent, JobState};
use trellis_provenance::{Envelope, Statement};

use super::asset::{Asset, Order, Stated, interrupted};
use super::pieces::pieces;
use super::show::JobShow;
use super::write;
use crate::error::CliError;
use crate::exit::Exit;

/// A server and the backend that it is asked for.
#[derive(Debug)]
pub(crate) struct Remote {
    client: Client,
    backend: AskedBackend,
    info: ServerInfo,
}

impl Remote {
    /// A server that answers and lets this client in.
    pub(crate) async fn reach(client: Client, backend: AskedBackend) -> Result<Self, CliError> {
        let info = client.info().await?;
        // Once and before any picture is sent: a missing key is not the pictures' fault.
        client.check_access().await?;
        Ok(Self {
            client,
            backend,
            info,
        })
    }

    pub(crate) fn introduction(&self) -> String {
        let mut text = format!(
            "server: {}, backend {}",
            address::shown(self.client.address()),
            self.backend
        );
        for backend in &self.info.backends {
            let _ = write!(text, "\n  {}: {}", backend.name, backend.description);
        }
        text
    }

    /// What a person should know of a backend's results.
    fn about(&self, name: &str) -> String {
        let backend = self.info.backends.iter().find(|backend| backend.name == name);
        backend
            .map(|backend| backend.description.clone())
            .unwrap_or_default()
    }

    pub(crate) async fn make(
        &self,
        order: &Order,
        show: &JobShow<'_>,
        stopping: &CancellationToken,
    ) -> Result<Asset, CliError> {
        let submission = Submission {
            pictures: &order.pictures,
            mesh: order.mesh.as_ref(),
            mesh_name: order.mesh_name.as_ref(),
            name: order.name.as_ref(),
            params: &order.patch,
            backend: self.backend,
            priority: order.of_server.priority,
            no_cache: order.of_server.anew,
        };
        let waiting = |problem: &ServerProblem| show.note(&format!("{}, waiting", problem.message));
        let submitted = tokio::select! {
            job = self.client.submit(&submission, waiting) => job?,
            () = stopping.cancelled() => return Err(interrupted()),
        };
        if let Some(lack) = &submitted.waits_for {
            show.note(&format!("waiting: {lack}; {}", lack.fix));
        }
        let work = async {
            let job = self
                .client
                .follow(submitted.id, |event| observe(event, show))
                .await?;
            self.collect(job, order).await
        };
        tokio::select! {
            asset = work => asset,
            () = stopping.cancelled() => {
                // Nobody waits for it any more. A server that is gone needs no telling.
                let _ = self.client.cancel(submitted.id).await;
                Err(interrupted())
            }
        }
    }

    /// Fetches the files of a finished job, one for each format asked for.
    async fn collect(&self, mut job: Job, order: &Order) -> Result<Asset, CliError> {
        match (job.state, job.failure.take()) {
            (JobState::Succeeded, _) => {}
            (_, Some(failure)) => return Err(failure.into()),
            (state, None) => {
                return Err(CliError::new(
                    state.name(),
                    Exit::Failed,
                    format!("the job was {state} on the server"),
                )
                .hint("submit it again"));
            }
        }
        let scratch =
            tempfile::tempdir().map_err(|error| write::unwritable(&std::env::temp_dir(), &error))?;
        let mut files = Vec::new();
        for (format, _) in &order.names {
            let fits = |artifact: &&Artifact| artifact.format == *format && !artifact.preview;
            let Some(artifact) = job.artifacts.iter().find(fits) else {
                let message = format!("job `{}` has no file of the format {format}", job.id);
                return Err(CliError::not_understood(message));
            };
            // Under a name of ours.
            let place = scratch.path().join(format.name());
            self.client.download(job.id, artifact, &place).await?;
            let content = Content::File(place);
            files.extend(in_pieces(*format, content, order.names.clone()).await?);
        }
        let stated = self.statement_of(&mut job, order, &files).await?;
        let made_by = job.made_by.unwrap_or_else(|| job.backend.name().to_owned());
        Ok(Asset {
            job: job.id,
            about: self.about(&made_by),
            made_by,
            params: job.params,
            notes: job.notes,
            files,
            timings: job.timings,
            provenance: job.provenance,
            stated,
            cached: job.cached,
            _scratch: Some(scratch),
        })
    }

    /// The statement, where it is asked for or signed; notes say where it is not what one may expect.
    async fn statement_of(
        &self,
        job: &mut Job,
        order: &Order,
        files: &[Piece],
    ) -> Result<Option<Stated>, CliError> {
        let Some(file) = job.statement.take() else {
            if order.of_server.states {
                job.notes.push(
                    "the server made no statement: its setting `provenance.statement` is off".to_owned(),
                );
            }
            return Ok(None);
        };
        if !order.of_server.states && file.signed_by.is_none() {
            return Ok(None);
        }
        let apart =
            |piece: &Piece| piece.format == Format::Obj && piece.media_type != Format::Obj.media_type();
        if files.iter().any(apart) {
            job.notes.push(format!(
                "`{}` is about the zip of the OBJ: `-o NAME.zip` saves that file",
                file.name
            ));
        }
        let (_, ending) = file.name.split_once('.').unwrap_or(("", &file.name));
        if ![Statement::ENDING, Envelope::ENDING].contains(&ending) {
            let message = format!("job `{}` has a statement named `{}`", job.id, file.name);
            return Err(CliError::not_understood(message));
        }
        let bytes = self.client.statement(job.id, &file).await?;
        Ok(Some(Stated {
            ending: ending.to_owned(),
            bytes,
            signed_by: file.signed_by,
        }))
    }
}

/// Shows what an event says of the work.
fn observe(event: &JobEvent, show: &JobShow<'_>) {
    match event.kind {
        EventKind::Progress(progress) => show.progress(progress),
        EventKind::State {
            state: JobState::Queued,
            attempt,
            ..
        } if attempt > 0 => show.note("back in the queue"),
        EventKind::State { .. } | EventKind::Artifact { .. } | EventKind::Renamed { .. } => {}
    }
}

/// An OBJ taken apart, off the threads that others wait for.
async fn in_pieces(
    format: Format,
    content: Content,
    names: Vec<(Format, String)>,
) -> Result<Vec<Piece>, CliError> {
    let done = tokio::task::spawn_blocking(move || pieces(format, &content, &names)).await;
    match done {
        Ok(files) => Ok(files?),
        Err(_) => Err(CliError::not_understood("the zip of the OBJ cannot be read")),
    }
}
