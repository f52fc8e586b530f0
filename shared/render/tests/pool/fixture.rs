//! What the tests of worker processes share.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use jaas_render::worker::{Limits, Pool};
use jaas_render::{Output, Rendered, Request};
use tokio::time::timeout;

pub(crate) const LIMITS: Limits = Limits {
    timeout: Duration::from_secs(60),
    memory_bytes: 256 << 20,
    output_bytes: 0,
    max_workers: 2,
    spare_workers: 0,
};

/// Who asks, where it does not matter.
pub(crate) const TEAM: &str = "team";

/// The example that does nothing but work, built with the tests.
pub(crate) fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.ancestors().nth(2).unwrap().join("examples/worker");
    assert!(path.exists(), "{} is built by: cargo build -p jaas-render --examples", path.display());
    path
}

pub(crate) fn pool(limits: Limits) -> Pool {
    Pool::new(program(), limits)
}

pub(crate) fn request(code: &str) -> Request {
    Request {
        label: "team/app/main.jsonnet".to_owned(),
        entry: "main.jsonnet".to_owned(),
        files: BTreeMap::from([("main.jsonnet".to_owned(), code.into())]),
        libraries: BTreeMap::new(),
        external_variables: BTreeMap::new(),
        top_level_arguments: BTreeMap::new(),
        output: Output::Json,
        max_stack: 0,
    }
}

pub(crate) fn rendered(text: &str) -> Rendered {
    Rendered { bytes: text.into(), objects: None }
}

/// A program that takes longer than any test waits.
pub(crate) fn endless() -> Request {
    request("std.foldl(function(sum, n) sum + n, std.range(1, 2000000000), 0)")
}

/// Waits until `condition` holds.
pub(crate) async fn until(mut condition: impl FnMut() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(Duration::from_secs(20), waiting).await.expect("the condition never held");
}

/// Waits until no worker is at work, not even at tidying up after its answer.
pub(crate) async fn settled(pool: &Pool) {
    until(|| pool.running() == 0).await;
}

pub(crate) async fn works(pool: &Pool) {
    assert_eq!(pool.evaluate(TEAM, &request("1 + 1"), 0).await.unwrap(), rendered("2\n"));
}
