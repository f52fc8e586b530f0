//! Reasons of Events that are no states of a snippet: what this program and the operator leave behind when they did something. Pure.

use super::page;

/// One reason.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    reason: &'static str,
    /// What happened.
    meaning: &'static str,
    /// What is there to do, in this order; most often nothing.
    commands: &'static [(&'static str, &'static str)],
}

/// What every change by a person has in common.
const BY_HAND: &str = "Somebody did this with `kubectl jaas`. The Event tells the run and, where one was given, the reason (`--reason`); the \
                       operator's log has the same run with the name of the person. There is nothing to do.";

/// All of them.
const ALL: [Entry; 9] = [
    by_hand(
        "PrunedByHand",
        "Stored revisions of the snippet were removed that nothing needed. The current one stayed.",
        &[
            ("kubectl jaas history NAME -n NAMESPACE", "which revisions are kept"),
            ("kubectl jaas storage du", "what is left in the store"),
        ],
    ),
    by_hand(
        "SweptByHand",
        "Halves of writes and of uploads that nobody finished were removed from the store. Nothing named them.",
        &[],
    ),
    by_hand(
        "OrphansDeletedByHand",
        "Files or ExternalArtifacts were removed that belonged to no snippet.",
        &[("kubectl jaas storage find-orphans", "whether there are others")],
    ),
    by_hand(
        "RepairedByHand",
        "A damaged file was set aside, where it stays for a day, and what is announced was rendered again.",
        &[("kubectl jaas storage verify NAME -n NAMESPACE", "whether its bytes are right now")],
    ),
    by_hand(
        "SuspendedByHand",
        "The snippet is not rendered any more. What it published stays, is served, and comes back if it is lost.",
        &[("kubectl jaas resume NAME -n NAMESPACE", "renders it again")],
    ),
    by_hand("ResumedByHand", "The snippet is rendered again.", &[]),
    by_hand(
        "HandoverByHand",
        "Leadership was moved to another replica.",
        &[("kubectl jaas leader", "who leads now, and how steadily")],
    ),
    by_hand(
        "RestartedByHand",
        "The operator's Pods were replaced, one after the other.",
        &[("kubectl jaas status", "whether all is well")],
    ),
    Entry {
        reason: "WithdrawForced",
        meaning: "The snippet was deleted while the store could not be reached for longer than `--max-withdraw-wait`. It was let go, and \
                  its files stayed. They are collected once they are older than `--storage-orphan-age`.",
        commands: &[
            ("kubectl jaas storage find-orphans --from-events", "which files those are"),
            ("kubectl jaas explain G608", "the finding that tells of it"),
        ],
    },
];

const fn by_hand(
    reason: &'static str,
    meaning: &'static str,
    commands: &'static [(&'static str, &'static str)],
) -> Entry {
    Entry { reason, meaning, commands }
}

/// The entry of a reason, in upper or lower case.
pub(super) fn find(word: &str) -> Option<Entry> {
    ALL.into_iter().find(|entry| entry.reason.eq_ignore_ascii_case(word))
}

impl Entry {
    /// The text of `explain`, at most `width` wide but for command lines.
    pub(super) fn text(&self, width: usize) -> String {
        let mut text = format!("{}  (reason of an Event)\n\n{}", self.reason, page::wrap(self.meaning, width, ""));
        if self.reason.ends_with("ByHand") {
            text.push_str(&format!("\n{}", page::wrap(BY_HAND, width, "")));
        }
        if !self.commands.is_empty() {
            text.push_str("\nWhat to type\n");
        }
        for (command, why) in self.commands {
            text.push_str(&format!("  {command}\n{}", page::wrap(&format!("      {why}"), width, "")));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_text_that_fits_and_proposes_what_is_taken() {
        for entry in ALL {
            let text = entry.text(80);
            let long: Vec<_> = text.lines().filter(|line| line.chars().count() > 80).collect();
            assert_eq!(long, Vec::<&str>::new(), "{}", entry.reason);
            assert!(text.starts_with(entry.reason) && text.ends_with('\n'), "{text}");
            assert!(entry.commands.iter().all(|(command, _)| crate::cli::takes(command)), "{text}");
        }
    }

    #[test]
    fn every_reason_that_this_program_writes_is_known() {
        let sources = [
            include_str!("../handover.rs"),
            include_str!("../restart.rs"),
            include_str!("../suspend.rs"),
            include_str!("../storage/orphans.rs"),
            include_str!("../storage/prune.rs"),
            include_str!("../storage/repair.rs"),
            include_str!("../storage/sweep.rs"),
        ];
        let words = sources.iter().flat_map(|text| text.split('"')).filter(|word| word.ends_with("ByHand"));
        let mut known = 0;
        for word in words {
            assert!(find(word).is_some(), "{word}");
            known += 1;
        }
        assert!(known >= 8, "{known}");
    }
}
