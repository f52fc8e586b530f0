//! Bytes that are right, or none.

use super::{Cut, Subject, document, key, large, packed};
use crate::artifact::Digest;
use crate::store::Presence;

/// Larger than what a directory verifies in memory; a service is to be set to less.
const LARGE: usize = 5 << 20;

/// Whoever expects a digest gets those bytes or none; who expects none gets right content.
pub async fn the_expected_digest_decides(subject: Subject<'_>) {
    let (key, content) = (key("digest", "web"), document("x"));
    let stored = subject.put(&key, &content).await;
    assert_eq!(subject.read(&key, &content, Some(&Digest::of(b"announced"))).await, None);
    assert!(subject.read(&key, &content, None).await.is_some());
    assert!(subject.read(&key, &content, Some(&stored.digest)).await.is_some());
}

/// Damage is told, never handed out, and replaced by the next put.
pub async fn damage_is_never_read_and_a_put_repairs_it(subject: Subject<'_>) {
    let (key, content) = (key("damage", "web"), document("right"));
    let path = key.path(content.revision());
    let stored = subject.put(&key, &content).await;
    let right = packed(&content);
    let mut flipped = right.clone();
    flipped[30] ^= 1;
    let half = right[..right.len() / 2].to_vec();
    for damage in [Vec::new(), half, b"garbage".to_vec(), flipped, packed(&document("wrong"))] {
        subject.raw.plant(&path, &damage).await;
        let presence = subject.store.presence(&key, content.revision()).await.unwrap();
        assert!(matches!(presence, Presence::Damaged { .. }), "{presence:?}");
        assert_eq!(subject.read(&key, &content, Some(&stored.digest)).await, None);
        assert_eq!(subject.read(&key, &content, None).await, None);
        assert_eq!(subject.put(&key, &content).await, stored);
        assert_eq!(subject.raw.look(&path).await.as_ref(), Some(&right));
    }
}

/// A verification reads what is there now, and says of it what a first look would.
pub async fn verifying_trusts_nothing(subject: Subject<'_>) {
    let (key, content) = (key("verify", "web"), document("right"));
    let stored = subject.put(&key, &content).await;
    let verify = || subject.store.verify(&key, content.revision());
    let intact = Presence::Intact { digest: stored.digest, size: stored.size };
    assert_eq!(verify().await.unwrap(), intact);
    subject.raw.plant(&key.path(content.revision()), &packed(&document("wrong"))).await;
    assert!(matches!(verify().await.unwrap(), Presence::Damaged { .. }));
    subject.put(&key, &content).await;
    assert_eq!(verify().await.unwrap(), intact);
    subject.store.delete(&key).await.unwrap();
    assert_eq!(verify().await.unwrap(), Presence::Missing);
}

/// What does not fit in memory comes whole and right.
pub async fn a_large_artifact_is_read_whole(subject: Subject<'_>) {
    let (key, content) = (key("large", "web"), large(LARGE));
    let stored = subject.put(&key, &content).await;
    let whole = packed(&content);
    assert!(subject.read(&key, &content, Some(&stored.digest)).await == Some(Ok(whole.clone())));
    assert!(subject.read(&key, &content, None).await == Some(Ok(whole)));
    subject.store.delete(&key).await.unwrap();
}

/// Of large damage a consumer gets nothing, or less than was announced, or the right bytes from a memory.
pub async fn large_damage_is_never_read_to_its_end(subject: Subject<'_>) {
    let (key, content) = (key("large-damage", "web"), large(LARGE));
    let path = key.path(content.revision());
    let stored = subject.put(&key, &content).await;
    let mut damaged = packed(&content);
    for position in [damaged.len() / 2, damaged.len() - 1, 0] {
        damaged[position] ^= 1;
        subject.raw.plant(&path, &damaged).await;
        match subject.read(&key, &content, Some(&stored.digest)).await {
            None => {}
            Some(Err(Cut(sent))) => assert!(sent < stored.size),
            // A memory before the store may have the right ones.
            Some(Ok(bytes)) => assert!(Digest::of(&bytes) == stored.digest),
        }
        assert_eq!(subject.read(&key, &content, None).await, None);
    }
    subject.store.delete(&key).await.unwrap();
}
