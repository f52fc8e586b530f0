//! What a round stands on: replicas behind ways of their own, a balancer before them, a store that they share.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use http::Method;
use jaas_api::{ExternalArtifact, JsonnetSnippet};
use jaas_tests::apiproxy::{Call, Held, Moment, Proxy, Verb};
use jaas_tests::controlplane::ControlPlane;
use jaas_tests::operator::{Operator, OperatorOptions};
use jaas_tests::s3::{ACCESS_KEY, BUCKET, REGION, SECRET_KEY, Server};
use jaas_tests::wait::eventually;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;

use super::balancer::Balancer;
use super::judge::FILE;
use super::schedule::{Round, Storage};

/// Longest that anything ordinary may take on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// Name of the Lease.
pub(super) const LEASE: &str = "replicas";

/// Little patience and short grace, so that a round removes much. The age of an orphan is never to be below the sum of the other two.
const ARGS: [&str; 7] = [
    "--artifact-gc-grace=1s",
    "--max-withdraw-wait=10s",
    "--storage-orphan-age=12s",
    "--storage-orphan-interval=2s",
    "--storage-sweep-interval=2s",
    "--storage-sweep-max-tmp-age=5s",
    "--rerender-burst=100000",
];

/// What all rounds share.
pub(super) struct Ground<'a> {
    pub(super) plane: &'a ControlPlane,
    pub(super) server: &'a Server,
}

/// What one round has.
pub(super) struct Bed<'a> {
    ground: &'a Ground<'a>,
    round: &'a Round,
    pub(super) namespace: String,
    pub(super) snippets: Api<JsonnetSnippet>,
    pub(super) artifacts: Api<ExternalArtifact>,
    pub(super) leases: Api<Lease>,
    pub(super) balancer: Balancer,
    pub(super) replicas: Vec<Replica>,
    /// Where the artifacts lie, looked at past the operator.
    pub(super) root: PathBuf,
    next: usize,
}

/// One replica and its ways.
pub(super) struct Replica {
    id: usize,
    pub(super) operator: Operator,
    api: Proxy,
    store: Option<Proxy>,
}

impl<'a> Bed<'a> {
    /// Starts the replicas of a round on an empty store.
    pub(super) async fn new(ground: &'a Ground<'a>, round: &'a Round) -> Result<Self> {
        let namespace = ground.plane.namespace("replicas").await?.name;
        let client = ground.plane.admin().await?;
        let root = match round.storage {
            Storage::Directory => ground.plane.work().join(format!("{namespace}-store")),
            Storage::Bucket => ground.server.bucket_directory().join(&namespace),
        };
        let mut bed = Self {
            ground,
            round,
            snippets: Api::namespaced(client.clone(), &namespace),
            artifacts: Api::namespaced(client.clone(), &namespace),
            leases: Api::namespaced(client.clone(), &namespace),
            balancer: Balancer::start(round.stretch).await?,
            replicas: Vec::new(),
            namespace,
            root,
            next: 0,
        };
        for _ in 0..round.replicas {
            let replica = bed.start().await?;
            bed.replicas.push(replica);
        }
        bed.until_ready(round.replicas).await?;
        bed.leader().await?;
        Ok(bed)
    }

    /// Starts another replica and puts it behind the balancer.
    pub(super) async fn start(&mut self) -> Result<Replica> {
        let api = Proxy::to_api_server(self.ground.plane).await?;
        let seconds = |duration: Duration| format!("{}ms", duration.as_millis());
        let terms = self.round.terms;
        let mut args: Vec<String> = ARGS.map(ToOwned::to_owned).into();
        args.extend([
            "--leader-election=true".to_owned(),
            format!("--leader-election-id={LEASE}"),
            format!("--leader-election-namespace={}", self.namespace),
            format!("--leader-election-lease-duration={}", seconds(terms.lease)),
            format!("--leader-election-renew-deadline={}", seconds(terms.deadline)),
            format!("--leader-election-retry-period={}", seconds(terms.retry)),
            format!("--storage-base-url={}", self.balancer.url()),
        ]);
        let mut options = OperatorOptions::watching([self.namespace.as_str()]);
        let mut store = None;
        match self.round.storage {
            Storage::Directory => options.storage_path = Some(self.root.clone()),
            Storage::Bucket => {
                let proxy = Proxy::to_http(&self.ground.server.endpoint()).await?;
                args.extend([
                    "--storage-backend=s3".to_owned(),
                    format!("--s3-endpoint={}", proxy.endpoint()),
                    format!("--s3-bucket={BUCKET}"),
                    format!("--s3-prefix={}", self.namespace),
                    format!("--s3-region={REGION}"),
                    "--s3-use-ssl=false".to_owned(),
                    format!("--s3-access-key={ACCESS_KEY}"),
                    format!("--s3-secret-key={SECRET_KEY}"),
                ]);
                store = Some(proxy);
            }
        }
        let (namespace, api_url) = (Some(self.namespace.clone()), Some(api.url()));
        let options = OperatorOptions { namespace, api_url, args, ..options };
        let operator = Operator::ready(self.ground.plane, options).await?;
        let id = self.next;
        self.next += 1;
        let address = operator.base_url().trim_start_matches("http://").parse().context("reading an address")?;
        self.balancer.join(id, address, operator.management_url("/ready"))?;
        Ok(Replica { id, operator, api, store })
    }

    /// Waits until the balancer leads to so many replicas.
    pub(super) async fn until_ready(&self, count: usize) -> Result<()> {
        let ready = async || (self.balancer.ready() == count).then_some(());
        eventually(format!("{count} replicas behind the balancer"), PATIENCE, ready).await
    }

    /// Waits until exactly one replica says that it leads, and answers its place.
    pub(super) async fn leader(&self) -> Result<usize> {
        eventually("one leader", PATIENCE, async || {
            let mut leaders = Vec::new();
            for (place, replica) in self.replicas.iter().enumerate() {
                let metrics = replica.operator.metrics().await.map_err(|error| format!("{error:#}"))?;
                let leads = |line: &str| line.starts_with("leader_election_master_status{") && line.ends_with(" 1");
                leaders.extend(metrics.lines().any(leads).then_some(place));
            }
            if let [leader] = leaders[..] { Ok(leader) } else { Err(format!("{leaders:?} lead")) }
        })
        .await
    }

    /// The end of every replica's log.
    pub(super) fn logs(&self) -> String {
        self.replicas.iter().map(|replica| replica.operator.process().log_tail()).collect::<Vec<_>>().join("\n--\n")
    }
}

impl Replica {
    /// The balancer's name for it.
    pub(super) fn id(&self) -> usize {
        self.id
    }

    /// Lets nothing through any more. Changes that it sends meanwhile arrive once it is healed.
    pub(super) fn cut_off(&self) {
        self.ways().for_each(Proxy::cut);
    }

    /// Lets everything through again, waits until the servers have answered the changes that were on their way, and answers these but
    /// those of the Lease.
    pub(super) async fn heal(&self) -> Result<Vec<Call>> {
        let is_late =
            |call: &Call| call.verb == Verb::Write && call.status.is_none() && !call.path.contains("/leases/");
        let late =
            |way: &Proxy| way.numbered_calls().into_iter().filter(|(_, call)| is_late(call)).map(|(number, _)| number);
        let late: Vec<_> = self.ways().map(|way| (way, late(way).collect::<Vec<_>>())).collect();
        self.ways().for_each(Proxy::heal);
        eventually("the last requests arrive", PATIENCE, async || {
            let mut answered = Vec::new();
            for (way, numbers) in &late {
                let mut calls = way.numbered_calls();
                answered.extend(numbers.iter().filter_map(|number| calls.remove(number)));
            }
            match answered.iter().find(|call| call.status.is_none()) {
                Some(call) => Err(format!("no answer to {} {}", call.method, call.path)),
                None => Ok(answered),
            }
        })
        .await
    }

    /// Waits for moments in which it changes an object and, on a bucket, deletes one, and has these requests wait for the cut.
    pub(super) async fn changes(&self, namespace: &str) -> Result<Vec<Held>> {
        let part = format!("/namespaces/{namespace}/");
        let changes = move |call: &Call| call.writes_in(&part) && call.path.ends_with("/status");
        let deletes = |call: &Call| call.method == Method::DELETE && call.path.ends_with(FILE);
        self.ways().for_each(Proxy::forget_calls);
        let change = hold(&self.api, changes);
        let Some(store) = &self.store else { return Ok(vec![change.await?]) };
        let (change, deletion) = tokio::try_join!(change, hold(store, deletes))?;
        Ok(vec![change, deletion])
    }

    fn ways(&self) -> impl Iterator<Item = &Proxy> {
        std::iter::once(&self.api).chain(&self.store)
    }
}

/// Waits for a call that matches, and has it wait.
async fn hold(way: &Proxy, matches: impl FnMut(&Call) -> bool + Send + 'static) -> Result<Held> {
    let mut arrivals = way.stop_nth(1, Moment::BeforeSending, matches);
    let held = arrivals.next().await;
    way.no_rule();
    held.context("the gate lost its rule")
}
