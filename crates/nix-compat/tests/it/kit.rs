//! Golden files, and a model of what an archive holds.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read, Write};
use std::path::PathBuf;

use nix_compat::nar::{reader, writer};

pub(crate) fn golden(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/goldens/made")).join(name)
}

pub(crate) fn golden_text(name: &str) -> String {
    std::fs::read_to_string(golden(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The lines of a golden file, split into columns. Never none.
pub(crate) fn rows<const COLUMNS: usize>(name: &str) -> Vec<[String; COLUMNS]> {
    let rows = golden_text(name)
        .lines()
        .map(|line| {
            let columns: Vec<String> = line.split('\t').map(ToOwned::to_owned).collect();
            columns
                .try_into()
                .unwrap_or_else(|columns| panic!("{name}: {columns:?}"))
        })
        .collect::<Vec<_>>();
    assert!(!rows.is_empty(), "{name} is empty");
    rows
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tree {
    Symlink(Vec<u8>),
    File { executable: bool, contents: Vec<u8> },
    Directory(BTreeMap<Vec<u8>, Tree>),
}

impl Tree {
    pub(crate) fn to_nar(&self) -> Vec<u8> {
        let mut nar = Vec::new();
        self.write(writer::open(&mut nar).unwrap()).unwrap();
        nar
    }

    fn write(&self, node: writer::Node<'_, impl Write>) -> io::Result<()> {
        match self {
            Self::Symlink(target) => node.symlink(target),
            Self::File { executable, contents } => {
                node.file(*executable, contents.len() as u64, &mut contents.as_slice())
            }
            Self::Directory(entries) => {
                let mut directory = node.directory()?;
                for (name, tree) in entries {
                    tree.write(directory.entry(name)?)?;
                }
                directory.close()
            }
        }
    }

    /// Reads an archive and nothing behind it, through a buffer of so many bytes.
    pub(crate) fn from_nar(nar: &[u8], buffer: usize) -> io::Result<Self> {
        Self::read(reader::open(&mut BufReader::with_capacity(buffer, nar))?)
    }

    fn read(node: reader::Node<'_, '_>) -> io::Result<Self> {
        Ok(match node {
            reader::Node::Symlink { target } => Self::Symlink(target),
            reader::Node::File {
                executable,
                mut reader,
            } => {
                let mut contents = Vec::new();
                reader.read_to_end(&mut contents)?;
                Self::File { executable, contents }
            }
            reader::Node::Directory(mut directory) => {
                let mut entries = BTreeMap::new();
                while let Some(entry) = directory.next()? {
                    let name = entry.name.to_owned();
                    entries.insert(name, Self::read(entry.node)?);
                }
                Self::Directory(entries)
            }
        })
    }
}
