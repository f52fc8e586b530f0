//! Times the steps of one reconcile.

use std::fmt;
use std::time::{Duration, Instant};

use super::World;
use crate::telemetry::metrics::Stage;

/// Durations of the steps so far.
#[derive(Debug)]
pub struct Stopwatch {
    started: Instant,
    stages: Vec<(Stage, Duration)>,
}

impl Default for Stopwatch {
    fn default() -> Self {
        Self { started: Instant::now(), stages: Vec::new() }
    }
}

impl Stopwatch {
    /// Runs a step and remembers how long it took.
    pub async fn time<T>(&mut self, world: &World, stage: Stage, work: impl Future<Output = T>) -> T {
        let started = Instant::now();
        let answer = work.await;
        let took = started.elapsed();
        world.metrics.stage(stage, took);
        self.stages.push((stage, took));
        answer
    }

    /// Milliseconds since the start.
    pub fn total_milliseconds(&self) -> f64 {
        milliseconds(self.started.elapsed())
    }
}

impl fmt::Display for Stopwatch {
    /// `gather=0.8ms evaluate=0.3ms`, in the order of the steps.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, (stage, took)) in self.stages.iter().enumerate() {
            let space = if position == 0 { "" } else { " " };
            write!(f, "{space}{}={}ms", stage.as_str(), milliseconds(*took))?;
        }
        Ok(())
    }
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 100_000.0).round() / 100.0
}
