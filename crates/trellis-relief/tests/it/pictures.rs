//! Test pictures, made by code: each a shape, drawn with soft edges, in some file format.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "colours and pixel numbers"
)]

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgba, RgbaImage};
use jpeg_encoder::{ColorType, Encoder};

/// Whether a point is in the shape; both axes from 0 to 1 over the picture, y down.
pub(crate) type Shape = fn(f64, f64) -> bool;

/// A picture with what is in it.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) remove_background: bool,
    /// The object as it is seen; `None` where it is not exact enough to be compared.
    pub(crate) shape: Option<Shape>,
    pub(crate) parts: usize,
    /// Holes through the object.
    pub(crate) holes: usize,
}

impl Case {
    fn new(name: &'static str, bytes: Vec<u8>, shape: Shape) -> Self {
        Self {
            name,
            bytes,
            remove_background: true,
            shape: Some(shape),
            parts: 1,
            holes: 0,
        }
    }
}

pub(crate) fn blob(x: f64, y: f64) -> bool {
    let (x, y) = (x - 0.52, y - 0.5);
    let angle = y.atan2(x);
    x.hypot(y) < 0.3 + 0.06 * (3.0 * angle).sin() + 0.03 * (5.0 * angle).cos()
}

pub(crate) fn ring(x: f64, y: f64) -> bool {
    (0.18..0.4).contains(&(x - 0.5).hypot(y - 0.5))
}

pub(crate) fn two(x: f64, y: f64) -> bool {
    (x - 0.28).hypot(y - 0.4) < 0.2 || ((x - 0.74).abs() < 0.12 && (y - 0.6).abs() < 0.3)
}

pub(crate) fn line(x: f64, y: f64) -> bool {
    (100.0 / 256.0..101.0 / 256.0).contains(&y) && (20.0 / 256.0..230.0 / 256.0).contains(&x)
}

pub(crate) fn slanted(x: f64, y: f64) -> bool {
    let (column, row) = ((x * 200.0) as i64, (y * 200.0) as i64);
    column == row && (20..180).contains(&column)
}

/// What [`slanted`] is between pixel centres.
pub(crate) fn band(x: f64, y: f64) -> bool {
    (x - y).abs() * 200.0 < 0.5 && (20.0..180.0).contains(&((x + y) * 100.0))
}

pub(crate) fn bust(x: f64, y: f64) -> bool {
    (x - 0.5).hypot(y - 1.0) < 0.38 || (x - 0.5).hypot(y - 0.5) < 0.2
}

pub(crate) fn cut_off(x: f64, y: f64) -> bool {
    (x - 0.5).hypot(y - 1.0) < 0.6 || (x < 0.3 && y > 0.5)
}

pub(crate) fn upright(x: f64, y: f64) -> bool {
    ((x - 0.4).abs() < 0.15 && (y - 0.5).abs() < 0.35)
        || ((0.3..0.8).contains(&x) && (0.15..0.3).contains(&y))
}

/// A pot with eleven thin stems, a leaf at the end of each: much outline for little surface.
pub(crate) fn plant(x: f64, y: f64) -> bool {
    let pot = (0.68..0.88).contains(&y) && (x - 0.5).abs() < 0.11 - 0.15 * (y - 0.68);
    pot || (-5..=5).any(|stem| {
        let angle = f64::from(stem) * 0.245;
        let (across, up) = (0.41 * angle.sin(), 0.55 * angle.cos());
        let length = across.hypot(up);
        let (right, above) = (x - 0.5, 0.68 - y);
        let on = (right * across + above * up) / length;
        let beside = (right * up - above * across).abs() / length;
        let leaf = ((right - across) / 0.037).hypot((above - up) / 0.02) < 1.0;
        leaf || (beside < 0.006 && (0.0..length).contains(&on))
    })
}

pub(crate) fn whole(_: f64, _: f64) -> bool {
    true
}

/// The shape's share of a pixel, by 8 × 8 points.
fn share(shape: Shape, x: u32, y: u32, width: u32, height: u32) -> f64 {
    let mut inside = 0;
    for row in 0..8 {
        for column in 0..8 {
            let across = (f64::from(x) + (f64::from(column) + 0.5) / 8.0) / f64::from(width);
            let down = (f64::from(y) + (f64::from(row) + 0.5) / 8.0) / f64::from(height);
            inside += u32::from(shape(across, down));
        }
    }
    f64::from(inside) / 64.0
}

fn colour(x: u32, y: u32, width: u32, height: u32) -> [f64; 3] {
    let (across, down) = (f64::from(x) / f64::from(width), f64::from(y) / f64::from(height));
    let stripe = if (across * 14.0).sin() * (down * 11.0).cos() > 0.0 {
        40.0
    } else {
        0.0
    };
    [90.0 + 120.0 * across + stripe, 60.0 + 70.0 * down, 40.0 + stripe]
}

/// The shape with an alpha channel.
pub(crate) fn cut_out(shape: Shape, width: u32, height: u32) -> RgbaImage {
    RgbaImage::from_fn(width, height, |x, y| {
        let [red, green, blue] = colour(x, y, width, height).map(|value| value as u8);
        Rgba([
            red,
            green,
            blue,
            (share(shape, x, y, width, height) * 255.0).round() as u8,
        ])
    })
}

/// The shape before a wall that is lighter above than below, with noise as of a camera.
pub(crate) fn photo(shape: Shape, width: u32, height: u32) -> RgbaImage {
    RgbaImage::from_fn(width, height, |x, y| {
        let own_share = share(shape, x, y, width, height);
        let wall = 225.0 - 30.0 * f64::from(y) / f64::from(height);
        let noise = f64::from((x * 7919 + y * 104_729 + x * y * 31) % 7) - 3.0;
        let mixed =
            colour(x, y, width, height).map(|own| (own * own_share + wall * (1.0 - own_share) + noise) as u8);
        Rgba([mixed[0], mixed[1], mixed[2], 255])
    })
}

/// A pale shape on white paper: little darker than it, without colour, its edge soft over some pixels.
fn pale(shape: Shape, width: u32, height: u32) -> RgbaImage {
    RgbaImage::from_fn(width, height, |x, y| {
        let around = [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(across, down)| {
            let (x, y) = ((x + across).min(width - 1), (y + down).min(height - 1));
            share(shape, x, y, width, height)
        });
        let value = (252.0 - 16.0 * around.iter().sum::<f64>() / 4.0).round() as u8;
        Rgba([value, value, value, 255])
    })
}

/// The shape before a wall, with a soft shadow of it beside it.
fn shadowed(shape: Shape, width: u32, height: u32) -> RgbaImage {
    let mut image = photo(shape, width, height);
    for (x, y, pixel) in image.enumerate_pixels_mut() {
        let (across, down) = (f64::from(x) / f64::from(width), f64::from(y) / f64::from(height));
        let depth = 1.0 - 0.3 * (1.0 - ((across - 0.5) / 0.45).hypot((down - 0.72) / 0.25)).clamp(0.0, 1.0);
        if share(shape, x, y, width, height) == 0.0 {
            pixel.0[..3]
                .iter_mut()
                .for_each(|value| *value = (f64::from(*value) * depth) as u8);
        }
    }
    image
}

pub(crate) fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    image
        .into()
        .write_to(&mut out, format)
        .expect("a picture in memory is written");
    out.into_inner()
}

fn png(image: impl Into<DynamicImage>) -> Vec<u8> {
    encoded(image, ImageFormat::Png)
}

fn palette(image: &RgbaImage) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, image.width(), image.height());
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    // 16 levels of alpha of one colour: the index is the alpha.
    encoder.set_palette([200, 120, 40].repeat(16));
    encoder.set_trns((0..16).map(|level| level * 17).collect::<Vec<u8>>());
    let mut writer = encoder.write_header().expect("a header in memory is written");
    let indices: Vec<u8> = image.pixels().map(|pixel| pixel[3] / 17).collect();
    writer
        .write_image_data(&indices)
        .expect("pixels in memory are written");
    drop(writer);
    out
}

fn jpeg(bytes: &[u8], size: (u32, u32), colours: ColorType) -> Vec<u8> {
    let mut out = Vec::new();
    Encoder::new(&mut out, 92)
        .encode(bytes, size.0 as u16, size.1 as u16, colours)
        .expect("a picture in memory is written");
    out
}

fn cmyk(image: &RgbaImage, colours: ColorType) -> Vec<u8> {
    let ink: Vec<u8> = image
        .pixels()
        .flat_map(|Rgba([red, green, blue, _])| {
            let key = 255 - red.max(green).max(blue);
            let ink = |value: &u8| f64::from(255 - key - value) / f64::from(255 - key).max(1.0) * 255.0;
            [ink(red) as u8, ink(green) as u8, ink(blue) as u8, key]
        })
        .collect();
    jpeg(&ink, image.dimensions(), colours)
}

/// A JPEG stored turned by a quarter, with the EXIF orientation that turns it back.
fn turned(image: &RgbaImage) -> Vec<u8> {
    let stored = image::imageops::rotate270(image);
    let bytes = jpeg(stored.as_raw(), stored.dimensions(), ColorType::Rgba);
    // Big-endian TIFF with one entry: tag 0x0112 (orientation), type 3 (short), one value, 6 (turn right).
    let exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let mut out = bytes[..2].to_vec();
    out.extend([0xff, 0xe1, 0, exif.len() as u8 + 2]);
    out.extend(exif);
    out.extend(&bytes[2..]);
    out
}

/// All but the very large one.
pub(crate) fn all() -> Vec<Case> {
    let deep = |image: RgbaImage| DynamicImage::ImageRgba8(image).into_rgba16();
    let grey = |image: RgbaImage| DynamicImage::ImageRgba8(image).into_luma8();
    let upright_photo = photo(upright, 480, 360);
    let mut cases = vec![
        Case::new("blob", png(cut_out(blob, 512, 512)), blob),
        Case::new("photo", png(photo(blob, 640, 480)), blob),
        Case::new("pale", png(pale(upright, 640, 640)), upright),
        Case::new("shadow", png(shadowed(upright, 640, 480)), upright),
        Case::new("ring", png(cut_out(ring, 400, 400)), ring),
        Case::new("ring_photo", png(photo(ring, 500, 500)), ring),
        Case::new("two_parts", png(cut_out(two, 700, 500)), two),
        Case::new("line", png(cut_out(line, 256, 256)), line),
        Case::new("slanted_line", png(cut_out(slanted, 200, 200)), band),
        Case::new("touching_border", png(cut_out(cut_off, 300, 300)), cut_off),
        Case::new("touching_border_photo", png(photo(bust, 300, 300)), bust),
        Case::new("sixteen_bits", png(deep(cut_out(blob, 300, 200))), blob),
        Case::new("grey", png(grey(photo(blob, 400, 400))), blob),
        Case::new("palette", palette(&cut_out(two, 320, 320)), two),
        Case::new("cmyk", cmyk(&upright_photo, ColorType::Cmyk), upright),
        Case::new("ycck", cmyk(&upright_photo, ColorType::CmykAsYcck), upright),
        Case::new("turned", turned(&upright_photo), upright),
        Case::new("webp", encoded(cut_out(blob, 333, 222), ImageFormat::WebP), blob),
        Case::new("one_pixel", png(cut_out(whole, 1, 1)), whole),
        Case::new("whole_picture", png(photo(whole, 160, 90)), whole),
    ];
    for case in &mut cases {
        match case.name {
            "ring" | "ring_photo" => case.holes = 1,
            "two_parts" | "palette" => case.parts = 2,
            "one_pixel" | "whole_picture" => case.remove_background = false,
            _ => {}
        }
    }
    cases
}

/// 48 million pixels.
pub(crate) fn huge() -> Case {
    // Drawn at a tenth and enlarged: the shape's edge is soft over ten pixels.
    let small = cut_out(blob, 800, 600);
    let large = image::imageops::resize(&small, 8000, 6000, image::imageops::FilterType::Triangle);
    Case::new("huge", png(large), blob)
}
