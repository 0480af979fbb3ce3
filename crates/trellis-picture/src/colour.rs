//! Pixels as sRGB, by what the picture says of its colours.
//!
//! What says nothing is sRGB. A profile that maps every colour to itself, as sRGB's own do, changes no byte.
//! A profile that cannot be used is left out, and a note says so: it never ends a job.
//! Source: ICC.1:2022 for profiles, ITU-T H.273 for code points. Not here: finding them (`decode.rs`).

use image::{ColorType, DynamicImage};
use moxcms::{
    Chromaticity, CicpColorPrimaries, CicpProfile, ColorPrimaries, ColorProfile, DataColorSpace, Layout,
    MatrixCoefficients, ProfileText, ToneReprCurve, TransferCharacteristics, TransformExecutor,
    TransformOptions, curve_from_gamma,
};

use crate::Note;

/// What a picture says of its colours.
#[derive(Debug)]
pub(crate) enum Stated {
    /// Nothing.
    Nothing,
    /// By a profile.
    Profile(Vec<u8>),
    /// By a profile that cannot be taken out of the file.
    Unreadable,
    /// By code points of ITU-T H.273: primaries, transfer, matrix, range.
    CodePoints([u8; 4]),
    /// By PNG's encoding exponent and primaries, both times 100 000.
    Gamma {
        gamma: Option<u32>,
        chromaticities: Option<[u32; 8]>,
    },
    /// By EXIF's name for it.
    AdobeRgb,
}

/// Pixels as decoded.
pub(crate) enum Pixels {
    /// Grey or RGB.
    Light(DynamicImage),
    /// Cyan, magenta, yellow, black; 255 is full ink.
    Inks(Vec<u8>),
}

/// Pixels of a transform at a time.
const BATCH: usize = 1 << 14;
/// A profile whose colours differ no more than this from sRGB's is sRGB, up to rounding.
const ROUNDING: u8 = 1;
/// Longest name of a profile that is repeated.
const LONGEST_NAME: usize = 60;

/// Pixels in sRGB.
pub(crate) enum Srgb {
    /// What was decoded is in sRGB.
    Decoded(DynamicImage),
    /// Four bytes a pixel.
    Converted(Vec<u8>),
}

/// The pixels in sRGB, and what a person should know of them.
pub(crate) fn to_srgb(pixels: Pixels, stated: &Stated) -> (Srgb, Vec<Note>) {
    match pixels {
        Pixels::Inks(inks) => {
            let (pixels, notes) = from_inks(&inks, stated);
            (Srgb::Converted(pixels), notes)
        }
        Pixels::Light(image) => {
            let (source, mut notes) = source(stated, &image);
            let Some(source) = source else {
                return (Srgb::Decoded(image), notes);
            };
            match source.convert(image) {
                Ok(pixels) => {
                    let converted = matches!(pixels, Srgb::Converted(_));
                    notes.extend(converted.then_some(Note::Converted { from: source.name }));
                    (pixels, notes)
                }
                Err(image) => (Srgb::Decoded(image), vec![Note::ProfileUnreadable]),
            }
        }
    }
}

/// A colour space that is to be converted from.
struct Source {
    profile: ColorProfile,
    name: String,
}

fn source(stated: &Stated, image: &DynamicImage) -> (Option<Source>, Vec<Note>) {
    let unreadable = (None, vec![Note::ProfileUnreadable]);
    let profile = match stated {
        Stated::Nothing => return (None, vec![]),
        Stated::Unreadable => return unreadable,
        Stated::AdobeRgb => ColorProfile::new_adobe_rgb(),
        Stated::Gamma {
            gamma,
            chromaticities,
        } => {
            let name = gamma.map_or("other primaries".to_owned(), |gamma| {
                format!("gamma 1/{:.2}", exponent(gamma))
            });
            let profile = by_gamma(*gamma, *chromaticities);
            return (Some(Source { profile, name }), vec![]);
        }
        Stated::CodePoints([primaries, transfer, ..]) => {
            // PQ and HLG.
            if matches!(transfer, 16 | 18) {
                return (None, vec![Note::HighDynamicRange]);
            }
            let Some(profile) = by_code_points(*primaries, *transfer) else {
                return unreadable;
            };
            let name = format!("code points {primaries}/{transfer}");
            return (Some(Source { profile, name }), vec![]);
        }
        Stated::Profile(bytes) => match ColorProfile::new_from_slice(bytes) {
            Ok(profile) => profile,
            Err(_) => return unreadable,
        },
    };
    let grey = !image.color().has_color();
    match profile.color_space {
        DataColorSpace::Rgb => {}
        DataColorSpace::Gray if grey => {}
        other => {
            let note = Note::ProfileMismatch {
                profile: kind_of(other),
                pixels: if grey { "grey" } else { "RGB" },
            };
            return (None, vec![note]);
        }
    }
    let name = name_of(&profile);
    (Some(Source { profile, name }), vec![])
}

impl Source {
    /// The pixels in sRGB; the image as it was if the profile makes no sense.
    fn convert(&self, image: DynamicImage) -> Result<Srgb, DynamicImage> {
        let grey = self.profile.color_space == DataColorSpace::Gray;
        let layout = if grey { Layout::GrayAlpha } else { Layout::Rgba };
        let srgb = ColorProfile::new_srgb();
        let Ok(eight) = self
            .profile
            .create_transform_8bit(layout, &srgb, Layout::Rgba, options())
        else {
            return Err(image);
        };
        match judge(eight.as_ref(), grey) {
            Judgement::Nonsense => return Err(image),
            Judgement::Srgb => return Ok(Srgb::Decoded(image)),
            Judgement::Other => {}
        }
        if is_deep(image.color()) {
            let Ok(deep) = self
                .profile
                .create_transform_16bit(layout, &srgb, Layout::Rgba, options())
            else {
                return Err(image);
            };
            // The decoder's picture goes before the converted one is made.
            let wide = image.into_rgba16().into_raw();
            let mut pixels = vec![0; wide.len()];
            for (from, to) in wide.chunks(4 * BATCH).zip(pixels.chunks_mut(4 * BATCH)) {
                let mut converted = vec![0_u16; from.len()];
                transform(deep.as_ref(), grey, from, &mut converted);
                for (byte, wide) in to.iter_mut().zip(converted) {
                    *byte = rounded(wide);
                }
            }
            return Ok(Srgb::Converted(pixels));
        }
        let mut pixels = image.into_rgba8().into_raw();
        for to in pixels.chunks_mut(4 * BATCH) {
            let from = to.to_vec();
            transform(eight.as_ref(), grey, &from, to);
        }
        Ok(Srgb::Converted(pixels))
    }
}

/// Four values a pixel in, four out; of grey pixels the first and the last count.
fn transform<T: Copy + Default>(with: &dyn TransformExecutor<T>, grey: bool, from: &[T], to: &mut [T]) {
    let done = if grey {
        let pairs: Vec<T> = from
            .chunks_exact(4)
            .flat_map(|pixel| [pixel[0], pixel[3]])
            .collect();
        with.transform(&pairs, to)
    } else {
        with.transform(from, to)
    };
    done.expect("as many pixels out as in");
    // Alpha is no colour.
    for (from, to) in from.chunks_exact(4).zip(to.chunks_exact_mut(4)) {
        to[3] = from[3];
    }
}

enum Judgement {
    /// Nothing is to be converted.
    Srgb,
    /// A colour space of its own.
    Other,
    /// White is not brighter than black: a damaged profile.
    Nonsense,
}

/// Looks at what becomes of colours from all over the space.
fn judge(with: &dyn TransformExecutor<u8>, grey: bool) -> Judgement {
    let steps = || (0..=255_u8).step_by(15);
    let from: Vec<u8> = if grey {
        (0..=255).flat_map(|value| [value, value, value, 255]).collect()
    } else {
        let colours = steps().flat_map(|r| steps().flat_map(move |g| steps().map(move |b| [r, g, b, 255])));
        colours.flatten().collect()
    };
    let mut to = vec![0; from.len()];
    transform(with, grey, &from, &mut to);
    let brightness = |pixel: &[u8]| pixel[..3].iter().map(|value| u32::from(*value)).sum::<u32>();
    let (black, white) = (brightness(&to[..4]), brightness(&to[to.len() - 4..]));
    if white < black + 3 * 64 {
        Judgement::Nonsense
    } else if from
        .iter()
        .zip(&to)
        .all(|(from, to)| from.abs_diff(*to) <= ROUNDING)
    {
        Judgement::Srgb
    } else {
        Judgement::Other
    }
}

fn from_inks(inks: &[u8], stated: &Stated) -> (Vec<u8>, Vec<Note>) {
    let (source, mut notes) = match stated {
        Stated::Profile(bytes) => match ColorProfile::new_from_slice(bytes) {
            Ok(profile) if profile.color_space == DataColorSpace::Cmyk => (Some(profile), vec![]),
            Ok(profile) => {
                let note = Note::ProfileMismatch {
                    profile: kind_of(profile.color_space),
                    pixels: "CMYK",
                };
                (None, vec![note])
            }
            Err(_) => (None, vec![Note::ProfileUnreadable]),
        },
        Stated::Unreadable => (None, vec![Note::ProfileUnreadable]),
        _ => (None, vec![Note::InkWithoutProfile]),
    };
    if let Some(profile) = source {
        if let Some(pixels) = through_profile(inks, &profile) {
            let from = name_of(&profile);
            return (pixels, vec![Note::Converted { from }]);
        }
        notes.push(Note::ProfileUnreadable);
    }
    let light = |ink: u8, black: u8| {
        let product = u32::from(255 - ink) * u32::from(255 - black);
        u8::try_from((product + 127) / 255).unwrap_or(u8::MAX)
    };
    let of_pixel = |pixel: &[u8]| {
        let [red, green, blue] = [pixel[0], pixel[1], pixel[2]].map(|ink| light(ink, pixel[3]));
        [red, green, blue, 255]
    };
    (inks.chunks_exact(4).flat_map(of_pixel).collect(), notes)
}

fn through_profile(inks: &[u8], profile: &ColorProfile) -> Option<Vec<u8>> {
    let srgb = ColorProfile::new_srgb();
    let with = profile
        .create_transform_8bit(Layout::Rgba, &srgb, Layout::Rgb, options())
        .ok()?;
    // Paper without ink is brighter than paper full of it.
    let mut ends = [0; 6];
    with.transform(&[0, 0, 0, 0, 255, 255, 255, 255], &mut ends)
        .ok()?;
    let brightness = |colour: &[u8]| colour.iter().map(|value| u32::from(*value)).sum::<u32>();
    if brightness(&ends[..3]) < brightness(&ends[3..]) + 3 * 64 {
        return None;
    }
    let mut pixels = Vec::with_capacity(inks.len());
    let mut light = vec![0; 3 * BATCH];
    for from in inks.chunks(4 * BATCH) {
        let to = &mut light[..from.len() / 4 * 3];
        with.transform(from, to).ok()?;
        pixels.extend(to.chunks_exact(3).flat_map(|rgb| [rgb[0], rgb[1], rgb[2], 255]));
    }
    Some(pixels)
}

/// Exact rather than fast: a picture is converted once, and the rest takes longer.
fn options() -> TransformOptions {
    TransformOptions {
        prefer_fixed_point: false,
        ..TransformOptions::default()
    }
}

fn by_code_points(primaries: u8, transfer: u8) -> Option<ColorProfile> {
    let code_points = CicpProfile {
        color_primaries: CicpColorPrimaries::try_from(primaries).ok()?,
        transfer_characteristics: TransferCharacteristics::try_from(transfer).ok()?,
        matrix_coefficients: MatrixCoefficients::Identity,
        full_range: true,
    };
    let profile = ColorProfile::new_from_cicp(code_points);
    profile.red_trc.is_some().then_some(profile)
}

fn by_gamma(gamma: Option<u32>, chromaticities: Option<[u32; 8]>) -> ColorProfile {
    let mut profile = ColorProfile::new_srgb();
    if let Some(values) = chromaticities {
        let [wx, wy, rx, ry, gx, gy, bx, by] = values.map(exponent);
        let white = Chromaticity::new(wx, wy).to_xyyb();
        let primaries = ColorPrimaries {
            red: Chromaticity::new(rx, ry),
            green: Chromaticity::new(gx, gy),
            blue: Chromaticity::new(bx, by),
        };
        profile.update_rgb_colorimetry(white, primaries);
    }
    // 1/2.2 is what programs write that mean sRGB.
    let curve = gamma
        .filter(|gamma| !(45_000..=46_000).contains(gamma))
        .map(|gamma| curve(1.0 / exponent(gamma)));
    if let Some(curve) = curve {
        profile.cicp = None;
        profile.red_trc = Some(curve.clone());
        profile.green_trc = Some(curve.clone());
        profile.blue_trc = Some(curve);
    }
    profile
}

fn curve(gamma: f32) -> ToneReprCurve {
    curve_from_gamma(gamma)
}

/// PNG's whole numbers are times 100 000.
#[expect(clippy::cast_precision_loss, reason = "five digits are stored")]
fn exponent(value: u32) -> f32 {
    value as f32 / 100_000.0
}

fn is_deep(colour: ColorType) -> bool {
    colour.bytes_per_pixel() > colour.channel_count()
}

/// 16 bits to 8, as `image` does it.
#[expect(clippy::cast_possible_truncation, reason = "65535 becomes 255")]
fn rounded(wide: u16) -> u8 {
    ((u32::from(wide) + 128) / 257) as u8
}

fn kind_of(space: DataColorSpace) -> &'static str {
    match space {
        DataColorSpace::Gray => "grey",
        DataColorSpace::Rgb => "RGB",
        DataColorSpace::Cmyk => "CMYK",
        DataColorSpace::Lab => "Lab",
        _ => "other colours",
    }
}

/// The profile's own name, for people.
fn name_of(profile: &ColorProfile) -> String {
    let text = match &profile.description {
        Some(ProfileText::PlainString(text)) => text.as_str(),
        Some(ProfileText::Localizable(texts)) => texts.first().map_or("", |text| text.value.as_str()),
        Some(ProfileText::Description(text)) => text.ascii_string.as_str(),
        None => "",
    };
    let name: String = text
        .chars()
        .filter(|c| !c.is_control() && *c != '`')
        .take(LONGEST_NAME)
        .collect();
    match name.trim() {
        "" => format!("a {} profile without a name", kind_of(profile.color_space)),
        name => format!("`{name}`"),
    }
}
