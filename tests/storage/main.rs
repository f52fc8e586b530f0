//! The contract of a store, kept on real S3 servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test reports by panicking")]

mod faults;
mod memory;
mod servers;

use std::time::Duration;

use jaas_storage::{Content, Key, S3Credentials, S3Options, S3Store, S3Timeouts};
use jaas_tests::s3::{ACCESS_KEY, BUCKET, REGION, SECRET_KEY, Server};

/// The account that may do everything.
pub(crate) fn keys(access_key: &str, secret_key: &str) -> S3Credentials {
    S3Credentials::Static { access_key: access_key.to_owned(), secret_key: secret_key.to_owned(), session_token: None }
}

/// The bucket of a server, below a prefix, with little patience.
pub(crate) fn options(endpoint: &str, prefix: &str) -> S3Options {
    S3Options {
        use_ssl: false,
        prefix: prefix.to_owned(),
        region: Some(REGION.to_owned()),
        credentials: keys(ACCESS_KEY, SECRET_KEY),
        timeouts: S3Timeouts {
            connect: Duration::from_millis(500),
            first_byte: Duration::from_secs(3),
            stall: Duration::from_millis(700),
            operation: Duration::from_secs(8),
        },
        buffered: 1 << 20,
        ..S3Options::new(endpoint, BUCKET)
    }
}

pub(crate) async fn store(server: &Server, prefix: &str) -> S3Store {
    S3Store::open(options(&server.endpoint(), prefix)).await.unwrap()
}

pub(crate) fn web() -> Key {
    Key::new("team-a", "web").unwrap()
}

pub(crate) fn document(text: &str) -> Content {
    Content::document("rendered.json", text.as_bytes().to_vec())
}

/// One test at a time: the port of a server that is stopped in one must not be taken by a server of another.
pub(crate) async fn alone() -> tokio::sync::MutexGuard<'static, ()> {
    static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    ALONE.lock().await
}
