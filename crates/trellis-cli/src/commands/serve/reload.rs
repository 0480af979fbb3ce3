//! SIGHUP: reads the settings again and takes up what can change while the server runs.

use tokio::signal::unix::Signal;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use trellis_node::{Certificates, reload_keys, reload_webhook_secrets};
use trellis_server::KeyRing;
use trellis_webhook::SecretRing;

use crate::config::{self, Effective, SettingFlags};
use crate::env::Environment;
use crate::logs::Logging;

/// The settings that can change: they touch nothing that runs.
const RELOADED: [&str; 3] = ["log.level", "auth.keys_file", "webhooks.secret_file"];

/// What is needed to read the settings again.
pub(crate) struct Reload {
    pub(crate) flags: SettingFlags,
    pub(crate) environment: Environment,
    pub(crate) file: Option<std::path::PathBuf>,
    pub(crate) logging: Logging,
}

/// What a running node has in force that can be replaced.
pub(crate) struct Reloaded {
    pub(crate) keys: KeyRing,
    pub(crate) certificates: Option<Certificates>,
    pub(crate) webhook_secrets: Option<SecretRing>,
}

impl Reload {
    /// Takes up what changed at each of `hangups`, until the server stops.
    pub(crate) async fn run(
        self,
        mut hangups: Signal,
        mut in_force: Effective,
        reloaded: Reloaded,
        stopping: CancellationToken,
    ) {
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                received = hangups.recv() => if received.is_none() { return },
            }
            match config::load(&self.flags, &self.environment, self.file.as_deref()) {
                Ok(new) => {
                    self.take_up(&in_force, &new);
                    reload_keys(&new.config.node.auth, &reloaded.keys);
                    reload_webhook_secrets(&new.config.node.webhooks, reloaded.webhook_secrets.as_ref());
                    if let Some(certificates) = &reloaded.certificates {
                        certificates.reload();
                    }
                    in_force = new;
                }
                Err(problems) => error!(%problems, "cannot reload the settings; the old ones stay in force"),
            }
        }
    }

    fn take_up(&self, old: &Effective, new: &Effective) {
        self.logging.set_level(&new.config.log.level);
        let changed = |key: &str| {
            let value = |of: &Effective| {
                let found = of.values.iter().find(|(setting, _)| setting.key == key);
                found.map(|(_, sourced)| sourced.value.clone())
            };
            value(old) != value(new)
        };
        let waiting: Vec<&str> = new
            .values
            .iter()
            .map(|(setting, _)| setting.key)
            .filter(|key| !RELOADED.contains(key) && changed(key))
            .collect();
        info!(level = new.config.log.level, "reloaded the settings");
        if !waiting.is_empty() {
            warn!(
                settings = waiting.join(", "),
                "changed settings wait for a restart"
            );
        }
    }
}
