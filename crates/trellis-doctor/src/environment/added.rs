//! Packages that lie elsewhere: folders that `.pth` files add, egg folders, and editable installs.
//!
//! setuptools writes a finder with a table of packages, or a `.pth` file with a folder. Other build tools run code
//! of their own at start; their record (`direct_url.json`) names the source's folder, which is searched last.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::packages::files::has_extension;
use crate::text;

/// What is added to the folders of packages.
#[derive(Debug, Clone, Default)]
pub(crate) struct Added {
    /// Further folders of packages, in the order of the search.
    pub(crate) folders: Vec<PathBuf>,
    /// Packages and modules by their outermost name, with the path of each.
    pub(crate) mapped: BTreeMap<String, PathBuf>,
}

impl Added {
    /// Reads what the folders of packages hold of it.
    pub(super) fn read(site_packages: &[PathBuf]) -> Self {
        let mut added = Self::default();
        let mut last = Vec::new();
        for folder in site_packages {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            let mut names: Vec<String> = entries
                .map(|entry| entry.file_name().to_string_lossy().into_owned())
                .collect();
            names.sort();
            for name in names {
                let path = folder.join(&name);
                if has_extension(&name, "pth") {
                    let text = text::small(&path).unwrap_or_default();
                    added.folders.extend(named_folders(folder, &text));
                } else if name.starts_with("__editable__") && name.ends_with("_finder.py") {
                    added
                        .mapped
                        .extend(mapping(&text::small(&path).unwrap_or_default()));
                } else if has_extension(&name, "dist-info") {
                    last.extend(editable_source(&path));
                }
            }
        }
        added.folders.extend(last);
        let mut seen = Vec::new();
        let known = |path: &PathBuf| path.canonicalize().unwrap_or_else(|_| path.clone());
        seen.extend(site_packages.iter().map(known));
        added.folders.retain(|path| {
            let real = known(path);
            let new = path.is_dir() && !seen.contains(&real);
            seen.push(real);
            new
        });
        added
    }
}

/// Lines of a `.pth` file that name a folder; those that run code are left alone.
fn named_folders(beside: &Path, text: &str) -> Vec<PathBuf> {
    let lines = text.lines().map(str::trim);
    let folders =
        lines.filter(|line| !line.is_empty() && !line.starts_with('#') && !line.starts_with("import"));
    folders.map(|line| beside.join(line)).collect()
}

/// `MAPPING: dict[str, str] = {'trellis': '/src/trellis'}` of a finder that setuptools writes.
fn mapping(text: &str) -> Vec<(String, PathBuf)> {
    let Some(line) = text.lines().find(|line| line.starts_with("MAPPING")) else {
        return Vec::new();
    };
    let Some((_, pairs)) = line.split_once('{') else {
        return Vec::new();
    };
    let quoted: Vec<&str> = pairs.split(['\'', '"']).skip(1).step_by(2).collect();
    quoted
        .chunks_exact(2)
        .map(|pair| (pair[0].to_owned(), PathBuf::from(pair[1])))
        .collect()
}

/// Where the source of an editable install may keep its packages, by PEP 610's record.
fn editable_source(info: &Path) -> Vec<PathBuf> {
    let record = text::small(&info.join("direct_url.json")).unwrap_or_default();
    let Ok(record) = serde_json::from_str::<serde_json::Value>(&record) else {
        return Vec::new();
    };
    if record["dir_info"]["editable"] != true {
        return Vec::new();
    }
    let source = record["url"].as_str().and_then(|url| url.strip_prefix("file://"));
    let source = source.map(PathBuf::from);
    source
        .into_iter()
        .flat_map(|source| [source.join("src"), source])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_a_finder_is_read() {
        let text = "from x import y\nMAPPING: dict[str, str] = {'trellis': '/src/trellis', 'b': '/src/b'}\nNAMESPACES = {}\n";
        assert_eq!(
            mapping(text),
            [
                ("trellis".to_owned(), PathBuf::from("/src/trellis")),
                ("b".to_owned(), PathBuf::from("/src/b"))
            ]
        );
        assert_eq!(mapping("MAPPING"), []);
    }
}
