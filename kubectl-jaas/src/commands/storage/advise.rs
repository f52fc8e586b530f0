//! `storage advise`: prints what to change, from what is there now. It changes nothing.

use jaas_findings::Known;
use jaas_findings::facts::{Volume, VolumeKind};

use super::super::{Error, Invocation, Verdict, find};
use super::ground::Ground;
use crate::cli::{AdviseArgs, Topic};
use crate::exit::Exit;
use crate::facts;
use crate::operator::{Operator, Store};
use crate::road::{self, Need};
use crate::session::Writes;
use crate::size::words;
use crate::view::{Advice, Found, Next, Report};

/// Room that artifacts are given beyond what they take now.
const ROOM: u64 = 3;
/// Least size of a volume that is proposed.
const LEAST: u64 = 1 << 30;
/// MiB that the chart gives the operator where nobody says otherwise: what its settings add up to.
const DEFAULT_MEMORY: u64 = 1056;
/// User and group that the chart has the operator's container run as.
const USER: i64 = 12345;

/// What advice goes by.
#[derive(Clone, Debug, Default)]
struct Basis {
    release: String,
    namespace: String,
    store: Option<Store>,
    volume: Option<Volume>,
    /// Bytes that the store takes now.
    used: Option<u64>,
    free: Option<u64>,
    /// Bytes that all artifacts together may take; 0 for any.
    quota: u64,
    /// Sizes of announced artifacts, smallest first.
    sizes: Vec<u64>,
    /// Largest artifact that is published; 0 for any.
    limit: u64,
    memory: Option<String>,
    path: String,
    user: Option<i64>,
    to: Option<u64>,
}

/// Notes what to run.
pub(super) async fn run(args: &AdviseArgs, invocation: &Invocation<'_>, report: &mut Report) -> Result<Verdict, Error> {
    let ground = Ground::open(invocation, &args.operator, &args.road, Writes::Refused, report).await?;
    invocation.listener.say(&format!("storage advise; {}", ground.session.destination));
    let operator = ground.operator.as_ref().ok_or_else(|| find::none(&args.operator))?;
    let site = ground.site(invocation, &args.operator, &args.road);
    let opened = road::open(&site, Need::Stats).await.ok();
    let usage = match &opened {
        Some(opened) => opened.road.stats(&ground.flags).await.ok().and_then(|stats| stats.usage),
        None => None,
    };
    let volume = match facts::volume(&ground.session, operator).await {
        Known::Yes(volume) => volume,
        Known::No(_) => None,
    };
    let scope = facts::Scope { namespace: None, labels: None };
    let artifacts = facts::list_artifacts(&ground.session, &scope).await.unwrap_or_default();
    let sizes = artifacts.iter().filter_map(|artifact| u64::try_from(artifact.published()?.size?).ok());
    let mut sizes: Vec<_> = sizes.collect();
    sizes.sort_unstable();
    let basis = Basis {
        used: usage.as_ref().map(|usage| usage.bytes),
        free: usage.as_ref().and_then(|usage| usage.free_bytes),
        quota: match usage.as_ref().and_then(|usage| usage.quota) {
            Some(quota) => quota,
            None => ground.flags.get("storage-quota").and_then(facts::quantity).unwrap_or_default(),
        },
        volume,
        sizes,
        limit: ground.flags.get("max-artifact-bytes").and_then(|bytes| bytes.parse().ok()).unwrap_or_default(),
        path: ground.flags.get("storage-path").unwrap_or_default().to_owned(),
        to: args.to,
        ..basis(operator)
    };
    let advice = advice(args.topic, &basis)?;
    report.next = advice.then.iter().map(|line| Next { command: line.clone(), why: "afterwards".to_owned() }).collect();
    report.detail = Some(ground.view(opened.as_ref(), Found::Advice(advice)));
    Ok(Verdict { exit: Exit::Done, message: "nothing was changed".to_owned(), hint: None })
}

fn basis(operator: &Operator) -> Basis {
    let labels = operator.0.metadata.labels.clone().unwrap_or_default();
    let annotations = operator.0.metadata.annotations.clone().unwrap_or_default();
    let release = annotations.get("meta.helm.sh/release-name").or_else(|| labels.get("app.kubernetes.io/instance"));
    let limits = operator.container().and_then(|container| container.resources.as_ref()?.limits.clone());
    Basis {
        release: release.cloned().unwrap_or_else(|| operator.name().to_owned()),
        namespace: operator.namespace().to_owned(),
        store: Some(operator.store()),
        memory: limits.and_then(|limits| limits.get("memory").map(|quantity| quantity.0.clone())),
        user: operator.user(),
        ..Basis::default()
    }
}

fn advice(topic: Topic, basis: &Basis) -> Result<Advice, Error> {
    match topic {
        Topic::Persistence => persistence(basis),
        Topic::Resize => resize(basis),
        Topic::Quota => quota(basis),
        Topic::Limits => Ok(limits(basis)),
        Topic::Memory => Ok(memory(basis)),
        Topic::Ownership => ownership(basis),
    }
}

/// The command that changes values and leaves all others as they are.
fn helm(basis: &Basis, values: &[(&str, String)]) -> String {
    let mut line = format!("helm upgrade {} CHART --namespace {} --reuse-values", basis.release, basis.namespace);
    for (name, value) in values {
        line.push_str(&format!(" \\\n  --set {name}={value}"));
    }
    line
}

/// What is stored now, where that is known.
fn used(basis: &Basis) -> String {
    match (basis.used, basis.free) {
        (Some(used), Some(free)) => format!("{} stored, {} free", words(used), words(free)),
        (Some(used), None) => format!("{} stored", words(used)),
        (None, _) => "how much is stored is not known: no road leads there".to_owned(),
    }
}

/// Whole Gi that hold so much.
fn gibibytes(bytes: u64) -> u64 {
    bytes.max(LEAST).div_ceil(1 << 30)
}

fn refuse(what: &str, how: &str) -> Error {
    Error::Refused { what: what.to_owned(), how: how.to_owned() }
}

fn persistence(basis: &Basis) -> Result<Advice, Error> {
    match &basis.store {
        Some(Store::Bucket { .. }) => return Err(refuse("the store is a bucket, which stays when Pods go", "")),
        Some(Store::Claim(name)) => {
            return Err(refuse(
                &format!("the store is on pvc/{name} already"),
                "a larger one: kubectl jaas storage advise resize",
            ));
        }
        _ => {}
    }
    let size = gibibytes(basis.used.unwrap_or_default().saturating_mul(ROOM));
    let values = [
        ("operator.storage.persistence.enabled", "true".to_owned()),
        ("operator.storage.persistence.size", format!("{size}Gi")),
    ];
    Ok(Advice {
        topic: "persistence",
        facts: vec![
            "the store is in a folder of the Pod: every restart empties it, and everything is rendered again"
                .to_owned(),
            used(basis),
            "several replicas also need --set 'operator.storage.persistence.accessModes={ReadWriteMany}'".to_owned(),
        ],
        text: helm(basis, &values),
        then: vec!["kubectl jaas wait recovered --timeout 10m".to_owned()],
    })
}

fn resize(basis: &Basis) -> Result<Advice, Error> {
    let claim = match &basis.store {
        Some(Store::Claim(name)) => name,
        Some(Store::Bucket { .. }) => return Err(refuse("the store is a bucket, which has no size", "")),
        _ => return Err(refuse("the store is on no claim", "kubectl jaas storage advise persistence")),
    };
    let now = basis.volume.as_ref().filter(|volume| volume.kind == VolumeKind::Claim).and_then(|volume| volume.size);
    let wanted = match (basis.to, basis.used, now) {
        (Some(to), _, _) => to,
        (None, used, now) => {
            used.unwrap_or_default().saturating_mul(ROOM).max(now.unwrap_or_default().saturating_mul(2))
        }
    };
    if let Some(now) = now.filter(|now| wanted <= *now) {
        let what = format!("pvc/{claim} has {} already, and a volume does not shrink", words(now));
        return Err(refuse(&what, "name a larger size with --to"));
    }
    let size = gibibytes(wanted);
    let patch = format!(
        "kubectl patch pvc {claim} -n {} --type merge -p '{{\"spec\":{{\"resources\":{{\"requests\":{{\"storage\":\"{size}Gi\"}}}}}}}}'",
        basis.namespace
    );
    let values = [("operator.storage.persistence.size", format!("{size}Gi"))];
    let mut facts = vec![used(basis)];
    facts.extend(now.map(|now| format!("pvc/{claim} has {}", words(now))));
    facts.push("its StorageClass must have allowVolumeExpansion: kubectl get storageclass".to_owned());
    facts.push("a volume does not shrink again".to_owned());
    Ok(Advice {
        topic: "resize",
        facts,
        text: format!("{patch}\n# and so that the next upgrade agrees:\n{}", helm(basis, &values)),
        then: vec!["kubectl jaas storage df".to_owned()],
    })
}

fn quota(basis: &Basis) -> Result<Advice, Error> {
    let used_bytes = basis.used.unwrap_or_default();
    let wanted = basis.to.unwrap_or_else(|| used_bytes.saturating_mul(ROOM).max(basis.quota.saturating_mul(2)));
    if wanted < used_bytes {
        let what = format!("{} are stored already, so nothing could be published any more", words(used_bytes));
        return Err(refuse(&what, "name a larger size with --to, or make room: kubectl jaas storage prune --help"));
    }
    let size = gibibytes(wanted);
    let mut facts = vec![match basis.quota {
        0 => "all artifacts together may take what there is: no quota is set".to_owned(),
        quota => format!("all artifacts together may take {} now (--storage-quota)", words(quota)),
    }];
    facts.push(used(basis));
    if let Some(free) = basis.free.filter(|free| used_bytes.saturating_add(*free) < size << 30) {
        facts.push(format!(
            "the volume has only {} more: a larger one first: kubectl jaas storage advise resize",
            words(free)
        ));
    }
    facts.push("what takes the room: kubectl jaas storage du".to_owned());
    facts.push("what waits is published by the new Pods, once they run".to_owned());
    Ok(Advice {
        topic: "quota",
        facts,
        text: helm(basis, &[("operator.storage.quota", format!("{size}Gi"))]),
        then: Vec::new(),
    })
}

fn limits(basis: &Basis) -> Advice {
    let mut facts = Vec::new();
    match basis.limit {
        0 => facts.push("single artifacts have no limit now but the consumers' own".to_owned()),
        limit => facts.push(format!("single artifacts may have {} now", words(limit))),
    }
    let position = basis.sizes.len().saturating_sub(1) * 99 / 100;
    let (largest, p99) = (basis.sizes.last().copied(), basis.sizes.get(position).copied());
    let proposed = match (p99, largest) {
        (Some(p99), Some(largest)) => {
            facts.push(format!(
                "{} announced: 99 of 100 have at most {}, the largest {}",
                crate::hint::count(basis.sizes.len(), "artifact"),
                words(p99),
                words(largest)
            ));
            // Rounded up, so that the number is one that people remember.
            p99.saturating_mul(2).max(1 << 20).next_power_of_two()
        }
        _ => {
            facts.push("no artifact is announced, or their sizes cannot be seen".to_owned());
            16 << 20
        }
    };
    let refused = basis.sizes.iter().filter(|size| **size > proposed).count();
    facts.push("the limit is on the content, which is larger than the packed size announced".to_owned());
    if refused > 0 {
        facts.push(format!("{refused} of them would be refused at their next render"));
    }
    Advice {
        topic: "limits",
        facts,
        text: helm(basis, &[("operator.storage.maxArtifactBytes", proposed.to_string())]),
        then: Vec::new(),
    }
}

fn memory(basis: &Basis) -> Advice {
    let now = basis.memory.clone().unwrap_or_else(|| "no limit".to_owned());
    let megabytes = basis
        .memory
        .as_deref()
        .and_then(facts::quantity)
        .map_or(DEFAULT_MEMORY, |bytes| (bytes >> 20).saturating_mul(2).max(DEFAULT_MEMORY));
    Advice {
        topic: "memory",
        facts: vec![
            format!("the operator may take {now} now"),
            "always enough: 128Mi + operator.storage.cache + 3 × operator.sources.cache + arguments.maxConcurrentEvals × \
             arguments.evaluationMemory"
                .to_owned(),
            "a snippet that needs too much is better suspended: kubectl jaas doctor pods names suspects".to_owned(),
        ],
        text: helm(basis, &[("resources.memory", format!("{megabytes}Mi"))]),
        then: vec!["kubectl jaas doctor pods".to_owned()],
    }
}

fn ownership(basis: &Basis) -> Result<Advice, Error> {
    let Some(Store::Claim(claim)) = &basis.store else {
        return Err(refuse(
            "the store is on no claim, so nobody else can own its files",
            "see what it is: kubectl jaas storage info",
        ));
    };
    let user = basis.user.unwrap_or(USER);
    let mount = if basis.path.is_empty() { "/var/lib/jaas/artifacts" } else { &basis.path };
    let namespace = &basis.namespace;
    // The operator's own image holds no shell, so another one changes the owner.
    let text = format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: jaas-storage-ownership\n  namespace: {namespace}\nspec:\n  \
         ttlSecondsAfterFinished: 600\n  backoffLimit: 0\n  template:\n    spec:\n      restartPolicy: Never\n      \
         automountServiceAccountToken: false\n      containers:\n        - name: chown\n          image: busybox:stable\n          \
         command: [\"chown\", \"-R\", \"{user}:{user}\", \"{mount}\"]\n          securityContext:\n            runAsUser: 0\n            \
         allowPrivilegeEscalation: false\n            capabilities:\n              drop: [ALL]\n              add: [CHOWN, DAC_OVERRIDE]\n          \
         volumeMounts:\n            - {{name: storage, mountPath: \"{mount}\"}}\n      volumes:\n        - name: storage\n          \
         persistentVolumeClaim: {{claimName: {claim}}}"
    );
    Ok(Advice {
        topic: "ownership",
        facts: vec![
            format!("the operator runs as user and group {user} and needs to write pvc/{claim}"),
            format!("first try without a Job: the Pod's fsGroup must be {user}, and the volume's driver must heed it"),
            format!(
                "where namespace {namespace} is labelled pod-security.kubernetes.io/enforce, the Job runs as root and gets no Pod: \
                 set the label to privileged until it has ended"
            ),
            "a claim that only one node may mount keeps the Job waiting until it runs there".to_owned(),
            format!("save it as job.yaml, then: kubectl apply -f job.yaml -n {namespace}"),
        ],
        text,
        then: vec!["kubectl jaas reconcile --failed --allow-empty".to_owned()],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(size: u64) -> Basis {
        let volume = Volume {
            kind: VolumeKind::Claim,
            name: Some("data".to_owned()),
            phase: None,
            access_modes: Vec::new(),
            created: None,
            size: Some(size),
        };
        Basis {
            release: "jaas".to_owned(),
            namespace: "jaas-system".to_owned(),
            store: Some(Store::Claim("data".to_owned())),
            volume: Some(volume),
            used: Some(4 << 30),
            ..Basis::default()
        }
    }

    #[test]
    fn memory_is_proposed_that_the_operator_starts_with() {
        let values = include_str!("../../../../charts/jaas/values.yaml");
        assert!(values.contains(&format!("\n  memory: {DEFAULT_MEMORY}Mi\n")), "the chart's default is another one");
        for (now, proposed) in [(None, DEFAULT_MEMORY), (Some("64Mi"), DEFAULT_MEMORY), (Some("1Gi"), 2048)] {
            let told = advice(Topic::Memory, &Basis { memory: now.map(str::to_owned), ..claim(1) }).unwrap();
            assert!(told.text.ends_with(&format!("resources.memory={proposed}Mi")), "{now:?}: {}", told.text);
        }
    }

    #[test]
    fn files_are_given_to_the_user_of_the_chart() {
        let deployment = include_str!("../../../../charts/jaas/templates/operator/deployment.yaml");
        assert!(deployment.contains(&format!("runAsUser: {USER}\n")));
        let told = advice(Topic::Ownership, &claim(1)).unwrap();
        assert!(told.text.contains(&format!("\"-R\", \"{USER}:{USER}\"")), "{}", told.text);
        assert!(told.facts.iter().any(|fact| fact.contains("pod-security.kubernetes.io/enforce")));
    }

    #[test]
    fn every_value_is_one_that_the_chart_has() {
        let values = include_str!("../../../../charts/jaas/values.yaml");
        let folder = Basis { store: Some(Store::EmptyFolder), ..claim(1) };
        let all = [
            advice(Topic::Persistence, &folder),
            advice(Topic::Resize, &claim(10 << 30)),
            advice(Topic::Limits, &claim(1)),
            advice(Topic::Quota, &claim(1)),
            advice(Topic::Memory, &claim(1)),
        ];
        let mut seen = 0;
        for advice in all.map(Result::unwrap) {
            assert!(advice.text.contains("--reuse-values"), "{}", advice.text);
            for name in advice.text.split("--set ").skip(1).filter_map(|rest| rest.split('=').next()) {
                seen += 1;
                // Each part of the name is a key, one below the other and further in.
                let mut rest = values;
                for (depth, key) in name.split('.').enumerate() {
                    let line = format!("\n{}{key}:", "  ".repeat(depth));
                    let at = rest.find(&line).unwrap_or_else(|| panic!("{name}: no {key}"));
                    rest = &rest[at + line.len()..];
                }
            }
        }
        assert_eq!(seen, 6);
    }

    #[test]
    fn a_volume_grows_and_never_shrinks() {
        let grown = advice(Topic::Resize, &claim(10 << 30)).unwrap();
        assert!(grown.text.contains("\"storage\":\"20Gi\"") && grown.text.contains("size=20Gi"), "{}", grown.text);
        let smaller = Basis { to: Some(5 << 30), ..claim(10 << 30) };
        assert!(
            matches!(advice(Topic::Resize, &smaller), Err(Error::Refused { what, .. }) if what.contains("does not shrink"))
        );
        let bucket = Store::Bucket { bucket: "b".to_owned(), prefix: String::new() };
        for topic in [Topic::Persistence, Topic::Resize, Topic::Ownership] {
            assert!(advice(topic, &Basis { store: Some(bucket.clone()), ..claim(1) }).is_err());
        }
    }

    #[test]
    fn a_quota_is_never_proposed_below_what_is_stored() {
        let basis = Basis { quota: 5 << 30, free: Some(1 << 30), ..claim(1) };
        let told = advice(Topic::Quota, &basis).unwrap();
        assert!(told.text.ends_with("operator.storage.quota=12Gi"), "{}", told.text);
        assert!(told.facts.iter().any(|fact| fact.starts_with("the volume has only 1.0 GiB more")), "{:?}", told.facts);
        let small = Basis { to: Some(1 << 30), ..basis };
        assert!(matches!(advice(Topic::Quota, &small), Err(Error::Refused { .. })));
    }

    #[test]
    fn a_limit_is_twice_what_nearly_all_have_and_names_who_would_be_refused() {
        let sizes: Vec<_> = (0..99).map(|_| 3 << 20).chain([100 << 20]).collect();
        let told = advice(Topic::Limits, &Basis { sizes, ..claim(1) }).unwrap();
        assert!(told.text.ends_with(&format!("operator.storage.maxArtifactBytes={}", 8 << 20)), "{}", told.text);
        assert!(
            told.facts.iter().any(|fact| fact == "1 of them would be refused at their next render"),
            "{:?}",
            told.facts
        );
    }

    #[test]
    fn the_owner_is_whom_the_container_runs_as() {
        let told = advice(Topic::Ownership, &Basis { user: Some(1000), path: "/data".to_owned(), ..claim(1) }).unwrap();
        assert!(
            told.text.contains("\"1000:1000\", \"/data\"") && told.text.contains("claimName: data"),
            "{}",
            told.text
        );
        let read: serde_json::Value = serde_saphyr::from_str(&told.text).unwrap();
        assert_eq!(read["spec"]["template"]["spec"]["containers"][0]["volumeMounts"][0]["mountPath"], "/data");
    }
}
