//! A network of its own: loopback, and addresses besides to which an API server is willing to proxy.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::Ipv4Addr;
use std::os::fd::AsFd as _;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow, ensure};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// What every failure to make one ends with.
const NEEDS: &str = "this test runs in a network namespace of its own, for which it needs root (CAP_SYS_ADMIN, CAP_NET_ADMIN), and \
                     `unshare` (util-linux) and `ip` (iproute2) on PATH";

/// The addresses, of a range for documentation.
pub fn addresses() -> impl Iterator<Item = Ipv4Addr> {
    (1..=63).map(|last| Ipv4Addr::new(192, 0, 2, last))
}

/// Moves this thread, and whatever threads and programs it starts from now on, into the network of this process. Sockets that are
/// open stay where they were made.
///
/// # Errors
/// When there can be no such network.
pub fn join() -> Result<()> {
    static NETWORK: OnceLock<Result<File, String>> = OnceLock::new();
    let network = NETWORK.get_or_init(|| make().map_err(|error| format!("{error:#}")));
    let network = network.as_ref().map_err(|error| anyhow!("{error}"))?;
    move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network)).context(NEEDS)
}

/// The namespace lives as long as the file is open; the program that made it ends.
fn make() -> Result<File> {
    let addresses = addresses().map(|address| format!("ip address add {address}/32 dev lo"));
    let steps: Vec<_> = ["ip link set lo up".to_owned()].into_iter().chain(addresses).collect();
    let script = format!("{} && echo ready && read -r _", steps.join(" && "));
    let mut command = Command::new("unshare");
    command.args(["--net", "sh", "-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().context(NEEDS)?;
    let mut said = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout).read_line(&mut said).context(NEEDS)?;
    }
    let network = File::open(format!("/proc/{}/ns/net", child.id()));
    let output = child.wait_with_output().context(NEEDS)?;
    ensure!(said.trim() == "ready", "{NEEDS}: {}", String::from_utf8_lossy(&output.stderr));
    network.context(NEEDS)
}
