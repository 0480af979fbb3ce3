//! From a picture to a closed, textured model.

use std::ops::ControlFlow;

use trellis_core::{Format, Params, Progress, Stage};
use trellis_picture::Picture;

use crate::atlas::Atlas;
use crate::coverage::{Coverage, coverage};
use crate::error::ReliefError;
use crate::foot;
use crate::grid::Grid;
use crate::grid::INSIDE;
use crate::inflate::{Inflated, inflate};
use crate::matte::Matte;
use crate::sheet::{Sheet, sheet};
use crate::simplify::simplify;
use crate::solid::{Solid, close};
use crate::texture::{Source, Texture, texture};
use crate::window::Window;

/// How many times squares may be joined away from the outline: to at most 8 × 8 cells.
const COARSEST: usize = 3;

/// A textured model, before it is written to a format.
#[derive(Debug, Clone)]
pub struct Model {
    /// The mesh.
    pub solid: Solid,
    /// Its texture: front and back; `None` where nothing asked for shows one.
    pub texture: Option<Texture>,
    /// Where in the texture front and back lie.
    pub atlas: Atlas,
    /// Where in the picture both lie.
    pub window: Window,
    /// What a person should know of it.
    pub notes: Vec<String>,
}

/// Takes progress reports; breaking stops the work.
pub(crate) type Report<'a> = &'a mut dyn FnMut(Progress) -> ControlFlow<()>;

/// Works on one stage, reported at its start and its end.
pub(crate) fn stage<T>(
    report: Report<'_>,
    stage: Stage,
    work: impl FnOnce() -> Result<T, ReliefError>,
) -> Result<T, ReliefError> {
    let mut tell = |step| match report(Progress {
        stage,
        step,
        total: 1,
    }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(ReliefError::Cancelled),
    };
    tell(0)?;
    let made = work()?;
    tell(1)?;
    Ok(made)
}

/// Whether one of the files shows a texture.
fn is_textured(params: &Params) -> bool {
    params.texture && params.formats.iter().any(|format| *format != Format::Stl)
}

/// Makes the model of a picture.
///
/// `mesh_simplify` is the share removed of the full triangulation, which has two triangles for each cell of
/// the working grid and side; only triangles that would be removed anyway are never made.
pub fn model(picture: &Picture, params: &Params, report: Report<'_>) -> Result<Model, ReliefError> {
    let (matte, covered, mut notes) = stage(report, Stage::Preprocess, || {
        let (matte, decisions) = Matte::of(picture, params.remove_background)?;
        let covered = coverage(picture, &matte)?;
        let notes = covered.facts.notes(&decisions);
        Ok((matte, covered, notes))
    })?;
    let Coverage {
        mut grid,
        window,
        thickened,
        ..
    } = covered;
    let inflated = stage(report, Stage::SparseStructure, || {
        let feet = foot::level(&mut grid);
        Ok(inflate(&grid, feet))
    })?;
    let atlas = Atlas::of(grid.width, grid.height);
    let solid = stage(report, Stage::Simplify, || {
        let inside = grid.values.iter().filter(|coverage| **coverage >= INSIDE).count();
        let target = (2.0 * inside as f64 * (1.0 - params.mesh_simplify())).ceil() as usize;
        let mut front = coarse_sheet(&grid, &inflated, target);
        if params.mesh_simplify() > 0.0 {
            simplify(&mut front, target);
        }
        let solid = close(front, &inflated, &atlas);
        match solid.topology() {
            Ok(_) => Ok(solid),
            Err(source) => Err(ReliefError::Mesh { source }),
        }
    })?;
    let mut textured = || {
        stage(report, Stage::Texture, || {
            let source = Source {
                picture,
                matte: &matte,
                window,
            };
            Ok(texture(&source, &inflated, &atlas, params.texture_size()))
        })
    };
    let texture = is_textured(params).then(&mut textured).transpose()?;
    if thickened {
        notes.push("the object is thinner than the working grid: it was thickened to be seen".to_owned());
    }
    Ok(Model {
        solid,
        texture,
        atlas,
        window,
        notes,
    })
}

/// The coarsest sheet that still has `target` triangles to be chosen from, or the finest.
fn coarse_sheet(grid: &Grid<f32>, inflated: &Inflated, target: usize) -> Sheet {
    let mut level = COARSEST;
    loop {
        let made = sheet(grid, inflated, level);
        if level == 0 || made.triangles.len() >= target {
            return made;
        }
        level -= 1;
    }
}
