//! How many files the process may have open, connections among them.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::debug;

/// Files besides connections: database, blobs, workers' pipes.
const OTHERS: u64 = 256;

/// Raises the soft limit to the hard one and returns how many connections fit under it, at most `wanted`. The soft
/// limit is low for programs that still use `select`, which no part of this one does.
pub(crate) fn connections(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        debug!(%error, "the limit on open files stays as it is");
    }
    fitting(wanted, getrlimit(Resource::Nofile).current)
}

fn fitting(wanted: usize, files: Option<u64>) -> usize {
    let Some(files) = files else {
        return wanted;
    };
    // An answer may have a file open beside its connection.
    let fit = files.saturating_sub(OTHERS) / 2;
    wanted.min(usize::try_from(fit).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_everything_else() {
        assert_eq!(fitting(1024, None), 1024);
        assert_eq!(fitting(1024, Some(524_288)), 1024);
        assert_eq!(fitting(1024, Some(1024)), 384);
        assert_eq!(fitting(1024, Some(100)), 0);
    }
}
