//! The real kustomize-controller runs and looks at ExternalArtifacts.

use std::time::Duration;

use jaas_tests::flux::{self, KustomizeController};
use jaas_tests::wait;
use kube::api::DynamicObject;

use crate::plane;

#[tokio::test]
async fn kustomize_controller_reads_external_artifacts() {
    let plane = plane().await;
    let _controller = KustomizeController::start(plane, &[]).await.unwrap();
    let namespace = plane.namespace("consumer").await.unwrap().name;
    flux::consume(plane, &namespace, "absent").await.unwrap();
    let kustomizations = flux::kustomizations(&plane.admin().await.unwrap(), &namespace);
    let missing = |object: &DynamicObject| {
        object.data["status"]["conditions"].as_array().into_iter().flatten().any(|condition| {
            condition["reason"] == "ArtifactFailed" && condition["message"].to_string().contains("not found")
        })
    };
    let what = "says that its artifact is missing";
    wait::object(&kustomizations, "absent", what, Duration::from_secs(20), missing).await.unwrap();
}
