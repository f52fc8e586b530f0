//! Settings that hold where the operator's command line says nothing. Pure.

use jaas_findings::facts::Flags;

/// Flags that checks look at, and their defaults.
const DEFAULTS: [(&str, &str); 14] = [
    ("max-artifact-bytes", "0"),
    ("artifact-gc-grace", "5m"),
    ("max-withdraw-wait", "1h"),
    ("storage-backend", "local"),
    ("storage-port", "8082"),
    ("storage-quota", "0"),
    ("storage-namespace-quota", "0"),
    ("storage-orphan-age", "2h"),
    ("storage-orphan-interval", "10m"),
    ("storage-sweep-interval", "10m"),
    ("storage-sweep-max-tmp-age", "30m"),
    ("leader-election", "true"),
    ("leader-election-id", "jaas-operator"),
    ("s3-use-ssl", "true"),
];

/// All of them.
pub(super) fn flags() -> Flags {
    Flags(DEFAULTS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_the_documented_ones() {
        let page = include_str!("../../../docs/reference/flags.md");
        for (name, value) in DEFAULTS {
            let row = format!("| `--{name}` | `{value}` |");
            assert!(page.lines().any(|line| line.starts_with(&row)), "{row}");
        }
    }
}
