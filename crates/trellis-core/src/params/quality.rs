//! How near a model's work stays to its authors' own code, for models that have more than one way.

use serde::{Deserialize, Serialize};

use super::parameter::{FromGiven, Given};
use crate::named;

named! {
    /// How near the work stays to TRELLIS's own code. `exact` is that code; `balanced` does the same work in faster ways,
    /// measured beside it; `draft` leaves out flow steps besides, the soonest, and loses detail: the F-score that was
    /// published for this way falls from 0.841 to 0.823. Results of one are never taken for another's.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
    #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
    pub enum Quality: "a quality" {
        /// Leaves out flow steps that change little, and loses detail.
        Draft = "draft",
        /// The same work in faster ways.
        #[default]
        Balanced = "balanced",
        /// TRELLIS's own code for everything.
        Exact = "exact",
    }
}

impl Quality {
    /// What jobs and records are of that name none: they are of before there was another.
    pub fn unnamed() -> Self {
        Self::Exact
    }
}

impl From<Quality> for Given {
    fn from(value: Quality) -> Self {
        Self::Name(value.name())
    }
}

impl FromGiven for Quality {
    fn from_given(given: Given) -> Option<Self> {
        let Given::Name(name) = given else { return None };
        name.parse().ok()
    }
}
