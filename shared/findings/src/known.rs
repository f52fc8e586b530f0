//! A fact, or why it is not known. Pure.

use std::fmt;

use schemars::JsonSchema;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// The one key of a fact that is not known.
pub(crate) const UNKNOWN: &str = "unknown";

/// A fact, or why it is not known. In JSON it is the fact itself, or `{"unknown": {"why": …, "detail": …}}`; a missing field was not
/// asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Known<T> {
    /// It was asked and answered.
    Yes(T),
    /// It was not learned.
    No(Why),
}

/// Why something is not known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// What stood in the way.
    pub why: Obstacle,
    /// What exactly, such as the right that is missing: `list pods in jaas-system`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// What can stand between a question and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Obstacle {
    /// The API server, or the store, does not allow the question.
    NoRight,
    /// No way leads there.
    NoRoad,
    /// The answer did not come in time.
    TimedOut,
    /// Nobody asked.
    NotAsked,
    /// This kind or version of the operator does not tell.
    NotOffered,
    /// The question was answered with an error.
    Failed,
}

impl Why {
    /// An obstacle with what it is about.
    pub fn new(why: Obstacle, detail: impl Into<String>) -> Self {
        Self { why, detail: detail.into() }
    }

    /// Nobody asked for `what`.
    pub fn not_asked(what: impl Into<String>) -> Self {
        Self::new(Obstacle::NotAsked, what)
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.why {
            Obstacle::NoRight => "no right",
            Obstacle::NoRoad => "no road",
            Obstacle::TimedOut => "timed out",
            Obstacle::NotAsked => "not asked",
            Obstacle::NotOffered => "not offered",
            Obstacle::Failed => "failed",
        };
        if self.detail.is_empty() { f.write_str(word) } else { write!(f, "{word}: {}", self.detail) }
    }
}

impl<T> Known<T> {
    /// The fact.
    ///
    /// # Errors
    /// Why it is not known.
    pub fn get(&self) -> Result<&T, Why> {
        match self {
            Self::Yes(fact) => Ok(fact),
            Self::No(why) => Err(why.clone()),
        }
    }

    /// The fact, with a name for it in the reason for its absence where that has none.
    ///
    /// # Errors
    /// Why it is not known.
    pub fn told(&self, what: &str) -> Result<&T, Why> {
        self.get().map_err(|why| if why.detail.is_empty() { Why::new(why.why, what) } else { why })
    }

    /// The fact, where the reason for its absence does not matter.
    pub fn ok(&self) -> Option<&T> {
        match self {
            Self::Yes(fact) => Some(fact),
            Self::No(_) => None,
        }
    }

    /// Why it is not known.
    pub fn why(&self) -> Option<&Why> {
        match self {
            Self::Yes(_) => None,
            Self::No(why) => Some(why),
        }
    }
}

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self::No(Why::not_asked(""))
    }
}

impl<T> From<T> for Known<T> {
    fn from(fact: T) -> Self {
        Self::Yes(fact)
    }
}

impl<T: Serialize> Serialize for Known<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Yes(fact) => fact.serialize(serializer),
            Self::No(why) => {
                std::iter::once((UNKNOWN, why)).collect::<std::collections::BTreeMap<_, _>>().serialize(serializer)
            }
        }
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Known<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        match value.as_object().filter(|object| object.len() == 1).and_then(|object| object.get(UNKNOWN)) {
            Some(why) => Why::deserialize(why).map(Self::No).map_err(D::Error::custom),
            None => T::deserialize(value).map(Self::Yes).map_err(D::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_fact_an_absence_and_an_unknown_are_three_things() {
        let read = |text: &str| serde_json::from_str::<Known<Option<u32>>>(text).unwrap();
        assert_eq!(read("7"), Known::Yes(Some(7)));
        assert_eq!(read("null"), Known::Yes(None));
        let unknown = Known::No(Why::new(Obstacle::NoRight, "get leases"));
        let text = r#"{"unknown":{"why":"no-right","detail":"get leases"}}"#;
        assert_eq!(read(text), unknown);
        assert_eq!(serde_json::to_string(&unknown).unwrap(), text);
    }

    #[test]
    fn why_reads_as_a_sentence() {
        assert_eq!(
            Why::new(Obstacle::NoRight, "list pods in jaas-system").to_string(),
            "no right: list pods in jaas-system"
        );
        assert_eq!(Why::not_asked("").to_string(), "not asked");
    }
}
