//! Which results are the same: a digest of everything that they depend on. It is kept with the job that succeeded,
//! where a later one that asks the same finds it.

use serde::Serialize;
use trellis_core::{AssetName, Input, Params, Sha256};

/// The digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheKey(String);

/// What is digested; another number where its form or meaning changes.
const FORM: u32 = 2;

#[derive(Serialize)]
struct Digested<'a> {
    form: u32,
    inputs: Vec<Sha256>,
    name: Option<&'a AssetName>,
    params: &'a Params,
    made_by: &'a str,
}

impl CacheKey {
    /// The key of a result made of `inputs`. The name of the first picture counts because it stands in the files;
    /// `made_by` names everything that makes it: the backend, and the exact program, environment and model.
    ///
    /// # Panics
    /// Never: texts and numbers in range are JSON.
    pub fn new(inputs: &[Input], params: &Params, made_by: &str) -> Self {
        let name = inputs.first().and_then(|input| input.name.as_ref());
        let inputs: Vec<Sha256> = inputs.iter().map(|input| input.sha256).collect();
        let digested = Digested {
            form: FORM,
            inputs,
            name,
            params,
            made_by,
        };
        let text = serde_json::to_vec(&digested).expect("texts and numbers in range");
        Self(Sha256::of(text).to_string())
    }

    /// The key of what is converted from a GLB, or decoded from what was sampled.
    pub fn of_export(inputs: &[Input], params: &Params, made_by: &str, glb: Sha256) -> Self {
        Self::new(inputs, params, &format!("{made_by} from {glb}"))
    }

    /// A key as it was stored.
    pub fn from_stored(key: String) -> Self {
        Self(key)
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use trellis_core::{Format, InputFile, ParamsPatch, PictureFormat};

    use super::*;

    #[test]
    fn everything_that_a_result_depends_on_makes_another_key() {
        let params = |patch: ParamsPatch| patch.resolve(7).unwrap();
        let usual = params(ParamsPatch::default());
        let input = |sha256: &str| Input {
            file: InputFile::picture(PictureFormat::Png, 1, 1),
            size_bytes: 1,
            sha256: Sha256::of(sha256),
            name: None,
        };
        let inputs = [input("a"), input("b")];
        let key = CacheKey::new(&inputs, &usual, "relief 1");
        assert_eq!(key, CacheKey::new(&inputs, &usual, "relief 1"));
        let seed = ParamsPatch::default().with("seed", 8);
        let formats = ParamsPatch::default().with("formats", vec![Format::Glb, Format::Stl]);
        let steps = ParamsPatch::default().with("ss_sampling_steps", 13);
        let mut named = inputs.clone();
        named[0].name = AssetName::of_file("chair.png");
        let swapped = [input("b"), input("a")];
        for other in [
            CacheKey::new(&inputs, &params(seed), "relief 1"),
            CacheKey::new(&inputs, &params(formats), "relief 1"),
            CacheKey::new(&inputs, &params(steps), "relief 1"),
            CacheKey::new(&inputs, &usual, "relief 2"),
            CacheKey::new(&named, &usual, "relief 1"),
            CacheKey::new(&swapped, &usual, "relief 1"),
            CacheKey::new(&inputs[..1], &usual, "relief 1"),
        ] {
            assert_ne!(key, other);
        }
    }
}
