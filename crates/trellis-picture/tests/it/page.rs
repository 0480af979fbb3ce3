//! The page about pictures lists what is read and what is not, with the same words as the program.

use std::fmt::Write as _;

use trellis_core::PictureFormat;
use trellis_picture::ForeignFile;

const PAGE: &str = include_str!("../../../../docs/pictures.md");

#[test]
fn the_page_lists_every_kind() {
    let mut table = String::new();
    for kind in ForeignFile::ALL {
        let _ = writeln!(table, "| {} | {} |", kind.title(), kind.advice());
    }
    assert!(
        PAGE.contains(&table),
        "docs/pictures.md has another table than\n{table}"
    );
    assert!(
        PAGE.contains(PictureFormat::LISTED),
        "docs/pictures.md does not say {}",
        PictureFormat::LISTED
    );
}
