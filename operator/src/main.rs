//! `jaas-operator`.

use std::process::ExitCode;

fn main() -> ExitCode {
    // A worker evaluates what tenants wrote: it branches off before a runtime, a client or a log exists.
    if std::env::args_os().nth(1).is_some_and(|argument| argument == jaas_render::worker::ARGUMENT) {
        return jaas_render::worker::run();
    }
    jaas_operator::app::main()
}
