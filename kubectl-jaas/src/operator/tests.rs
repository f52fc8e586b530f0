//! Values for what a Deployment tells.

use serde_json::{Value, json};

use super::*;

/// A Deployment as the chart makes it, with other arguments.
pub(crate) fn operator(args: &[&str], change: impl FnOnce(&mut Value)) -> Operator {
    let mut value = json!({
        "metadata": {"name": "jaas", "namespace": "jaas-system", "generation": 1, "uid": "d", "resourceVersion": "7"},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app.kubernetes.io/name": "jaas"}}, "template": {"spec": {
            "containers": [{"name": "jaas", "image": "ghcr.io/metio/jaas:2026.8.18", "args": args,
                "volumeMounts": [{"name": "storage", "mountPath": "/var/lib/jaas"}]}],
            "volumes": [{"name": "storage", "emptyDir": {}}]}}},
        "status": {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2},
    });
    change(&mut value);
    Operator(serde_json::from_value(value).unwrap())
}

#[test]
fn old_pods_end_first_also_where_there_may_be_none_more_than_are_wanted() {
    let recreates = |strategy: Value| operator(&[], |value| value["spec"]["strategy"] = strategy).recreates();
    let rolling = |surge: Value| json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge}});
    assert!(recreates(json!({"type": "Recreate"})));
    assert!(recreates(rolling(json!(0))) && recreates(rolling(json!("0%"))));
    assert!(!recreates(rolling(json!(1))) && !recreates(rolling(json!("25%"))));
    assert!(!recreates(json!({"type": "RollingUpdate"})) && !operator(&[], |_| ()).recreates());
}

#[test]
fn the_tag_of_an_image_is_its_version() {
    assert_eq!(tag("ghcr.io/metio/jaas:2026.8.18"), Some("2026.8.18"));
    assert_eq!(tag("localhost:5000/jaas:1@sha256:00"), Some("1"));
    assert_eq!(tag("localhost:5000/jaas"), None);
    assert_eq!(tag("jaas@sha256:00"), None);
}

#[test]
fn flags_are_read_in_both_forms_and_the_last_one_counts() {
    let operator = operator(&["--a=1", "--a", "2", "--ab=3", "--b", "--c"], |_| ());
    assert_eq!(operator.arguments("a"), ["1", "2"]);
    assert_eq!((operator.argument("a"), operator.argument("b"), operator.argument("d")), (Some("2"), None, None));
}

#[test]
fn the_lease_is_where_flags_or_arguments_say() {
    let args = |namespace: Option<&str>, lease: Option<&str>| OperatorArgs {
        operator_namespace: namespace.map(str::to_owned),
        lease: lease.map(str::to_owned),
    };
    let place = |operator: Option<&Operator>, args| lease(operator, &args).map(|place| place.to_string());
    let plain = operator(&[], |_| ());
    assert_eq!(place(Some(&plain), args(None, None)).as_deref(), Some("jaas-system/jaas-operator"));
    let told = operator(&["--leader-election-id=x-operator", "--leader-election-namespace=there"], |_| ());
    assert_eq!(place(Some(&told), args(None, None)).as_deref(), Some("there/x-operator"));
    assert_eq!(place(Some(&told), args(None, Some("mine"))).as_deref(), Some("there/mine"));
    assert_eq!(place(None, args(Some("ns"), None)).as_deref(), Some("ns/jaas-operator"));
    assert_eq!(place(None, args(None, Some("mine"))), None);
}

#[test]
fn the_store_is_told_from_arguments_and_volumes() {
    let path = "--storage-path=/var/lib/jaas/artifacts";
    assert_eq!(operator(&[path], |_| ()).store(), Store::EmptyFolder);
    let claim = |value: &mut Value| {
        value["spec"]["template"]["spec"]["volumes"][0] =
            json!({"name": "storage", "persistentVolumeClaim": {"claimName": "jaas-storage"}});
    };
    assert_eq!(operator(&[path], claim).store(), Store::Claim("jaas-storage".to_owned()));
    assert_eq!(operator(&["--storage-path=/var/lib/jaasx"], |_| ()).store(), Store::Other);
    let bucket = operator(&["--storage-backend=s3", "--s3-bucket=b", "--s3-prefix=/p/"], |_| ()).store();
    assert_eq!(bucket.to_string(), "s3 bucket b, below p");
}

#[test]
fn a_rollout_is_done_when_every_pod_is_new_and_works() {
    let rollout = |wanted, updated, total, available| Rollout { wanted, updated, total, available, is_observed: true };
    assert!(rollout(2, 2, 2, 2).is_done() && !rollout(2, 2, 2, 2).is_running());
    assert!(rollout(2, 1, 3, 2).is_running() && !rollout(2, 1, 3, 2).is_done());
    assert!(!rollout(2, 2, 2, 1).is_running() && !rollout(2, 2, 2, 1).is_done());
    assert!(Rollout { is_observed: false, ..rollout(2, 2, 2, 2) }.is_running());
}

#[test]
fn variables_of_the_operator_come_from_flags_and_environment() {
    let operator = operator(&["--ext-var=region=eu", "--ext-var", "stage=prod=1"], |value| {
        value["spec"]["template"]["spec"]["containers"][0]["env"] =
            json!([{"name": "JAAS_EXT_VAR_region", "value": "us"}, {"name": "HOME", "value": "/"}]);
    });
    let (variables, has_others) = operator.external_variables();
    let pairs: Vec<_> = variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!((pairs, has_others), (vec!["region=eu".to_owned(), "stage=prod=1".to_owned()], false));
}
