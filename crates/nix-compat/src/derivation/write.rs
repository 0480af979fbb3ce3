//! A derivation as ATerm: `Derive([outputs],[inputDrvs],[inputSrcs],system,builder,[args],[env])`.

use std::collections::BTreeSet;
use std::io::{self, Write};

use super::{Derivation, Output};
use crate::aterm::{write_list, write_string};
use crate::nixhash::{CAHash, NixHash};

impl Derivation {
    /// Writes the bytes of the `.drv` file.
    pub fn serialize(&self, writer: &mut impl Write) -> io::Result<()> {
        let inputs = self
            .input_derivations
            .iter()
            .map(|(path, names)| (path.to_absolute_path(), names));
        self.write_with_inputs(writer, inputs)
    }

    /// The bytes of the `.drv` file.
    #[expect(clippy::missing_panics_doc, reason = "a vector takes all that is written")]
    pub fn to_aterm_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.serialize(&mut bytes)
            .expect("a vector takes all that is written");
        bytes
    }

    /// Writes it with something else, already in order, in the place of the input derivations' paths.
    pub(super) fn write_with_inputs<'a>(
        &self,
        writer: &mut impl Write,
        inputs: impl Iterator<Item = (String, &'a BTreeSet<String>)>,
    ) -> io::Result<()> {
        writer.write_all(b"Derive(")?;
        write_list(writer, &self.outputs, |writer, (name, output)| {
            write_output(writer, name, output)
        })?;
        writer.write_all(b",")?;
        write_list(writer, inputs, |writer, (input, names)| {
            writer.write_all(b"(")?;
            write_string(writer, input.as_bytes())?;
            writer.write_all(b",")?;
            write_list(writer, names, |writer, name| {
                write_string(writer, name.as_bytes())
            })?;
            writer.write_all(b")")
        })?;
        writer.write_all(b",")?;
        write_list(writer, &self.input_sources, |writer, path| {
            write_string(writer, path.to_absolute_path().as_bytes())
        })?;
        for text in [&self.system, &self.builder] {
            writer.write_all(b",")?;
            write_string(writer, text.as_bytes())?;
        }
        writer.write_all(b",")?;
        write_list(writer, &self.arguments, |writer, text| {
            write_string(writer, text.as_bytes())
        })?;
        writer.write_all(b",")?;
        write_list(writer, &self.environment, |writer, (key, value)| {
            write_tuple(writer, [key.as_bytes(), value])
        })?;
        writer.write_all(b")")
    }
}

fn write_output(writer: &mut impl Write, name: &str, output: &Output) -> io::Result<()> {
    let (method, digest) = match &output.ca_hash {
        Some(hash) => (method(hash), lower_hex(&hash.hash())),
        None => Default::default(),
    };
    write_tuple(
        writer,
        [
            name.as_bytes(),
            output.path_str().as_bytes(),
            method.as_bytes(),
            digest.as_bytes(),
        ],
    )
}

fn write_tuple<const N: usize>(writer: &mut impl Write, strings: [&[u8]; N]) -> io::Result<()> {
    writer.write_all(b"(")?;
    for (index, string) in strings.into_iter().enumerate() {
        if index > 0 {
            writer.write_all(b",")?;
        }
        write_string(writer, string)?;
    }
    writer.write_all(b")")
}

/// How and by which algorithm a fixed output is hashed, as ATerm has it: `sha256`, `r:sha256`, `text:sha256`.
pub(super) fn method(hash: &CAHash) -> String {
    let prefix = match hash {
        CAHash::Flat(_) => "",
        CAHash::Nar(_) => "r:",
        CAHash::Text(_) => "text:",
    };
    format!("{prefix}{}", hash.hash().algo())
}

pub(super) fn lower_hex(hash: &NixHash) -> String {
    data_encoding::HEXLOWER.encode(hash.digest_as_bytes())
}
