//! Putting and taking away.

use futures::future::join_all;

use super::{Subject, document, key, packed, packed_by_others, tree};
use crate::artifact::Digest;
use crate::store::{Item, ItemKind, Presence, Removed, Stored};

/// What was put is read with the digest and size that the put told, also a tree and also under the longest names.
pub async fn what_was_put_is_read(subject: Subject<'_>) {
    let long = "n".repeat(253);
    for (key, content) in [
        (key("read", "web"), document("{ }\n")),
        (key("read", "web"), tree()),
        (key(&"s".repeat(63), &long), document("long")),
    ] {
        let bytes = packed(&content);
        let (digest, size) = (Digest::of(&bytes), bytes.len() as u64);
        let stored = subject.put(&key, &content).await;
        assert_eq!(stored, Stored { digest: digest.clone(), size, written: true });
        assert_eq!(subject.read(&key, &content, Some(&digest)).await, Some(Ok(bytes.clone())));
        assert_eq!(subject.read(&key, &content, None).await, Some(Ok(bytes)));
        let presence = subject.store.presence(&key, content.revision()).await.unwrap();
        assert_eq!(presence, Presence::Intact { digest, size });
    }
}

/// The same content again is found, not written.
pub async fn a_second_put_writes_nothing(subject: Subject<'_>) {
    let (key, content) = (key("again", "web"), document("x"));
    let first = subject.put(&key, &content).await;
    assert_eq!(subject.put(&key, &content).await, Stored { written: false, ..first });
}

/// Right content that other software packed is kept byte for byte.
pub async fn adopted_content_keeps_its_bytes(subject: Subject<'_>) {
    for content in [document("theirs"), tree()] {
        let (key, foreign) = (key("adopt", "web"), packed_by_others(&content));
        assert_ne!(foreign, packed(&content));
        let path = key.path(content.revision());
        subject.raw.plant(&path, &foreign).await;
        let stored = subject.put(&key, &content).await;
        assert_eq!(stored, Stored { digest: Digest::of(&foreign), size: foreign.len() as u64, written: false });
        assert_eq!(subject.raw.look(&path).await.as_ref(), Some(&foreign));
        assert_eq!(subject.read(&key, &content, Some(&stored.digest)).await, Some(Ok(foreign)));
    }
}

/// What is not there is "missing", and taking it away is done already.
pub async fn missing_things_are_no_error(subject: Subject<'_>) {
    let (key, content) = (key("none", "web"), document("x"));
    assert_eq!(subject.store.presence(&key, content.revision()).await.unwrap(), Presence::Missing);
    assert_eq!(subject.read(&key, &content, None).await, None);
    assert!(!subject.store.set_aside(&key, content.revision(), "1").await.unwrap());
    subject.store.remove(&key, content.revision()).await.unwrap();
    subject.store.delete(&key).await.unwrap();
}

/// Removing one revision keeps the others, and it can be put again.
pub async fn removing_takes_one_revision_only(subject: Subject<'_>) {
    let (key, one, two) = (key("remove", "web"), document("1"), document("2"));
    subject.put(&key, &one).await;
    subject.put(&key, &two).await;
    subject.store.remove(&key, one.revision()).await.unwrap();
    assert_eq!(subject.store.presence(&key, one.revision()).await.unwrap(), Presence::Missing);
    assert_eq!(subject.read(&key, &one, None).await, None);
    assert!(subject.read(&key, &two, None).await.is_some());
    assert!(subject.put(&key, &one).await.written);
    assert!(subject.read(&key, &one, None).await.is_some());
}

/// What a listing told is removed as long as it is that; what was written meanwhile, is gone or is not ours stays or is told.
pub async fn only_the_state_that_was_seen_is_removed(subject: Subject<'_>) {
    let (key, one, two) = (key("state", "web"), document("1"), document("2"));
    let listed = async |path: &str| {
        let items = subject.store.list().await.unwrap();
        items.into_iter().find(|item| item.path == path).unwrap()
    };
    let remove = async |item: &Item| subject.store.remove_if(item).await.unwrap();
    subject.put(&key, &one).await;
    subject.put(&key, &two).await;
    let (first, second) = (key.path(one.revision()), key.path(two.revision()));
    let seen = listed(&first).await;
    assert!(!seen.version.is_empty() && seen.written.is_some(), "{seen:?}");
    assert_eq!(listed(&first).await, seen, "reading changes no state");

    subject.raw.plant(&first, b"other bytes, same name").await;
    assert_eq!(remove(&seen).await, Removed::Changed);
    assert!(subject.raw.look(&first).await.is_some());
    assert_eq!(remove(&Item::of(&first, seen.size)).await, Removed::Changed, "without a version");
    assert_eq!(remove(&listed(&first).await).await, Removed::Gone);
    assert_eq!(remove(&seen).await, Removed::Missing);
    assert_eq!(subject.store.presence(&key, one.revision()).await.unwrap(), Presence::Missing);
    assert!(subject.read(&key, &two, None).await.is_some());
    assert!(subject.put(&key, &one).await.written);

    let (trash, temporary) = (format!("{second}.trash-7"), "state/web/sha256-00.0011.tar.gz.tmp");
    for path in [&*trash, temporary] {
        subject.raw.plant(path, b"left over").await;
        assert_eq!(remove(&listed(path).await).await, Removed::Gone, "{path}");
        assert_eq!(subject.raw.look(path).await, None, "{path}");
    }
    subject.raw.plant("state/web/notes.txt", b"a person's").await;
    let foreign = listed("state/web/notes.txt").await;
    assert!(subject.store.remove_if(&foreign).await.is_err());
    let disguised = Item { kind: ItemKind::Trash, ..foreign };
    assert!(subject.store.remove_if(&disguised).await.is_err(), "the name decides");
    assert!(subject.raw.look("state/web/notes.txt").await.is_some());
    subject.store.delete(&key).await.unwrap();

    subject.put(&key, &one).await;
    assert_eq!(remove(&listed(&first).await).await, Removed::Gone);
    assert!(!subject.store.list().await.unwrap().iter().any(|item| item.path.starts_with("state")), "no empty folder");
}

/// Deleting a key takes all that is under it, and nothing of a neighbour whose name begins alike.
pub async fn deleting_takes_one_key_only(subject: Subject<'_>) {
    let doomed = key("delete", "web");
    let neighbours = [key("delete", "web2"), key("delete", "web.v1"), key("delete2", "web")];
    for key in neighbours.iter().chain([&doomed]) {
        subject.put(key, &document("1")).await;
        subject.put(key, &document("2")).await;
    }
    subject.raw.plant(&format!("{doomed}/notes.txt"), b"a person's").await;
    subject.store.delete(&doomed).await.unwrap();
    let items = subject.store.list().await.unwrap();
    assert!(!items.iter().any(|item| item.key.as_ref() == Some(&doomed)));
    assert_eq!(subject.read(&doomed, &document("1"), None).await, None);
    for key in &neighbours {
        assert_eq!(items.iter().filter(|item| item.key.as_ref() == Some(key)).count(), 2, "{key}");
        subject.store.delete(key).await.unwrap();
    }
}

/// Many writers of one revision all end well and agree.
pub async fn many_writers_agree(subject: Subject<'_>) {
    let (key, content) = (key("writers", "web"), document("x"));
    let puts = join_all((0..16).map(|_| subject.put(&key, &content))).await;
    assert!(puts.iter().all(|stored| stored.digest == puts[0].digest));
    assert!(puts.iter().any(|stored| stored.written));
    assert_eq!(subject.read(&key, &content, None).await, Some(Ok(packed(&content))));
}
