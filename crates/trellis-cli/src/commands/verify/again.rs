//! Makes a result again from its pictures and compares every byte: the strongest proof there is.

use std::sync::Arc;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;
use trellis_backend::{Content, Origin, stamp};
use trellis_core::{Format, ParamsPatch};
use trellis_node::{Settings, start_backends};
use trellis_provenance::Statement;

use super::can_make_again;
use super::file::Recorded;
use super::report::Check;
use crate::commands::generate::asset::{OfServer, Order};
use crate::commands::generate::local::Local;
use crate::commands::generate::pieces::Piece;
use crate::commands::generate::show::Show;
use crate::error::CliError;
use crate::output::count;
use crate::runtime;

const ABOUT: &str = "made again";

pub(super) fn compare(
    recorded: &Recorded,
    statement: Option<&Statement>,
    pictures: Vec<Bytes>,
    settings: &Settings,
) -> Result<Check, CliError> {
    let record = &recorded.provenance;
    let Some(choice) = can_make_again(&record.backend) else {
        let detail = format!(
            "`{}` needs a GPU: make it again with `trellis generate`",
            record.backend
        );
        return Ok(Check::open(ABOUT, detail));
    };
    // Every parameter is recorded, so none is left to a default.
    let patch: ParamsPatch = serde_json::to_value(&record.params)
        .and_then(serde_json::from_value)
        .map_err(|error| CliError::not_started(error).context("the recorded parameters"))?;
    let made = runtime()?.block_on(async {
        let backends = start_backends(settings, choice, &settings.data_dir).await?;
        // What makes it here is compared by itself; the bytes are to differ only where the model does.
        let installation = trellis_core::Installation {
            server: record.server.clone(),
            python_env: trellis_core::Pin::Unpinned { sha256: None },
            model_lock: None,
        };
        let origin = Arc::new(Origin::new(installation, None));
        let here = Local::choose(&backends.registry, choice, &record.params.formats, origin)
            .map_err(CliError::from)?;
        let order = Order {
            pictures,
            patch,
            name: record.name.clone(),
            names: statement.map(obj_name).into_iter().collect(),
            of_server: OfServer::default(),
        };
        let show = Show::new();
        let show = show.job("making it again");
        here.make(&order, &show, &CancellationToken::new()).await
    });
    let asset = match made {
        Ok(asset) => asset,
        Err(error) => {
            let detail = format!("it cannot be made: {}", error.sentence());
            return Ok(Check::differs(ABOUT, detail));
        }
    };
    if !recorded.by_itself {
        return Ok(same_as_one_of(recorded, &asset.files));
    }
    let found = asset.files.iter().find(|file| file.format == Format::Glb);
    let scratch = std::env::temp_dir();
    let same_record = found.map(|file| stamp(&file.content, record, &scratch));
    Ok(match same_record {
        Some(Ok(Content::Bytes(bytes))) if bytes == recorded.bytes => {
            Check::same(ABOUT, format!("the same {}", count(bytes.len(), "byte")))
        }
        Some(Ok(Content::Bytes(bytes))) => Check::differs(ABOUT, first_difference(&bytes, &recorded.bytes)),
        _ => Check::differs(ABOUT, "no GLB came out of it"),
    })
}

/// What the OBJ was called: its files name each other.
fn obj_name(statement: &Statement) -> (Format, String) {
    let names = statement.subject.iter().map(|file| file.name.as_str());
    let mut objs = names.filter(|name| name.to_ascii_lowercase().ends_with(".obj"));
    (Format::Obj, objs.next().unwrap_or("model.obj.zip").to_owned())
}

/// A file without a record has its bytes alone.
fn same_as_one_of(recorded: &Recorded, made: &[Piece]) -> Check {
    let is_it = |file: &&Piece| matches!(&file.content, Content::Bytes(bytes) if *bytes == recorded.bytes);
    match made.iter().find(is_it) {
        Some(file) => Check::same(
            ABOUT,
            format!("the same {} bytes, as {}", recorded.bytes.len(), file.format),
        ),
        None => Check::differs(ABOUT, "no file with these bytes came out"),
    }
}

fn first_difference(made: &[u8], recorded: &[u8]) -> String {
    let at = made
        .iter()
        .zip(recorded)
        .position(|(made, recorded)| made != recorded);
    match at {
        Some(at) => format!("other bytes, the first at {at} of {}", recorded.len()),
        None => format!(
            "{} came out, it has {}",
            count(made.len(), "byte"),
            recorded.len()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_named() {
        assert_eq!(
            first_difference(b"abc", b"axc"),
            "other bytes, the first at 1 of 3"
        );
        assert_eq!(first_difference(b"ab", b"abc"), "2 bytes came out, it has 3");
    }
}
