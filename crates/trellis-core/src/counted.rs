//! A number with its noun, in the singular or the plural.

/// `1 view`, `2 views`, `0 views`.
///
/// ```
/// assert_eq!(trellis_core::counted(1, "view", "views"), "1 view");
/// assert_eq!(trellis_core::counted(3, "entry", "entries"), "3 entries");
/// ```
pub fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
