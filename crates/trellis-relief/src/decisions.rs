//! What was decided while the object was told from its picture.

use crate::enclosed::Enclosed;

/// Where a mask comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MaskSource {
    /// The picture's alpha channel.
    #[default]
    Alpha,
    /// The background was removed by its colours.
    Removed,
    /// Nowhere: the whole picture is the object.
    Whole,
}

/// What was decided on the way, for notes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Decisions {
    pub(crate) enclosed: Enclosed,
    /// Whether there were bars around the picture.
    pub(crate) bars: bool,
    /// Whether something grey beside the object was taken for its shadow.
    pub(crate) hard_shadow: bool,
    pub(crate) source: MaskSource,
    /// How far the background strays from its surfaces in brightness, as a deviation.
    pub(crate) unevenness: f32,
    /// Whether there is an alpha channel that tells nothing.
    pub(crate) alpha_ignored: bool,
}
