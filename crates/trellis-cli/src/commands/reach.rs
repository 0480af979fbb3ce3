//! Which running server a command talks to, and with which key.

use trellis_client::{Client, address};

use super::Context;
use super::generate::api_key::ApiKeyFlag;
use crate::config::{self, SettingFlags};
use crate::error::CliError;

/// The server and its key.
#[derive(Debug, clap::Args)]
pub(crate) struct ReachArgs {
    /// The server; default: the one that the settings describe, on this machine
    #[arg(long, global = true, value_name = "URL", value_parser = address::parse)]
    server: Option<String>,

    #[command(flatten)]
    api_key: ApiKeyFlag,
}

impl ReachArgs {
    /// A client of that server. Nothing is sent yet.
    pub(crate) fn client(self, context: &Context<'_>) -> Result<Client, CliError> {
        let loaded = config::load_without_data(
            &SettingFlags::default(),
            context.environment,
            context.config_file.as_deref(),
        )?;
        let listen = &loaded.config.node.listen;
        let address = match self.server {
            Some(address) => address,
            None if listen.host.is_unspecified() => format!("http://127.0.0.1:{}", listen.port),
            None => format!("http://{}", std::net::SocketAddr::new(listen.host, listen.port)),
        };
        let key = self.api_key.find(context.environment)?;
        Ok(Client::new(&address, key.as_ref())?)
    }
}
