//! What colour a place on the surface has: the material's, times that of its texture.

use image::{ImageFormat, RgbImage};

use crate::ConvertError;
use crate::scene::{Part, Scene};

/// A texture as PNG: one that is PNG already stays as it is.
pub(crate) fn png(texture: Vec<u8>) -> Result<Vec<u8>, ConvertError> {
    let failed = |source| ConvertError::Texture { source };
    if image::guess_format(&texture).map_err(failed)? == ImageFormat::Png {
        return Ok(texture);
    }
    let mut png = std::io::Cursor::new(Vec::new());
    let decoded = image::load_from_memory(&texture).map_err(failed)?;
    decoded.write_to(&mut png, ImageFormat::Png).map_err(failed)?;
    Ok(png.into_inner())
}

/// The pixels of all textures.
pub(crate) fn textures(scene: &Scene) -> Result<Vec<RgbImage>, ConvertError> {
    let decoded = scene.textures.iter().map(|texture| {
        let picture = image::load_from_memory(texture);
        picture.map(|picture| picture.to_rgb8())
    });
    decoded
        .collect::<Result<_, _>>()
        .map_err(|source| ConvertError::Texture { source })
}

/// The surface of one part.
pub(crate) struct Surface<'a> {
    part: &'a Part,
    /// Linear.
    factor: [f32; 3],
    texture: Option<&'a RgbImage>,
}

impl<'a> Surface<'a> {
    pub(crate) fn of(part: &'a Part, scene: &Scene, textures: &'a [RgbImage]) -> Self {
        let material = part.material.and_then(|index| scene.materials.get(index));
        let texture = material
            .and_then(|material| textures.get(material.texture?))
            .filter(|_| !part.uvs.is_empty());
        let [red, green, blue, _] = material.map_or([1.0; 4], |material| material.colour);
        Self {
            part,
            factor: [red, green, blue],
            texture,
        }
    }

    /// The linear colour, 0 to 1, of a place in a triangle; `weights` of its corners sum up to 1.
    pub(crate) fn colour(&self, triangle: [u32; 3], weights: [f32; 3]) -> [f32; 3] {
        let Some(texture) = self.texture else {
            return self.factor;
        };
        let uvs = triangle.map(|vertex| self.part.uvs[vertex as usize]);
        let [u, v] = [0, 1].map(|axis| (0..3).map(|corner| uvs[corner][axis] * weights[corner]).sum());
        let texel = texture.get_pixel(texel(u, texture.width()), texel(v, texture.height()));
        std::array::from_fn(|channel| linear(texel.0[channel]) * self.factor[channel])
    }
}

/// Which texel; beyond the edge the texture repeats, as glTF has it by default.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "0 up to the side of a texture"
)]
fn texel(place: f32, size: u32) -> u32 {
    let within = place - place.floor();
    // Not a number gives 0.
    ((within * size as f32) as u32).min(size - 1)
}

/// IEC 61966-2-1.
pub(crate) fn linear(value: u8) -> f32 {
    let value = f32::from(value) / 255.0;
    if value <= 0.040_45 {
        value / 12.92
    } else {
        ((value + 0.055) / 1.055).powf(2.4)
    }
}

/// The inverse of [`linear`].
pub(crate) fn srgb(linear: f32) -> f32 {
    let linear = linear.clamp(0.0, 1.0);
    if linear <= 0.003_130_8 {
        linear * 12.92
    } else {
        1.055 * linear.powf(1.0 / 2.4) - 0.055
    }
}
