//! Names of outputs in a folder that tell which picture each was made from.
//!
//! The picture's name without its ending; where several have that, with its ending; where several have that,
//! too, its folder's name before it; and only then with a number. Names are compared without case: some file
//! systems do the same.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// A name for the results of each picture, all different.
pub(crate) fn names(pictures: &[Option<&PathBuf>]) -> Vec<String> {
    let choices: Vec<[String; 4]> = pictures
        .iter()
        .map(|picture| choices(picture.map(PathBuf::as_path)))
        .collect();
    let mut uses: HashMap<String, usize> = HashMap::new();
    for of_one in &choices {
        let of_one: HashSet<String> = of_one.iter().map(|name| name.to_lowercase()).collect();
        for name in of_one {
            *uses.entry(name).or_default() += 1;
        }
    }
    let mut taken = HashSet::new();
    let mut named = Vec::new();
    for of_one in choices {
        let alone = of_one.iter().find(|name| uses[&name.to_lowercase()] == 1);
        let [plain, ..] = &of_one;
        let numbered = (2_u32..)
            .map(|n| format!("{plain}-{n}"))
            .filter(|name| !uses.contains_key(&name.to_lowercase()));
        let mut wanted = alone.cloned().into_iter().chain([plain.clone()]).chain(numbered);
        let free = wanted.find(|name| taken.insert(name.to_lowercase()));
        named.push(free.unwrap_or_else(|| plain.clone()));
    }
    named
}

/// From the shortest to the most telling: `chair`, `chair.jpg`, `photos-chair`, `photos-chair.jpg`.
fn choices(picture: Option<&Path>) -> [String; 4] {
    let part = |part: Option<&std::ffi::OsStr>| part.map(|text| text.to_string_lossy().into_owned());
    let stem = part(picture.and_then(Path::file_stem)).unwrap_or_else(|| "model".to_owned());
    let whole = part(picture.and_then(Path::file_name)).unwrap_or_else(|| stem.clone());
    let folder = part(picture.and_then(Path::parent).and_then(Path::file_name));
    let within = |name: &str| match &folder {
        Some(folder) => format!("{folder}-{name}"),
        None => name.to_owned(),
    };
    let (near, far) = (within(&stem), within(&whole));
    [stem, whole, near, far]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(pictures: &[&str]) -> Vec<String> {
        let pictures: Vec<PathBuf> = pictures.iter().map(PathBuf::from).collect();
        names(&pictures.iter().map(Some).collect::<Vec<_>>())
    }

    #[test]
    fn a_name_tells_which_picture_it_is_of() {
        assert_eq!(
            named(&["p/ok.jpg", "p/ok.png", "p/x.png"]),
            ["ok.jpg", "ok.png", "x"]
        );
        assert_eq!(named(&["a/x.png", "b/x.png"]), ["a-x", "b-x"]);
        assert_eq!(
            named(&["a/x.png", "b/x.jpg", "c/x-2.png", "d/X.webp"]),
            ["x.png", "x.jpg", "x-2", "X.webp"]
        );
        assert_eq!(
            named(&["a/x.png", "a/x.jpg", "b/x.png"]),
            ["a-x.png", "x.jpg", "b-x"]
        );
    }

    #[test]
    fn no_two_are_the_same() {
        assert_eq!(named(&["1/a/x.png", "2/a/x.png"]), ["x", "x-2"]);
        assert_eq!(named(&["1/a/x.png", "2/a/x.png", "x-2.png"]), ["x", "x-3", "x-2"]);
        // A name that is made is never one that another has by itself.
        assert_eq!(
            named(&["x.png", "x.jpg", "x.png.gif"]),
            ["x", "x.jpg", "x.png.gif"]
        );
    }
}
