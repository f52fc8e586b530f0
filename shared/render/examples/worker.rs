//! A program with a pool of workers, which evaluates without end. The tests of the pool start it.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use jaas_render::worker::{self, Limits, Pool};
use jaas_render::{Output, Request};

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|argument| argument == worker::ARGUMENT) {
        return worker::run();
    }
    host()
}

#[tokio::main(flavor = "current_thread")]
async fn host() -> ExitCode {
    let limits = Limits { timeout: Duration::ZERO, memory_bytes: 256 << 20, max_workers: 1 };
    let code = "std.foldl(function(sum, n) sum + n, std.range(1, 2000000000), 0)";
    let request = Request {
        label: "endless.jsonnet".to_owned(),
        entry: "endless.jsonnet".to_owned(),
        files: BTreeMap::from([("endless.jsonnet".to_owned(), code.into())]),
        libraries: BTreeMap::new(),
        external_variables: BTreeMap::new(),
        top_level_arguments: BTreeMap::new(),
        output: Output::Json,
        max_stack: 0,
    };
    match Pool::new("/proc/self/exe".into(), limits).evaluate(&request).await {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
