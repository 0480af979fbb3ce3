//! The statement about a result: whether it is about this file, says the same, and who signed it.

use std::path::Path;

use trellis_provenance::{Envelope, PublicKey, Statement};

use super::file::{Recorded, read as read_file};
use super::report::Check;
use crate::error::CliError;

const ABOUT: &str = "statement";
const SIGNATURE: &str = "signature";

/// A statement as it lies in a file.
pub(super) enum Stated {
    /// Nobody signed it.
    Plain(Box<Statement>),
    /// Somebody did, or says so.
    Sealed(Envelope),
}

pub(super) fn read(path: &Path) -> Result<Stated, CliError> {
    let bytes = read_file(path)?;
    if let Ok(envelope) = serde_json::from_slice(&bytes) {
        return Ok(Stated::Sealed(envelope));
    }
    let statement = serde_json::from_slice(&bytes).map_err(|error| {
        CliError::not_started(error)
            .context(format!("`{}` is not a statement", path.display()))
            .hint("name the `.intoto.json` or `.intoto.dsse.json` of the result")
    })?;
    Ok(Stated::Plain(Box::new(statement)))
}

/// What it says, whoever signed it.
pub(super) fn content(stated: &Stated) -> Option<Statement> {
    match stated {
        Stated::Plain(statement) => Some(statement.as_ref().clone()),
        Stated::Sealed(envelope) => envelope.open(None).ok().map(|opened| opened.statement),
    }
}

pub(super) fn compare(recorded: &Recorded, stated: Option<&Stated>, key: Option<&PublicKey>) -> Vec<Check> {
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
