//! The file formats that an asset can be asked for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A format of a result. Which of them a backend makes is in its capabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Binary glTF 2.0: mesh, texture and material in one file.
    Glb,
    /// Wavefront OBJ with its MTL and its texture, in one zip file.
    Obj,
    /// Binary STL: the mesh alone, Z up, in millimetres.
    Stl,
    /// Binary PLY of the mesh with vertex colours.
    Ply,
    /// Binary PLY of 3D Gaussian splats, as TRELLIS saves them.
    GaussianPly,
    /// MP4 of the asset turning once.
    Turntable,
}

/// A format's name that is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not a format; choose from {}", Format::names())]
pub struct UnknownFormat {
    /// What was given.
    pub name: String,
}

impl Format {
    /// Every format, in the order in which they are listed to people.
    pub const ALL: [Self; 6] = [
        Self::Glb,
        Self::Obj,
        Self::Stl,
        Self::Ply,
        Self::GaussianPly,
        Self::Turntable,
    ];

    /// The name in parameters and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Glb => "glb",
            Self::Obj => "obj",
            Self::Stl => "stl",
            Self::Ply => "ply",
            Self::GaussianPly => "gaussian_ply",
            Self::Turntable => "turntable",
        }
    }

    /// The ending of a file of this format, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Glb => "glb",
            Self::Obj => "obj",
            Self::Stl => "stl",
            Self::Ply | Self::GaussianPly => "ply",
            Self::Turntable => "mp4",
        }
    }

    /// The media type (IANA where one is registered).
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Glb => "model/gltf-binary",
            Self::Obj => "application/zip",
            Self::Stl => "model/stl",
            Self::Ply | Self::GaussianPly => "application/ply",
            Self::Turntable => "video/mp4",
        }
    }

    fn names() -> String {
        Self::ALL.map(|format| format!("`{format}`")).join(", ")
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|format| format.name() == name);
        found.ok_or_else(|| UnknownFormat {
            name: name.chars().take(64).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_is_what_serde_writes() {
        for format in Format::ALL {
            assert_eq!(serde_json::to_value(format).unwrap(), format.name());
            assert_eq!(format.name().parse::<Format>().unwrap(), format);
        }
    }
}
