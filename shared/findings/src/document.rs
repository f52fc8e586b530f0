//! The finding document: what programs read. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::code::Severity;
use crate::evaluate::{Diagnosis, evaluate};
use crate::facts::Facts;
use crate::finding::{Check, Finding, State};
use crate::triage::{Triage, triage};

/// Version of the document. Within it, fields are only added.
pub const VERSION: &str = "findings.jaas.metio.wtf/v1";

/// Everything that came of one look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    /// Version of the document.
    pub version: Version,
    /// When the look was taken.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: Timestamp,
    /// How many findings of each severity, and checks of each other state.
    pub counts: Counts,
    /// What was found, the worst first.
    pub findings: Vec<Finding>,
    /// What came of each check.
    pub checks: Vec<Check>,
    /// Where to begin.
    pub triage: Triage,
}

/// How many findings and checks of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Findings that are critical.
    pub critical: usize,
    /// Findings that are errors.
    pub error: usize,
    /// Findings that are warnings.
    pub warning: usize,
    /// Findings that are worth knowing.
    pub info: usize,
    /// Checks that ran and found nothing.
    pub ok: usize,
    /// Checks that could not run, or not over everything.
    pub unknown: usize,
    /// Checks that do not apply.
    pub skipped: usize,
}

/// The one version that this program writes and reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Version;

impl Document {
    /// The document of a look.
    pub fn of(facts: &Facts) -> Self {
        Self::new(facts.at, evaluate(facts))
    }

    /// The document of a diagnosis.
    pub fn new(at: Timestamp, diagnosis: Diagnosis) -> Self {
        let Diagnosis { findings, checks } = diagnosis;
        let severity = |wanted| findings.iter().filter(|finding| finding.severity == wanted).count();
        let state = |wanted| checks.iter().filter(|check| check.state == wanted).count();
        let counts = Counts {
            critical: severity(Severity::Critical),
            error: severity(Severity::Error),
            warning: severity(Severity::Warning),
            info: severity(Severity::Info),
            ok: state(State::Ok),
            unknown: state(State::Unknown),
            skipped: state(State::Skipped),
        };
        let triage = triage(&findings);
        Self { version: Version, at, counts, findings, checks, triage }
    }
}

/// JSON Schema of the document, as text.
pub fn schema() -> String {
    let schema = SchemaGenerator::default().into_root_schema_for::<Document>();
    // Keys in alphabetical order whatever features other crates switch on, so that the text never changes by itself.
    let sorted = sort(schema.to_value());
    format!("{sorted:#}\n")
}

fn sort(value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Object(object) => {
            let sorted: BTreeMap<_, _> = object.into_iter().map(|(key, value)| (key, sort(value))).collect();
            sorted.into_iter().collect()
        }
        serde_json::Value::Array(items) => items.into_iter().map(sort).collect(),
        other => other,
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(VERSION)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        if word == VERSION { Ok(Self) } else { Err(serde::de::Error::custom(format!("{word:?} is not {VERSION:?}"))) }
    }
}

impl JsonSchema for Version {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Version".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"const": VERSION, "description": "Version of the document."})
    }
}
