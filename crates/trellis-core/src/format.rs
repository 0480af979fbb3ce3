//! The file formats that an asset can be asked for.

use serde::{Deserialize, Serialize};

use crate::named;

named! {
    /// A format of a result. Which of them a backend makes is in its capabilities.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
    #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
    pub enum Format: "a format" {
        /// Binary glTF 2.0: mesh, texture and material in one file.
        Glb = "glb",
        /// Wavefront OBJ with its MTL and its texture, in one zip file.
        Obj = "obj",
        /// MagicaVoxel `.vox`: the voxels of the surface and inside, with colours.
        Voxels = "voxels",
        /// Binary STL: the mesh alone, Z up, in millimetres.
        Stl = "stl",
        /// Binary PLY of the mesh with vertex colours.
        Ply = "ply",
        /// Binary PLY of 3D Gaussian splats, as TRELLIS saves them.
        GaussianPly = "gaussian_ply",
        /// MP4 of the asset turning once.
        Turntable = "turntable",
        /// O-Voxel `.vxz`, TRELLIS.2's own voxel file: the surface with materials at each voxel.
        Vxz = "vxz",
    }
}

impl Format {
    /// The ending of a file of this format, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Glb => "glb",
            Self::Obj => "obj",
            Self::Voxels => "vox",
            Self::Stl => "stl",
            Self::Ply | Self::GaussianPly => "ply",
            Self::Turntable => "mp4",
            Self::Vxz => "vxz",
        }
    }

    /// The media type (IANA where one is registered).
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Glb => "model/gltf-binary",
            Self::Obj => "application/zip",
            Self::Voxels => "model/x-vox",
            Self::Stl => "model/stl",
            Self::Ply | Self::GaussianPly => "application/ply",
            Self::Turntable => "video/mp4",
            Self::Vxz => "model/x-vxz",
        }
    }
}
