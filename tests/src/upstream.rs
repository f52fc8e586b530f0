//! Flux's source-controller, played by hand: no release of it builds with the Go at hand.
//!
//! What is real: Flux's own definitions, the objects, their status as the controller writes it, and an HTTP server that gives out
//! archives. What is played: that somebody fetched a repository.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use kube::Client;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::manifests;

const GROUP: &str = "source.toolkit.fluxcd.io";

/// The kinds of Flux that provide files.
pub const KINDS: [&str; 4] = ["GitRepository", "OCIRepository", "Bucket", "ExternalArtifact"];

/// How a path is answered.
#[derive(Clone, Debug)]
pub enum Reply {
    /// 200 with these bytes.
    Bytes(Vec<u8>),
    /// This status, with these header lines, each with its line end.
    Status(u16, String),
    /// 200 with a length, but only so many of the bytes, and then the end.
    Torn(Vec<u8>, usize),
    /// 200 with a length, a first part, and then silence for as long as the server lives.
    Stalled(Vec<u8>),
    /// 200 with a length, and then one byte a second.
    Drip(Vec<u8>),
    /// Nothing at all, not even a status.
    Silent,
}

/// A server of archives on loopback. It ends when dropped.
pub struct Archives {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    replies: HashMap<String, Reply>,
    asked: HashMap<String, usize>,
}

impl Archives {
    /// Starts one that knows no path.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start() -> Result<Self> {
        Self::start_at("127.0.0.1").await
    }

    /// Starts one at a port of this address.
    ///
    /// # Errors
    /// As [`Archives::start`].
    pub async fn start_at(host: &str) -> Result<Self> {
        let listener = TcpListener::bind((host, 0)).await.context("binding a port for archives")?;
        let address = listener.local_addr().context("reading the port for archives")?;
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&shared)));
            }
        });
        Ok(Self { address, state, accepting })
    }

    /// The flag that lets an operator fetch from it.
    #[must_use]
    pub fn flag(&self) -> String {
        format!("--allowed-source-hosts={}", self.address)
    }

    /// The address of a path, which begins with a slash.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// From now on, answers a path so.
    pub fn set(&self, path: &str, reply: Reply) {
        self.state().replies.insert(path.to_owned(), reply);
    }

    /// How often a path was asked for.
    #[must_use]
    pub fn asked(&self, path: &str) -> usize {
        self.state().asked.get(path).copied().unwrap_or_default()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Archives {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// One request a connection.
async fn answer(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) if request.len() < 16 << 10 => request.push(byte),
            _ => return,
        }
    }
    let text = String::from_utf8_lossy(&request).into_owned();
    let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
    let reply = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        *state.asked.entry(path.clone()).or_default() += 1;
        state.replies.get(&path).cloned().unwrap_or(Reply::Status(404, String::new()))
    };
    // source-controller serves files: gzip type, a length, and ranges.
    let head = |status: u16, length: usize, more: &str| {
        format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/gzip\r\naccept-ranges: bytes\r\ncontent-length: {length}\r\nconnection: close\r\n{more}\r\n"
        )
    };
    let mut dripping = false;
    let (head, body, hold) = match reply {
        Reply::Bytes(bytes) => (head(200, bytes.len(), ""), bytes, false),
        Reply::Status(status, more) => (head(status, 0, &more), Vec::new(), false),
        Reply::Torn(bytes, sent) => (head(200, bytes.len(), ""), bytes[..sent.min(bytes.len())].to_vec(), false),
        Reply::Stalled(part) => (head(200, part.len() + 1, ""), part, true),
        Reply::Drip(bytes) => {
            dripping = true;
            (head(200, bytes.len(), ""), bytes, false)
        }
        Reply::Silent => (String::new(), Vec::new(), true),
    };
    // Whoever has left needs no answer.
    let sent = async {
        stream.write_all(head.as_bytes()).await?;
        if dripping {
            for byte in &body {
                stream.write_all(&[*byte]).await?;
                stream.flush().await?;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            return Ok(());
        }
        stream.write_all(&body).await?;
        stream.flush().await
    };
    if sent.await.is_ok() && hold {
        // Until the other side gives up.
        let _ = stream.read_u8().await;
    }
}

/// Somewhere that nobody may go: it counts who came all the same.
pub struct Trap {
    address: SocketAddr,
    came: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

impl Trap {
    /// Listens on a port of loopback, IPv4.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("binding a port for a trap")?;
        let address = listener.local_addr().context("reading the port of a trap")?;
        let came = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&came);
        let accepting = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                // An answer, so that whoever came could have had something.
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
            }
        });
        Ok(Self { address, came, accepting })
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many came.
    #[must_use]
    pub fn came(&self) -> usize {
        self.came.load(Ordering::SeqCst)
    }
}

impl Drop for Trap {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// A `.tar.gz` as source-controller makes it.
///
/// # Errors
/// When a name is too long.
pub fn archive(files: &BTreeMap<&str, &str>) -> Result<Vec<u8>> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, content.as_bytes()).with_context(|| format!("packing {name}"))?;
    }
    tar.into_inner().context("packing")?.finish().context("packing")
}

/// A source in the cluster.
pub struct Source {
    client: Client,
    kind: &'static str,
    namespace: String,
    name: String,
}

impl Source {
    /// Makes a source that says nothing yet.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn create(client: &Client, kind: &'static str, namespace: &str, name: &str) -> Result<Self> {
        let spec = match kind {
            "GitRepository" => json!({"interval": "1m", "url": "https://git.example/x"}),
            "OCIRepository" => json!({"interval": "1m", "url": "oci://registry.example/x"}),
            "Bucket" => json!({"interval": "1m", "bucketName": "x", "endpoint": "s3.example"}),
            _ => json!({}),
        };
        let metadata = json!({"name": name, "namespace": namespace});
        let object = json!({"apiVersion": format!("{GROUP}/v1"), "kind": kind, "metadata": metadata, "spec": spec});
        manifests::apply_objects(client, vec![object]).await?;
        Ok(Self::of(client, kind, namespace, name))
    }

    /// One that is there already, changed with the rights of this client.
    #[must_use]
    pub fn of(client: &Client, kind: &'static str, namespace: &str, name: &str) -> Self {
        Self { client: client.clone(), kind, namespace: namespace.to_owned(), name: name.to_owned() }
    }

    /// Ready, with this artifact.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn announces(&self, url: &str, digest: &str, revision: &str) -> Result<()> {
        let artifact = json!({"path": "x", "url": url, "digest": digest, "revision": revision,
            "lastUpdateTime": "2026-01-01T00:00:00Z", "size": 1});
        self.status(json!({"artifact": artifact, "conditions": [condition("True", "Succeeded", "stored artifact")]}))
            .await
    }

    /// Changes the status: what is not named stays.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn status(&self, status: Value) -> Result<()> {
        let patch = Patch::Merge(json!({ "status": status }));
        let patched = self.api().patch_status(&self.name, &PatchParams::default(), &patch).await;
        patched.map(drop).with_context(|| format!("writing the status of {} {}", self.kind, self.name))
    }

    /// Pauses it, or lets it go on. Its controller then leaves the status alone, so the artifact stays announced.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn suspend(&self, yes: bool) -> Result<()> {
        let patch = Patch::Merge(json!({"spec": {"suspend": yes}}));
        let patched = self.api().patch(&self.name, &PatchParams::default(), &patch).await;
        patched.map(drop).with_context(|| format!("suspending {} {}", self.kind, self.name))
    }

    /// Deletes it.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn delete(&self) -> Result<()> {
        let deleted = self.api().delete(&self.name, &DeleteParams::default()).await;
        deleted.map(drop).with_context(|| format!("deleting {} {}", self.kind, self.name))
    }

    fn api(&self) -> kube::Api<DynamicObject> {
        manifests::custom(&self.client, &self.namespace, GROUP, "v1", self.kind)
    }
}

/// A `Ready` condition.
#[must_use]
pub fn condition(status: &str, reason: &str, message: &str) -> Value {
    json!({"type": "Ready", "status": status, "reason": reason, "message": message, "observedGeneration": 1,
        "lastTransitionTime": "2026-01-01T00:00:00Z"})
}
