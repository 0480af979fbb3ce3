//! Disk, memory, limits and clock of the machine.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::finding::{Check, Finding, Findings, Level, diagnoses};

/// Weights and wheels are 11 GB; below this a job's files may not fit either.
const ENOUGH_DISK_BYTES: u64 = 10 << 30;
/// What the first `nix run` takes, with room for what is only there while it builds: docs/nix.md.
const NIX_BUILD_BYTES: u64 = 40_000_000_000;
/// Loading the checkpoints passes through main memory.
const ENOUGH_MEMORY_BYTES: u64 = 16 << 30;
/// 1 January 2025: before any release of this program. TLS fails with such a clock, and leases lapse.
const RELEASED_SECONDS: u64 = 1_735_689_600;

/// What was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Host {
    /// Free bytes of the folders that will be written.
    pub disks: Vec<(PathBuf, u64)>,
    /// Free bytes of the Nix store, where the environment is still to be built there.
    pub nix_store_bytes: Option<u64>,
    /// All main memory.
    pub memory_bytes: Option<u64>,
    /// How much of it a process may lock; `None` is without limit or unknown.
    pub lockable_bytes: Option<u64>,
    /// Seconds since 1970.
    pub now_seconds: u64,
}

diagnoses! {
    /// State of the host, in bytes.
    #[derive(Clone, PartialEq, Eq)]
    enum HostProblem {
        /// `disk` is the fullest.
        #[error("{}", sentence(*memory, *disk, *lockable))]
        Fine { memory: Option<u64>, disk: Option<u64>, lockable: Option<u64> } = "host_fine", Level::Ok, "";
        #[error("has {} GiB free", free >> 30)]
        DiskFull { free: u64 } = "disk_full", Level::Warn,
            "free 10 GiB, or set `data_dir` to a folder on another disk";
        #[error("has {} GB free; the server with its models takes {} GB while it is built", free / 1_000_000_000, NIX_BUILD_BYTES / 1_000_000_000)]
        NixStoreFull { free: u64 } = "nix_store_full", Level::Warn,
            "free disk space, for example with `nix-collect-garbage`";
        #[error("{} GiB of main memory; loading the models takes up to 16 GiB", total >> 30)]
        LittleMemory { total: u64 } = "little_memory", Level::Warn,
            "close other programs while the models are loaded, or add swap";
        #[error("the clock is before 2025: certificates will be refused and jobs' leases lapse")]
        ClockWrong = "clock_wrong", Level::Error, "set the clock, for example with `timedatectl set-ntp true`";
    }
}

fn sentence(memory: Option<u64>, disk: Option<u64>, lockable: Option<u64>) -> String {
    let part = |bytes: Option<u64>, what: &str| bytes.map(|bytes| format!("{} GiB {what}", bytes >> 30));
    let lockable = lockable.map(|bytes| format!("{} KiB lockable", bytes >> 10));
    let parts = [
        part(memory, "of main memory"),
        part(disk, "of disk free"),
        lockable,
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

impl Host {
    /// Looks at this machine and at the disks of the folders, each disk once; a folder that is not there
    /// counts for its nearest parent.
    pub fn look(folders: &[PathBuf]) -> Self {
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let mut seen = BTreeSet::new();
        Self {
            disks: folders
                .iter()
                .filter_map(|folder| {
                    let there = folder.ancestors().find(|folder| folder.exists())?;
                    let is_new = seen.insert(there.metadata().ok()?.dev());
                    Some((folder.clone(), free(there).filter(|_| is_new)?))
                })
                .collect(),
            nix_store_bytes: None,
            memory_bytes: number_behind(&memory, "MemTotal:").map(|kibibytes| kibibytes << 10),
            lockable_bytes: number_behind(&limits, "Max locked memory"),
            now_seconds: now.map_or(0, |duration| duration.as_secs()),
        }
    }

    /// Also looks at the disk of the Nix store, if it is there: for a machine that has yet to build TRELLIS.
    #[must_use]
    pub fn before_a_build(mut self, store: &Path) -> Self {
        self.nix_store_bytes = free(store);
        self
    }
}

/// Judges a host.
pub fn check(host: &Host) -> Vec<Finding> {
    let mut findings = Findings::of(Check::Host);
    for (folder, free) in host.disks.iter().filter(|(_, free)| *free < ENOUGH_DISK_BYTES) {
        let subject = format!("disk of {}", folder.display());
        findings.say(&subject, &HostProblem::DiskFull { free: *free });
    }
    if let Some(free) = host.nix_store_bytes.filter(|free| *free < NIX_BUILD_BYTES) {
        findings.say("disk of /nix/store", &HostProblem::NixStoreFull { free });
    }
    if let Some(total) = host.memory_bytes.filter(|total| *total < ENOUGH_MEMORY_BYTES) {
        findings.say("memory", &HostProblem::LittleMemory { total });
    }
    if host.now_seconds < RELEASED_SECONDS {
        findings.say("clock", &HostProblem::ClockWrong);
    }
    if findings.said().is_empty() {
        let fine = HostProblem::Fine {
            memory: host.memory_bytes,
            disk: host.disks.iter().map(|(_, free)| *free).min(),
            lockable: host.lockable_bytes,
        };
        findings.say("host", &fine);
    }
    findings.into_vec()
}

fn free(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    disk.f_bavail.checked_mul(disk.f_frsize)
}

/// The first number on the line that begins with the words.
fn number_behind(text: &str, words: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(words))?;
    rest.split_whitespace().next()?.parse().ok()
}
