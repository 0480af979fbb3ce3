//! GLBs made here, converted.

mod glbs;
mod meshes;
mod objs;
mod voxels;
