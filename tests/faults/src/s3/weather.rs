//! What goes wrong with which request, decided by a seed.
//!
//! The decision depends on the request and on how many of its kind there were, not on when it comes: the same seed breaks the same
//! requests however the tasks of a schedule are interleaved.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jaas_tests::s3::faults::{Asked, Call, Fault};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use super::REGION;

/// A family of faults that come together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// Everything.
    Mixed,
    /// Connections that break.
    Connections,
    /// Refusals that pass.
    Busy,
    /// Refusals that need a person.
    Refused,
    /// No answers, and slow ones.
    Silence,
    /// Answers that are wrong.
    Answers,
    /// Listings that are wrong.
    Listings,
    /// Objects that are called missing, or denied.
    Lies,
}

impl Family {
    /// All of them.
    pub(super) const ALL: [Self; 8] = [
        Self::Mixed,
        Self::Connections,
        Self::Busy,
        Self::Refused,
        Self::Silence,
        Self::Answers,
        Self::Listings,
        Self::Lies,
    ];

    /// What this family may do to a request. Lengths and times are upper bounds.
    fn menu(self, call: Call) -> Vec<Fault> {
        let reads = matches!(call, Call::Get | Call::Head);
        let listing = matches!(call, Call::List | Call::Uploads);
        match self {
            Self::Mixed => {
                let all = Self::ALL.into_iter().filter(|family| *family != Self::Mixed);
                all.flat_map(|family| family.menu(call)).collect()
            }
            Self::Connections => vec![
                Fault::LoseAnswer,
                Fault::LoseRequest,
                Fault::Reset,
                Fault::Garbage,
                Fault::Twice,
                Fault::CutBody(LONGEST),
            ],
            Self::Busy => [
                (500, "InternalError"),
                (502, ""),
                (503, "SlowDown"),
                (503, "ServiceUnavailable"),
                (504, ""),
                (429, "TooManyRequests"),
                (400, "RequestTimeout"),
                (409, "ConditionalRequestConflict"),
                (409, "OperationAborted"),
                (412, "PreconditionFailed"),
            ]
            .map(|(status, code)| Fault::Refuse(status, code))
            .into_iter()
            .chain([Fault::CorruptRequest])
            .collect(),
            Self::Refused => [
                (400, "ExpiredToken"),
                (403, "InvalidAccessKeyId"),
                (403, "SignatureDoesNotMatch"),
                (403, "RequestTimeTooSkewed"),
                (403, "AccessDenied"),
                (403, "QuotaExceeded"),
                (404, "NoSuchBucket"),
                (301, "PermanentRedirect"),
                (302, ""),
                (307, "TemporaryRedirect"),
                (507, "InsufficientStorage"),
            ]
            .map(|(status, code)| Fault::Refuse(status, code))
            .into_iter()
            .chain([Fault::Elsewhere("us-wrong-1"), Fault::Elsewhere(REGION)])
            .collect(),
            Self::Silence => {
                vec![Fault::Stall, Fault::Late(LATEST), Fault::StallBody(LONGEST), Fault::Drip]
            }
            Self::Answers => {
                let mut menu =
                    vec![Fault::Portal, Fault::Empty, Fault::NoEtag, Fault::WrongEtag, Fault::WrongDate, Fault::Drip];
                if reads {
                    menu.extend([Fault::WrongMetadata, Fault::CutBody(LONGEST), Fault::WholeBody]);
                }
                if call == Call::Get {
                    menu.extend([Fault::CorruptBody, Fault::CorruptBody, Fault::ShortBody(LONGEST)]);
                }
                menu
            }
            Self::Listings if call == Call::List => vec![
                Fault::CircularList,
                Fault::CutList,
                Fault::DoubleList,
                Fault::EmptyPage,
                Fault::VagueList,
                Fault::LateList,
                Fault::ShortBody(LONGEST),
            ],
            Self::Listings if listing => vec![Fault::ShortBody(LONGEST), Fault::Refuse(500, "InternalError")],
            Self::Listings => vec![Fault::LoseAnswer, Fault::Refuse(503, "SlowDown")],
            Self::Lies if reads => vec![Fault::Refuse(404, "NoSuchKey"), Fault::Refuse(403, "AccessDenied")],
            Self::Lies => vec![Fault::Refuse(404, ""), Fault::Refuse(403, "AccessDenied")],
        }
    }
}

/// Longest part of a body that is still sent, in bytes.
const LONGEST: usize = 64 << 10;
/// Longest time after which a request is done that nobody answers.
pub(super) const LATEST: Duration = Duration::from_millis(400);

/// Client, call and path of requests that are counted together.
type Kind = (String, Call, String);

/// What a schedule's service is like.
#[derive(Clone, Debug)]
pub(super) struct Weather {
    /// Decides everything.
    pub(super) seed: u64,
    /// What goes wrong.
    pub(super) family: Family,
    /// Of a thousand requests, how many meet a fault.
    pub(super) per_mille: u32,
    /// How many requests there were of each kind. The service counts those on each path, but a probe draws its paths.
    asked: Arc<Mutex<HashMap<Kind, u64>>>,
}

impl Weather {
    /// The weather of one schedule.
    pub(super) fn draw(seed: u64) -> Self {
        let mut dice = StdRng::seed_from_u64(seed);
        let family = Family::ALL.choose(&mut dice).copied().unwrap_or(Family::Mixed);
        // Listings are few among the requests.
        let least = if family == Family::Listings { 300 } else { 100 };
        Self { seed, family, per_mille: dice.random_range(least..500), asked: Arc::default() }
    }

    /// What happens to a request.
    pub(super) fn strikes(&self, asked: &Asked) -> Fault {
        let kind = (asked.client.clone(), asked.call, stable(&asked.path));
        let mut hasher = DefaultHasher::new();
        {
            let mut counts = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            let nth = counts.entry(kind.clone()).or_default();
            *nth += 1;
            (self.seed, kind, *nth).hash(&mut hasher);
        }
        let mut dice = StdRng::seed_from_u64(hasher.finish());
        if dice.random_range(0..1000) >= self.per_mille {
            return Fault::None;
        }
        match self.family.menu(asked.call).choose(&mut dice) {
            Some(Fault::CutBody(most)) => Fault::CutBody(length(*most, &mut dice)),
            Some(Fault::StallBody(most)) => Fault::StallBody(length(*most, &mut dice)),
            Some(Fault::ShortBody(most)) => Fault::ShortBody(length(*most, &mut dice)),
            Some(Fault::Late(most)) => Fault::Late(most.mul_f64(dice.random())),
            Some(fault) => fault.clone(),
            None => Fault::None,
        }
    }
}

/// Short lengths as often as long ones.
fn length(most: usize, dice: &mut StdRng) -> usize {
    let bits = usize::BITS - most.leading_zeros();
    dice.random_range(0..=most) >> dice.random_range(0..bits)
}

/// The path without what a probe draws by itself.
fn stable(path: &str) -> String {
    match path.split_once(super::PROBES) {
        Some((before, after)) => format!("{before}{}", after.rsplit('/').next().unwrap_or_default()),
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strikes(seed: u64) -> Vec<Fault> {
        let weather = Weather { seed, family: Family::Mixed, per_mille: 300, asked: Arc::default() };
        let (client, region, path) = ("leader".to_owned(), REGION.to_owned(), "a/b/c".to_owned());
        let asked = Asked { client, day: String::new(), region, call: Call::Get, path, nth: 0, presigned: false };
        (0..500).map(|_| weather.strikes(&asked)).collect()
    }

    #[test]
    fn the_same_seed_breaks_the_same_requests() {
        let (once, other) = (strikes(7), strikes(8));
        assert_eq!(once, strikes(7));
        assert_ne!(once, other);
        let met = once.iter().filter(|fault| **fault != Fault::None).count();
        assert!((100..200).contains(&met), "{met} of 500");
    }

    #[test]
    fn every_family_has_something_for_every_request() {
        for family in Family::ALL {
            for call in [Call::Put, Call::Copy, Call::Get, Call::Head, Call::Delete, Call::List, Call::Uploads] {
                assert!(!family.menu(call).is_empty(), "{family:?} {call:?}");
            }
        }
    }
}
