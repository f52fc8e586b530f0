//! Who of several replicas writes.

use super::{Entry, change, look};
use crate::code::Area::Leader;
use crate::code::Severity::{Critical, Error, Warning};

pub(crate) const NO_LEADER: Entry = Entry::new(Error, Leader, "nobody leads")
    .means("No replica holds the Lease, so nothing is rendered. What is stored is still served.")
    .because("No Pod runs, the Lease was deleted a moment ago, or the replicas may not write Leases.")
    .type_in(&[
        look("kubectl jaas leader", "shows the Lease and who could take it"),
        look("kubectl jaas logs", "shows why no replica takes it"),
    ])
    .alerts(&["JaaSNoLeader", "JaaSOperatorPodDown"])
    .metrics(&["leader_election_master_status"]);

pub(crate) const LEADER_FLAPS: Entry = Entry::new(Warning, Leader, "leadership changes too often")
    .means("The Lease went from one replica to another again and again within a short time. Each change costs seconds without a writer.")
    .because("Replicas that starve for CPU, an API server that answers too slowly for `--leader-election-renew-deadline`, or Pods that restart.")
    .type_in(&[
        look("kubectl jaas doctor pods", "shows restarts and their causes"),
        look("kubectl jaas leader", "shows how steady it is"),
    ]);

pub(crate) const LEADER_STUCK: Entry = Entry::new(Error, Leader, "the leader does not renew its Lease")
    .means("The Lease is past its time and nobody has taken it over. Nothing is rendered.")
    .because(
        "The leader hangs or cannot reach the API server, and there is no other replica, or it cannot reach it either.",
    )
    .type_in(&[
        change(
            "kubectl jaas restart --allow-outage",
            "where no other Pod is ready: nobody else can take over, so new Pods are the repair; waits until one leads",
        ),
        change(
            "kubectl jaas force-handover --method evict --allow-outage",
            "where another Pod is ready: replaces the one that hangs, which would not answer a request to step down, and proves who leads then",
        ),
        look("kubectl jaas logs", "shows what the holder last did"),
    ])
    .alerts(&["JaaSNoLeader"])
    .metrics(&["leader_election_master_status"]);

pub(crate) const TWO_LEADERS: Entry = Entry::new(Critical, Leader, "two replicas think that they lead")
    .means("Two processes write at the same time. Each may undo what the other did, and on a shared volume of the Go implementation they can mix the bytes of one file.")
    .because("The Lease was deleted or edited by hand, two releases share a store with different Leases, or election is off with more than one replica.")
    .type_in(&[
        look("kubectl jaas leader", "shows who claims to lead and who holds the Lease"),
        look("kubectl jaas storage verify --all -A", "proves that no file was mixed"),
    ]);

pub(crate) const HOLDER_GONE: Entry = Entry::new(Error, Leader, "the leader's Pod is gone")
    .means("The Lease names a Pod that does not exist any more. Another replica takes over once the Lease has run out.")
    .because("The Pod was killed and could not let go of the Lease. If this lasts, there is no other replica.")
    .type_in(&[
        look("kubectl jaas wait leader --timeout 60s", "waits until somebody has taken over"),
        look("kubectl jaas doctor pods", "shows why no other Pod takes it"),
    ])
    .alerts(&["JaaSNoLeader"])
    .metrics(&["leader_election_master_status"]);

pub(crate) const STANDBY_NOT_READY: Entry = Entry::new(Warning, Leader, "no replica is ready to take over")
    .means("Several replicas are wanted, but besides the leader none is ready: if it fails, nobody takes its place.")
    .because("The other Pods are not ready, or were never scheduled.")
    .type_in(&[look("kubectl jaas doctor pods", "shows what is wrong with them")]);
