//! Which results are the same: a digest of everything that they depend on.

use std::fmt;

use serde::Serialize;
use trellis_core::{AssetName, Params, Sha256};

/// The digest.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CacheKey(String);

/// What is digested; another number where its form or meaning changes.
const FORM: u32 = 2;

#[derive(Serialize)]
struct Digested<'a> {
    form: u32,
    inputs: &'a [Sha256],
    name: Option<&'a AssetName>,
    params: &'a Params,
    made_by: &'a str,
}

impl CacheKey {
    /// The key of a result. The name of the picture stands in the files; `made_by` names everything that makes it: the backend, and the exact program,
    /// environment and model.
    ///
    /// # Panics
    /// Never: texts and numbers in range are JSON.
    pub fn new(inputs: &[Sha256], name: Option<&AssetName>, params: &Params, made_by: &str) -> Self {
        let digested = Digested {
            form: FORM,
            inputs,
            name,
            params,
            made_by,
        };
        let text = serde_json::to_vec(&digested).expect("texts and numbers in range");
        Self(Sha256::of(&text).to_string())
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use trellis_core::{Format, ParamsPatch};

    use super::*;

    #[test]
    fn everything_that_a_result_depends_on_makes_another_key() {
        let params = |patch: ParamsPatch| patch.resolve(7).unwrap();
        let usual = params(ParamsPatch::default());
        let inputs = ["a", "b"].map(Sha256::of);
        let key = CacheKey::new(&inputs, None, &usual, "relief 1");
        assert_eq!(key, CacheKey::new(&inputs, None, &usual, "relief 1"));
        let seed = ParamsPatch::default().with("seed", 8);
        let formats = ParamsPatch::default().with("formats", vec![Format::Glb, Format::Stl]);
        let steps = ParamsPatch::default().with("ss_sampling_steps", 13);
        let chair = AssetName::of_file("chair.png");
        let swapped = [inputs[1], inputs[0]];
        for other in [
            CacheKey::new(&inputs, None, &params(seed), "relief 1"),
            CacheKey::new(&inputs, None, &params(formats), "relief 1"),
            CacheKey::new(&inputs, None, &params(steps), "relief 1"),
            CacheKey::new(&inputs, None, &usual, "relief 2"),
            CacheKey::new(&inputs, chair.as_ref(), &usual, "relief 1"),
            CacheKey::new(&swapped, None, &usual, "relief 1"),
            CacheKey::new(&inputs[..1], None, &usual, "relief 1"),
        ] {
            assert_ne!(key, other);
        }
    }
}
