//! Requests as they are typed here: a client library would tidy their paths.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(90);

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// By their names in lower case.
    pub(crate) fields: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The code of a problem document, which is one in every respect.
    pub(crate) fn code(&self) -> String {
        let (document, status) = (self.json(), self.status);
        let code = document["code"].as_str().unwrap_or_default().to_owned();
        assert_eq!(self.field("content-type"), "application/problem+json", "{self:?}");
        assert_eq!(document["type"], format!("https://jaas.projects.metio.wtf/errors/{code}"), "{self:?}");
        assert_eq!(document["status"], status, "{self:?}");
        assert!(!self.body.ends_with('\n') && document["title"].is_string() && document["detail"].is_string());
        code
    }
}

/// Sends a request with this method and this path, and reads the answer to its end.
pub(crate) async fn ask(port: u16, method: &str, path: &str) -> Answer {
    let mut stream = send(port, method, path).await;
    let mut bytes = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("an answer in time").unwrap();
    read(&bytes)
}

pub(crate) async fn get(port: u16, path: &str) -> Answer {
    ask(port, "GET", path).await
}

/// Sends a request without waiting for its answer.
pub(crate) async fn send(port: u16, method: &str, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let text = format!("{method} {path} HTTP/1.1\r\nHost: renderer\r\nConnection: close\r\n\r\n");
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

pub(crate) fn read(bytes: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap().parse().unwrap();
    let fields = lines.filter_map(|line| line.split_once(": "));
    let fields = fields.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    Answer { status, fields, body: body.to_owned() }
}
