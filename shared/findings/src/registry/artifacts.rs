//! What should be in the store, and what is announced.

use jaas_api::Reason;

use super::{Entry, change, look, nudge};
use crate::code::Area::Storage;
use crate::code::Severity::{Critical, Error, Warning};

pub(crate) const ARTIFACT_MISSING: Entry = Entry::new(Error, Storage, "a current artifact is not there")
    .means("An ExternalArtifact announces a file that the storage server does not have. Consumers get 404, or 503 while it is being brought back.")
    .because("The store was lost, emptied or moved. This operator brings such files back by itself where it can; the Go implementation only when something reconciles the snippet.")
    .type_in(&[
        nudge("kubectl jaas reconcile --missing", "renders again what is gone"),
        look("kubectl jaas wait recovered --timeout 10m", "waits until every artifact lies in the store as announced"),
    ])
    .metrics(&["jaas_storage_artifacts_checked_total"]);

pub(crate) const HISTORY_MISSING: Entry = Entry::new(Warning, Storage, "a retained revision is gone")
    .means("A revision that `status.history` lists cannot be fetched any more. Who pinned it for a way back gets 404.")
    .because("The store was lost. Only current revisions are rendered again; older ones came from inputs that are no longer there.")
    .type_in(&[look("kubectl jaas history NAME -n NAMESPACE", "shows which revisions are still there")]);

pub(crate) const WRONG_DIGEST: Entry = Entry::new(Critical, Storage, "a stored file is damaged")
    .means("The bytes of a file do not hash to the digest that its ExternalArtifact announces. Consumers refuse them.")
    .because("A disk that lies, a write that was cut off, or somebody who changed the file.")
    .type_in(&[
        change(
            "kubectl jaas storage repair NAME -n NAMESPACE",
            "sets the file aside, renders it again, and verifies it",
        ),
        look("kubectl jaas storage verify --all -A", "looks for others"),
    ])
    .metrics(&["jaas_storage_artifacts_checked_total"]);

pub(crate) const WRONG_CONTENT: Entry = Entry::new(Critical, Storage, "a stored file holds something else")
    .means("The content of a file does not hash to its own name. If its digest was announced anew, consumers accept and apply it.")
    .because("The Go implementation takes what it finds in the store for right and announces its digest; or somebody replaced the file.")
    .type_in(&[
        change("kubectl jaas storage repair NAME -n NAMESPACE", "sets the file aside, renders it again, and verifies it"),
        look("kubectl jaas storage verify --all -A", "looks for others"),
    ])
    .metrics(&["jaas_storage_artifacts_checked_total"]);

pub(crate) const WRONG_SIZE: Entry = Entry::new(Error, Storage, "a stored file has another size")
    .means("The storage server has a file of another length than its ExternalArtifact announces.")
    .because("A write that was cut off, or a file that was replaced after it was announced.")
    .type_in(&[
        look("kubectl jaas storage verify NAME -n NAMESPACE", "reads and hashes it"),
        change(
            "kubectl jaas storage repair NAME -n NAMESPACE",
            "sets the file aside, renders it again, and verifies it",
        ),
    ]);

pub(crate) const NO_TARBALL: Entry = Entry::new(Error, Storage, "a stored file is no tarball")
    .means("A file with an artifact's name cannot be unpacked.")
    .because("A write that was cut off, or something else that put a file there.")
    .type_in(&[change(
        "kubectl jaas storage repair NAME -n NAMESPACE",
        "sets the file aside, renders it again, and verifies it",
    )]);

pub(crate) const OTHER_BASE: Entry = Entry::new(Error, Storage, "an artifact names another address")
    .means("An ExternalArtifact announces an address that does not begin with `--storage-base-url`, or does not end with the path of its revision.")
    .because("The address of the storage server was changed, and the snippet has not been published since.")
    .type_in(&[
        nudge("kubectl jaas reconcile --all", "announces the current address"),
        look("kubectl jaas storage info", "shows the address that should be announced"),
    ]);

pub(crate) const NO_ARTIFACT_OBJECT: Entry = Entry::new(Error, Storage, "a ready snippet has no ExternalArtifact")
    .means("The snippet is Ready and names a revision, but there is no ExternalArtifact for consumers to find.")
    .because("It was deleted, and nothing has reconciled the snippet since. This operator puts it back by itself.")
    .type_in(&[nudge("kubectl jaas reconcile NAME -n NAMESPACE", "announces it again")]);

pub(crate) const SUSPENDED_AND_MISSING: Entry =
    Entry::new(Error, Storage, "missing, and its snippet is suspended")
        .means("The file of a suspended snippet is gone. The Go implementation does not render suspended snippets; this one does only if it gives exactly the recorded revision.")
        .because("The store was lost while the snippet was suspended. Nobody resumes it but its owner.")
        .type_in(&[
            look("kubectl jaas status NAME -n NAMESPACE", "shows who suspended it"),
            nudge("kubectl jaas resume NAME -n NAMESPACE", "publishes what it renders to now, which may be something newer"),
        ]);

pub(crate) const REVISIONS_DISAGREE: Entry =
    Entry::new(Error, Storage, "snippet and artifact name different revisions")
        .means("The snippet's status and its ExternalArtifact do not name the same revision, so consumers do not have what the snippet claims.")
        .because("A publish that stopped between the two writes, or an ExternalArtifact that was edited by hand.")
        .type_in(&[nudge("kubectl jaas reconcile NAME -n NAMESPACE", "makes both say the same")]);

pub(crate) const ARTIFACT_LOST: Entry = Entry::new(Error, Storage, "a lost artifact cannot be rendered again")
    .means("The published file is gone or damaged, and the operator could not bring it back. Consumers get 404.")
    .because("What it was rendered from has changed or is broken now; the condition's message says how.")
    .type_in(&[
        look("kubectl jaas explain NAME -n NAMESPACE", "shows why it cannot be rendered"),
        nudge("kubectl jaas reconcile NAME -n NAMESPACE", "tries again once that is repaired"),
    ])
    .reasons(&[Reason::ArtifactLost]);

pub(crate) const ARTIFACT_CONFLICT: Entry =
    Entry::new(Error, Storage, "the ExternalArtifact belongs to somebody else")
        .means("An ExternalArtifact of the snippet's name names another producer. This operator leaves it alone and publishes nothing; the Go implementation writes over it.")
        .because("Two producers chose the same name.")
        .type_in(&[look("kubectl get externalartifact NAME -n NAMESPACE -o yaml", "shows whose it is; rename one of the two")])
        .reasons(&[Reason::ArtifactConflict]);

pub(crate) const SERVER_ERROR: Entry = Entry::new(Error, Storage, "the storage server answers with errors")
    .means("Requests for artifacts are answered with 5xx other than `being rendered again`. Consumers try again.")
    .because("The store behind it is in trouble. With the Go implementation 500 means that the object store answered with an error, 502 that it could not be reached.")
    .type_in(&[
        look("kubectl jaas storage doctor", "shows what is wrong with the store"),
        look("kubectl jaas logs", "shows the store's own words"),
    ]);
