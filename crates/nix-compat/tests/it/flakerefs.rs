//! Flake references against what Nix reads in them (`tests/goldens/make-derivations`), and random ones.

use std::fs;
use std::path::{Path, PathBuf};

use nix_compat::flakeref::FlakeRef;
use proptest::option::of;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use url::Url;

/// What Nix calls its kind.
fn kind(reference: &FlakeRef) -> &'static str {
    match reference {
        FlakeRef::File { .. } => "file",
        FlakeRef::Git { .. } => "git",
        FlakeRef::GitHub { .. } => "github",
        FlakeRef::GitLab { .. } => "gitlab",
        FlakeRef::Indirect { .. } => "indirect",
        FlakeRef::Path { .. } => "path",
        FlakeRef::SourceHut { .. } => "sourcehut",
        FlakeRef::Tarball { .. } => "tarball",
        other => unreachable!("{other:?} is never read"),
    }
}

/// The attributes that Nix has for it.
fn attributes(reference: &FlakeRef) -> Map<String, Value> {
    let mut all = match reference {
        FlakeRef::Indirect { id, r#ref, rev } => json!({ "id": id, "ref": r#ref, "rev": rev }),
        FlakeRef::Path {
            last_modified,
            nar_hash,
            path,
            rev,
            rev_count,
        } => json!({
            "path": path, "rev": rev, "narHash": nar_hash, "lastModified": last_modified, "revCount": rev_count,
        }),
        FlakeRef::Tarball {
            last_modified,
            nar_hash,
            rev,
            rev_count,
            url,
        }
        | FlakeRef::File {
            last_modified,
            nar_hash,
            rev,
            rev_count,
            url,
        } => json!({
            "url": url.as_str(), "rev": rev, "narHash": nar_hash, "lastModified": last_modified, "revCount": rev_count,
        }),
        FlakeRef::GitHub {
            owner,
            repo,
            host,
            r#ref,
            rev,
            ..
        }
        | FlakeRef::GitLab {
            owner,
            repo,
            host,
            r#ref,
            rev,
            ..
        }
        | FlakeRef::SourceHut {
            owner,
            repo,
            host,
            r#ref,
            rev,
            ..
        } => {
            json!({ "owner": owner, "repo": repo, "host": host, "ref": r#ref, "rev": rev })
        }
        FlakeRef::Git {
            url,
            r#ref,
            rev,
            keytype,
            public_key,
            all_refs,
            export_ignore,
            shallow,
            submodules,
            verify_commit,
            ..
        } => json!({
            "url": url.as_str(), "ref": r#ref, "rev": rev, "keytype": keytype, "publicKey": public_key,
            "allRefs": all_refs, "exportIgnore": export_ignore, "shallow": shallow, "submodules": submodules,
            "verifyCommit": verify_commit,
        }),
        other => unreachable!("{other:?} is never read"),
    };
    all["type"] = json!(kind(reference));
    all.as_object()
        .unwrap()
        .clone()
        .into_iter()
        .filter(|(_, value)| !value.is_null() && *value != json!(false))
        .collect()
}

/// Nix's attributes without what a reference does not hold here, and without flags that are off.
fn kept(mut attributes: Map<String, Value>) -> Map<String, Value> {
    attributes.remove("dir");
    attributes.retain(|_, value| *value != json!(false));
    if ["github", "gitlab", "sourcehut"]
        .iter()
        .any(|forge| attributes["type"] == **forge)
    {
        attributes.remove("narHash");
    }
    attributes
}

#[test]
fn nix_reads_the_same() {
    let goldens =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/made-derivations/flakerefs.jsonl");
    let (mut read, mut refused) = (0, 0);
    for line in fs::read_to_string(goldens)
        .unwrap()
        .lines()
        .filter(|line| !line.is_empty())
    {
        let golden: Map<String, Value> = serde_json::from_str(line).unwrap();
        let text = golden["reference"].as_str().unwrap();
        match (text.parse::<FlakeRef>(), &golden["attributes"]) {
            // Only an address without a path is written in another way.
            (Ok(found), Value::Object(expected)) => {
                read += 1;
                let mut expected = kept(expected.clone());
                if let Some(url) = expected.get_mut("url") {
                    *url = json!(url.as_str().unwrap().parse::<Url>().unwrap().as_str());
                }
                assert_eq!(attributes(&found), expected, "{text}");
                assert_eq!(found.to_uri().as_str().parse(), Ok(found), "{text}");
            }
            (Err(_), Value::Null) => refused += 1,
            (found, expected) => panic!("{text}: {found:?}, and Nix: {expected}"),
        }
    }
    assert!(read >= 60 && refused >= 20, "{read} read, {refused} refused");
}

#[test]
fn nix_writes_the_same() {
    for text in [
        "flake:nixpkgs/nixos-25.05",
        "github:owner/repo/release/25.05",
        "gitlab:a%252Fb/c",
        "sourcehut:~a/b",
        "path:/a/b%20c",
        "git+https://example.org/y?allRefs=1&ref=main&shallow=1",
        "git://example.org/y",
        "https://example.org/y.tar.gz?narHash=sha256-47DEQpj8HBSa%2B%2FTImW%2B5JCeuQeRkm5NMpJWZG3hSuFU%3D",
        "file+https://example.org/y",
    ] {
        assert_eq!(text.parse::<FlakeRef>().unwrap().to_uri().as_str(), text);
    }
}

#[test]
fn mercurial_is_refused_rather_than_read_without_its_address() {
    let error = "hg+https://example.org/y".parse::<FlakeRef>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "`hg+https://example.org/y` is not a known form of flake reference"
    );
}

#[test]
fn bytes_that_are_no_text_stay_in_the_address_only() {
    let text = "git+https://example.org/y?a=%A0";
    assert_eq!(text.parse::<FlakeRef>().unwrap().to_uri().as_str(), text);
    for text in [
        "git+https://example.org/y?ref=%A0",
        "github:a/b?host=%A0",
        "https://example.org/y?narHash=%A0",
    ] {
        text.parse::<FlakeRef>().unwrap_err();
    }
}

#[test]
fn a_path_is_of_this_machine() {
    for (text, path) in [
        ("path:///a/b", "/a/b"),
        ("path:////a", "//a"),
        ("path:a", "a"),
        ("//a", "//a"),
    ] {
        let reference: FlakeRef = text.parse().unwrap();
        assert!(
            matches!(&reference, FlakeRef::Path { path: found, .. } if found == Path::new(path)),
            "{reference:?}"
        );
        assert_eq!(reference.to_uri().as_str().parse(), Ok(reference));
    }
    "path://machine/a".parse::<FlakeRef>().unwrap_err();
}

fn rev() -> impl Strategy<Value = String> {
    "[0-9a-f]{40}"
}

fn branch() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9@][a-zA-Z0-9_.@+-]{0,6}(/[a-z]{0,3}){0,2}"
}

fn url() -> impl Strategy<Value = Url> {
    (
        "(https|http|ssh)",
        "[a-z0-9.-]{1,9}\\.org",
        "[ -~]{0,12}",
        of("[a-z]{1,3}=[ -~&&[^#&]]{0,6}"),
    )
        .prop_filter_map("no address", |(scheme, host, path, query)| {
            let mut url = Url::parse(&format!("{scheme}://{host}/")).ok()?;
            url.set_path(&path);
            url.set_query(query.as_deref().filter(|query| {
                !query.contains("rev=") && !query.contains("ref=") && !query.contains("dir=")
            }));
            Some(url)
        })
}

fn tree() -> impl Strategy<Value = FlakeRef> {
    let address = url().prop_filter("not for archives", |url| url.scheme() != "ssh");
    let required = (
        any::<Option<u64>>(),
        of("\\PC{0,9}"),
        of(rev()),
        any::<Option<u64>>(),
    );
    (required, address, "(//?)?[^.\\pC]{0,20}", 0..3).prop_map(
        |((last_modified, nar_hash, rev, rev_count), url, path, kind)| match kind {
            0 => FlakeRef::File {
                last_modified,
                nar_hash,
                rev,
                rev_count,
                url,
            },
            1 => FlakeRef::Tarball {
                last_modified,
                nar_hash,
                rev,
                rev_count,
                url,
            },
            _ => FlakeRef::Path {
                last_modified,
                nar_hash,
                path: PathBuf::from(path),
                rev,
                rev_count,
            },
        },
    )
}

type Keys = (Option<String>, Option<String>, Option<Vec<String>>);

fn keys() -> impl Strategy<Value = Keys> {
    (
        of("[a-z-]{1,9}"),
        of("\\PC{0,9}"),
        of(proptest::collection::vec("\\PC{0,9}", 1..3)),
    )
}

fn forge() -> impl Strategy<Value = FlakeRef> {
    let name = || "[a-zA-Z0-9~%._ é-]{1,9}";
    let at = prop_oneof![
        Just((None, None)),
        branch().prop_map(|name| (Some(name), None)),
        rev().prop_map(|rev| (Some(rev), None)),
        rev().prop_map(|rev| (None, Some(rev))),
    ];
    (name(), name(), of("[a-z.]{1,9}"), keys(), at, 0..3).prop_map(
        |(owner, repo, host, (keytype, public_key, public_keys), (r#ref, rev), kind)| match kind {
            0 => FlakeRef::GitHub {
                owner,
                repo,
                host,
                keytype,
                public_key,
                public_keys,
                r#ref,
                rev,
            },
            1 => FlakeRef::GitLab {
                owner,
                repo,
                host,
                keytype,
                public_key,
                public_keys,
                r#ref,
                rev,
            },
            _ => FlakeRef::SourceHut {
                owner,
                repo,
                host,
                keytype,
                public_key,
                public_keys,
                r#ref,
                rev,
            },
        },
    )
}

fn git() -> impl Strategy<Value = FlakeRef> {
    (
        url(),
        any::<[bool; 5]>(),
        keys(),
        of("[a-z][a-zA-Z0-9_+&é-]{0,6}"),
        of(rev()),
    )
        .prop_map(|(url, flags, keys, r#ref, rev)| {
            let [all_refs, export_ignore, shallow, submodules, verify_commit] = flags;
            let (keytype, public_key, public_keys) = keys;
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
            }
        })
}

fn reference() -> impl Strategy<Value = FlakeRef> {
    let indirect = ("[a-zA-Z][a-zA-Z0-9_-]{0,8}", of("[a-z]{1,9}"), of(rev()))
        .prop_map(|(id, r#ref, rev)| FlakeRef::Indirect { id, r#ref, rev });
    prop_oneof![indirect, tree(), forge(), git()]
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(reference in reference()) {
        let uri = reference.to_uri();
        prop_assert_eq!(uri.as_str().parse(), Ok(reference), "{}", uri);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "((git\\+|file\\+|tarball\\+)?(https?|file|git|ssh)|github|path|flake|hg)?:?/?/?[ -~é]{0,20}") {
        if let Ok(reference) = text.parse::<FlakeRef>() {
            // Printing resolves the dots of a path.
            let dots = matches!(&reference, FlakeRef::Path { path, .. } if path.to_string_lossy().contains('.'));
            let again: FlakeRef = reference.to_uri().as_str().parse().unwrap();
            prop_assert!(dots || again == reference, "{:?} and {:?}", again, reference);
        }
    }
}
