//! The memory of the container and the evaluations that run at once fit each other, whatever a values file says of either.

use super::helm::{Helm, ValueSet};
use super::said;

/// The operator, and 256 MiB for each evaluation.
const ALONE: u64 = 128;
/// The same with its caches of artifacts and sources.
const WITH_CACHES: u64 = ALONE + 64 + 3 * 32;

/// Settings, and what comes of them: MiB of memory, and evaluations at once.
const FITTING: [(&[&str], u64, u64); 8] = [
    (&[], WITH_CACHES + 3 * 256, 3),
    (&["arguments.maxConcurrentEvals=32"], 1056, 3),
    (&["arguments.maxConcurrentEvals=32", "resources.memory=9Gi"], 9 * 1024, 32),
    (&["arguments.maxConcurrentEvals=1"], 1056, 1),
    (&["resources.memory=544Mi"], 544, 1),
    (&["resources.memory=1Gi", "arguments.evaluationMemory=128Mi", "arguments.maxConcurrentEvals=8"], 1024, 5),
    (&["operator.enabled=false", "resources.memory=384Mi"], ALONE + 256, 1),
    // Where nobody says how many, the operator itself asks for its limit.
    (&["arguments.maxConcurrentEvals=0"], 1056, 0),
];

/// Memory of the Deployment in MiB, and its evaluations at once.
fn of(rendered: &str) -> (u64, u64) {
    let manifests = jaas_tests::manifests::parse(rendered).unwrap();
    let deployment = manifests.iter().find(|object| object.types.as_ref().unwrap().kind == "Deployment").unwrap();
    let container = &serde_json::to_value(deployment).unwrap()["spec"]["template"]["spec"]["containers"][0];
    let memory = |what: &str| container["resources"][what]["memory"].as_str().unwrap().to_owned();
    assert_eq!(memory("requests"), memory("limits"));
    let memory = memory("limits").replace("Gi", " 1024").replace("Mi", " 1");
    let (number, unit) = memory.split_once(' ').unwrap();
    let args = container["args"].as_array().unwrap().iter().filter_map(|arg| arg.as_str());
    let most = args.filter_map(|arg| arg.strip_prefix("--max-concurrent-evals=")).next_back().unwrap();
    (number.parse::<u64>().unwrap() * unit.parse::<u64>().unwrap(), most.parse().unwrap())
}

#[test]
fn no_more_evaluations_run_at_once_than_the_memory_holds() {
    let helm = Helm::new();
    for (settings, memory, evaluations) in FITTING {
        let set: Vec<_> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
        let output = helm.template("jaas-system", &set);
        assert!(output.status.success(), "{settings:?}: {}", said(&output));
        assert_eq!(of(&String::from_utf8(output.stdout).unwrap()), (memory, evaluations), "{settings:?}");
    }
}

#[test]
fn values_of_the_go_implementation_hold_as_many_evaluations_as_the_defaults() {
    let rendered = Helm::new().manifests("jaas-system", &ValueSet::named("peer-defaults"));
    assert_eq!(of(&rendered), (1056, 3));
}
