//! An S3 service that misbehaves.
//!
//! A case is a fault that a request really met. Faults come in schedules: in a `storm` several operators and consumers work on one
//! bucket while a part of all requests goes wrong; in an `outage` every request does. The service keeps the truth, so every answer is
//! compared with it, and after each schedule the faults end and everything must go right again by itself.
//!
//! A service that lies is believed where nobody could know better: what it calls missing is missing, and what it hands out wrong
//! twice is damaged. Neither may become a wrong byte, or stay after the lie has ended.

mod bench;
mod calm;
mod contents;
mod evidence;
mod fitting;
mod lateness;
mod ledger;
mod maintain;
mod outage;
mod publish;
mod read;
mod storm;
mod weather;

use std::sync::Arc;

use anyhow::Result;
use futures::StreamExt;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use self::lateness::Lateness;
use self::weather::Weather;
use crate::Violation;
use crate::tally::{Plan, Scale, Tally};

/// Where in the bucket the store is.
const PREFIX: &str = "deep/prefix";
/// Where the bucket is.
const REGION: &str = "eu-test-1";
/// Folder of what a probe writes.
const PROBES: &str = ".jaas-probe/";
/// Schedules at a time; most of their time is waiting.
const PARALLEL: usize = 12;
/// Every so many schedules, one is an outage.
const OUTAGES: u64 = 4;

/// Runs the class.
///
/// # Errors
/// When a case cannot be set up; what the store does wrong is a violation.
pub async fn run(plan: &Plan) -> Result<Tally> {
    let (wanted, least) = match plan.scale {
        Scale::Sample => (10, 250),
        Scale::Full => (160, 6000),
    };
    let lateness = Arc::new(Lateness::watch());
    let mut tally = Tally::new("S3");
    let schedules = futures::stream::iter(0_u64..).map(|number| schedule(plan.seed, number, &lateness));
    let mut schedules = std::pin::pin!(schedules.buffered(PARALLEL));
    let mut run = 0;
    while (run < wanted || tally.cases < least)
        && let Some(done) = schedules.next().await
    {
        run += 1;
        let (faults, mut violations) = done?;
        for _ in 0..faults {
            tally.case(plan, violations.drain(..));
        }
        tally.violations.append(&mut violations);
    }
    Ok(tally)
}

async fn schedule(seed: u64, number: u64, lateness: &Arc<Lateness>) -> Result<(usize, Vec<Violation>)> {
    let drawn = StdRng::seed_from_u64(seed.rotate_left(32) ^ number).random();
    let case = format!("seed {seed}, schedule {number}");
    if number % OUTAGES == OUTAGES - 1 {
        return outage::run(&case, drawn, lateness).await;
    }
    let weather = Weather::draw(drawn);
    let case = format!("{case}, {:?} at {} per mille", weather.family, weather.per_mille);
    storm::run(case, weather, lateness).await
}
