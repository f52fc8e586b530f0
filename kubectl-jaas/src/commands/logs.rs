//! `logs`: the leader's log, or what it says of one snippet.

mod filter;

use std::time::Duration;

use futures::io::AsyncBufReadExt as _;
use futures::stream::{FuturesUnordered, StreamExt as _};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::LogParams;

use self::filter::Filter;
use super::{Error, Invocation, Verdict, find, one};
use crate::cli::LogsArgs;
use crate::exit::Exit;
use crate::lease::Leadership;
use crate::operator::{self, Operator};
use crate::session::{self, Call, Session, Writes};
use crate::view::{Detail, Record, Report};

/// Shows records as they come, and notes them for documents.
pub(super) async fn run(args: &LogsArgs, invocation: &Invocation<'_>, report: &mut Report) -> Result<Verdict, Error> {
    let session = Session::open(invocation.connection, invocation.run, Writes::Refused).await?;
    report.at(&session.destination);
    let key = args.name.as_deref().map(|name| one::key(name, &session, invocation, "logs")).transpose()?;
    let operator = find::the_operator(&session, &args.operator).await?;
    let pods = pods(args, &session, &operator).await?;
    let of = key.as_ref().map(|key| format!(" about {key}")).unwrap_or_default();
    invocation.listener.say(&format!("log of {}{of}; {}", pods.join(", "), session.destination));
    let filter = Filter::new(key);
    // Nobody reads a document of something that never ends.
    let keeps = invocation.format.is_document() && !args.follow;
    let job = Job { session: &session, invocation, args, filter: &filter, namespace: operator.namespace(), keeps };
    let mut stop = invocation.stop.clone();
    let read = async {
        let mut reads: FuturesUnordered<_> = pods.iter().map(async |pod| (pod, job.read(pod).await)).collect();
        let (mut records, mut failures) = (Vec::new(), Vec::new());
        while let Some((pod, answer)) = reads.next().await {
            match answer {
                Ok(read) => records.extend(read),
                Err(error) => failures.push((pod.clone(), error)),
            }
        }
        (records, failures)
    };
    let (records, mut failures) = tokio::select! {
        read = read => read,
        // Who follows ends it this way.
        signal = stop.signalled() => {
            return Ok(Verdict { exit: signal.exit(), message: "stopped reading".to_owned(), hint: None });
        }
    };
    let (n_failed, n_pods) = (failures.len(), pods.len());
    report.detail = Some(Detail::Records(records));
    match failures.pop() {
        None => Ok(Verdict { exit: Exit::Done, message: String::new(), hint: None }),
        Some((pod, session::Error::Invalid { message, .. })) if n_failed == n_pods && has_no_run_before(&message) => {
            Ok(Verdict {
                exit: Exit::NotFound,
                message: format!("there was no run before: {pod} has not restarted"),
                hint: None,
            })
        }
        Some((_, error)) if n_failed == n_pods => Err(error.into()),
        Some((pod, error)) => Ok(Verdict {
            exit: Exit::Partial,
            message: format!("{n_failed} of {n_pods} logs could not be read, such as that of {pod}: {error}"),
            hint: Some(error.hint()),
        }),
    }
}

/// How a kubelet says that a container has only run once.
fn has_no_run_before(message: &str) -> bool {
    message.contains("previous terminated container")
}

/// Whose logs are read.
async fn pods(args: &LogsArgs, session: &Session, operator: &Operator) -> Result<Vec<String>, Error> {
    let replicas = find::replicas(session, operator).await?;
    let mut names: Vec<_> = replicas.into_iter().map(|replica| replica.name).collect();
    names.sort();
    if !args.all_replicas && operator.elects() {
        let place =
            operator::lease(Some(operator), &args.operator).ok_or_else(|| Error::NoOperator(operator.path()))?;
        let lease = find::lease(session, &place).await?.ok_or_else(|| Error::NoLease(place.to_string()))?;
        let leadership = Leadership::of(&lease);
        names.retain(|name| name == leadership.pod());
        if names.is_empty() {
            return Err(Error::NoLeader { lease: place.to_string(), holder: leadership.holder });
        }
    }
    if names.is_empty() {
        return Err(Error::NoOperator(format!("Pods of {}", operator.path())));
    }
    Ok(names)
}

struct Job<'a> {
    session: &'a Session,
    invocation: &'a Invocation<'a>,
    args: &'a LogsArgs,
    filter: &'a Filter,
    namespace: &'a str,
    keeps: bool,
}

impl Job<'_> {
    /// Reads one log to its end.
    async fn read(&self, pod: &str) -> Result<Vec<Record>, session::Error> {
        let pods: Api<Pod> = Api::namespaced(self.session.client.clone(), self.namespace);
        let params = LogParams {
            follow: self.args.follow,
            previous: self.args.previous,
            tail_lines: Some(self.args.tail),
            since_seconds: self.args.since.map(seconds),
            ..LogParams::default()
        };
        let call = Call::new("get", "", "pods/log", &["get"]).within(Some(self.namespace)).named(pod);
        let mut lines = self.session.call(&call, pods.log_stream(pod, &params)).await?.lines();
        let mut records = Vec::new();
        while let Some(line) = lines.next().await {
            let line = line.map_err(|error| self.session.classify(&call, kube::Error::ReadEvents(error)))?;
            let Some(record) = self.filter.record(&line) else { continue };
            let record = Record { pod: pod.to_owned(), record };
            let text = if self.args.all_replicas { format!("{pod} {line}") } else { line };
            if self.invocation.listener.record(&record, &text).is_err() {
                // The reader went away, as `head` does.
                break;
            }
            if self.keeps {
                records.push(record);
            }
        }
        Ok(records)
    }
}

fn seconds(time: Duration) -> i64 {
    i64::try_from(time.as_secs().max(1)).unwrap_or(i64::MAX)
}
