//! The operator's Pods.

use super::{Entry, change, look};
use crate::code::Area::Pods;
use crate::code::Severity::{Critical, Error};

const DOWN: &[&str] = &["JaaSOperatorPodDown", "JaaSNotReconciling"];

pub(crate) const OUT_OF_MEMORY: Entry = Entry::new(Error, Pods, "killed for want of memory")
    .means("The kernel ended the operator because its container reached its limit. What it was doing starts anew, and may end the same way.")
    .because("Artifacts or numbers of snippets that the limit was not made for. In the Go implementation a single evaluation can take it all; here evaluations have a limit of their own, `--evaluation-memory`.")
    .type_in(&[
        look("kubectl jaas logs --previous", "shows the last records before the end"),
        look("kubectl jaas storage advise memory", "prints a limit from what is in use"),
    ])
    .alerts(DOWN);

pub(crate) const CRASH_LOOP: Entry = Entry::new(Error, Pods, "the operator ends again and again")
    .means("The container ends shortly after each start, and is started ever more rarely.")
    .because("A wrong flag (exit code 2, all mistakes are printed at once), a store or an API server that refuses at the start, or too little memory.")
    .type_in(&[look("kubectl jaas logs --previous", "shows why it ended")])
    .alerts(DOWN);

pub(crate) const POD_NOT_READY: Entry = Entry::new(Error, Pods, "a Pod of the operator is not ready")
    .means("The Pod runs, but gets no requests from consumers.")
    .because("It is still starting, it is shutting down, or one of the things that readiness waits for does not come.")
    .type_in(&[
        look("kubectl describe pod POD -n JAAS_NAMESPACE", "shows which probe fails"),
        look("kubectl jaas logs", "shows what it waits for"),
        change("kubectl jaas restart --allow-outage", "replaces a process that hangs"),
    ])
    .alerts(DOWN);

pub(crate) const IMAGE_NOT_PULLED: Entry = Entry::new(Error, Pods, "the image cannot be pulled")
    .means("The node cannot get the operator's image, so the container does not start.")
    .because("A tag that does not exist, a registry that cannot be reached, or a missing `imagePullSecrets`.")
    .type_in(&[look("kubectl describe pod POD -n JAAS_NAMESPACE", "shows the registry's answer")])
    .alerts(DOWN);

pub(crate) const POD_CANNOT_START: Entry = Entry::new(Error, Pods, "a Pod gets no node or no volume")
    .means("The Pod waits for a node that fits, or for its volume to be mounted.")
    .because("No node has room, a volume of one node or zone is bound elsewhere, the claim is not bound, or a ConfigMap or Secret is missing.")
    .type_in(&[
        look("kubectl describe pod POD -n JAAS_NAMESPACE", "shows what the scheduler or the kubelet says"),
        look("kubectl get persistentvolumeclaims -n JAAS_NAMESPACE", "shows whether the claim is bound"),
    ])
    .alerts(DOWN);

pub(crate) const POD_EVICTED: Entry = Entry::new(Error, Pods, "a Pod was evicted")
    .means("The node threw the Pod out. With an emptyDir, everything that was stored went with it.")
    .because("The emptyDir or the container's log grew past its limit, or the node ran out of disk or memory.")
    .type_in(&[
        look("kubectl jaas storage df", "shows how full the store is now"),
        look("kubectl jaas storage advise persistence", "prints the line for a volume that survives"),
    ])
    .alerts(DOWN);

pub(crate) const NO_PODS: Entry = Entry::new(Critical, Pods, "the Deployment has no Pods")
    .means("Pods are wanted, but none exist: nothing is rendered and nothing is served.")
    .because("A quota, an admission policy or a missing ServiceAccount refuses them.")
    .type_in(&[look("kubectl describe deployment DEPLOYMENT -n JAAS_NAMESPACE", "shows what refuses them")])
    .alerts(DOWN);

pub(crate) const SCALED_TO_ZERO: Entry = Entry::new(Critical, Pods, "the operator is scaled to zero")
    .means("Somebody wants no Pods: nothing is rendered and nothing is served.")
    .because("A person or a controller set `replicas` to 0, perhaps for work on the volume that was never ended.")
    .type_in(&[change("kubectl scale deployment/DEPLOYMENT --replicas 1 -n JAAS_NAMESPACE", "starts it again")])
    .alerts(DOWN);
