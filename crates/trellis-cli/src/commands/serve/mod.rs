//! `trellis serve`: opens the data folder, starts the services and the HTTP interface, drains at the end.

mod banner;
mod data_dir;
mod keys;
mod reload;
mod service_manager;
mod services;

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use trellis_core::BackendChoice;

use self::banner::Banner;
use self::data_dir::DataDir;
use self::reload::Reload;
use self::services::Services;
use super::{Context, doctor};
use crate::config::{self, Effective, Listen, SettingFlags};
use crate::exit::{Exit, Stop};
use crate::{backends, env, installation, logs, runtime, signals};

/// What is left after the drain for open requests and the last writes.
const GRACE: Duration = Duration::from_secs(5);

/// Serve the HTTP interface; jobs survive restarts and crashes
#[derive(Debug, clap::Args)]
#[command(after_help = "\
SIGTERM or Ctrl-C: nothing new is started; running jobs may finish for `drain_seconds`, then they go \
back to the queue; the exit code is 0. A second signal ends at once.
SIGHUP: the settings and the file of API keys are read again; `log.level` and the keys are taken up, \
other changes are named and wait for a restart.
Under systemd the server takes a socket that was opened for it and tells its state (Type=notify).")]
pub(crate) struct ServeArgs {
    /// Start although `trellis doctor` finds errors in the worker's environment
    #[arg(long)]
    skip_doctor: bool,
    #[command(flatten)]
    settings: SettingFlags,
}

pub(crate) fn run(args: &ServeArgs, context: &Context<'_>) -> Result<Exit, Stop> {
    let effective = config::load(
        &args.settings,
        context.environment,
        context.config_file.as_deref(),
    )?;
    let reload = Reload {
        flags: args.settings.clone(),
        environment: context.environment.clone(),
        file: context.config_file.clone(),
        logging: logs::start(&effective.config.log),
    };
    for mistyped in &effective.mistyped {
        warn!("{mistyped}");
    }
    // The preview backend alone needs nothing of what the doctor looks at.
    if !args.skip_doctor && effective.config.backend != BackendChoice::Relief {
        backends::model_is_there(&effective.config.trellis.model)?;
        doctor::before_start(context, &effective.config.trellis.model)?;
    }
    let search = context.environment.get(env::PATH);
    runtime()?.block_on(serve(effective, reload, search))
}

async fn serve(effective: Effective, reload: Reload, search: Option<&OsStr>) -> Result<Exit, Stop> {
    let config = &effective.config;
    let stopping = signals::first_signal("stopping: finishing running jobs; a second signal ends at once")
        .context("cannot listen for signals")
        .map_err(Stop::not_started)?;
    // Listened to before the banner: whoever reads it may send one, and unheard it ends the process.
    let hangups = signal(SignalKind::hangup())
        .context("cannot listen for signals")
        .map_err(Stop::not_started)?;
    let keys = keys::open(&config.auth)?;
    let data = DataDir::open(&config.data_dir, effective.names_data_dir())?;
    let (listener, bound) = bind(&config.listen).await?;
    let origin = installation::origin(config, search).await?;
    let services = Services::open(config, &data, origin).await?;
    let key_names = keys.names();
    if key_names.is_none() && !bound.ip().is_loopback() {
        warn!(%bound, "everybody who reaches this address can use the server: set `auth.keys_file`, or listen on 127.0.0.1");
    }
    super::print(
        &Banner {
            bound,
            key_names: key_names.as_deref(),
            data_dir: &config.data_dir,
            settings: effective.file.as_deref(),
            backends: &services.introductions(),
            has_sample: Path::new(banner::SAMPLE).is_file(),
        }
        .text(),
    )?;
    // Apart from the others: it may end by itself, and nothing waits for it.
    tokio::spawn(reload.run(hangups, effective.clone(), keys.clone(), stopping.clone()));
    let tasks = services.start(config, &data, keys, listener, &stopping);
    let drain = Duration::from_secs(config.drain_seconds.into());
    Ok(run_until_stopped(tasks, &stopping, drain + GRACE).await)
}

async fn bind(listen: &Listen) -> Result<(TcpListener, SocketAddr), Stop> {
    let address = SocketAddr::new(listen.host, listen.port);
    let bound = async {
        let listener = match service_manager::inherited_listener()? {
            Some(listener) => listener,
            None => TcpListener::bind(address).await?,
        };
        let bound = listener.local_addr()?;
        Ok((listener, bound))
    };
    bound.await.map_err(|error: std::io::Error| {
        let hint = match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                "another program listens there: stop it, or choose another port with `--port` (0 takes any)"
            }
            std::io::ErrorKind::PermissionDenied => {
                "ports below 1024 need a privilege: choose another with `--port`"
            }
            _ => "choose an address of this machine with `--host`",
        };
        Stop::not_started(anyhow::Error::new(error).context(format!("cannot listen on {address}"))).hint(hint)
    })
}

/// Waits for the signal and then, within `deadline`, for all tasks. One that ends by itself before is a
/// defect: the others are stopped in order, so that nothing is lost.
async fn run_until_stopped(
    mut tasks: JoinSet<Result<(), std::io::Error>>,
    stopping: &CancellationToken,
    deadline: Duration,
) -> Exit {
    let mut exit = Exit::Done;
    tokio::select! {
        // First: once it is set, tasks end because of it.
        biased;
        () = stopping.cancelled() => {}
        ended = tasks.join_next() => {
            error!(reason = ?ended, "a part of the server ended by itself");
            exit = Exit::Failed;
            stopping.cancel();
        }
    }
    let drained = timeout(deadline, async { while tasks.join_next().await.is_some() {} });
    if drained.await.is_err() {
        warn!(
            seconds = deadline.as_secs(),
            "not everything ended in time; the rest is stopped here"
        );
        tasks.shutdown().await;
    }
    info!("stopped");
    exit
}
