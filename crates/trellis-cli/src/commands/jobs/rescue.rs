//! `trellis jobs rescue`: recovers jobs that the database lost.

use std::fmt::Write as _;

use serde_json::json;
use trellis_core::counted;
use trellis_jobs::{Left, Rescued};

use crate::commands::{Context, print, print_json};
use crate::config::{self, SettingFlags};
use crate::error::CliError;
use crate::exit::Exit;
use crate::runtime;

/// Recover jobs from their files after the database lost them
#[derive(Debug, clap::Args)]
#[command(after_help = "\
For a job database that was moved away because it was damaged, or was restored from an old copy. Each job has \
a docket beside its files in the data folder: a job that had ended is listed as it ended, one that had not \
is queued again. Files are compared with their digests. Jobs that the database lists stay as they are, and \
files of jobs that cannot be rescued stay where they are. Stop the server first.

Exit codes: 0 done, 1 some jobs have a docket but cannot be rescued, 2 could not start.")]
pub(crate) struct RescueArgs {
    /// The data folder; default: the one in the settings, as `trellis serve` finds it
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Print JSON instead
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(args: &RescueArgs, context: &Context<'_>) -> Result<Exit, CliError> {
    let flags = SettingFlags::data_dir(args.data_dir.as_deref());
    let effective = config::load(&flags, context.environment, context.config_file.as_deref())?;
    let data_dir = &effective.config.node.data_dir;
    let rescued = runtime()?.block_on(trellis_node::rescue(data_dir, args.dry_run))?;
    let printed = if args.json {
        print_json(&as_json(&rescued, args.dry_run))?
    } else {
        print(&as_text(&rescued, args.dry_run))?
    };
    let lost = |(_, left): &(_, Left)| *left != Left::NoDocket;
    Ok(if rescued.left.iter().any(lost) {
        Exit::Failed
    } else {
        printed
    })
}

fn as_text(rescued: &Rescued, dry_run: bool) -> String {
    let mut text = String::new();
    for job in &rescued.jobs {
        let line = format!("{}  {:<9}  {}", job.id, job.state, job.files.join(", "));
        let _ = writeln!(text, "{}", line.trim_end());
    }
    for (id, left) in &rescued.left {
        let _ = writeln!(text, "{id}  not rescued: {left}");
    }
    let jobs = counted(rescued.jobs.len() as u64, "job", "jobs");
    let rescue = if dry_run { "would rescue" } else { "rescued" };
    let _ = write!(text, "{rescue} {jobs}");
    match rescued.known {
        0 => {}
        1 => text.push_str("; 1 is listed already"),
        known => {
            let _ = write!(text, "; {known} are listed already");
        }
    }
    if !rescued.left.is_empty() {
        let left = counted(rescued.left.len() as u64, "other", "others");
        let _ = write!(text, "; the files of {left} stay as they are");
    }
    text + "\n"
}

fn as_json(rescued: &Rescued, dry_run: bool) -> serde_json::Value {
    let jobs = rescued.jobs.iter();
    let jobs = jobs.map(|job| json!({ "id": job.id, "state": job.state, "files": job.files }));
    let left = rescued.left.iter();
    let left = left.map(|(id, left)| json!({ "id": id, "reason": left.to_string() }));
    json!({
        "dry_run": dry_run,
        "rescued": jobs.collect::<Vec<_>>(),
        "known": rescued.known,
        "left": left.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use trellis_core::{JobId, JobState};
    use trellis_jobs::RescuedJob;

    use super::*;

    fn id(last: char) -> JobId {
        format!("01890a5d-ac96-774b-bcce-b302099a805{last}")
            .parse()
            .unwrap()
    }

    #[test]
    fn people_read_each_job_and_the_sum() {
        let job = |last, state, files: &[&str]| RescuedJob {
            id: id(last),
            state,
            files: files.iter().map(|name| (*name).to_owned()).collect(),
        };
        let rescued = Rescued {
            jobs: vec![
                job('1', JobState::Succeeded, &["chair.glb", "chair.stl"]),
                job('2', JobState::Queued, &[]),
            ],
            known: 3,
            left: vec![(id('3'), Left::NoDocket)],
        };
        insta::assert_snapshot!(as_text(&rescued, false), @r"
        01890a5d-ac96-774b-bcce-b302099a8051  succeeded  chair.glb, chair.stl
        01890a5d-ac96-774b-bcce-b302099a8052  queued
        01890a5d-ac96-774b-bcce-b302099a8053  not rescued: it has no docket
        rescued 2 jobs; 3 are listed already; the files of 1 other stay as they are
        ");
        assert_eq!(as_text(&Rescued::default(), true), "would rescue 0 jobs\n");
        assert_eq!(as_json(&rescued, false)["rescued"][0]["state"], "succeeded");
    }
}
