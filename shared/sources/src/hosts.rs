//! Which hosts sources may be fetched from. Pure.
//!
//! A URL is judged by what it says, and once more by the addresses that its name has: a name decides nothing about where it leads.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use ipnet::IpNet;
use url::{Host, Url};

use crate::address;

/// The hosts that may be asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts(Vec<Rule>);

/// What may be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    /// This name, at this port if there is one.
    Name(String, Option<u16>),
    /// Every name that ends so, with at least one label before; the dot is part of it.
    Below(String, Option<u16>),
    /// Every address in a range.
    Range(IpNet),
    /// This very address and port, whatever else is said of it.
    Exact(SocketAddr),
}

/// A text that names no host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no host; expected a name, `*.` and the end of a name, an address, or a range such as 10.0.0.0/8, each but the last with `:PORT` if wanted"
)]
pub struct InvalidHost(String);

/// Why a URL is not fetched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is no URL of ours.
    #[error("{0:?} is no http or https address with a host")]
    NoAddress(String),
    /// It leads where nobody may.
    #[error(
        "{host} leads to {address}, which is {what}; only an address and port listed in --allowed-source-hosts may be such"
    )]
    Forbidden {
        /// The host of the URL.
        host: String,
        /// The address.
        address: IpAddr,
        /// What that is.
        what: &'static str,
    },
    /// Nobody allowed it.
    #[error("{0} is not among the hosts that may be asked; add it to --allowed-source-hosts")]
    NotListed(String),
}

/// Where a URL leads, as far as it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The host as it is asked for, without a dot at its end.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The host, where it is an address.
    pub address: Option<IpAddr>,
}

impl Hosts {
    /// The hosts of a list that is separated by commas.
    ///
    /// # Errors
    /// The first text that names no host.
    pub fn parse(list: &str) -> Result<Self, InvalidHost> {
        let texts = list.split(',').map(str::trim).filter(|text| !text.is_empty());
        texts.map(str::parse).collect::<Result<_, _>>().map(Self)
    }

    /// These and those.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// Judges a URL before its name is resolved. The spellings of IPv4 addresses that browsers know are read as addresses (WHATWG URL,
    /// "host parsing").
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn judge_url(&self, url: &str) -> Result<Target, Refused> {
        let no_address = || Refused::NoAddress(url.chars().take(200).collect());
        let parsed = Url::parse(url).map_err(|_| no_address())?;
        let http = matches!(parsed.scheme(), "http" | "https");
        let (Some(host), Some(port), true) = (parsed.host(), parsed.port_or_known_default(), http) else {
            return Err(no_address());
        };
        let (host, address) = match host {
            Host::Domain(name) => (normal(name), None),
            Host::Ipv4(v4) => (v4.to_string(), Some(IpAddr::V4(v4))),
            Host::Ipv6(v6) => (v6.to_string(), Some(IpAddr::V6(v6))),
        };
        if let Some(address) = address {
            self.judge_address(&host, SocketAddr::new(address, port))?;
        }
        let listed = self.0.iter().any(|rule| rule.lists(&host, address, port));
        if listed { Ok(Target { host, port, address }) } else { Err(Refused::NotListed(host)) }
    }

    /// Judges an address that a name was resolved to.
    ///
    /// # Errors
    /// [`Refused::Forbidden`].
    pub fn judge_address(&self, host: &str, address: SocketAddr) -> Result<(), Refused> {
        let Some(what) = address::forbidden(address.ip()) else { return Ok(()) };
        if self.0.contains(&Rule::Exact(address)) {
            return Ok(());
        }
        Err(Refused::Forbidden { host: host.to_owned(), address: address.ip(), what })
    }
}

impl Rule {
    fn lists(&self, host: &str, address: Option<IpAddr>, port: u16) -> bool {
        let at = |wanted: &Option<u16>| wanted.is_none_or(|wanted| wanted == port);
        match (self, address) {
            (Self::Name(name, wanted), None) => name == host && at(wanted),
            (Self::Below(end, wanted), None) => {
                host.strip_suffix(end.as_str()).is_some_and(|label| !label.is_empty()) && at(wanted)
            }
            (Self::Range(range), Some(address)) => range.contains(&address),
            (Self::Exact(exact), Some(address)) => *exact == SocketAddr::new(address, port),
            _ => false,
        }
    }
}

impl FromStr for Rule {
    type Err = InvalidHost;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Exact(address));
        }
        if let Ok(range) = text.parse() {
            return Ok(Self::Range(range));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Range(IpNet::from(address)));
        }
        let invalid = || InvalidHost(text.to_owned());
        let (name, port) = match text.split_once(':') {
            Some((name, port)) => (name, Some(port.parse().map_err(|_| invalid())?)),
            None => (text, None),
        };
        let (below, plain) = match name.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, name),
        };
        // What a URL would not take for a name is none.
        let Ok(Host::Domain(known)) = Host::parse(plain) else { return Err(invalid()) };
        if plain.contains('*') {
            return Err(invalid());
        }
        let known = normal(&known);
        Ok(if below { Self::Below(format!(".{known}"), port) } else { Self::Name(known, port) })
    }
}

/// The host and port of an address, as a rule for that very one; none where it is no address. A forbidden address stays so.
pub fn of_url(url: &str) -> Hosts {
    let Ok(parsed) = Url::parse(url) else { return Hosts::default() };
    let (Some(host), Some(port)) = (parsed.host(), parsed.port_or_known_default()) else { return Hosts::default() };
    Hosts(vec![match host {
        Host::Domain(name) => Rule::Name(normal(name), Some(port)),
        Host::Ipv4(v4) => Rule::Range(IpNet::from(IpAddr::V4(v4))),
        Host::Ipv6(v6) => Rule::Range(IpNet::from(IpAddr::V6(v6))),
    }])
}

/// Where a redirect leads from `url`; `None` where that is no address.
pub fn join(url: &str, location: &str) -> Option<String> {
    Url::parse(url).ok()?.join(location).ok().map(String::from)
}

/// A name without the dot that makes it absolute.
fn normal(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

impl fmt::Display for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&texts.join(","))
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = |port: &Option<u16>| port.map(|port| format!(":{port}")).unwrap_or_default();
        match self {
            Self::Name(name, at) => write!(f, "{name}{}", port(at)),
            Self::Below(end, at) => write!(f, "*{end}{}", port(at)),
            Self::Range(range) => range.fmt(f),
            Self::Exact(address) => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn hosts(list: &str) -> Hosts {
        Hosts::parse(list).unwrap()
    }

    #[test]
    fn only_what_is_listed_may_be_asked() {
        let rules = hosts("*.flux-system.svc.cluster.local., git.example:8080, 10.0.0.0/8, 192.0.2.7");
        for allowed in [
            "http://source-controller.flux-system.svc.cluster.local./x.tar.gz",
            "HTTP://Source-Controller.Flux-System.svc.cluster.local/x",
            "http://git.example:8080/x",
            "https://10.1.2.3/x",
            "http://192.0.2.7:99/x",
            "http://0xa.1/x",
        ] {
            assert!(rules.judge_url(allowed).is_ok(), "{allowed}: {:?}", rules.judge_url(allowed));
        }
        for refused in [
            "http://flux-system.svc.cluster.local/x",
            "http://x.flux-system.svc.cluster.local.evil.example/x",
            "http://git.example/x",
            "http://192.0.2.8/x",
            "http://10.evil.example/x",
        ] {
            assert!(matches!(rules.judge_url(refused), Err(Refused::NotListed(_))), "{refused}");
        }
        for none in ["ftp://git.example:8080/x", "file:///etc/passwd", "git.example", "http://", ""] {
            assert!(matches!(rules.judge_url(none), Err(Refused::NoAddress(_))), "{none}");
        }
    }

    #[test]
    fn no_range_and_no_spelling_opens_a_forbidden_address() {
        let rules = hosts("0.0.0.0/0, ::/0");
        for url in [
            "http://127.0.0.1/x",
            "http://2130706433/x",
            "http://0x7f000001/x",
            "http://0177.0.0.1/x",
            "http://127.1/x",
            "http://169.254.169.254/latest",
            "http://[::ffff:127.0.0.1]/x",
            "http://[fd00:ec2::254]/x",
            "http://0/x",
        ] {
            let error = rules.judge_url(url).unwrap_err();
            assert!(matches!(error, Refused::Forbidden { .. }), "{url}: {error}");
            assert!(error.to_string().contains("--allowed-source-hosts"));
        }
    }

    #[test]
    fn a_forbidden_address_is_opened_only_with_its_port() {
        let rules = hosts("127.0.0.1:8080, a.example");
        assert!(rules.judge_url("http://127.0.0.1:8080/x").is_ok());
        assert!(rules.judge_url("http://127.0.0.1:8081/x").is_err());
        assert!(rules.judge_url("http://127.0.0.2:8080/x").is_err());
        assert!(hosts("127.0.0.1").judge_url("http://127.0.0.1/x").is_err());
        let resolved = |text: &str| rules.judge_address("a.example", text.parse().unwrap());
        assert!(resolved("10.0.0.1:80").is_ok());
        assert!(resolved("127.0.0.1:8080").is_ok());
        let error = resolved("169.254.169.254:80").unwrap_err();
        assert!(error.to_string().starts_with("a.example leads to 169.254.169.254"), "{error}");
    }

    #[test]
    fn lists_are_read_and_shown_as_they_were_meant() {
        let list = "a.example,*.b.example:80,10.0.0.0/8,127.0.0.1:9,[::1]:9";
        assert_eq!(hosts(&format!(" {list} ,")).to_string(), list);
        for wrong in ["*", "a.*.b", "a b", "http://a", "a:port", "*.", "10.0.0.0/40", "a/b"] {
            assert!(Hosts::parse(wrong).is_err(), "{wrong}");
        }
    }
}
