//! Tests of the workspace as a whole that need nothing but its manifest.

mod layers;
