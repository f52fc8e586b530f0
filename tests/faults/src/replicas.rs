//! Two and three replicas of the operator, one of which is killed, ended, frozen, cut off, or loses its Lease or its directory, while
//! snippets change and consumers fetch.
//!
//! The replicas, the API server and the store are the real ones. Each replica has a way of its own to either, which can be cut; what
//! it sent into a cut way is delivered late. A balancer on loopback plays the Service: it leads new connections to the replicas that
//! answer `/ready`. Who wrote what is read from the API server's audit log, in which each write of the operator names its term.

mod audit;
mod balancer;
mod bed;
mod judge;
mod readers;
mod round;
mod schedule;
mod shelf;
mod work;

use anyhow::Result;
use jaas_tests::controlplane::ControlPlane;
use jaas_tests::s3::{Server, Software};
use jaas_tests::supervisor::Launcher;

use crate::installed;
use crate::tally::{Plan, Tally, Violation};
use bed::Ground;

/// Runs the class.
///
/// # Errors
/// When a round cannot be set up; what the operator does wrong is a violation.
pub async fn run(plan: &Plan) -> Result<Tally> {
    let mut tally = Tally::new("replicas");
    let options = installed::options().await?;
    let launcher = options.supervisor.clone().map_or_else(Launcher::from_env, Ok)?;
    let plane = ControlPlane::start(jaas_tests::controlplane::Options { audit: true, ..options }).await?;
    let server = Server::start_with(Software::Versitygw, &launcher).await?;
    let ground = Ground { plane: &plane, server: &server };
    let mut times = judge::Times::default();
    for round in schedule::rounds(plan) {
        plan.progress.set_message(round.to_string());
        let findings = round::run(&ground, &round, &mut times).await;
        let violation = |finding: judge::Finding| Violation {
            case: round.to_string(),
            invariant: finding.invariant.to_owned(),
            seen: finding.seen,
        };
        tally.case(plan, findings.into_iter().map(violation));
    }
    tally.notes = times.told();
    Ok(tally)
}
