//! Prints a file that is generated from the registry: `page`, `schema` or `alerts`.

use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let text = match std::env::args().nth(1).as_deref() {
        Some("page") => jaas_findings::page::page(),
        Some("schema") => jaas_findings::schema(),
        Some("alerts") => jaas_findings::page::alerts(),
        _ => {
            let _ = writeln!(std::io::stderr(), "usage: generate page|schema|alerts");
            return ExitCode::from(2);
        }
    };
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
