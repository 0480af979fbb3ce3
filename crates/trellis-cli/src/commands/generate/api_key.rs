//! The key that calls of a server send: from a file, else from the environment. Never a flag's value, which
//! every user of the machine could see.

use std::path::{Path, PathBuf};

use trellis_core::Secret;

use crate::env::{self, Environment};
use crate::error::CliError;
use trellis_node::nearby;

/// Where the key is.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ApiKeyFlag {
    /// File with the server's API key; default: the key in `$TRELLIS_API_KEY`
    #[arg(long, global = true, value_name = "FILE")]
    api_key_file: Option<PathBuf>,
}

impl ApiKeyFlag {
    /// The key, if there is one to send.
    pub(crate) fn find(&self, environment: &Environment) -> Result<Option<Secret>, CliError> {
        match (&self.api_key_file, environment.get(env::API_KEY)) {
            (Some(file), _) => read(file).map(Some),
            (None, Some(text)) => {
                let key = text.to_str().and_then(Secret::parse);
                key.ok_or_else(|| unusable(&format!("`${}`", env::API_KEY)))
                    .map(Some)
            }
            (None, None) => Ok(None),
        }
    }
}

fn read(file: &Path) -> Result<Secret, CliError> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        let hint = nearby::hint(file, &error)
            .unwrap_or_else(|| "name a file that this user can read with `--api-key-file`".to_owned());
        CliError::unreadable(file, &error).hint(hint)
    })?;
    Secret::parse(&text).ok_or_else(|| unusable(&format!("`{}`", file.display())))
}

fn unusable(place: &str) -> CliError {
    CliError::usage(format!("{place} does not hold an API key"))
        .hint("it is one word of visible ASCII: the secret alone, without its name")
}
