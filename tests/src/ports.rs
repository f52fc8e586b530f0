//! Free ports on loopback.

use std::collections::HashSet;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{LazyLock, Mutex, PoisonError};

use anyhow::{Result, bail};
use rand::Rng;

/// First port to hand out.
const LOWEST: u16 = 15_000;

/// Upper bound when the kernel does not tell where its own range begins; the usual start of that range.
const USUAL_EPHEMERAL: u16 = 32_768;

/// Handed out by this process already: a port that is to be used later still looks free.
static GIVEN: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);

/// A port that nobody listens on.
///
/// It lies below the range from which the kernel serves outgoing connections, so that a program can be restarted on it
/// later. Another process may still take it first; whoever starts a program must be ready to choose again.
///
/// # Errors
/// When a hundred tries find none.
pub fn free() -> Result<u16> {
    let highest = ephemeral_start().max(LOWEST + 1_000);
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    for _ in 0..100 {
        let port = rand::rng().random_range(LOWEST..highest);
        if !given.contains(&port) && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            given.insert(port);
            return Ok(port);
        }
    }
    bail!("no free port between {LOWEST} and {highest} on 127.0.0.1");
}

fn ephemeral_start() -> u16 {
    fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|range| range.split_whitespace().next()?.parse().ok())
        .unwrap_or(USUAL_EPHEMERAL)
}
