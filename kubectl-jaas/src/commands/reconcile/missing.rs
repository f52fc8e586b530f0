//! `--missing`: those whose announced artifact is not in the store.

use std::collections::BTreeMap;

use super::super::consent::{Danger, consent};
use super::super::storage::prove;
use super::super::storage::ways::Ways;
use super::super::{Error, Invocation};
use super::store::{Presence, look};
use crate::cli::{ChangeArgs, ReconcileArgs};
use crate::road::Need;
use crate::session::{Session, Writes};
use crate::snippet::{Key, Snippet};
use crate::view::{Target, TargetOutcome};

/// What the store told.
pub(super) struct Missing {
    /// Whose artifact is missing.
    pub(super) snippets: Vec<Snippet>,
    /// Of whom nobody could say.
    pub(super) unknown: Vec<Target>,
    /// How many were asked for.
    pub(super) n_asked: usize,
}

/// Looks into the store. Where more than half are missing, somebody must say that this is meant.
///
/// # Errors
/// No road leads to the store, or nobody said so.
pub(super) async fn find(
    session: &Session,
    args: &ReconcileArgs,
    snippets: Vec<Snippet>,
    namespace: Option<&str>,
    invocation: &Invocation<'_>,
) -> Result<Missing, Error> {
    // Announced is what the status names: whoever lost the ExternalArtifact as well gets it back the same way.
    let subjects = prove::subjects(&snippets, &[], true);
    let seen = if subjects.is_empty() {
        BTreeMap::new()
    } else {
        let ways = Ways::find(session, &args.operator, &args.road, Writes::of(args.dry_run)).await?;
        let opened = ways.open(Need::Verify, invocation).await?;
        look(&opened.road, &subjects, namespace).await?
    };
    let (n_missing, n_told) = (count(&seen, &Presence::Missing), seen.len() - unknown(&seen).len());
    if n_missing * 2 > n_told {
        let what = format!(
            "{n_missing} of {n_told} artifacts are missing, and a wrong bucket, prefix or volume is likelier than such a loss"
        );
        let question = format!("{what} (see: kubectl jaas storage doctor). Render them again all the same?");
        let change = ChangeArgs { yes: args.yes, dry_run: args.dry_run, reason: None };
        let asked = consent(Danger::Bounded, &question, "", None, &change, invocation).await;
        asked.map_err(|error| match error {
            Error::Refused { what: outcome, how } => Error::Refused { what: format!("{what}; {outcome}"), how },
            other => other,
        })?;
    }
    let unknown = unknown(&seen);
    let is_missing = |snippet: &Snippet| seen.get(&snippet.key()) == Some(&Presence::Missing);
    Ok(Missing { snippets: snippets.into_iter().filter(is_missing).collect(), unknown, n_asked: seen.len() })
}

fn count(seen: &BTreeMap<Key, Presence>, presence: &Presence) -> usize {
    seen.values().filter(|it| *it == presence).count()
}

fn unknown(seen: &BTreeMap<Key, Presence>) -> Vec<Target> {
    let unknown = |(key, presence): (&Key, &Presence)| match presence {
        Presence::Unknown(why) => Some(Target::snippet(key, TargetOutcome::Unknown).because("NotSeen", why.clone())),
        Presence::There | Presence::Missing => None,
    };
    seen.iter().filter_map(unknown).collect()
}
