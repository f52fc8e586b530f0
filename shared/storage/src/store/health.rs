//! What a store can do, as it was found out rather than read in a manual. Pure.

use std::time::Duration;

use serde::Serialize;

/// A store that answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// Where it is: a path, or `s3://bucket/prefix at endpoint`.
    pub place: String,
    /// How long the answer took.
    #[serde(rename = "latencyMilliseconds", serialize_with = "milliseconds")]
    pub latency: Duration,
    /// What it can do, as far as that was asked.
    pub capabilities: Capabilities,
}

/// What a store can do. `None` means that it was not asked, or gave no answer to that.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Capabilities {
    /// Refuses to create what exists already, so that of several writers one wins.
    pub create_only: Option<bool>,
    /// Deletes only what is still the expected state.
    pub conditional_delete: Option<bool>,
    /// Takes a checksum beside the bytes and refuses bytes that do not match it.
    pub checksums: Option<bool>,
    /// Says of a missing object that it is missing; otherwise it says "denied", as without the right to list.
    pub missing_is_told: Option<bool>,
    /// Lists in pages, and the pages together are all.
    pub pagination: Option<bool>,
    /// Seconds by which the clock of the service is ahead of ours.
    pub clock_ahead_seconds: Option<i64>,
    /// Region that the service told of.
    pub region: Option<String>,
}

fn milliseconds<S: serde::Serializer>(latency: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(latency.as_millis()).unwrap_or(u64::MAX))
}
