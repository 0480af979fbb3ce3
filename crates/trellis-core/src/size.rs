//! Numbers of bytes for people.

/// Files and downloads, in decimal units as file managers and hubs show them.
///
/// ```
/// let shown = [999, 312_400, 4_200_000, 1_203_000_000].map(trellis_core::file_size);
/// assert_eq!(shown, ["999 B", "312 kB", "4.2 MB", "1.2 GB"]);
/// ```
pub fn file_size(bytes: u64) -> String {
    match bytes {
        0..1000 => format!("{bytes} B"),
        1000..1_000_000 => format!("{} kB", (bytes + 500) / 1000),
        1_000_000..1_000_000_000 => format!("{} MB", tenths(bytes, 1_000_000)),
        _ => format!("{} GB", tenths(bytes, 1_000_000_000)),
    }
}

/// Memory, in the binary unit in which GPUs and main memory are sold.
///
/// ```
/// assert_eq!(trellis_core::memory_size(15 << 30), "15.0 GiB");
/// assert_eq!(trellis_core::memory_size(5 << 29), "2.5 GiB");
/// ```
pub fn memory_size(bytes: u64) -> String {
    format!("{} GiB", tenths(bytes, 1 << 30))
}

/// Rounded to one digit after the point.
fn tenths(bytes: u64, unit: u64) -> String {
    let tenths = (u128::from(bytes) * 10 + u128::from(unit / 2)) / u128::from(unit);
    format!("{}.{}", tenths / 10, tenths % 10)
}
