//! Values for what is looked at beforehand.

use clap::Parser as _;
use serde_json::{Value, json};

use super::*;
use crate::cli::{Cli, Command};
use crate::operator::tests::operator;

const NOW: &str = "2026-11-22T12:00:00Z";
const PATH: &str = "--storage-path=/var/lib/jaas";

fn args(line: &str) -> HandoverArgs {
    let words = ["kubectl-jaas", "force-handover"].into_iter().chain(line.split_whitespace());
    match Cli::try_parse_from(words).unwrap().command {
        Command::ForceHandover(args) => args,
        other => panic!("{other:?}"),
    }
}

fn before() -> Leadership {
    Leadership {
        holder: "jaas-1_x".to_owned(),
        acquired: "2026-11-22T10:00:00Z".parse().ok(),
        renewed: "2026-11-22T11:59:58Z".parse().ok(),
        duration: Duration::from_secs(15),
        steps_down: true,
        ..Leadership::default()
    }
}

fn replica(name: &str, is_ready: bool) -> Replica {
    Replica { name: name.to_owned(), is_ready, ..Replica::default() }
}

fn claim(value: &mut Value) {
    value["spec"]["template"]["spec"]["volumes"][0] =
        json!({"name": "storage", "persistentVolumeClaim": {"claimName": "c"}});
}

struct Case {
    before: Leadership,
    replicas: Option<Vec<Replica>>,
    operator: Option<Operator>,
    shares: Option<bool>,
    method: Method,
    line: &'static str,
}

/// Everything is fine.
fn fine() -> Case {
    Case {
        before: before(),
        replicas: Some(vec![replica("jaas-1", true), replica("jaas-2", true)]),
        operator: Some(operator(&[PATH], claim)),
        shares: Some(true),
        method: Method::Cooperative,
        line: "",
    }
}

impl Case {
    fn steps(&self) -> Vec<Step> {
        let place = Place { namespace: "ns".to_owned(), name: "l".to_owned() };
        let args = args(self.line);
        let facts = Facts {
            place: &place,
            before: &self.before,
            replicas: self.replicas.as_deref(),
            operator: self.operator.as_ref(),
            shares: self.shares,
            method: self.method,
            args: &args,
            now: NOW.parse().unwrap(),
        };
        facts.checks()
    }

    fn state(&self, name: &str) -> StepState {
        self.steps().iter().find(|step| step.name == name).unwrap().state
    }

    fn is_refused(&self) -> bool {
        refusal(&self.steps()).is_some()
    }
}

#[test]
fn a_sound_installation_may_hand_over() {
    assert!(fine().steps().iter().all(|step| step.state == StepState::Ok), "{:?}", fine().steps());
    assert!(!fine().is_refused());
}

#[test]
fn without_another_ready_replica_it_is_refused_unless_an_outage_is_allowed() {
    for replicas in [Some(vec![replica("jaas-1", true), replica("jaas-2", false)]), None] {
        let alone = Case { replicas: replicas.clone(), ..fine() };
        assert_eq!((alone.state("standby"), alone.is_refused()), (StepState::Failed, true));
        let allowed = Case { replicas, line: "--allow-outage", ..fine() };
        assert_eq!((allowed.state("standby"), allowed.is_refused()), (StepState::Warning, false));
    }
}

#[test]
fn a_store_that_the_new_leader_does_not_share_is_refused() {
    let empty = || Some(operator(&[PATH], |_| ()));
    assert!(Case { operator: empty(), shares: None, ..fine() }.is_refused());
    let accepted = Case { operator: empty(), shares: None, line: "--accept-empty-store", ..fine() };
    assert_eq!((accepted.state("store"), accepted.is_refused()), (StepState::Warning, false));
    assert_eq!(Case { shares: Some(false), ..fine() }.state("store"), StepState::Warning);
    assert_eq!(Case { operator: None, shares: None, ..fine() }.state("store"), StepState::Unknown);
}

#[test]
fn a_leader_that_is_not_there_cannot_be_asked() {
    let dead = Leadership { renewed: "2026-11-22T11:00:00Z".parse().ok(), ..before() };
    assert_eq!(Case { before: dead.clone(), ..fine() }.state("lease"), StepState::Failed);
    assert_eq!(Case { before: dead, method: Method::Evict, ..fine() }.state("lease"), StepState::Warning);
    let nobody = Leadership { holder: String::new(), ..before() };
    assert!(Case { before: nobody, method: Method::Evict, ..fine() }.is_refused());
    let foreign = Leadership { steps_down: false, ..before() };
    assert_eq!(Case { before: foreign, ..fine() }.state("method"), StepState::Failed);
}

#[test]
fn methods_have_their_own_conditions() {
    let evict = Case { method: Method::Evict, replicas: Some(vec![replica("jaas-2", true)]), ..fine() };
    assert!(evict.is_refused(), "the leader's Pod is not there");
    assert!(!Case { method: Method::Evict, ..fine() }.is_refused());
    assert!(Case { method: Method::Delete, ..fine() }.is_refused());
    assert!(!Case { method: Method::Delete, line: "--allow-outage", ..fine() }.is_refused());
    assert!(Case { method: Method::Lease, ..fine() }.is_refused(), "several Pods write the volume");
    assert!(!Case { method: Method::Lease, shares: Some(false), ..fine() }.is_refused());
}

#[test]
fn a_rollout_moves_leadership_anyway_and_a_young_leader_is_a_warning() {
    let running = |value: &mut Value| {
        claim(value);
        value["status"]["updatedReplicas"] = json!(1);
    };
    assert_eq!(Case { operator: Some(operator(&[PATH], running)), ..fine() }.state("rollout"), StepState::Failed);
    let young = Leadership { acquired: "2026-11-22T11:59:00Z".parse().ok(), ..before() };
    let young = Case { before: young, ..fine() };
    assert_eq!((young.state("steady"), young.is_refused()), (StepState::Warning, false));
}
