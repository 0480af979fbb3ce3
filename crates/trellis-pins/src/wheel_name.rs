//! The file name of a wheel: `NAME-VERSION-PYTHON-ABI-PLATFORM.whl`.
//!
//! Source: the binary distribution format of the Python packaging specifications. Build numbers are
//! refused: no pinned wheel has one, and the overlays do not read them.

/// The parts of a wheel's file name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WheelName<'a> {
    /// The distribution's name, words joined by `_`.
    pub name: &'a str,
    /// The version.
    pub version: &'a str,
    /// Interpreters, as `cp312` or `py3`.
    pub python: &'a str,
    /// Binary interface, as `cp312`, `abi3` or `none`.
    pub abi: &'a str,
    /// Platforms, joined by dots.
    pub platform: &'a str,
}

/// Why a file name is not that of a wheel.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum WheelNameError {
    /// Another kind of file.
    #[error("`{filename}` does not end in `.whl`")]
    Suffix {
        /// The name in question.
        filename: String,
    },
    /// Too few or too many parts.
    #[error("`{filename}` has {found} parts where a wheel's name has 5")]
    Parts {
        /// The name in question.
        filename: String,
        /// How many parts there are.
        found: usize,
    },
}

impl<'a> WheelName<'a> {
    /// Takes a file name apart.
    pub fn parse(filename: &'a str) -> Result<Self, WheelNameError> {
        let stem = filename
            .strip_suffix(".whl")
            .ok_or_else(|| WheelNameError::Suffix {
                filename: filename.to_owned(),
            })?;
        let parts: Vec<&str> = stem.split('-').collect();
        let [name, version, python, abi, platform] = parts[..] else {
            return Err(WheelNameError::Parts {
                filename: filename.to_owned(),
                found: parts.len(),
            });
        };
        Ok(Self {
            name,
            version,
            python,
            abi,
            platform,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_name_apart() {
        let name = WheelName::parse("xformers-0.0.33.post2-cp39-abi3-manylinux_2_28_x86_64.whl").unwrap();
        assert_eq!(
            name,
            WheelName {
                name: "xformers",
                version: "0.0.33.post2",
                python: "cp39",
                abi: "abi3",
                platform: "manylinux_2_28_x86_64",
            }
        );
    }

    #[test]
    fn refuses_what_is_no_wheel() {
        for (filename, message) in [
            (
                "torch-2.9.1.tar.gz",
                "`torch-2.9.1.tar.gz` does not end in `.whl`",
            ),
            (
                "torch-2.9.1.whl",
                "`torch-2.9.1.whl` has 2 parts where a wheel's name has 5",
            ),
            (
                "a-1-2-py3-none-any.whl",
                "`a-1-2-py3-none-any.whl` has 6 parts where a wheel's name has 5",
            ),
        ] {
            assert_eq!(WheelName::parse(filename).unwrap_err().to_string(), message);
        }
    }
}
