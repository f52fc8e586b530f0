//! One address on loopback that leads to the replicas that are ready, as a Service's does.
//!
//! A replica is asked for `/ready` every second and counts from one answer to the next. One that is about to end is left out a
//! moment after it was told so, which is what a cluster takes to spread the news.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

/// Between two probes, and the longest that one may take in a round whose limits are not stretched.
const PROBE: Duration = Duration::from_secs(1);
/// How long a cluster leads connections to a replica that has been told to end.
const NEWS: Duration = Duration::from_secs(1);

/// The balancer; connections end with it.
pub(super) struct Balancer {
    address: SocketAddr,
    members: Arc<Mutex<Vec<Member>>>,
    accepting: AbortHandle,
    probing: Mutex<JoinSet<()>>,
    patience: Duration,
}

struct Member {
    id: usize,
    address: SocketAddr,
    is_ready: bool,
}

impl Balancer {
    /// Starts without a member. A probe may take `stretch` times as long.
    pub(super) async fn start(stretch: u32) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("listening for consumers")?;
        let address = listener.local_addr().context("listening for consumers")?;
        let members = Arc::<Mutex<Vec<Member>>>::default();
        let accepting = tokio::spawn(accept(listener, Arc::clone(&members))).abort_handle();
        Ok(Self { address, members, accepting, probing: Mutex::default(), patience: PROBE * stretch })
    }

    /// The address that consumers are given.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on, leads to a replica whenever it is ready.
    pub(super) fn join(&self, id: usize, address: SocketAddr, ready: String) -> Result<()> {
        lock(&self.members).push(Member { id, address, is_ready: false });
        let members = Arc::clone(&self.members);
        let client = reqwest::Client::builder().no_proxy().timeout(self.patience).pool_max_idle_per_host(0);
        let client = client.build().context("setting up probes")?;
        lock(&self.probing).spawn(async move {
            loop {
                let is_ready = client.get(&ready).send().await.is_ok_and(|answer| answer.status().is_success());
                match lock(&members).iter_mut().find(|member| member.id == id) {
                    Some(member) => member.is_ready = is_ready,
                    None => return,
                }
                sleep(PROBE).await;
            }
        });
        Ok(())
    }

    /// How many replicas it leads to.
    pub(super) fn ready(&self) -> usize {
        lock(&self.members).iter().filter(|member| member.is_ready).count()
    }

    /// Leaves a replica out for ever, once the news has spread.
    pub(super) fn leave(&self, id: usize) {
        let members = Arc::clone(&self.members);
        lock(&self.probing).spawn(async move {
            sleep(NEWS).await;
            lock(&members).retain(|member| member.id != id);
        });
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, members: Arc<Mutex<Vec<Member>>>) {
    let mut connections = JoinSet::new();
    let mut turn = 0_usize;
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                turn = turn.wrapping_add(1);
                let ready: Vec<_> = lock(&members).iter().filter(|one| one.is_ready).map(|one| one.address).collect();
                // Where nobody is ready the connection is closed, as a Service without endpoints refuses it.
                if let Some(address) = ready.get(turn % ready.len().max(1)) {
                    connections.spawn(carry(stream, *address));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn carry(mut stream: TcpStream, address: SocketAddr) {
    if let Ok(Ok(mut server)) = timeout(Duration::from_secs(5), TcpStream::connect(address)).await {
        // Either side may go away at any time.
        let _ = tokio::io::copy_bidirectional(&mut stream, &mut server).await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
