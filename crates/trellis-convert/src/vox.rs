//! Writes a grid as MagicaVoxel `.vox`, version 150, Z up; source: the format's page in ephtracy/voxel-model.

use dot_vox::{Color, DotVoxData, Frame, Model, SceneNode, ShapeModel, Size, Voxel};

use crate::ConvertError;
use crate::grid::Grid;

pub(crate) fn write(grid: &Grid, name: &str) -> Result<Vec<u8>, ConvertError> {
    let mut palette: Vec<Color> = grid.colours.iter().map(|[r, g, b]| colour(*r, *g, *b)).collect();
    palette.resize(256, colour(0, 0, 0));
    let data = DotVoxData {
        version: 150,
        index_map: Vec::new(),
        models: vec![model(grid)],
        palette,
        materials: Vec::new(),
        scenes: named(name),
        layers: Vec::new(),
    };
    let mut out = Vec::new();
    data.write_vox(&mut out)
        .map_err(|source| ConvertError::Vox { source })?;
    Ok(out)
}

/// What is up becomes z, and what looks at the viewer is at the front, where y is least.
fn model(grid: &Grid) -> Model {
    let [width, height, depth] = grid.size;
    let small = |number: usize| u8::try_from(number).unwrap_or(u8::MAX);
    let size = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let voxels = grid.cells.iter().enumerate().filter_map(|(cell, number)| {
        let [x, y, z] = grid.place(cell);
        Some(Voxel {
            x: small(x),
            y: small(depth - 1 - z),
            z: small(y),
            i: number.checked_sub(1)?,
        })
    });
    Model {
        voxels: voxels.collect(),
        size: Size {
            x: size(width),
            y: size(depth),
            z: size(height),
        },
    }
}

/// A scene of the one model, which has a name there.
fn named(name: &str) -> Vec<SceneNode> {
    let transform = |child: u32, name: Option<&str>| SceneNode::Transform {
        attributes: name
            .map(|name| ("_name".to_owned(), name.to_owned()))
            .into_iter()
            .collect(),
        frames: vec![Frame::default()],
        child,
        layer_id: 0,
    };
    vec![
        transform(1, None),
        SceneNode::Group {
            attributes: dot_vox::Dict::default(),
            children: vec![2],
        },
        transform(3, Some(name)),
        SceneNode::Shape {
            attributes: dot_vox::Dict::default(),
            models: vec![ShapeModel {
                model_id: 0,
                attributes: dot_vox::Dict::default(),
            }],
        },
    ]
}

fn colour(r: u8, g: u8, b: u8) -> Color {
    Color { r, g, b, a: 255 }
}
