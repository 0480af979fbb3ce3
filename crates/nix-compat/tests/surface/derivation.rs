//! The public names of derivations and what stands beside them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Debug, Display};
use std::hash::Hash;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

use bstr::BString;
use nix_compat::derivation::{
    CAHash, Derivation, DerivationError, NixHash, Output, OutputError, ParserError, validate_output_name,
};
use nix_compat::flakeref::{FlakeRef, FlakeRefError, FlakeRefOutput};
use nix_compat::narinfo::{SignatureRef, VerifyingKey};
use nix_compat::nix_http;
use nix_compat::nixcpp::conf::{self, NixConfig, SandboxSetting};
use nix_compat::path_info::ExportedPathInfo;
use nix_compat::store_path::{self, BuildStorePathError, StorePath, StorePathRef};
use serde::{Deserialize, Serialize};
use url::Url;

fn traits<T: Clone + Debug + Eq>() {}
fn errors<E: std::error::Error>() {}

#[test]
fn derivations() {
    traits::<Derivation>();
    traits::<Output>();
    let _: fn() -> Derivation = Derivation::default;
    let _: fn() -> Output = Output::default;
    let _: for<'a> fn(&'a [u8]) -> Result<Derivation, ParserError<&'a [u8]>> = Derivation::from_aterm_bytes;
    let _: fn(&Derivation, &mut Vec<u8>) -> io::Result<()> =
        |derivation, writer| derivation.serialize(writer);
    let _: fn(&Derivation) -> Vec<u8> = Derivation::to_aterm_bytes;
    let _: fn(&Derivation, bool) -> Result<(), DerivationError> = Derivation::validate;
    let _: fn(&Derivation, &str) -> Result<StorePath<String>, DerivationError> =
        Derivation::calculate_derivation_path;
    let _: fn(&Derivation) -> Option<[u8; 32]> = Derivation::fod_digest;
    let _: fn(&Derivation, fn(&StorePathRef) -> [u8; 32]) -> [u8; 32] = Derivation::hash_derivation_modulo;
    let _: fn(&mut Derivation, &str, &[u8; 32]) -> Result<(), DerivationError> =
        Derivation::calculate_output_paths;
    let _: fn(&Output) -> bool = Output::is_fixed;
    let _: for<'a> fn(&'a Output) -> Cow<'a, str> = Output::path_str;
    let _: fn(&str) -> Result<(), DerivationError> = validate_output_name;

    let Derivation {
        arguments,
        builder,
        environment,
        input_derivations,
        input_sources,
        outputs,
        system,
    } = Derivation::default();
    let _: (Vec<String>, String, BTreeMap<String, BString>, String) =
        (arguments, builder, environment, system);
    let _: (
        BTreeMap<StorePath<String>, BTreeSet<String>>,
        BTreeSet<StorePath<String>>,
    ) = (input_derivations, input_sources);
    let _: BTreeMap<String, Output> = outputs;
    let Output { path, ca_hash } = Output::default();
    let _: (Option<StorePath<String>>, Option<CAHash>) = (path, ca_hash);
    let _: (CAHash, NixHash) = (CAHash::Text([0; 32]), NixHash::Md5([0; 16]));
}

#[test]
fn derivations_as_json() {
    fn json<T: Serialize + for<'de> Deserialize<'de>>() {}
    json::<Derivation>();
    json::<Output>();
}

#[test]
fn errors_of_derivations() {
    errors::<ParserError<&[u8]>>();
    errors::<DerivationError>();
    errors::<OutputError>();
    let _ = |error: ParserError<&'static [u8]>| match error {
        ParserError::Parser(_) | ParserError::Incomplete => {}
        ParserError::Validation(error) => {
            let _: DerivationError = error;
        }
    };
    let _ = |error: OutputError| match error {
        OutputError::InvalidOutputPath(path, error) => drop::<(String, store_path::Error)>((path, error)),
        OutputError::MissingOutputPath => {}
        OutputError::InvalidCAHash(hash) => drop::<CAHash>(hash),
    };
    let _ = |error: DerivationError| match error {
        DerivationError::NoOutputs() | DerivationError::MoreThanOneOutputButFixed() => {}
        DerivationError::InvalidOutputName(text)
        | DerivationError::InvalidOutputNameForFixed(text)
        | DerivationError::InvalidInputDerivationPrefix(text)
        | DerivationError::EmptyInputDerivationOutputNames(text)
        | DerivationError::InvalidPlatform(text)
        | DerivationError::InvalidBuilder(text)
        | DerivationError::InvalidEnvironmentKey(text) => drop::<String>(text),
        DerivationError::InvalidOutput(name, error) => drop::<(String, OutputError)>((name, error)),
        DerivationError::InvalidOutputDerivationPath(name, error) => {
            drop::<(String, BuildStorePathError)>((name, error));
        }
        DerivationError::InvalidInputDerivationPath(path, error)
        | DerivationError::InvalidInputSourcesPath(path, error) => {
            drop::<(String, store_path::Error)>((path, error));
        }
        DerivationError::InvalidInputDerivationOutputName(path, name) => {
            drop::<(String, String)>((path, name));
        }
    };
}

#[test]
fn path_infos() {
    fn more<'a, T: Clone + Debug + Eq + Hash + Ord + Serialize + Deserialize<'a>>() {}
    more::<ExportedPathInfo>();
    let _ = |info: ExportedPathInfo<'static>| {
        let ExportedPathInfo {
            closure_size,
            nar_sha256,
            nar_size,
            path,
            deriver,
            references,
            signatures,
        } = info;
        let _: (u64, [u8; 32], u64) = (closure_size, nar_sha256, nar_size);
        let _: (StorePathRef, Option<StorePathRef>) = (path, deriver);
        let _: (BTreeSet<StorePathRef>, Vec<SignatureRef>) = (references, signatures);
    };
}

#[test]
fn binary_caches() {
    let _: [&str; 3] = [
        nix_http::MIME_TYPE_NAR,
        nix_http::MIME_TYPE_NARINFO,
        nix_http::MIME_TYPE_CACHE_INFO,
    ];
    let _: fn(&str) -> Option<([u8; 32], &str)> = nix_http::parse_nar_str;
    let _: fn(&str) -> Option<[u8; 20]> = nix_http::parse_narinfo_str;
}

#[test]
fn nix_conf() {
    errors::<conf::Error>();
    let _: fn(&'static str) -> Result<NixConfig<'static>, conf::Error> = NixConfig::parse;
    let _ = |config: NixConfig<'static>| {
        let _: Option<Vec<VerifyingKey>> = config.trusted_public_keys;
        let _: (Option<Vec<&str>>, Option<bool>) = (config.substituters, config.require_sigs);
        let _: Option<SandboxSetting> = config.sandbox;
    };
    let _ = |setting: SandboxSetting| match setting {
        SandboxSetting::True | SandboxSetting::False | SandboxSetting::Relaxed => {}
    };
    let _ = |error: conf::Error| match error {
        conf::Error::InvalidLine(text) | conf::Error::UnrecognizedKey(text) => drop::<String>(text),
        conf::Error::InvalidValue(key, value) => drop::<(String, String)>((key, value)),
    };
}

#[test]
fn flake_references() {
    fn shown<T: Display>(_: T) {}
    let _: fn(&str) -> Result<FlakeRef, FlakeRefError> = FlakeRef::from_str;
    let _: fn(&FlakeRef) -> Url = FlakeRef::to_uri;
    let _: fn() -> FlakeRefOutput = FlakeRefOutput::default;
    let _: fn(FlakeRefOutput) -> Vec<(String, String)> = FlakeRefOutput::into_kv_tuples;
    let _ = |output: FlakeRefOutput| {
        drop(output.out_path);
        drop(output.nar_hash);
        drop((output.last_modified, output.last_modified_date, output.rev_count));
        drop((output.rev, output.short_rev, output.submodules));
    };
    errors::<FlakeRefError>();
    let _ = |error: FlakeRefError| match error {
        FlakeRefError::UrlParseError(error) => shown::<url::ParseError>(error),
        FlakeRefError::UnsupportedType(text) => shown::<String>(text),
    };
}

#[test]
fn kinds_of_flake_references() {
    let _ = |reference: FlakeRef| match reference {
        FlakeRef::File {
            last_modified,
            nar_hash,
            rev,
            rev_count,
            url,
        }
        | FlakeRef::Tarball {
            last_modified,
            nar_hash,
            rev,
            rev_count,
            url,
        } => {
            let _: (Option<u64>, Option<u64>, Url) = (last_modified, rev_count, url);
            let _: (Option<String>, Option<String>) = (nar_hash, rev);
        }
        FlakeRef::Path {
            last_modified,
            nar_hash,
            path,
            rev,
            rev_count,
        } => {
            let _: (Option<u64>, Option<u64>, PathBuf) = (last_modified, rev_count, path);
            let _: (Option<String>, Option<String>) = (nar_hash, rev);
        }
        FlakeRef::GitHub {
            owner,
            repo,
            host,
            keytype,
            public_key,
            public_keys,
            r#ref,
            rev,
        }
        | FlakeRef::GitLab {
            owner,
            repo,
            host,
            keytype,
            public_key,
            public_keys,
            r#ref,
            rev,
        }
        | FlakeRef::SourceHut {
            owner,
            repo,
            host,
            keytype,
            public_key,
            public_keys,
            r#ref,
            rev,
        } => {
            let _: (String, String, Option<Vec<String>>) = (owner, repo, public_keys);
            let _: [Option<String>; 5] = [host, keytype, public_key, r#ref, rev];
        }
        FlakeRef::Git {
            all_refs,
            export_ignore,
            keytype,
            public_key,
            public_keys,
            r#ref,
            rev,
            shallow,
            submodules,
            url,
            verify_commit,
        } => {
            let _: [bool; 5] = [all_refs, export_ignore, shallow, submodules, verify_commit];
            let _: [Option<String>; 4] = [keytype, public_key, r#ref, rev];
            let _: (Option<Vec<String>>, Url) = (public_keys, url);
        }
        FlakeRef::Indirect { id, r#ref, rev } => {
            let _: (String, Option<String>, Option<String>) = (id, r#ref, rev);
        }
        FlakeRef::Mercurial { r#ref, rev } => {
            let _: (Option<String>, Option<String>) = (r#ref, rev);
        }
        _ => {}
    };
}
