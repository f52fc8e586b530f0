//! What the store holds, and what of it a caller sees.

use jaas_api::admin::{AUDIENCE, FileClass};
use jaas_tests::controlplane::ControlPlane;

use crate::bench::{Bench, STORAGE, account, token};

#[tokio::test]
async fn everything_is_listed_once_by_what_it_is() {
    let bench = Bench::new("listing", &[]).await;
    bench.create("web", "1", 1).await;
    bench.owned().await;
    let current = bench.announced("web").await;
    let left = bench.plant("web", "left by a crash");
    let (trash, temporary) = (format!("{left}.trash-7"), format!("{left}.tmp"));
    let note = format!("{}/web/notes.txt", bench.namespace.name);
    for path in [&trash, &temporary, &note] {
        bench.write(path, b"abc");
    }
    let (files, end) = bench.inventory(&bench.token, "").await;
    let mut found: Vec<_> = files.iter().map(|file| (file.path.as_str(), file.class)).collect();
    found.sort();
    let mut expected = vec![
        (current.as_str(), FileClass::Revision),
        (left.as_str(), FileClass::Revision),
        (trash.as_str(), FileClass::Trash),
        (temporary.as_str(), FileClass::Tmp),
        (note.as_str(), FileClass::Foreign),
        (".jaas-owner.json", FileClass::OwnerMark),
    ];
    expected.sort();
    assert_eq!(found, expected);
    for file in &files {
        assert_eq!(file.bytes, std::fs::metadata(bench.file(&file.path)).unwrap().len(), "{file:?}");
        assert!(file.age.is_some_and(|age| age < 600) && !file.version.is_empty(), "{file:?}");
    }
    assert!(end.complete && end.omitted.is_empty() && end.uploads_unknown.is_none(), "{end:?}");
    assert_eq!(end.files, 6);
    assert!(end.listed_at.is_some());
    let again = bench.inventory(&bench.token, "").await.0;
    let versions = |files: &[jaas_api::admin::File]| files.iter().map(|file| file.version.clone()).collect::<Vec<_>>();
    assert_eq!(versions(&again), versions(&files), "looking changes no version");
}

#[tokio::test]
async fn who_may_not_list_a_namespace_sees_nothing_of_it_but_its_name() {
    let plane = ControlPlane::shared().await.unwrap();
    let other = plane.namespace("hidden").await.unwrap();
    let bench = Bench::beside("seen", &[], &[&other]).await;
    bench.create("web", "1", 1).await;
    bench.owned().await;
    let path = bench.announced("web").await;
    bench.write(&path.replace(&bench.namespace.name, &other.name), b"theirs");
    let namespace = &bench.namespace;
    account(plane, namespace, "half", &[(Some(&namespace.name), &["list"], STORAGE)]).await;
    let half = token(plane, namespace, "half", AUDIENCE).await;
    let (files, end) = bench.inventory(&half, "").await;
    assert_eq!(files.iter().map(|file| &file.path).collect::<Vec<_>>(), [&path]);
    assert_eq!((end.complete, end.omitted), (false, vec![other.name.clone()]));
    let (files, end) = bench.inventory(&half, &format!("?namespace={}", namespace.name)).await;
    assert_eq!((files.len(), end.complete, end.omitted.len()), (1, true, 0));
    let (files, end) = bench.inventory(&bench.token, "").await;
    assert_eq!((files.len(), end.complete), (3, true), "{files:?}");
    let (files, _) = bench.inventory(&bench.token, &format!("?namespace={}", other.name)).await;
    assert_eq!(files.len(), 1);
}
