//! The one table of what each command needs. Pure.

use jaas_api::admin::ON_CALL_ACCOUNT;

/// Where a right must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// Where the snippets are.
    Snippets,
    /// Where the operator is.
    Operator,
    /// Where Flux's source-controller is.
    Flux,
    /// In the whole cluster.
    Everywhere,
}

/// Commands that have needs in common.
type Group = &'static [&'static str];

/// Rights on one resource.
#[derive(Clone, Copy, Debug)]
pub(super) struct Need {
    /// The commands that need it.
    groups: &'static [Group],
    pub(super) group: &'static str,
    pub(super) resource: &'static str,
    /// The one object that is meant; any where empty.
    pub(super) name: &'static str,
    pub(super) verbs: &'static [&'static str],
    pub(super) place: Place,
    /// Whether the commands work without it, in part.
    pub(super) optional: bool,
}

impl Need {
    /// The commands that need it.
    pub(super) fn commands(&self) -> impl Iterator<Item = &'static str> {
        self.groups.iter().flat_map(|group| group.iter().copied())
    }
}

const fn need(
    groups: &'static [Group],
    group: &'static str,
    resource: &'static str,
    verbs: &'static [&'static str],
    place: Place,
) -> Need {
    Need { groups, group, resource, name: "", verbs, place, optional: false }
}

const fn option(
    groups: &'static [Group],
    group: &'static str,
    resource: &'static str,
    verbs: &'static [&'static str],
    place: Place,
) -> Need {
    Need { optional: true, ..need(groups, group, resource, verbs, place) }
}

const fn named(need: Need, name: &'static str) -> Need {
    Need { name, ..need }
}

const JAAS: &str = jaas_api::GROUP;
const SOURCE: &str = jaas_api::artifact::FLUX_SOURCE_GROUP;
const KUSTOMIZE: &str = "kustomize.toolkit.fluxcd.io";
const HELM: &str = "helm.toolkit.fluxcd.io";
const LEASES: &str = "coordination.k8s.io";
const EVENTS: &str = "events.k8s.io";

/// They judge an installation.
const JUDGE: Group = &["doctor", "storage doctor"];
/// They look for snippets and what is announced of them, in the store as well.
const STORE: Group = &["storage du", "storage ls", "storage verify"];
/// They change the store, which only the admin endpoint does.
const CHANGE: Group = &["storage prune", "storage sweep", "storage find-orphans", "storage repair"];
/// They show what the store is.
const SHOW: Group = &["storage info", "storage df", "storage advise"];
/// They want bytes of single artifacts.
const FETCH: Group = &["storage fetch", "diff"];
/// They read what snippets are made of.
const RENDER: Group = &["render", "diff"];
/// They can do without the store.
const ASIDE: Group = &["reconcile", "wait"];
/// They write only to Pods, Deployment or Lease.
const LEAD: Group = &["force-handover", "restart"];

/// What each command needs.
pub(super) const NEEDS: [Need; 59] = [
    // Snippets, and what they publish.
    need(&[&["status", "events"], JUDGE, STORE, CHANGE], JAAS, "jsonnetsnippets", &["list"], Place::Snippets),
    need(&[&["history", "render", "tree", "explain"], FETCH], JAAS, "jsonnetsnippets", &["get"], Place::Snippets),
    need(&[&["reconcile", "resume"]], JAAS, "jsonnetsnippets", &["list", "watch", "patch"], Place::Snippets),
    need(&[&["suspend"]], JAAS, "jsonnetsnippets", &["list", "patch"], Place::Snippets),
    need(&[&["wait"]], JAAS, "jsonnetsnippets", &["list", "watch"], Place::Snippets),
    need(&[&["storage repair"]], JAAS, "jsonnetsnippets", &["watch", "patch"], Place::Snippets),
    option(&[&["storage prune"]], JAAS, "jsonnetsnippets", &["watch", "patch"], Place::Snippets),
    option(&[&["suspend", "resume", "storage find-orphans"]], JAAS, "jsonnetsnippets", &["get"], Place::Snippets),
    need(&[&["auth tenant"]], JAAS, "jsonnetsnippets", &["get"], Place::Snippets),
    option(&[&["render", "tree", "diff"]], JAAS, "jsonnetlibraries", &["get"], Place::Snippets),
    option(&[RENDER], SOURCE, "gitrepositories", &["get"], Place::Snippets),
    option(&[RENDER], SOURCE, "ocirepositories", &["get"], Place::Snippets),
    option(&[RENDER], SOURCE, "buckets", &["get"], Place::Snippets),
    option(&[&["render"]], SOURCE, "externalartifacts", &["get"], Place::Snippets),
    need(&[STORE, CHANGE], SOURCE, "externalartifacts", &["list"], Place::Snippets),
    need(&[FETCH], SOURCE, "externalartifacts", &["get"], Place::Snippets),
    option(
        &[&["status", "storage advise", "storage df"], ASIDE, JUDGE],
        SOURCE,
        "externalartifacts",
        &["list"],
        Place::Snippets,
    ),
    option(&[&["history", "tree"]], SOURCE, "externalartifacts", &["get"], Place::Snippets),
    option(&[&["storage find-orphans"]], SOURCE, "externalartifacts", &["delete"], Place::Snippets),
    // Their events.
    need(&[&["events"]], "", "events", &["list"], Place::Snippets),
    option(&[&["storage find-orphans"], JUDGE], "", "events", &["list"], Place::Snippets),
    option(&[&["suspend", "resume", "storage repair"]], EVENTS, "events", &["create"], Place::Snippets),
    // Who uses them, and who they run as.
    option(&[&["tree", "wait", "storage prune"], JUDGE], KUSTOMIZE, "kustomizations", &["list"], Place::Everywhere),
    option(&[&["tree", "wait", "storage prune"], JUDGE], HELM, "helmreleases", &["list"], Place::Everywhere),
    option(&[&["tree"]], JAAS, "jsonnetsnippets", &["list"], Place::Everywhere),
    option(&[&["tree"]], JAAS, "jsonnetlibraries", &["list"], Place::Everywhere),
    option(&[&["auth tenant"]], "", "serviceaccounts", &["get"], Place::Snippets),
    option(
        &[&["auth tenant", "wait"], JUDGE],
        "authorization.k8s.io",
        "subjectaccessreviews",
        &["create"],
        Place::Everywhere,
    ),
    option(&[&["wait", "storage find-orphans"], JUDGE], "", "namespaces", &["list"], Place::Everywhere),
    option(&[&["status"]], "", "namespaces", &["get"], Place::Everywhere),
    option(
        &[&["wait"], JUDGE],
        "admissionregistration.k8s.io",
        "validatingwebhookconfigurations",
        &["list"],
        Place::Everywhere,
    ),
    // The operator.
    option(
        &[&["render", "status", "version", "leader", "force-handover"], ASIDE, JUDGE],
        "apps",
        "deployments",
        &["list"],
        Place::Operator,
    ),
    need(&[&["logs"], STORE, CHANGE, SHOW, FETCH], "apps", "deployments", &["list"], Place::Operator),
    need(&[&["restart"]], "apps", "deployments", &["list", "get", "patch"], Place::Operator),
    option(&[&["status", "leader", "restart"], ASIDE, STORE, SHOW, FETCH], "", "pods", &["list"], Place::Operator),
    need(&[&["force-handover", "logs"], CHANGE], "", "pods", &["list"], Place::Operator),
    option(&[JUDGE], "", "pods", &["list"], Place::Everywhere),
    need(&[&["logs"]], "", "pods/log", &["get"], Place::Operator),
    option(&[&["force-handover"]], "", "pods/eviction", &["create"], Place::Operator),
    option(
        &[&["status", "restart"], ASIDE, JUDGE, STORE, CHANGE, SHOW, FETCH],
        LEASES,
        "leases",
        &["get"],
        Place::Operator,
    ),
    need(&[&["leader", "logs"]], LEASES, "leases", &["get"], Place::Operator),
    need(&[&["force-handover"]], LEASES, "leases", &["get", "list", "watch", "patch"], Place::Operator),
    option(
        &[&["force-handover", "wait", "storage info", "storage advise"], JUDGE],
        "",
        "persistentvolumeclaims",
        &["get"],
        Place::Operator,
    ),
    option(
        &[LEAD, &["storage prune", "storage sweep", "storage find-orphans"]],
        EVENTS,
        "events",
        &["create"],
        Place::Operator,
    ),
    option(&[&["wait"], JUDGE], "", "secrets", &["get"], Place::Operator),
    option(&[&["wait"], JUDGE], "networking.k8s.io", "networkpolicies", &["list"], Place::Operator),
    option(&[&["wait"], JUDGE], "discovery.k8s.io", "endpointslices", &["list"], Place::Operator),
    // The roads to the archives of sources; one of them will do.
    option(&[RENDER], "", "services/proxy", &["get"], Place::Flux),
    option(&[RENDER], "", "services", &["get"], Place::Flux),
    option(&[RENDER], "", "pods", &["list"], Place::Flux),
    option(&[RENDER], "", "pods/portforward", &["create", "get"], Place::Flux),
    option(&[&["render"]], "", "services", &["list"], Place::Operator),
    option(&[&["render"]], "", "services/proxy", &["get"], Place::Operator),
    // The roads to the store; each of them will do for looking.
    option(&[ASIDE, JUDGE, STORE, FETCH], "", "services", &["list"], Place::Operator),
    option(&[ASIDE, JUDGE, STORE, FETCH], "", "services/proxy", &["get"], Place::Operator),
    option(&[ASIDE, JUDGE, STORE, SHOW, FETCH], "", "pods/portforward", &["create", "get"], Place::Operator),
    named(
        option(&[ASIDE, JUDGE, STORE, SHOW], "", "serviceaccounts/token", &["create"], Place::Operator),
        ON_CALL_ACCOUNT,
    ),
    need(&[CHANGE], "", "pods/portforward", &["create", "get"], Place::Operator),
    named(need(&[CHANGE], "", "serviceaccounts/token", &["create"], Place::Operator), ON_CALL_ACCOUNT),
];
