//! The operator killed between any two of its effects.
//!
//! It is the real one, with the real API server and a store behind it. What it writes to either passes a proxy, so that it can be
//! stopped right before an effect, or after it and before it learns of it, and be killed there. First the effects of a publish, an
//! update and a withdrawal are recorded; then each gets its cases.

mod bed;
mod case;
mod effects;
mod judge;
mod shelf;

use anyhow::{Context, Result};
use jaas_tests::controlplane::ControlPlane;

use crate::installed;
use crate::tally::{Plan, Tally, Violation};
use bed::Bed;
use effects::Backend;

/// Runs the class.
///
/// # Errors
/// When a case cannot be set up; what the operator does wrong is a violation.
pub async fn run(plan: &Plan) -> Result<Tally> {
    let mut tally = Tally::new("operator");
    let plane = ControlPlane::start(installed::options().await?).await?;
    for backend in [Backend::Local, Backend::S3] {
        let mut bed = Bed::new(&plane, backend).await?;
        let recorded = case::record(&bed).await.context("recording the effects")?;
        for case in effects::cases(plan, backend, &recorded) {
            plan.progress.set_message(case.to_string());
            let findings = case::run(&mut bed, &case).await;
            let violation = |finding: judge::Finding| Violation {
                case: case.to_string(),
                invariant: finding.invariant.to_owned(),
                seen: finding.seen,
            };
            tally.case(plan, findings.into_iter().map(violation));
        }
        bed.end().await?;
    }
    Ok(tally)
}
