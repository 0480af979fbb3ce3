//! `trellis man`: the manual pages, roff.

use std::path::PathBuf;

use clap_mangen::Man;

use crate::error::CliError;
use crate::exit::Exit;

/// Print the manual page, or write those of all commands to a folder
#[derive(Debug, clap::Args)]
pub(crate) struct ManArgs {
    /// Folder for `trellis.1` and a page for each command
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(crate) fn run(args: ManArgs, program: clap::Command) -> Result<Exit, CliError> {
    let Some(folder) = args.out else {
        let mut page = Vec::new();
        let rendered = Man::new(program).render(&mut page);
        rendered.map_err(|error| CliError::failed(error).context("cannot render the manual page"))?;
        return super::print(&String::from_utf8_lossy(&page));
    };
    let written = std::fs::create_dir_all(&folder).and_then(|()| clap_mangen::generate_to(program, &folder));
    written.map_err(|error| {
        CliError::failed(error)
            .context(format!("cannot write manual pages to `{}`", folder.display()))
            .hint("choose a folder that this user can write to")
    })?;
    Ok(Exit::Done)
}
