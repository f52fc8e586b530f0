//! What the pages tell to type and is not run here.

use std::collections::BTreeSet;

use crate::page::Page;

/// Beginnings of commands, and why.
const ELSEWHERE: [(&str, &str); 10] = [
    ("cargo ", "builds and tests this repository; what it names is looked for instead"),
    ("JAAS_DELETIONS=", "runs tests of this repository"),
    ("JAAS_SEED=", "runs tests of this repository"),
    ("JAAS_WRITE=", "runs tests of this repository"),
    ("JAAS_TEST_KEEP=", "runs tests of this repository"),
    ("just ", "a short form of cargo's"),
    ("skopeo copy ", "needs skopeo and a registry"),
    ("podman build ", "needs a container engine"),
    ("kubectl exec ", "no container runtime is here; tests/image runs the same in the image's own root"),
    ("kubectl port-forward ", "the played kubelet speaks no SPDY; the stage opens the same port"),
];

/// Names of commands rather than commands, and how they would be asked for their help.
const MENTIONS: [(&str, &str); 12] = [
    ("flux reconcile source …", ""),
    ("helm uninstall", "helm uninstall --help"),
    ("helm upgrade", "helm upgrade --help"),
    ("kubectl -l", "kubectl get --help"),
    ("kubectl get", "kubectl get --help"),
    ("kubectl jaas", "kubectl jaas --help"),
    ("kubectl jaas reconcile", "kubectl jaas reconcile --help"),
    ("kubectl jaas storage", "kubectl jaas storage --help"),
    ("kubectl jaas storage …", "kubectl jaas storage --help"),
    ("kubectl jaas storage repair", "kubectl jaas storage repair --help"),
    ("kubectl rollout status", "kubectl rollout status --help"),
    ("jaas-operator cleanup", "jaas-operator cleanup --help"),
];

/// Why a command is not run, if so.
pub(crate) fn reason(command: &str) -> Option<&'static str> {
    let listed = ELSEWHERE.iter().find(|(start, _)| command.starts_with(start)).map(|(_, why)| *why);
    listed.or_else(|| MENTIONS.iter().any(|(name, _)| *name == command).then_some("only named"))
}

/// Commands that stand for those that are only named.
pub(crate) fn helps() -> impl Iterator<Item = &'static str> {
    MENTIONS.iter().map(|(_, help)| *help).filter(|help| !help.is_empty())
}

#[test]
fn every_exception_still_occurs() {
    let commands: BTreeSet<_> = Page::all().iter().flat_map(Page::blocks).flat_map(|block| block.commands).collect();
    let unused: Vec<_> = ELSEWHERE
        .iter()
        .map(|(start, _)| *start)
        .filter(|start| !commands.iter().any(|command| command.starts_with(start)))
        .chain(MENTIONS.iter().map(|(name, _)| *name).filter(|name| !commands.contains(*name)))
        .collect();
    assert!(unused.is_empty(), "no page has these any more: {unused:?}");
}
