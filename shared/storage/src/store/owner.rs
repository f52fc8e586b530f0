//! Whose store it is. Pure.

use serde::{Deserialize, Serialize};

use super::{ErrorKind, StoreError};

/// Name of the mark below the root or the prefix.
pub(crate) const NAME: &str = ".jaas-owner.json";
/// No mark of ours is longer; of a longer one no more is read.
pub(crate) const LIMIT: u64 = 64 << 10;

/// The installation that a store belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnerMark {
    /// Version of the store's layout.
    pub format: u32,
    /// Unique id of the cluster.
    pub cluster: String,
    /// The installation in that cluster, as `namespace/release`.
    pub release: String,
    /// The namespaces whose snippets it serves; empty means all.
    #[serde(default)]
    pub scope: String,
    /// Labels of the snippets that it serves, as a selector; empty means all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub selector: String,
}

impl OwnerMark {
    /// The layout that this crate reads and writes.
    pub const FORMAT: u32 = 1;

    /// Whether both name the same installation; its scope may change.
    pub fn is_same_installation(&self, other: &Self) -> bool {
        (&self.cluster, &self.release) == (&other.cluster, &other.release)
    }

    /// Whether both serve the same snippets.
    pub fn is_same_scope(&self, other: &Self) -> bool {
        (&self.scope, &self.selector) == (&other.scope, &other.selector)
    }

    /// Whose snippets it serves, for a person.
    pub fn scope_words(&self) -> String {
        let namespaces = match self.scope.as_str() {
            "" => "all namespaces".to_owned(),
            names => format!("the namespaces {names}"),
        };
        match self.selector.as_str() {
            "" => namespaces,
            selector => format!("{namespaces}, labels {selector}"),
        }
    }

    /// The stored form.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        // A struct of numbers and texts has a JSON form in any case.
        let mut json = serde_json::to_vec_pretty(self).unwrap_or_default();
        json.push(b'\n');
        json
    }

    /// Reads the stored form; `path` is for the error.
    pub(crate) fn read(bytes: &[u8], path: &str, wrap: Wrap) -> Result<Self, StoreError> {
        serde_json::from_slice(bytes).map_err(|error| wrap(ErrorKind::Corrupt, "reading", path.to_owned(), error))
    }
}

/// Makes the error of a backend.
pub(crate) type Wrap = fn(ErrorKind, &'static str, String, serde_json::Error) -> StoreError;

/// What came of claiming a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It was nobody's and is ours now.
    Claimed,
    /// It was ours.
    Held,
    /// It was ours with another scope, which this mark told; the present one was written.
    Rescoped(OwnerMark),
    /// It was another installation's, named here, and is ours now.
    TakenOver(Option<OwnerMark>),
    /// It is another installation's, or of a format that this program does not know; nothing was written.
    Foreign(OwnerMark),
}

/// What to do about the mark that is there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing to write.
    Answer(Claim),
    /// Write only if there is still none.
    Create,
    /// Write over what is there, and answer this.
    Overwrite(Claim),
}

/// Judges the mark that was found, which may be none or unreadable.
pub(crate) fn decide(
    found: Result<Option<OwnerMark>, StoreError>,
    wanted: &OwnerMark,
    take_over: bool,
) -> Result<Step, StoreError> {
    let found = match found {
        Err(error) if error.kind == ErrorKind::Corrupt && take_over => {
            return Ok(Step::Overwrite(Claim::TakenOver(None)));
        }
        other => other?,
    };
    let Some(found) = found else { return Ok(Step::Create) };
    let known = found.format <= wanted.format;
    Ok(match (found == *wanted, known && found.is_same_installation(wanted), take_over) {
        (true, _, _) => Step::Answer(Claim::Held),
        (false, true, _) if found.is_same_scope(wanted) => Step::Overwrite(Claim::Held),
        (false, true, _) => Step::Overwrite(Claim::Rescoped(found)),
        (false, false, true) => Step::Overwrite(Claim::TakenOver(Some(found))),
        (false, false, false) => Step::Answer(Claim::Foreign(found)),
    })
}

/// Whether the path is that of a half-written mark.
pub(crate) fn is_temporary(path: &str) -> bool {
    path.strip_prefix(NAME).is_some_and(|rest| rest.starts_with('.') && rest.ends_with(".tmp") && !rest.contains('/'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn mark(format: u32, cluster: &str, scope: &str) -> OwnerMark {
        let (cluster, scope, selector) = (cluster.to_owned(), scope.to_owned(), String::new());
        OwnerMark { format, cluster, release: "jaas/jaas".to_owned(), scope, selector }
    }

    #[test]
    fn a_foreign_mark_is_written_over_only_on_demand() {
        let ours = mark(1, "a", "");
        let decided = |found: Option<OwnerMark>, take_over| decide(Ok(found), &ours, take_over).unwrap();
        assert_eq!(decided(None, false), Step::Create);
        assert_eq!(decided(Some(ours.clone()), true), Step::Answer(Claim::Held));
        let narrow = OwnerMark { selector: "team=a".to_owned(), ..ours.clone() };
        for other in [mark(1, "a", "team"), narrow] {
            assert_eq!(decided(Some(other.clone()), false), Step::Overwrite(Claim::Rescoped(other)));
        }
        assert_eq!(decided(Some(mark(0, "a", "")), false), Step::Overwrite(Claim::Held));
        for foreign in [mark(1, "b", ""), mark(2, "a", "")] {
            assert_eq!(decided(Some(foreign.clone()), false), Step::Answer(Claim::Foreign(foreign.clone())));
            assert_eq!(decided(Some(foreign.clone()), true), Step::Overwrite(Claim::TakenOver(Some(foreign))));
        }
    }

    #[test]
    fn marks_without_a_scope_are_read_and_one_without_a_selector_is_written_as_before() {
        let read = |text: &str| OwnerMark::read(text.as_bytes(), NAME, StoreError::local).unwrap();
        let old = read(r#"{"format": 1, "cluster": "a", "release": "jaas/jaas"}"#);
        assert_eq!((&old, old.scope_words()), (&mark(1, "a", ""), "all namespaces".to_owned()));
        assert_eq!(
            read(r#"{"format": 1, "cluster": "a", "release": "jaas/jaas", "scope": "x,y"}"#),
            mark(1, "a", "x,y")
        );
        let text = |mark: &OwnerMark| String::from_utf8(mark.to_bytes()).unwrap();
        assert!(!text(&old).contains("selector"), "{}", text(&old));
        let narrow = OwnerMark { selector: "team in (a,b)".to_owned(), ..mark(1, "a", "x") };
        assert_eq!(read(&text(&narrow)), narrow);
        assert_eq!(narrow.scope_words(), "the namespaces x, labels team in (a,b)");
    }

    #[test]
    fn an_unreadable_mark_stays_until_somebody_decides() {
        let unreadable = || Err(StoreError::local(ErrorKind::Corrupt, "reading", NAME, "no JSON"));
        assert_eq!(decide(unreadable(), &mark(1, "a", ""), false).unwrap_err().kind, ErrorKind::Corrupt);
        let step = decide(unreadable(), &mark(1, "a", ""), true).unwrap();
        assert_eq!(step, Step::Overwrite(Claim::TakenOver(None)));
    }
}
