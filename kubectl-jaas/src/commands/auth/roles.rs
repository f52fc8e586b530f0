//! The smallest roles that hold some rights, as YAML. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::Places;
use super::needs::Need;

/// Verbs by group, resource and, where one object is meant, its name.
pub(super) type Rules<'a> = BTreeMap<(&'a str, &'a str, &'a str), BTreeSet<&'a str>>;

/// One role for each place, with one rule for each resource.
pub(super) fn yaml(name: &str, needs: &[(String, &Need)], places: &Places) -> String {
    let mut rules: BTreeMap<Option<&str>, Rules<'_>> = BTreeMap::new();
    for (_, need) in needs {
        let place = places.of(need.place);
        rules.entry(place).or_default().entry((need.group, need.resource, need.name)).or_default().extend(need.verbs);
    }
    // What a role of the whole cluster holds need not be said again.
    let everywhere = rules.get(&None).cloned().unwrap_or_default();
    for (_, resources) in rules.iter_mut().filter(|(place, _)| place.is_some()) {
        for (resource, verbs) in resources.iter_mut() {
            verbs.retain(|verb| !everywhere.get(resource).is_some_and(|all| all.contains(verb)));
        }
        resources.retain(|_, verbs| !verbs.is_empty());
    }
    let documents = rules.iter().filter(|(_, resources)| !resources.is_empty());
    documents.map(|(place, resources)| role(name, *place, resources)).collect::<Vec<_>>().join("---\n")
}

/// One role; of the whole cluster without a place.
pub(super) fn role(name: &str, place: Option<&str>, resources: &Rules<'_>) -> String {
    let (kind, namespace) = match place {
        None => ("ClusterRole", String::new()),
        Some(namespace) => ("Role", format!("\n  namespace: {namespace}")),
    };
    let mut text = format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}\nmetadata:\n  name: {name}{namespace}\nrules:\n"
    );
    for ((group, resource, object), verbs) in resources {
        let verbs = verbs.iter().copied().collect::<Vec<_>>().join(", ");
        text.push_str(&format!("- apiGroups: [\"{group}\"]\n  resources: [{resource}]\n"));
        if !object.is_empty() {
            text.push_str(&format!("  resourceNames: [{object}]\n"));
        }
        text.push_str(&format!("  verbs: [{verbs}]\n"));
    }
    text
}
