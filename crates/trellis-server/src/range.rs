//! Reads `Range` headers (RFC 9110, section 14).
//!
//! One byte range is followed. Several ranges, another unit or a malformed header are ignored, which
//! the RFC allows: the client then gets everything.

use std::ops::Range;

/// What a client gets of a representation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Portion {
    /// All of it.
    Whole,
    /// These bytes; never empty, within the size.
    Part(Range<u64>),
    /// The range lies outside.
    Unsatisfiable,
}

/// What `header` asks of `size_bytes` bytes.
pub(crate) fn portion(header: &str, size_bytes: u64) -> Portion {
    let Some((first, last)) = single_range(header) else {
        return Portion::Whole;
    };
    let range = match (first, last) {
        (None, None) => return Portion::Whole,
        // The last so many bytes.
        (None, Some(0)) => return Portion::Unsatisfiable,
        (None, Some(count)) => size_bytes.saturating_sub(count)..size_bytes,
        (Some(first), None) => first..size_bytes,
        (Some(first), Some(last)) if last < first => return Portion::Whole,
        (Some(first), Some(last)) => first..last.saturating_add(1).min(size_bytes),
    };
    if range.is_empty() {
        Portion::Unsatisfiable
    } else {
        Portion::Part(range)
    }
}

/// `bytes=first-last` with one or both numbers; `None` for anything else.
fn single_range(header: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (unit, set) = header.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = set.trim().split_once('-')?;
    Some((position(first).ok()?, position(last).ok()?))
}

struct Malformed;

/// Digits or nothing. A number beyond 64 bits is beyond every size, so it saturates.
fn position(text: &str) -> Result<Option<u64>, Malformed> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Malformed);
    }
    Ok((!text.is_empty()).then(|| text.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn table() {
        for (header, expected) in [
            ("bytes=0-0", Portion::Part(0..1)),
            ("bytes=2-5", Portion::Part(2..6)),
            ("bytes=7-", Portion::Part(7..10)),
            ("bytes=-3", Portion::Part(7..10)),
            ("bytes=-99", Portion::Part(0..10)),
            ("bytes=0-99999999999999999999999", Portion::Part(0..10)),
            ("Bytes=0-1", Portion::Part(0..2)),
            ("bytes=10-", Portion::Unsatisfiable),
            ("bytes=99999999999999999999999-", Portion::Unsatisfiable),
            ("bytes=-0", Portion::Unsatisfiable),
            ("bytes=5-2", Portion::Whole),
            ("bytes=-", Portion::Whole),
            ("bytes=0-1,3-4", Portion::Whole),
            ("bytes=+1-2", Portion::Whole),
            ("lines=0-1", Portion::Whole),
            ("", Portion::Whole),
        ] {
            assert_eq!(portion(header, 10), expected, "{header}");
        }
        assert_eq!(portion("bytes=0-", 0), Portion::Unsatisfiable);
        assert_eq!(portion("bytes=-5", 0), Portion::Unsatisfiable);
    }

    proptest! {
        #[test]
        fn a_part_is_never_empty_and_lies_within(header in "(bytes)?[=]?[0-9]{0,22}-[0-9]{0,22}", size in any::<u64>()) {
            if let Portion::Part(range) = portion(&header, size) {
                prop_assert!(range.start < range.end && range.end <= size);
            }
        }

        #[test]
        fn any_text_is_survived(header in ".*", size in any::<u64>()) {
            let _ = portion(&header, size);
        }

        #[test]
        fn what_is_printed_is_read_back(start in 0..1000u64, length in 1..1000u64) {
            let printed = format!("bytes={start}-{}", start + length - 1);
            prop_assert_eq!(portion(&printed, 2000), Portion::Part(start..start + length));
        }
    }
}
