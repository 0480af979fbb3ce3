//! The statement about a result: whether it is about this file, says the same, and who signed it.

use trellis_provenance::{Envelope, PublicKey, Statement};

use super::check::Check;
use super::recorded::Recorded;

const ABOUT: &str = "statement";
const SIGNATURE: &str = "signature";

/// A statement as it lies in a file.
#[derive(Debug)]
pub enum Stated {
    /// Nobody signed it.
    Plain(Box<Statement>),
    /// Somebody did, or says so.
    Sealed(Envelope),
}

impl Stated {
    /// Reads the JSON of a statement, signed or not.
    pub fn parse(bytes: &[u8]) -> serde_json::Result<Self> {
        match serde_json::from_slice(bytes) {
            Ok(envelope) => Ok(Self::Sealed(envelope)),
            Err(_) => serde_json::from_slice(bytes).map(|statement| Self::Plain(Box::new(statement))),
        }
    }

    /// What it says, whoever signed it.
    pub fn content(&self) -> Option<Statement> {
        match self {
            Self::Plain(statement) => Some(statement.as_ref().clone()),
            Self::Sealed(envelope) => envelope.open(None).ok().map(|opened| opened.statement),
        }
    }
}

/// Compares a file with the statement about it; `key` is the one that must have signed it.
pub fn compare_statement(
    recorded: &Recorded,
    stated: Option<&Stated>,
    key: Option<&PublicKey>,
) -> Vec<Check> {
    match stated {
        None => vec![Check::open(
            ABOUT,
            "name it with `--statement`: only a statement covers every byte of the file",
        )],
        Some(Stated::Plain(statement)) => {
            let signature = match key {
                Some(key) => Check::differs(
                    SIGNATURE,
                    format!(
                        "the statement is not signed; `{}` should have signed it",
                        key.name()
                    ),
                ),
                None => Check::open(SIGNATURE, "the statement is not signed"),
            };
            vec![says(recorded, statement), signature]
        }
        Some(Stated::Sealed(envelope)) => match envelope.open(key) {
            Ok(opened) => vec![
                says(recorded, &opened.statement),
                signed(opened.signed, envelope, key),
            ],
            Err(error) => vec![Check::differs(ABOUT, error.to_string())],
        },
    }
}

fn says(recorded: &Recorded, statement: &Statement) -> Check {
    if !statement.is_about(recorded.sha256) {
        let detail = format!("it is about other files: this one has sha256 {}", recorded.sha256);
        return Check::differs(ABOUT, detail);
    }
    if !recorded.by_itself {
        let detail = format!(
            "about this file, sha256 {}; the file has no record of its own; all of this comes from the statement",
            recorded.sha256
        );
        return Check::same(ABOUT, detail);
    }
    if !statement.agrees_with(&recorded.provenance) {
        return Check::differs(ABOUT, "it contradicts what the file says about how it was made");
    }
    Check::same(ABOUT, format!("about this file, sha256 {}", recorded.sha256))
}

fn signed(signed: Option<bool>, envelope: &Envelope, key: Option<&PublicKey>) -> Check {
    let name = key.map(PublicKey::name).unwrap_or_default();
    match signed {
        Some(true) => Check::same(SIGNATURE, format!("by `{name}`")),
        Some(false) => Check::differs(SIGNATURE, format!("`{name}` did not sign it")),
        None => {
            let names = envelope.key_names();
            let names: Vec<String> = names
                .iter()
                .map(|name| format!("`{}`", name.escape_debug()))
                .collect();
            let detail = format!(
                "in the name of {}: give the key with `--public-key` to check it",
                names.join(", ")
            );
            Check::open(SIGNATURE, detail)
        }
    }
}
