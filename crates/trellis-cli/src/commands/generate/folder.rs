//! What a folder holds: pictures that are taken, and the rest, each with the reason why it is passed over.
//!
//! A file whose name ends like a picture's is taken, whatever is in it: if it cannot be read, the job says why.
//! Any other is taken if its content is a picture. Hidden files and what this program writes are not mentioned.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use trellis_core::{Format, PictureFormat};
use trellis_picture::{FileKind, recognise};

use crate::error::CliError;
use crate::exit::Exit;

/// How much of a file is looked at.
const LOOKED_AT: u64 = 64 << 10;

/// A file or folder that no asset is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PassedOver {
    pub(crate) path: PathBuf,
    pub(crate) error: CliError,
}

/// What a folder holds, sorted by name.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub(crate) pictures: Vec<PathBuf>,
    pub(crate) passed_over: Vec<PassedOver>,
}

/// Looks at a folder; folders below it are passed over, but for `output`, where the results go.
pub(crate) fn contents(folder: &Path, output: Option<&Path>) -> io::Result<Contents> {
    let mut paths = Vec::new();
    for entry in folder.read_dir()? {
        paths.push(entry?.path());
    }
    paths.sort();
    let mut contents = Contents::default();
    for path in paths {
        if is_own(&path) || output.is_some_and(|output| is_same(output, &path)) {
            continue;
        }
        match reason(&path) {
            None => contents.pictures.push(path),
            Some(error) => contents.passed_over.push(PassedOver { path, error }),
        }
    }
    Ok(contents)
}

/// Why a path is passed over; `None` if it is a picture.
fn reason(path: &Path) -> Option<CliError> {
    if path.is_dir() {
        return Some(passed_over(
            "this is a folder",
            "name it as well if you want its pictures",
        ));
    }
    if has_picture_ending(path) {
        return None;
    }
    match head(path) {
        Ok(bytes) => match recognise(&bytes) {
            FileKind::Picture(_) => None,
            FileKind::Foreign(file) => Some(passed_over(&file.sentence(), file.advice())),
        },
        Err(error) => Some(CliError::unreadable(path, &error)),
    }
}

fn passed_over(message: &str, fix: &str) -> CliError {
    CliError::new("picture_format", Exit::Failed, message).hint(fix)
}

fn has_picture_ending(path: &Path) -> bool {
    let ending = path.extension().map(OsStr::to_ascii_lowercase);
    let mut endings = PictureFormat::ALL.iter().flat_map(|format| format.extensions());
    ending.is_some_and(|ending| endings.any(|known| ending == *known))
}

/// Hidden files, and the results of an earlier run into the same folder.
fn is_own(path: &Path) -> bool {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    let ends_with = |ending: &str| name.strip_suffix(ending).is_some_and(|stem| stem.ends_with('.'));
    name.starts_with('.')
        || ["thumbs.db", "desktop.ini"].contains(&name.as_str())
        || Format::ALL
            .iter()
            .any(|format| ends_with(format.extension()) && (*format != Format::Turntable || is_turntable(path)))
        || name.contains(".intoto.json")
        // An OBJ's parts; the texture is a picture, but not one to make something from.
        || ends_with("mtl")
        || name.ends_with(".texture.png") && has_material(path)
}

/// Whether a film is of an asset: a phone's film lies in folders of pictures too.
fn is_turntable(film: &Path) -> bool {
    let mut others = Format::ALL.iter().filter(|format| **format != Format::Turntable);
    others.any(|format| film.with_extension(format.extension()).is_file())
}

/// Whether a texture's material is beside it.
fn has_material(texture: &Path) -> bool {
    texture.with_extension("").with_extension("mtl").is_file()
}

fn is_same(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

fn head(path: &Path) -> io::Result<Vec<u8>> {
    // Opening a pipe would wait for somebody to write to it.
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(LOOKED_AT).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_picture_is_named_with_its_reason() {
        let folder = tempfile::tempdir().unwrap();
        let gif = b"GIF89a\x01\0\x01\0\0\0\0;".as_slice();
        let files: [(&str, &[u8]); 16] = [
            ("a.png", b""),
            ("b.TIFF", b""),
            ("no ending", gif),
            ("phone.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"),
            ("notes.txt", b"about these"),
            ("page.htm", b"<!doctype html>"),
            (".hidden", b"x"),
            ("Thumbs.db", b"x"),
            ("chair.glb", b"glTF"),
            ("chair.intoto.json", b"{}"),
            ("chair.obj", b"v 0 0 0"),
            ("chair.mtl", b"newmtl x"),
            ("chair.mp4", b"\0\0\0\x18ftypmp42"),
            ("holiday.mp4", b"\0\0\0\x18ftypmp42"),
            ("chair.texture.png", b""),
            ("wood.texture.png", b""),
        ];
        for (name, bytes) in files {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        for name in ["below", "out"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let found = contents(folder.path(), Some(&folder.path().join("out"))).unwrap();
        let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        let pictures: Vec<String> = found.pictures.iter().map(name).collect();
        assert_eq!(pictures, ["a.png", "b.TIFF", "no ending", "wood.texture.png"]);
        let rest: Vec<String> = found
            .passed_over
            .iter()
            .map(|passed| format!("{}: {}", name(&passed.path), passed.error.sentence()))
            .collect();
        assert_eq!(
            rest,
            [
                "below: this is a folder",
                "holiday.mp4: this is a video, not a PNG, JPEG, WebP, GIF, BMP or TIFF picture",
                "notes.txt: this is a text file, not a PNG, JPEG, WebP, GIF, BMP or TIFF picture",
                "page.htm: this is a web page, not a PNG, JPEG, WebP, GIF, BMP or TIFF picture",
                "phone.heic: this is a HEIC picture, not a PNG, JPEG, WebP, GIF, BMP or TIFF picture",
            ]
        );
    }
}
