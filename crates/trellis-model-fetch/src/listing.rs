//! What a repository holds at a revision: the commit and its files with sizes and digests.
//!
//! Routes, as the hub's own client uses them: `/api/models/REPO/revision/REV` for the commit, then
//! `/api/models/REPO/tree/COMMIT?recursive=true`, in pages that `Link: <…cursor=…>; rel="next"` joins. Only the
//! cursor is taken from that link: behind a mirror its host is still the hub's.

use reqwest::Url;
use reqwest::header::{HeaderMap, LINK};
use serde::Deserialize;
use trellis_models::Reference;

use crate::client::Hub;
use crate::error::FetchError;
use crate::file::Digest;
use crate::progress::Progress;

/// A repository has at most this many pages of a thousand files; more is a hub in a loop.
const MAX_PAGES: usize = 100;

/// A repository at a commit.
#[derive(Debug, Clone)]
pub(crate) struct Listing {
    /// The commit.
    pub(crate) commit: String,
    /// Its files.
    pub(crate) files: Vec<Entry>,
}

/// A file of a repository.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Its path, which stays inside a folder.
    pub(crate) path: String,
    /// Bytes.
    pub(crate) size: u64,
    /// What it must hash to; also the name of its blob in a cache.
    pub(crate) digest: Digest,
}

#[derive(Deserialize)]
struct Revision {
    sha: String,
}

#[derive(Deserialize)]
struct TreeEntry {
    r#type: String,
    path: String,
    oid: String,
    #[serde(default)]
    size: u64,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    oid: String,
    size: u64,
}

impl Listing {
    pub(crate) fn file(&self, path: &str) -> Option<&Entry> {
        self.files.iter().find(|entry| entry.path == path)
    }
}

impl Hub {
    /// Asks the hub for a repository's files.
    pub(crate) async fn list(
        &self,
        repo: &str,
        revision: &str,
        progress: &dyn Progress,
    ) -> Result<Listing, FetchError> {
        let place = format!("{repo} at {revision}");
        let url = self.address(&["api", "models"], repo, &["revision", revision]);
        let (found, _): (Revision, _) = self.json(&url, &place, progress).await?;
        // It becomes a folder's name.
        if !is_commit(&found.sha) {
            return Err(FetchError::UnsafeName { name: found.sha });
        }
        let mut url = self.address(&["api", "models"], repo, &["tree", &found.sha]);
        url.query_pairs_mut().append_pair("recursive", "true");
        let mut files = Vec::new();
        let mut next = Some(url.clone());
        for _ in 0..MAX_PAGES {
            let Some(page) = next.take() else { break };
            let (entries, headers): (Vec<TreeEntry>, _) = self.json(&page, &place, progress).await?;
            for entry in entries.into_iter().filter(|entry| entry.r#type == "file") {
                files.push(entry.checked()?);
            }
            next = cursor(&headers).map(|cursor| {
                let mut page = url.clone();
                page.query_pairs_mut().append_pair("cursor", &cursor);
                page
            });
        }
        Ok(Listing {
            commit: found.sha,
            files,
        })
    }

    /// Where a file of a repository is served.
    pub(crate) fn file_address(&self, repo: &str, commit: &str, path: &str) -> Url {
        let mut rest = vec!["resolve", commit];
        rest.extend(path.split('/'));
        self.address(&[], repo, &rest)
    }

    fn address(&self, before: &[&str], repo: &str, after: &[&str]) -> Url {
        let mut url = self.settings.endpoint.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty()
                .extend(before)
                .extend(repo.split('/'))
                .extend(after);
        }
        url
    }
}

impl TreeEntry {
    fn checked(self) -> Result<Entry, FetchError> {
        if Reference::parse(&self.path).is_err() {
            return Err(FetchError::UnsafeName { name: self.path });
        }
        let (size, digest) = match self.lfs {
            Some(lfs) => (lfs.size, Digest::Sha256(lfs.oid)),
            None => (self.size, Digest::GitBlob(self.oid)),
        };
        match digest.text() {
            Some(text) if text.len() >= 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) => {}
            other => {
                let name = other.unwrap_or_default().to_owned();
                return Err(FetchError::UnsafeName { name });
            }
        }
        Ok(Entry {
            path: self.path,
            size,
            digest,
        })
    }
}

/// Whether a text is a whole commit id.
pub(crate) fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The cursor in the link to the next page.
fn cursor(headers: &HeaderMap) -> Option<String> {
    let links = headers
        .get_all(LINK)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut parts = links.flat_map(|value| value.split(','));
    let next = parts.find(|part| part.contains("rel=\"next\""))?;
    let address = next.trim().strip_prefix('<')?.split('>').next()?;
    let base = Url::parse("http://relative.invalid").ok()?;
    let url = base.join(address).ok()?;
    let mut pairs = url.query_pairs();
    pairs.find_map(|(key, value)| (key == "cursor").then(|| value.into_owned()))
}

#[cfg(test)]
mod tests {
    use trellis_core::Explain as _;

    use super::*;

    #[test]
    fn takes_only_the_cursor_from_the_link_to_the_next_page() {
        let mut headers = HeaderMap::new();
        let link = "<https://hub.example/api/models/a/b/tree/x?recursive=true&cursor=Zm9v%3D>; rel=\"next\"";
        headers.insert(LINK, link.parse().unwrap());
        assert_eq!(cursor(&headers).unwrap(), "Zm9v=");
        headers.insert(
            LINK,
            "<https://hub.example/?cursor=x>; rel=\"prev\"".parse().unwrap(),
        );
        assert_eq!(cursor(&headers), None);
    }

    #[test]
    fn refuses_path_traversal_in_a_listing() {
        let entry = |path: &str, oid: &str| TreeEntry {
            r#type: "file".to_owned(),
            path: path.to_owned(),
            oid: oid.to_owned(),
            size: 1,
            lfs: None,
        };
        let good = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";
        assert!(entry("ckpts/x.json", good).checked().is_ok());
        for (path, oid) in [("../x", good), ("/etc/x", good), ("x", "../../x"), ("x", "")] {
            assert_eq!(
                entry(path, oid).checked().unwrap_err().kind(),
                "unsafe_name",
                "{path} {oid}"
            );
        }
    }
}
