//! Runs programs for a test and ends them when the test is gone.

use std::env;
use std::process::ExitCode;

use jaas_tests::{runner, supervisor};

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    runner::finish(supervisor::main(&args).map(|()| ExitCode::SUCCESS))
}
