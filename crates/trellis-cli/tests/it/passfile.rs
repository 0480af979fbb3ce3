//! PostgreSQL's own password file, where no file with the password alone is named.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::kit::describe;
use crate::kit::server::Server;
use crate::kit::trellis;
use crate::rack::Rack;

const PASSWORD: &str = "correct-horse";

fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).expect("a file of passwords");
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("its mode");
}

#[test]
fn the_password_file_of_postgresql_counts_and_its_secrets_are_not_logged() {
    let Some(rack) = Rack::new() else { return };
    let url = rack.user("guarded", PASSWORD);
    let home = rack.home("api");
    let blobs = rack.place.path().join("blobs").display().to_string();
    let flags = ["--store", &url, "--blobs", &blobs, "--log-level", "debug"];
    let start = |variables: &[(&str, &str)]| {
        let server = Server::try_start_with(&home, &flags, variables);
        let log = server.as_ref().map_or_else(String::clone, Server::log);
        assert!(!log.contains(PASSWORD) && !log.contains("wrong-horse"), "{log}");
        server.map(drop)
    };

    let refused = start(&[]).expect_err("it has no password");
    assert!(refused.contains("--store-password-file"), "{refused}");
    let own = home.join(".pgpass");
    write(&own, &format!("*:*:*:guarded:{PASSWORD}\n"), 0o600);
    start(&[]).expect("its own file has the password");
    let mut command = trellis(&home);
    let said = describe(command.arg("nodes").env("TRELLIS_STORE_URL", &url));
    assert!(said.starts_with("exit code: 0"), "{said}");

    // The one that is named wins.
    let named = home.join("passwords");
    write(&named, "*:*:*:guarded:wrong-horse\n", 0o600);
    let variables = [("PGPASSFILE", named.to_str().expect("UTF-8"))];
    let refused = start(&variables).expect_err("the password is wrong");
    assert!(refused.contains("cannot use the job store"), "{refused}");
    // As does a file with the password alone.
    let alone = home.join("password");
    write(&alone, &format!("{PASSWORD}\n"), 0o600);
    let alone = alone.to_str().expect("UTF-8");
    start(&[variables[0], ("TRELLIS_STORE_PASSWORD_FILE", alone)]).expect("it is the right one");

    write(&named, "*:*:*:guarded:wrong-horse\n", 0o644);
    let refused = start(&variables).expect_err("everybody can read it");
    assert!(refused.contains("PostgreSQL's password file"), "{refused}");
    assert!(refused.contains("hint: `chmod 600 "), "{refused}");
}
