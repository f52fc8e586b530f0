//! Network policies: whatever the namespace is closed to, the release's own Pods reach what they need.

use serde_json::{Map, Value};

use super::helm::{Helm, ValueSet};

/// Labels, and whether a policy that selects `selector` is about them.
fn selects(selector: &Value, labels: &Map<String, Value>) -> bool {
    let wanted = selector["matchLabels"].as_object();
    wanted.is_none_or(|wanted| wanted.iter().all(|(label, value)| labels.get(label) == Some(value)))
}

#[test]
fn where_the_namespace_is_closed_every_pod_of_the_release_may_connect_as_the_values_say() {
    let objects = Helm::new().objects(&ValueSet::named("network"));
    let policies: Vec<_> = objects.of_kinds(&["NetworkPolicy"]).map(|policy| policy.data["spec"].clone()).collect();
    assert_eq!(policies.len(), 3);
    let mut pods = 0;
    for object in objects.of_kinds(&["Deployment", "Job"]) {
        let labels = object.data.pointer("/spec/template/metadata/labels").and_then(Value::as_object).unwrap();
        let about: Vec<_> = policies.iter().filter(|policy| selects(&policy["podSelector"], labels)).collect();
        let name = object.metadata.name.as_deref().unwrap();
        assert_eq!(about.len(), 2, "{name}: the one that closes and the one that opens");
        let opened: Vec<_> = about.iter().filter_map(|policy| policy["egress"].as_array()).flatten().collect();
        let is_there = |port: u64| opened.iter().any(|rule| rule["ports"].to_string().contains(&format!(":{port}")));
        assert!(is_there(53) && is_there(6443), "{name}: {opened:?}");
        pods += 1;
    }
    assert_eq!(pods, 2, "the operator and the clean-up");
}
