//! Where the storage is: `s3://BUCKET/PREFIX`, with `?endpoint=` and `?region=` where it is not AWS's own. Secrets are no part of
//! it.

use std::fmt;
use std::str::FromStr;

use object_store::path::Path;
use url::Url;

/// A bucket, and the place of our keys in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    text: String,
    pub(crate) bucket: String,
    /// Without slashes at its ends; empty: the bucket is ours.
    pub(crate) prefix: String,
    pub(crate) endpoint: Option<String>,
    pub(crate) region: Option<String>,
}

/// Why a text is not such an address. It may hold a secret, so it is never repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
pub enum AddressError {
    /// Another scheme, or none.
    #[error("it is not a URL that begins with `s3://`")]
    NotAUrl,
    /// Before an `@`.
    #[error("it holds a key or a password")]
    Secret,
    /// Nothing, or something that no bucket is called.
    #[error("it names no bucket")]
    NoBucket,
    /// What no key can begin with.
    #[error("its prefix is not a path")]
    Prefix,
    /// A misspelt option.
    #[error("it has the option `{name}`; `endpoint` and `region` are known")]
    Option { name: String },
    /// A place that is not reached by HTTP.
    #[error("its `endpoint` is not a URL that begins with `https://` or `http://`")]
    Endpoint,
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let url = Url::parse(text).map_err(|_| AddressError::NotAUrl)?;
        if url.scheme() != "s3" {
            return Err(AddressError::NotAUrl);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(AddressError::Secret);
        }
        let bucket = url
            .host_str()
            .filter(|name| is_bucket(name))
            .ok_or(AddressError::NoBucket)?;
        let prefix = url.path().trim_matches('/');
        let parsed = Path::parse(prefix).map_err(|_| AddressError::Prefix)?;
        if url.fragment().is_some() || prefix.contains('%') || parsed.as_ref() != prefix {
            return Err(AddressError::Prefix);
        }
        let mut address = Self {
            text: text.to_owned(),
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            endpoint: None,
            region: None,
        };
        for (name, value) in url.query_pairs() {
            match &*name {
                "endpoint" => address.endpoint = Some(endpoint(&value)?),
                "region" => address.region = Some(value.into_owned()),
                _ => {
                    let name = name.chars().take(40).collect();
                    return Err(AddressError::Option { name });
                }
            }
        }
        Ok(address)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn is_bucket(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    !name.is_empty() && name.bytes().all(plain)
}

fn endpoint(text: &str) -> Result<String, AddressError> {
    let url = Url::parse(text).map_err(|_| AddressError::Endpoint)?;
    if !["http", "https"].contains(&url.scheme()) || !url.has_host() {
        return Err(AddressError::Endpoint);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(AddressError::Secret);
    }
    Ok(text.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_may_have_a_prefix_an_endpoint_and_a_region() {
        let plain: Address = "s3://studio".parse().unwrap();
        assert_eq!((&*plain.bucket, &*plain.prefix), ("studio", ""));
        assert_eq!(plain.endpoint, None);
        let text =
            "s3://studio_1/trellis/jobs/?endpoint=https%3A%2F%2Fs3.example%3A9000%2F&region=eu-central-1";
        let all: Address = text.parse().unwrap();
        assert_eq!((&*all.bucket, &*all.prefix), ("studio_1", "trellis/jobs"));
        assert_eq!(all.endpoint.as_deref(), Some("https://s3.example:9000"));
        assert_eq!(all.region.as_deref(), Some("eu-central-1"));
        assert_eq!(all.to_string(), text);
        // As people write it.
        let written: Address = "s3://a/b?endpoint=http://10.0.0.2:3900".parse().unwrap();
        assert_eq!(written.endpoint.as_deref(), Some("http://10.0.0.2:3900"));
    }

    #[test]
    fn what_is_wrong_is_said_and_a_secret_is_never_repeated() {
        for (text, why) in [
            ("https://s3.example/studio", "not a URL that begins with `s3://`"),
            ("studio", "not a URL that begins with `s3://`"),
            ("s3://", "names no bucket"),
            ("s3:///prefix", "names no bucket"),
            ("s3://a(b)/x", "names no bucket"),
            ("s3://AKIA:hunter2@studio/x", "holds a key"),
            ("s3://studio/a//b", "not a path"),
            ("s3://studio/a%20b", "not a path"),
            ("s3://studio/a#b", "not a path"),
            ("s3://studio?key=hunter2", "has the option `key`"),
            ("s3://studio?endpoint=s3.example", "its `endpoint`"),
            ("s3://studio?endpoint=ftp://s3.example", "its `endpoint`"),
            (
                "s3://studio?endpoint=https://me:hunter2@s3.example",
                "holds a key",
            ),
        ] {
            let error = text
                .parse::<Address>()
                .map(|address| address.to_string())
                .unwrap_err();
            assert!(error.to_string().contains(why), "{text}: {error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
