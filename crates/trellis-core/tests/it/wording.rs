//! Words that give away a sentence translated word for word, looked for in what people read: texts in the code and
//! the pages of docs/.
//!
//! A list of phrases finds only what is on it.

use std::fs;
use std::path::{Path, PathBuf};

/// In lower case; each with what is usually said instead.
const PHRASES: [(&str, &str); 19] = [
    (" anew", "again"),
    ("is held against", "is compared with"),
    ("is none of this", "unknown"),
    ("is no message", "is not a message, invalid"),
    ("is not any more", "no longer"),
    ("is not known,", "unknown"),
    ("is not there", "is missing, does not exist"),
    ("is used by nobody", "is unused"),
    ("lies in the wrong", "is in the wrong"),
    ("locked-up", "sandboxed"),
    ("manners towards", "integration with, support for"),
    ("nothing but zeros", "only zeros"),
    ("of no nix store", "not from a Nix store"),
    ("takes it back", "undoes it"),
    ("that is said,", "the report says so,"),
    ("the notes do", "say what it does"),
    ("to be told from", "to separate from"),
    ("was it working", "if it was working"),
    ("what is no ", "which is not"),
];

/// Files below `folder` with this extension.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut open = vec![folder.to_owned()];
    let mut found = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).expect("a folder of the project");
            open.extend(entries.map(|entry| entry.expect("an entry of it").path()));
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found
}

/// The parts of a line of Rust that people read: texts in double quotes. `--help` is made of comments, and is read in
/// docs/cli.md.
fn shown(line: &str) -> String {
    let code = line.trim_start();
    if code.starts_with("//") {
        return String::new();
    }
    let quoted: Vec<&str> = code.split('"').skip(1).step_by(2).collect();
    quoted.join("\n")
}

fn phrase_in(text: &str) -> Option<(&'static str, &'static str)> {
    let text = text.to_lowercase();
    PHRASES.into_iter().find(|(phrase, _)| text.contains(phrase))
}

#[test]
fn nothing_reads_as_if_translated() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let sources = files(&root.join("crates"), "rs").into_iter();
    let is_source = |path: &PathBuf| {
        let inside = path.strip_prefix(&root).expect("it is below");
        inside.components().any(|part| part.as_os_str() == "src")
    };
    let sources = sources.filter(is_source);
    let sources = sources.map(|path| (path, shown as fn(&str) -> String));
    let pages = files(&root.join("docs"), "md")
        .into_iter()
        .chain([root.join("README.md"), root.join("SECURITY.md")]);
    let pages = pages.map(|path| (path, str::to_owned as fn(&str) -> String));
    let mut found = Vec::new();
    for (path, shown) in sources.chain(pages) {
        let text = fs::read_to_string(&path).expect("a text of the project");
        for (number, line) in (1..).zip(text.lines()) {
            if let Some((phrase, instead)) = phrase_in(&shown(line)) {
                found.push(format!(
                    "{}:{number}: `{phrase}` ({instead}): {}",
                    path.display(),
                    line.trim()
                ));
            }
        }
    }
    assert!(
        found.is_empty(),
        "say it as the docs of other programs do:\n{}",
        found.join("\n")
    );
}

#[test]
fn a_phrase_is_found_in_texts_alone() {
    let found = |line: &str| phrase_in(&shown(line)).is_some();
    assert!(found(r#"    #[error("`{file}` is not there")]"#));
    assert!(!found("    // `file` is not there."));
    assert!(!found(r#"    let anew = "again";"#));
}
