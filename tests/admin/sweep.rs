//! What writers left behind that are gone goes.

use jaas_api::admin::{Action, ActionOutcome, ActionRequest};

use crate::bench::Bench;

#[tokio::test]
async fn left_overs_go_and_nothing_else() {
    let bench = Bench::new("sweep", &[]).await;
    bench.create("web", "1", 1).await;
    bench.owned().await;
    let current = bench.announced("web").await;
    let folder = format!("{}/web", bench.namespace.name);
    let temporary = format!("{folder}/sha256-00.0011.tar.gz.tmp");
    let note = format!("{folder}/notes.tmp");
    for path in [&temporary, &note] {
        bench.write(path, b"half");
    }
    let ask = async |dry_run| {
        let action = Action::Sweep;
        let request = ActionRequest { action, items: vec![], older_than: Some(0), dry_run, reason: String::new() };
        bench.ask(request).await
    };
    let (told, end) = ask(true).await;
    assert_eq!((told.len(), end.removed), (1, 1), "{told:?}");
    assert_eq!((told[0].path.as_str(), told[0].outcome, told[0].bytes), (&*temporary, ActionOutcome::WouldRemove, 4));
    assert!(bench.file(&temporary).exists());
    let (told, end) = ask(false).await;
    assert_eq!((told.len(), end.removed, end.bytes, end.stopped), (0, 1, 0, None));
    assert!(!bench.file(&temporary).exists());
    assert!(bench.file(&note).exists() && bench.file(&current).exists());
    assert_eq!(ask(false).await.1.removed, 0, "a second run changes nothing");
}
