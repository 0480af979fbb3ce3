//! `trellis nodes`: the servers that share a job store; has one of them begin no job.

use std::fmt::Write as _;

use clap::Subcommand;
use serde_json::{Value, json};
use trellis_core::{Failure, counted};
use trellis_node::{About, SharingNode, Standing};

use super::{Context, tell};
use crate::config::{self, SettingFlags};
use crate::error::CliError;
use crate::exit::Exit;
use crate::runtime;

/// List and drain the servers that share a job store
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The store is the one in the settings, as `trellis serve` finds it: name it with `$TRELLIS_STORE_URL` or in the \
settings file.")]
pub(crate) struct NodesArgs {
    #[command(subcommand)]
    action: Option<Action>,
    /// Print JSON instead
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Have a server finish its jobs and start no new ones, before it is stopped or replaced
    Drain {
        /// The server's name, as listed
        name: String,
    },
    /// Have a drained server start jobs again
    Resume {
        /// The server's name, as listed
        name: String,
    },
}

pub(crate) fn run(args: &NodesArgs, context: &Context<'_>) -> Result<Exit, CliError> {
    tell(act(args, context), args.json)
}

fn act(args: &NodesArgs, context: &Context<'_>) -> Result<Exit, CliError> {
    let flags = SettingFlags::default();
    let effective = config::load(&flags, context.environment, context.config_file.as_deref())?;
    let settings = &effective.config.node;
    runtime()?.block_on(async {
        let (name, drains) = match &args.action {
            None => {
                let sharing = trellis_node::nodes(settings).await?;
                return if args.json {
                    super::print_json(&sharing.nodes.iter().map(as_json).collect::<Vec<_>>())
                } else {
                    super::print(&(as_table(&sharing.nodes) + &lacking(&sharing.lacks)))
                };
            }
            Some(Action::Drain { name }) => (name, true),
            Some(Action::Resume { name }) => (name, false),
        };
        trellis_node::drain(settings, name, drains).await?;
        if args.json {
            return super::print_json(&json!({ "name": name, "drains": drains }));
        }
        let will = if drains {
            "starts no new jobs"
        } else {
            "starts jobs again"
        };
        super::print(&format!("{name} {will}\n"))
    })
}

fn as_json(node: &SharingNode<About>) -> Value {
    json!({
        "name": node.name,
        "silent_seconds": node.silent_for.as_secs(),
        "drains": node.drains,
        "jobs": node.jobs,
        "about": node.about,
    })
}

/// What jobs wait for.
fn lacking(lacks: &[Failure]) -> String {
    let mut text = String::new();
    for lack in lacks {
        let _ = writeln!(text, "jobs wait: {lack}\n  hint: {}", lack.fix);
    }
    text
}

fn as_table(nodes: &[SharingNode<About>]) -> String {
    if nodes.is_empty() {
        return "no server has used this job store in the last day\n".to_owned();
    }
    let mut text = String::new();
    for node in nodes {
        let what = match &node.about {
            Some(about) => format!("{} on {}, version {}", about.role, about.host, about.version),
            None => "a different version".to_owned(),
        };
        let does = match (node.drains, &node.about) {
            (false, _) => "",
            (true, Some(about)) if !about.rests => ", told to start no new ones",
            (true, _) => ", starts no new ones",
        };
        let _ = writeln!(
            text,
            "{}  {what}, last heard from {} s ago; {}{does}",
            node.name,
            node.silent_for.as_secs(),
            counted(node.jobs, "job", "jobs"),
        );
        for offer in node.about.iter().flat_map(|about| &about.backends) {
            let standing = match (offer.standing, &offer.failure) {
                (Standing::Ready, _) => "ready".to_owned(),
                (Standing::Starting, _) => format!("starting, {}", offer.reason),
                (Standing::Unavailable, None) => "not available".to_owned(),
                (Standing::Unavailable, Some(failure)) => format!("not available, {}", failure.message),
            };
            let model = offer.model().map(|model| format!(" ({})", model.name()));
            let _ = writeln!(
                text,
                "  {}{}: {standing}",
                offer.choice,
                model.unwrap_or_default()
            );
        }
    }
    text
}
