//! OBJ and voxels for every backend, made from its GLB: what they show is then what the GLB shows.
//!
//! A backend asks its engine for [`engine_formats`] and hands the result through [`with_converted`].

use std::io::Read as _;

use bytes::Bytes;
use trellis_convert::{ConvertError, Label, STEM};
use trellis_core::{Failure, FailureKind, Format, Params};

use crate::{Content, Made, Output, open_left};

/// What a file that is made from a GLB says of itself.
#[derive(Debug, Clone)]
pub struct AssetLabel {
    /// What the object is called, in an OBJ its material too.
    pub name: String,
    /// What a person should know of it, one sentence.
    pub about: &'static str,
}

/// Whether no engine makes this format.
pub(crate) fn is_converted(format: Format) -> bool {
    matches!(format, Format::Obj | Format::Voxels)
}

/// The formats that an engine is to make where these are asked for: a GLB in the place of what is made from one.
pub fn engine_formats(asked: &[Format]) -> Vec<Format> {
    let mut formats: Vec<Format> = Vec::new();
    for format in asked {
        let needed = if is_converted(*format) {
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

/// Adds what is asked for and made from a GLB, and takes the GLB away where it is not itself asked for.
pub async fn with_converted(
    mut output: Output,
    params: &Params,
    label: AssetLabel,
) -> Result<Output, Failure> {
    let asked: Vec<Format> = params
        .formats
        .iter()
        .copied()
        .filter(|format| is_converted(*format))
        .collect();
    let Some(first) = asked.first().copied() else {
        return Ok(output);
    };
    let glb = output.files.iter().find(|file| file.format == Format::Glb);
    let content = glb.map(|file| file.content.clone());
    let content = content.ok_or_else(|| failed(first, "the backend made no GLB"))?;
    let (asked_formats, params) = (params.formats.clone(), params.clone());
    let converted = tokio::task::spawn_blocking(move || {
        let glb = read(&content, first)?;
        let files = asked
            .into_iter()
            .map(|format| convert(&glb, format, &params, &label));
        files.collect::<Result<Vec<Made>, Failure>>()
    });
    let converted = converted
        .await
        .map_err(|_| failed(first, "the conversion crashed"))??;
    if !asked_formats.contains(&Format::Glb) {
        output.files.retain(|file| file.format != Format::Glb);
    }
    output.files.extend(converted);
    Ok(output)
}

fn read(content: &Content, format: Format) -> Result<Bytes, Failure> {
    match content {
        Content::Bytes(bytes) => Ok(bytes.clone()),
        Content::File(path) => {
            let (file, size) = open_left(path.parent().unwrap_or(path), path)?;
            let mut bytes = Vec::new();
            let read = file.take(size).read_to_end(&mut bytes);
            read.map_err(|error| failed(format, &format!("cannot read its GLB: {error}")))?;
            Ok(bytes.into())
        }
    }
}

/// The formats that [`convert`] makes of a GLB.
pub(crate) const CONVERTED: [Format; 4] = [Format::Obj, Format::Voxels, Format::Stl, Format::Ply];

/// Makes one of them.
pub(crate) fn convert(
    glb: &[u8],
    format: Format,
    params: &Params,
    label: &AssetLabel,
) -> Result<Made, Failure> {
    let label = Label {
        name: &label.name,
        about: label.about,
    };
    let (name, bytes) = match format {
        Format::Voxels => (
            "vox",
            trellis_convert::voxels(glb, params.voxel_resolution, label),
        ),
        Format::Stl => ("stl", trellis_convert::stl(glb, params.stl_size_mm, label)),
        Format::Ply => ("ply", trellis_convert::ply(glb, label)),
        _ => (
            "obj.zip",
            trellis_convert::obj(glb, label).and_then(|bundle| bundle.to_zip()),
        ),
    };
    Ok(Made {
        name: format!("{STEM}.{name}"),
        format,
        content: Content::Bytes(bytes.map_err(|error| not_converted(format, &error))?.into()),
    })
}

fn not_converted(format: Format, error: &ConvertError) -> Failure {
    use std::error::Error as _;
    if let ConvertError::Empty = error {
        return Failure::new(
            FailureKind::ImplausibleResult,
            format!("no `{format}` can be made: {error}"),
        );
    }
    match error.source() {
        Some(source) => failed(format, &format!("{error}: {source}")),
        None => failed(format, &error.to_string()),
    }
}

fn failed(format: Format, why: &str) -> Failure {
    Failure::new(FailureKind::Internal, format!("no `{format}` can be made: {why}"))
}

#[cfg(test)]
mod tests {
    use trellis_core::ParamsPatch;

    use super::*;
    use crate::MadeWith;

    #[test]
    fn an_engine_is_asked_for_a_glb_once() {
        use Format::{Glb, Obj, Stl, Voxels};
        for (asked, needed) in [
            (&[Obj][..], &[Glb][..]),
            (&[Stl, Obj, Glb, Voxels], &[Stl, Glb]),
            (&[Voxels, Obj], &[Glb]),
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
                latents: None,
            };
            for format in [Format::Obj, Format::Voxels] {
                let asked = ParamsPatch::default().with("formats", vec![format]);
                let label = AssetLabel {
                    name: "chair".to_owned(),
                    about: "a test",
                };
                let converted = with_converted(output.clone(), &asked.resolve(0).unwrap(), label).await;
                let message = converted.unwrap_err().message;
                let why = [
                    format!("no `{format}` can be made: "),
                    "the backend's file `missing.glb` cannot be read".to_owned(),
                ];
                assert!(why.iter().any(|why| message.starts_with(why)), "{message}");
            }
        }
    }
}
