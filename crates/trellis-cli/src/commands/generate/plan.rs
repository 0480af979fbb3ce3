//! Which pictures become which files: reads folders and names outputs, before any work starts.
//!
//! Names do not depend on timing: the second `photo` is `photo-2`, in the order of the command line
//! and, within a folder, of the file names.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use trellis_core::{AssetName, Format};

use super::pieces::ZIP;

use crate::output::count;

/// Endings of the pictures that are looked for in a folder.
const PICTURE_ENDINGS: [&str; 4] = ["png", "jpg", "jpeg", "webp"];

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
        let name = self.pictures.first()?.file_name()?;
        AssetName::of_file(&name.to_string_lossy())
    }
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
    EmptyFolder { folder: PathBuf },
    #[error("cannot read the folder `{}`: {reason}", folder.display())]
    UnreadableFolder { folder: PathBuf, reason: String },
    #[error("`-o {}` names one file, but {tasks} assets are to be made", output.display())]
    OneFileForMany { output: PathBuf, tasks: usize },
    #[error("`-o {}` does not end like a file of the format {format}", output.display())]
    OtherEnding { output: PathBuf, format: Format },
    #[error("standard output gets the names of the files, not what is in them")]
    StandardOutput,
    #[error("`-o {}` ends like no format", output.display())]
    NoFormat { output: PathBuf },
}

impl PlanError {
    /// What to do, one sentence.
    pub(crate) fn advice(&self) -> String {
        match self {
            Self::EmptyFolder { .. } => {
                format!(
                    "files ending with {} are looked for, not in folders below",
                    PICTURE_ENDINGS.join(", ")
                )
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
pub(crate) fn plan(wish: &Wish<'_>) -> Result<Vec<Task>, PlanError> {
    let pictures = expand(wish.pictures)?;
    let groups: Vec<Vec<PathBuf>> = if wish.multiview {
        vec![pictures]
    } else {
        pictures.into_iter().map(|picture| vec![picture]).collect()
    };
    match wish.output.filter(|output| !is_folder(output)) {
        Some(file) => {
            let one = <[_; 1]>::try_from(groups).map_err(|groups| PlanError::OneFileForMany {
                output: file.to_owned(),
                tasks: groups.len(),
            })?;
            let [pictures] = one;
            Ok(vec![Task {
                name: name_of(&pictures),
                targets: beside(file, wish.formats)?,
                pictures,
            }])
        }
        None => Ok(into_folder(
            wish.output.unwrap_or(Path::new("")),
            groups,
            wish.formats,
        )),
    }
}

/// Folders replaced by their pictures, sorted by name; a picture named twice is taken once.
fn expand(given: &[PathBuf]) -> Result<Vec<PathBuf>, PlanError> {
    let mut pictures = Vec::new();
    for path in given {
        if !path.is_dir() {
            pictures.push(path.clone());
            continue;
        }
        let found = in_folder(path).map_err(|error| PlanError::UnreadableFolder {
            folder: path.clone(),
            reason: error.to_string(),
        })?;
        if found.is_empty() {
            return Err(PlanError::EmptyFolder { folder: path.clone() });
        }
        pictures.extend(found);
    }
    let mut seen = HashSet::new();
    pictures.retain(|picture| seen.insert(picture.canonicalize().unwrap_or_else(|_| picture.clone())));
    Ok(pictures)
}

fn in_folder(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in folder.read_dir()? {
        let path = entry?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if !hidden
            && path.is_file()
            && ending_of(&path).is_some_and(|e| PICTURE_ENDINGS.contains(&e.as_str()))
        {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
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
    let stem_of = |pictures: &[PathBuf]| {
        let stem = pictures.first().and_then(|picture| picture.file_stem());
        stem.map_or_else(|| "model".to_owned(), |stem| stem.to_string_lossy().into_owned())
    };
    // Names that some picture has by itself are never given to another as `-2`. Compared without case:
    // some file systems do the same.
    let own: HashSet<String> = groups
        .iter()
        .map(|pictures| stem_of(pictures).to_lowercase())
        .collect();
    let mut taken = HashSet::new();
    let mut tasks = Vec::new();
    for pictures in groups {
        let stem = stem_of(&pictures);
        let numbered = (2_u32..)
            .map(|n| format!("{stem}-{n}"))
            .filter(|name| !own.contains(&name.to_lowercase()));
        let mut names = std::iter::once(stem.clone()).chain(numbered);
        let name = names
            .find(|name| taken.insert(name.to_lowercase()))
            .unwrap_or(stem);
        tasks.push(Task {
            name: name_of(&pictures),
            targets: targets(folder, &name, formats),
            pictures,
        });
    }
    tasks
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
        let tasks = plan(&wish)?;
        let paths = tasks
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
        let made = outputs(
            &["a/x.png", "b/x.jpg", "c/x-2.png", "d/X.webp"],
            Some("o/"),
            &[Format::Glb],
        );
        assert_eq!(made.unwrap(), ["o/x.glb", "o/x-3.glb", "o/x-2.glb", "o/X-4.glb"]);
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
