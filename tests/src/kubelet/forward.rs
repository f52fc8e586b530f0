//! Forwarding ports over a WebSocket, as a kubelet does for `v4.channel.k8s.io`.
//!
//! The first byte of a message is its channel: of the n-th port that was asked for, 2n is its data and 2n+1 its errors. The kubelet
//! opens each channel with the port's number, in two bytes, the lower one first.

use std::net::SocketAddr;

use bytes::{BufMut as _, Bytes, BytesMut};
use futures::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::Sandbox;

/// Most bytes of one message.
const PIECE: usize = 32 << 10;

/// Forwards until every port's connection has ended, or the other side goes away.
pub(super) async fn serve<S>(stream: S, sandbox: &Sandbox, ports: &[u16])
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sink, mut messages) = WebSocketStream::from_raw_socket(stream, Role::Server, None).await.split();
    let (sender, mut outgoing) = mpsc::channel::<Bytes>(16);
    let mut writers = Vec::new();
    let mut readers = JoinSet::new();
    for (channel, port) in (0_u8..).step_by(2).zip(ports) {
        for channel in [channel, channel + 1] {
            let _ = sink.send(Message::Binary(message(channel, &port.to_le_bytes()))).await;
        }
        let address = sandbox.address(*port).unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], *port)));
        match TcpStream::connect(address).await {
            Ok(stream) => {
                let (reader, writer) = stream.into_split();
                writers.push(Some(writer));
                readers.spawn(read(reader, channel, sender.clone()));
            }
            Err(error) => {
                let words = format!("error forwarding port {port} to pod {}: {error}", sandbox.name);
                let _ = sink.send(Message::Binary(message(channel + 1, words.as_bytes()))).await;
                writers.push(None);
            }
        }
    }
    drop(sender);
    let incoming = async {
        while let Some(Ok(message)) = messages.next().await {
            match message {
                Message::Binary(bytes) => {
                    let Some((channel, rest)) = bytes.split_first() else { continue };
                    let writer = writers.get_mut(usize::from(channel / 2)).filter(|_| channel % 2 == 0);
                    if let Some(Some(writer)) = writer
                        && writer.write_all(rest).await.is_err()
                    {
                        return;
                    }
                }
                Message::Close(_) => return,
                _ => {}
            }
        }
    };
    let back = async {
        while let Some(bytes) = outgoing.recv().await {
            if sink.send(Message::Binary(bytes)).await.is_err() {
                return;
            }
        }
        let _ = sink.send(Message::Close(None)).await;
    };
    tokio::select! {
        () = incoming => {}
        () = back => {}
    }
}

async fn read(mut reader: OwnedReadHalf, channel: u8, sender: mpsc::Sender<Bytes>) {
    let mut piece = vec![0; PIECE];
    while let Ok(length) = reader.read(&mut piece).await
        && length > 0
    {
        if sender.send(message(channel, &piece[..length])).await.is_err() {
            return;
        }
    }
}

fn message(channel: u8, bytes: &[u8]) -> Bytes {
    let mut message = BytesMut::with_capacity(bytes.len() + 1);
    message.put_u8(channel);
    message.put_slice(bytes);
    message.freeze()
}
