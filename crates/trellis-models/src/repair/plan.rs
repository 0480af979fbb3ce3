//! Decides how each missing or damaged checkpoint is put right. Reads only.

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use trellis_core::Explain as _;

use super::edit;
use super::error::RepairError;
use super::marker::Substitution;
use crate::cache::{self, Located, snapshot_of};
use crate::check::{Read, read_checkpoint};
use crate::hash;
use crate::lock::{Lock, lock_path};
use crate::misplaced::{self, Found};
use crate::moves::{Misplaced, Move};
use crate::pipeline::{PIPELINE_FILE, Pipeline};
use crate::places::Places;
use crate::problem::Problem;
use crate::read::read_small;
use crate::reference::Reference;
use crate::role::Role;

/// What the person allows.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Folders to look in first, in this order.
    pub from: Vec<PathBuf>,
    /// The repository to download from; none where downloading is not allowed.
    pub repo: Option<String>,
    /// Replace a missing `slat_flow_model` by the sparse-structure model, where nothing else helps.
    pub substitute_flow_model: bool,
    /// Build the repaired folder here instead of changing the one that was named.
    pub to: Option<PathBuf>,
}

/// What will be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The folder that is read.
    pub folder: PathBuf,
    /// The folder that is written: the same, or one built from links into the cache.
    pub target: PathBuf,
    /// One for each checkpoint that can be put right.
    pub remedies: Vec<Remedy>,
    /// What can't be put right.
    pub unsolved: Vec<Unsolved>,
    /// How pipeline.json changes, in unified form; empty if it does not.
    pub diff: String,
}

/// How one checkpoint is put right; `name` is the one in pipeline.json.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "how", rename_all = "snake_case")]
#[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
pub enum Remedy {
    /// Its files lie elsewhere in the folder and are moved; it may be `pipeline.json` itself.
    Move { name: String, moves: Vec<Move> },
    /// Its two files come from another folder.
    Copy { name: String, source: Source },
    /// Its two files are downloaded from this repository, where they have the name `remote`.
    Fetch {
        name: String,
        repo: String,
        remote: String,
    },
    /// Another checkpoint is named in its place.
    Substitute(Substitution),
}

/// What can't be put right, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unsolved {
    /// The name in pipeline.json.
    pub name: String,
    /// Why, one sentence.
    pub reason: String,
    /// What a person can do.
    pub advice: Cow<'static, str>,
}

impl Unsolved {
    fn no_copy(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            reason: "there is no intact copy on this machine".to_owned(),
            advice: "allow downloading, which `--no-fetch` and `HF_HUB_OFFLINE` forbid, or name a folder that has it \
                     with `--from`"
                .into(),
        }
    }

    /// The file is whole, but it is not what the role needs: no copy of it helps.
    fn misfit(name: &str, problem: &Problem) -> Self {
        Self {
            name: name.to_owned(),
            reason: problem.sentence(),
            advice: problem.advice(),
        }
    }
}

/// Where a checkpoint's files are taken from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Source {
    /// `NAME.json`; none where the checkpoint needs none and has none.
    pub config: Option<PathBuf>,
    /// `NAME.safetensors`.
    pub weights: PathBuf,
    /// Whose they are, for people.
    pub whose: String,
}

/// A checkpoint that pipeline.json names.
struct Wanted {
    reference: Reference,
    roles: Vec<Role>,
    /// The other repository that it is of, and its name there.
    other: Option<(String, Reference)>,
}

/// Plans the repair of a folder.
pub fn plan(located: &Located, options: &Options, places: &Places) -> Result<Plan, RepairError> {
    let folder = located.folder.clone();
    let target = target(&folder, options)?;
    let mut found = Found::default();
    let pipeline = match Pipeline::read(&folder) {
        Ok(pipeline) => pipeline,
        Err(source) => {
            found = misplaced::find(&folder);
            let moved = found.of(PIPELINE_FILE).and(found.pipeline.clone());
            moved.ok_or(RepairError::Pipeline { source })?
        }
    };
    let mut plan = Plan {
        target,
        remedies: Vec::new(),
        unsolved: Vec::new(),
        diff: String::new(),
        folder,
    };
    let search = Search {
        folder: &located.folder,
        options,
        places,
        lock: Lock::read(&lock_path(located, places)).ok(),
    };
    plan.remedies.extend(found.of(PIPELINE_FILE).map(Remedy::from));
    for wanted in all_named(&pipeline) {
        let name = wanted.reference.as_str();
        let roles: Vec<String> = wanted.roles.iter().map(|role| role.name().to_owned()).collect();
        let mut read = read_checkpoint(&plan.folder, &wanted.reference, &roles, places);
        // Its weights are whole, and without the other configuration it is right.
        let whole = matches!(read.problems[..], [Problem::ConfigDiffers { .. }]);
        if !read.problems.is_empty() && !whole {
            if found.pipeline.is_none() {
                found = misplaced::find(&plan.folder);
            }
            let moved = found.of(name).map(Remedy::from);
            // Pictures do not need it, and its repository may have none.
            let may_lack = matches!(read.problems[..], [Problem::ShapeEncoderMissing { .. }]);
            let other = || {
                let copy = copy(&wanted, &search);
                copy.or_else(|| (!may_lack).then(|| last_resort(&wanted, options, &pipeline))?)
            };
            match moved.or_else(other) {
                Some(remedy) => plan.remedies.push(remedy),
                None if may_lack => {}
                None => plan.unsolved.push(Unsolved::no_copy(name)),
            }
            continue;
        }
        for role in &wanted.roles {
            read.check_role(*role, None);
        }
        plan.unsolved.extend(
            read.problems
                .iter()
                .map(|problem| Unsolved::misfit(name, problem)),
        );
    }
    plan.diff = plan
        .edited_pipeline()?
        .map_or_else(String::new, |(before, after)| edit::diff(&before, &after));
    Ok(plan)
}

impl From<&Misplaced> for Remedy {
    fn from(misplaced: &Misplaced) -> Self {
        Self::Move {
            name: misplaced.name.clone(),
            moves: misplaced.moves.clone(),
        }
    }
}

impl Plan {
    /// The text of pipeline.json before and after, if it changes.
    pub(super) fn edited_pipeline(&self) -> Result<Option<(String, String)>, RepairError> {
        let Some(substitution) = self.substitution() else {
            return Ok(None);
        };
        let text = read_small(&self.folder.join(PIPELINE_FILE))
            .map_err(|source| RepairError::Pipeline { source })?;
        let before = String::from_utf8_lossy(&text).into_owned();
        let after = edit::with_model(&before, &substitution.role, &substitution.to)
            .map_err(|source| RepairError::Edit { source })?;
        Ok(Some((before, after)))
    }

    /// The substitute flow model, if one is planned. There is one role for it, so at most one.
    pub fn substitution(&self) -> Option<&Substitution> {
        self.remedies.iter().find_map(|remedy| match remedy {
            Remedy::Substitute(substitution) => Some(substitution),
            _ => None,
        })
    }

    /// Turns downloads into copies from the folder that they were downloaded to.
    #[must_use]
    pub fn with_fetched(mut self, fetched: &Path) -> Self {
        for remedy in &mut self.remedies {
            if let Remedy::Fetch { name, repo, remote } = remedy {
                let config = fetched.join(format!("{remote}.json"));
                *remedy = Remedy::Copy {
                    source: Source {
                        config: config.is_file().then_some(config),
                        weights: fetched.join(format!("{remote}.safetensors")),
                        whose: format!("repository {repo}"),
                    },
                    name: name.clone(),
                };
            }
        }
        self
    }
}

/// Where to write: never in a hub cache, whichever way the path leads there.
fn target(folder: &Path, options: &Options) -> Result<PathBuf, RepairError> {
    let in_cache = |path: &Path| {
        let real = fs::canonicalize(path).ok();
        snapshot_of(path).is_some() || real.is_some_and(|real| snapshot_of(&real).is_some())
    };
    let target = options.to.clone().unwrap_or_else(|| folder.to_owned());
    if in_cache(&target) || target.ancestors().skip(1).any(in_cache) {
        return Err(RepairError::InsideCache { folder: target });
    }
    if options.to.is_some() && fs::read_dir(&target).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(RepairError::TargetNotEmpty { folder: target });
    }
    Ok(target)
}

fn all_named(pipeline: &Pipeline) -> impl Iterator<Item = Wanted> {
    pipeline.references().into_iter().map(|reference| {
        let texts = pipeline.args.models.values();
        let mut texts = texts.filter(|text| pipeline.reference(text).is_ok_and(|named| named == reference));
        let named = texts.next().and_then(|text| Reference::parse(text).ok());
        Wanted {
            roles: pipeline.roles_of(&reference),
            other: named.and_then(|named| named.other_repo()),
            reference,
        }
    })
}

/// What a checkpoint is looked for with.
struct Search<'a> {
    folder: &'a Path,
    options: &'a Options,
    places: &'a Places,
    /// What the files must be, where the folder was locked.
    lock: Option<Lock>,
}

/// Where there is no copy, the first of: a download, the substitute flow model.
fn last_resort(wanted: &Wanted, options: &Options, pipeline: &Pipeline) -> Option<Remedy> {
    let name = wanted.reference.as_str().to_owned();
    if let Some(repo) = &options.repo {
        let (repo, remote) = match &wanted.other {
            Some((other, inner)) => (other.clone(), inner.as_str().to_owned()),
            None => (repo.clone(), name.clone()),
        };
        return Some(Remedy::Fetch { name, repo, remote });
    }
    let stand_in = pipeline.args.models.get(Role::SparseStructureFlowModel.name())?;
    let only_slat_flow = wanted.roles == [Role::SlatFlowModel] && name != *stand_in;
    (options.substitute_flow_model && only_slat_flow).then(|| {
        Remedy::Substitute(Substitution {
            role: Role::SlatFlowModel.name().to_owned(),
            from: name,
            to: stand_in.clone(),
        })
    })
}

/// A sound copy on this machine.
fn copy(wanted: &Wanted, search: &Search<'_>) -> Option<Remedy> {
    let source = find_source(wanted, search)?;
    let name = wanted.reference.as_str().to_owned();
    Some(Remedy::Copy { name, source })
}

/// The same checkpoint elsewhere on this machine: in the folders named, then in every cached snapshot.
fn find_source(wanted: &Wanted, search: &Search<'_>) -> Option<Source> {
    let (options, places) = (search.options, search.places);
    let named = options.from.iter().map(|path| {
        let located = cache::locate(&path.to_string_lossy(), places);
        let folder = located.map_or_else(|_| path.clone(), |found| found.folder);
        (folder, format!("folder {}", path.display()))
    });
    let cached = cache::all(&places.hub_cache).into_iter();
    let cached = cached.map(|s| (s.folder, format!("cached {} at {}", s.repo, s.revision)));
    let inner = wanted.other.as_ref().map(|(_, inner)| inner);
    for (place, whose) in named.chain(cached) {
        if place == search.folder {
            continue;
        }
        for reference in [Some(&wanted.reference), inner].into_iter().flatten() {
            let files = reference.files_in(&place);
            if files.1.is_file()
                && is_sound(wanted, &files)
                && fits_lock(wanted, search.lock.as_ref(), &files)
            {
                let (config, weights) = files;
                return Some(Source {
                    // Without one it is sound only if it needs none.
                    config: config.is_file().then_some(config),
                    weights,
                    whose,
                });
            }
        }
    }
    None
}

fn is_sound(wanted: &Wanted, files: &(PathBuf, PathBuf)) -> bool {
    let mut read = Read::whole(&wanted.reference, files, &wanted.roles);
    for role in &wanted.roles {
        read.check_role(*role, None);
    }
    read.problems.is_empty()
}

/// A copy must be the very file that a lock names, if one does.
fn fits_lock(wanted: &Wanted, lock: Option<&Lock>, files: &(PathBuf, PathBuf)) -> bool {
    let Some(lock) = lock else { return true };
    let pairs = [
        (wanted.reference.config(), &files.0),
        (wanted.reference.weights(), &files.1),
    ];
    pairs.iter().all(|(name, path)| match lock.file(name) {
        None => true,
        // The file that the checkpoint needs none of.
        Some(_) if !path.is_file() => false,
        Some(locked) => hash::sha256(path, &|_| {}).is_ok_and(|found| found == locked.sha256),
    })
}
