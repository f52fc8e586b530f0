//! Which proxy leads to the API server. Pure.
//!
//! kube judges NO_PROXY by the proxy's own address; what must be judged is the API server's.

use std::net::IpAddr;

use http::Uri;

use super::Error;

/// The proxy for `server`: the kubeconfig's own, else the environment's unless NO_PROXY or a local address excepts it.
///
/// # Errors
/// A proxy that is no address.
pub(super) fn choose(
    server: &Uri,
    explicit: Option<&str>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<Uri>, Error> {
    if let Some(url) = explicit {
        return parse("proxy-url of the kubeconfig", url).map(Some);
    }
    let either = |upper: &str| {
        let value = variable(upper).or_else(|| variable(&upper.to_lowercase()));
        value.filter(|value| !value.is_empty())
    };
    let (name, place) = match server.scheme_str() {
        Some("http") => ("HTTP_PROXY", "HTTP_PROXY"),
        _ => ("HTTPS_PROXY", "HTTPS_PROXY"),
    };
    let host = server.host().unwrap_or_default().trim_matches(['[', ']']);
    match either(name) {
        Some(url) if !is_local(host) && !is_excepted(host, &either("NO_PROXY").unwrap_or_default()) => {
            parse(place, &url).map(Some)
        }
        _ => Ok(None),
    }
}

fn parse(place: &'static str, url: &str) -> Result<Uri, Error> {
    let full = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
    full.parse().map_err(|_| Error::Address { place, value: url.to_owned() })
}

fn is_local(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn is_excepted(host: &str, list: &str) -> bool {
    list.split(',').map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| {
        if entry == "*" {
            return true;
        }
        if let Some((network, bits)) = entry.split_once('/') {
            return contains(network, bits, host);
        }
        let entry = entry.trim_start_matches("*.").trim_start_matches('.').to_lowercase();
        let host = host.to_lowercase();
        host == entry || host.strip_suffix(&entry).is_some_and(|rest| rest.ends_with('.'))
    })
}

fn contains(network: &str, bits: &str, host: &str) -> bool {
    match (network.parse(), bits.parse::<u32>(), host.parse()) {
        (Ok(IpAddr::V4(network)), Ok(bits @ 0..=32), Ok(IpAddr::V4(host))) => {
            (u32::from(network) ^ u32::from(host)).checked_shr(32 - bits).unwrap_or(0) == 0
        }
        (Ok(IpAddr::V6(network)), Ok(bits @ 0..=128), Ok(IpAddr::V6(host))) => {
            (u128::from(network) ^ u128::from(host)).checked_shr(128 - bits).unwrap_or(0) == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(server: &str, no_proxy: &str) -> Option<String> {
        let variable = |name: &str| match name {
            "HTTPS_PROXY" => Some("proxy:3128".to_owned()),
            "NO_PROXY" => Some(no_proxy.to_owned()),
            _ => None,
        };
        choose(&server.parse().unwrap(), None, variable).unwrap().map(|uri| uri.to_string())
    }

    #[test]
    fn the_environment_names_the_proxy_unless_the_server_is_excepted() {
        let proxied = Some("http://proxy:3128/".to_owned());
        assert_eq!(check("https://api.example.org", ""), proxied);
        assert_eq!(check("https://api.example.org", "example.com"), proxied);
        assert_eq!(check("https://notexample.org", "example.org"), proxied);
        for no_proxy in ["*", "example.org", ".example.org", "a, api.example.org"] {
            assert_eq!(check("https://api.example.org", no_proxy), None, "{no_proxy}");
        }
        assert_eq!(check("https://10.1.2.3:6443", "10.0.0.0/8"), None);
        assert_eq!(check("https://11.1.2.3:6443", "10.0.0.0/8"), proxied);
        assert_eq!(check("https://[fd00::1]:6443", "fd00::/8"), None);
        assert_eq!(check("https://127.0.0.1:6443", ""), None);
    }

    #[test]
    fn the_kubeconfig_wins_over_the_environment() {
        let chosen = choose(&"https://localhost".parse().unwrap(), Some("socks5://p:1"), |_| None).unwrap();
        assert_eq!(chosen.map(|uri| uri.to_string()).as_deref(), Some("socks5://p:1/"));
    }
}
