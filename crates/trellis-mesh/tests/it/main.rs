//! Meshes as exporters write them, and as they arrive when something went wrong.

mod glbs;
mod objs;
mod plys;
mod refused;
