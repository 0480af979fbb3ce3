//! A file of a format as it will lie on the disk: an OBJ is a zip until here, and three files side by side
//! unless a zip is asked for.

use trellis_backend::{Content, Piece};
use trellis_convert::{Bundle, STEM};
use trellis_core::{Failure, FailureKind, Format};

/// What a zip with an OBJ ends with.
pub(crate) const ZIP: &str = "zip";

/// The files of one format; `named` has the name that each format's first is to have. Blocks.
pub(crate) fn pieces(
    format: Format,
    content: &Content,
    named: &[(Format, String)],
) -> Result<Vec<Piece>, Failure> {
    let name = named
        .iter()
        .find(|(of, _)| *of == format)
        .map(|(_, name)| name.clone());
    let whole = |name| Piece {
        format,
        name,
        media_type: format.media_type(),
        content: content.clone(),
    };
    let Some(name) = name else {
        return Ok(vec![whole(format.name().to_owned())]);
    };
    match name.rsplit_once('.') {
        Some((stem, ending)) if format == Format::Obj && ending.eq_ignore_ascii_case("obj") => {
            let mut files = side_by_side(content, stem)?;
            // In the case of letters that it was named in.
            files[0].name.clone_from(&name);
            Ok(files)
        }
        _ => Ok(vec![whole(name)]),
    }
}

fn side_by_side(zip: &Content, stem: &str) -> Result<Vec<Piece>, Failure> {
    let failed = |why: String| {
        let message = format!("the zip of the OBJ cannot be unpacked: {why}");
        Failure::new(FailureKind::Internal, message)
    };
    let bytes = match zip {
        Content::Bytes(bytes) => bytes.clone(),
        Content::File(path) => std::fs::read(path)
            .map_err(|error| failed(error.to_string()))?
            .into(),
    };
    let bundle = Bundle::from_zip(&bytes).map_err(|error| failed(error.to_string()))?;
    let first = bundle.files.first().and_then(|file| file.name.strip_prefix(STEM));
    if first != Some(".obj") {
        return Err(failed("it does not begin with an OBJ".to_owned()));
    }
    let files = bundle.renamed(stem).files.into_iter().map(|file| Piece {
        format: Format::Obj,
        media_type: media_type(&file.name),
        name: file.name,
        content: Content::Bytes(file.bytes.into()),
    });
    Ok(files.collect())
}

/// The media type of a part of an OBJ.
fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.') {
        Some((_, "obj")) => "model/obj",
        Some((_, "mtl")) => "model/mtl",
        _ => "image/png",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zip() -> Content {
        let files = [
            ("model.obj", "mtllib model.mtl\n"),
            ("model.mtl", "map_Kd model.texture.png\n"),
        ];
        let files = files.map(|(name, text)| trellis_convert::File {
            name: name.to_owned(),
            bytes: text.into(),
        });
        let bundle = Bundle {
            files: files.to_vec(),
        };
        Content::Bytes(bundle.to_zip().unwrap().into())
    }

    fn named(name: &str) -> Vec<(String, &'static str)> {
        let made = pieces(Format::Obj, &zip(), &[(Format::Obj, name.to_owned())]).unwrap();
        made.into_iter()
            .map(|piece| (piece.name, piece.media_type))
            .collect()
    }

    #[test]
    fn an_obj_is_taken_apart_unless_a_zip_is_named() {
        assert_eq!(named("chair.zip"), [("chair.zip".to_owned(), "application/zip")]);
        assert_eq!(
            named("red chair.OBJ"),
            [
                ("red chair.OBJ".to_owned(), "model/obj"),
                ("red_chair.mtl".to_owned(), "model/mtl")
            ]
        );
    }

    #[test]
    fn what_is_no_obj_is_a_failure() {
        let empty = Bundle { files: vec![] }.to_zip().unwrap();
        for content in [Content::Bytes(empty.into()), Content::Bytes("no zip".into())] {
            let failure =
                pieces(Format::Obj, &content, &[(Format::Obj, "chair.obj".to_owned())]).unwrap_err();
            assert!(failure.message.contains("cannot be unpacked"), "{failure:?}");
        }
    }
}
