//! Which pictures become which files: reads folders and names outputs, before any work starts.
//!
//! Names do not depend on timing (`names.rs`); the order is that of the command line and, within a folder, of
//! the file names.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use trellis_core::{AssetName, Format};

use super::pieces::ZIP;

use super::folder::{PassedOver, contents};
use super::names::names;
use crate::output::count;

/// What is to be done, and what of the folders is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) tasks: Vec<Task>,
    pub(crate) passed_over: Vec<PassedOver>,
}

/// One job: its pictures and where its files go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Task {
    /// What it is called to people: its picture's path as given.
    pub(crate) name: String,
    /// The pictures; more than one are views of one object.
    pub(crate) pictures: Vec<PathBuf>,
    /// A file for each format.
    pub(crate) targets: Vec<Target>,
}

impl Task {
    /// What the object is called inside its files, after its first picture.
    pub(crate) fn object(&self) -> Option<AssetName> {
        object_of(self.pictures.first()?)
    }
}

/// What the object in a file is called.
pub(crate) fn object_of(file: &Path) -> Option<AssetName> {
    AssetName::of_file(&file.file_name()?.to_string_lossy())
}

/// Where one format goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) format: Format,
    pub(crate) path: PathBuf,
}

impl Target {
    /// The format and the file's name.
    pub(crate) fn named(&self) -> (Format, String) {
        let name = self.path.file_name().unwrap_or_default();
        (self.format, name.to_string_lossy().into_owned())
    }

    /// A file of the same name with another ending.
    pub(crate) fn beside(&self, ending: &str) -> PathBuf {
        self.path.with_extension(ending)
    }
}

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Wish<'a> {
    pub(crate) pictures: &'a [PathBuf],
    pub(crate) output: Option<&'a Path>,
    pub(crate) formats: &'a [Format],
    pub(crate) multiview: bool,
}

/// Why there is nothing to start with: wrong usage.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum PlanError {
    #[error("there is no picture in the folder `{}`", folder.display())]
    EmptyFolder {
        folder: PathBuf,
        passed_over: Vec<PassedOver>,
    },
    #[error("cannot read the folder `{}`: {reason}", folder.display())]
    UnreadableFolder { folder: PathBuf, reason: String },
    #[error("`-o {}` names one file, but {tasks} assets are to be made", output.display())]
    OneFileForMany { output: PathBuf, tasks: usize },
    #[error("`-o {}` does not fit the format `{format}`", output.display())]
    OtherEnding { output: PathBuf, format: Format },
    #[error("standard output gets the names of the files, not what is in them")]
    StandardOutput,
    #[error("`-o {}` does not end in the name of a format", output.display())]
    NoFormat { output: PathBuf },
}

impl PlanError {
    /// What to do, one sentence.
    pub(crate) fn advice(&self) -> String {
        match self {
            Self::EmptyFolder { passed_over, .. } => {
                let mut text = "only the folder itself is searched, not the folders in it".to_owned();
                for passed in passed_over {
                    let _ = write!(text, "\n  {}: {}", passed.path.display(), passed.error.sentence());
                    let _ = write!(text, "\n    hint: {}", passed.error.advice());
                }
                text
            }
            Self::UnreadableFolder { .. } => "check its permissions".to_owned(),
            Self::OneFileForMany { output, .. } => {
                let folder = output.with_extension("");
                format!(
                    "write `-o {}/` for a folder, or `--multiview` if all pictures show one object",
                    folder.display()
                )
            }
            Self::OtherEnding { output, format } => {
                format!(
                    "name it `{}`",
                    output.with_extension(format.extension()).display()
                )
            }
            Self::StandardOutput => "name a file or a folder with `-o`".to_owned(),
            Self::NoFormat { output } => {
                let mut endings = Format::ALL
                    .map(|format| format!("`.{}`", format.extension()))
                    .to_vec();
                endings.push(format!("`.{ZIP}` (an OBJ in one file)"));
                endings.dedup();
                let folder = output.with_extension("");
                format!(
                    "end it with {}, or write `-o {}/` for a folder",
                    endings.join(", "),
                    folder.display()
                )
            }
        }
    }
}

/// The formats to make: those asked for, else the one that the output's name ends with, else GLB.
pub(crate) fn formats(asked: &[Format], output: Option<&Path>) -> Vec<Format> {
    if asked.is_empty() {
        let ending = output.filter(|path| !is_folder(path)).and_then(ending_of);
        let named = ending.and_then(|ending| {
            Format::ALL
                .into_iter()
                .find(|format| is_ending_of(*format, &ending))
        });
        return vec![named.unwrap_or(Format::Glb)];
    }
    let mut formats = asked.to_vec();
    let mut seen = HashSet::new();
    formats.retain(|format| seen.insert(*format));
    formats
}

/// Finds the pictures and names the outputs.
pub(crate) fn plan(wish: &Wish<'_>) -> Result<Plan, PlanError> {
    let (pictures, passed_over) = expand(wish)?;
    let groups: Vec<Vec<PathBuf>> = if wish.multiview {
        vec![pictures]
    } else {
        pictures.into_iter().map(|picture| vec![picture]).collect()
    };
    let tasks = match wish.output.filter(|output| !is_folder(output)) {
        Some(file) => {
            let one = <[_; 1]>::try_from(groups).map_err(|groups| PlanError::OneFileForMany {
                output: file.to_owned(),
                tasks: groups.len(),
            })?;
            let [pictures] = one;
            vec![Task {
                name: name_of(&pictures),
                targets: beside(file, wish.formats)?,
                pictures,
            }]
        }
        None => into_folder(wish.output.unwrap_or(Path::new("")), groups, wish.formats),
    };
    Ok(Plan { tasks, passed_over })
}

/// Folders replaced by their pictures, sorted by name; a picture named twice is taken once.
fn expand(wish: &Wish<'_>) -> Result<(Vec<PathBuf>, Vec<PassedOver>), PlanError> {
    let mut pictures = Vec::new();
    let mut passed_over = Vec::new();
    for path in wish.pictures {
        if !path.is_dir() {
            pictures.push(path.clone());
            continue;
        }
        let found = contents(path, wish.output).map_err(|error| PlanError::UnreadableFolder {
            folder: path.clone(),
            reason: error.to_string(),
        })?;
        if found.pictures.is_empty() {
            return Err(PlanError::EmptyFolder {
                folder: path.clone(),
                passed_over: found.passed_over,
            });
        }
        pictures.extend(found.pictures);
        passed_over.extend(found.passed_over);
    }
    let identity = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut seen = HashSet::new();
    pictures.retain(|picture| seen.insert(identity(picture)));
    // What is named by itself is not passed over, nor told twice.
    let given: HashSet<PathBuf> = wish.pictures.iter().map(|path| identity(path)).collect();
    passed_over
        .retain(|passed| !given.contains(&identity(&passed.path)) && seen.insert(identity(&passed.path)));
    Ok((pictures, passed_over))
}

/// An output is a folder where it is one, or is written like one.
fn is_folder(path: &Path) -> bool {
    path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/")
}

/// The file as named; with several formats its ending changes.
fn beside(file: &Path, formats: &[Format]) -> Result<Vec<Target>, PlanError> {
    if ["-", "/dev/stdout"].map(Path::new).contains(&file) {
        return Err(PlanError::StandardOutput);
    }
    let ending = ending_of(file);
    let fits = |format: &Format| {
        ending
            .as_deref()
            .is_some_and(|ending| is_ending_of(*format, ending))
    };
    if !Format::ALL.iter().any(fits) {
        return Err(PlanError::NoFormat {
            output: file.to_owned(),
        });
    }
    if let [format] = formats {
        if !fits(format) {
            return Err(PlanError::OtherEnding {
                output: file.to_owned(),
                format: *format,
            });
        }
        return Ok(vec![Target {
            format: *format,
            path: file.to_owned(),
        }]);
    }
    let stem = file
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let mut targets = targets(file.parent().unwrap_or(Path::new("")), &stem, formats);
    if ending.as_deref() == Some(ZIP) {
        let obj = targets.iter_mut().find(|target| target.format == Format::Obj);
        if let Some(obj) = obj {
            file.clone_into(&mut obj.path);
        }
    }
    Ok(targets)
}

fn into_folder(folder: &Path, groups: Vec<Vec<PathBuf>>, formats: &[Format]) -> Vec<Task> {
    let named = names(&groups.iter().map(|pictures| pictures.first()).collect::<Vec<_>>());
    let tasks = groups.into_iter().zip(named).map(|(pictures, name)| Task {
        name: name_of(&pictures),
        targets: targets(folder, &name, formats),
        pictures,
    });
    tasks.collect()
}

fn targets(folder: &Path, stem: &str, formats: &[Format]) -> Vec<Target> {
    let file = |format: &Format| match format {
        // So that it can lie beside the PLY of the mesh.
        Format::GaussianPly => format!("{stem}.gaussian.ply"),
        format => format!("{stem}.{}", format.extension()),
    };
    formats
        .iter()
        .map(|format| Target {
            format: *format,
            path: folder.join(file(format)),
        })
        .collect()
}

fn name_of(pictures: &[PathBuf]) -> String {
    match pictures {
        [first, rest @ ..] if !rest.is_empty() => {
            format!("{} and {}", first.display(), count(rest.len(), "more view"))
        }
        _ => pictures
            .first()
            .map(|picture| picture.display().to_string())
            .unwrap_or_default(),
    }
}

/// An OBJ may also come in one file, a zip.
fn is_ending_of(format: Format, ending: &str) -> bool {
    format.extension() == ending || (format == Format::Obj && ending == ZIP)
}

fn ending_of(path: &Path) -> Option<String> {
    Some(path.extension()?.to_string_lossy().to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outputs(
        pictures: &[&str],
        output: Option<&str>,
        formats: &[Format],
    ) -> Result<Vec<String>, PlanError> {
        let pictures: Vec<_> = pictures.iter().map(PathBuf::from).collect();
        let wish = Wish {
            pictures: &pictures,
            output: output.map(Path::new),
            formats,
            multiview: false,
        };
        let plan = plan(&wish)?;
        let paths = plan
            .tasks
            .iter()
            .flat_map(|task| &task.targets)
            .map(|target| target.path.display().to_string());
        Ok(paths.collect())
    }

    #[test]
    fn one_picture_goes_where_it_is_told() {
        assert_eq!(
            outputs(&["a/x.png"], Some("chair.glb"), &[Format::Glb]).unwrap(),
            ["chair.glb"]
        );
        assert_eq!(
            outputs(&["a/x.png"], Some("out/"), &[Format::Glb]).unwrap(),
            ["out/x.glb"]
        );
        assert_eq!(outputs(&["a/x.png"], None, &[Format::Glb]).unwrap(), ["x.glb"]);
        let both = [Format::Glb, Format::Ply, Format::GaussianPly];
        let expected = ["d/chair.glb", "d/chair.ply", "d/chair.gaussian.ply"];
        assert_eq!(outputs(&["x.png"], Some("d/chair.glb"), &both).unwrap(), expected);
    }

    #[test]
    fn views_are_counted_as_people_count() {
        let name = |pictures: &[&str]| name_of(&pictures.iter().map(PathBuf::from).collect::<Vec<_>>());
        assert_eq!(name(&["a.png"]), "a.png");
        assert_eq!(name(&["a.png", "b.png"]), "a.png and 1 more view");
        assert_eq!(name(&["a.png", "b.png", "c.png"]), "a.png and 2 more views");
    }

    #[test]
    fn pictures_of_one_name_get_files_of_their_own() {
        let made = outputs(&["p/ok.jpg", "p/ok.png"], Some("o/"), &[Format::Glb, Format::Stl]);
        let expected = ["o/ok.jpg.glb", "o/ok.jpg.stl", "o/ok.png.glb", "o/ok.png.stl"];
        assert_eq!(made.unwrap(), expected);
        let made = outputs(&["p/ok.jpg", "p/ok.png"], None, &[Format::GaussianPly]);
        assert_eq!(made.unwrap(), ["ok.jpg.gaussian.ply", "ok.png.gaussian.ply"]);
    }

    #[test]
    fn the_same_picture_twice_is_one_job() {
        assert_eq!(
            outputs(&["x.png", "x.png"], None, &[Format::Glb]).unwrap(),
            ["x.glb"]
        );
    }

    #[test]
    fn a_file_for_many_pictures_is_refused() {
        let error = outputs(&["x.png", "y.png"], Some("o.glb"), &[Format::Glb]).unwrap_err();
        assert_eq!(
            error,
            PlanError::OneFileForMany {
                output: "o.glb".into(),
                tasks: 2
            }
        );
        assert!(error.advice().contains("`-o o/`"), "{}", error.advice());
    }

    #[test]
    fn the_ending_and_the_format_agree() {
        assert_eq!(formats(&[], Some(Path::new("chair.stl"))), [Format::Stl]);
        assert_eq!(formats(&[Format::Ply, Format::Ply], None), [Format::Ply]);
        let wrong = outputs(&["x.png"], Some("chair.stl"), &[Format::Glb]).unwrap_err();
        assert_eq!(wrong.advice(), "name it `chair.glb`");
        for output in ["-", "/dev/stdout"] {
            let refused = outputs(&["x.png"], Some(output), &[Format::Glb]);
            assert_eq!(refused, Err(PlanError::StandardOutput));
        }
        let unknown = outputs(&["x.png"], Some("chair"), &[Format::Glb]).unwrap_err();
        assert_eq!(
            unknown,
            PlanError::NoFormat {
                output: "chair".into()
            }
        );
    }

    #[test]
    fn an_obj_is_three_files_or_a_zip() {
        assert_eq!(formats(&[], Some(Path::new("chair.obj"))), [Format::Obj]);
        assert_eq!(formats(&[], Some(Path::new("chair.zip"))), [Format::Obj]);
        let both = [Format::Glb, Format::Obj];
        assert_eq!(
            outputs(&["x.png"], Some("chair.zip"), &both).unwrap(),
            ["chair.glb", "chair.zip"]
        );
        assert_eq!(
            outputs(&["x.png"], Some("chair.glb"), &both).unwrap(),
            ["chair.glb", "chair.obj"]
        );
        assert_eq!(
            outputs(&["x.png"], Some("o/"), &both).unwrap(),
            ["o/x.glb", "o/x.obj"]
        );
        assert!(outputs(&["x.png"], Some("chair.zip"), &[Format::Glb]).is_err());
    }

    #[test]
    fn a_folder_gives_its_pictures_sorted_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.PNG", "a.jpeg", "notes.txt", ".hidden.png"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let path = folder.path().to_str().unwrap();
        assert_eq!(
            outputs(&[path], Some("o/"), &[Format::Glb]).unwrap(),
            ["o/a.glb", "o/b.glb"]
        );
        let empty = tempfile::tempdir().unwrap();
        let path = empty.path().to_str().unwrap();
        assert!(matches!(
            outputs(&[path], None, &[Format::Glb]),
            Err(PlanError::EmptyFolder { .. })
        ));
    }
}
