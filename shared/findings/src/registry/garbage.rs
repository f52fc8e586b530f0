//! What lies in the store and should not.

use super::{Entry, change, look, lose};
use crate::code::Area::{Finalizers, Storage};
use crate::code::Severity::{Error, Info, Warning};

pub(crate) const BEYOND_HISTORY: Entry = Entry::new(Warning, Storage, "revisions that nothing keeps")
    .means("Files of existing snippets that neither their history, nor their status, nor their ExternalArtifact names.")
    .because("They wait for their grace to end, the operator could not remove them, or a publish failed before it came to that.")
    .type_in(&[change("kubectl jaas storage prune --expired --all -A", "removes those whose grace is over")]);

pub(crate) const PAST_GRACE: Entry = Entry::new(Warning, Storage, "revisions past their grace are still there")
    .means("The snippet's status says when these revisions left the history. Their grace is over, and their files are still in the store.")
    .because("Removing them failed, or nothing has woken the snippet since.")
    .type_in(&[
        change("kubectl jaas storage prune --expired --all -A", "removes them"),
        look("kubectl jaas logs", "shows why the operator did not"),
    ]);

pub(crate) const RESIDUE: Entry = Entry::new(Warning, Storage, "halves of writes that never ended")
    .means("Temporary files that are older than any write lasts. They take room and are never served.")
    .because("The operator was killed while it wrote, and sweeping is off, fails, or has not come to it yet.")
    .type_in(&[change("kubectl jaas storage sweep", "removes them")])
    .alerts(&["JaaSStorageSweepFailures"]);

pub(crate) const ORPHAN_FILES: Entry = Entry::new(Warning, Storage, "files that no snippet owns")
    .means("Folders of snippets that do not exist, announced by no ExternalArtifact.")
    .because("A finalizer was removed by hand or dropped after `--max-withdraw-wait`, or a namespace went away while the operator did not run.")
    .type_in(&[
        look("kubectl jaas storage find-orphans", "lists them and says why each is one"),
        lose("kubectl jaas storage find-orphans --delete", "removes them for good, after you typed how many"),
    ]);

pub(crate) const ORPHAN_ARTIFACT: Entry = Entry::new(Warning, Storage, "an ExternalArtifact without its snippet")
    .means("An ExternalArtifact names a snippet that does not exist. Consumers still fetch what it announces, and nobody renews it.")
    .because("A finalizer was removed by hand, or withdrawing was given up.")
    .type_in(&[
        look("kubectl jaas storage find-orphans --class external", "lists them"),
        look("kubectl jaas tree NAME -n NAMESPACE", "shows who still uses it"),
    ]);

pub(crate) const FOREIGN_FILES: Entry = Entry::new(Info, Storage, "files of somebody else")
    .means("The store holds files whose names are not the operator's. They are never touched.")
    .because("`lost+found` of a file system, or somebody who keeps something there.")
    .type_in(&[look("kubectl jaas storage ls", "shows them")]);

pub(crate) const UNFINISHED_UPLOADS: Entry = Entry::new(Warning, Storage, "uploads that never ended")
    .means("Parts of uploads that are more than a day old. They do not show in listings and are paid for.")
    .because("The operator was killed or lost the connection while it uploaded.")
    .type_in(&[change("kubectl jaas storage sweep --multipart --older-than 24h", "drops them")]);

pub(crate) const WITHDRAW_FORCED: Entry = Entry::new(Warning, Finalizers, "a snippet went without its files")
    .means("A deleted snippet was let go although its files or its ExternalArtifact could not be removed. They may still be there.")
    .because("The store or the API server refused for `--max-withdraw-wait`, or the Go implementation took the first refusal for final.")
    .type_in(&[
        look("kubectl jaas storage find-orphans --from-events", "looks for what the events name"),
        lose("kubectl jaas storage find-orphans --delete", "removes it for good, after you typed how many"),
    ])
    .alerts(&["JaaSForceDropsAccumulating"])
    .metrics(&["jaas_snippet_force_drop_total"]);

pub(crate) const SWEEP_FAILS: Entry = Entry::new(Error, Storage, "sweeping fails")
    .means("The operator could not remove left-overs. Publishing may still work, but the store fills.")
    .because("The volume is full, read-only or not the operator's. The Go implementation does not sweep a bucket, so there this is a fault of the installation.")
    .type_in(&[
        look("kubectl jaas storage doctor", "shows what is wrong with the store"),
        look("kubectl jaas logs", "shows the store's own words"),
    ])
    .alerts(&["JaaSStorageSweepFailures"])
    .metrics(&["jaas_storage_sweep_failures_total"]);

pub(crate) const SET_ASIDE: Entry = Entry::new(Info, Storage, "damaged files were set aside")
    .means("Files that were damaged lie under another name for a person to look at. They are not served, and go after a day.")
    .because("The operator, or `kubectl jaas storage repair`, replaced them.")
    .type_in(&[look("kubectl jaas storage ls", "shows them")]);
