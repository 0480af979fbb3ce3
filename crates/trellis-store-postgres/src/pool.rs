//! Connections to the database: how they are made, and how many.

use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use tokio_postgres::Config;

use crate::{Address, OpenError, tls};

/// Connections of one server for its calls; one more hears of changes. Each costs the database some megabytes.
const CONNECTIONS: usize = 4;
/// A host that does not answer is not waited for any longer: the next one of the address is tried.
const CONNECT: Duration = Duration::from_secs(5);
/// A call that gets no connection fails, to be tried again.
const WAIT: Duration = Duration::from_secs(10);
/// A host that has gone without a word is found out after so long.
const SILENCE: Duration = Duration::from_secs(10);
/// No lock is held for longer than a call takes, unless its holder hangs. Whoever hangs in the middle of a transaction,
/// behind a broken network say, loses it, and its locks with it.
const OPTIONS: &str = "-c search_path=trellis -c lock_timeout=10s -c idle_in_transaction_session_timeout=15s \
                       -c default_transaction_isolation=read\\ committed -c timezone=UTC -c client_min_messages=warning";

/// How connections to that address are made.
pub(crate) fn config(address: &Address, password: Option<&str>) -> Config {
    let mut config = address.config.clone();
    if let Some(password) = password {
        config.password(password);
    }
    let others = config.get_options().map(|options| format!("{options} "));
    config.options(others.unwrap_or_default() + OPTIONS);
    if config.get_application_name().is_none() {
        config.application_name("trellis");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT);
    }
    config.tcp_user_timeout(SILENCE);
    config.keepalives_idle(SILENCE);
    config.keepalives_interval(SILENCE / 4);
    config.keepalives_retries(3);
    config
}

/// Connections that are made when they are needed.
pub(crate) fn pool(config: Config, address: &Address) -> Result<Pool, OpenError> {
    let manager = Manager::from_config(
        config,
        tls::connector(address)?,
        ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        },
    );
    let pool = Pool::builder(manager)
        .max_size(CONNECTIONS)
        .wait_timeout(Some(WAIT))
        .create_timeout(Some(CONNECT * 3))
        .runtime(Runtime::Tokio1)
        .build();
    Ok(pool.expect("a runtime is given"))
}
