//! The rules that a derivation must keep, whoever wrote it.

use super::{Derivation, DerivationError};
use crate::store_path::StorePath;

impl Derivation {
    /// Checks every rule; that each output has a path only if `validate_output_paths` asks for it.
    pub fn validate(&self, validate_output_paths: bool) -> Result<(), DerivationError> {
        self.validate_outputs(validate_output_paths)?;
        self.validate_inputs()?;
        if self.system.is_empty() {
            return Err(DerivationError::InvalidPlatform(self.system.clone()));
        }
        if self.builder.is_empty() {
            return Err(DerivationError::InvalidBuilder(self.builder.clone()));
        }
        match self.environment.get_key_value("") {
            Some((key, _)) => Err(DerivationError::InvalidEnvironmentKey(key.clone())),
            None => Ok(()),
        }
    }

    fn validate_outputs(&self, validate_output_paths: bool) -> Result<(), DerivationError> {
        if self.outputs.is_empty() {
            return Err(DerivationError::NoOutputs());
        }
        for (name, output) in &self.outputs {
            validate_output_name(name)?;
            if output.is_fixed() {
                if self.outputs.len() > 1 {
                    return Err(DerivationError::MoreThanOneOutputButFixed());
                }
                if name != "out" {
                    return Err(DerivationError::InvalidOutputNameForFixed(name.clone()));
                }
            }
            output
                .validate(validate_output_paths)
                .map_err(|error| DerivationError::InvalidOutput(name.clone(), error))?;
        }
        Ok(())
    }

    fn validate_inputs(&self) -> Result<(), DerivationError> {
        for (path, outputs) in &self.input_derivations {
            if path.name().strip_suffix(".drv").is_none() {
                return Err(DerivationError::InvalidInputDerivationPrefix(
                    path.to_absolute_path(),
                ));
            }
            if outputs.is_empty() {
                return Err(DerivationError::EmptyInputDerivationOutputNames(
                    path.to_absolute_path(),
                ));
            }
            if let Some(name) = outputs.iter().find(|name| validate_output_name(name).is_err()) {
                return Err(DerivationError::InvalidInputDerivationOutputName(
                    path.to_absolute_path(),
                    name.clone(),
                ));
            }
        }
        Ok(())
    }
}

/// Checks that an output may be called so: not empty, not `drv`, and of a store path name's characters.
pub fn validate_output_name(output_name: &str) -> Result<(), DerivationError> {
    let as_path = StorePath::<String>::from_name_and_digest_fixed(output_name, [0; 20]);
    if output_name == "drv" || as_path.is_err() {
        return Err(DerivationError::InvalidOutputName(output_name.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::derivation::{CAHash, NixHash, Output, OutputError};

    type Break = Box<dyn Fn(&mut Derivation)>;

    fn path(name: &str) -> StorePath<String> {
        StorePath::from_name_and_digest_fixed(name, [7; 20]).expect("a name in order")
    }

    fn valid() -> Derivation {
        let mut derivation = Derivation {
            builder: "/bin/sh".to_owned(),
            system: "x86_64-linux".to_owned(),
            ..Derivation::default()
        };
        derivation.outputs.insert(
            "out".to_owned(),
            Output {
                path: Some(path("x")),
                ca_hash: None,
            },
        );
        derivation
            .input_derivations
            .insert(path("in.drv"), BTreeSet::from(["out".to_owned()]));
        derivation
    }

    fn fixed(hash: CAHash) -> Output {
        Output {
            path: Some(path("x")),
            ca_hash: Some(hash),
        }
    }

    #[test]
    fn accepts_what_is_in_order() {
        assert_eq!(valid().validate(true), Ok(()));
    }

    #[test]
    fn a_path_is_asked_for_on_demand() {
        let mut derivation = valid();
        derivation.outputs.insert("out".to_owned(), Output::default());
        assert_eq!(derivation.validate(false), Ok(()));
        let missing = DerivationError::InvalidOutput("out".to_owned(), OutputError::MissingOutputPath);
        assert_eq!(derivation.validate(true), Err(missing));
    }

    #[test]
    fn refuses_each_broken_rule() {
        let nar = CAHash::Nar(NixHash::Sha256([1; 32]));
        let input = path("in.drv").to_absolute_path();
        let cases: Vec<(Break, DerivationError)> = vec![
            (Box::new(|drv| drv.outputs.clear()), DerivationError::NoOutputs()),
            (
                Box::new(|drv| drv.outputs = [("drv".to_owned(), Output::default())].into()),
                DerivationError::InvalidOutputName("drv".to_owned()),
            ),
            (
                Box::new(|drv| drv.outputs = [("a/b".to_owned(), Output::default())].into()),
                DerivationError::InvalidOutputName("a/b".to_owned()),
            ),
            (
                Box::new({
                    let output = fixed(nar.clone());
                    move |drv| drop(drv.outputs.insert("lib".to_owned(), output.clone()))
                }),
                DerivationError::MoreThanOneOutputButFixed(),
            ),
            (
                Box::new({
                    let output = fixed(nar);
                    move |drv| drv.outputs = [("lib".to_owned(), output.clone())].into()
                }),
                DerivationError::InvalidOutputNameForFixed("lib".to_owned()),
            ),
            (
                Box::new(|drv| drop(drv.outputs.insert("out".to_owned(), fixed(CAHash::Text([1; 32]))))),
                DerivationError::InvalidOutput(
                    "out".to_owned(),
                    OutputError::InvalidCAHash(CAHash::Text([1; 32])),
                ),
            ),
            (
                Box::new(|drv| drop(drv.input_derivations.insert(path("in"), BTreeSet::new()))),
                DerivationError::InvalidInputDerivationPrefix(path("in").to_absolute_path()),
            ),
            (
                Box::new(|drv| drop(drv.input_derivations.insert(path("in.drv"), BTreeSet::new()))),
                DerivationError::EmptyInputDerivationOutputNames(input.clone()),
            ),
            (
                Box::new(|drv| {
                    let names = BTreeSet::from([String::new()]);
                    drv.input_derivations.insert(path("in.drv"), names);
                }),
                DerivationError::InvalidInputDerivationOutputName(input, String::new()),
            ),
            (
                Box::new(|drv| drv.system.clear()),
                DerivationError::InvalidPlatform(String::new()),
            ),
            (
                Box::new(|drv| drv.builder.clear()),
                DerivationError::InvalidBuilder(String::new()),
            ),
            (
                Box::new(|drv| drop(drv.environment.insert(String::new(), "x".into()))),
                DerivationError::InvalidEnvironmentKey(String::new()),
            ),
        ];
        for (damage, expected) in cases {
            let mut derivation = valid();
            damage(&mut derivation);
            assert_eq!(derivation.validate(true), Err(expected));
        }
    }
}
