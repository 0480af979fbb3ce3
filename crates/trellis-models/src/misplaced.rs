//! Finds the right files in the wrong place and says which moves mend it.
//!
//! ```text
//! all in the root            x.safetensors              → ckpts/x.safetensors
//! one level down             TRELLIS-image-large/…      → …
//! saved twice by a browser   ckpts/x (1).safetensors    → ckpts/x.safetensors
//! another case               Ckpts/X.safetensors        → ckpts/x.safetensors
//! another name               ckpts/model.safetensors    → the one whose shapes fit
//! ```
//! A name alone proves nothing: weights count only if their header is sound, their length is right, and their
//! shapes fit the configuration that goes with them. Reads only; `repair` makes the moves.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::check::Read;
use crate::config::Config;
use crate::moves::{Misplaced, Move};
use crate::pipeline::{PIPELINE_FILE, Pipeline};
use crate::reference::Reference;
use crate::role::{Class, Role};
use crate::shape_encoder;

/// Folders below the model's that are searched: `TRELLIS-image-large/ckpts` in a folder of downloads.
const DEPTH: usize = 3;

/// A model has about 20 files; a folder with more than this holds something else.
const MOST_FILES: usize = 2000;

/// What a folder has in the wrong place, and its pipeline wherever that lies.
#[derive(Debug, Default)]
pub struct Found {
    /// The pipeline, if one could be read.
    pub pipeline: Option<Pipeline>,
    /// The moves, `pipeline.json` first.
    pub misplaced: Vec<Misplaced>,
}

impl Found {
    /// The moves for one checkpoint.
    pub fn of(&self, name: &str) -> Option<&Misplaced> {
        self.misplaced.iter().find(|misplaced| misplaced.name == name)
    }
}

/// Searches a folder.
pub fn find(folder: &Path) -> Found {
    let search = Search {
        folder,
        files: files_below(folder),
    };
    let mut found = Found::default();
    if let Ok(pipeline) = Pipeline::read(folder) {
        found.pipeline = Some(pipeline);
    } else if let Some((pipeline, from)) = search.pipeline() {
        found.pipeline = Some(pipeline);
        found.misplaced.push(Misplaced {
            name: PIPELINE_FILE.to_owned(),
            moves: vec![Move {
                from,
                to: PIPELINE_FILE.to_owned(),
            }],
        });
    }
    let Some(pipeline) = &found.pipeline else {
        return found;
    };
    let mut named = pipeline.references();
    // What belongs to another repository is a download, not a file that lost its way.
    named.retain(|reference| reference.other_repo().is_none());
    // A file in the place that some checkpoint has for it is no other's.
    let mut taken: BTreeSet<String> = named
        .iter()
        .filter(|reference| is_sound(reference, folder, &pipeline.roles_of(reference)))
        .flat_map(|reference| [reference.config(), reference.weights()])
        .collect();
    for reference in &named {
        if taken.contains(&reference.config()) || taken.contains(&reference.weights()) {
            continue;
        }
        if let Some(misplaced) = search.checkpoint(reference, pipeline, &taken) {
            taken.extend(misplaced.moves.iter().map(|one| one.from.clone()));
            found.misplaced.push(misplaced);
        }
    }
    found
}

fn is_sound(reference: &Reference, folder: &Path, roles: &[Role]) -> bool {
    let files = reference.files_in(folder);
    files.1.is_file() && Read::of_files(reference, &files, roles).problems.is_empty()
}

struct Search<'a> {
    folder: &'a Path,
    /// Every file, relative to the folder, the shallowest first.
    files: Vec<String>,
}

impl Search<'_> {
    /// A pipeline under another name or further down, if there is just one at the least depth.
    fn pipeline(&self) -> Option<(Pipeline, String)> {
        let named = self.files.iter().filter(|path| plain_name(path) == PIPELINE_FILE);
        let mut read = named.filter_map(|path| {
            let pipeline = crate::read::read_json(&self.folder.join(path)).ok()?;
            Some((pipeline, path.clone()))
        });
        let first: (Pipeline, String) = read.next()?;
        let depth = |path: &str| path.matches('/').count();
        let ambiguous = read
            .next()
            .is_some_and(|second| depth(&second.1) == depth(&first.1) && second.0 != first.0);
        (!ambiguous).then_some(first)
    }

    /// Configuration and weights that fit each other and the roles, not both in place.
    fn checkpoint(
        &self,
        reference: &Reference,
        pipeline: &Pipeline,
        taken: &BTreeSet<String>,
    ) -> Option<Misplaced> {
        let roles = pipeline.roles_of(reference);
        let mut configs = self.candidates(&reference.config(), "json", taken);
        if shape_encoder::is(&roles) {
            // It needs none: what would lie in the configuration's place is built in.
            configs.push(Candidate {
                path: reference.config(),
                by_name: false,
            });
        }
        let weights = self.candidates(&reference.weights(), "safetensors", taken);
        for config in &configs {
            let place = self.folder.join(&config.path);
            let class = match Config::read(&place) {
                Ok(parsed) => Class::from_name(&parsed.name),
                Err(_) if shape_encoder::is(&roles) && !place.exists() => {
                    Some(Role::ShapeSlatEncoder.class())
                }
                Err(_) => continue,
            };
            if !roles.iter().all(|role| class == Some(role.class())) {
                continue;
            }
            let fits = |candidate: &&Candidate| {
                let files = (place.clone(), self.folder.join(&candidate.path));
                Read::of_files(reference, &files, &roles).problems.is_empty()
            };
            let mut fitting = weights.iter().filter(fits);
            let Some(best) = fitting.next() else { continue };
            // Two strangers that fit equally well: which is meant cannot be known.
            let told = best.by_name || (config.by_name && fitting.next().is_none());
            if !told {
                continue;
            }
            let pairs = [
                (&config.path, reference.config()),
                (&best.path, reference.weights()),
            ];
            let moves = pairs.into_iter().filter(|(from, to)| *from != to);
            let moves = moves.map(|(from, to)| Move {
                from: from.clone(),
                to,
            });
            return Some(Misplaced {
                name: reference.as_str().to_owned(),
                moves: moves.collect(),
            })
            .filter(|found| !found.moves.is_empty());
        }
        None
    }

    /// Files that may be the one wanted: it itself, then those of its name, then any with its ending.
    fn candidates(&self, wanted: &str, ending: &str, taken: &BTreeSet<String>) -> Vec<Candidate> {
        let name = plain_name(wanted);
        let mut found: Vec<Candidate> = self
            .files
            .iter()
            .filter(|path| !taken.contains(*path) && path.as_str() != PIPELINE_FILE)
            .filter(|path| {
                plain_name(path)
                    .rsplit_once('.')
                    .is_some_and(|(_, end)| end == ending)
            })
            .map(|path| Candidate {
                by_name: plain_name(path) == name,
                path: path.clone(),
            })
            .collect();
        let base = wanted.rsplit('/').next().unwrap_or(wanted);
        found.sort_by_key(|one| {
            let exact = one.path == wanted;
            let same_base = one.path.rsplit('/').next() == Some(base);
            (!exact, !one.by_name, !same_base)
        });
        found
    }
}

#[derive(Debug, Clone)]
struct Candidate {
    path: String,
    /// Its name is the wanted one but for case and a copy's number.
    by_name: bool,
}

/// A file's name in lower case, without what browsers and file managers add to a second copy.
fn plain_name(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path).to_lowercase();
    let (stem, ending) = name.rsplit_once('.').unwrap_or((name.as_str(), ""));
    // `pipeline.json.txt`, as editors of Windows save it.
    let (stem, ending) = match (ending, stem.rsplit_once('.')) {
        ("txt", Some((inner, real @ ("json" | "safetensors")))) => (inner, real),
        _ => (stem, ending),
    };
    let stem = stem.trim_end();
    let numbered = stem.strip_suffix(')').and_then(|rest| rest.rsplit_once('('));
    let stem = match numbered {
        Some((front, number)) if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) => {
            front.trim_end()
        }
        _ => stem,
    };
    let stem = stem.strip_suffix(" - copy").unwrap_or(stem);
    format!("{stem}.{ending}")
}

/// The files of a folder and of those below it, links to folders not followed, hidden ones and those of a
/// hub cache left out.
fn files_below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut level = vec![(folder.to_owned(), String::new())];
    for _ in 0..=DEPTH {
        let mut next = Vec::new();
        for (path, prefix) in level {
            for entry in sorted_entries(&path) {
                let Some(name) = entry.file_name().and_then(|name| name.to_str()) else {
                    continue;
                };
                if name.starts_with('.') || found.len() >= MOST_FILES {
                    continue;
                }
                let relative = format!("{prefix}{name}");
                // A hub client's repository is whole where it lies.
                if name.starts_with("models--") && entry.is_dir() {
                    continue;
                }
                if entry.is_dir() && !entry.is_symlink() {
                    next.push((entry, format!("{relative}/")));
                } else if entry.is_file() && Reference::parse(&relative).is_ok() {
                    found.push(relative);
                }
            }
        }
        level = next;
    }
    found
}

fn sorted_entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut paths: Vec<PathBuf> = paths.take(MOST_FILES).collect();
    paths.sort();
    paths
}

#[cfg(test)]
mod tests {
    use super::plain_name;

    #[test]
    fn a_second_copy_has_the_name_of_the_first() {
        for name in [
            "ckpts/ss_dec.safetensors",
            "SS_Dec.SafeTensors",
            "ss_dec (1).safetensors",
            "ss_dec(12).safetensors",
            "a/b/ss_dec - Copy.safetensors",
            "ss_dec - Copy (2).safetensors",
            "ss_dec.safetensors.txt",
        ] {
            assert_eq!(plain_name(name), "ss_dec.safetensors", "{name}");
        }
        assert_eq!(plain_name("ss_dec (old).safetensors"), "ss_dec (old).safetensors");
    }
}
