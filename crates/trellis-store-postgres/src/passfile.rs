//! PostgreSQL's own password file, `~/.pgpass`: `HOST:PORT:DATABASE:USER:PASSWORD` a line, the first that fits counts.
//!
//! As libpq reads it (PostgreSQL's manual, "The Password File"): `*` fits everything, `\` takes the next character as it is,
//! `#` begins a comment, and the usual folders of sockets are called `localhost`. Not here: which file that is, and who may
//! read it.

use std::path::Path;

use tokio_postgres::config::Host;

use crate::Address;

/// What libpq takes for this machine's own server.
const SOCKETS: [&str; 3] = ["/run/postgresql", "/var/run/postgresql", "/tmp"];

/// One connection's password is asked of every host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it has different passwords for the hosts of `store.url`, and one is tried at all of them")]
pub struct DifferentPasswords;

impl Address {
    /// The password that the text of a password file has for this address.
    pub fn password_in(&self, passfile: &str) -> Result<Option<String>, DifferentPasswords> {
        let config = &self.config;
        let user = config.get_user().unwrap_or_default();
        // As the server names it where the client does not.
        let database = config.get_dbname().unwrap_or(user);
        let (ports, hosts) = (config.get_ports(), config.get_hosts());
        let mut found: Option<String> = None;
        for (n, host) in hosts.iter().enumerate() {
            let port = ports.get(n).or(ports.first()).copied().unwrap_or(5432);
            let named = [&name(host), &port.to_string(), database, user];
            match (first_that_fits(passfile, named), &found) {
                (Some(one), Some(other)) if one != *other => return Err(DifferentPasswords),
                (Some(one), _) => found = Some(one),
                (None, _) => {}
            }
        }
        Ok(found)
    }
}

fn name(host: &Host) -> String {
    match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(folder) if SOCKETS.iter().any(|usual| folder == Path::new(usual)) => {
            "localhost".to_owned()
        }
        Host::Unix(folder) => folder.to_string_lossy().into_owned(),
    }
}

fn first_that_fits(passfile: &str, named: [&str; 4]) -> Option<String> {
    passfile.lines().find_map(|line| {
        let fields = fields(line)?;
        let fits = |(field, value): (&Field, &str)| field.is_any || field.text == value;
        let all = fields[..4].iter().zip(named).all(fits);
        all.then(|| fields[4].text.clone())
    })
}

#[derive(Default)]
struct Field {
    text: String,
    /// It is `*`, not `\*`.
    is_any: bool,
}

/// The five fields of a line. `None`: it is a comment, or none of these.
fn fields(line: &str) -> Option<[Field; 5]> {
    if line.starts_with('#') {
        return None;
    }
    let mut fields: Vec<Field> = vec![Field::default()];
    let mut characters = line.chars();
    let mut is_first = true;
    while let Some(character) = characters.next() {
        // The password is what is left of the line.
        let is_last = fields.len() == 5;
        let field = fields.last_mut()?;
        match character {
            '\\' => {
                field.text.extend(characters.next());
                field.is_any = false;
            }
            ':' if !is_last => {
                fields.push(Field::default());
                is_first = true;
                continue;
            }
            _ => {
                field.text.push(character);
                field.is_any = is_first && character == '*';
            }
        }
        is_first = false;
    }
    fields.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# ours\n\
        db.example:5432:trellis:trellis:first\n\
        db.example:*:other:trellis:second\n\
        /srv/sockets:5432:trellis:trellis:third\n\
        localhost:5432:*:ada:fo:ur\\:th\\\\\n\
        a\\:b:5432:*:trellis:fifth\n\
        \\*:5432:trellis:trellis:star\n\
        not a line\n\
        db-2.example:*:*:*:last";

    #[test]
    fn the_first_line_that_fits_counts() {
        for (url, password) in [
            ("postgres://trellis@db.example/trellis", Some("first")),
            ("postgres://trellis@db.example:5433/trellis", None),
            ("postgres://trellis@db.example:5433/other", Some("second")),
            ("postgres://ada@db.example/trellis", None),
            ("postgres://trellis@%2Fsrv%2Fsockets/trellis", Some("third")),
            ("postgres://ada@%2Frun%2Fpostgresql/any", Some("fo:ur:th\\")),
            ("postgres://ada@localhost", Some("fo:ur:th\\")),
            ("postgres://bob@db-2.example:1/x", Some("last")),
            ("postgres://trellis@db-3.example/trellis", None),
        ] {
            let address: Address = url.parse().unwrap();
            assert_eq!(address.password_in(FILE).unwrap().as_deref(), password, "{url}");
        }
    }

    #[test]
    fn several_hosts_have_one_password_or_are_refused() {
        let both = |url: &str| url.parse::<Address>().unwrap().password_in(FILE);
        let url = "postgres://trellis@db.example,db-2.example/trellis";
        assert_eq!(both(url), Err(DifferentPasswords));
        let url = "postgres://trellis@db-3.example,db-2.example/trellis";
        assert_eq!(both(url), Ok(Some("last".to_owned())), "one needs none");
    }
}
