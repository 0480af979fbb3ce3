//! The import statements of a Python module that run whenever it is imported: those at the left margin.
//!
//! Strings, comments, brackets and continued lines are understood, nothing else of the language is. An import
//! inside `try`, `if` or a function is not listed: whether it runs cannot be told from the text.

/// One imported name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Import {
    /// Dots before the module of `from ..x import y`; 0 is absolute.
    pub(super) level: usize,
    /// What stands behind the dots or `import`; may be empty behind dots.
    pub(super) module: String,
    /// What is taken from it; empty for `import x`.
    pub(super) names: Vec<String>,
}

/// All imports at the left margin, in order.
pub(super) fn imports(source: &str) -> Vec<Import> {
    let mut found = Vec::new();
    for line in lines(source) {
        for statement in line.split(';') {
            parse(statement, &mut found);
        }
    }
    found
}

/// Logical lines that begin at the left margin with `import` or `from`, without strings and comments.
fn lines(source: &str) -> Vec<String> {
    let bytes = source.as_bytes();
    let (mut lines, mut line) = (Vec::new(), Vec::new());
    let (mut at, mut depth) = (0, 0_usize);
    while at < bytes.len() {
        let byte = bytes[at];
        match byte {
            b'#' => {
                at = find(bytes, at, b'\n');
                continue;
            }
            b'"' | b'\'' => {
                at = behind_string(bytes, at);
                // Keeps a line that begins with a string from looking like what follows it.
                line.push(b'"');
                continue;
            }
            b'\\' if bytes.get(at + 1) == Some(&b'\n') => {
                line.push(b' ');
                at += 2;
                continue;
            }
            b'\\' if bytes.get(at + 1) == Some(&b'\r') => {
                line.push(b' ');
                at += 3;
                continue;
            }
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b'\n' if depth == 0 => {
                finish(&mut line, &mut lines);
                at += 1;
                continue;
            }
            _ => {}
        }
        line.push(if byte.is_ascii_whitespace() { b' ' } else { byte });
        at += 1;
    }
    finish(&mut line, &mut lines);
    lines
}

fn finish(line: &mut Vec<u8>, lines: &mut Vec<String>) {
    if line.starts_with(b"import ") || line.starts_with(b"from ") {
        lines.push(String::from_utf8_lossy(line).into_owned());
    }
    line.clear();
}

fn find(bytes: &[u8], from: usize, wanted: u8) -> usize {
    let found = memchr::memchr(wanted, &bytes[from..]);
    found.map_or(bytes.len(), |offset| from + offset)
}

/// The index behind the string that opens here. A short one ends at the line's end at the latest.
fn behind_string(bytes: &[u8], open: usize) -> usize {
    let quote = bytes[open];
    let long = bytes[open..].starts_with(&[quote; 3]);
    let mut at = open + if long { 3 } else { 1 };
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            byte if byte == quote && !long => return at + 1,
            byte if byte == quote && bytes[at..].starts_with(&[quote; 3]) => return at + 3,
            b'\n' if !long => return at,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn parse(statement: &str, found: &mut Vec<Import>) {
    let statement = statement.trim();
    if let Some(modules) = statement.strip_prefix("import ") {
        for module in modules.split(',') {
            let module = first_word(module);
            if is_module(&module) && !module.is_empty() {
                found.push(Import {
                    level: 0,
                    module,
                    names: Vec::new(),
                });
            }
        }
        return;
    }
    let Some(rest) = statement.strip_prefix("from ") else {
        return;
    };
    let Some((module, names)) = rest.split_once(" import") else {
        return;
    };
    let module: String = module.split_whitespace().collect();
    let name = module.trim_start_matches('.');
    let names = names.trim().trim_start_matches('(').trim_end_matches(')');
    let names: Vec<String> = names
        .split(',')
        .map(first_word)
        .filter(|name| !name.is_empty())
        .collect();
    let level = module.len() - name.len();
    if is_module(name) && (level > 0 || !name.is_empty()) && !names.is_empty() {
        found.push(Import {
            level,
            module: name.to_owned(),
            names,
        });
    }
}

/// `x` of `x as y`.
fn first_word(text: &str) -> String {
    text.split_whitespace().next().unwrap_or_default().to_owned()
}

fn is_module(name: &str) -> bool {
    name.chars().all(|c| c == '.' || c == '_' || c.is_alphanumeric())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn listed(source: &str) -> Vec<String> {
        imports(source)
            .into_iter()
            .map(|one| format!("{}{} {}", ".".repeat(one.level), one.module, one.names.join(" ")))
            .collect()
    }

    #[test]
    fn statements_at_the_margin_are_listed() {
        let source = "'''\nimport no\n'''\nimport a.b as c, d # import no\nfrom .x import (  # why\n    y as z,\n    w,\n)\n\
                      from . import v; import e\nfrom f import \\\n    g\nx = \"\"\"\nfrom no import no\"\"\"\n";
        assert_eq!(listed(source), ["a.b ", "d ", ".x y w", ". v", "e ", "f g"]);
    }

    #[test]
    fn what_may_not_run_is_left_out() {
        let source = "try:\n    import a\nexcept ImportError:\n    a = None\nif x: import b\ndef f():\n    from c import d\n\
                      important = 1\nfromage = [\nimport_me]\n";
        assert_eq!(listed(source), [""; 0]);
    }

    proptest! {
        #[test]
        fn any_text_is_read(source in "(?s)[ -~\\n\\\\\"'#()]{0,200}") {
            prop_assert!(imports(&source).len() <= source.len());
        }
    }
}
