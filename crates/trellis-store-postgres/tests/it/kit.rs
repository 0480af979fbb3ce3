//! What the tests share: a database of their own, and stores on it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio_postgres::{Client, NoTls};
use trellis_core::JobId;
use trellis_jobs::conformance::Fixture;
use trellis_jobs::{JobStore, StoreError};
use trellis_store_postgres::{Address, Clock, PostgresStore, Settings};

use crate::proxy::Proxy;
use crate::server::Server;

/// Of the connections, those over which stores tell each other of changes.
pub(crate) const LISTENS: &str =
    "(query LIKE '%LISTEN trellis_jobs%' OR query LIKE '%pg_notify%') AND pid <> pg_backend_pid()";

/// Whether there is no PostgreSQL; says so.
pub(crate) fn skipped() -> bool {
    trellis_jobs::conformance::skipped::<Place>()
}

/// A database that is empty before it is opened.
pub(crate) struct Empty {
    server: Server,
    database: String,
}

/// An empty store.
pub(crate) struct Place {
    empty: Empty,
    pub(crate) store: PostgresStore,
}

impl Empty {
    /// Opens it.
    pub(crate) async fn opened(&self, clock: Clock) -> Result<PostgresStore, StoreError> {
        open(self.server.address(&self.database), clock).await
    }

    /// Has its administrator do something.
    pub(crate) async fn execute(&self, statement: &str) {
        let client = client(&self.server, &self.database).await;
        client.batch_execute(statement).await.unwrap();
    }

    /// The first column of what its administrator is answered.
    pub(crate) async fn texts(&self, statement: &str) -> Vec<String> {
        let client = client(&self.server, &self.database).await;
        let rows = client.query(statement, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// The number that a statement finds.
    pub(crate) async fn number(&self, statement: &str) -> i64 {
        let client = client(&self.server, &self.database).await;
        client.query_one(statement, &[]).await.unwrap().get(0)
    }

    /// Has the database count anew what is read, once nobody has it open: connections tell of it as they end.
    pub(crate) async fn count_anew(&self) {
        self.closed().await;
        self.execute("SELECT pg_stat_reset()").await;
    }

    /// How many rows of jobs were read since, from the table and from its indices.
    pub(crate) async fn rows_read(&self) -> i64 {
        self.closed().await;
        self.number(
            "SELECT (SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'jobs')
                  + (SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes WHERE relname = 'jobs')",
        )
        .await
    }

    async fn closed(&self) {
        let open = "SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND application_name = 'trellis'";
        while self.number(open).await > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Place {
    pub(crate) async fn empty() -> Empty {
        static DATABASES: AtomicU32 = AtomicU32::new(0);
        let server = Server::of_this_process();
        let database = format!("test_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        let client = client(&server, "postgres").await;
        let create = format!("CREATE DATABASE {database}");
        client.batch_execute(&create).await.unwrap();
        Empty { server, database }
    }

    pub(crate) async fn with(clock: Clock) -> Self {
        let empty = Self::empty().await;
        let store = empty.opened(clock).await.unwrap();
        Self { empty, store }
    }

    /// The same database, opened as another server would.
    pub(crate) async fn again(&self, clock: Clock) -> PostgresStore {
        self.empty.opened(clock).await.unwrap()
    }

    /// The same on another way.
    pub(crate) async fn through(&self, proxy: &Proxy) -> PostgresStore {
        let address = format!(
            "postgres://trellis@127.0.0.1:{}/{}",
            proxy.port, self.empty.database
        );
        open(address.parse().unwrap(), Clock::Callers).await.unwrap()
    }

    /// The socket of the server.
    pub(crate) fn sockets(&self) -> PathBuf {
        self.empty.server.folder.join("data/.s.PGSQL.5432")
    }

    /// The processes of the connections that listen, separated by commas.
    pub(crate) async fn listeners(&self) -> String {
        let client = client(&self.empty.server, &self.empty.database).await;
        let listen = format!(
            "SELECT string_agg(pid::text, ',') FROM pg_stat_activity
             WHERE datname = current_database() AND {LISTENS}"
        );
        client.query_one(&listen, &[]).await.unwrap().get(0)
    }

    /// Has the database's administrator do something.
    pub(crate) async fn execute(&self, statement: &str) {
        self.empty.execute(statement).await;
    }

    /// The first column of what the database's administrator is answered.
    pub(crate) async fn texts(&self, statement: &str) -> Vec<String> {
        self.empty.texts(statement).await
    }

    /// Locks the row of a job until this is dropped.
    pub(crate) async fn hold(&self, job: JobId) -> Client {
        let client = client(&self.empty.server, &self.empty.database).await;
        let lock = format!("BEGIN; SELECT FROM trellis.jobs WHERE id = '{job}' FOR UPDATE");
        client.batch_execute(&lock).await.unwrap();
        client
    }
}

/// A connection of the database's administrator.
pub(crate) async fn client(server: &Server, database: &str) -> Client {
    let config = server.address(database).to_string();
    let (client, connection) = tokio_postgres::connect(&config, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn open(address: Address, clock: Clock) -> Result<PostgresStore, StoreError> {
    let settings = Settings {
        address,
        password: None,
        clock,
    };
    PostgresStore::open(&settings).await
}

#[async_trait::async_trait]
impl Fixture for Place {
    async fn new() -> Self {
        Self::with(Clock::Callers).await
    }

    fn store(&self) -> Arc<dyn JobStore> {
        Arc::new(self.store.clone())
    }

    async fn opened_again(&self) -> Arc<dyn JobStore> {
        Arc::new(self.again(Clock::Callers).await)
    }

    fn missing() -> Option<String> {
        Server::missing()
    }
}
