//! `trellis workers`: what a running server's workers do; restarts and drains them.

use std::fmt::Write as _;

use clap::Subcommand;
use trellis_client::Client;
use trellis_core::{WorkerCommand, WorkerStatus, memory_size};

use super::Context;
use super::reach::ReachArgs;
use crate::block_on;
use crate::error::CliError;
use crate::exit::Exit;

/// List, restart and drain a running server's workers
#[derive(Debug, clap::Args)]
pub(crate) struct WorkersArgs {
    #[command(subcommand)]
    action: Option<Action>,

    #[command(flatten)]
    reach: ReachArgs,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show every worker: state, GPU, memory, jobs (the default)
    List {
        /// Print JSON instead
        #[arg(long)]
        json: bool,
    },
    /// Replace a worker's process after its job; starts one that was stopped
    Restart {
        /// A worker's name, such as `trellis-0`; default: every worker
        name: Option<String>,
    },
    /// Stop a worker after its job
    Drain {
        /// A worker's name, such as `trellis-0`; default: every worker
        name: Option<String>,
    },
}

pub(crate) fn run(args: WorkersArgs, context: &Context<'_>) -> Result<Exit, CliError> {
    let client = args.reach.client(context)?;
    block_on(async {
        match args.action.unwrap_or(Action::List { json: false }) {
            Action::List { json } => {
                let workers = client.workers().await?;
                super::print(&if json {
                    as_json(&workers)
                } else {
                    as_table(&workers)
                })
            }
            Action::Restart { name } => command(&client, name, WorkerCommand::Restart).await,
            Action::Drain { name } => command(&client, name, WorkerCommand::Drain).await,
        }
    })
}

async fn command(client: &Client, name: Option<String>, command: WorkerCommand) -> Result<Exit, CliError> {
    let names = match name {
        Some(name) => vec![name],
        None => client
            .workers()
            .await?
            .into_iter()
            .map(|worker| worker.name)
            .collect(),
    };
    let will = match command {
        WorkerCommand::Restart => "restarts",
        WorkerCommand::Drain => "stops",
    };
    let mut said = String::new();
    for name in names {
        client.command_worker(&name, command).await?;
        let _ = writeln!(said, "{name} {will} after its job");
    }
    super::print(&said)
}

fn as_json(workers: &[WorkerStatus]) -> String {
    let mut text = serde_json::to_string_pretty(workers).expect("a worker's status is plain values");
    text.push('\n');
    text
}

fn as_table(workers: &[WorkerStatus]) -> String {
    if workers.is_empty() {
        return "no workers: this server works with the embedded backend only\n".to_owned();
    }
    let mut text = String::new();
    for worker in workers {
        let gpu = worker.gpu_name.as_deref().unwrap_or("no GPU");
        let mode = if worker.low_vram { ", low VRAM" } else { "" };
        let counters = &worker.counters;
        let _ = writeln!(text, "{}  {}  {gpu}{mode}", worker.name, worker.state);
        let _ = writeln!(text, "  {}", worker.reason);
        if let Some(failure) = &worker.failure {
            let _ = writeln!(text, "  fix: {}", failure.fix);
        }
        let _ = writeln!(
            text,
            "  {} done, {} failed, {} started, {} lost; VRAM {}, at most {}; memory {}",
            counters.jobs_done,
            counters.jobs_failed,
            counters.starts,
            counters.losses,
            memory_size(counters.vram_bytes),
            memory_size(counters.peak_vram_bytes),
            memory_size(counters.rss_bytes),
        );
    }
    text
}
