//! References by reading: which store paths' hash parts occur in a stream of bytes.
//!
//! A hash part is 32 characters of Nix's base-32 alphabet. Windows are looked at from their end: a byte outside
//! the alphabet rules out every window that holds it, so that in binaries most bytes are never looked at.
//! Feeding goes in pieces of any size; a hash part across two pieces is found.

use std::collections::{BTreeSet, HashMap};

use nix_compat::store_path::{ENCODED_DIGEST_SIZE as PART, StorePath};

/// The bytes of a hash part as they stand in a path.
pub(crate) type HashPart = [u8; PART];

/// What may be referred to: every path of a store.
#[derive(Debug, Default)]
pub(crate) struct Candidates(HashMap<HashPart, Vec<StorePath<String>>>);

impl Candidates {
    pub(crate) fn new(paths: impl IntoIterator<Item = StorePath<String>>) -> Self {
        let mut by_part: HashMap<HashPart, Vec<_>> = HashMap::new();
        for path in paths {
            let name = path.to_string();
            if let Some(part) = name.as_bytes().first_chunk() {
                by_part.entry(*part).or_default().push(path);
            }
        }
        Self(by_part)
    }

    /// The paths that have these hash parts.
    pub(crate) fn paths(&self, hits: &Hits) -> Vec<StorePath<String>> {
        let found = hits.iter().filter_map(|part| self.0.get(part));
        let mut paths: Vec<_> = found.flatten().cloned().collect();
        paths.sort_unstable();
        paths
    }
}

/// Hash parts that were found.
pub(crate) type Hits = BTreeSet<HashPart>;

/// Looks for candidates in a stream.
pub(crate) struct Scanner<'a> {
    candidates: &'a Candidates,
    hits: Hits,
    /// The last bytes of the pieces before, where a hash part may have begun.
    tail: Vec<u8>,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(candidates: &'a Candidates) -> Self {
        Self {
            candidates,
            hits: Hits::new(),
            tail: Vec::with_capacity(2 * PART),
        }
    }

    /// The next bytes of the stream.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        let across = bytes.len().min(PART - 1);
        let mut seam = std::mem::take(&mut self.tail);
        seam.extend_from_slice(&bytes[..across]);
        self.look(&seam);
        if bytes.len() >= PART {
            self.look(bytes);
            seam.clear();
            seam.extend_from_slice(&bytes[bytes.len() - (PART - 1)..]);
        } else if seam.len() >= PART {
            seam.drain(..seam.len() - (PART - 1));
        }
        self.tail = seam;
    }

    pub(crate) fn into_hits(self) -> Hits {
        self.hits
    }

    fn look(&mut self, bytes: &[u8]) {
        let mut start = 0;
        // How many bytes at the window's start are known to be of the alphabet.
        let mut known = 0;
        while let Some(window) = bytes[start..].first_chunk::<PART>() {
            if let Some(bad) = window[known..]
                .iter()
                .rposition(|byte| !ALPHABET[usize::from(*byte)])
            {
                start += known + bad + 1;
                known = PART - 1 - known - bad;
                continue;
            }
            if self.candidates.0.contains_key(window) {
                self.hits.insert(*window);
            }
            start += 1;
            known = PART - 1;
        }
    }
}

/// Which bytes a hash part may hold.
const ALPHABET: [bool; 256] = {
    let letters = b"0123456789abcdfghijklmnpqrsvwxyz";
    let mut table = [false; 256];
    let mut at = 0;
    while at < letters.len() {
        table[letters[at] as usize] = true;
        at += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn path(letter: char) -> StorePath<String> {
        let name = format!("{}-x", letter.to_string().repeat(PART));
        name.parse().expect("a store path")
    }

    fn found(stream: &[u8], piece: usize) -> Vec<String> {
        let candidates = Candidates::new(['0', '1', 'a'].map(path));
        let mut scanner = Scanner::new(&candidates);
        for piece in stream.chunks(piece.max(1)) {
            scanner.feed(piece);
        }
        let paths = candidates.paths(&scanner.into_hits());
        paths.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn finds_parts_anywhere_and_nothing_else() {
        let zeros = "0".repeat(PART);
        let ones = "1".repeat(PART);
        let text = format!("/nix/store/{zeros}-x:{}e{ones}", "a".repeat(PART - 1));
        let expected = [path('0').to_string(), path('1').to_string()];
        for piece in [1, 2, 31, 32, 33, 1000] {
            assert_eq!(found(text.as_bytes(), piece), expected, "pieces of {piece}");
        }
    }

    #[test]
    fn finds_a_part_inside_a_longer_run() {
        let text = format!("b{}b", "a".repeat(PART));
        assert_eq!(found(text.as_bytes(), 7), [path('a').to_string()]);
    }

    proptest! {
        #[test]
        fn agrees_with_looking_at_every_window(
            stream in proptest::collection::vec(proptest::sample::select(b"01ae".to_vec()), 0..300),
            run in 0_usize..40, at in 0_usize..300, piece in 1_usize..80,
        ) {
            let mut stream = stream;
            let at = at.min(stream.len());
            stream.splice(at..at, std::iter::repeat_n(b'1', run));
            let windows: Vec<String> = ['0', '1', 'a']
                .into_iter()
                .filter(|letter| stream.windows(PART).any(|window| window.iter().all(|b| char::from(*b) == *letter)))
                .map(|letter| path(letter).to_string())
                .collect();
            prop_assert_eq!(found(&stream, piece), windows);
        }
    }
}
