//! Of animations and files of several pages the first one is read, and a note says how many there are.

use image::ImageFormat;
use trellis_picture::Note;

use crate::kit::{animated_webp, bars, encoded, gif, notes, read, tiff, with_chunk};

#[test]
fn an_animation_gives_its_first_frame_and_says_so() {
    let picture = read(&gif(12));
    assert_eq!((picture.width(), picture.pixels()[0]), (20, 250));
    assert_eq!(
        notes(&picture),
        ["the picture is an animation: its first frame was used, 11 more frames were left out"]
    );
    let control = [0, 0, 0, 2, 0, 0, 0, 0];
    let apng = with_chunk(&encoded(bars(), ImageFormat::Png), *b"acTL", &control);
    assert_eq!(read(&apng).notes(), [Note::FirstFrame { of: 2 }]);
    let webp = read(&animated_webp(3));
    assert!(webp.width() == 20 && webp.pixels()[1] > 190 && webp.pixels()[3] == 255);
    assert_eq!(webp.notes(), [Note::FirstFrame { of: 3 }]);
}

#[test]
fn a_single_frame_is_no_animation() {
    for bytes in [gif(1), animated_webp(1), tiff(&[&[]])] {
        assert_eq!(read(&bytes).notes(), []);
    }
}

#[test]
fn pages_are_counted_but_thumbnails_are_not() {
    let page: &[(u16, u16, u32)] = &[];
    let thumbnail: &[(u16, u16, u32)] = &[(254, 4, 1)];
    let picture = read(&tiff(&[page, page, thumbnail, page]));
    assert_eq!(picture.pixels()[..4], [10, 10, 10, 255]);
    assert_eq!(
        notes(&picture),
        ["the picture has 3 pages: the first one was used, 2 more pages were left out"]
    );
    assert_eq!(read(&tiff(&[page, thumbnail])).notes(), []);
}
