//! What moves leadership, and the proofs that take more than the Lease.

use std::time::Duration;

use jaas_api::{RECONCILE_REQUEST, STEP_DOWN};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{DeleteParams, EvictParams, Patch, PatchParams, PostParams, Preconditions};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::super::{Error, Invocation, find};
use crate::cli::{DryRun, HandoverArgs, Method};
use crate::lease::{Leadership, Place};
use crate::operator::{Operator, Replica};
use crate::run::Run;
use crate::session::{Call, FIELD_MANAGER, Session};
use crate::snippet::{Key, RESOURCE, Snippet};
use crate::view::{Step, StepState, to_milliseconds};

/// Time between two looks.
const PAUSE: Duration = Duration::from_millis(250);

/// Moves leadership.
pub(super) struct Act<'a> {
    pub(super) session: &'a Session,
    pub(super) place: &'a Place,
    /// Where the operator's Pods are.
    pub(super) pods: &'a str,
    pub(super) before: &'a Leadership,
    pub(super) method: Method,
    pub(super) run: &'a Run,
    pub(super) args: &'a HandoverArgs,
}

impl Act<'_> {
    /// Does it, upon exactly the Lease or the Pod that was looked at.
    ///
    /// # Errors
    /// Refused, forbidden, or it is another one by now.
    pub(super) async fn perform(&self, holder: Option<&Replica>) -> Result<(), Error> {
        let uid = holder.map(|replica| replica.uid.clone());
        match self.method {
            Method::Cooperative => self.ask().await,
            Method::Evict => self.evict(uid).await,
            Method::Delete => {
                let path = format!("/api/v1/namespaces/{}/pods", self.pods);
                let call = Call::new("delete", "", "pods", &["delete"]).within(Some(self.pods));
                self.delete(&path, call.named(self.before.pod()), self.before.pod(), uid).await
            }
            Method::Lease => {
                let path = format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases", self.place.namespace);
                let call = Call::new("delete", "coordination.k8s.io", "leases", &["delete"]);
                let call = call.within(Some(&self.place.namespace)).named(&self.place.name);
                self.delete(&path, call, &self.place.name, Some(self.before.uid.clone())).await
            }
        }
    }

    fn is_dry(&self) -> bool {
        self.args.change.dry_run == Some(DryRun::Server)
    }

    async fn ask(&self) -> Result<(), Error> {
        let leases: Api<Lease> = Api::namespaced(self.session.client.clone(), &self.place.namespace);
        let call = Call::new("patch", "coordination.k8s.io", "leases", &["get", "watch", "patch"]);
        let call = call.within(Some(&self.place.namespace)).named(&self.place.name);
        // The resourceVersion changes with each renewal; the uid says that it is still this Lease.
        let metadata = json!({"uid": self.before.uid, "annotations": {STEP_DOWN: self.run.token()}});
        let params = PatchParams {
            dry_run: self.is_dry(),
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let patch = Patch::Merge(json!({"metadata": metadata}));
        self.session.call(&call, leases.patch(&self.place.name, &params, &patch)).await?;
        Ok(())
    }

    async fn evict(&self, uid: Option<String>) -> Result<(), Error> {
        let pods: Api<Pod> = Api::namespaced(self.session.client.clone(), self.pods);
        let pod = self.before.pod();
        let call = Call::new("create", "", "pods/eviction", &["create"]).within(Some(self.pods)).named(pod);
        let params = EvictParams {
            delete_options: Some(precondition(uid)),
            post_options: PostParams { dry_run: self.is_dry(), ..PostParams::default() },
        };
        match pods.evict(pod, &params).await {
            // What a budget of disruption answers.
            Err(kube::Error::Api(status)) if status.code == 429 => Err(Error::Refused {
                what: format!("nothing was changed: Pod {pod} must not be evicted now: {}", status.message),
                how: "wait until the other Pods are ready, or use --method delete --allow-outage".to_owned(),
            }),
            answer => {
                self.session.call(&call, std::future::ready(answer)).await?;
                Ok(())
            }
        }
    }

    /// Deletes one object of a kind of Kubernetes' own. A dry run says so in the address, where the gate of the session sees it,
    /// and in the body, beside which an API server does not read the address.
    async fn delete(&self, path: &str, call: Call, name: &str, uid: Option<String>) -> Result<(), Error> {
        let query = if self.is_dry() { "?dryRun=All" } else { "" };
        let body = serde_json::to_vec(&DeleteParams { dry_run: self.is_dry(), ..precondition(uid) })
            .map_err(kube::core::request::Error::SerializeBody);
        let request = http::Request::delete(format!("{path}/{name}{query}"))
            .header(http::header::CONTENT_TYPE, "application/json");
        let answer = async {
            let request = body.and_then(|body| request.body(body).map_err(kube::core::request::Error::BuildRequest));
            self.session.client.request::<Value>(request.map_err(kube::Error::BuildRequest)?).await
        };
        self.session.call(&call, answer).await?;
        Ok(())
    }

    /// Has a snippet rendered by the new leader.
    pub(super) async fn canary(
        &self,
        key: &Key,
        deadline: Instant,
        begun: Duration,
        invocation: &Invocation<'_>,
    ) -> Step {
        let snippets: Api<Snippet> = Api::namespaced(self.session.client.clone(), &key.namespace);
        let token = self.run.token();
        let patch = Patch::Merge(json!({"metadata": {"annotations": {RECONCILE_REQUEST: token}}}));
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let call = Call::new("patch", jaas_api::GROUP, RESOURCE, &["get", "patch"]);
        let call = call.within(Some(&key.namespace)).named(&key.name);
        if let Err(error) = self.session.call(&call, snippets.patch(&key.name, &params, &patch)).await {
            return Step::new("canary", StepState::Failed, error.to_string());
        }
        let answered = async || {
            let snippet = self.session.call(&call, snippets.get(&key.name)).await.ok()?;
            let handled = snippet.status?.last_handled_reconcile_at?;
            (handled == token).then_some(())
        };
        let what = |words: &str| format!("{key} {words} by the new leader");
        match until(deadline, invocation, answered).await {
            Some(()) => {
                Step { seconds: seconds(invocation, begun), ..Step::new("canary", StepState::Ok, what("was answered")) }
            }
            None => Step::new("canary", StepState::Failed, what("was not answered in time")),
        }
    }

    /// Waits until as many Pods work as before.
    pub(super) async fn redundancy(
        &self,
        operator: &Operator,
        before: &[Replica],
        deadline: Instant,
        begun: Duration,
        invocation: &Invocation<'_>,
    ) -> Step {
        let wanted = before.iter().filter(|replica| replica.is_ready).count();
        let back = async || {
            let replicas = find::replicas(self.session, operator).await.ok()?;
            let is_new = |replica: &&Replica| replica.is_ready && replica.name != self.before.pod();
            (replicas.iter().filter(is_new).count() >= wanted).then_some(())
        };
        match until(deadline, invocation, back).await {
            Some(()) => Step {
                seconds: seconds(invocation, begun),
                ..Step::new("standby", StepState::Ok, format!("{wanted} Pods are ready again"))
            },
            None => Step::new("standby", StepState::Failed, format!("fewer than {wanted} Pods are ready")),
        }
    }
}

fn precondition(uid: Option<String>) -> DeleteParams {
    DeleteParams::default().preconditions(Preconditions { uid, resource_version: None })
}

fn seconds(invocation: &Invocation<'_>, begun: Duration) -> Option<f64> {
    Some(to_milliseconds(invocation.run.elapsed().saturating_sub(begun).as_secs_f64()))
}

/// Looks again and again; `None` where the time is over or a signal came.
async fn until<T>(deadline: Instant, invocation: &Invocation<'_>, look: impl AsyncFn() -> Option<T>) -> Option<T> {
    let mut stop = invocation.stop.clone();
    loop {
        if let Some(found) = look().await {
            return Some(found);
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = tokio::time::sleep_until(deadline) => return None,
            _ = stop.signalled() => return None,
        }
    }
}
