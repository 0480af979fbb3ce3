//! `trellis model dinov3`: TRELLIS.2's picture encoder of a file that needs no account.

use std::path::PathBuf;

use trellis_models::dinov3::{Dinov3Error, Size, convert, result_bytes};

use super::hashing;
use crate::error::CliError;
use crate::exit::Exit;

/// Make DINOv3's weights as TRELLIS.2 reads them of those that timm publishes
///
/// The result is the published file to the byte, or nothing.
#[derive(Debug, clap::Args)]
pub(crate) struct Dinov3Args {
    /// `model.safetensors` of timm/vit_large_patch16_dinov3_qkvb.lvd1689m
    #[arg(value_name = "FILE")]
    from: PathBuf,

    /// The folder `dinov3` in TRELLIS.2's model folder
    #[arg(value_name = "FOLDER")]
    to: PathBuf,
}

pub(crate) fn run(args: &Dinov3Args) -> Result<Exit, CliError> {
    let bar = hashing(result_bytes(Size::LARGE), false);
    let done = convert(&args.from, &args.to, &|bytes| bar.inc(bytes));
    bar.finish_and_clear();
    done?;
    super::print(&format!("{}: DINOv3 ViT-L/16, as published\n", args.to.display()))?;
    Ok(Exit::Done)
}

impl From<Dinov3Error> for CliError {
    fn from(error: Dinov3Error) -> Self {
        let (kind, advice) = (error.kind(), error.advice());
        Self::not_started(error).kind(kind).hint(advice)
    }
}
