//! A server's address as people write it: with or without scheme, a slash at the end, `/v1`.

use reqwest::Url;

/// Reads an address for `--server`. The result has a scheme and no path but the one that a proxy may have in
/// front of `/v1`, and no slash at its end.
pub fn parse(text: &str) -> Result<String, &'static str> {
    const EXPECTED: &str = "an address such as `http://127.0.0.1:8000` is expected";
    let text = text.trim();
    // `http:/host` would be read as the host `http`, and a port alone as an IP address.
    let lower = text.to_ascii_lowercase();
    let scheme_is_broken = ["http:", "https:"]
        .iter()
        .any(|scheme| lower.starts_with(scheme) && !lower[scheme.len()..].starts_with("//"));
    if scheme_is_broken || text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(EXPECTED);
    }
    let with_scheme = if text.contains("://") {
        text.to_owned()
    } else {
        format!("http://{text}")
    };
    let url = Url::parse(&with_scheme).map_err(|_| EXPECTED)?;
    let plain = matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none();
    if !plain || !url.has_host() {
        return Err(EXPECTED);
    }
    let address = url.as_str().trim_end_matches('/');
    let address = ["/v1", "/docs"]
        .iter()
        .find_map(|page| address.strip_suffix(page))
        .or_else(|| Some(address.split_once("/v1/")?.0))
        .unwrap_or(address);
    Ok(address.trim_end_matches('/').to_owned())
}

/// The address without a user's name and password, which are nobody else's business.
pub fn shown(address: &str) -> String {
    let Ok(mut url) = Url::parse(address) else {
        return address.to_owned();
    };
    if url.username().is_empty() && url.password().is_none() {
        return address.to_owned();
    }
    // Fails only for addresses without a host, which `parse` refuses.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.as_str().trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_as_people_write_it() {
        for (given, read) in [
            ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
            ("http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
            ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000"),
            ("http://127.0.0.1:8000/v1/", "http://127.0.0.1:8000"),
            ("127.0.0.1:8000", "http://127.0.0.1:8000"),
            ("localhost:8000/v1", "http://localhost:8000"),
            ("studio", "http://studio"),
            ("[::1]:8000", "http://[::1]:8000"),
            (
                "https://studio.example/trellis/",
                "https://studio.example/trellis",
            ),
            (
                "HTTPS://studio.example/trellis/v1/",
                "https://studio.example/trellis",
            ),
            (" studio.example ", "http://studio.example"),
            ("http://127.0.0.1:8000/v1/jobs", "http://127.0.0.1:8000"),
            ("http://127.0.0.1:8000/docs", "http://127.0.0.1:8000"),
            ("studio.example/trellis/v1/jobs", "http://studio.example/trellis"),
        ] {
            assert_eq!(parse(given).as_deref(), Ok(read), "{given}");
        }
        for bad in [
            "",
            " ",
            ":8000",
            "ftp://a",
            "http://",
            "a b",
            "http://a/?x=1",
            "http://a:port",
            "http:/127.0.0.1:8000",
            "https:127.0.0.1",
            "8000",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        for (address, said) in [
            ("http://user:secret@studio:80/trellis", "http://studio/trellis"),
            ("http://user@studio:8000", "http://studio:8000"),
            ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ] {
            assert_eq!(shown(address), said);
        }
    }
}
