//! Logs of a container: what the API server asks for in the name of `kubectl logs`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::{Response, StatusCode};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use jiff::Timestamp;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::Sandbox;
use super::server::{Body, say, text, values};
use crate::supervisor::Process;

/// Time between two looks at a log that is followed.
const LOOK: Duration = Duration::from_millis(20);

/// What was asked for. Pure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Wanted {
    follow: bool,
    previous: bool,
    tail: Option<usize>,
    since: Option<i64>,
}

impl Wanted {
    /// Refuses what is not played.
    fn of(query: &str) -> Result<Self, String> {
        let one = |name: &str| values(query, name).last();
        if let Some(other) = ["timestamps", "sinceTime", "limitBytes"].into_iter().find(|name| one(name).is_some()) {
            return Err(format!("{other} is not played here"));
        }
        let number = |name: &str| one(name).and_then(|value| value.parse().ok());
        Ok(Self {
            follow: one("follow") == Some("true"),
            previous: one("previous") == Some("true"),
            tail: number("tailLines").and_then(|lines: i64| lines.try_into().ok()),
            since: number("sinceSeconds"),
        })
    }

    /// The part of a log that is meant, whole lines. A kubelet notes for each line when it came; here the line's own `time` tells, and
    /// a line without one is as old as the one before.
    fn select(self, log: &str, now: Timestamp) -> &str {
        let lines: Vec<&str> = log.split_inclusive('\n').collect();
        let begins = |seconds: i64| now.as_second().saturating_sub(seconds);
        let is_new = |line: &&str| self.since.is_none_or(|since| time(line).is_some_and(|at| at >= begins(since)));
        let first = lines.iter().position(is_new).unwrap_or(lines.len());
        let first = first.max(self.tail.map_or(0, |tail| lines.len().saturating_sub(tail)));
        &log[lines[..first].iter().map(|line| line.len()).sum()..]
    }
}

fn time(line: &str) -> Option<i64> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    let time: Timestamp = line["time"].as_str()?.parse().ok()?;
    Some(time.as_second())
}

/// Answers with the log, or with why not.
pub(super) fn answer(sandbox: &Sandbox, query: &str) -> Response<Body> {
    let wanted = match Wanted::of(query) {
        Ok(wanted) => wanted,
        Err(words) => return say(StatusCode::BAD_REQUEST, words),
    };
    let (path, process) = {
        let runs = sandbox.runs();
        let mut logs = runs.logs.iter().rev().cloned();
        // While nothing runs the last run is the present one.
        (if wanted.previous { logs.nth(1) } else { logs.next() }, runs.process.clone())
    };
    let Some(path) = path else {
        let words = format!("previous terminated container in pod {:?} not found", sandbox.name);
        return say(StatusCode::BAD_REQUEST, words);
    };
    let log = std::fs::read(&path).unwrap_or_default();
    let end = log.len() as u64;
    let log = String::from_utf8_lossy(&log).into_owned();
    let selected = wanted.select(&log, Timestamp::now()).to_owned();
    match process.filter(|_| wanted.follow && !wanted.previous) {
        Some(process) => Response::new(follow(selected, path, end, process)),
        None => Response::new(text(selected)),
    }
}

/// The beginning, and then what comes until the process has ended.
fn follow(beginning: String, path: PathBuf, end: u64, process: Arc<Process>) -> Body {
    let state = (Some(Bytes::from(beginning)), path, end, process);
    let pieces = stream::unfold(state, |(beginning, path, end, process)| async move {
        if let Some(piece) = beginning.filter(|piece| !piece.is_empty()) {
            return Some((Ok(Frame::data(piece)), (None, path, end, process)));
        }
        loop {
            // Before the look, so that nothing that was said last is missed.
            let is_over = process.exit().is_some();
            let piece = rest(&path, end).await.unwrap_or_default();
            if !piece.is_empty() {
                let end = end + piece.len() as u64;
                return Some((Ok(Frame::data(piece.into())), (None, path, end, process)));
            }
            if is_over {
                return None;
            }
            tokio::time::sleep(LOOK).await;
        }
    });
    StreamBody::new(pieces).boxed_unsync()
}

async fn rest(path: &std::path::Path, from: u64) -> std::io::Result<Vec<u8>> {
    let mut file = tokio::fs::File::open(path).await?;
    file.seek(std::io::SeekFrom::Start(from)).await?;
    let mut piece = Vec::new();
    file.read_to_end(&mut piece).await?;
    Ok(piece)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "{\"time\":\"1970-01-01T00:00:10Z\"}\nplain\n{\"time\":\"1970-01-01T00:01:00.5Z\"}\nend\n";

    fn select(query: &str) -> Result<&'static str, String> {
        let now = Timestamp::from_second(90).map_err(|error| error.to_string())?;
        Wanted::of(query).map(|wanted| wanted.select(LOG, now))
    }

    #[test]
    fn the_last_lines_and_the_last_seconds() {
        assert_eq!(select("stream=All"), Ok(LOG));
        assert_eq!(select("tailLines=1"), Ok("end\n"));
        assert_eq!(select("tailLines=0"), Ok(""));
        assert_eq!(select("sinceSeconds=40"), Ok("{\"time\":\"1970-01-01T00:01:00.5Z\"}\nend\n"));
        assert_eq!(select("sinceSeconds=40&tailLines=1"), Ok("end\n"));
        assert_eq!(select("sinceSeconds=1"), Ok(""));
    }

    #[test]
    fn what_is_not_played_is_refused() {
        assert!(Wanted::of("timestamps=true&follow=true").is_err());
        assert_eq!(Wanted::of("follow=true").map(|wanted| wanted.follow), Ok(true));
    }
}
