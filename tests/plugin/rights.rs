//! `auth`.

use jaas_tests::controlplane::Identity;
use serde_json::json;

use super::bench::{Bench, document, exits, kubectl, plugin_folder, text};

#[tokio::test]
async fn missing_rights_are_told_and_the_role_that_is_printed_is_enough() {
    let bench = Bench::new().await;
    let place = bench.namespace.name.as_str();
    let ann = Identity::service_account(place, "ann");
    let account =
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "ann", "namespace": place}});
    bench.plane.apply_objects(&[account]).await.unwrap();
    let before = bench.run(&ann, &["auth", "suspend", "-n", place, "-o", "json"]).await;
    exits(&before, 7);
    let rights = document(&before)["rights"].as_array().unwrap().clone();
    assert!(rights.iter().all(|right| right["allowed"] == false), "{rights:#?}");
    exits(&bench.run(&ann, &["suspend", "a", "-n", place]).await, 7);

    let role = text(&bench.admin(&["auth", "suspend", "--yaml"]).await.stdout);
    bench.plane.apply(&role).await.unwrap();
    let bind = [
        "create",
        "rolebinding",
        "ann",
        "--role=kubectl-jaas-suspend",
        &format!("--serviceaccount={place}:ann"),
        "-n",
        place,
    ];
    exits(&kubectl(bench.plane, &Identity::Admin, &bind, &plugin_folder()).await, 0);
    let allowed = async || {
        let auth = bench.run(&ann, &["auth", "suspend", "-n", place]).await;
        auth.status.success().then_some(())
    };
    jaas_tests::wait::eventually("the rights", super::bench::PATIENCE, allowed).await.unwrap();
    let paused = bench.run(&ann, &["suspend", "a", "-n", place]).await;
    exits(&paused, 0);
    assert!(!text(&paused.stderr).contains("no Event"), "{}", text(&paused.stderr));
    exits(&bench.admin(&["auth", "frobnicate"]).await, 2);
}
