//! The way from consumers to the storage server.

use super::{Entry, change, look, nudge};
use crate::code::Area::Network;
use crate::code::Severity::{Error, Warning};

pub(crate) const NO_ROAD_ANSWERS: Entry = Entry::new(Error, Network, "the storage server does not answer")
    .means(
        "Neither inside the Pod nor from the control plane did the storage port answer. No consumer gets anything new.",
    )
    .because("The process hangs or does not run, the port is another one, or the Service leads nowhere.")
    .type_in(&[
        look("kubectl jaas doctor pods", "shows whether the process runs"),
        look("kubectl jaas logs", "shows what the storage server says"),
        change("kubectl jaas restart --allow-outage", "replaces a process that hangs"),
    ]);

pub(crate) const ROADS_DIFFER: Entry = Entry::new(Warning, Network, "it answers inside the Pod only")
    .means("The storage port answers inside the Pod, but not from the control plane through the Service.")
    .because("A network policy or a mesh drops the traffic. Policies that let in only Flux do this to the control plane while consumers are fine; see whether consumers fail too.")
    .type_in(&[
        look("kubectl get networkpolicies -A", "shows policies; other dialects have kinds of their own"),
        look("kubectl jaas storage doctor --only network", "shows each road and each policy"),
    ]);

pub(crate) const POLICY_BLOCKS: Entry = Entry::new(Error, Network, "a network policy keeps consumers out")
    .means("The policies that select the operator's Pods let some Pods that fetch artifacts not in. The traffic is dropped without a word: consumers time out.")
    .because("Flux runs in another namespace or with other labels than `networkPolicy.storage.from` of the chart, or somebody's own policy, expects.")
    .type_in(&[
        look("kubectl get networkpolicies -n JAAS_NAMESPACE -o yaml", "shows whom they let in"),
        look("kubectl jaas storage doctor --only network", "looks again after the change"),
    ]);

pub(crate) const NO_READY_ENDPOINT: Entry = Entry::new(Error, Network, "the storage Service has no ready Pod")
    .means("The Service exists, but leads to no Pod that is ready. Consumers get `connection refused`.")
    .because("No Pod is ready, or the Service's selector does not fit the Pods' labels.")
    .type_in(&[
        look(
            "kubectl get endpointslices -n JAAS_NAMESPACE -l kubernetes.io/service-name=jaas-storage",
            "shows the addresses",
        ),
        look("kubectl jaas doctor pods", "shows why none is ready"),
    ]);

pub(crate) const CONSUMERS_FAIL: Entry = Entry::new(Error, Network, "consumers cannot fetch our artifacts")
    .means("Objects of Flux report that they did not get an artifact of ours. They keep what they last applied.")
    .because(
        "The file is missing or damaged, its address is wrong, or the way there is blocked. Other findings say which.",
    )
    .type_in(&[
        look("kubectl jaas tree NAME -n NAMESPACE", "shows the snippet, its artifact and who uses it"),
        nudge("kubectl jaas reconcile --missing", "renders again what is gone"),
    ]);

pub(crate) const POLICY_NOT_EVALUATED: Entry =
    Entry::new(Warning, Network, "there are policies that cannot be judged here")
        .means("Policies of another dialect than that of Kubernetes may concern the storage port. Whether they let consumers in is not known.")
        .because("Cilium, Calico, cluster-wide policies or a mesh are in use; their rules are not evaluated by the plugin.")
        .type_in(&[look("kubectl jaas storage doctor --only network", "names them, and shows whether consumers fail")]);

pub(crate) const NO_STORAGE_SERVICE: Entry = Entry::new(Error, Network, "the storage Service is missing")
    .means("There is no Service `jaas-storage`, so the address in every artifact leads nowhere.")
    .because("It was deleted, or the installation stopped half way.")
    .type_in(&[
        look(
            "helm status RELEASE -n JAAS_NAMESPACE",
            "shows the state of the release; an upgrade creates the Service anew",
        ),
        look("kubectl get services -n JAAS_NAMESPACE", "shows which Services there are"),
    ]);
