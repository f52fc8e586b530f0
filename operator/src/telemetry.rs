//! What the operator tells about itself: logs and metrics.

pub mod log;
pub mod metrics;
pub mod trace;
