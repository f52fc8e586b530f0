//! Names of objects and versions, before they become a part of a request's path. Pure.

/// Whether Kubernetes takes it for the name of an object (RFC 1123, a subdomain).
pub fn is_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let end = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        end(label.as_bytes().first()) && end(label.as_bytes().last()) && label.bytes().all(inside)
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

/// Whether it is the version of an API: `v1`, `v1beta2`.
/// <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definition-versioning/>
pub fn is_version(version: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some(rest) = version.strip_prefix('v') else { return false };
    let stage = ["alpha", "beta"].iter().find_map(|stage| rest.split_once(stage));
    match stage {
        Some((major, minor)) => is_number(major) && is_number(minor),
        None => is_number(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_lead_a_path_elsewhere_is_no_name() {
        for name in ["a", "a-b.c1", &"a".repeat(253)] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "A", "a/b", "a?b", "..", "a%2f", "a b", "-a", "a-", "a..b", "a#", &"a".repeat(254)] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn a_version_is_a_number_and_perhaps_a_stage() {
        for version in ["v1", "v12", "v1beta2", "v2alpha1"] {
            assert!(is_version(version), "{version}");
        }
        for version in ["", "v", "1", "v1/x", "v1?", "v1beta", "vbeta1", "v1gamma1", "V1", "v1/namespaces/b/x?y="] {
            assert!(!is_version(version), "{version}");
        }
    }
}
