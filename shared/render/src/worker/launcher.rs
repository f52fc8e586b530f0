//! Starts workers from one thread.
//!
//! A worker is killed when the thread that started it ends. Threads of a runtime come and go, this one stays for as
//! long as its pool.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::Limits;
use super::process::Worker;

pub(super) struct Launcher {
    orders: mpsc::Sender<Order>,
}

struct Order {
    runtime: Handle,
    reply: oneshot::Sender<io::Result<Worker>>,
}

impl Launcher {
    pub(super) fn new(program: PathBuf, limits: Limits) -> Self {
        let (orders, ordered) = mpsc::channel::<Order>();
        // A thread that cannot be started drops its end of the channel, which every launch then reports.
        let _ = thread::Builder::new().name("launcher".to_owned()).spawn(move || {
            for Order { runtime, reply } in ordered {
                let _inside = runtime.enter();
                // Nobody waits any more: the worker is killed by being dropped.
                let _ = reply.send(Worker::start(&program, &limits));
            }
        });
        Self { orders }
    }

    /// Starts a worker for the runtime of the caller.
    pub(super) async fn launch(&self) -> io::Result<Worker> {
        let (reply, started) = oneshot::channel();
        let order = Order { runtime: Handle::current(), reply };
        let gone = || io::Error::other("there is no thread to start a worker from");
        self.orders.send(order).map_err(|_| gone())?;
        started.await.map_err(|_| gone())?
    }
}
