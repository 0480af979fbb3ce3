//! No circle of imports between the files of a crate.
//!
//! An import is a path to a module of the crate, in a `use` or in the code; comments, strings and tests do not
//! count. A name that a module only re-exports leads to the file that defines it. A module and the modules inside
//! it are one subject: a path from one to the other, up or down, is nesting and not an import.
//! Read by words, not by the compiler: paths that macros put together are not seen.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::iter::Peekable;
use std::path::{Path, PathBuf};
use std::str::Chars;

/// A module by its path from the crate's root, which is empty.
type Module = Vec<String>;

/// What a file says: the paths that it re-exports, and all others.
#[derive(Debug, Default)]
struct Named {
    exported: Vec<Module>,
    used: Vec<Module>,
}

/// Splits Rust into names, `::` and single signs, without comments and literals.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(first) = rest.next() {
        match first {
            '/' if rest.peek() == Some(&'/') => while rest.next().is_some_and(|sign| sign != '\n') {},
            '"' => skip_string(&mut rest),
            '\'' => skip_char(&mut rest),
            'r' if matches!(rest.peek(), Some('"' | '#')) => skip_raw_string(&mut rest),
            ':' if rest.peek() == Some(&':') => {
                rest.next();
                words.push("::".to_owned());
            }
            first if first.is_alphanumeric() || first == '_' => {
                let mut name = String::from(first);
                while let Some(next) = rest.next_if(|sign| sign.is_alphanumeric() || *sign == '_') {
                    name.push(next);
                }
                words.push(name);
            }
            first if first.is_whitespace() => {}
            sign => words.push(sign.to_string()),
        }
    }
    words
}

fn skip_string(rest: &mut Peekable<Chars<'_>>) {
    while let Some(sign) = rest.next() {
        match sign {
            '\\' => drop(rest.next()),
            '"' => return,
            _ => {}
        }
    }
}

fn skip_raw_string(rest: &mut Peekable<Chars<'_>>) {
    let mut hashes = 0;
    while rest.next_if_eq(&'#').is_some() {
        hashes += 1;
    }
    if rest.next_if_eq(&'"').is_none() {
        return; // `r#type`, a name
    }
    let mut seen = None;
    for sign in rest.by_ref() {
        seen = match (sign, seen) {
            ('"', _) => Some(0),
            ('#', Some(count)) => Some(count + 1),
            _ => None,
        };
        if seen == Some(hashes) {
            return;
        }
    }
}

/// A character, or the sign before a lifetime.
fn skip_char(rest: &mut Peekable<Chars<'_>>) {
    let mut ahead = rest.clone();
    let escaped = ahead.next() == Some('\\');
    if escaped {
        rest.next();
        rest.next();
        while rest.next().is_some_and(|sign| sign != '\'') {}
    } else if ahead.next() == Some('\'') {
        rest.next();
        rest.next();
    }
}

/// Where the item that starts at `at` ends: after its `;`, or after its block.
fn end_of_item(words: &[String], at: usize) -> usize {
    let mut depth = 0;
    for (index, word) in words.iter().enumerate().skip(at) {
        match word.as_str() {
            "{" => depth += 1,
            "}" if depth == 1 => return index + 1,
            "}" => depth -= 1,
            ";" if depth == 0 => return index + 1,
            _ => {}
        }
    }
    words.len()
}

/// The paths of a file.
fn named(text: &str) -> Named {
    let words = words(text);
    let of_tests = ["#", "[", "cfg", "(", "test", ")", "]"].map(str::to_owned);
    let mut named = Named::default();
    let mut is_public = false;
    let mut at = 0;
    while at < words.len() {
        if words[at..].starts_with(&of_tests) {
            at = end_of_item(&words, at + of_tests.len());
            continue;
        }
        match words[at].as_str() {
            "pub" => is_public = true,
            ";" | "{" | "}" => is_public = false,
            "use" => {
                let end = end_of_use(&words, at);
                let mut paths = Vec::new();
                spread(&words[at + 1..end], &mut 0, &[], &mut paths);
                if is_public {
                    named.exported.extend(paths);
                } else {
                    named.used.extend(paths);
                }
                is_public = false;
                at = end;
            }
            name if name.starts_with(|sign: char| sign.is_alphabetic()) => {
                let mut path = vec![name.to_owned()];
                while words.get(at + 1).is_some_and(|word| word == "::")
                    && words
                        .get(at + 2)
                        .is_some_and(|word| word.starts_with(char::is_alphabetic))
                {
                    path.push(words[at + 2].clone());
                    at += 2;
                }
                if path.len() > 1 {
                    named.used.push(path);
                }
            }
            _ => {}
        }
        at += 1;
    }
    named
}

fn end_of_use(words: &[String], at: usize) -> usize {
    let rest = words[at..].iter().position(|word| word == ";");
    rest.map_or(words.len(), |length| at + length)
}

/// `a::{b, c::{self, d}}` as `a::b`, `a::c`, `a::c::d`.
fn spread(words: &[String], at: &mut usize, before: &[String], paths: &mut Vec<Module>) {
    let mut path = before.to_vec();
    while let Some(word) = words.get(*at) {
        *at += 1;
        match word.as_str() {
            "::" => {}
            "{" => loop {
                spread(words, at, &path, paths);
                *at += 1;
                if words.get(*at - 1).is_none_or(|word| word == "}") {
                    return;
                }
            },
            "," | "}" => {
                *at -= 1;
                break;
            }
            "as" => *at += 1,
            "self" if !path.is_empty() => {}
            name => path.push(name.to_owned()),
        }
    }
    if path.len() > before.len()
        || words
            .get((*at).wrapping_sub(1))
            .is_some_and(|word| word == "self")
    {
        paths.push(path);
    }
}

/// The modules of a crate and what each file says.
fn modules(src: &Path) -> BTreeMap<Module, Named> {
    let mut open = vec![src.to_owned()];
    let mut modules = BTreeMap::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).expect("a folder of the project");
            open.extend(entries.map(|entry| entry.expect("an entry of it").path()));
            continue;
        }
        let inside: PathBuf = path.strip_prefix(src).expect("it is below").with_extension("");
        let mut module: Module = inside
            .iter()
            .map(|part| part.to_string_lossy().into_owned())
            .collect();
        match module.last().map(String::as_str) {
            Some("mod" | "lib") => drop(module.pop()),
            Some("main" | "tests") | None => continue,
            Some(_) => {}
        }
        let text = fs::read_to_string(&path).expect("a text of the project");
        modules.insert(module, named(&text));
    }
    modules
}

/// A path in the code of `from`, from the crate's root; `None` for another crate's.
fn absolute(modules: &BTreeMap<Module, Named>, from: &Module, path: &[String]) -> Option<Module> {
    let supers = path.iter().take_while(|part| *part == "super").count();
    let start = match path.first()?.as_str() {
        "crate" => return Some(path[1..].to_vec()),
        "self" => [from, &path[1..]].concat(),
        "super" => [&from[..from.len().saturating_sub(supers)], &path[supers..]].concat(),
        _ => [from, path].concat(),
    };
    let relative = !["self", "super"].contains(&path[0].as_str());
    (!relative || modules.contains_key(&start[..=from.len()])).then_some(start)
}

/// The file that defines what a path names.
fn defined_in(modules: &BTreeMap<Module, Named>, path: &[String], depth: usize) -> Module {
    let mut longest = path.len();
    while !modules.contains_key(&path[..longest]) {
        longest -= 1;
    }
    let module = path[..longest].to_vec();
    let Some(name) = path.get(longest).filter(|_| depth < 8) else {
        return module;
    };
    let exported = modules[&module].exported.iter();
    let source = exported
        .filter(|export| export.last() == Some(name))
        .find_map(|export| absolute(modules, &module, export));
    match source {
        Some(source) => defined_in(modules, &source, depth + 1),
        None => module,
    }
}

fn is_nested(one: &Module, other: &Module) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// For each file the files that it imports.
fn imports(modules: &BTreeMap<Module, Named>) -> BTreeMap<&Module, BTreeSet<Module>> {
    let all = modules.iter().map(|(from, named)| {
        let paths = named.used.iter().filter_map(|path| absolute(modules, from, path));
        let files = paths.map(|path| defined_in(modules, &path, 0));
        (from, files.filter(|to| !is_nested(from, to)).collect())
    });
    all.collect()
}

/// Every file that some way of imports leads from `start` to.
fn reachable<'a>(imports: &'a BTreeMap<&Module, BTreeSet<Module>>, start: &Module) -> BTreeSet<&'a Module> {
    let mut seen = BTreeSet::new();
    let mut open = vec![start];
    while let Some(module) = open.pop() {
        for next in &imports[module] {
            if seen.insert(next) {
                open.push(next);
            }
        }
    }
    seen
}

/// The circles of a crate, each as its files.
fn circles(modules: &BTreeMap<Module, Named>) -> BTreeSet<BTreeSet<String>> {
    let imports = imports(modules);
    let from_each: BTreeMap<_, _> = modules.keys().map(|m| (m, reachable(&imports, m))).collect();
    let circle_of = |module: &Module| {
        let both = from_each[module]
            .iter()
            .filter(|other| from_each[*other].contains(module));
        both.map(|module| module.join("::")).collect::<BTreeSet<_>>()
    };
    modules
        .keys()
        .map(circle_of)
        .filter(|circle| !circle.is_empty())
        .collect()
}

#[test]
fn files_do_not_import_each_other_in_circles() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut looked_at = 0;
    let mut found = Vec::new();
    for entry in fs::read_dir(crates).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        let modules = modules(&entry.path().join("src"));
        looked_at += modules.len();
        for circle in circles(&modules) {
            let files = circle.into_iter().collect::<Vec<_>>().join(", ");
            found.push(format!("{name}: {files}"));
        }
    }
    assert!(looked_at > 300, "{looked_at} files");
    assert!(
        found.is_empty(),
        "files import each other in a circle:\n{}",
        found.join("\n")
    );
}

/// The check itself, on a crate made for it.
#[test]
fn a_circle_is_found_wherever_the_path_is_written() {
    let check = |files: &[(&str, &str)]| {
        let modules = files.iter().map(|(module, text)| {
            let path = module
                .split("::")
                .filter(|part| !part.is_empty())
                .map(str::to_owned);
            (path.collect(), named(text))
        });
        circles(&modules.collect())
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
    };
    let ring = ["a", "b"];
    let lib = ("", "mod a; mod b; mod c; pub use b::{B, C as D};");
    // In a `use`, in a tree of them, in the code, through the crate's re-export.
    assert_eq!(
        check(&[lib, ("a", "use crate::b::B;"), ("b", "use super::a::A;")]),
        ring
    );
    assert_eq!(
        check(&[
            lib,
            ("a", "use crate::{c, b::{self, B}};"),
            ("b", "fn f() { crate::a::g() }"),
            ("c", "")
        ]),
        ring
    );
    assert_eq!(
        check(&[lib, ("a", "use crate::B;"), ("b", "use crate::a;")]),
        ring
    );
    // Not in comments, strings, tests and among parts of one module.
    let free = [
        (
            "// crate::b\nconst S: &str = \"crate::b \\\" crate::b\"; const C: char = '\"';",
            "use crate::a::A;",
        ),
        (
            "const S: &str = r#\"crate::b \" crate::b\"#; fn f<'a>() {}",
            "use crate::a::A;",
        ),
        (
            "#[cfg(test)]\nmod tests { use crate::b::B; fn f() {} }",
            "use crate::a::A;",
        ),
        ("use other::b::B;", "use crate::a::A;"),
    ];
    for (a, b) in free {
        assert!(check(&[lib, ("a", a), ("b", b)]).is_empty(), "{a}");
    }
    let parts = [
        lib,
        ("a", "mod part; use part::P; pub struct A;"),
        ("a::part", "use super::A; pub struct P;"),
    ];
    assert!(check(&parts).is_empty());
}
