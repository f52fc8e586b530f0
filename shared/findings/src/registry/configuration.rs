//! Settings, rights, and what is installed.

use super::{Entry, change, look};
use crate::code::Area::Configuration;
use crate::code::Severity::{Critical, Error, Info, Warning};

pub(crate) const MISSING_RIGHT: Entry = Entry::new(Info, Configuration, "you lack rights that checks need")
    .means("Some checks could not run because the API server, or the store, refused the questions. They are unknown, not fine.")
    .because("The person who looks has not been given the plugin's roles, or only in some namespaces.")
    .type_in(&[look("kubectl jaas auth doctor --yaml", "prints the smallest rules that are missing")]);

pub(crate) const OPERATOR_NOT_FOUND: Entry = Entry::new(Critical, Configuration, "no operator is installed")
    .means("There is no Deployment of the operator. Nothing is rendered, and nobody serves what was published.")
    .because("The release was removed, was installed into another namespace, or its installation stopped half way.")
    .type_in(&[
        look("kubectl get deployments -A -l app.kubernetes.io/name=jaas", "looks for it in every namespace"),
        look("helm list -A --filter jaas", "shows whether a release is there, and its state"),
    ]);

pub(crate) const SEVERAL_INSTALLATIONS: Entry = Entry::new(Warning, Configuration, "several operators are installed")
    .means("More than one Deployment of the operator runs in the cluster. Where their namespaces overlap, both write the same objects.")
    .because("A second release, or an old one that was never removed.")
    .type_in(&[
        look("kubectl get deployments -A -l app.kubernetes.io/name=jaas", "shows them all"),
        look("kubectl jaas storage info", "shows which namespaces and which store this one has"),
    ]);

pub(crate) const OPERATOR_LACKS_RIGHTS: Entry = Entry::new(Error, Configuration, "the operator lacks rights")
    .means(
        "The operator's ServiceAccount may not do what it needs. What it cannot list, it does not render or collect.",
    )
    .because("A role was edited, the chart was installed without its roles, or an older chart's roles are still bound.")
    .type_in(&[
        look("kubectl jaas auth doctor --yaml", "prints the rules that are missing"),
        look("kubectl get clusterroles,clusterrolebindings -l app.kubernetes.io/name=jaas", "shows what is there"),
    ])
    .alerts(&["JaaSNotReconciling", "JaaSWatchDown", "JaaSCRDWatchEngagementFailing"])
    .metrics(&["jaas_ready_to_reconcile", "jaas_watch_up", "jaas_crd_watch_engagement_failures_total"]);

pub(crate) const DEFINITION_NOT_SERVED: Entry = Entry::new(
    Error,
    Configuration,
    "a definition is missing or not served",
)
.means("The API server does not know a kind that the operator needs, so it can neither read nor write such objects.")
.because("The CustomResourceDefinitions of the chart or of Flux were not installed, or were removed.")
.type_in(&[
    look("kubectl get crd jsonnetsnippets.jaas.metio.wtf jsonnetlibraries.jaas.metio.wtf", "shows ours"),
    look("kubectl get crd externalartifacts.source.toolkit.fluxcd.io", "shows the one of Flux"),
])
.alerts(&["JaaSNotReconciling", "JaaSWatchDown", "JaaSCRDWatchEngagementFailing"])
.metrics(&["jaas_ready_to_reconcile", "jaas_watch_up", "jaas_crd_watch_engagement_failures_total"]);

pub(crate) const EMPTY_DIR: Entry = Entry::new(Warning, Configuration, "the store lives and dies with its Pod")
    .means("The store is an emptyDir. Whenever the Pod is replaced, every file is gone, and retained revisions never come back.")
    .because("`operator.storage.persistence.enabled` is false, which is the chart's default.")
    .type_in(&[look("kubectl jaas storage advise persistence", "prints the line that adds a volume of the right size")]);

pub(crate) const VOLUME_NOT_SHARED: Entry =
    Entry::new(Error, Configuration, "replicas cannot share the volume")
        .means("Several replicas run, but each sees a volume of its own, or only one of them can have it. A consumer that reaches the wrong one gets 404.")
        .because("More than one replica with an emptyDir, or with a claim that only one node or Pod may mount.")
        .type_in(&[
            look("kubectl jaas storage info", "shows volume, access modes and replicas"),
            look("kubectl jaas storage advise persistence", "prints the line for a volume that all can mount"),
        ]);

pub(crate) const KEYS_IN_ARGUMENTS: Entry =
    Entry::new(Warning, Configuration, "keys of the object store stand in the arguments")
        .means("Whoever may read the Deployment or its Pods can read the keys, and a rotation needs a restart.")
        .because("`--s3-access-key` and `--s3-secret-key` are given as flags.")
        .type_in(&[look("kubectl jaas storage info", "shows the settings with the keys masked")]);

pub(crate) const KEYS_NEWER_THAN_POD: Entry =
    Entry::new(Error, Configuration, "keys changed after the operator started")
        .means("The Secret with the keys of the object store is newer than the process, which goes on with the old ones.")
        .because("Keys that come by environment variables are read once. With `--s3-credentials-file` they are read again by themselves.")
        .type_in(&[change("kubectl jaas restart --wait", "makes the new keys take effect")]);

pub(crate) const NO_SIZE_LIMIT: Entry = Entry::new(Info, Configuration, "no limit for the size of an artifact")
    .means("One snippet can publish an artifact that is larger than anything its consumers or the volume expect.")
    .because("`--max-artifact-bytes` is 0.")
    .type_in(&[look(
        "kubectl jaas storage advise limits",
        "prints a limit that fits what is there, and who would exceed it",
    )])
    .alerts(&["JaaSSnippetArtifactGrowing"])
    .metrics(&["jaas_snippet_rendered_bytes"]);

pub(crate) const SWEEP_OFF: Entry = Entry::new(Warning, Configuration, "left-overs are never swept")
    .means("Temporary files of writers that died stay for ever.")
    .because("`--storage-sweep-interval` is 0.")
    .type_in(&[
        look("kubectl jaas storage info", "shows the setting"),
        change("kubectl jaas storage sweep", "sweeps once"),
    ]);

pub(crate) const UPLOADS_NEVER_EXPIRE: Entry =
    Entry::new(Warning, Configuration, "unfinished uploads never expire")
        .means("The bucket has no rule that drops unfinished uploads under the prefix. They are invisible in listings and are paid for.")
        .because("The Go implementation uploads in parts and never looks for the rest of an upload that broke off; no service drops them without a rule.")
        .type_in(&[
            look("kubectl jaas storage doctor", "shows uploads that are there now"),
            change("kubectl jaas storage sweep --multipart --older-than 24h", "drops the old ones once"),
        ]);

pub(crate) const NO_OWNER_MARK: Entry = Entry::new(Info, Configuration, "the store carries no owner mark")
    .means("Nothing in the store says which installation it belongs to, so it cannot be told whether another one uses it too.")
    .because("The operator has not claimed it yet: it cannot write, or it is of a version that does not.")
    .type_in(&[look("kubectl jaas storage info", "shows where the store is and which installation this is")]);

pub(crate) const PREFIX_EXPIRES: Entry = Entry::new(Error, Configuration, "a lifecycle rule removes live artifacts")
    .means("A rule of the bucket expires objects under the operator's prefix, whether they are still announced or not.")
    .because("The rule was made for another use of the bucket, or has no prefix, so that it covers everything.")
    .type_in(&[
        look("kubectl jaas storage info", "shows bucket and prefix; limit or remove the rule with the provider's tool"),
        nudge_missing(),
    ]);

pub(crate) const FOREIGN_OWNER_MARK: Entry =
    Entry::new(Error, Configuration, "the store belongs to another installation")
        .means("The store carries the mark of another cluster or release. Two installations that write to one place remove each other's files.")
        .because("Two installations have the same bucket and prefix or the same volume, or a volume was moved here with its mark.")
        .type_in(&[
            look("kubectl jaas storage info", "shows the mark that is there and the one that should be"),
            look("kubectl jaas storage find-orphans", "shows files that this installation does not know"),
        ]);

pub(crate) const PODS_DIFFER: Entry = Entry::new(Warning, Configuration, "Pods run different settings")
    .means("The operator's Pods differ in image or arguments although no roll-out is under way, so a change of leaders changes behaviour.")
    .because("A roll-out that stopped, or a Pod that was edited or started by hand.")
    .type_in(&[
        look("kubectl rollout status deployment/DEPLOYMENT -n JAAS_NAMESPACE", "shows whether a roll-out hangs"),
        change("kubectl jaas restart --wait", "replaces all Pods by the current template"),
    ]);

const fn nudge_missing() -> super::Advice {
    super::nudge("kubectl jaas reconcile --missing", "renders again what is gone")
}
