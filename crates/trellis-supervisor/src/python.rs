//! The worker's Python sources, carried in the binary: server and worker are always of one version.

use std::io;
use std::path::{Path, PathBuf};

macro_rules! sources {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../../../worker/trellis_worker/", $name)))),+]
    };
}

const SOURCES: &[(&str, &str)] = sources![
    "__init__.py",
    "__main__.py",
    "artifacts.py",
    "attention.py",
    "caching.py",
    "channel.py",
    "checkpoints.py",
    "cores.py",
    "cutout.py",
    "deferred.py",
    "determinism.py",
    "exports.py",
    "facts.py",
    "failures.py",
    "families/__init__.py",
    "families/trellis1.py",
    "families/trellis2.py",
    "families/trellis2_files.py",
    "families/trellis2_flows.py",
    "families/trellis2_latents.py",
    "families/trellis2_ovoxel.py",
    "families/trellis2_texturing.py",
    "families/trellis2_turntable.py",
    "families/trellis2_voxels.py",
    "family.py",
    "generate.py",
    "graphs.py",
    "guidance.py",
    "hooks.py",
    "latent_flow.py",
    "latents.py",
    "loading.py",
    "meshes.py",
    "offline.py",
    "parent.py",
    "pictures.py",
    "placement.py",
    "plausible.py",
    "protocol.py",
    "quality.py",
    "session.py",
    "splats.py",
    "stages.py",
    "surface.py",
    "symptoms.json",
    "texture/__init__.py",
    "texture/alpha.py",
    "texture/atlas.py",
    "texture/bake.py",
    "texture/charts.py",
    "texture/fill.py",
    "texture/glb.py",
    "texture/holes.py",
    "texture/kernel.py",
    "texture/nearest.py",
    "texture/observations.py",
    "texture/pack.py",
    "texture/pbr.py",
    "texture/raster.py",
    "texture/reduce.py",
    "texture/repaint.py",
    "texture/simplify.py",
    "texture/unwrap.py",
    "texture/voxels.py",
    "texture/walls.py",
    "token_flow.py",
    "turns.py",
    "varlen.py",
    "views.py",
    "warmup.py",
];

/// The folders below the package's own.
const PARTS: [&str; 2] = ["families", "texture"];

/// The module that is run.
pub(crate) const MODULE: &str = "trellis_worker";

/// Why the sources could not be written.
#[derive(Debug, thiserror::Error)]
#[error("the worker's sources cannot be written to `{}`", path.display())]
pub struct UnpackError {
    /// Where.
    pub path: PathBuf,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

/// Writes the sources below `folder`, where they are not there as they should be, and gives the folder for
/// Python's path. A file is replaced as a whole: another server's worker may be reading it.
pub(crate) fn unpack(folder: &Path) -> Result<PathBuf, UnpackError> {
    let path = folder.join("python");
    let package = path.join(MODULE);
    let write = || {
        for part in PARTS {
            std::fs::create_dir_all(package.join(part))?;
        }
        for (name, text) in SOURCES {
            let file = package.join(name);
            if std::fs::read(&file).is_ok_and(|there| there == text.as_bytes()) {
                continue;
            }
            let temporary = package.join(format!("{name}-{}", std::process::id()));
            std::fs::write(&temporary, text)?;
            std::fs::rename(temporary, file)?;
        }
        Ok(())
    };
    write().map_err(|source| UnpackError {
        path: path.clone(),
        source,
    })?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources_in(folder: &Path, prefix: &str) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| {
                Path::new(name)
                    .extension()
                    .is_some_and(|ending| ending == "py" || ending == "json")
            })
            .map(|name| format!("{prefix}{name}"))
            .collect()
    }

    #[test]
    fn every_source_is_carried_and_written() {
        let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../worker/trellis_worker");
        let mut there = sources_in(&package, "");
        for part in PARTS {
            there.extend(sources_in(&package.join(part), &format!("{part}/")));
        }
        there.sort();
        assert_eq!(there, SOURCES.iter().map(|(name, _)| *name).collect::<Vec<_>>());

        let folder = tempfile::tempdir().unwrap();
        let path = unpack(folder.path()).unwrap();
        let first = path.join(MODULE).join(SOURCES[0].0);
        std::fs::write(&first, "of an earlier version").unwrap();
        assert_eq!(unpack(folder.path()).unwrap(), path);
        assert_eq!(std::fs::read_to_string(&first).unwrap(), SOURCES[0].1);
        // Nothing is left but the sources and their folders.
        let written = |folder: &str| std::fs::read_dir(path.join(MODULE).join(folder)).unwrap().count();
        let in_parts: usize = PARTS.iter().map(|part| written(part)).sum();
        assert_eq!(written("") + in_parts, SOURCES.len() + PARTS.len());
    }
}
