//! The store as a whole: what is in it, whose it is, what is left over.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;

use super::{Subject, document, key, packed};
use crate::store::{Claim, ErrorKind, Item, ItemKind, OwnerMark};

/// A listing names each file once, by what it is, and the usage counts the same files.
pub async fn a_listing_names_everything(subject: Subject<'_>) {
    let before = subject.store.usage().await.unwrap();
    let (web, content) = (key("list", "web"), document("x"));
    let size = subject.put(&web, &content).await.size;
    subject.raw.plant("list/web/notes.txt", b"abc").await;
    subject.raw.plant("list/web/sha256-00.0011.tar.gz.tmp", b"half").await;
    let items = subject.store.list().await.unwrap();
    let found: BTreeMap<&str, (&ItemKind, u64)> =
        items.iter().filter(|item| item.key.as_ref() == Some(&web)).map(of).collect();
    let path = web.path(content.revision());
    let revision = ItemKind::Revision(content.revision().clone());
    let expected = BTreeMap::from([
        (path.as_str(), (&revision, size)),
        ("list/web/notes.txt", (&ItemKind::Foreign, 3)),
        ("list/web/sha256-00.0011.tar.gz.tmp", (&ItemKind::Temporary, 4)),
    ]);
    assert_eq!(found, expected);
    assert!(items.is_sorted_by(|a, b| a.path < b.path));
    let after = subject.store.usage().await.unwrap();
    assert_eq!(after.files, before.files + 3);
    assert!(after.bytes >= before.bytes + size + 7);
    subject.store.delete(&web).await.unwrap();
    let end = subject.store.usage().await.unwrap();
    assert_eq!((end.files, end.bytes), (before.files, before.bytes));
}

fn of(item: &Item) -> (&str, (&ItemKind, u64)) {
    (&item.path, (&item.kind, item.size))
}

/// Nobody's store becomes ours, another's does so only on demand, and what cannot be read counts as another's.
pub async fn a_mark_is_never_taken_by_accident(subject: Subject<'_>) {
    let mark = |cluster: &str, scope: &str| OwnerMark {
        format: OwnerMark::FORMAT,
        cluster: cluster.to_owned(),
        release: "jaas/jaas".to_owned(),
        scope: scope.to_owned(),
        selector: String::new(),
    };
    let (ours, theirs) = (mark("ours", ""), mark("theirs", ""));
    let claim = async |mark: &OwnerMark, take_over| subject.store.claim(mark, take_over).await.unwrap();
    assert_eq!(subject.store.read_owner().await.unwrap(), None);
    let claims = join_all((0..4).map(|_| claim(&ours, false))).await;
    assert_eq!(claims.iter().filter(|claim| **claim == Claim::Claimed).count(), 1, "{claims:?}");
    assert_eq!(claim(&ours, false).await, Claim::Held);
    assert_eq!(claim(&theirs, false).await, Claim::Foreign(ours.clone()));
    assert_eq!(subject.store.read_owner().await.unwrap(), Some(ours.clone()));
    assert_eq!(claim(&theirs, true).await, Claim::TakenOver(Some(ours.clone())));
    let narrow = OwnerMark { selector: "team in (a,b)".to_owned(), ..mark("theirs", "team") };
    assert_eq!(claim(&narrow, false).await, Claim::Rescoped(theirs));
    assert_eq!(subject.store.read_owner().await.unwrap(), Some(narrow.clone()));
    assert_eq!(claim(&narrow, false).await, Claim::Held);
    subject.raw.plant(".jaas-owner.json", b"no mark").await;
    assert_eq!(subject.store.read_owner().await.unwrap_err().kind, ErrorKind::Corrupt);
    assert_eq!(subject.store.claim(&ours, false).await.unwrap_err().kind, ErrorKind::Corrupt);
    assert_eq!(claim(&ours, true).await, Claim::TakenOver(None));
    let items = subject.store.list().await.unwrap();
    assert_eq!(items.iter().filter(|item| item.kind == ItemKind::OwnerMark).count(), 1);
}

/// What was written whole is no unfinished upload.
pub async fn a_complete_object_is_no_upload(subject: Subject<'_>) {
    let key = key("uploads", "web");
    subject.put(&key, &document("x")).await;
    let uploads = subject.store.uploads().await.unwrap();
    assert!(!uploads.iter().any(|upload| upload.path.starts_with("uploads/")), "{uploads:?}");
    subject.store.delete(&key).await.unwrap();
}

/// What is set aside is missing for everybody, but there for a person; the place is free for a put.
pub async fn what_is_set_aside_is_not_served(subject: Subject<'_>) {
    let (key, content, other) = (key("aside", "web"), document("x"), document("y"));
    let stored = subject.put(&key, &content).await;
    subject.put(&key, &other).await;
    assert!(subject.store.set_aside(&key, content.revision(), "run-1").await.unwrap());
    assert_eq!(subject.read(&key, &content, Some(&stored.digest)).await, None);
    assert_eq!(subject.read(&key, &content, None).await, None);
    let trash = format!("{}.trash-run-1", key.path(content.revision()));
    assert_eq!(subject.raw.look(&trash).await, Some(packed(&content)));
    let items = subject.store.list().await.unwrap();
    let kinds: Vec<_> = items.iter().filter(|item| item.path == trash).map(|item| &item.kind).collect();
    assert_eq!(kinds, [&ItemKind::Trash]);
    assert!(subject.put(&key, &content).await.written);
    assert!(subject.read(&key, &content, Some(&stored.digest)).await.is_some());
    assert!(subject.read(&key, &other, None).await.is_some());
    assert!(subject.store.set_aside(&key, content.revision(), "../up").await.is_err());
    subject.store.delete(&key).await.unwrap();
}

/// A sweep takes no artifact, no mark, nothing foreign, and nothing that was set aside a moment ago.
pub async fn a_sweep_spares_artifacts(subject: Subject<'_>) {
    let (key, content) = (key("sweep", "web"), document("x"));
    subject.put(&key, &content).await;
    subject.raw.plant("sweep/web/notes.tmp", b"a person's").await;
    let trash = format!("{}.trash-1", key.path(document("y").revision()));
    subject.raw.plant(&trash, b"damaged").await;
    let temporary = "sweep/web/sha256-00.0011.tar.gz.tmp";
    subject.raw.plant(temporary, b"half").await;
    let before = subject.store.list().await.unwrap();
    // The clock of a service may differ by a second, hence an age of zero.
    assert!(subject.store.sweep(Duration::ZERO).await.unwrap().removed >= 1);
    let mut expected = before;
    expected.retain(|item| item.kind != ItemKind::Temporary);
    assert_eq!(subject.store.list().await.unwrap(), expected);
    subject.store.delete(&key).await.unwrap();
}

/// A probe and a check leave the store as it was.
pub async fn a_probe_leaves_nothing(subject: Subject<'_>) {
    let before = subject.store.list().await.unwrap();
    subject.store.check().await.unwrap();
    let probed = subject.store.probe().await.unwrap().capabilities;
    assert_eq!(subject.store.list().await.unwrap(), before);
    assert_eq!(subject.store.check().await.unwrap().capabilities.create_only, probed.create_only);
}
