//! From pictures to files.

use trellis_core::{AssetName, Format, Params, Stage};
use trellis_picture::Picture;

use crate::LABEL;
use crate::error::ReliefError;
use crate::export;
use crate::model::{Report, model, stage};
use crate::window::Window;

/// What it makes, in the order in which it is listed.
pub const FORMATS: [Format; 3] = [Format::Glb, Format::Stl, Format::Ply];

/// The pictures of one object.
#[derive(Debug, Clone)]
pub struct Views {
    /// The first, decoded: the only one that is looked at.
    pub first: Picture,
    /// How many there are.
    pub count: usize,
    /// What the object is called.
    pub name: AssetName,
}

/// The name of an object, with what it is: a program that keeps nothing else of a file keeps that.
pub fn labelled(name: &AssetName) -> String {
    format!("{name} ({LABEL})")
}

/// A finished file.
#[derive(Debug, Clone)]
pub struct File {
    /// What it is.
    pub format: Format,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A result.
#[derive(Debug, Clone)]
pub struct Relief {
    /// One file for each format asked for, in that order.
    pub files: Vec<File>,
    /// What a person should know of it.
    pub notes: Vec<String>,
    /// Where in the picture the texture lies, or would.
    pub window: Window,
}

/// Makes the files that `params` ask for. `report` is called between stages; breaking stops the work.
pub fn generate(views: &Views, params: &Params, report: Report<'_>) -> Result<Relief, ReliefError> {
    if let Some(format) = params.formats.iter().find(|format| !FORMATS.contains(format)) {
        return Err(ReliefError::UnsupportedFormat { format: *format });
    }
    let mut model = model(&views.first, params, report)?;
    let notes = views.first.notes().iter().map(ToString::to_string);
    model.notes.splice(0..0, notes);
    if views.count > 1 {
        model.notes.push(format!(
            "`relief` uses only the first of the {} views",
            views.count
        ));
    }
    let files = stage(report, Stage::Export, || {
        params
            .formats
            .iter()
            .map(|format| {
                let bytes = match format {
                    Format::Glb => export::glb(&model, &views.name)?,
                    Format::Stl => export::stl(&model.solid, params.stl_size_mm),
                    Format::Ply => export::ply(&model, &views.name),
                    Format::Obj | Format::Voxels | Format::GaussianPly | Format::Turntable | Format::Vxz => {
                        return Err(ReliefError::UnsupportedFormat { format: *format });
                    }
                };
                Ok(File {
                    format: *format,
                    bytes,
                })
            })
            .collect()
    })?;
    Ok(Relief {
        files,
        notes: model.notes,
        window: model.window,
    })
}
