//! `trellis serve`: checks the worker's environment, opens a node, prints its banner, runs it.

mod banner;
mod reload;

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tracing::warn;
use trellis_core::AskedBackend;
use trellis_node::{Certificates, Ended, Node, Role, check_model_folder};

use self::banner::Banner;
use self::reload::{Reload, Reloaded};
use super::{Context, doctor};
use crate::config::{self, Effective, SettingFlags};
use crate::error::CliError;
use crate::exit::Exit;
use crate::otlp::Export;
use crate::{env, logs, runtime, signals};

/// Serve the HTTP interface; jobs survive restarts and crashes
#[derive(Debug, clap::Args)]
#[command(after_help = "\
SIGTERM or Ctrl-C: nothing new is started; running jobs may finish for `drain_seconds`, then they go \
back to the queue; the exit code is 0. A second signal ends at once.
SIGHUP: the settings, the file of API keys, the secrets of webhooks and the certificate are read again; \
`log.level`, keys, secrets and certificate are applied, other changes are logged and wait for a restart.
Under systemd the server takes a socket that was opened for it and tells its state (Type=notify).")]
pub(crate) struct ServeArgs {
    /// Start even if `trellis doctor` finds errors in the worker's environment
    #[arg(long)]
    skip_doctor: bool,
    #[command(flatten)]
    settings: SettingFlags,
}

pub(crate) fn run(args: &ServeArgs, context: &Context<'_>) -> Result<Exit, CliError> {
    let effective = config::load(
        &args.settings,
        context.environment,
        context.config_file.as_deref(),
    )?;
    let (started, problem) = match Export::start(context.environment) {
        Ok(started) => (started, None),
        Err(problem) => (None, Some(problem)),
    };
    let (export, spans) = started.unzip();
    let reload = Reload {
        flags: args.settings.clone(),
        environment: context.environment.clone(),
        file: context.config_file.clone(),
        logging: logs::start(&effective.config.log, spans),
    };
    if let Some(problem) = problem {
        warn!(problem, "no spans are exported");
    }
    for mistyped in &effective.mistyped {
        warn!("{mistyped}");
    }
    // The preview backend alone needs nothing of what the doctor looks at.
    let node = &effective.config.node;
    if !args.skip_doctor && node.backend != AskedBackend::Relief && node.role != Role::Api {
        check_model_folder(&effective.config.node.trellis.model)?;
        check_model_folder(&effective.config.node.trellis2.model)?;
        doctor::before_start(context, &effective)?;
    }
    let search = context.environment.get(env::PATH);
    let runtime = runtime()?;
    let ended = runtime.block_on(serve(effective, reload, search));
    // A call that blocks, on a broken disk for instance, does not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    if let Some(export) = export {
        export.end();
    }
    ended
}

async fn serve(effective: Effective, reload: Reload, search: Option<&OsStr>) -> Result<Exit, CliError> {
    let stopping = signals::first_signal("stopping: finishing running jobs; a second signal ends at once")?;
    // Listened to before the banner: whoever reads it may send one, and unheard it ends the process.
    let hangups = signal(SignalKind::hangup()).map_err(signals::deaf)?;
    let settings = effective.config.node.clone();
    let node = Node::open(settings, effective.names_data_dir(), search).await?;
    let certificates = node.certificates().cloned();
    let certified = certificates.as_ref().map(Certificates::names).unwrap_or_default();
    super::print(
        &Banner {
            bound: node.bound(),
            store: &effective.config.node.store.url,
            certified: certified.first().map(String::as_str),
            key_names: node.keys().names().as_deref(),
            metrics: node.metrics_address(),
            projectorz: node.projectorz_address(),
            data_dir: &effective.config.node.data_dir,
            settings: effective.file.as_deref(),
            backends: &node.introductions(),
            has_sample: Path::new(banner::SAMPLE).is_file(),
        }
        .text(),
    )?;
    // Apart from the node: it may end by itself, and nothing waits for it.
    let reloaded = Reloaded {
        keys: node.keys().clone(),
        webhook_secrets: node.webhook_secrets().cloned(),
        certificates,
    };
    tokio::spawn(reload.run(hangups, effective, reloaded, stopping.clone()));
    Ok(match node.run(&stopping).await {
        Ended::Stopped => Exit::Done,
        Ended::Broken => Exit::Failed,
    })
}
