//! What the service knows of the faults that a client met.

use std::time::{Duration, Instant};

use jaas_tests::s3::faults::{Call, Fault, Met};

use super::bench::{Bench, Client, object};
use super::ledger::Revision;

/// A fault may be the cause of what another request meets for this long: connections are used again, and turns waited for.
const AFTERMATH: Duration = Duration::from_secs(2);
/// After so many denials of what cannot exist, nobody can know better.
const DENIALS: usize = 3;

impl Bench {
    /// Faults that this client met on this path since a time.
    pub(super) fn met(&self, client: &Client, path: &str, since: Instant) -> Vec<Met> {
        let object = object(path);
        self.server.met_since(since, |met| met.asked.client == client.name && met.asked.path == object)
    }

    /// Whether anybody's request on this path was done long after it was given up.
    pub(super) fn was_late(&self, path: &str, call: Call) -> bool {
        let object = object(path);
        let late =
            |met: &Met| matches!(met.fault, Fault::Late(_)) && met.asked.call == call && met.asked.path == object;
        self.server.met().iter().any(late)
    }

    /// Whether this client was told a wrong region, which it asks in until it is told better.
    pub(super) fn is_led_astray(&self, client: &Client) -> bool {
        let told = |met: &Met| met.asked.client == client.name && matches!(met.fault, Fault::Elsewhere(_));
        self.server.met().iter().any(told)
    }

    /// Whether something else than what was put is there, or was at some time since `since`.
    pub(super) fn is_replaced(&self, path: &str, since: Instant) -> bool {
        let shaken = self.ledger().get(path).is_some_and(Revision::is_shaken);
        shaken || self.server.changed_since(&object(path), since)
    }

    /// Whether this client was made to believe that the service calls what is missing denied.
    pub(super) fn takes_denial_for_absence(&self, client: &Client) -> bool {
        let probed = |met: &&Met| met.asked.client == client.name && met.asked.path.contains(super::PROBES);
        let denied = |met: &&Met| met.asked.call == Call::Get && met.fault == Fault::Refuse(403, "AccessDenied");
        self.server.met().iter().filter(probed).filter(denied).count() >= DENIALS
    }

    /// Faults that may be the cause of what this client meets.
    pub(super) fn near(&self, client: &Client, begun: Instant) -> Vec<Met> {
        let since = begun.checked_sub(AFTERMATH).unwrap_or(begun);
        self.server.met_since(since, |met| met.asked.client == client.name)
    }
}

/// An error with its causes.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Faults in words.
pub(super) fn told(met: &[Met]) -> String {
    let told: Vec<String> = met.iter().map(|met| format!("{:?} {:?}", met.asked.call, met.fault)).collect();
    if told.is_empty() { "no fault".to_owned() } else { told.join(", ") }
}
