//! One address on loopback that leads to the Pods that are ready, as a Service's does.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Ends, and its connections with it, when dropped.
pub(super) struct Relay {
    pub(super) address: SocketAddr,
    _task: JoinSet<()>,
}

impl Relay {
    /// Leads each connection to the next address; where there is none it is closed.
    pub(super) async fn start(next: impl FnMut() -> Option<SocketAddr> + Send + 'static) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("listening for consumers")?;
        let address = listener.local_addr().context("listening for consumers")?;
        let mut task = JoinSet::new();
        task.spawn(accept(listener, next));
        Ok(Self { address, _task: task })
    }
}

async fn accept(listener: TcpListener, mut next: impl FnMut() -> Option<SocketAddr>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                if let Some(address) = next() {
                    connections.spawn(carry(stream, address));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn carry(mut stream: TcpStream, address: SocketAddr) {
    if let Ok(mut server) = TcpStream::connect(address).await {
        // Either side may go away at any time.
        let _ = tokio::io::copy_bidirectional(&mut stream, &mut server).await;
    }
}
