//! `trellis man`: the manual pages, roff.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_mangen::Man;

use crate::cli::Cli;
use crate::exit::{Exit, Stop};

/// Print the manual page, or write those of all commands to a folder
#[derive(Debug, clap::Args)]
pub(crate) struct ManArgs {
    /// Folder for `trellis.1` and a page for each command
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(crate) fn run(args: ManArgs) -> Result<Exit, Stop> {
    let Some(folder) = args.out else {
        let mut page = Vec::new();
        let rendered = Man::new(Cli::command()).render(&mut page);
        rendered
            .context("cannot render the manual page")
            .map_err(Stop::failed)?;
        return super::print(&String::from_utf8_lossy(&page));
    };
    write_all(&folder).map_err(|cause| Stop::failed(cause).hint("choose a folder that can be written"))?;
    Ok(Exit::Done)
}

fn write_all(folder: &Path) -> anyhow::Result<()> {
    let context = || format!("cannot write manual pages to `{}`", folder.display());
    std::fs::create_dir_all(folder).with_context(context)?;
    clap_mangen::generate_to(Cli::command(), folder).with_context(context)
}
