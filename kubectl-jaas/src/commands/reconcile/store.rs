//! Asks the store which announced artifacts are there, without reading them.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, stream};
use jaas_findings::facts::Reply;

use super::super::Error;
use super::super::storage::prove::Subject;
use crate::road::Road;
use crate::snippet::Key;

/// Whether an artifact is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// It is.
    There,
    /// It is not, or it is being brought back.
    Missing,
    /// Nobody could say, and why.
    Unknown(String),
}

/// Whether each is there: by a listing where the road has one, else one by one. `namespace` is where all of them are, if in one.
///
/// # Errors
/// The listing failed.
pub(super) async fn look(
    road: &Road,
    subjects: &[Subject],
    namespace: Option<&str>,
) -> Result<BTreeMap<Key, Presence>, Error> {
    if let Road::Files(files) = road {
        let asked = stream::iter(subjects).map(async |it| (it.key.clone(), of(files.head(&it.path).await)));
        return Ok(asked.buffer_unordered(files.at_once).collect().await);
    }
    let (inventory, omitted) = road.inventory(namespace).await?;
    let there: BTreeSet<_> = inventory.files.iter().map(|file| file.path.as_str()).collect();
    let presence = |subject: &Subject| {
        if there.contains(subject.path.as_str()) {
            Presence::There
        } else if omitted.contains(&subject.key.namespace) {
            Presence::Unknown(format!("you may not list the store in {}", subject.key.namespace))
        } else if !inventory.complete && omitted.is_empty() {
            Presence::Unknown("the listing of the store is not complete".to_owned())
        } else {
            Presence::Missing
        }
    };
    Ok(subjects.iter().map(|subject| (subject.key.clone(), presence(subject))).collect())
}

fn of(reply: Reply) -> Presence {
    match reply {
        Reply::There(_) | Reply::Verified(_) => Presence::There,
        // Somebody found it missing before, and it is on its way.
        Reply::Missing | Reply::Restoring => Presence::Missing,
        Reply::WrongDigest(_) | Reply::WrongContent(_) | Reply::NoTarball(_) => Presence::There,
        Reply::Status(status) => Presence::Unknown(format!("the storage server answers {status}")),
        Reply::Silent(why) => Presence::Unknown(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_neither_there_nor_missing() {
        assert_eq!(of(Reply::There(None)), Presence::There);
        assert_eq!((of(Reply::Missing), of(Reply::Restoring)), (Presence::Missing, Presence::Missing));
        assert!(matches!(of(Reply::Silent("x".to_owned())), Presence::Unknown(_)));
        assert!(matches!(of(Reply::Status(502)), Presence::Unknown(_)));
    }
}
