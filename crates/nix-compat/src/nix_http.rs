//! Names and types of what a binary cache serves over HTTP. Not here: asking for it.

use crate::nixbase32;
use crate::store_path::DIGEST_SIZE;

/// A NAR, compressed or not.
pub const MIME_TYPE_NAR: &str = "application/x-nix-nar";
/// What is known of one store path.
pub const MIME_TYPE_NARINFO: &str = "text/x-nix-narinfo";
/// What is known of the cache itself, `nix-cache-info`.
pub const MIME_TYPE_CACHE_INFO: &str = "text/x-nix-cache-info";

/// Splits the file name of a NAR, `<52 characters>.nar[.xz]`, into its SHA-256 and the compression's suffix
/// with its dot, or an empty one.
///
/// ```
/// # use nix_compat::nix_http::parse_nar_str;
/// let name = "1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s.nar.xz";
/// assert_eq!(parse_nar_str(name).map(|(_digest, suffix)| suffix), Some(".xz"));
/// assert_eq!(parse_nar_str("index.html"), None);
/// ```
pub fn parse_nar_str(s: &str) -> Option<([u8; 32], &str)> {
    let (digest, rest) = s.split_at_checked(nixbase32::encode_len(32))?;
    let suffix = rest.strip_prefix(".nar")?;
    let is_suffix =
        suffix.is_empty() || (suffix.starts_with('.') && suffix.len() > 1 && !suffix.contains('/'));
    Some((nixbase32::decode_fixed(digest).ok()?, suffix)).filter(|_| is_suffix)
}

/// The digest in the file name `<32 characters>.narinfo`.
pub fn parse_narinfo_str(s: &str) -> Option<[u8; DIGEST_SIZE]> {
    nixbase32::decode_fixed(s.strip_suffix(".narinfo")?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAR: &str = "1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s";
    const PATH: &str = "x6ki2m4gfm7a1nmqk76i22h82315s64w";

    #[test]
    fn reads_the_names_of_nars() {
        for suffix in ["", ".xz", ".zst", ".tar.gz"] {
            let name = format!("{NAR}.nar{suffix}");
            let (digest, found) = parse_nar_str(&name).expect("a NAR's name");
            assert_eq!((nixbase32::encode(&digest), found), (NAR.to_owned(), suffix));
        }
        let wrong = [
            NAR.to_owned(),
            format!("{NAR}.nar."),
            format!("{NAR}.narxz"),
            format!("{NAR}.nar.xz/../x"),
            format!("0{NAR}.nar"),
            format!("{}e.nar", &NAR[..51]),
            format!("{}é.nar", &NAR[..51]),
        ];
        for name in wrong {
            assert_eq!(parse_nar_str(&name), None, "{name}");
        }
    }

    #[test]
    fn reads_the_names_of_narinfos() {
        let digest = parse_narinfo_str(&format!("{PATH}.narinfo")).expect("a narinfo's name");
        assert_eq!(nixbase32::encode(&digest), PATH);
        for name in [
            PATH.to_owned(),
            format!("{NAR}.narinfo"),
            ".narinfo".to_owned(),
            String::new(),
        ] {
            assert_eq!(parse_narinfo_str(&name), None, "{name}");
        }
    }
}
