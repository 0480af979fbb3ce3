//! Reads one checkpoint's two files and holds them against each other and against the role they play.

use std::path::{Path, PathBuf};

use safetensors::Dtype;

use super::settings::ConditionNetwork;
use crate::cache::find_cached;
use crate::config::Config;
use crate::header::Header;
use crate::moves::Misplaced;
use crate::numbers;
use crate::places::Places;
use crate::problem::Problem;
use crate::published;
use crate::reference::Reference;
use crate::report::Checkpoint;
use crate::role::{self, Class, Role};
use crate::shape_encoder;
use crate::shapes::{Implied, implied};

/// A checkpoint as far as it could be read.
#[derive(Debug)]
pub(crate) struct Read {
    name: String,
    present: bool,
    built_in_config: bool,
    class_name: Option<String>,
    class: Option<Class>,
    implied: Option<Implied>,
    header: Option<Header>,
    /// What is wrong with it.
    pub(crate) problems: Vec<Problem>,
}

/// Reads a checkpoint where the loader would: in the folder, else in another repository's cache.
pub(crate) fn read_checkpoint(
    folder: &Path,
    reference: &Reference,
    roles: &[String],
    places: &Places,
) -> Read {
    let files = reference.files_in(folder);
    let known = &role::known(roles)[..];
    for (path, name) in [(&files.1, reference.weights()), (&files.0, reference.config())] {
        if let Some(problem) = dangling(path, name) {
            return Read::absent(reference, problem);
        }
    }
    match (files.0.is_file(), files.1.is_file(), reference.other_repo()) {
        (true, true, _) => Read::whole(reference, &files, known),
        (_, true, _) if shape_encoder::is(known) => Read::whole(reference, &files, known),
        (_, false, _) if shape_encoder::is(known) => {
            let file = reference.weights();
            Read::absent(reference, Problem::ShapeEncoderMissing { file })
        }
        (false, false, Some((repo, inner))) => {
            let cached = find_cached(&repo, None, &places.hub_cache).ok();
            let files = cached.map(|found| inner.files_in(&found.folder));
            match files.filter(|files| files.0.is_file() && files.1.is_file()) {
                Some(files) => Read::whole(reference, &files, known),
                None => Read::absent(
                    reference,
                    Problem::WouldDownload {
                        name: reference.as_str().to_owned(),
                        role: roles.join("`, `"),
                        repo,
                    },
                ),
            }
        }
        (false, false, None) => Read::absent(
            reference,
            Problem::CheckpointMissing {
                name: reference.as_str().to_owned(),
                role: roles.join("`, `"),
            },
        ),
        (config, ..) => Read::absent(reference, half(reference, config)),
    }
}

/// A link that leads nowhere, as where a cache lost its blob.
pub(super) fn dangling(path: &Path, file: String) -> Option<Problem> {
    let target = std::fs::read_link(path).ok()?;
    (!path.exists()).then_some(Problem::DanglingLink { file, target })
}

fn half(reference: &Reference, config_is_there: bool) -> Problem {
    Problem::CheckpointHalf {
        name: reference.as_str().to_owned(),
        missing: if config_is_there {
            reference.weights()
        } else {
            reference.config()
        },
    }
}

impl Read {
    fn absent(reference: &Reference, problem: Problem) -> Self {
        Self {
            name: reference.as_str().to_owned(),
            present: false,
            built_in_config: false,
            class_name: None,
            class: None,
            implied: None,
            header: None,
            problems: vec![problem],
        }
    }

    /// Reads configuration, header and samples of the numbers; the files are known to be there.
    pub(crate) fn whole(reference: &Reference, files: &(PathBuf, PathBuf), roles: &[Role]) -> Self {
        let mut read = Self::of_files(reference, files, roles);
        let Some(header) = read.header.take().filter(|_| read.problems.is_empty()) else {
            return read;
        };
        read.problems
            .extend(published::check_counts(reference, &files.0, &header));
        match numbers::look(&files.1, &header) {
            Ok(None) => {}
            Ok(Some(reason)) => read.problems.push(Problem::Numbers {
                name: read.name.clone(),
                reason,
            }),
            Err(source) => read.problems.push(Problem::Unreadable {
                path: files.1.clone(),
                source,
            }),
        }
        read.header = Some(header);
        read
    }

    /// Reads configuration and header; the weights are known to be there.
    pub(crate) fn of_files(reference: &Reference, files: &(PathBuf, PathBuf), roles: &[Role]) -> Self {
        let built_in = shape_encoder::built_in(roles).filter(|_| !files.0.exists());
        let mut read = Self {
            name: reference.as_str().to_owned(),
            present: files.0.is_file() || built_in.is_some(),
            built_in_config: built_in.is_some(),
            class_name: None,
            class: None,
            implied: None,
            header: None,
            problems: Vec::new(),
        };
        let config = match built_in {
            Some(config) => Some(config),
            None if read.present => read.read_config(&files.0),
            None => {
                read.problems.push(half(reference, false));
                None
            }
        };
        if let Some(config) = &config {
            read.take_config(config);
        }
        match Header::read(&files.1) {
            Ok(header) => {
                if let Some(config) = config.filter(|_| shape_encoder::is(roles)) {
                    read.check_published_encoder(&config, &header);
                }
                read.check_shapes(&header);
                read.check_dtypes(&header);
                read.header = Some(header);
            }
            Err(reason) => read.problems.push(Problem::Weights {
                name: read.name.clone(),
                reason,
            }),
        }
        read
    }

    /// Takes what lies elsewhere in the folder for this checkpoint. What is damaged in place stays told.
    pub(super) fn found_elsewhere(
        self,
        folder: &Path,
        (reference, roles): (&Reference, &[Role]),
        misplaced: &Misplaced,
    ) -> Self {
        let place = |wanted: String| {
            let moved = misplaced.moves.iter().find(|one| one.to == wanted);
            folder.join(moved.map_or(wanted.as_str(), |one| one.from.as_str()))
        };
        let files = (place(reference.config()), place(reference.weights()));
        let mut read = Self::whole(reference, &files, roles);
        let damaged = self.problems.into_iter().filter(|problem| {
            !matches!(
                problem,
                Problem::CheckpointMissing { .. }
                    | Problem::CheckpointHalf { .. }
                    | Problem::DanglingLink { .. }
                    | Problem::WouldDownload { .. }
                    | Problem::ShapeEncoderMissing { .. }
            )
        });
        read.present = false;
        read.problems.extend(damaged);
        read.problems.push(misplaced.into());
        read
    }

    fn read_config(&mut self, path: &Path) -> Option<Config> {
        match Config::read(path) {
            Ok(config) => Some(config),
            Err(source) => {
                let name = self.name.clone();
                self.problems.push(Problem::ConfigUnreadable { name, source });
                None
            }
        }
    }

    fn take_config(&mut self, config: &Config) {
        let name = self.name.clone();
        self.class_name = Some(config.name.clone());
        let Some(class) = Class::from_name(&config.name) else {
            let class = config.name.clone();
            return self.problems.push(Problem::ClassUnknown { name, class });
        };
        self.class = Some(class);
        match implied(class, config) {
            Ok(implied) => self.implied = Some(implied),
            Err(reason) => self.problems.push(Problem::ConfigArgument { name, reason }),
        }
    }

    /// No digest of its configuration is public, so that is compared by its values.
    fn check_published_encoder(&mut self, config: &Config, header: &Header) {
        if !shape_encoder::is_published(header.file_bytes) {
            return;
        }
        if let Some(argument) = shape_encoder::difference(config) {
            let name = self.name.clone();
            self.problems.push(Problem::ConfigDiffers { name, argument });
        }
    }

    /// One problem a checkpoint: the first difference tells the story, forty tell it no better.
    fn check_shapes(&mut self, header: &Header) {
        let Some(implied) = &self.implied else { return };
        let blocks = implied.blocks.filter(|&blocks| blocks != header.blocks());
        let fault = if let Some(expected) = blocks {
            Some(format!(
                "{} transformer blocks instead of {expected}",
                header.blocks()
            ))
        } else {
            implied
                .tensors
                .iter()
                .find_map(|expected| match header.tensors.get(&expected.tensor) {
                    None => Some(format!("tensor `{}` is missing", expected.tensor)),
                    Some(tensor) if tensor.shape != expected.shape => Some(format!(
                        "tensor `{}` is {:?}, the configuration implies {:?}",
                        expected.tensor, tensor.shape, expected.shape
                    )),
                    Some(_) => None,
                })
        };
        if let Some(fault) = fault {
            let name = self.name.clone();
            self.problems.push(Problem::Shape { name, fault });
        }
    }

    fn check_dtypes(&mut self, header: &Header) {
        let float = |dtype| matches!(dtype, Dtype::F16 | Dtype::BF16 | Dtype::F32 | Dtype::F64);
        if !header.tensors.values().all(|tensor| float(tensor.dtype)) {
            self.problems.push(Problem::OddDtype {
                name: self.name.clone(),
                dtypes: header.dtypes().join(", "),
            });
        }
    }

    /// Holds the class against the role, and the conditioning against the network that gives it.
    pub(crate) fn check_role(&mut self, role: Role, network: Option<&ConditionNetwork>) {
        let (Some(class), Some(class_name)) = (self.class, self.class_name.clone()) else {
            return;
        };
        if class != role.class() {
            self.problems.push(Problem::ClassDoesNotFit {
                name: self.name.clone(),
                class: class_name,
                role: role.name(),
            });
            return;
        }
        let expected = self.implied.as_ref().and_then(|implied| implied.condition_width);
        if let (Some(expected), Some(network)) = (expected, network)
            && expected != network.width
        {
            self.problems.push(Problem::ConditionWidth {
                role: role.name(),
                network: network.name.clone(),
                expected,
                found: network.width,
            });
        }
    }

    /// The report's entry, without roles.
    pub(crate) fn into_checkpoint(self) -> Checkpoint {
        let header = self.header.as_ref();
        Checkpoint {
            roles: Vec::new(),
            sound: self.problems.is_empty(),
            present: self.present,
            class: self.class_name,
            dtypes: header.map(Header::dtypes).unwrap_or_default(),
            bytes: header.map(|h| h.file_bytes),
            built_in_config: self.built_in_config,
            name: self.name,
        }
    }
}
