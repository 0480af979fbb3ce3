//! What a person should know of how a picture was read.

use std::fmt;

use crate::tiff::MOST_PAGES;

/// Something about how a picture was read that its look does not tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// The colours were converted to sRGB.
    Converted {
        /// The colour space by its name.
        from: String,
    },
    /// The colour profile cannot be used, so the numbers were taken as sRGB.
    ProfileUnreadable,
    /// The colour profile is for pixels of another kind, so it was left out.
    ProfileMismatch {
        /// What the profile is for.
        profile: &'static str,
        /// What the pixels are.
        pixels: &'static str,
    },
    /// Inks without a profile that says how they look.
    InkWithoutProfile,
    /// Brightness beyond what a screen shows, not mapped into its range.
    HighDynamicRange,
    /// An animation.
    FirstFrame {
        /// How many frames it has.
        of: u32,
    },
    /// A file of several pages.
    FirstPage {
        /// How many pages it has.
        of: u32,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Converted { from } => write!(f, "the picture's colours were converted from {from} to sRGB"),
            Self::ProfileUnreadable => f.write_str(
                "the picture's colour profile cannot be used, so its colours were read as sRGB and may be off",
            ),
            Self::ProfileMismatch { profile, pixels } => write!(
                f,
                "the picture's colour profile is for {profile} but its pixels are {pixels}: the profile was left \
                 out, and the colours may be off"
            ),
            Self::InkWithoutProfile => f.write_str(
                "the picture is CMYK without a profile that can be used, so its colours are approximate",
            ),
            Self::HighDynamicRange => f.write_str(
                "the picture is HDR, and its brightness was not mapped: it may look flat; a picture in sRGB does not",
            ),
            Self::FirstFrame { of } => write!(
                f,
                "the picture is an animation: its first frame was used, {} left out",
                others(*of, "frame")
            ),
            Self::FirstPage { of } if *of >= MOST_PAGES => {
                write!(f, "the picture has {MOST_PAGES} pages or more: the first one was used")
            }
            Self::FirstPage { of } => {
                write!(f, "the picture has {of} pages: the first one was used, {} left out", others(*of, "page"))
            }
        }
    }
}

fn others(of: u32, what: &str) -> String {
    match of.saturating_sub(1) {
        1 => format!("1 more {what} was"),
        more => format!("{more} more {what}s were"),
    }
}
