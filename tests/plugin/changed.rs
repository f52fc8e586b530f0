//! The world changes between the plan and the answer of whoever was asked: what changed stays, and the exit code is 9.

use std::fs;
use std::time::Duration;

use jaas_tests::controlplane::Identity;
use jaas_tests::terminal::Session;

use super::bench::{exits, plugin_folder};
use super::installed::Ward;
use super::storage::ward;

const PATIENCE: Duration = Duration::from_secs(60);

/// A person at a terminal, before the question of a command.
async fn asked(ward: &Ward, args: &[&str], question: &str) -> Session {
    let place = ["-n", &ward.namespace.name, "--operator-namespace", &ward.namespace.name];
    let args = [&["jaas"], args, &place].concat();
    let command = jaas_tests::kubectl::command(ward.plane, &Identity::Admin, &args, &plugin_folder()).unwrap();
    let question = question.to_owned();
    // The test's own thread plays the kubelet meanwhile, through which the plugin comes.
    let waiting = tokio::task::spawn_blocking(move || {
        let session = Session::start(command, 80).unwrap();
        session.expect(&question, PATIENCE).unwrap();
        session
    });
    waiting.await.unwrap()
}

/// Answers, and waits for the end, which must be 9.
async fn answer(mut session: Session, words: &str) -> String {
    session.enter(words).unwrap();
    let (said, code) = tokio::task::spawn_blocking(|| session.end().unwrap()).await.unwrap();
    assert_eq!(code, 9, "{said}");
    said
}

#[tokio::test]
async fn a_file_that_was_written_again_stays_and_the_others_go() {
    let ward = ward(1).await;
    let planted = ["older", "oldest"].map(|document| {
        let (path, bytes) = ward.other("a", document);
        ward.plant(&path, &bytes);
        path
    });
    let prune = ["storage", "prune", "--expired", "--all"];
    let session = asked(&ward, &prune, "for good? There is no undo. [y/N]").await;
    // Another version of the same name: its time and its bytes differ.
    fs::write(ward.file(&planted[0]), b"somebody wrote this meanwhile").unwrap();
    let said = answer(session, "y").await;
    assert!(said.contains("removed 1 revision, ") && said.contains("1 changed since the plan"), "{said}");
    assert_eq!(fs::read(ward.file(&planted[0])).unwrap(), b"somebody wrote this meanwhile");
    assert!(!ward.file(&planted[1]).exists());
    assert!(ward.file(&ward.announced("a").await).exists() && ward.file(&ward.announced("b").await).exists());
}

#[tokio::test]
async fn a_revision_that_became_the_current_one_stays() {
    let ward = ward(1).await;
    let (path, bytes) = ward.other("a", "11\n");
    ward.plant(&path, &bytes);
    let session = asked(&ward, &["prune", "a", "--expired"], "for good? There is no undo. [y/N]").await;
    ward.publish(&[("a", "11")]).await;
    assert_eq!(ward.announced("a").await, path);
    let said = answer(session, "y").await;
    assert!(said.contains("removed 0 revisions") && said.contains("kept because something needs"), "{said}");
    assert!(ward.file(&path).exists());
    exits(&ward.operator(&["storage", "verify", "--all"]).await, 0);
}

#[tokio::test]
async fn an_orphan_whose_snippet_came_back_stays() {
    let ward = ward(1).await;
    let (path, bytes) = ward.other("back", "7\n");
    ward.plant(&path, &bytes);
    let find = ["find-orphans", "--min-age", "0", "--delete", "--max-delete", "5"];
    let words = format!("delete 1 in {}", ward.namespace.name);
    let session = asked(&ward, &find, "To go on, type: ").await;
    ward.publish(&[("back", "7")]).await;
    answer(session, &words).await;
    assert!(ward.file(&path).exists());
    assert_eq!(ward.announced("back").await, path);
    exits(&ward.operator(&["storage", "verify", "--all"]).await, 0);
}
