//! All derivations of a folder: each is written again, and its paths are computed anew from its inputs.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::path::Path;
use std::{fs, io};

use nix_compat::derivation::Derivation;
use nix_compat::store_path::{StorePath, StorePathRef};

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// How many derivations agree in everything.
    pub(crate) agreeing: usize,
    /// How many outputs those have.
    pub(crate) outputs: usize,
    /// How many of those are fixed.
    pub(crate) fixed: usize,
    /// File names, with what is not as Nix has it.
    pub(crate) differing: BTreeMap<String, String>,
}

/// Checks each `.drv` file of a folder; the inputs of each must be there too.
pub(crate) fn check(folder: &Path) -> io::Result<Found> {
    let mut found = Found::default();
    let mut derivations = HashMap::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.strip_suffix(".drv").is_none() {
            continue;
        }
        match read(folder, &name) {
            Ok((path, derivation)) => drop(derivations.insert(path, derivation)),
            Err(difference) => drop(found.differing.insert(name, difference)),
        }
    }
    let hashes = modulo_hashes(&derivations);
    for (path, derivation) in &derivations {
        match recompute(path, derivation, &hashes) {
            Ok(()) => {
                found.agreeing += 1;
                found.outputs += derivation.outputs.len();
                found.fixed += usize::from(derivation.fod_digest().is_some());
            }
            Err(difference) => drop(found.differing.insert(path.to_string(), difference)),
        }
    }
    Ok(found)
}

/// Reads one file, and writes it again.
fn read(folder: &Path, name: &str) -> Result<(StorePath<String>, Derivation), String> {
    let bytes = fs::read(folder.join(name)).map_err(|error| error.to_string())?;
    let path = name.parse().map_err(|error| chain(&error))?;
    let derivation = Derivation::from_aterm_bytes(&bytes).map_err(|error| chain(&error))?;
    if derivation.to_aterm_bytes() == bytes {
        Ok((path, derivation))
    } else {
        Err("is written in another way".to_owned())
    }
}

type Hashes = HashMap<StorePath<String>, [u8; 32]>;

/// The modulo hashes of all whose inputs are there, inputs first. Without recursion: chains are long.
fn modulo_hashes(derivations: &HashMap<StorePath<String>, Derivation>) -> Hashes {
    let mut hashes = Hashes::new();
    let mut waiting: Vec<&StorePath<String>> = derivations.keys().collect();
    let mut visited = std::collections::HashSet::new();
    while let Some(path) = waiting.pop() {
        let Some(derivation) = derivations.get(path).filter(|_| !hashes.contains_key(path)) else {
            continue;
        };
        let is_known = |input: &&StorePath<String>| hashes.contains_key(*input);
        if derivation.fod_digest().is_some()
            || derivation.input_derivations.keys().all(|input| is_known(&input))
        {
            let lookup = |input: &StorePathRef| hashes[&input.to_owned()];
            let hash = derivation.hash_derivation_modulo(lookup);
            hashes.insert(path.clone(), hash);
        } else if visited.insert(path) {
            waiting.push(path);
            waiting.extend(derivation.input_derivations.keys());
        }
    }
    hashes
}

/// Compares with a derivation whose paths were taken away and computed again.
fn recompute(path: &StorePath<String>, derivation: &Derivation, hashes: &Hashes) -> Result<(), String> {
    let name = path.name().strip_suffix(".drv").unwrap_or(path.name());
    let own = derivation
        .calculate_derivation_path(name)
        .map_err(|error| chain(&error))?;
    if own != *path {
        return Err(format!("its own path is computed as {own}"));
    }
    let mut anew = derivation.clone();
    for (output_name, output) in &mut anew.outputs {
        output.path = None;
        anew.environment.insert(output_name.clone(), "".into());
    }
    if let Some(missing) = derivation
        .input_derivations
        .keys()
        .find(|input| !hashes.contains_key(input))
    {
        return Err(format!("its input {missing} is not there"));
    }
    let hash = anew.hash_derivation_modulo(|input| hashes[&input.to_owned()]);
    anew.calculate_output_paths(name, &hash)
        .map_err(|error| chain(&error))?;
    if anew == *derivation {
        return Ok(());
    }
    let paths = anew
        .outputs
        .values()
        .map(|output| output.path_str().into_owned())
        .collect::<Vec<_>>();
    Err(format!("its outputs are computed as {}", paths.join(", ")))
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
