//! Screens of 80 columns, and how their details stand in documents.

use std::collections::BTreeMap;

use super::*;
use crate::snippet::State;
use crate::view::{
    Artifacts, EventView, History, LeaderView, OperatorView, Revision, Right, SnippetView, Status, Step, StepState,
};

const NOW: &str = "2026-11-22T12:00:00Z";

fn report(detail: Detail) -> Report {
    let mut report = Report::begin(Kind::StatusReport, &Run::start());
    report.metadata.started_at = NOW.parse().unwrap();
    report.detail = Some(detail);
    report
}

fn drawn(detail: Detail, output: Format, width: Option<u16>) -> String {
    let args = OutputArgs { output, color: crate::cli::ColorWhen::Never, ascii: false, quiet: true };
    let mut out = Vec::new();
    write_report(&mut out, &report(detail), args, width, &Paint::default()).unwrap();
    String::from_utf8(out).unwrap()
}

fn leader() -> LeaderView {
    LeaderView {
        lease: "jaas-system/jaas-operator".to_owned(),
        holder: "jaas-6f7d9-x2v9q_0a1b".to_owned(),
        pod: "jaas-6f7d9-x2v9q".to_owned(),
        pod_ready: Some(true),
        node: Some("node-a".to_owned()),
        since: "2026-11-19T08:00:00Z".parse().ok(),
        renewed_at: "2026-11-22T11:59:59Z".parse().ok(),
        lease_seconds: 15,
        transitions: 3,
        alive: true,
        standbys: Some(1),
        step_down: None,
    }
}

fn status() -> Detail {
    let failed = SnippetView {
        namespace: "team-a".to_owned(),
        name: "api".to_owned(),
        state: State::Failed,
        since: "2026-11-22T11:48:00Z".parse().ok(),
        reason: "EvaluationFailed".to_owned(),
        message: "main.jsonnet:14:3: field does not exist: replicas\n  deeper".to_owned(),
        revision: Some("sha256:00".to_owned()),
    };
    Detail::Status(Box::new(Status {
        operator: Some(OperatorView {
            namespace: "jaas-system".to_owned(),
            name: "jaas".to_owned(),
            version: Some("2026.8.18".to_owned()),
            ready: 2,
            wanted: 2,
            restarts: Some(0),
            store: "local, pvc/jaas-storage".to_owned(),
            troubles: Vec::new(),
        }),
        leader: Some(leader()),
        counts: BTreeMap::from([("ready", 199), ("failed", 1), ("suspended", 6)]),
        artifacts: Some(Artifacts { announced: 199, wrong: vec!["team-a/web".to_owned()] }),
        snippets: vec![failed],
        unknown: Vec::new(),
    }))
}

#[test]
fn the_status_is_one_screen() {
    let expected = "\
operator   jaas-system/jaas 2026.8.18   2/2 ready   restarts 0
leader     jaas-6f7d9-x2v9q   since 3d4h   renewed 1s ago   1 standby
store      local, pvc/jaas-storage
artifacts  199 announced, 1 missing or of another revision: team-a/web

SNIPPETS  READY  FAILED  SUSPENDED
206       199    1       6

SNIPPET     STATE   SINCE  REASON
team-a/api  failed  12m    EvaluationFailed main.jsonnet:14:3: field does not
                           exist: replicas
";
    assert_eq!(drawn(status(), Format::Table, Some(80)), expected);
}

#[test]
fn the_status_is_a_document() {
    let document: serde_json::Value = serde_json::from_str(&drawn(status(), Format::Json, None)).unwrap();
    assert_eq!(document["status"]["operator"]["version"], "2026.8.18");
    assert_eq!(document["status"]["leader"]["since"], "2026-11-19T08:00:00Z");
    assert_eq!(document["status"]["counts"], serde_json::json!({"failed": 1, "ready": 199, "suspended": 6}));
    assert_eq!(document["status"]["snippets"][0]["state"], "failed");
    assert_eq!(drawn(status(), Format::Name, None), "jsonnetsnippet.jaas.metio.wtf/api\n");
    let yaml: serde_json::Value = serde_saphyr::from_str(&drawn(status(), Format::Yaml, None)).unwrap();
    assert_eq!(yaml["status"]["artifacts"]["wrong"][0], "team-a/web");
}

#[test]
fn the_leader_is_told_in_full() {
    let expected = "\
lease        jaas-system/jaas-operator
holder       jaas-6f7d9-x2v9q_0a1b
pod          jaas-6f7d9-x2v9q, ready on node-a
since        3d4h
renewed      1s ago, others wait 15s
transitions  3
standbys     1
";
    assert_eq!(drawn(Detail::Leader(leader()), Format::Table, Some(80)), expected);
    let dead = LeaderView { alive: false, ..leader() };
    assert!(drawn(Detail::Leader(dead), Format::Table, Some(80)).contains("others wait 15s: too long ago"));
}

#[test]
fn revisions_are_cut_on_a_screen_and_whole_elsewhere() {
    let revision = Revision {
        revision: format!("sha256:{}", "0123456789abcdef".repeat(4)),
        state: "current",
        time: "2026-11-22T11:00:00Z".parse().unwrap(),
        announced: true,
        size: Some(512),
    };
    let history = || Detail::History(History { limit: 3, revisions: vec![revision.clone()] });
    let expected = "\
kept  at most 3 (spec.history)

REVISION             STATE    AGE  ANNOUNCED  SIZE
sha256:0123456789ab  current  60m  yes        512 bytes
";
    assert_eq!(drawn(history(), Format::Table, Some(80)), expected);
    assert!(drawn(history(), Format::Wide, None).contains(&revision.revision));
}

#[test]
fn events_say_when_their_object_is_gone() {
    let event = EventView {
        time: "2026-11-22T11:00:00Z".parse().unwrap(),
        severity: "Warning".to_owned(),
        reason: "WithdrawForced".to_owned(),
        namespace: "team-a".to_owned(),
        name: "web".to_owned(),
        kind: "JsonnetSnippet".to_owned(),
        count: 2,
        deleted: Some(true),
        message: "may carry orphaned files".to_owned(),
    };
    let expected = "\
AGE  REASON          OBJECT                MESSAGE
60m  WithdrawForced  team-a/web (deleted)  may carry orphaned files
";
    assert_eq!(drawn(Detail::Events(vec![event]), Format::Table, Some(80)), expected);
}

#[test]
fn steps_are_marked_and_timed() {
    let steps = || {
        vec![
            Step::new("standby", StepState::Ok, "jaas-2 is ready"),
            Step::new("steady", StepState::Warning, "it leads for 3s only"),
            Step { seconds: Some(1.25), ..Step::new("leader", StepState::Failed, "jaas-1 leads again") },
        ]
    };
    let expected = "\
\x20  STEP     WHAT                  SECONDS
√  standby  jaas-2 is ready
‼  steady   it leads for 3s only
×  leader   jaas-1 leads again    1.2
";
    let text = drawn(Detail::Steps(steps()), Format::Table, None);
    assert_eq!(text, expected);
    let mut args = OutputArgs { output: Format::Table, color: crate::cli::ColorWhen::Never, ascii: true, quiet: true };
    args.output = Format::Table;
    let mut out = Vec::new();
    write_report(&mut out, &report(Detail::Steps(steps())), args, Some(80), &Paint::default()).unwrap();
    assert!(out.is_ascii(), "{}", String::from_utf8_lossy(&out));
}

#[test]
fn rights_say_where_and_whether() {
    let right = |allowed, optional| Right {
        command: "restart".to_owned(),
        verb: "patch".to_owned(),
        resource: "deployments.apps".to_owned(),
        name: String::new(),
        namespace: "jaas-system".to_owned(),
        optional,
        allowed,
    };
    let rights =
        vec![right(Some(true), false), right(Some(false), false), right(Some(false), true), right(None, false)];
    let expected = "\
COMMAND  VERB   RESOURCE          WHERE        HAVE
restart  patch  deployments.apps  jaas-system  yes
restart  patch  deployments.apps  jaas-system  no
restart  patch  deployments.apps  jaas-system  no (in part)
restart  patch  deployments.apps  jaas-system  unknown
";
    assert_eq!(drawn(Detail::Rights(rights), Format::Table, Some(80)), expected);
}
