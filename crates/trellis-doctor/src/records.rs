//! Do the records of packages agree with each other and with the files?
//!
//! Two records of one package, two packages that own the same files, files that are gone, and what an
//! interrupted pip left. Lengths are compared, contents are not: libraries are patched after installation.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use rayon::iter::{IntoParallelIterator, ParallelIterator};

use crate::finding::{Check, Finding, Findings, Level, diagnoses};
use crate::packages::files::{Owned, owned};
use crate::packages::{Package, Packages, borne_out, requirements};
use crate::text::count;

/// Files shown of one finding.
const MAX_FILES: usize = 20;

diagnoses! {
    /// What is wrong with the records, which are told by their folders.
    #[derive(Clone, PartialEq, Eq)]
    enum RecordProblem {
        /// `real` is the version that the files bear out; `torn`: not all of them, one version was unpacked over another.
        #[error("has {} records; the files are those of {real}{}", stale.len() + 1, if *torn { ", and some of them are not" } else { "" })]
        TwoRecords { real: String, stale: Vec<String>, torn: bool } = "two_records", at_worst(*torn), if *torn {
            REINSTALL.to_owned()
        } else {
            let folders: Vec<String> = stale.iter().map(|folder| format!("`{folder}`")).collect();
            format!("remove the folder {}", folders.join(" and "))
        };
        /// The files are those of one and not of another.
        #[error("has {} records, and its files are a mixture of them", records.len())]
        RecordsMixed { records: Vec<String>, files: Vec<String> } = "two_records", Level::Error, REINSTALL, shown(files);
        #[error("has a record without readable metadata ({record}): Python cannot tell its version")]
        RecordUnreadable { record: String } = "record_unreadable", Level::Warn, "install it again";
        #[error("has {} records, and no file tells which is real", records.len())]
        RecordsUnclear { records: Vec<String> } = "two_records", Level::Warn,
            "uninstall it until it is gone, and install it again", records.clone();
        /// `owner` says whose they are, or that it cannot be told; `mixed`: both have left files.
        #[error("shares {} with {other} that differ{} between them; here {} {owner}",
            count(files.len(), "file", "files"),
            if files.len() == 1 { "s" } else { "" },
            if files.len() == 1 { "it is" } else { "they are" })]
        SharedFiles { other: String, owner: String, mixed: bool, advice: String, files: Vec<String> } = "shared_files", at_worst(*mixed), advice.clone(), shown(files);
        /// `needed`: TRELLIS reaches the package.
        #[error("lacks {} of the {recorded} Python and compiled files that it was installed with", files.len())]
        FilesMissing { needed: bool, recorded: usize, files: Vec<String> } = "files_missing", at_worst(*needed),
            "install it again", shown(files);
        /// A folder that pip renamed before it removed it.
        #[error("was left behind by an interrupted pip")]
        Leftover = "leftover", Level::Warn, "remove the folder; nothing reads it";
    }
}

const REINSTALL: &str = "remove all its records and folders, and install it again";

fn at_worst(worst: bool) -> Level {
    if worst { Level::Error } else { Level::Warn }
}

fn shown(files: &[String]) -> Vec<String> {
    files.iter().take(MAX_FILES).cloned().collect()
}

/// Runs the check; `reached` are the outermost names of the modules that TRELLIS imports.
pub(crate) fn check(packages: &Packages, reached: &BTreeSet<String>) -> Vec<Finding> {
    let mut findings = Findings::of(Check::Versions);
    for records in packages.repeated() {
        findings.say_all(&records[0].name, repeated(records));
    }
    for folder in packages.leftovers() {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        findings.say(&name, &RecordProblem::Leftover);
    }
    for package in packages.iter().filter(|package| package.unreadable) {
        let record = package.record();
        findings.say(&package.name, &RecordProblem::RecordUnreadable { record });
    }
    let all: Vec<&Package> = packages.iter().collect();
    let lists: Vec<Vec<Owned>> = all.into_par_iter().map(owned).collect();
    let owners: Vec<(&Package, Vec<Owned>)> = packages.iter().zip(lists).collect();
    let gone: Vec<Option<RecordProblem>> = (0..owners.len())
        .into_par_iter()
        .map(|index| gone(owners[index].0, &owners[index].1, reached))
        .collect();
    for ((package, _), problem) in owners.iter().zip(gone) {
        findings.say_all(&package.name, problem);
    }
    findings.say_each(shared(&owners));
    findings.into_vec()
}

/// Records of one version agree, such as those of pip and of setuptools.
fn repeated(records: &[Package]) -> Option<RecordProblem> {
    let (real, others) = records.split_first()?;
    if others
        .iter()
        .all(|other| requirements::same(&other.version, &real.version))
    {
        return None;
    }
    let folder = real.info.parent().unwrap_or(Path::new(""));
    let files = mixed(real, others, folder);
    if !files.is_empty() {
        let records = records.iter().map(Package::record).collect();
        return Some(RecordProblem::RecordsMixed { records, files });
    }
    let evidence = borne_out(real, folder);
    if others.iter().any(|other| borne_out(other, folder) == evidence) {
        let records = records.iter().map(Package::record).collect();
        return Some(RecordProblem::RecordsUnclear { records });
    }
    let python = |file: &&Owned| {
        let name = file.path.as_str();
        Path::new(name)
            .extension()
            .is_some_and(|extension| extension == "py")
    };
    Some(RecordProblem::TwoRecords {
        real: real.version.clone(),
        stale: others.iter().map(Package::record).collect(),
        torn: owned(real)
            .iter()
            .filter(python)
            .any(|file| file.fits(folder) == Some(false)),
    })
}

/// Files that are not those of the real record and are those of another; none where the real one has no file of
/// its own either, which tells nothing.
fn mixed(real: &Package, others: &[Package], folder: &Path) -> Vec<String> {
    let own: HashMap<String, Owned> = owned(real)
        .into_iter()
        .map(|file| (file.path.clone(), file))
        .collect();
    let (mut of_others, mut of_real) = (Vec::new(), false);
    for file in others.iter().flat_map(owned) {
        let Some(same) = own.get(&file.path).filter(|same| differ(same, &file)) else {
            continue;
        };
        match (same.fits(folder), file.fits(folder)) {
            (Some(true), Some(false)) => of_real = true,
            (Some(false), Some(true)) => of_others.push(file.path),
            _ => {}
        }
    }
    if of_real { of_others } else { Vec::new() }
}

/// Recorded files that are not there; none where not one is: that is told where it is imported.
fn gone(package: &Package, owned: &[Owned], reached: &BTreeSet<String>) -> Option<RecordProblem> {
    let folder = package.info.parent()?;
    let judged: Vec<&Owned> = owned.iter().filter(|file| !is_test(&file.path)).collect();
    let missing = judged.iter().filter(|file| file.fits(folder).is_none());
    let files: Vec<String> = missing.map(|file| file.path.clone()).collect();
    let some = !files.is_empty() && files.len() < judged.len();
    let modules = files
        .iter()
        .map(|file| file.split(['/', '.']).next().unwrap_or_default());
    let needed = modules.into_iter().any(|module| reached.contains(module));
    some.then_some(RecordProblem::FilesMissing {
        needed,
        recorded: judged.len(),
        files,
    })
}

/// Distributions leave tests and examples out.
fn is_test(path: &str) -> bool {
    path.split('/')
        .any(|part| matches!(part, "test" | "tests" | "testing" | "examples" | "benchmarks"))
}

/// Pairs of packages in one folder that recorded different contents for the same paths.
fn shared(owners: &[(&Package, Vec<Owned>)]) -> Vec<(String, RecordProblem)> {
    let mut first: HashMap<(&Path, &str), (usize, &Owned)> = HashMap::new();
    let mut pairs: BTreeMap<(usize, usize), Vec<(&Owned, &Owned)>> = BTreeMap::new();
    for (index, (package, files)) in owners.iter().enumerate() {
        let Some(folder) = package.info.parent() else {
            continue;
        };
        for file in files {
            match first.get(&(folder, file.path.as_str())) {
                Some((other, same)) if *other != index && differ(file, same) => {
                    pairs.entry((*other, index)).or_default().push((*same, file));
                }
                Some(_) => {}
                None => {
                    first.insert((folder, file.path.as_str()), (index, file));
                }
            }
        }
    }
    let told = pairs.into_iter().map(|((a, b), files)| {
        let problem = conflict(owners[a].0, owners[b].0, &files);
        (owners[a].0.name.clone(), problem)
    });
    told.collect()
}

fn differ(a: &Owned, b: &Owned) -> bool {
    a.hash != b.hash || a.length != b.length
}

fn conflict(a: &Package, b: &Package, files: &[(&Owned, &Owned)]) -> RecordProblem {
    let folder = a.info.parent().unwrap_or(Path::new(""));
    let mut counts = [0, 0];
    let mut neither = true;
    for (of_a, of_b) in files {
        match (of_a.fits(folder), of_b.fits(folder)) {
            (Some(true), Some(false)) => counts[0] += 1,
            (Some(false), Some(true)) => counts[1] += 1,
            (Some(true), Some(true)) => neither = false,
            _ => {}
        }
    }
    let (owner, mixed, keep) = match counts {
        [0, 0] if neither => ("neither's, by the length".to_owned(), false, None),
        [0, 0] => ("either's, by the length".to_owned(), false, None),
        [_, 0] => (format!("from {} {}", a.name, a.version), false, Some((a, b))),
        [0, _] => (format!("from {} {}", b.name, b.version), false, Some((b, a))),
        _ => ("a mixture of both".to_owned(), true, None),
    };
    let advice = match keep {
        Some((real, other)) => format!(
            "uninstall both and install {} again: uninstalling {} alone would remove its files too",
            real.name, other.name
        ),
        None => format!(
            "uninstall both, and install one of {} and {} again",
            a.name, b.name
        ),
    };
    RecordProblem::SharedFiles {
        other: b.name.clone(),
        owner,
        mixed,
        advice,
        files: files.iter().map(|(file, _)| file.path.clone()).collect(),
    }
}
