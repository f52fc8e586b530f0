//! What the operator does to the outside, and the cases that follow from it. Pure.

use std::fmt;

use jaas_tests::apiproxy::{Call, Moment};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use crate::tally::{Plan, Scale};

/// Repetitions of every case, each with other pauses and other things happening while the operator is down.
const ROUNDS: u64 = 3;
/// Cases of each store in a sample.
const SAMPLE: usize = 3;

/// The store behind the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Backend {
    Local,
    S3,
}

/// What the operator is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Publish,
    Update,
    Withdraw,
}

pub(super) const OPERATIONS: [Operation; 3] = [Operation::Publish, Operation::Update, Operation::Withdraw];

/// Whom an effect is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Server {
    Api,
    /// Only a store in a bucket is reached by requests.
    Store,
}

/// A write: of those that look like this, the `nth`, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Effect {
    pub(super) server: Server,
    pub(super) what: String,
    pub(super) nth: usize,
}

/// What happens while the operator is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meanwhile {
    Nothing,
    /// The snippet gets other content.
    Edited,
    /// The snippet is deleted.
    Deleted,
}

/// A kill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Case {
    pub(super) backend: Backend,
    pub(super) operation: Operation,
    pub(super) effect: Effect,
    pub(super) moment: Moment,
    pub(super) meanwhile: Meanwhile,
    /// Decides the pauses.
    pub(super) seed: u64,
}

/// What a call does to the objects or files of a namespace, without what differs each time; `None` where it does nothing.
pub(super) fn what(server: Server, call: &Call, namespace: &str) -> Option<String> {
    let part = format!("/{namespace}/");
    if !call.writes_in(&part) {
        return None;
    }
    let (_, object) = call.path.split_once(&part)?;
    let shown = match server {
        Server::Store => "file",
        Server::Api if object.starts_with("events") => "events",
        Server::Api => object,
    };
    Some(format!("{} {shown}", call.method))
}

/// The effects among calls, in order. What the server refused is none: whoever looks again too early asks for what is done already.
pub(super) fn numbered(server: Server, calls: &[Call], namespace: &str) -> Vec<Effect> {
    let mut effects: Vec<Effect> = Vec::new();
    let accepted = calls.iter().filter(|call| call.status.is_some_and(|status| status.is_success()));
    for what in accepted.filter_map(|call| what(server, call, namespace)) {
        let nth = 1 + effects.iter().filter(|effect| effect.what == what).count();
        effects.push(Effect { server, what, nth });
    }
    effects
}

/// All cases, or a few of them.
pub(super) fn cases(plan: &Plan, backend: Backend, recorded: &[(Operation, Vec<Effect>)]) -> Vec<Case> {
    let mut all = Vec::new();
    for round in 0..ROUNDS {
        for (operation, effect) in
            recorded.iter().flat_map(|(operation, effects)| effects.iter().map(|it| (*operation, it)))
        {
            for moment in [Moment::BeforeSending, Moment::BeforeAnswering] {
                let seed = plan.seed.wrapping_mul(1_000_000).wrapping_add(all.len() as u64);
                let meanwhile = meanwhile(round, operation, seed);
                all.push(Case { backend, operation, effect: effect.clone(), moment, meanwhile, seed });
            }
        }
    }
    match plan.scale {
        Scale::Full => all,
        Scale::Sample => {
            let mut drawing = StdRng::seed_from_u64(plan.seed);
            all.choose_multiple(&mut drawing, SAMPLE).cloned().collect()
        }
    }
}

/// Nothing in the first round, so that every kill is seen by itself.
fn meanwhile(round: u64, operation: Operation, seed: u64) -> Meanwhile {
    if round == 0 || operation == Operation::Withdraw {
        return Meanwhile::Nothing;
    }
    match StdRng::seed_from_u64(seed).random_range(0..3) {
        0 => Meanwhile::Nothing,
        1 => Meanwhile::Edited,
        _ => Meanwhile::Deleted,
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { backend, operation, effect, moment, meanwhile, seed } = self;
        let Effect { what, nth, .. } = effect;
        let moment = match moment {
            Moment::BeforeSending => "before",
            Moment::BeforeAnswering => "after",
        };
        write!(
            f,
            "{backend:?} store, {operation:?} killed {moment} `{what}` no. {nth}, meanwhile {meanwhile:?}, {seed}"
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::PathBuf;

    use indicatif::ProgressBar;
    use jaas_tests::apiproxy::Verb;

    use super::*;

    fn call(method: http::Method, path: &str, verb: Verb) -> Call {
        Call { method, path: path.to_owned(), query: String::new(), verb, status: Some(http::StatusCode::OK) }
    }

    #[test]
    fn effects_are_named_by_what_does_not_differ() {
        let mut calls = vec![
            call(http::Method::PATCH, "/apis/jaas.metio.wtf/v1/namespaces/a/jsonnetsnippets/web/status", Verb::Write),
            call(http::Method::POST, "/apis/events.k8s.io/v1/namespaces/a/events", Verb::Write),
            call(http::Method::PATCH, "/apis/events.k8s.io/v1/namespaces/a/events/web.17", Verb::Write),
            call(http::Method::PATCH, "/apis/jaas.metio.wtf/v1/namespaces/a/jsonnetsnippets/web/status", Verb::Write),
            call(http::Method::PATCH, "/apis/jaas.metio.wtf/v1/namespaces/b/jsonnetsnippets/web/status", Verb::Write),
            call(http::Method::GET, "/apis/jaas.metio.wtf/v1/namespaces/a/jsonnetsnippets/web", Verb::Read),
        ];
        let found: Vec<_> =
            numbered(Server::Api, &calls, "a").into_iter().map(|effect| (effect.what, effect.nth)).collect();
        let status = "PATCH jsonnetsnippets/web/status";
        let expected = [(status, 1), ("POST events", 1), ("PATCH events", 1), (status, 2)];
        assert_eq!(found, expected.map(|(what, nth)| (what.to_owned(), nth)));
        calls[0].status = Some(http::StatusCode::CONFLICT);
        assert_eq!(numbered(Server::Api, &calls, "a").len(), 3);
        calls[1].status = None;
        assert_eq!(numbered(Server::Api, &calls, "a").len(), 2);
        let file = call(http::Method::PUT, "/bucket/a/web/sha256-00.tar.gz", Verb::Write);
        assert_eq!(what(Server::Store, &file, "a").unwrap(), "PUT file");
    }

    #[test]
    fn every_effect_is_met_from_both_sides_in_every_round_and_a_sample_is_drawn_by_the_seed() {
        let effect = |what: &str| Effect { server: Server::Api, what: what.to_owned(), nth: 1 };
        let recorded = [(Operation::Publish, vec![effect("a"), effect("b")]), (Operation::Withdraw, vec![effect("c")])];
        let drawn = |seed, scale| {
            cases(
                &Plan { seed, scale, progress: ProgressBar::hidden(), driver: PathBuf::new() },
                Backend::Local,
                &recorded,
            )
        };
        let all = drawn(1, Scale::Full);
        assert_eq!(all.len(), 3 * 2 * 3);
        assert!(all[..6].iter().all(|case| case.meanwhile == Meanwhile::Nothing));
        assert!(all.iter().any(|case| case.meanwhile == Meanwhile::Edited));
        let withdrawals = || all.iter().filter(|case| case.operation == Operation::Withdraw);
        assert!(withdrawals().count() == 6 && withdrawals().all(|case| case.meanwhile == Meanwhile::Nothing));
        let sample = drawn(1, Scale::Sample);
        assert_eq!(sample.len(), 3);
        assert_eq!(sample, drawn(1, Scale::Sample));
        assert_ne!(sample, drawn(2, Scale::Sample));
    }
}
