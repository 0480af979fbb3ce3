//! `trellis verify`: compares what a result says of itself with this machine, its statement and its pictures.

mod file;
mod report;
mod reproduce;

use std::ffi::OsStr;
use std::path::PathBuf;

use trellis_backend::verify::{Stated, compare_installation, compare_statement};
use trellis_core::{Gpu, GpuUsed, Model};
use trellis_node::find_installation;
use trellis_provenance::{PublicKey, Statement};

use self::report::Report;
use super::Context;
use crate::config::{self, SettingFlags};
use crate::error::CliError;
use crate::exit::Exit;
use crate::{env, logs};

/// Check whether a result was made by what runs on this machine, and show what differs
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  trellis verify chair.glb
  trellis verify chair.glb --statement chair.intoto.json --input photo.png --reproduce
  trellis verify chair.stl --statement chair.intoto.json
  trellis verify chair.glb --statement chair.intoto.dsse.json --public-key studio-1:BASE64

Marks: ✓ the same, ✗ differs, – not compared, with the reason. What each proves: docs/provenance.md.

Exit codes: 0 nothing differs, 1 something differs, 2 it cannot be read.")]
pub(crate) struct VerifyArgs {
    /// A GLB, which carries its provenance, or another file with the statement about it
    file: PathBuf,

    /// The statement about it, `.intoto.json` or `.intoto.dsse.json`
    #[arg(long, value_name = "FILE")]
    statement: Option<PathBuf>,

    /// The key that must have signed the statement
    #[arg(long, value_name = "NAME:BASE64", requires = "statement")]
    public_key: Option<String>,

    /// The picture that it was made from; once for each view, in their order
    #[arg(long, value_name = "PICTURE")]
    input: Vec<PathBuf>,

    /// Make it again from the pictures and compare every byte; what `relief` made only
    #[arg(long, requires = "input")]
    reproduce: bool,

    /// Print JSON instead
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &VerifyArgs, context: &Context<'_>) -> Result<Exit, CliError> {
    let loaded = config::load_without_data(
        &SettingFlags::default(),
        context.environment,
        context.config_file.as_deref(),
    )?;
    logs::start(&loaded.log_or("error"), None);
    let key = args.public_key.as_deref().map(public_key).transpose()?;
    let statement = args.statement.as_deref().map(file::statement).transpose()?;
    let said = statement.as_ref().and_then(Stated::content);
    let stated = said.as_ref().and_then(Statement::provenance);
    let recorded = file::recorded(&args.file, stated)?;
    let pictures = args.input.iter().map(|path| file::read(path));
    let pictures = pictures.collect::<Result<Vec<_>, _>>()?;
    let node = &loaded.config.node;
    let (model, python) = match recorded.provenance.params.model.model() {
        Model::TrellisImageLarge => (&node.trellis.model, &node.trellis.python),
        Model::Trellis2 => (&node.trellis2.model, &node.trellis2.python),
    };
    let search = context.environment.get(env::PATH).map(OsStr::to_owned);
    let installed = find_installation(model, python, search.as_deref());

    let mut checks = compare_installation(&recorded.provenance, &installed, &gpus());
    checks.push(recorded.compare_pictures(&pictures));
    checks.extend(compare_statement(&recorded, statement.as_ref(), key.as_ref()));
    if args.reproduce {
        checks.push(reproduce::compare(
            &recorded,
            said.as_ref(),
            pictures,
            &loaded.config.node,
        )?);
    }
    let report = Report {
        file: &args.file,
        sha256: recorded.sha256,
        provenance: &recorded.provenance,
        checks,
    };
    super::print(&if args.json {
        report.to_json()
    } else {
        report.to_text()
    })?;
    Ok(Exit::done_if(report.is_same()))
}

fn public_key(text: &str) -> Result<PublicKey, CliError> {
    text.parse::<PublicKey>().map_err(|error| {
        let advice = error.advice();
        CliError::not_started(error)
            .context("`--public-key` is not a public key")
            .hint(advice)
    })
}

/// The GPUs of this machine; none without a driver.
fn gpus() -> Vec<GpuUsed> {
    let Ok(found) = trellis_gpu::list(&[]) else {
        return vec![];
    };
    let used = |gpu: &Gpu| GpuUsed {
        name: gpu.name.clone(),
        capability: gpu.capability.to_string(),
        driver: Some(found.driver.clone()),
    };
    found.gpus.iter().map(used).collect()
}
