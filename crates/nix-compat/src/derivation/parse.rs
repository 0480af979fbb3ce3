//! A derivation from ATerm. The rules it must keep are checked at the end (`validate.rs`).

use std::collections::{BTreeMap, BTreeSet};

use bstr::BString;
use data_encoding::HEXLOWER;

use super::output::with_method;
use super::{Derivation, DerivationError, Output, OutputError, ParserError};
use crate::aterm::{Problem, Scanner};
use crate::nixhash::{CAHash, HashAlgo, NixHash};
use crate::store_path::StorePath;

type Result<'a, T> = std::result::Result<T, ParserError<&'a [u8]>>;

impl Derivation {
    /// Reads and validates the bytes of a `.drv` file.
    pub fn from_aterm_bytes(b: &[u8]) -> Result<'_, Derivation> {
        let mut scanner = Scanner::new(b);
        head(&mut scanner)?;
        let outputs = outputs(&mut scanner)?;
        scanner.expect(",")?;
        let input_derivations = input_derivations(&mut scanner)?;
        scanner.expect(",")?;
        let input_sources = input_sources(&mut scanner)?;
        scanner.expect(",")?;
        let system = scanner.text("the system")?;
        scanner.expect(",")?;
        let builder = scanner.text("the builder")?;
        scanner.expect(",")?;
        let mut arguments = Vec::new();
        scanner.list(|scanner| {
            scanner
                .text("an argument")
                .map(|argument| arguments.push(argument))
        })?;
        scanner.expect(",")?;
        let environment = environment(&mut scanner)?;
        scanner.expect(")")?;
        scanner.end()?;

        let derivation = Derivation {
            arguments,
            builder,
            environment,
            input_derivations,
            input_sources,
            outputs,
            system,
        };
        derivation.validate(true).map_err(ParserError::Validation)?;
        Ok(derivation)
    }
}

fn head<'a>(scanner: &mut Scanner<'a>) -> Result<'a, ()> {
    if scanner.take("DrvWithVersion(") {
        let version = scanner.text("a version")?;
        return Err(scanner.stop(Problem::Version(version)));
    }
    scanner.expect("Derive(")
}

fn outputs<'a>(scanner: &mut Scanner<'a>) -> Result<'a, BTreeMap<String, Output>> {
    let mut outputs = BTreeMap::new();
    scanner.list(|scanner| {
        scanner.expect("(")?;
        let name = scanner.text("an output's name")?;
        scanner.expect(",")?;
        let path = scanner.string()?;
        scanner.expect(",")?;
        let method = scanner.text("an output's hash algorithm")?;
        scanner.expect(",")?;
        let digest = scanner.text("an output's hash")?;
        let output = Output {
            ca_hash: ca_hash(scanner, &name, &method, &digest)?,
            path: match &path[..] {
                b"" => None,
                path => Some(output_path(&name, path)?),
            },
        };
        unique(
            scanner,
            &name,
            outputs.insert(name.clone(), output).is_none(),
            "the output",
        )?;
        scanner.expect(")")
    })?;
    Ok(outputs)
}

fn output_path<'a>(name: &str, path: &[u8]) -> Result<'a, StorePath<String>> {
    StorePath::from_absolute_path(path).map_err(|source| {
        let error = OutputError::InvalidOutputPath(lossy(path), source);
        ParserError::Validation(DerivationError::InvalidOutput(name.to_owned(), error))
    })
}

/// The hash of a fixed output; none if the output has its path from the derivation.
fn ca_hash<'a>(
    scanner: &Scanner<'a>,
    output: &str,
    method: &str,
    digest: &str,
) -> Result<'a, Option<CAHash>> {
    let output = output.to_owned();
    match (method, digest) {
        ("", "") => return Ok(None),
        (_, "impure") => return Err(scanner.stop(Problem::Impure(output))),
        (_, "") => return Err(scanner.stop(Problem::Floating(output))),
        _ => {}
    }
    let (kind, algo) = method.split_once(':').unwrap_or(("", method));
    let unknown = || Problem::HashMethod {
        output: output.clone(),
        method: method.to_owned(),
    };
    let algo = HashAlgo::try_from(algo).map_err(|_| scanner.stop(unknown()))?;
    let hash = HEXLOWER
        .decode(digest.as_bytes())
        .ok()
        .and_then(|digest| NixHash::from_algo_and_digest(algo, &digest).ok())
        .ok_or_else(|| {
            scanner.stop(Problem::Digest {
                output: output.clone(),
                digest: digest.to_owned(),
            })
        })?;
    with_method(kind, hash)
        .map(Some)
        .ok_or_else(|| scanner.stop(unknown()))
}

fn input_derivations<'a>(
    scanner: &mut Scanner<'a>,
) -> Result<'a, BTreeMap<StorePath<String>, BTreeSet<String>>> {
    let mut inputs = BTreeMap::new();
    scanner.list(|scanner| {
        scanner.expect("(")?;
        let path = scanner.string()?;
        let path = StorePath::from_absolute_path(&path).map_err(|source| {
            ParserError::Validation(DerivationError::InvalidInputDerivationPath(lossy(&path), source))
        })?;
        scanner.expect(",")?;
        let mut names = BTreeSet::new();
        scanner.list(|scanner| {
            let name = scanner.text("an output's name")?;
            unique(scanner, &name, names.insert(name.clone()), "an input's output")
        })?;
        let text = path.to_absolute_path();
        unique(
            scanner,
            &text,
            inputs.insert(path, names).is_none(),
            "the input derivation",
        )?;
        scanner.expect(")")
    })?;
    Ok(inputs)
}

fn input_sources<'a>(scanner: &mut Scanner<'a>) -> Result<'a, BTreeSet<StorePath<String>>> {
    let mut sources = BTreeSet::new();
    scanner.list(|scanner| {
        let text = scanner.string()?;
        let path = StorePath::from_absolute_path(&text).map_err(|source| {
            ParserError::Validation(DerivationError::InvalidInputSourcesPath(lossy(&text), source))
        })?;
        unique(scanner, &lossy(&text), sources.insert(path), "the input")
    })?;
    Ok(sources)
}

fn environment<'a>(scanner: &mut Scanner<'a>) -> Result<'a, BTreeMap<String, BString>> {
    let mut environment = BTreeMap::new();
    scanner.list(|scanner| {
        scanner.expect("(")?;
        let key = scanner.text("a variable's name")?;
        scanner.expect(",")?;
        let value = BString::from(scanner.string()?.into_owned());
        unique(
            scanner,
            &key,
            environment.insert(key.clone(), value).is_none(),
            "the variable",
        )?;
        scanner.expect(")")
    })?;
    Ok(environment)
}

/// An error if what was just read is not `new`.
fn unique<'a>(scanner: &Scanner<'a>, name: &str, new: bool, what: &'static str) -> Result<'a, ()> {
    if new {
        Ok(())
    } else {
        Err(scanner.stop(Problem::Twice(what, name.to_owned())))
    }
}

fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}
