//! What of a container's arguments a process on a shared machine gets otherwise. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

/// Flags whose value is a port.
const PORTS: [&str; 4] = ["--port", "--storage-port", "--management-port", "--webhook-port"];
/// Flags whose value is a host.
const HOSTS: [&str; 4] =
    ["--listen-address", "--storage-listen-address", "--management-listen-address", "--webhook-listen-address"];
/// Flags whose value is a host and a port.
const BOTH: [&str; 2] = ["--metrics-bind-address", "--admin-bind-address"];

/// The ports that a container listens on, by its arguments.
pub(super) fn ports(args: &[String]) -> Vec<u16> {
    let all = args.iter().filter_map(|argument| {
        let (flag, value) = argument.split_once('=')?;
        let port = match flag {
            _ if PORTS.contains(&flag) => value,
            _ if BOTH.contains(&flag) => value.rsplit_once(':')?.1,
            _ => return None,
        };
        port.parse().ok()
    });
    all.collect()
}

/// Those of them that are on loopback, which Pods of a cluster each have for themselves.
pub(super) fn on_loopback(args: &[String]) -> Vec<u16> {
    let loopback: Vec<_> = args.iter().filter(|argument| argument.contains("=127.0.0.1:")).cloned().collect();
    ports(&loopback)
}

/// The arguments with its volumes where they really are, and with its ports: some on loopback, all others at `host`.
pub(super) fn arguments(
    args: &[String],
    mounts: &[(String, PathBuf)],
    host: IpAddr,
    ports: &BTreeMap<u16, u16>,
) -> Vec<String> {
    args.iter().map(|argument| mounted(&listening(argument, host, ports), mounts)).collect()
}

fn listening(argument: &str, host: IpAddr, ports: &BTreeMap<u16, u16>) -> String {
    let real = |port: &str| port.parse().ok().and_then(|port: u16| ports.get(&port));
    let changed = argument.split_once('=').and_then(|(flag, value)| match flag {
        _ if PORTS.contains(&flag) => real(value).map(|port| format!("{flag}={port}")),
        _ if HOSTS.contains(&flag) => Some(format!("{flag}={host}")),
        _ if BOTH.contains(&flag) => {
            let port = value.rsplit_once(':')?.1;
            Some(real(port).map_or_else(|| format!("{flag}={host}:{port}"), |port| format!("{flag}=127.0.0.1:{port}")))
        }
        _ => None,
    });
    changed.unwrap_or_else(|| argument.to_owned())
}

fn mounted(argument: &str, mounts: &[(String, PathBuf)]) -> String {
    let Some((flag, value)) = argument.split_once('=') else { return argument.to_owned() };
    let found = mounts.iter().find_map(|(path, real)| {
        let rest = value.strip_prefix(path.as_str())?;
        (rest.is_empty() || rest.starts_with('/')).then(|| format!("{flag}={}{rest}", real.display()))
    });
    found.unwrap_or_else(|| argument.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_go_to_loopback_and_paths_to_the_volumes() {
        let args = [
            "--storage-port=8082",
            "--storage-listen-address=0.0.0.0",
            "--metrics-bind-address=:8083",
            "--admin-bind-address=127.0.0.1:8085",
            "--storage-path=/var/lib/jaas/artifacts",
            "--s3-credentials-file=/etc/keys/one",
            "--storage-base-url=http://x:8082",
            "--enable-flux-integration",
        ]
        .map(str::to_owned);
        assert_eq!(ports(&args), [8082, 8083, 8085]);
        let map = BTreeMap::from([(8082, 1), (8083, 2), (8085, 3)]);
        let loopback = IpAddr::from([127, 0, 0, 1]);
        let mounts = [
            ("/var/lib/jaas/artifacts".to_owned(), PathBuf::from("/w")),
            ("/etc/keys".to_owned(), PathBuf::from("/k")),
        ];
        assert_eq!(
            arguments(&args, &mounts, loopback, &map),
            [
                "--storage-port=1",
                "--storage-listen-address=127.0.0.1",
                "--metrics-bind-address=127.0.0.1:2",
                "--admin-bind-address=127.0.0.1:3",
                "--storage-path=/w",
                "--s3-credentials-file=/k/one",
                "--storage-base-url=http://x:8082",
                "--enable-flux-integration",
            ]
        );
        let own = IpAddr::from([192, 0, 2, 1]);
        let admin = BTreeMap::from([(8085, 3)]);
        assert_eq!(on_loopback(&args), [8085]);
        assert_eq!(
            arguments(&args[..4], &[], own, &admin),
            [
                "--storage-port=8082",
                "--storage-listen-address=192.0.2.1",
                "--metrics-bind-address=192.0.2.1:8083",
                "--admin-bind-address=127.0.0.1:3",
            ]
        );
    }

    #[test]
    fn what_is_switched_off_has_no_port() {
        let args = ["--metrics-bind-address=0".to_owned(), "--admin-bind-address=".to_owned()];
        assert_eq!(
            (ports(&args), arguments(&args, &[], IpAddr::from([127, 0, 0, 1]), &BTreeMap::from([(1, 2)]))),
            (Vec::new(), args.to_vec())
        );
    }
}
