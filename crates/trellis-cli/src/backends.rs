//! The backends that this machine has, by the settings.

use std::sync::Arc;

use trellis_backend::{Backend, Registry, ReliefBackend, ReliefSettings};
use trellis_core::BackendChoice;

use crate::config::Config;

/// Every backend that `backend` leaves.
pub(crate) fn registry(config: &Config) -> Registry {
    let relief = ReliefBackend::new(ReliefSettings {
        max_pixels: config.limits.pixels,
        ..ReliefSettings::default()
    });
    let all: [Arc<dyn Backend>; 1] = [Arc::new(relief)];
    let wanted = |backend: &Arc<dyn Backend>| {
        config.backend == BackendChoice::Auto || config.backend == backend.choice()
    };
    Registry::new(all.into_iter().filter(wanted).collect())
}
