//! The operator's Pods, the one that leads first.

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;

use super::Site;
use crate::lease::Leadership;
use crate::operator::{self, Operator, Replica};
use crate::session::{Call, Error};

/// A Pod that works, and whether it is known to lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    /// Its name.
    pub(super) name: String,
    /// Whether the Lease names it.
    pub(super) leads: bool,
}

/// The Pod to go to; `None` where none works.
///
/// # Errors
/// The Pods could not be listed.
pub(super) async fn choose(site: &Site<'_>, operator: &Operator) -> Result<Option<Chosen>, Error> {
    let pods: Api<Pod> = Api::namespaced(site.session.client.clone(), operator.namespace());
    let call = Call::new("list", "", "pods", &["list"]).within(Some(operator.namespace()));
    let listed = site.session.call(&call, pods.list(&ListParams::default().labels(&operator.selector()))).await?;
    let replicas: Vec<_> = listed.items.iter().map(Replica::of).collect();
    Ok(best(&replicas, leader(site, operator).await.as_deref()))
}

/// The leader where it is there, even if it is not ready: it still writes. Else any that works.
fn best(replicas: &[Replica], leader: Option<&str>) -> Option<Chosen> {
    let named = replicas.iter().find(|replica| Some(replica.name.as_str()) == leader);
    let chosen = named.or_else(|| replicas.iter().find(|replica| replica.is_ready))?;
    Some(Chosen { name: chosen.name.clone(), leads: named.is_some() })
}

/// The Pod that the Lease names; nobody where it cannot be read, which only costs a detour.
async fn leader(site: &Site<'_>, operator: &Operator) -> Option<String> {
    if !operator.elects() {
        return None;
    }
    let place = operator::lease(Some(operator), site.place)?;
    let leases: Api<Lease> = Api::namespaced(site.session.client.clone(), &place.namespace);
    let call = Call::new("get", "coordination.k8s.io", "leases", &["get"]);
    let call = call.within(Some(&place.namespace)).named(&place.name);
    let lease = site.session.call(&call, leases.get_opt(&place.name)).await.ok()??;
    Some(Leadership::of(&lease).pod().to_owned()).filter(|pod| !pod.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_leader_is_chosen_before_any_that_works() {
        let pod = |name: &str, is_ready| Replica { name: name.to_owned(), is_ready, ..Replica::default() };
        let all = [pod("broken", false), pod("one", true), pod("two", true)];
        let chosen = |leader| best(&all, leader).map(|it| (it.name, it.leads));
        assert_eq!(chosen(Some("two")), Some(("two".to_owned(), true)));
        assert_eq!(chosen(Some("gone")), Some(("one".to_owned(), false)));
        assert_eq!(chosen(None), Some(("one".to_owned(), false)));
        assert_eq!(best(&all[..1], None), None);
    }
}
