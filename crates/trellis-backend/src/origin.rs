//! Says of each result what made it: in the GLB itself and, where that is asked for, in a statement beside
//! the files.
//!
//! Whoever has a backend work goes through here, the server's runner as well as `trellis generate`, so that
//! both say the same. Not here: what this machine is; that is handed in.

use serde_json::json;
use trellis_core::{AssetName, Installation, Model, Params, Pin, Provenance, PythonEnv, Schema, Sha256};
use trellis_provenance::{Envelope, Run, SigningKey, Statement, Subject};

use crate::backend::{Backend, MadeWith};

/// What a result was made from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pictures {
    /// SHA-256 of each picture's bytes, in order.
    pub sha256: Vec<Sha256>,
    /// SHA-256 of the GLB of which the files are a conversion, or of what was sampled and they are decoded from.
    pub source: Option<Sha256>,
    /// What the object is called inside its files, where the first picture came with a name.
    pub name: Option<AssetName>,
}

/// What makes results here, and who vouches for them.
#[derive(Debug)]
pub struct Origin {
    installation: Installation,
    /// What runs a model that has an environment and a folder of its own.
    of_models: Vec<(Model, Installation)>,
    signer: Option<SigningKey>,
    states: bool,
    /// Whether the lock of TRELLIS.2's folder has what encodes a given mesh.
    locks_shape_encoder: bool,
}

/// A statement as it is written to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementText {
    /// The file's ending, without a dot before it.
    pub ending: &'static str,
    /// Its media type.
    pub media_type: &'static str,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The name of the key that signed it.
    pub signed_by: Option<String>,
}

impl Origin {
    /// Of results made by `installation`; with a key there is a signed statement about each.
    pub fn new(installation: Installation, signer: Option<SigningKey>) -> Self {
        Self {
            installation,
            of_models: Vec::new(),
            states: signer.is_some(),
            locks_shape_encoder: false,
            signer,
        }
    }

    /// Has a statement made about each result also without a key.
    #[must_use]
    pub fn with_statements(self, asked: bool) -> Self {
        Self {
            states: asked || self.signer.is_some(),
            ..self
        }
    }

    /// Has this be what runs a model, where the others run in another Python environment.
    #[must_use]
    pub fn with_model(mut self, model: Model, installation: Installation) -> Self {
        self.of_models.push((model, installation));
        self
    }

    /// Says whether the lock of TRELLIS.2's folder has what encodes a given mesh.
    #[must_use]
    pub fn with_locked_shape_encoder(self, locked: bool) -> Self {
        Self {
            locks_shape_encoder: locked,
            ..self
        }
    }

    /// What runs a backend of this model, or of none.
    pub fn installation_of(&self, model: Option<Model>) -> &Installation {
        let own = |(own, _): &&(Model, Installation)| Some(*own) == model;
        let own = self.of_models.iter().find(own);
        own.map_or(&self.installation, |(_, installation)| installation)
    }

    /// What runs here.
    pub fn installation(&self) -> &Installation {
        &self.installation
    }

    /// Names all that makes a backend's results besides pictures and parameters, for comparing them. `None`
    /// where something takes part that is not named exactly: then no result stands for a later one.
    pub fn identity(&self, backend: &dyn Backend) -> Option<String> {
        let installation = self.installation_of(backend.model());
        let mut named = json!({
            "backend": backend.capabilities().name,
            "variant": backend.variant().unwrap_or("reference"),
            "server": self.installation.server,
            // A result that was kept without a statement is not what is asked for where there is to be one.
            "statement": self.states,
        });
        if let Some(tuning) = backend.tuning() {
            named["tuning"] = json!(tuning);
        }
        // Without Nix the program's own digest says which build it is.
        if self.installation.server.pin == (Pin::Unpinned { sha256: None }) {
            return None;
        }
        if backend.uses_python() {
            if !installation.python_env.is_nix() {
                return None;
            }
            named["python_env"] = json!(installation.python_env);
            named["model_lock"] = json!(installation.model_lock.as_ref()?);
        }
        Some(named.to_string())
    }

    /// The same for a result that a given mesh takes part in. What encodes it is named by the model's lock, if it is there.
    pub fn identity_with_mesh(&self, backend: &dyn Backend) -> Option<String> {
        self.identity(backend).filter(|_| self.locks_shape_encoder)
    }

    /// Names what decodes here what a model sampled: its Python environment and its folder. Latents mean nothing to others.
    pub fn decoder(&self, model: Model) -> Sha256 {
        let installation = self.installation_of(Some(model));
        let named = json!([installation.python_env, installation.model_lock]);
        Sha256::of(named.to_string())
    }

    /// What made a result.
    pub fn provenance(
        &self,
        backend: &dyn Backend,
        from: Pictures,
        params: &Params,
        with: &MadeWith,
    ) -> Provenance {
        let python = backend.uses_python();
        let installation = self.installation_of(backend.model());
        Provenance {
            schema: Schema,
            inputs: from.sha256,
            source: from.source,
            name: from.name,
            params: params.clone(),
            backend: backend.capabilities().name.to_owned(),
            variant: backend.variant().map(str::to_owned),
            server: self.installation.server.clone(),
            python_env: python.then(|| PythonEnv {
                versions: with.versions.clone(),
                pin: installation.python_env.clone(),
            }),
            model_lock: installation.model_lock.filter(|_| python),
            tuning: with.tuning,
            gpu: with.gpu.clone(),
            non_commercial: with.non_commercial.clone(),
        }
    }

    /// States what made the files, where that is asked for; signed where there is a key.
    pub fn statement(&self, files: &[Subject], provenance: &Provenance, run: &Run) -> Option<StatementText> {
        if !self.states {
            return None;
        }
        let statement = Statement::new(files, provenance, run);
        Some(match &self.signer {
            None => StatementText {
                ending: Statement::ENDING,
                media_type: Statement::MEDIA_TYPE,
                bytes: statement.to_json(),
                signed_by: None,
            },
            Some(key) => StatementText {
                ending: Envelope::ENDING,
                media_type: Envelope::MEDIA_TYPE,
                bytes: Envelope::seal(&statement, key).to_json(),
                signed_by: Some(key.name().to_owned()),
            },
        })
    }
}

#[cfg(test)]
mod tests;
