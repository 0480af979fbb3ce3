//! The memory allocator of the program, for whoever links this crate: jemalloc on Linux with x86-64, elsewhere the
//! system's.
//!
//! glibc keeps what a burst of uploads took, in up to eight arenas for each core; docs/performance.md has the
//! measurement. jemalloc gives unused pages back. Not here: how much memory anything may take.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// jemalloc's settings: few arenas, since an idle one holds memory; unused pages go back at once; threads keep nothing
/// for themselves that is larger than 4 KiB.
#[used]
#[expect(
    unsafe_code,
    reason = "jemalloc looks for its settings under this name, and nothing else here has it"
)]
#[unsafe(export_name = "_rjem_malloc_conf")]
static SETTINGS: &[u8; 61] = b"narenas:2,dirty_decay_ms:0,muzzy_decay_ms:0,lg_tcache_max:12\0";
