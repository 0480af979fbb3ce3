//! Looks up names and hands on only addresses to which a connection may be made. The HTTP client connects to those and
//! asks nobody again, so that a name cannot lead elsewhere between the check and the connection (DNS rebinding).

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::WebhookRules;

/// A name that leads to no address that may be used.
#[derive(Debug, thiserror::Error)]
#[error("it leads to {}, and none of these is public or named in `webhooks.allow`", list(.found))]
pub(crate) struct NotAllowed {
    found: Vec<SocketAddr>,
}

fn list(found: &[SocketAddr]) -> String {
    let addresses: Vec<String> = found.iter().take(4).map(|found| found.ip().to_string()).collect();
    addresses.join(", ")
}

pub(crate) struct CheckedResolver(pub(crate) Arc<WebhookRules>);

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let rules = Arc::clone(&self.0);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let usable = usable(&rules, name.as_str(), found)?;
            Ok(Box::new(usable.into_iter()) as Addrs)
        })
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

fn usable(rules: &WebhookRules, name: &str, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, BoxError> {
    if found.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address").into());
    }
    let whole = rules.allows_name(name);
    let may = |at: &&SocketAddr| whole || rules.allows_address(at.ip());
    let usable: Vec<SocketAddr> = found.iter().filter(may).copied().collect();
    if usable.is_empty() {
        return Err(NotAllowed { found }.into());
    }
    Ok(usable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_may_be_used_are_handed_on() {
        let at = |text: &str| SocketAddr::new(text.parse().unwrap(), 0);
        let rules = WebhookRules::new(["10.0.0.0/8", "hooks.internal"]).unwrap();
        let found = vec![at("127.0.0.1"), at("1.1.1.1"), at("::1"), at("10.0.0.1")];
        assert_eq!(
            usable(&rules, "example.com", found.clone()).unwrap(),
            [at("1.1.1.1"), at("10.0.0.1")]
        );
        assert_eq!(usable(&rules, "hooks.internal.", found.clone()).unwrap(), found);
        let refused = usable(&rules, "example.com", vec![at("127.0.0.1"), at("fe80::1")]);
        assert!(refused.unwrap_err().is::<NotAllowed>());
        assert!(usable(&rules, "hooks.internal", Vec::new()).is_err());
    }
}
