//! Makes a result again from its pictures, for a comparison of every byte: the strongest proof there is.

use std::sync::Arc;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;
use trellis_backend::verify::{Check, Recorded};
use trellis_backend::{Content, Origin};
use trellis_core::{Format, Installation, ParamsPatch, Pin};
use trellis_node::{Settings, start_backends};
use trellis_provenance::Statement;

use crate::block_on;
use crate::commands::generate::asset::{OfServer, Order};
use crate::commands::generate::local::Local;
use crate::commands::generate::show::Show;
use crate::error::CliError;

pub(super) fn compare(
    recorded: &Recorded,
    statement: Option<&Statement>,
    pictures: Vec<Bytes>,
    settings: &Settings,
) -> Result<Check, CliError> {
    let record = &recorded.provenance;
    let choice = match recorded.backend_to_reproduce() {
        Ok(choice) => choice,
        Err(check) => return Ok(check),
    };
    // Every parameter is recorded, so none is left to a default.
    let patch: ParamsPatch = serde_json::to_value(&record.params)
        .and_then(serde_json::from_value)
        .map_err(|error| CliError::not_started(error).context("the recorded parameters"))?;
    let order = Order {
        pictures,
        // `relief` textures none.
        mesh: None,
        mesh_name: None,
        patch,
        name: record.name.clone(),
        names: statement.map(obj_name).into_iter().collect(),
        of_server: OfServer::default(),
    };
    let installation = Installation {
        server: record.server.clone(),
        python_env: Pin::Unpinned { sha256: None },
        model_lock: None,
    };
    let made = block_on(async {
        let backends = start_backends(settings, choice, &settings.data_dir).await?;
        let origin = Arc::new(Origin::new(installation, None));
        let local = Local::choose(&backends.registry, choice.into(), &order.patch, false, origin)?;
        let show = Show::new();
        local
            .make(&order, &show.job("making it again"), &CancellationToken::new())
            .await
    });
    let files = made.map_err(|error: CliError| error.sentence()).map(|asset| {
        let files = asset.files.into_iter();
        let in_memory = files.filter_map(|file| match file.content {
            Content::Bytes(bytes) => Some((file.format, bytes)),
            Content::File(_) => None,
        });
        in_memory.collect()
    });
    Ok(recorded.compare_reproduced(files))
}

/// What the OBJ was called: its files name each other.
fn obj_name(statement: &Statement) -> (Format, String) {
    let names = statement.subject.iter().map(|file| file.name.as_str());
    let mut objs = names.filter(|name| name.to_ascii_lowercase().ends_with(".obj"));
    (Format::Obj, objs.next().unwrap_or("model.obj.zip").to_owned())
}
