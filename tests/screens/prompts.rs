//! Questions, at a terminal: what a no, a yes and a Ctrl-C come to.

use std::time::Duration;

use jaas_tests::controlplane::Identity;
use jaas_tests::terminal::Session;

use super::stage::{COLUMNS, Stage};

const PATIENCE: Duration = Duration::from_secs(60);

fn start(stage: &Stage, args: &[&str]) -> Session {
    Session::start(stage.command(&Identity::Admin, args), COLUMNS).unwrap()
}

fn suspended(stage: &Stage) -> u64 {
    stage.document(&["status", "--fail-on", "none"])["status"]["counts"]["suspended"].as_u64().unwrap()
}

/// A declined question is 5 and changes nothing, and an accepted one is done.
pub(crate) fn ask(stage: &Stage) {
    let holder = stage.document(&["leader"])["leader"]["holder"].clone();
    let lines = [
        (&["suspend", "--all"][..], "[y/N]"),
        (&["force-handover"], "[y/N]"),
        (&["restart"], "[y/N]"),
        (&["storage", "prune", "web", "--keep", "1"], "To go on, type: "),
    ];
    for (line, question) in lines {
        for answer in ["n", "", "nonsense"] {
            let mut session = start(stage, line);
            session.expect(question, PATIENCE).unwrap();
            session.enter(answer).unwrap();
            let (said, code) = session.end().unwrap();
            assert_eq!(code, 5, "{line:?}, {answer:?}: {said}");
            assert!(said.contains("declined; nothing was changed"), "{line:?}: {said}");
        }
    }
    assert_eq!((suspended(stage), &stage.document(&["leader"])["leader"]["holder"]), (1, &holder));
    let mut session = start(stage, &["suspend", "--all"]);
    session.expect("[y/N]", PATIENCE).unwrap();
    session.enter("y").unwrap();
    assert_eq!(session.end().unwrap().1, 0);
    assert_eq!(suspended(stage), 4);
}
