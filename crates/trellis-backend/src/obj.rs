//! OBJ for every backend, made from its GLB: what it shows is then what the GLB shows.
//!
//! A backend asks its engine for [`engine_formats`] and hands the result through [`with_obj`].

use std::io::Read as _;

use bytes::Bytes;
use trellis_core::{Failure, FailureKind, Format};
use trellis_obj::{Label, ObjError, STEM, convert};

use crate::{Content, Made, Output, open_left};

/// What an OBJ says of itself.
#[derive(Debug, Clone)]
pub struct ObjLabel {
    /// What object and material are called.
    pub name: String,
    /// What a person should know of it, one sentence.
    pub about: &'static str,
}

/// The formats that an engine is to make where these are asked for: a GLB in the place of an OBJ.
pub fn engine_formats(asked: &[Format]) -> Vec<Format> {
    let mut formats: Vec<Format> = Vec::new();
    for format in asked {
        let needed = if *format == Format::Obj {
            Format::Glb
        } else {
            *format
        };
        if !formats.contains(&needed) {
            formats.push(needed);
        }
    }
    formats
}

/// Adds the OBJ where it is asked for, and takes the GLB away where only the OBJ needed it.
pub async fn with_obj(mut output: Output, asked: &[Format], label: ObjLabel) -> Result<Output, Failure> {
    if !asked.contains(&Format::Obj) {
        return Ok(output);
    }
    let glb = output.files.iter().find(|file| file.format == Format::Glb);
    let content = glb.map(|file| file.content.clone());
    let content = content.ok_or_else(|| failed("the backend made no GLB"))?;
    let zip = tokio::task::spawn_blocking(move || converted(&content, &label)).await;
    let zip = zip.map_err(|_| failed("the conversion crashed"))??;
    if !asked.contains(&Format::Glb) {
        output.files.retain(|file| file.format != Format::Glb);
    }
    output.files.push(Made {
        name: format!("{STEM}.obj.zip"),
        format: Format::Obj,
        content: Content::Bytes(zip),
    });
    Ok(output)
}

fn converted(content: &Content, label: &ObjLabel) -> Result<Bytes, Failure> {
    let bytes = match content {
        Content::Bytes(bytes) => bytes.clone(),
        Content::File(path) => {
            let (file, size) = open_left(path.parent().unwrap_or(path), path)?;
            let mut bytes = Vec::new();
            file.take(size)
                .read_to_end(&mut bytes)
                .map_err(|error| failed(&format!("cannot read its GLB: {error}")))?;
            bytes.into()
        }
    };
    let label = Label {
        name: &label.name,
        about: label.about,
    };
    let zip = convert(&bytes, label).and_then(|bundle| bundle.to_zip());
    zip.map(Bytes::from).map_err(|error| not_converted(&error))
}

fn not_converted(error: &ObjError) -> Failure {
    use std::error::Error as _;
    if let ObjError::Empty = error {
        return Failure::new(
            FailureKind::ImplausibleResult,
            format!("no OBJ can be made: {error}"),
        );
    }
    match error.source() {
        Some(source) => failed(&format!("{error}: {source}")),
        None => failed(&error.to_string()),
    }
}

fn failed(why: &str) -> Failure {
    Failure::new(FailureKind::Internal, format!("no OBJ can be made: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MadeWith;

    #[test]
    fn an_engine_is_asked_for_a_glb_once() {
        use Format::{Glb, Obj, Stl};
        for (asked, needed) in [
            (&[Obj][..], &[Glb][..]),
            (&[Stl, Obj, Glb], &[Stl, Glb]),
            (&[Stl], &[Stl]),
        ] {
            assert_eq!(engine_formats(asked), needed);
        }
    }

    #[tokio::test]
    async fn a_glb_that_cannot_be_converted_is_a_failure() {
        let folder = tempfile::tempdir().unwrap();
        // It names positions that are not there, which the reader panics over.
        let mut text = concat!(
            r#"{"asset":{"version":"2.0"},"scenes":[{"nodes":[0]}],"nodes":[{"mesh":0}],"#,
            r#""meshes":[{"primitives":[{"attributes":{"POSITION":9}}]}]}"#
        )
        .to_owned();
        text.push_str(&" ".repeat(text.len().next_multiple_of(4) - text.len()));
        let mut odd = b"glTF\x02\0\0\0".to_vec();
        for length in [20 + text.len(), text.len()] {
            odd.extend(u32::try_from(length).unwrap().to_le_bytes());
        }
        odd.extend_from_slice(b"JSON");
        odd.extend_from_slice(text.as_bytes());
        for content in [
            Content::Bytes("glTF".into()),
            Content::Bytes(odd.into()),
            Content::File(folder.path().join("missing.glb")),
        ] {
            let output = Output {
                files: vec![Made {
                    name: "model.glb".to_owned(),
                    format: Format::Glb,
                    content,
                }],
                notes: vec![],
                timings: trellis_core::Timings::default(),
                made_with: MadeWith::default(),
            };
            let label = ObjLabel {
                name: "chair".to_owned(),
                about: "a test",
            };
            let failure = with_obj(output, &[Format::Obj], label).await.unwrap_err();
            let why = [
                "no OBJ can be made: ",
                "the backend's file `missing.glb` cannot be read",
            ];
            assert!(
                why.iter().any(|why| failure.message.starts_with(why)),
                "{failure:?}"
            );
        }
    }
}
