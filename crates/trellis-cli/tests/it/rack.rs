//! Several servers of the real binary on one database, for tests.

#![expect(clippy::print_stdout, reason = "skipped tests say why")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::kit::client::Client;
use crate::kit::server::Server;
use crate::kit::{describe, fake, trellis};
use crate::postgres;

/// A database, a folder for files, and a home for each server.
pub(crate) struct Rack {
    pub(crate) place: TempDir,
    pub(crate) url: String,
    /// The database's folder.
    data: PathBuf,
}

impl Rack {
    pub(crate) fn new() -> Option<Self> {
        if let Some(missing) = postgres::Server::missing() {
            println!("skipped: {missing}");
            return None;
        }
        let server = postgres::Server::of_this_process();
        Some(Self {
            place: tempfile::tempdir().expect("a temporary folder"),
            url: server.address("postgres").to_string(),
            data: server.folder.join("data"),
        })
    }

    pub(crate) fn home(&self, name: &str) -> PathBuf {
        let home = self.place.path().join(name);
        std::fs::create_dir_all(&home).expect("a folder");
        home
    }

    pub(crate) fn flags(&self, role: &str) -> Vec<String> {
        let blobs = format!("file://{}", self.place.path().join("blobs").display());
        let flags = ["--store", &self.url, "--blobs", &blobs, "--role", role];
        flags.map(str::to_owned).to_vec()
    }

    pub(crate) fn api(&self, name: &str) -> (Server, Client) {
        let mut flags = self.flags("api");
        // The stand-in for TRELLIS has nothing for our ways to take the place of.
        flags.extend(["--default-quality", "exact"].map(str::to_owned));
        let server = Server::start(&self.home(name), &borrowed(&flags));
        let client = Client::new(&server.address);
        (server, client)
    }

    /// A server that works, without a GPU.
    pub(crate) fn cpu(&self, name: &str) -> Server {
        Server::launch(&self.home(name), &borrowed(&self.flags("worker")))
    }

    /// A server that works, whose TRELLIS is a stand-in that follows these rules.
    pub(crate) fn gpu(&self, name: &str, rules: &Value) -> Server {
        let home = self.home(name);
        let mut flags = self.flags("worker");
        flags.extend(fake::flags(&fake::model(&home, rules), 1));
        Server::launch(&home, &borrowed(&flags))
    }

    /// Another user of the database, who needs this password.
    pub(crate) fn user(&self, name: &str, password: &str) -> String {
        let rules = self.data.join("pg_hba.conf");
        let others = std::fs::read_to_string(&rules).expect("its rules");
        std::fs::write(&rules, format!("local all {name} scram-sha-256\n{others}")).expect("its rules");
        self.ask("SELECT pg_reload_conf()");
        self.ask(&format!(
            "CREATE ROLE {name} SUPERUSER LOGIN PASSWORD '{password}'"
        ));
        self.url.replace("trellis@", &format!("{name}@"))
    }

    /// What the database's administrator is told when asking that.
    pub(crate) fn ask(&self, statement: &str) -> String {
        Self::ask_of(&self.url, statement)
    }

    /// The same of another database.
    pub(crate) fn ask_of(url: &str, statement: &str) -> String {
        let mut psql = Command::new(postgres::programs().expect("it runs").join("psql"));
        psql.args(["-Atqc", statement]).arg(url);
        let output = psql.output().expect("it is beside the server");
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        said
    }

    /// What `trellis store migrate` says, run where the folders of all are.
    pub(crate) fn migrate(&self, words: &[&str]) -> String {
        let mut command = trellis(self.place.path());
        describe(command.args(["store", "migrate"]).args(words))
    }

    pub(crate) fn nodes(&self) -> Vec<Value> {
        let mut command = trellis(self.place.path());
        command
            .args(["nodes", "--json"])
            .env("TRELLIS_STORE_URL", &self.url);
        let output = command.output().expect("the binary runs");
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// What `trellis nodes` says.
    pub(crate) fn told(&self) -> String {
        let mut command = trellis(self.place.path());
        command.arg("nodes").env("TRELLIS_STORE_URL", &self.url);
        let output = command.output().expect("the binary runs");
        String::from_utf8(output.stdout).expect("text")
    }

    pub(crate) fn name_of(home: &Path) -> String {
        let name = std::fs::read_to_string(home.join("data/server-name"));
        name.unwrap_or_default().trim().to_owned()
    }

    /// Waits until the server in that home says that it has a backend that stands so.
    pub(crate) fn wait_for(&self, server: &str, backend: &str, standing: &str) {
        let begun = Instant::now();
        loop {
            let name = Self::name_of(&self.home(server));
            let nodes = self.nodes();
            let has = nodes.iter().filter(|node| node["name"] == *name).any(|node| {
                let offers = node["about"]["backends"].as_array().expect("a list");
                offers
                    .iter()
                    .any(|offer| offer["choice"] == backend && offer["standing"] == standing)
            });
            if has {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "{nodes:#?}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

pub(crate) fn borrowed(flags: &[String]) -> Vec<&str> {
    flags.iter().map(String::as_str).collect()
}
