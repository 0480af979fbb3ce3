//! A job's pictures as the workers get them: decoded here, upright and in sRGB, written as PNGs.
//!
//! So TRELLIS sees the pixels that the preview sees, whatever Pillow would make of a profile or a format, and
//! what strangers send is read by one decoder only.

use std::fs::File;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use trellis_core::{Failure, FailureKind};
use trellis_picture::{PictureError, upright};

/// The written files, and what a person should know of the pictures.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) paths: Vec<PathBuf>,
    pub(crate) notes: Vec<String>,
}

/// Decodes the pictures and writes them into `folder`, which is made.
pub(crate) async fn write(
    pictures: Vec<Bytes>,
    folder: PathBuf,
    max_pixels: u64,
) -> Result<Written, Failure> {
    let written = tokio::task::spawn_blocking(move || write_all(&pictures, &folder, max_pixels)).await;
    written.map_err(|_| Failure::new(FailureKind::BadInput, "a picture cannot be read"))?
}

fn write_all(pictures: &[Bytes], folder: &Path, max_pixels: u64) -> Result<Written, Failure> {
    std::fs::create_dir_all(folder).map_err(|error| cannot_write(&error))?;
    let mut written = Written {
        paths: Vec::new(),
        notes: Vec::new(),
    };
    // One by one: a decoded picture may take some hundred megabytes.
    for (index, bytes) in pictures.iter().enumerate() {
        let view = match pictures.len() {
            1 => String::new(),
            _ => format!("view {}: ", index + 1),
        };
        let picture = upright(bytes, max_pixels).map_err(|error| unreadable(&view, &error))?;
        let path = folder.join(index.to_string());
        File::create(&path)
            .and_then(|file| picture.write_png(file))
            .map_err(|error| cannot_write(&error))?;
        written.paths.push(path);
        let notes = picture.notes().iter();
        written.notes.extend(notes.map(|note| format!("{view}{note}")));
    }
    Ok(written)
}

pub(crate) fn cannot_write(error: &std::io::Error) -> Failure {
    let kind = match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => FailureKind::StorageFull,
        _ => FailureKind::Internal,
    };
    Failure::new(kind, format!("cannot write a file for the worker: {error}"))
}

fn unreadable(view: &str, error: &PictureError) -> Failure {
    Failure {
        fix: error.advice().to_owned(),
        ..Failure::new(FailureKind::BadInput, format!("{view}{error}"))
    }
}

#[cfg(test)]
mod tests {
    use image::codecs::png::PngEncoder;
    use image::{ExtendedColorType, ImageEncoder as _};
    use moxcms::ColorProfile;

    use trellis_picture::decode;

    use super::*;

    /// Red above green in Display P3, stored turned by a quarter.
    fn turned() -> Bytes {
        // Big-endian TIFF with one entry: orientation 6, turn right.
        let exif = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
        let mut png = Vec::new();
        let mut encoder = PngEncoder::new(&mut png);
        let profile = ColorProfile::new_display_p3().encode().unwrap();
        encoder.set_icc_profile(profile).unwrap();
        encoder.set_exif_metadata(exif.to_vec()).unwrap();
        let pixels = [200, 60, 60, 60, 200, 60];
        encoder
            .write_image(&pixels, 2, 1, ExtendedColorType::Rgb8)
            .unwrap();
        png.into()
    }

    #[tokio::test]
    async fn workers_see_what_the_preview_sees() {
        let folder = tempfile::tempdir().unwrap();
        let seen = decode(&turned(), 100).unwrap();
        assert_eq!((seen.width(), seen.height()), (1, 2));
        let written = write(vec![turned()], folder.path().to_owned(), 100)
            .await
            .unwrap();
        let png = image::load_from_memory(&std::fs::read(&written.paths[0]).unwrap()).unwrap();
        assert_eq!(png.color(), image::ColorType::Rgb8);
        assert_eq!(png.to_rgba8().as_raw(), seen.pixels());
        // Display P3's red is stronger than the same number of sRGB.
        assert!(seen.pixels()[0] > 208, "{:?}", seen.pixels());
        assert_eq!(written.notes.len(), 1);
        assert!(written.notes[0].contains("converted from"), "{:?}", written.notes);
    }

    #[tokio::test]
    async fn what_is_wrong_with_a_view_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let heic = Bytes::from_static(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic");
        let failure = write(vec![turned(), heic], folder.path().to_owned(), 100)
            .await
            .unwrap_err();
        assert_eq!(failure.kind, FailureKind::BadInput);
        assert!(
            failure.message.starts_with("view 2: this is a HEIC picture"),
            "{failure:?}"
        );
        assert!(failure.fix.contains("JPEG"), "{failure:?}");
    }
}
