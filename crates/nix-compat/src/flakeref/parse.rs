//! A flake reference from text.

use std::str::FromStr;

use url::Url;

use super::query::{Query, decode};
use super::{FlakeRef, FlakeRefError};

impl FromStr for FlakeRef {
    type Err = FlakeRefError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unsupported = || FlakeRefError::UnsupportedType(text.to_owned());
        if text.contains('#') || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(unsupported());
        }
        let Some((scheme, body)) = text.split_once(':') else {
            return bare(text);
        };
        match scheme {
            "flake" => indirect(body.split_once('?').map_or(body, |(path, _)| path)),
            "github" | "gitlab" | "sourcehut" => forge(scheme, body),
            "path" => match body.strip_prefix("//") {
                // A machine's name would stand between these and the path, and there can be none.
                Some(local) => local.starts_with('/').then(|| path(local, decode)).flatten(),
                None => path(body, decode),
            },
            "git" | "git+https" | "git+http" | "git+ssh" | "git+file" => return git(text, unsupported),
            "https" | "http" | "file" | "tarball+https" | "tarball+http" | "tarball+file" | "file+https"
            | "file+http" | "file+file" => return download(text, unsupported),
            _ => None,
        }
        .ok_or_else(unsupported)
    }
}

/// Without a scheme it is a registry's name, or an absolute path in which `%` is itself.
fn bare(text: &str) -> Result<FlakeRef, FlakeRefError> {
    let found = if text.starts_with('/') {
        path(text, |as_it_is| Some(as_it_is.to_owned()))
    } else {
        indirect(text)
    };
    found.ok_or(FlakeRefError::UrlParseError(
        url::ParseError::RelativeUrlWithoutBase,
    ))
}

pub(super) fn is_rev(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// What Nix takes as a branch's or tag's name where it may stand in a path.
fn is_ref(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_./@+-".contains(&byte);
    text.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '@') && text.bytes().all(allowed)
}

/// What git takes as a branch's or tag's name.
fn is_git_ref(text: &str) -> bool {
    let forbidden =
        |letter: char| letter.is_control() || letter.is_whitespace() || ":?^~[\\*".contains(letter);
    !text.is_empty()
        && text != "@"
        && !text.starts_with(['.', '/'])
        && !text.ends_with(['.', '/'])
        && text.strip_suffix(".lock").is_none()
        && !["//", "/.", "..", "@{", ".lock/"]
            .iter()
            .any(|part| text.contains(part))
        && !text.contains(forbidden)
}

fn indirect(path: &str) -> Option<FlakeRef> {
    let path = decode(path)?;
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    let id = segments.next().filter(|id| {
        id.starts_with(|first: char| first.is_ascii_alphabetic())
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    })?;
    let (r#ref, rev) = match (segments.next(), segments.next(), segments.next()) {
        (None, ..) => (None, None),
        (Some(rev), None, _) if is_rev(rev) => (None, Some(rev)),
        (Some(name), None, _) if is_ref(name) => (Some(name), None),
        (Some(name), Some(rev), None) if is_ref(name) && is_rev(rev) => (Some(name), Some(rev)),
        _ => return None,
    };
    Some(FlakeRef::Indirect {
        id: id.to_owned(),
        r#ref: r#ref.map(str::to_owned),
        rev: rev.map(str::to_owned),
    })
}

fn forge(scheme: &str, body: &str) -> Option<FlakeRef> {
    let (path, query) = body.split_once('?').unwrap_or((body, ""));
    let mut query = Query::parse(query);
    let path = decode(path)?;
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    let owner = segments.next()?.to_owned();
    let repo = segments.next()?.to_owned();
    let in_path = segments.collect::<Vec<_>>().join("/");

    let (mut r#ref, mut rev) = (query.take("ref"), query.take("rev"));
    match (in_path.is_empty(), &r#ref, &rev) {
        (true, None, _) | (true, _, None) => {}
        (false, None, None) if is_rev(&in_path) => rev = Some(in_path),
        (false, None, None) => r#ref = Some(in_path),
        _ => return None,
    }
    if !r#ref.as_deref().is_none_or(is_ref) || !rev.as_deref().is_none_or(is_rev) {
        return None;
    }
    let host = query.take("host");
    let keytype = query.take("keytype");
    let public_key = query.take("publicKey");
    let public_keys = Some(query.take_all("publicKeys")).filter(|keys| !keys.is_empty());
    macro_rules! archive {
        ($Forge:ident) => {
            FlakeRef::$Forge {
                owner,
                repo,
                host,
                keytype,
                public_key,
                public_keys,
                r#ref,
                rev,
            }
        };
    }
    query.is_readable.then_some(match scheme {
        "github" => archive!(GitHub),
        "gitlab" => archive!(GitLab),
        _ => archive!(SourceHut),
    })
}

fn path(body: &str, decode: fn(&str) -> Option<String>) -> Option<FlakeRef> {
    let (path, query) = body.split_once('?').unwrap_or((body, ""));
    let mut query = Query::parse(query);
    query.take("dir");
    let mut number = |name| {
        query
            .take(name)
            .map_or(Some(None), |text| text.parse().ok().map(Some))
    };
    let last_modified = number("lastModified")?;
    let rev_count = number("revCount")?;
    let reference = FlakeRef::Path {
        last_modified,
        nar_hash: query.take("narHash"),
        path: decode(path)?.into(),
        rev: query.take("rev"),
        rev_count,
    };
    (query.is_readable && query.rest().is_none()).then_some(reference)
}

fn git(text: &str, unsupported: impl Fn() -> FlakeRefError) -> Result<FlakeRef, FlakeRefError> {
    let mut url = Url::parse(text.strip_prefix("git+").unwrap_or(text))?;
    let written = url.query().unwrap_or_default().to_owned();
    let mut query = Query::parse(&written);
    query.take("dir");
    let (r#ref, rev) = (query.take("ref"), query.take("rev"));
    if url.cannot_be_a_base()
        || !r#ref.as_deref().is_none_or(is_git_ref)
        || !rev.as_deref().is_none_or(is_rev)
    {
        return Err(unsupported());
    }
    let reference = FlakeRef::Git {
        all_refs: query.take_flag("allRefs"),
        export_ignore: query.take_flag("exportIgnore"),
        keytype: query.take("keytype"),
        public_key: query.take("publicKey"),
        public_keys: Some(query.take_all("publicKeys")).filter(|keys| !keys.is_empty()),
        r#ref,
        rev,
        shallow: query.take_flag("shallow"),
        submodules: query.take_flag("submodules"),
        verify_commit: query.take_flag("verifyCommit"),
        url: {
            url.set_query(query.rest().as_deref());
            url
        },
    };
    query.is_readable.then_some(reference).ok_or_else(unsupported)
}

/// A file, or an archive of which only the content counts.
fn download(text: &str, unsupported: impl Fn() -> FlakeRefError) -> Result<FlakeRef, FlakeRefError> {
    let (one_file, address) = match text.split_once('+') {
        Some(("file", address)) => (true, address),
        Some(("tarball", address)) => (false, address),
        _ => (false, text),
    };
    let mut url = Url::parse(address)?;
    let written = url.query().unwrap_or_default().to_owned();
    let mut query = Query::parse(&written);
    query.take("dir");
    let last_modified = query.take("lastModified").and_then(|text| text.parse().ok());
    let rev_count = query.take("revCount").and_then(|text| text.parse().ok());
    let nar_hash = query.take("narHash");
    let rev = query.take("rev");
    url.set_query(query.rest().as_deref());
    macro_rules! of {
        ($Form:ident) => {
            FlakeRef::$Form {
                last_modified,
                nar_hash,
                rev,
                rev_count,
                url,
            }
        };
    }
    let reference = if one_file { of!(File) } else { of!(Tarball) };
    query.is_readable.then_some(reference).ok_or_else(unsupported)
}
