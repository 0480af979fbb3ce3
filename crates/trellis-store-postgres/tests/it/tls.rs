//! Connections by TLS: the certificate has to be for the host's name, and signed by an authority that is trusted.

use std::error::Error as _;
use std::fs;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;
use trellis_jobs::conformance::kit::new_job;
use trellis_jobs::{JobStore as _, StoreError};
use trellis_store_postgres::{Clock, PostgresStore, Settings};

use crate::kit::{client, skipped};
use crate::server::{Server, Wishes};

/// The name in the server's certificate.
const NAME: &str = "db.example";
const PORT: u16 = 15432;
const PASSWORD: &str = "a password of a test";
/// Without TLS nobody gets in but the administrator.
const ACCESS: &str = "local all all trust\nhostssl all all all scram-sha-256\n";

/// A server with a certificate of its own authority, and that authority's certificate beside another one's.
struct Place {
    server: Server,
    host: String,
    authorities: TempDir,
}

impl Place {
    async fn start() -> Self {
        let authorities = tempfile::tempdir().unwrap();
        let own = authority(authorities.path(), "own");
        authority(authorities.path(), "other");
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![NAME.to_owned()])
            .unwrap()
            .signed_by(&key, &own)
            .unwrap();
        let host = address_of_this_process();
        let server = Server::start(&Wishes {
            files: vec![
                ("server.crt", certificate.pem()),
                ("server.key", key.serialize_pem()),
                ("pg_hba.conf", ACCESS.to_owned()),
            ],
            settings: vec![
                format!("listen_addresses={host}"),
                "ssl=on".to_owned(),
                "log_connections=on".to_owned(),
            ],
            port: Some(PORT),
        });
        let place = Self {
            server,
            host,
            authorities,
        };
        let administrator = client(&place.server, "postgres").await;
        let password = format!("ALTER ROLE trellis PASSWORD '{PASSWORD}'");
        administrator.batch_execute(&password).await.unwrap();
        place
    }

    /// Opens a store on it, under a name that leads to it whatever it is.
    async fn opened(&self, name: &str, options: &str) -> Result<PostgresStore, StoreError> {
        let address = format!(
            "postgres://trellis@{name}:{PORT}/postgres?hostaddr={}{options}",
            self.host
        );
        PostgresStore::open(&Settings {
            address: address.parse().unwrap(),
            password: Some(PASSWORD.to_owned()),
            clock: Clock::Callers,
        })
        .await
    }

    /// The option that has that authority trusted, and no other.
    fn trusting(&self, authority: &str) -> String {
        let file = self.authorities.path().join(authority);
        format!("&sslrootcert={}", file.display())
    }

    /// How often somebody connected so far, over the network.
    fn connections(&self) -> usize {
        let log = fs::read_to_string(self.server.folder.join("log")).unwrap();
        log.matches("connection received: host=127.").count()
    }
}

/// Writes its certificate there, into a file with its name.
fn authority(folder: &Path, name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    let own = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    fs::write(folder.join(name), own.pem()).unwrap();
    own
}

/// One of this machine's own addresses that no other process takes, so that the port is free.
fn address_of_this_process() -> String {
    let [_, a, b, c] = std::process::id().to_be_bytes();
    format!("127.{a}.{b}.{c}")
}

#[tokio::test]
async fn a_server_is_used_if_its_certificate_is_for_its_name_and_from_a_trusted_authority() {
    if skipped() {
        return;
    }
    let place = Place::start().await;
    for (name, options, said) in [
        (
            "other.example",
            place.trusting("own"),
            "not valid for name \"other.example\"",
        ),
        (NAME, place.trusting("other"), "UnknownIssuer"),
        (NAME, "&sslmode=disable".to_owned(), "no encryption"),
    ] {
        let before = place.connections();
        let refused = place.opened(name, &options).await.err().unwrap();
        let refused = refused.source().unwrap().to_string();
        assert!(refused.contains(said), "{refused}");
        // It is not tried again: a person has to look after it.
        assert_eq!(place.connections() - before, 1, "{refused}");
    }

    // TLS is used for every other machine, and the password is bound to the connection.
    let options = place.trusting("own") + "&channel_binding=require";
    let store = place.opened(NAME, &options).await.unwrap();
    store.submit(new_job(1)).await.unwrap();
    assert_eq!(store.stats().await.unwrap().queued, 1);
    let administrator = client(&place.server, "postgres").await;
    let connections =
        "SELECT count(*), count(*) FILTER (WHERE ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                       WHERE application_name = 'trellis'";
    let row = administrator.query_one(connections, &[]).await.unwrap();
    let (all, encrypted): (i64, i64) = (row.get(0), row.get(1));
    // One for its calls, one to hear of changes.
    assert!(all >= 2 && encrypted == all, "{encrypted} of {all}");
}
