//! What every store does.

use crate::kit::Place;

trellis_jobs::job_store_conformance!(Place);
