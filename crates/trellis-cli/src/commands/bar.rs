//! The bar over bytes that are hashed.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressStyle};

const HASH: &str = "{prefix} {bar:30} {bytes}/{total_bytes} {bytes_per_sec}, {eta} left";

/// A bar over bytes that are hashed; hidden where standard error is no terminal or when `quiet`.
pub(super) fn hashing(bytes: u64, quiet: bool) -> ProgressBar {
    if quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = styled(ProgressBar::new(bytes), HASH);
    bar.set_prefix("hashing");
    bar
}

/// A bar with this template.
pub(super) fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()))
}
