//! Reads facts as JSON from stdin and prints the finding document: for looking at what somebody else's installation looked like.

use std::io;
use std::process::ExitCode;

use jaas_findings::{Document, Facts};

fn main() -> ExitCode {
    let facts: Facts = match serde_json::from_reader(io::stdin().lock()) {
        Ok(facts) => facts,
        Err(error) => {
            eprintln!("error: reading facts: {error}");
            return ExitCode::from(2);
        }
    };
    match serde_json::to_writer_pretty(io::stdout().lock(), &Document::of(&facts)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: writing the document: {error}");
            ExitCode::FAILURE
        }
    }
}
