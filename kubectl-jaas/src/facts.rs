//! Gathers what an installation shows of itself: effects only, nothing is judged here.
//!
//! Each file asks for one kind of fact. What cannot be learned is handed on as unknown, with what stood in the way.

mod access;
mod consumers;
mod defaults;
mod dialects;
mod metrics;
mod network;
mod operator;
mod pods;
mod policies;
mod road;
mod snippets;
mod storage;
mod store;
mod tell;
mod webhook;

use futures::future::OptionFuture;
use jaas_findings::facts::Flags;
use jaas_findings::known::Obstacle;
use jaas_findings::{Facts, Known, Why};
use jiff::Timestamp;

use crate::cli::{Depth, OperatorArgs, RoadArgs};
use crate::deployments;
use crate::lease::Place;
use crate::operator::Operator;
use crate::road::Site;
use crate::run::Run;
use crate::session::{Error, Session, Writes};

pub(crate) use pods::bytes as quantity;
pub(crate) use snippets::{Scope, artifacts as list_artifacts, list as list_snippets, repeated_at_home, withdrawals};
pub(crate) use store::reply;
pub(crate) use tell::{hinders, is_missing_right, why};

/// What is wanted.
pub(crate) struct Ask<'a> {
    /// Which snippets.
    pub(crate) scope: Scope<'a>,
    /// Where the operator is.
    pub(crate) operator: &'a OperatorArgs,
    /// How deep the look goes.
    pub(crate) depth: Depth,
    /// How the store is reached.
    pub(crate) road: &'a RoadArgs,
    /// The run that asks.
    pub(crate) run: &'a Run,
}

/// What was learned, and the operator that it is about.
pub(crate) struct Gathered {
    /// Everything.
    pub(crate) facts: Facts,
    /// The operator, where one was found.
    pub(crate) operator: Option<Operator>,
}

/// Why there is nothing to judge.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// The API server told nothing at all.
    Session(Error),
    /// There are several operators, and nothing says which is meant.
    Several(Vec<String>),
}

/// Takes one look.
///
/// # Errors
/// See [`Stopped`]. A part that cannot be seen is no error.
pub(crate) async fn gather(session: &Session, ask: &Ask<'_>) -> Result<Gathered, Stopped> {
    let namespace = ask.operator.operator_namespace.as_deref();
    let mut facts = Facts::empty(Timestamp::now());
    let (everywhere, listed, artifacts, definitions, consumers) = tokio::join!(
        deployments::list(session, None),
        snippets::list(session, &ask.scope),
        snippets::artifacts(session, &ask.scope),
        operator::definitions(session),
        consumers::find(session),
    );
    let listed = match listed {
        Err(error) if is_the_end(&error) || everywhere.is_err() && tell::is_refused(&error) => {
            return Err(Stopped::Session(error));
        }
        listed => listed,
    };
    let found = operator::choose(session, everywhere, namespace, &mut facts.operator).await?;
    facts.operator.definitions = definitions;
    facts.artifacts = artifacts.map(|all| snippets::ours(all, &ask.scope, listed.as_deref().ok())).into_known();
    facts.operator.implementation = snippets::implementation(listed.as_deref().ok());
    facts.snippets = listed.map(|all| snippets::of(&all, &ask.scope)).into_known();
    facts.signals.consumers = consumers::of_ours(consumers, &facts);
    let home = found.as_ref().map(Operator::namespace).or(namespace);
    facts.signals.events = snippets::withdrawals(session, &ask.scope, home).await;
    not_offered(&mut facts);
    installation(session, ask, found.as_ref(), &mut facts).await;
    Ok(Gathered { facts, operator: found })
}

/// What hangs on the operator, and what it serves.
async fn installation(session: &Session, ask: &Ask<'_>, operator: Option<&Operator>, facts: &mut Facts) {
    let namespace = operator.map(|found| found.namespace().to_owned()).or(ask.operator.operator_namespace.clone());
    let place = crate::operator::lease(operator, ask.operator);
    let Some(namespace) = namespace else {
        let why = || Why::new(Obstacle::NoRoad, "the namespace of the operator");
        if facts.operator.deployment.why().is_some() {
            facts.operator.pods = Known::No(why());
            facts.network.storage_service = Known::No(why());
            facts.network.policies = Known::No(why());
        }
        return;
    };
    facts.operator.namespace.clone_from(&namespace);
    let (lease, pods, network, policies) = tokio::join!(
        lease(session, place),
        OptionFuture::from(operator.map(|operator| pods::list(session, operator))),
        network::services(session, &namespace, operator),
        policies::list(session, &namespace, operator),
    );
    facts.lease = lease;
    facts.operator.pods = pods.unwrap_or_else(|| Known::No(Why::new(Obstacle::NoRoad, "the selector of its Pods")));
    facts.network.policies = policies;
    let metrics = network.metrics;
    facts.network.storage_service = network.storage;
    if let Some(operator) = operator {
        facts.network.storage_pod_labels = operator::labels(operator).into();
        let flags = operator::flags(operator);
        let has_policies = facts.network.policies.ok().is_some_and(|policies| !policies.is_empty());
        let (volume, credentials, access, clients, webhook) = tokio::join!(
            storage::volume(session, operator, &flags),
            storage::credentials(session, operator, &flags),
            access::of(session, operator, &flags),
            OptionFuture::from(has_policies.then(|| policies::clients(session))),
            OptionFuture::from(is_ours(facts).then(|| webhook::of(session, &namespace, &flags))),
        );
        facts.operator.volume = volume;
        facts.operator.credentials = credentials;
        facts.operator.access = access;
        facts.network.clients = clients.unwrap_or_default();
        if let Some(webhook) = webhook {
            facts.signals.webhook = webhook;
        }
        facts.operator.flags = flags.into();
    }
    if ask.depth == Depth::Quick {
        return;
    }
    let flags = settings(operator);
    let (args, place) = (ask.road, ask.operator);
    let site = Site {
        session,
        run: ask.run,
        operator,
        namespace: &namespace,
        flags: &flags,
        args,
        place,
        writes: Writes::Refused,
    };
    let (roads, metrics, seen) = tokio::join!(
        road::walk(ask, &site, facts),
        metrics::read(session, &namespace, metrics.as_ref(), facts.operator.pods.ok()),
        store::look(ask, &site, facts),
    );
    facts.network.roads.extend(roads);
    metrics.note(facts);
    if let Some(seen) = seen {
        store::note(seen, facts);
    }
}

/// The operator's settings with defaults, secrets masked.
pub(crate) fn settings(operator: Option<&Operator>) -> Flags {
    operator.map_or_else(defaults::flags, operator::flags)
}

/// The Service that leads to the storage server.
pub(crate) async fn storage_service(
    session: &Session,
    namespace: &str,
    operator: Option<&Operator>,
) -> Known<Option<jaas_findings::facts::network::Service>> {
    network::services(session, namespace, operator).await.storage
}

/// What the operator keeps artifacts on.
pub(crate) async fn volume(session: &Session, operator: &Operator) -> Known<Option<jaas_findings::facts::Volume>> {
    storage::volume(session, operator, &settings(Some(operator))).await
}

async fn lease(session: &Session, place: Option<Place>) -> Known<Option<jaas_findings::facts::Lease>> {
    let Some(place) = place else { return Known::No(Why::new(Obstacle::NoRoad, "the Lease")) };
    operator::lease(session, &place).await.into_known()
}

/// What only a road to the store itself tells.
fn not_offered(facts: &mut Facts) {
    let why = |what: &str| Why::new(Obstacle::NotOffered, what);
    facts.store.inventory = Known::No(why("by the API server"));
    facts.store.owner = Known::No(why("the mark of the store, by the API server"));
    facts.store.usage = Known::No(why("how full the store is, without metrics"));
    facts.store.health = Known::No(why("whether the store answers, without metrics"));
    facts.store.lifecycle = Known::No(why("the lifecycle rules of the bucket, by the API server"));
    facts.operator.identity = Known::No(why("the mark of this installation, by the API server"));
    facts.signals.attempts = Known::No(why("what the leader has tried, by the API server"));
    // Whether there is one, the operator's command line tells; of the other implementation nothing is asked.
    facts.signals.webhook = if is_ours(facts) { Known::Yes(None) } else { Known::No(why("the admission webhook")) };
}

fn is_ours(facts: &Facts) -> bool {
    matches!(facts.operator.implementation.ok(), Some(jaas_findings::facts::Implementation::Ours))
}

/// Whether asking further makes no sense.
fn is_the_end(error: &Error) -> bool {
    use crate::exit::Exit;
    let is_signed_out = matches!(error, Error::Unauthorized { .. } | Error::Credentials { .. });
    is_signed_out || matches!(error.exit(), Exit::Unreachable | Exit::TimedOut | Exit::Usage)
}

/// A result of a call as a fact.
trait IntoKnown<T> {
    /// The fact, or what stood in the way.
    fn into_known(self) -> Known<T>;
}

impl<T> IntoKnown<T> for Result<T, Error> {
    fn into_known(self) -> Known<T> {
        match self {
            Ok(fact) => Known::Yes(fact),
            Err(error) => Known::No(tell::why(&error)),
        }
    }
}
