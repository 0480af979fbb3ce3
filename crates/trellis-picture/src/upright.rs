//! A decoded picture that is to be written down again.

use std::io::{self, Write};

use image::{DynamicImage, RgbImage, RgbaImage};

use crate::picture::holds_a_mask;
use crate::stored_png::{self, Rows};
use crate::{Note, Picture};

/// A decoded picture, upright and in sRGB: RGB where it has no fourth channel, else RGBA (not premultiplied).
#[derive(Debug)]
pub struct Upright {
    image: Image,
    notes: Vec<Note>,
}

#[derive(Debug)]
enum Image {
    Rgb(RgbImage),
    Rgba(RgbaImage),
}

impl Upright {
    pub(crate) fn new(image: DynamicImage, notes: Vec<Note>) -> Self {
        let image = match image {
            DynamicImage::ImageRgb8(image) => Image::Rgb(image),
            other => Image::Rgba(other.into_rgba8()),
        };
        Self { image, notes }
    }

    /// What a person should know of how it was read.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// Writes it as [`Picture::write_png`] does.
    pub fn write_png(&self, sink: impl Write) -> io::Result<()> {
        match &self.image {
            Image::Rgb(image) => stored_png::write(sink, image.dimensions(), Rows::Rgb(image)),
            Image::Rgba(image) => {
                stored_png::write(sink, image.dimensions(), Rows::Rgba(image, holds_a_mask(image)))
            }
        }
    }

    /// The same with four channels; `None` where a side is 0.
    pub(crate) fn into_picture(self) -> Option<Picture> {
        let image = match self.image {
            Image::Rgb(image) => DynamicImage::from(image).into_rgba8(),
            Image::Rgba(image) => image,
        };
        let (width, height) = image.dimensions();
        Some(Picture::from_rgba8(width, height, image.into_raw())?.with_notes(self.notes))
    }
}
