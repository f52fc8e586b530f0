//! The one table of what each command needs. Pure.

/// Where a right must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// Where the snippets are.
    Snippets,
    /// Where the operator is.
    Operator,
    /// In the whole cluster.
    Everywhere,
}

/// Rights on one resource.
#[derive(Clone, Copy, Debug)]
pub(super) struct Need {
    /// The commands that need it.
    pub(super) commands: &'static [&'static str],
    pub(super) group: &'static str,
    pub(super) resource: &'static str,
    pub(super) verbs: &'static [&'static str],
    pub(super) place: Place,
    /// Whether the commands work without it, in part.
    pub(super) optional: bool,
}

const fn need(
    commands: &'static [&'static str],
    group: &'static str,
    resource: &'static str,
    verbs: &'static [&'static str],
    place: Place,
) -> Need {
    Need { commands, group, resource, verbs, place, optional: false }
}

const fn option(
    commands: &'static [&'static str],
    group: &'static str,
    resource: &'static str,
    verbs: &'static [&'static str],
    place: Place,
) -> Need {
    Need { commands, group, resource, verbs, place, optional: true }
}

const JAAS: &str = jaas_api::GROUP;
const SOURCE: &str = jaas_api::artifact::FLUX_SOURCE_GROUP;
const LEASES: &str = "coordination.k8s.io";

/// What each command needs.
pub(super) const NEEDS: [Need; 46] = [
    need(&["status", "events"], JAAS, "jsonnetsnippets", &["list"], Place::Snippets),
    need(&["history", "render", "tree"], JAAS, "jsonnetsnippets", &["get"], Place::Snippets),
    need(&["reconcile", "resume"], JAAS, "jsonnetsnippets", &["list", "watch", "patch"], Place::Snippets),
    need(&["suspend"], JAAS, "jsonnetsnippets", &["list", "patch"], Place::Snippets),
    option(&["suspend", "resume"], JAAS, "jsonnetsnippets", &["get"], Place::Snippets),
    need(&["wait"], JAAS, "jsonnetsnippets", &["list", "watch"], Place::Snippets),
    option(&["render", "tree"], JAAS, "jsonnetlibraries", &["get"], Place::Snippets),
    option(&["status", "wait"], SOURCE, "externalartifacts", &["list"], Place::Snippets),
    option(&["history", "tree"], SOURCE, "externalartifacts", &["get"], Place::Snippets),
    option(&["tree"], "kustomize.toolkit.fluxcd.io", "kustomizations", &["list"], Place::Everywhere),
    option(&["tree"], "helm.toolkit.fluxcd.io", "helmreleases", &["list"], Place::Everywhere),
    option(&["tree"], JAAS, "jsonnetsnippets", &["list"], Place::Everywhere),
    option(&["tree"], JAAS, "jsonnetlibraries", &["list"], Place::Everywhere),
    need(&["events"], "", "events", &["list"], Place::Snippets),
    option(&["suspend", "resume"], "events.k8s.io", "events", &["create"], Place::Snippets),
    option(&["render", "status", "version"], "apps", "deployments", &["list"], Place::Operator),
    option(&["leader", "force-handover", "wait"], "apps", "deployments", &["list"], Place::Operator),
    need(&["logs"], "apps", "deployments", &["list"], Place::Operator),
    need(&["restart"], "apps", "deployments", &["list", "get", "patch"], Place::Operator),
    option(&["status", "leader"], "", "pods", &["list"], Place::Operator),
    need(&["force-handover", "logs"], "", "pods", &["list"], Place::Operator),
    need(&["logs"], "", "pods/log", &["get"], Place::Operator),
    option(&["status", "wait"], LEASES, "leases", &["get"], Place::Operator),
    need(&["leader", "logs"], LEASES, "leases", &["get"], Place::Operator),
    need(&["force-handover"], LEASES, "leases", &["get", "list", "watch", "patch"], Place::Operator),
    option(&["force-handover"], "", "pods/eviction", &["create"], Place::Operator),
    option(&["force-handover"], "", "persistentvolumeclaims", &["get"], Place::Operator),
    option(&["force-handover", "restart"], "events.k8s.io", "events", &["create"], Place::Operator),
    option(&["status"], "", "namespaces", &["get"], Place::Everywhere),
    need(&["doctor", "storage"], JAAS, "jsonnetsnippets", &["list"], Place::Snippets),
    need(&["explain"], JAAS, "jsonnetsnippets", &["get"], Place::Snippets),
    option(&["doctor", "storage"], SOURCE, "externalartifacts", &["list"], Place::Snippets),
    option(&["doctor", "storage"], "", "events", &["list"], Place::Snippets),
    option(&["doctor", "storage"], "apps", "deployments", &["list"], Place::Everywhere),
    option(&["doctor", "storage"], "kustomize.toolkit.fluxcd.io", "kustomizations", &["list"], Place::Everywhere),
    option(&["doctor", "storage"], "helm.toolkit.fluxcd.io", "helmreleases", &["list"], Place::Everywhere),
    option(&["doctor", "storage"], "authorization.k8s.io", "subjectaccessreviews", &["create"], Place::Everywhere),
    option(&["doctor", "storage"], "", "pods", &["list"], Place::Everywhere),
    option(&["doctor", "storage"], "", "namespaces", &["list"], Place::Everywhere),
    option(&["doctor", "storage"], "", "services", &["list"], Place::Operator),
    option(&["doctor", "storage"], "", "services/proxy", &["get"], Place::Operator),
    option(&["doctor", "storage"], "discovery.k8s.io", "endpointslices", &["list"], Place::Operator),
    option(&["doctor", "storage"], "networking.k8s.io", "networkpolicies", &["list"], Place::Operator),
    option(&["doctor", "storage"], "", "persistentvolumeclaims", &["get"], Place::Operator),
    option(&["doctor", "storage"], "", "secrets", &["get"], Place::Operator),
    option(&["doctor", "storage"], LEASES, "leases", &["get"], Place::Operator),
];
