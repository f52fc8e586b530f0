//! Pod Security: a Pod of every template is admitted where only restricted ones are, and needs what it says for that.

use serde_json::{Value, json};

use super::helm::{Helm, ValueSet};
use super::{cluster, kubectl, said};

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_of_every_template_is_admitted_in_a_restricted_namespace_and_only_as_it_is() {
    let (plane, namespace) = cluster().await;
    let enforce = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
    let args = ["patch", "namespace", &namespace, "--type=merge", "-p", &enforce.to_string()];
    assert!(kubectl(plane, &args, "").status.success());
    for account in ["jaas", "jaas-cleanup"] {
        assert!(kubectl(plane, &["create", "serviceaccount", account, "-n", &namespace], "").status.success());
    }
    let create =
        |pod: &Value| kubectl(plane, &["create", "--dry-run=server", "-n", &namespace, "-f", "-"], &pod.to_string());
    let helm = Helm::new();
    let mut pods = 0;
    for set in ValueSet::all() {
        for object in helm.objects(&set).of_kinds(&["Deployment", "Job"]) {
            let template = object.data.pointer("/spec/template").unwrap().clone();
            let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": template["metadata"].clone(),
                "spec": template["spec"].clone()});
            pod["metadata"]["name"] = json!("pod");
            let output = create(&pod);
            assert!(output.status.success(), "{}: {}", set.name, said(&output));
            let spec = pod["spec"].as_object_mut().unwrap();
            spec.remove("securityContext").unwrap();
            for container in spec["containers"].as_array_mut().unwrap() {
                container.as_object_mut().unwrap().remove("securityContext").unwrap();
            }
            let output = create(&pod);
            assert!(!output.status.success(), "{}: admitted without a securityContext", set.name);
            assert!(said(&output).contains("violates PodSecurity \"restricted:latest\""), "{}", said(&output));
            pods += 1;
        }
    }
    assert!(pods > ValueSet::all().len(), "no Job was among them");
}
