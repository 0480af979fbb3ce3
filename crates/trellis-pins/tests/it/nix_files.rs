//! Every `.nix` file parses, and none repeats what the pins say.

use rnix::SyntaxKind::TOKEN_COMMENT;
use trellis_pins::Pins;

use crate::kit::nix_files;

/// The text of every token that is not a comment, with its file.
fn tokens() -> Vec<(String, String)> {
    nix_files()
        .into_iter()
        .flat_map(|(path, text)| {
            let root = rnix::Root::parse(&text);
            assert!(root.errors().is_empty(), "{path}: {:?}", root.errors());
            root.syntax()
                .descendants_with_tokens()
                .filter_map(rnix::SyntaxElement::into_token)
                .filter(|token| token.kind() != TOKEN_COMMENT)
                .map(|token| (path.clone(), token.text().to_owned()))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Whether `text` holds `word` with no further digit or dot-digit around it.
fn holds(text: &str, word: &str) -> bool {
    let part_of_number = |c: char| c.is_ascii_alphanumeric() || c == '.';
    text.match_indices(word).any(|(at, _)| {
        !text[..at].ends_with(part_of_number) && !text[at + word.len()..].starts_with(part_of_number)
    })
}

#[test]
fn all_files_parse() {
    assert!(tokens().len() > 1000);
}

#[test]
fn no_hash_stands_in_a_nix_file() {
    for (path, token) in tokens() {
        let hashlike = token
            .split(|c: char| !c.is_ascii_alphanumeric())
            .any(|word| word.len() >= 32 && word.chars().any(|c| c.is_ascii_digit()));
        assert!(!hashlike && !token.contains("sha256-"), "{path}: {token}");
    }
}

#[test]
fn no_hash_is_fake() {
    for (path, text) in nix_files() {
        for fake in ["fakeHash", "fakeSha256", "fakeSha512", "AAAAAAAAAA", "0000000000"] {
            assert!(!text.contains(fake), "{path}: {fake}");
        }
    }
    let pins = Pins::embedded();
    let models = &pins.models;
    let files = models.folders["trellis-image-large"]
        .files
        .iter()
        .map(|file| &file.sha256);
    let digests = pins.wheels.values().map(|wheel| &wheel.sha256);
    for digest in digests
        .chain(files)
        .chain([&models.u2net.sha256, &models.dinov2.sha256])
    {
        let distinct: std::collections::BTreeSet<char> = digest.to_string().chars().collect();
        assert!(distinct.len() >= 8, "{digest}");
    }
    for (name, source) in &pins.sources {
        assert!(
            source.rev.len() == 40 && source.rev.chars().all(|c| c.is_ascii_hexdigit()),
            "{name}"
        );
    }
}

#[test]
fn no_pinned_version_stands_in_a_nix_file() {
    let pins = Pins::embedded();
    let overlaid = pins.wheels.values().filter(|wheel| wheel.overlay.is_some());
    let mut versions: Vec<&str> = overlaid.map(|wheel| wheel.version.as_str()).collect();
    versions.extend(pins.sources.values().map(|source| source.version.as_str()));
    versions.extend([
        pins.cuda.version.as_str(),
        pins.python.version.as_str(),
        &pins.torch.reports,
    ]);
    versions.extend(pins.cuda.capabilities.iter().map(String::as_str));
    for (path, token) in tokens() {
        for version in &versions {
            assert!(!holds(&token, version), "{path} repeats {version}: {token}");
        }
    }
}

#[test]
fn flake_nix_stays_small() {
    let (_, text) = nix_files()
        .into_iter()
        .find(|(path, _)| path == "flake.nix")
        .unwrap();
    assert!(text.lines().count() <= 110);
}
