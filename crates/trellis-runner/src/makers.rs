//! What the job service asks of the backends, answered by those of this process.

use std::sync::Arc;

use trellis_backend::{ExportBackend, Origin, Registry};
use trellis_core::{BackendChoice, Demand, Failure, FailureKind, Format, Model, Sha256};
use trellis_jobs::Makers;

/// The backends of this process, and what is said of their results.
pub struct LocalMakers {
    /// The backends.
    pub registry: Arc<Registry>,
    /// What makes results here.
    pub origin: Arc<Origin>,
}

impl Makers for LocalMakers {
    fn default_model(&self) -> Model {
        self.registry.default_model()
    }

    fn made_by(&self, demand: Demand, formats: &[Format]) -> Result<Option<String>, Failure> {
        if demand.backend() == BackendChoice::Export {
            let exports = ExportBackend::default();
            exports.check(formats)?;
            return Ok(self.origin.identity(&exports));
        }
        let backend = self.registry.route(demand, formats).backend()?;
        Ok(self.origin.identity(backend.as_ref()))
    }

    fn made_by_with_mesh(&self, demand: Demand, formats: &[Format]) -> Result<Option<String>, Failure> {
        let backend = self.registry.route(demand, formats).backend()?;
        Ok(self.origin.identity_with_mesh(backend.as_ref()))
    }

    fn textures_meshes(&self, demand: Demand) -> Result<(), Failure> {
        match self.registry.route(demand, &[Format::Glb]).backend() {
            Ok(backend) => backend.textures_meshes(),
            Err(failure) if failure.kind == FailureKind::Unsupported => Err(failure),
            // It waits until somebody acts.
            Err(_) => Ok(()),
        }
    }

    fn decodes(&self, model: Model, decoder: Sha256) -> bool {
        decoder == self.origin.decoder(model)
    }
}
