//! Settings of the operator, as its command line says. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Flags whose value must not be repeated.
const SECRETS: [&str; 3] = ["s3-access-key", "s3-secret-key", "s3-session-token"];

/// Flag names without dashes, and their values. A flag that is only given has the value `true`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Flags(pub BTreeMap<String, String>);

impl Flags {
    /// Reads a command line in both forms, `--name=value` and `--name value`, and masks secrets. Of a flag that is given twice, the
    /// last one counts, as both implementations have it.
    pub fn of_arguments<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Self {
        let mut flags = BTreeMap::new();
        let mut arguments = arguments.into_iter().peekable();
        while let Some(argument) = arguments.next() {
            let Some(name) = argument.strip_prefix("--").or_else(|| argument.strip_prefix('-')) else { continue };
            let (name, value) = match name.split_once('=') {
                Some((name, value)) => (name, value.to_owned()),
                None => match arguments.next_if(|next| !next.starts_with('-')) {
                    Some(value) => (name, value.to_owned()),
                    None => (name, "true".to_owned()),
                },
            };
            let value = if SECRETS.contains(&name) { mask(&value) } else { value };
            flags.insert(name.to_owned(), value);
        }
        Self(flags)
    }

    /// The same with `defaults` for what is not given.
    #[must_use]
    pub fn or(mut self, defaults: &Self) -> Self {
        for (name, value) in &defaults.0 {
            self.0.entry(name.clone()).or_insert_with(|| value.clone());
        }
        self
    }

    /// The value of a flag; `None` where it is not given or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether keys of the object store stand on the command line.
    pub fn holds_keys(&self) -> bool {
        SECRETS.iter().any(|name| self.get(name).is_some())
    }

    /// A flag that is on or off; `default` where it is not given.
    pub fn is_on(&self, name: &str, default: bool) -> bool {
        self.get(name).map_or(default, |value| matches!(value, "true" | "1" | "t" | "T" | "TRUE" | "True"))
    }

    /// A duration in seconds, such as `1h30m`; `None` where it is not given or cannot be read.
    pub fn seconds(&self, name: &str) -> Option<u64> {
        let text = self.get(name)?;
        if text == "0" {
            return Some(0);
        }
        let span: jiff::SignedDuration = text.parse().ok()?;
        u64::try_from(span.as_secs()).ok()
    }

    /// The namespaces that are watched; empty means all.
    pub fn watched_namespaces(&self) -> Vec<&str> {
        let names = self.get("watch-namespaces").unwrap_or_default();
        names.split(',').map(str::trim).filter(|name| !name.is_empty()).collect()
    }

    /// The kind of store, `local` where nothing is said.
    pub fn backend(&self) -> &str {
        self.get("storage-backend").unwrap_or("local")
    }
}

/// All but the last two characters of a secret are hidden, and of a short one all.
fn mask(secret: &str) -> String {
    let count = secret.chars().count();
    let end: String = secret.chars().skip(if count < 8 { count } else { count - 2 }).collect();
    format!("****{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_and_secrets_are_masked() {
        let line = [
            "--storage-backend",
            "s3",
            "--s3-use-ssl",
            "--s3-prefix=a",
            "--s3-prefix=b",
            "--s3-secret-key",
            "abcdefgh12",
        ];
        let flags = Flags::of_arguments(line);
        assert_eq!(flags.get("storage-backend"), Some("s3"));
        assert_eq!(flags.get("s3-use-ssl"), Some("true"));
        assert_eq!(flags.get("s3-prefix"), Some("b"));
        assert_eq!(flags.get("s3-secret-key"), Some("****12"));
        assert!(flags.holds_keys());
        assert_eq!(mask("short"), "****");
    }

    #[test]
    fn durations_and_defaults_are_read() {
        let defaults = Flags::of_arguments(["--artifact-gc-grace=5m", "--storage-sweep-interval=10m"]);
        let flags = Flags::of_arguments(["--storage-sweep-interval=0", "--max-withdraw-wait=1h30m"]).or(&defaults);
        assert_eq!(flags.seconds("storage-sweep-interval"), Some(0));
        assert_eq!(flags.seconds("max-withdraw-wait"), Some(5400));
        assert_eq!(flags.seconds("artifact-gc-grace"), Some(300));
        assert_eq!(flags.seconds("nothing"), None);
    }
}
