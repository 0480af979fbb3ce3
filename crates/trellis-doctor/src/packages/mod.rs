//! The packages of an environment, from their metadata files.

pub(crate) mod files;
mod metadata;
pub(crate) mod requirements;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rayon::iter::{IntoParallelIterator, ParallelIterator};

pub(crate) use metadata::{Package, normalise};

use crate::text;

/// All packages by their normalised names.
#[derive(Debug, Default)]
pub(crate) struct Packages {
    by_name: BTreeMap<String, Package>,
    /// Several records of one package in one folder, the one that the files bear out first.
    repeated: Vec<Vec<Package>>,
    /// What an interrupted pip left: folders whose first letter became `~`.
    leftovers: Vec<PathBuf>,
    folders: Vec<PathBuf>,
}

impl Packages {
    /// Reads every `*.dist-info` and `*.egg-info` of the folders; the first folder that has a name wins, as it
    /// does for the interpreter. Of several records in one folder the files tell which is real.
    pub(crate) fn read(folders: &[PathBuf]) -> Self {
        let mut packages = Self {
            folders: folders.to_vec(),
            ..Self::default()
        };
        for folder in folders {
            packages.add(folder);
        }
        packages
    }

    fn add(&mut self, folder: &Path) {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut entries: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        entries.sort();
        let (leftovers, entries): (Vec<PathBuf>, Vec<PathBuf>) =
            entries.into_iter().partition(|path| is_leftover(path));
        self.leftovers.extend(leftovers);
        let is_info = |path: &PathBuf| {
            let extension = path.extension();
            extension.is_some_and(|extension| extension == "dist-info" || extension == "egg-info")
                || path.ends_with("EGG-INFO")
        };
        let infos: Vec<PathBuf> = entries.into_iter().filter(is_info).collect();
        let read: Vec<Package> = infos
            .into_par_iter()
            .filter_map(|path| Package::read(&path))
            .collect();
        let mut here: BTreeMap<String, Vec<Package>> = BTreeMap::new();
        for package in read {
            here.entry(package.name.clone()).or_default().push(package);
        }
        for (name, mut records) in here {
            if records.len() > 1 {
                // Stable: without any evidence the first stays first.
                records.sort_by_cached_key(|record| std::cmp::Reverse(borne_out(record, folder)));
                self.repeated.push(records.clone());
            }
            if let Some(real) = records.into_iter().next() {
                self.by_name.entry(name).or_insert(real);
            }
        }
    }

    /// Several records of one package, the real one first.
    pub(crate) fn repeated(&self) -> &[Vec<Package>] {
        &self.repeated
    }

    /// Folders that an interrupted pip left.
    pub(crate) fn leftovers(&self) -> &[PathBuf] {
        &self.leftovers
    }

    /// A package by its name; `_`, `.` and case make no difference.
    pub(crate) fn get(&self, name: &str) -> Option<&Package> {
        self.by_name.get(&normalise(name))
    }

    /// The version of a package.
    pub(crate) fn version(&self, name: &str) -> Option<&str> {
        self.get(name).map(|package| package.version.as_str())
    }

    /// All, in order of their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Package> {
        self.by_name.values()
    }

    /// The text of a file below a folder of packages, such as `xformers/cpp_lib.json`.
    pub(crate) fn file(&self, name: &str) -> Option<(PathBuf, String)> {
        let mut paths = self.folders.iter().map(|folder| folder.join(name));
        paths.find_map(|path| text::small(&path).ok().map(|text| (path, text)))
    }

    /// What torch says of itself, such as `2.9.1+cu128`; else its package's version.
    pub(crate) fn torch(&self) -> Option<String> {
        let said = self
            .file("torch/version.py")
            .and_then(|(_, text)| assigned(&text, "__version__"));
        said.or_else(|| self.version("torch").map(str::to_owned))
    }

    /// Whether torch says of itself that it was built without CUDA.
    pub(crate) fn torch_without_cuda(&self) -> bool {
        let module = self.file("torch/version.py").map(|(_, text)| text);
        let mut lines = module.iter().flat_map(|text| text.lines());
        lines.any(|line| {
            let assigned = line.split_once('=');
            assigned.is_some_and(|(left, right)| {
                left.split(':').next().map(str::trim) == Some("cuda") && right.trim() == "None"
            })
        })
    }

    /// The CUDA version that torch was built with, such as `12.8`.
    pub(crate) fn torch_cuda(&self) -> Option<String> {
        let (_, text) = self.file("torch/version.py")?;
        assigned(&text, "cuda")
    }
}

/// `~orch` and `~orch-2.8.0.dist-info`: pip renames what it removes so, and renames it back or deletes it.
fn is_leftover(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('~') && path.is_dir()
}

/// How well the files bear a record out, in thousandths: its module's own word, then the recorded lengths.
pub(crate) fn borne_out(record: &Package, folder: &Path) -> (bool, usize) {
    let module = record.name.replace('-', "_");
    let said = ["version.py", "_version.py", "__init__.py"]
        .iter()
        .find_map(|file| {
            let text = text::small(&folder.join(&module).join(file)).ok()?;
            assigned(&text, "__version__").or_else(|| assigned(&text, "version"))
        });
    let owned = files::owned(record);
    let right = owned
        .iter()
        .filter(|file| file.fits(folder) == Some(true))
        .count();
    (
        said.is_some_and(|said| requirements::same(&said, &record.version)),
        (right * 1000).checked_div(owned.len()).unwrap_or(0),
    )
}

/// The string that a Python module assigns to a name: `name = 'x'` or `name: type = "x"`.
fn assigned(module: &str, name: &str) -> Option<String> {
    module.lines().find_map(|line| {
        let (left, right) = line.split_once('=')?;
        let target = left.split(':').next()?.trim();
        let value = right.trim();
        let text = value.strip_prefix(['\'', '"'])?.strip_suffix(['\'', '"'])?;
        (target == name).then(|| text.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_torch_says_of_itself() {
        let module = "from typing import Optional\n__all__ = ['__version__']\n__version__ = '2.9.1+cu128'\n\
                      debug = False\ncuda: Optional[str] = '12.8'\nhip: Optional[str] = None\n";
        assert_eq!(assigned(module, "__version__").as_deref(), Some("2.9.1+cu128"));
        assert_eq!(assigned(module, "cuda").as_deref(), Some("12.8"));
        assert_eq!(assigned(module, "hip"), None);
    }
}
