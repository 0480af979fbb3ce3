//! Reads the text of a `.narinfo` file, line by line, into a [`NarInfo`] that borrows it.

use data_encoding::{DecodeError, DecodeKind};

use super::{Error, Flags, NarInfo, SignatureRef};
use crate::nixhash::{self, CAHash, HashAlgo, NixHash};
use crate::store_path::StorePathRef;

/// Fields as they come in, each at most once.
#[derive(Default)]
struct Fields<'a> {
    store_path: Option<&'a str>,
    url: Option<&'a str>,
    compression: Option<&'a str>,
    file_hash: Option<&'a str>,
    file_size: Option<&'a str>,
    nar_hash: Option<&'a str>,
    nar_size: Option<&'a str>,
    references: Option<&'a str>,
    system: Option<&'a str>,
    deriver: Option<&'a str>,
    ca: Option<&'a str>,
    signatures: Vec<SignatureRef<'a>>,
    unknown: bool,
}

pub(super) fn parse(input: &str) -> Result<NarInfo<'_>, Error> {
    let fields = Fields::split(input)?;
    let mut flags = Flags::empty();
    flags.set(Flags::UNKNOWN_FIELD, fields.unknown);
    let (references, in_order) = references(fields.references.unwrap_or_default())?;
    flags.set(Flags::REFERENCES_MISSING, fields.references.is_none());
    flags.set(Flags::REFERENCES_OUT_OF_ORDER, !in_order);
    flags.set(Flags::COMPRESSION_DEFAULT, fields.compression.is_none());
    flags.set(
        Flags::EXPLICIT_UNKNOWN_DERIVER,
        fields.deriver == Some(UNKNOWN_DERIVER),
    );
    let nar_hash = fields.nar_hash.ok_or(Error::MissingField("NarHash"))?;
    flags.set(Flags::NAR_HASH_HEX, nar_hash.len() == "sha256:".len() + 64);
    let store_path = fields.store_path.ok_or(Error::MissingField("StorePath"))?;
    let nar_size = fields.nar_size.ok_or(Error::MissingField("NarSize"))?;
    Ok(NarInfo {
        flags,
        store_path: StorePathRef::from_absolute_path(store_path.as_bytes())
            .map_err(Error::InvalidStorePath)?,
        nar_hash: digest("NarHash", nar_hash)?,
        nar_size: match size("NarSize", nar_size)? {
            0 => return Err(Error::UnableToParseSize("NarSize", nar_size.to_owned())), // as Nix: no archive is empty
            bytes => bytes,
        },
        references,
        signatures: fields.signatures,
        ca: fields.ca.map(content_address).transpose()?,
        system: fields.system,
        deriver: fields
            .deriver
            .filter(|&deriver| deriver != UNKNOWN_DERIVER)
            .map(deriver)
            .transpose()?,
        url: fields.url.ok_or(Error::MissingField("URL"))?,
        compression: Some(fields.compression.unwrap_or("bzip2")).filter(|&method| method != "none"),
        file_hash: fields
            .file_hash
            .map(|text| digest("FileHash", text))
            .transpose()?,
        file_size: fields.file_size.map(|text| size("FileSize", text)).transpose()?,
    })
}

const UNKNOWN_DERIVER: &str = "unknown-deriver";

impl<'a> Fields<'a> {
    fn split(input: &'a str) -> Result<Self, Error> {
        let mut fields = Self::default();
        for line in input.lines() {
            let (name, value) = name_and_value(line).ok_or_else(|| Error::InvalidLine(line.to_owned()))?;
            let (name, field) = match name {
                "StorePath" => ("StorePath", &mut fields.store_path),
                "URL" => ("URL", &mut fields.url),
                "Compression" => ("Compression", &mut fields.compression),
                "FileHash" => ("FileHash", &mut fields.file_hash),
                "FileSize" => ("FileSize", &mut fields.file_size),
                "NarHash" => ("NarHash", &mut fields.nar_hash),
                "NarSize" => ("NarSize", &mut fields.nar_size),
                "References" => ("References", &mut fields.references),
                "System" => ("System", &mut fields.system),
                "Deriver" => ("Deriver", &mut fields.deriver),
                "CA" => ("CA", &mut fields.ca),
                "Sig" => {
                    let position = fields.signatures.len();
                    let signature = SignatureRef::parse(value);
                    let wrong = |error| Error::UnableToParseSignature(position, error);
                    fields.signatures.push(signature.map_err(wrong)?);
                    continue;
                }
                _ => {
                    fields.unknown = true;
                    continue;
                }
            };
            if value.is_empty() && name != "References" {
                return Err(Error::EmptyField(name));
            }
            if field.replace(value).is_some() {
                return Err(Error::DuplicateField(name));
            }
        }
        Ok(fields)
    }
}

/// The space may be missing where there is no value.
fn name_and_value(line: &str) -> Option<(&str, &str)> {
    match line.split_once(':')? {
        ("", _) => None,
        (name, "") => Some((name, "")),
        (name, rest) => Some((name, rest.strip_prefix(' ')?)),
    }
}

/// The paths, and whether they are strictly ascending.
fn references(text: &str) -> Result<(Vec<StorePathRef<'_>>, bool), Error> {
    let paths = text.split(' ').filter(|path| !path.is_empty()).enumerate();
    let paths = paths.map(|(position, path)| {
        let parsed = StorePathRef::from_bytes(path.as_bytes());
        parsed.map_err(|error| Error::InvalidReference(position, error))
    });
    let paths: Vec<_> = paths.collect::<Result<_, _>>()?;
    let in_order = paths.is_sorted_by(|left, right| left < right);
    Ok((paths, in_order))
}

fn deriver(text: &str) -> Result<StorePathRef<'_>, Error> {
    let path = text
        .strip_suffix(".drv")
        .ok_or(Error::InvalidDeriverStorePathMissingSuffix)?;
    StorePathRef::from_bytes(path.as_bytes()).map_err(Error::InvalidDeriverStorePath)
}

fn content_address(text: &str) -> Result<CAHash, Error> {
    CAHash::from_nix_hex_str(text).ok_or_else(|| Error::UnableToParseCA(text.to_owned()))
}

fn size(field: &'static str, text: &str) -> Result<u64, Error> {
    let digits_only = text.bytes().all(|byte| byte.is_ascii_digit());
    let parsed = text.parse().ok().filter(|_| digits_only);
    parsed.ok_or_else(|| Error::UnableToParseSize(field, text.to_owned()))
}

/// SHA-256 in any notation that Nix takes here.
fn digest(field: &'static str, text: &str) -> Result<[u8; 32], Error> {
    match NixHash::from_str(text, Some(HashAlgo::Sha256)) {
        Ok(NixHash::Sha256(digest)) if text.starts_with("sha256") => Ok(digest),
        Err(
            nixhash::Error::InvalidBase16Encoding(error)
            | nixhash::Error::InvalidBase32Encoding(error)
            | nixhash::Error::InvalidBase64Encoding(error),
        ) => Err(Error::UnableToDecodeHash(field, error)),
        Err(nixhash::Error::InvalidDigestLength(_)) => {
            let error = DecodeError {
                position: text.len(),
                kind: DecodeKind::Length,
            };
            Err(Error::UnableToDecodeHash(field, error))
        }
        _ => Err(Error::MissingPrefixForHash(field)),
    }
}
