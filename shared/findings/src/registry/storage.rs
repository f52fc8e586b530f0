//! The volume or bucket that the store is made of.

use jaas_api::Reason;

use super::{Entry, change, look, nudge};
use crate::code::Area::Storage;
use crate::code::Severity::{Critical, Error, Warning};

/// Alerts of a store that takes nothing.
const DOWN: &[&str] = &["JaaSStorageDown", "JaaSPublishFailing"];
/// Metrics of a store that takes nothing.
const UP: &[&str] = &["jaas_storage_up", "jaas_publish_failures_total"];

pub(crate) const NO_VOLUME: Entry = Entry::new(Error, Storage, "no volume lies behind the store's path")
    .means("`--storage-path` leads into the container's own layer, or nowhere. It is lost with every restart of the container, if it can be written at all.")
    .because("The flag and the mount path of the volume differ.")
    .type_in(&[look("kubectl jaas storage info", "shows path, mounts and volumes")]);

pub(crate) const VOLUME_FULL: Entry = Entry::new(Critical, Storage, "volume or quota full")
    .means("Nothing new can be stored, or something that waits needs more room than is left. What is stored is still served, so consumers stay at their last revision. The Go implementation does not tell: its snippets stay Ready.")
    .because("Retained revisions, left-overs or orphans took the room, or the volume, the emptyDir's `sizeLimit` or `--storage-quota` is too small.")
    .type_in(&[
        change("kubectl jaas storage prune --expired --all -A", "removes revisions that nothing keeps any more"),
        look("kubectl jaas storage advise quota", "prints how to raise --storage-quota"),
        look("kubectl jaas storage advise resize", "prints how to enlarge the volume"),
        look(
            "kubectl jaas storage prune NAME -n NAMESPACE --keep 1 --dry-run",
            "the last resort: names the older revisions that would be lost for good; nothing brings them back",
        ),
        nudge("kubectl jaas reconcile --failed --allow-empty", "publishes at once what waited, after one of the above made room"),
    ])
    .alerts(&["JaaSStorageFull", "JaaSStorageDown", "JaaSPublishFailing", "JaaSControllerWorkqueueDepthHigh"])
    .metrics(&[
        "jaas_storage_up",
        "jaas_storage_bytes",
        "jaas_storage_free_bytes",
        "jaas_storage_total_bytes",
        "jaas_storage_quota_bytes",
        "jaas_publish_failures_total",
    ])
    .reasons(&[Reason::StorageFull]);

pub(crate) const VOLUME_NEARLY_FULL: Entry = Entry::new(Warning, Storage, "volume or quota nearly full")
    .means("Less than a tenth of the room is left, or less than the largest artifact takes: its next revision would not fit.")
    .because("Retained revisions, left-overs or orphans took the room, or more is published than was planned for.")
    .type_in(&[
        change("kubectl jaas storage prune --expired --all -A", "removes revisions that nothing keeps any more"),
        look("kubectl jaas storage advise quota", "prints how to raise --storage-quota"),
        look("kubectl jaas storage advise resize", "prints how to enlarge the volume"),
        look("kubectl jaas storage du", "shows which snippets take the room"),
    ])
    .alerts(&["JaaSStorageFullSoon", "JaaSStorageFull"])
    .metrics(&[
        "jaas_storage_full_in_seconds",
        "jaas_storage_bytes",
        "jaas_storage_free_bytes",
        "jaas_storage_total_bytes",
        "jaas_storage_quota_bytes",
    ]);

pub(crate) const NO_INODES: Entry = Entry::new(Error, Storage, "no inodes left")
    .means("There are bytes left, but the file system takes no further file. Nothing new can be stored.")
    .because("Very many small files: revisions, left-overs or files of somebody else on the same volume.")
    .type_in(&[
        change("kubectl jaas storage prune --expired --all -A", "removes revisions that nothing keeps any more"),
        look("kubectl jaas storage ls", "shows what the files are"),
    ])
    .alerts(DOWN)
    .metrics(&["jaas_storage_up", "jaas_storage_free_inodes", "jaas_publish_failures_total"])
    .reasons(&[Reason::StorageFull]);

pub(crate) const VOLUME_REPLACED: Entry = Entry::new(Error, Storage, "the volume is younger than what it should hold")
    .means("Artifacts that are missing were last published before the volume existed: it was lost or replaced.")
    .because("The claim was deleted and made anew, persistence was switched on or off, or the Pod of an emptyDir was replaced.")
    .type_in(&[
        nudge("kubectl jaas reconcile --missing", "renders again what is gone"),
        look("kubectl jaas wait recovered --timeout 10m", "waits until every artifact lies in the store as announced"),
    ]);

pub(crate) const VOLUME_DENIED: Entry = Entry::new(Error, Storage, "the operator may not write to the volume")
    .means("Files cannot be created or removed. What can be read is still served.")
    .because("Files or folders belong to another user than the one that the operator runs as, after a move from another implementation or a restore.")
    .type_in(&[look("kubectl jaas storage advise ownership", "prints a Job that gives the files to the operator's user")])
    .alerts(&["JaaSStorageDown", "JaaSPublishFailing", "JaaSStorageSweepFailures"])
    .metrics(&["jaas_storage_up", "jaas_publish_failures_total", "jaas_storage_sweep_failures_total"])
    .reasons(&[Reason::StorageDenied]);

pub(crate) const KEYS_REFUSED: Entry = Entry::new(Error, Storage, "the object store refuses the keys")
    .means("Requests are answered with `denied`: nothing is stored, and what is not in memory is not served.")
    .because("Keys were rotated, withdrawn or have expired, or a policy of the bucket lacks a right.")
    .type_in(&[
        look("kubectl jaas storage info", "shows where the keys come from, masked"),
        change("kubectl jaas restart --wait", "makes changed keys take effect where they come by environment"),
        nudge("kubectl jaas reconcile --failed --allow-empty", "publishes what could not be published"),
    ])
    .alerts(DOWN)
    .metrics(UP)
    .reasons(&[Reason::StorageDenied]);

pub(crate) const OBJECT_STORE_UNREACHABLE: Entry =
    Entry::new(Error, Storage, "the object store cannot be reached")
        .means("The endpoint does not answer, or answers with trouble of its own. Nothing is stored, and what is not in memory is not served.")
        .because("An outage of the service, a name that does not resolve, a certificate that nobody trusts, or a network that does not let the operator out.")
        .type_in(&[
            look("kubectl jaas storage info", "shows endpoint, bucket and prefix"),
            look("kubectl jaas logs", "shows the error of the connection"),
        ])
        .alerts(DOWN)
    .metrics(UP)
        .reasons(&[Reason::StorageUnavailable]);

pub(crate) const BUCKET_MISSING: Entry = Entry::new(Error, Storage, "the bucket does not exist")
    .means("The object store answers, but has no bucket of that name. The operator never creates one. The Go implementation serves this as 404 for every file.")
    .because("A typing mistake in `--s3-bucket`, the endpoint of another account, or a bucket that was deleted.")
    .type_in(&[
        look("kubectl jaas storage info", "shows endpoint and bucket"),
        nudge("kubectl jaas reconcile --all", "fills the bucket once it exists"),
    ])
    .alerts(DOWN)
    .metrics(UP)
    .reasons(&[Reason::BucketMissing]);

pub(crate) const PREFIX_EMPTY: Entry = Entry::new(Error, Storage, "every artifact is missing from the bucket")
    .means("The bucket answers, but none of the files that should be under the prefix are there.")
    .because("`--s3-prefix` or `--s3-bucket` was changed, which is likelier than a loss, or the bucket was emptied.")
    .type_in(&[
        look("kubectl jaas storage info", "shows bucket and prefix; compare them with what they were"),
        nudge("kubectl jaas reconcile --missing --yes", "renders again what is gone, if the prefix is right"),
    ]);

pub(crate) const THROTTLED: Entry = Entry::new(Error, Storage, "the object store asks to slow down")
    .means("Requests are refused because there are too many. Publishing and serving are late.")
    .because("Other users of the same bucket or account, or a verification that reads everything.")
    .type_in(&[look("kubectl jaas logs", "shows which requests are refused")])
    .alerts(DOWN)
    .metrics(UP)
    .reasons(&[Reason::StorageUnavailable]);

pub(crate) const CLOCK_SKEW: Entry = Entry::new(Error, Storage, "the clocks differ too much")
    .means("The operator's clock and the object store's differ by more than signed requests allow, 15 minutes in most services, so every request is refused.")
    .because("A node without time synchronisation, or an object store whose own clock is wrong.")
    .type_in(&[
        look("kubectl get pods -n JAAS_NAMESPACE -l app.kubernetes.io/name=jaas -o wide", "shows the node whose clock to look at"),
        nudge("kubectl jaas reconcile --failed --allow-empty", "publishes what could not be published, once the clocks agree"),
    ])
    .alerts(DOWN)
    .metrics(UP)
    .reasons(&[Reason::ClockSkew]);

pub(crate) const ABSENCE_HIDDEN: Entry = Entry::new(Warning, Storage, "missing objects look denied")
    .means("The object store answers `denied` for an object that does not exist, so a loss cannot be told from a lack of rights. The Go implementation serves it as 500.")
    .because("The keys lack the right to list the bucket, `s3:ListBucket`.")
    .type_in(&[look("kubectl jaas storage info", "shows bucket and prefix for the policy")]);

pub(crate) const VOLUME_READ_ONLY: Entry = Entry::new(Error, Storage, "the volume is mounted read-only")
    .means("Nothing can be stored or removed. What is stored is still served.")
    .because("The kernel switched the file system to read-only after errors of the disk, or the mount says so.")
    .type_in(&[
        look("kubectl describe pod POD -n JAAS_NAMESPACE", "shows the mount and the node"),
        change("kubectl jaas restart --wait", "mounts it anew, once the disk is repaired"),
    ])
    .alerts(DOWN)
    .metrics(UP)
    .reasons(&[Reason::StorageReadOnly]);

pub(crate) const VOLUME_UNAVAILABLE: Entry = Entry::new(Error, Storage, "the volume does not answer")
    .means("Reading or writing the volume fails or does not end. What is in memory is still served.")
    .because("A network volume that lost its server, errors of the disk, or a mount that went stale.")
    .type_in(&[
        look("kubectl jaas logs", "shows the error of the file system"),
        look("kubectl describe pod POD -n JAAS_NAMESPACE", "shows the volume and the node"),
    ])
    .alerts(DOWN)
    .metrics(UP)
    .reasons(&[Reason::StorageUnavailable]);

pub(crate) const CLAIM_NOT_BOUND: Entry = Entry::new(Error, Storage, "the claim of the volume is not bound")
    .means("The store's PersistentVolumeClaim is missing, waits for a volume, or lost the one it had.")
    .because("No storage class or no volume fits, the volume was deleted, or the claim was never made.")
    .type_in(&[look("kubectl describe persistentvolumeclaim CLAIM -n JAAS_NAMESPACE", "shows what it waits for")]);

pub(crate) const NAMESPACE_FULL: Entry = Entry::new(Error, Storage, "a namespace's share of the store is used up")
    .means("Snippets of that namespace publish nothing new. What they published is still served, and other namespaces are not concerned.")
    .because("The namespace keeps more, or larger, revisions than `--storage-namespace-quota` allows.")
    .type_in(&[
        look("kubectl jaas storage du -n NAMESPACE", "shows which of its snippets take the room"),
        change("kubectl jaas storage prune --expired --all -n NAMESPACE", "removes revisions that nothing keeps any more"),
    ])
    .alerts(&["JaaSPublishFailing"])
    .metrics(&["jaas_publish_failures_total", "jaas_storage_namespace_bytes", "jaas_storage_namespace_quota_bytes"])
    .reasons(&[Reason::StorageFull]);
