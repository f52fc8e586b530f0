//! What each namespace takes of the store, and may. Pure.

use std::collections::HashMap;

use jaas_api::admin::StoreUsage;
use jaas_findings::facts::{File, FileClass, Flags};

use super::keep::owner;
use crate::facts::quantity;
use crate::view::Use;

/// A file in a directory takes whole blocks of this many bytes.
const BLOCK: u64 = 4096;

/// What a file of that many bytes takes in a directory.
pub(super) fn blocks(bytes: u64) -> u64 {
    bytes.div_ceil(BLOCK).saturating_mul(BLOCK)
}

/// The quota of namespaces as it stands in the settings, where there is one.
pub(super) fn flag(flags: &Flags) -> Option<&str> {
    flags.get("storage-namespace-quota").filter(|text| *text != "0")
}

/// Its bytes: as the operator tells them, or else worked out as it does.
pub(super) fn bytes(flag: &str, usage: &StoreUsage) -> Option<u64> {
    let percent = |text: &str| {
        let whole = usage.quota.or(usage.total_bytes)?;
        u64::try_from(u128::from(whole) * text.parse::<u128>().ok()? / 100).ok()
    };
    usage.namespace_quota.or_else(|| flag.strip_suffix('%').map_or_else(|| quantity(flag), percent))
}

/// Adds to each use what its namespace takes by all of its artifacts, listed here or not.
pub(super) fn tell(uses: &mut [Use], files: &[File], is_local: bool, quota: Option<u64>) {
    let mut sums: HashMap<String, u64> = HashMap::new();
    for file in files.iter().filter(|file| file.class == FileClass::Revision) {
        let Some(key) = owner(&file.path) else { continue };
        let bytes = if is_local { blocks(file.bytes) } else { file.bytes };
        *sums.entry(key.namespace).or_default() += bytes;
    }
    for one in uses {
        one.namespace_bytes = sums.get(&one.namespace).copied().unwrap_or_default();
        one.namespace_quota = quota;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quota_is_what_the_operator_says_or_would_say() {
        let usage = |quota, total_bytes| StoreUsage { quota, total_bytes, ..StoreUsage::default() };
        assert_eq!(bytes("25%", &StoreUsage { namespace_quota: Some(7), ..usage(Some(1000), None) }), Some(7));
        assert_eq!(bytes("25%", &usage(Some(1000), Some(4000))), Some(250));
        assert_eq!(bytes("25%", &usage(None, Some(4000))), Some(1000));
        assert_eq!(bytes("25%", &usage(None, None)), None);
        assert_eq!(bytes("1Mi", &usage(None, None)), Some(1 << 20));
        let flags = |value: &str| Flags::of_arguments([format!("--storage-namespace-quota={value}").as_str()]);
        assert_eq!((flag(&flags("0")), flag(&flags("25%"))), (None, Some("25%")));
    }

    #[test]
    fn a_namespace_takes_what_all_of_its_artifacts_do() {
        let file =
            |path: &str, class, bytes| File { path: path.to_owned(), class, bytes, age: None, version: String::new() };
        let files = [
            file("team-a/web/1", FileClass::Revision, 1),
            file("team-a/api/1", FileClass::Revision, 5000),
            file("team-a/api/x.tmp", FileClass::Tmp, 9000),
            file("team-b/web/1", FileClass::Revision, 1),
        ];
        let told = |is_local| {
            let mut uses = [Use { namespace: "team-a".to_owned(), ..Use::default() }];
            tell(&mut uses, &files, is_local, Some(10));
            (uses[0].namespace_bytes, uses[0].namespace_quota)
        };
        assert_eq!(told(true), (3 * 4096, Some(10)));
        assert_eq!(told(false), (5001, Some(10)));
    }
}
