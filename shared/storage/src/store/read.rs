//! Bytes on their way to a consumer.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use crate::artifact::{Digest, Revision, TOTAL_LIMIT, is_content_of, unpack};

/// Artifacts up to this size are read and verified as a whole before their first byte is sent.
pub const IN_MEMORY_LIMIT: u64 = 4 << 20;
/// How much of a larger one is in memory at a time.
const CHUNK: u64 = 256 << 10;

/// No artifact of ours is larger: the content's limit, and as much again for headers and data that does not compress.
pub(crate) const FILE_LIMIT: u64 = 2 * TOTAL_LIMIT;

/// Why the bytes are not an artifact of the content that `revision` names, if so.
pub(crate) fn damage_of(bytes: &[u8], revision: &Revision) -> Option<String> {
    match unpack(bytes) {
        Ok(entries) if is_content_of(&entries, revision) => None,
        Ok(_) => Some("its content does not hash to its name".to_owned()),
        Err(error) => Some(error.to_string()),
    }
}

/// What distinguishes one state of a file from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Identity {
    /// Identity of an open file.
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        let meta = file.metadata()?;
        Ok(Self {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        })
    }

    /// Size in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }
}

/// A verified artifact, opened for serving.
#[derive(Debug)]
pub struct Readable {
    /// Digest of the bytes.
    pub digest: Digest,
    /// Number of bytes.
    pub size: u64,
    pub(crate) body: Body,
}

/// Where the bytes come from.
#[derive(Debug)]
pub(crate) enum Body {
    /// Verified in memory.
    Memory(Bytes),
    /// Verified by an earlier pass over this very file, in this state, and once more while it is sent.
    File(File, Identity),
    /// Verified while it comes; the last piece comes only when all was right.
    Stream(mpsc::Receiver<io::Result<Bytes>>),
}

impl Readable {
    /// The bytes in order. The last piece of a large artifact is sent only if all of them were right; otherwise the stream ends with
    /// an error, which cuts the connection short of its announced length.
    pub fn into_stream(self) -> impl Stream<Item = io::Result<Bytes>> + Send + Sync + 'static {
        let (sender, receiver) = mpsc::channel(1);
        let mut receiver = match self.body {
            Body::Memory(bytes) => {
                // The channel is empty and has room for one, so this cannot fail.
                let _ = sender.try_send(Ok(bytes));
                receiver
            }
            Body::File(file, identity) => {
                tokio::spawn(send_file(file, identity, self.digest, sender));
                receiver
            }
            Body::Stream(coming) => coming,
        };
        futures::stream::poll_fn(move |context| receiver.poll_recv(context))
    }

    /// The bytes as a whole, where they were verified in memory.
    pub fn bytes(&self) -> Option<&Bytes> {
        match &self.body {
            Body::Memory(bytes) => Some(bytes),
            Body::File(..) | Body::Stream(_) => None,
        }
    }
}

/// The bytes of an artifact as a whole; all of them are right, or there is an error.
///
/// # Errors
/// What reading meets.
pub async fn whole(readable: Readable) -> io::Result<Bytes> {
    if let Some(bytes) = readable.bytes() {
        return Ok(bytes.clone());
    }
    let (mut stream, mut whole) = (std::pin::pin!(readable.into_stream()), Vec::new());
    while let Some(piece) = stream.next().await {
        whole.extend_from_slice(&piece?);
    }
    Ok(whole.into())
}

/// Off the reactor, since a read from a disk may block. Always one piece behind, so that the last one goes only if all are right.
async fn send_file(file: File, identity: Identity, expected: Digest, sender: mpsc::Sender<io::Result<Bytes>>) {
    let file = Arc::new(file);
    let mut hasher = Sha256::new();
    let mut held: Option<Bytes> = None;
    let mut offset = 0;
    while offset < identity.size() {
        let source = Arc::clone(&file);
        let read = tokio::task::spawn_blocking(move || read_chunk(&source, identity, offset, hasher)).await;
        let chunk = match read.unwrap_or_else(|stopped| Err(io::Error::other(stopped))) {
            Ok((chunk, hashed)) => {
                hasher = hashed;
                chunk
            }
            Err(error) => {
                let _ = sender.send(Err(error)).await;
                return;
            }
        };
        offset += chunk.len() as u64;
        if let Some(earlier) = held.replace(chunk)
            && sender.send(Ok(earlier)).await.is_err()
        {
            return;
        }
    }
    let right = Digest::from_hasher(hasher) == expected;
    let wrong = || io::Error::other("the bytes do not hash to the announced digest");
    if let Some(last) = held {
        // Whoever no longer listens needs no last piece.
        let _ = sender.send(if right { Ok(last) } else { Err(wrong()) }).await;
    }
}

fn read_chunk(file: &File, identity: Identity, offset: u64, mut hasher: Sha256) -> io::Result<(Bytes, Sha256)> {
    let length = CHUNK.min(identity.size() - offset);
    let mut chunk = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    file.read_exact_at(&mut chunk, offset)?;
    if Identity::of(file)? != identity {
        return Err(io::Error::other("the file changed while it was sent"));
    }
    hasher.update(&chunk);
    Ok((chunk.into(), hasher))
}
