//! How urgent a job is.
//!
//! Not here: what follows from it, which `rules::next` of trellis-jobs decides.

use serde::{Deserialize, Serialize};

use crate::named;

named! {
    /// Which of an API key's waiting jobs starts first. It has no effect on the jobs of other keys.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
    #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
    pub enum Priority: "a priority" {
        /// After the others.
        Low = "low",
        /// The default.
        #[default]
        Normal = "normal",
        /// Before the others.
        High = "high",
    }
}

impl Priority {
    /// The number by which stores keep it: the larger, the more urgent; 0 is normal.
    pub const fn rank(self) -> i16 {
        match self {
            Self::Low => -1,
            Self::Normal => 0,
            Self::High => 1,
        }
    }

    /// The priority of that number; of one that only a later version knows, the nearest.
    pub const fn from_rank(rank: i16) -> Self {
        match rank {
            ..0 => Self::Low,
            0 => Self::Normal,
            1.. => Self::High,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priorities_are_ordered_as_their_ranks_are() {
        assert!(Priority::ALL.is_sorted());
        assert!(Priority::ALL.is_sorted_by_key(|priority| priority.rank()));
        for priority in Priority::ALL {
            assert_eq!(Priority::from_rank(priority.rank()), priority);
        }
        assert_eq!(Priority::from_rank(i16::MIN), Priority::Low);
        assert_eq!(Priority::from_rank(i16::MAX), Priority::High);
        assert_eq!(Priority::default().rank(), 0, "the default of the tables");
    }
}
