//! A path that leads nowhere, explained: how far it leads, and what there is of a similar name.
//!
//! Looks at folders only when something was not found, and at no more entries than a person could mean.

use std::io;
use std::path::{Component, Path, PathBuf};

/// So many entries of a folder are compared at most.
const MOST_ENTRIES: usize = 10_000;

/// How alike two names must be (Jaro-Winkler); below, a suggestion would be a guess.
const ALIKE: f64 = 0.85;

/// What to say of a path that could not be opened. `None` where another reason than the path is to blame.
pub fn hint(path: &Path, error: &io::Error) -> Option<String> {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => missing(path),
        io::ErrorKind::IsADirectory => Some(format!("`{}` is a folder, name a file in it", path.display())),
        _ => None,
    }
}

/// What there is instead of a path that is not there. `None` where it is there.
pub fn missing(path: &Path) -> Option<String> {
    if path.as_os_str().is_empty() || path.exists() {
        return None;
    }
    if path == Path::new("-") {
        return Some("`-` does not stand for standard input here; name `/dev/stdin`".to_owned());
    }
    let (here, name, rest) = last_that_exists(path)?;
    if !here.is_dir() {
        return Some(format!("`{}` is a file, not a folder", here.display()));
    }
    let place = shown(&here);
    let wrong = here.join(&name);
    Some(match similar(&here, &name) {
        Some(found) => {
            let mut meant = own_words(&here).join(found);
            if !rest.as_os_str().is_empty() {
                meant.push(rest);
            }
            format!("did you mean `{}`?", meant.display())
        }
        None if wrong.is_symlink() => {
            format!("`{}` is a broken link", wrong.display())
        }
        None => format!("{place} has no `{}`", name.display()),
    })
}

/// The longest part of the path that is there, the name in it that is not, and what follows.
fn last_that_exists(path: &Path) -> Option<(PathBuf, PathBuf, PathBuf)> {
    let mut here = PathBuf::new();
    let mut parts = path.components();
    while let Some(part) = parts.next() {
        let next = here.join(part);
        let there = matches!(
            part,
            Component::RootDir | Component::CurDir | Component::ParentDir
        );
        if !there && !next.exists() {
            let here = if here.as_os_str().is_empty() {
                PathBuf::from(".")
            } else {
                here
            };
            return Some((here, PathBuf::from(part.as_os_str()), parts.as_path().to_owned()));
        }
        here = next;
    }
    None
}

/// The name in a folder that is most like `name`: the same but for case or its ending, else alike.
fn similar(folder: &Path, name: &Path) -> Option<PathBuf> {
    let wanted = name.to_string_lossy().to_lowercase();
    let stem = name.file_stem()?.to_string_lossy().to_lowercase();
    let entries = folder.read_dir().ok()?.flatten().take(MOST_ENTRIES);
    let rated = entries.filter_map(|entry| {
        let found = PathBuf::from(entry.file_name());
        let text = found.to_string_lossy().to_lowercase();
        // A dangling link leads nowhere either.
        if found == name || !entry.path().exists() {
            return None;
        }
        let same_stem = found
            .file_stem()
            .is_some_and(|other| other.to_string_lossy().to_lowercase() == stem);
        let likeness = if text == wanted {
            2.0
        } else if same_stem {
            1.0
        } else {
            strsim::jaro_winkler(&text, &wanted)
        };
        (likeness >= ALIKE).then_some((likeness, found))
    });
    // Of names that are equally alike the first by name, so that the answer stays the same.
    let best = rated.max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(&a.1)));
    best.map(|(_, found)| found)
}

fn shown(folder: &Path) -> String {
    match folder.to_str() {
        Some(".") => "this folder".to_owned(),
        _ => format!("`{}`", folder.display()),
    }
}

/// The folder as the person wrote it: `photo.png`, not `./photo.png`.
fn own_words(folder: &Path) -> &Path {
    if folder == Path::new(".") {
        Path::new("")
    } else {
        folder
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_typo_is_answered_with_what_there_is() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("models/trellis")).unwrap();
        fs::write(root.join("photo.jpeg"), "").unwrap();
        fs::write(root.join("Keys.txt"), "").unwrap();
        std::os::unix::fs::symlink("gone", root.join("dangling")).unwrap();
        let at = root.display();
        for (given, said) in [
            ("modles/trellis", format!("did you mean `{at}/models/trellis`?")),
            ("models/treliis", format!("did you mean `{at}/models/trellis`?")),
            ("photo.jpg", format!("did you mean `{at}/photo.jpeg`?")),
            ("keys.txt", format!("did you mean `{at}/Keys.txt`?")),
            (
                "photo.jpeg/x",
                format!("`{at}/photo.jpeg` is a file, not a folder"),
            ),
            ("models/zzz/deeper", format!("`{at}/models` has no `zzz`")),
            ("dangling", format!("`{at}/dangling` is a broken link")),
        ] {
            assert_eq!(missing(&root.join(given)), Some(said), "{given}");
        }
        assert_eq!(missing(&root.join("models")), None);
        assert_eq!(missing(Path::new("")), None);
        let input = missing(Path::new("-")).unwrap();
        assert!(input.contains("/dev/stdin"), "{input}");
    }

    #[test]
    fn only_a_path_is_blamed_on_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        assert_eq!(hint(&folder.path().join("x"), &denied), None);
        let missing = io::Error::from(io::ErrorKind::NotFound);
        assert!(hint(&folder.path().join("x"), &missing).is_some());
        assert_eq!(
            super::missing(Path::new("no-such-file-anywhere.zzz")).as_deref(),
            Some("this folder has no `no-such-file-anywhere.zzz`")
        );
    }
}
