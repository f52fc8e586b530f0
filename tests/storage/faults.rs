//! A service that goes wrong: each fault has its name, and none a wrong byte.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use futures::future::join;
use jaas_storage::store::conformance::{self, Subject};
use jaas_storage::store::{ErrorKind, Stored};
use jaas_storage::{Cached, Content, Digest, Presence, S3Options, S3Store, Store};
use jaas_tests::s3::faults::{Call, Fault, FaultServer};
use jaas_tests::wait::eventually;

use crate::{document, options, web};

async fn fixture() -> (FaultServer, S3Store) {
    let server = FaultServer::start().await.unwrap();
    let store = S3Store::open(options(&server.endpoint(), "prefix")).await.unwrap();
    store.probe().await.unwrap();
    drop(server.requests());
    (server, store)
}

async fn read(store: &dyn Store, content: &Content, digest: &Digest) -> Option<Result<Vec<u8>, ()>> {
    let readable = store.open(&web(), content.revision(), Some(digest)).await.unwrap()?;
    let mut bytes = Vec::new();
    let mut stream = std::pin::pin!(readable.into_stream());
    while let Some(chunk) = stream.next().await {
        match chunk {
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(_) => return Some(Err(())),
        }
    }
    Some(Ok(bytes))
}

#[tokio::test]
async fn a_new_artifact_costs_one_request_and_a_known_one_none() {
    let _alone = crate::alone().await;
    let (server, store) = fixture().await;
    for n in 0..100 {
        assert!(store.put(&web(), document(&format!("{n}"))).await.unwrap().written);
    }
    assert_eq!(server.requests().len(), 100);
    for n in 0..100 {
        assert!(!store.put(&web(), document(&format!("{n}"))).await.unwrap().written);
    }
    assert_eq!(server.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn an_artifact_of_an_earlier_process_is_compared_by_its_metadata() {
    let _alone = crate::alone().await;
    let (server, store) = fixture().await;
    let stored = store.put(&web(), document("x")).await.unwrap();
    let later = S3Store::open(options(&server.endpoint(), "prefix")).await.unwrap();
    later.probe().await.unwrap();
    drop(server.requests());
    assert_eq!(later.put(&web(), document("x")).await.unwrap(), Stored { written: false, ..stored });
    let methods: Vec<String> = server.requests().iter().map(|request| request.chars().take(4).collect()).collect();
    assert_eq!(methods, ["PUT ", "HEAD"]);
}

#[tokio::test]
async fn a_lost_answer_is_no_second_artifact_and_no_error() {
    let _alone = crate::alone().await;
    let (server, store) = fixture().await;
    server.script([Fault::LoseAnswer]);
    let stored = store.put(&web(), document("x")).await.unwrap();
    assert!(read(&store, &document("x"), &stored.digest).await.unwrap().is_ok());
    assert_eq!(store.list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn passing_trouble_is_bridged() {
    let _alone = crate::alone().await;
    let (server, store) = fixture().await;
    for (n, fault) in [
        Fault::Refuse(500, "InternalError"),
        Fault::Refuse(503, "SlowDown"),
        Fault::Refuse(400, "ExpiredToken"),
        Fault::Refuse(409, "ConditionalRequestConflict"),
        Fault::Stall,
    ]
    .into_iter()
    .enumerate()
    {
        server.script([fault.clone()]);
        assert!(store.put(&web(), document(&format!("{n}"))).await.unwrap().written, "{fault:?}");
    }
}

#[tokio::test]
async fn lasting_trouble_has_its_own_name() {
    let _alone = crate::alone().await;
    let (server, store) = fixture().await;
    let stored = store.put(&web(), document("x")).await.unwrap();
    for (fault, kind) in [
        (Fault::Refuse(500, "InternalError"), ErrorKind::Unavailable),
        (Fault::Refuse(503, "SlowDown"), ErrorKind::Throttled),
        (Fault::Refuse(400, "ExpiredToken"), ErrorKind::CredentialsRejected),
        (Fault::Refuse(403, "AccessDenied"), ErrorKind::Denied),
        (Fault::Refuse(403, "RequestTimeTooSkewed"), ErrorKind::ClockSkew),
        (Fault::Refuse(404, "NoSuchBucket"), ErrorKind::BucketMissing),
        (Fault::Refuse(301, "PermanentRedirect"), ErrorKind::WrongRegion),
        (Fault::Refuse(307, ""), ErrorKind::WrongRegion),
        (Fault::Refuse(302, ""), ErrorKind::Unavailable),
        (Fault::Refuse(507, "InsufficientStorage"), ErrorKind::Full),
        (Fault::LoseAnswer, ErrorKind::Unreachable),
    ] {
        // Every store has a budget of its own, so one fault does not use up that of the next.
        let store = S3Store::open(options(&server.endpoint(), "prefix")).await.unwrap();
        store.probe().await.unwrap();
        server.always(Some(fault.clone()));
        let put = store.put(&web(), document("y")).await.unwrap_err();
        assert_eq!(put.kind, kind, "{fault:?}: {put}");
        let open = store.open(&web(), document("x").revision(), Some(&stored.digest)).await.unwrap_err();
        assert_eq!(open.kind, kind, "{fault:?}");
        let presence = store.presence(&web(), document("x").revision()).await.unwrap_err();
        assert_eq!(presence.kind, kind, "{fault:?}");
        assert_eq!(store.list().await.unwrap_err().kind, kind, "{fault:?}");
        server.always(None);
        store.delete(&web()).await.unwrap();
        store.put(&web(), document("x")).await.unwrap();
    }
}

#[tokio::test]
async fn a_page_of_a_portal_is_no_success() {
    let _alone = crate::alone().await;
    let (server, store) = fixture().await;
    server.always(Some(Fault::Portal));
    assert!(store.put(&web(), document("y")).await.is_err());
    assert!(store.presence(&web(), document("y").revision()).await.is_err());
    assert!(store.open(&web(), document("y").revision(), None).await.is_err());
    assert!(store.list().await.is_err());
    assert!(store.set_aside(&web(), document("y").revision(), "1").await.is_err());
}

#[tokio::test]
async fn a_listing_is_complete_or_an_error() {
    let _alone = crate::alone().await;
    let (server, store) = fixture().await;
    for n in 0..1100 {
        store.put(&web(), document(&format!("{n}"))).await.unwrap();
    }
    assert_eq!(store.list().await.unwrap().len(), 1100);
    // The last one is cut within a page, and the answer's head says that it is whole.
    for fault in [Fault::CircularList, Fault::CutList, Fault::DoubleList, Fault::VagueList, Fault::ShortBody(55)] {
        server.always(Some(fault.clone()));
        assert_eq!(store.list().await.unwrap_err().kind, ErrorKind::Corrupt, "{fault:?}");
        assert!(store.delete(&web()).await.is_err(), "{fault:?}");
        server.always(None);
    }
    assert_eq!(store.list().await.unwrap().len(), 1100);
}

#[tokio::test]
async fn a_broken_body_is_taken_up_and_a_wrong_one_never_handed_out() {
    let _alone = crate::alone().await;
    let (server, store) = fixture().await;
    // One below and one above what is verified in memory.
    for size in [200_000, 3_000_000] {
        let content = Content::document("rendered.json", noise(size));
        let stored = store.put(&web(), content.clone()).await.unwrap();
        let right = content.packed().unwrap().to_vec();
        server.script([Fault::CutBody(1000), Fault::CutBody(100_000), Fault::StallBody(5000)]);
        assert!(read(&store, &content, &stored.digest).await == Some(Ok(right.clone())), "{size}: cut and stalled");
        server.script([Fault::CorruptBody]);
        let spoiled = read(&store, &content, &stored.digest).await;
        assert!(spoiled == Some(Err(())) || spoiled == Some(Ok(right)), "{size}: corrupt on the way");
        server.damage(".tar.gz");
        assert!(!matches!(read(&store, &content, &stored.digest).await, Some(Ok(_))), "{size}: corrupt at rest");
        let presence = store.presence(&web(), content.revision()).await.unwrap();
        assert!(matches!(presence, Presence::Damaged { .. }), "{presence:?}");
        assert!(store.put(&web(), content.clone()).await.unwrap().written);
        store.delete(&web()).await.unwrap();
    }
}

/// Bytes that do not compress.
fn noise(size: usize) -> Vec<u8> {
    let mut state = size as u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(size).collect()
}

#[tokio::test]
async fn what_was_spoiled_on_the_way_is_looked_at_again_before_it_counts_as_damaged() {
    let _alone = crate::alone().await;
    let (server, store) = fixture().await;
    let stored = store.put(&web(), document("x")).await.unwrap();
    let intact = Presence::Intact { digest: stored.digest, size: stored.size };
    server.script([Fault::CorruptBody]);
    assert_eq!(store.verify(&web(), document("x").revision()).await.unwrap(), intact);
    let later = S3Store::open(options(&server.endpoint(), "prefix")).await.unwrap();
    server.script([Fault::None, Fault::ShortBody(20)]);
    assert_eq!(later.presence(&web(), document("x").revision()).await.unwrap(), intact);
}

#[tokio::test]
async fn a_denial_is_an_absence_only_where_nothing_missing_is_ever_told() {
    let _alone = crate::alone().await;
    let server = FaultServer::start().await.unwrap();
    // The one that asks for what cannot exist is refused, for whatever reason.
    let once = AtomicBool::new(true);
    server.choose(move |asked| {
        let probes = asked.call == Call::Get && asked.path.ends_with("/missing");
        let denied = probes && once.swap(false, Ordering::Relaxed);
        if denied { Fault::Refuse(403, "AccessDenied") } else { Fault::None }
    });
    let store = S3Store::open(options(&server.endpoint(), "prefix")).await.unwrap();
    assert_eq!(store.probe().await.unwrap().capabilities.missing_is_told, Some(true));
}

#[tokio::test]
async fn a_look_that_a_removal_overtakes_is_not_remembered() {
    let _alone = crate::alone().await;
    let (server, store) = fixture().await;
    let (key, content) = (web(), document("x"));
    store.put(&key, content.clone()).await.unwrap();
    drop(server.requests());
    server.script([Fault::Drip]);
    let look = store.verify(&key, content.revision());
    let removal = async {
        let begun = async || server.requests().iter().any(|request| request.starts_with("GET")).then_some(());
        eventually("the look begins", Duration::from_secs(5), begun).await.unwrap();
        store.remove(&key, content.revision()).await.unwrap();
    };
    let (looked, ()) = join(look, removal).await;
    looked.unwrap();
    assert!(store.put(&key, content.clone()).await.unwrap().written);
    assert_eq!(store.list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_was_streamed_once_is_served_while_the_service_is_away() {
    let _alone = crate::alone().await;
    let (server, store) = fixture().await;
    let content = Content::document("rendered.json", noise(3_000_000));
    let stored = store.put(&web(), content.clone()).await.unwrap();
    let right = Some(Ok(content.packed().unwrap().to_vec()));
    let cached = Cached::new(Arc::new(store), 64 << 20);
    assert!(read(&cached, &content, &stored.digest).await == right);
    for fault in [Fault::CutBody(1000), Fault::Refuse(500, "InternalError")] {
        server.always(Some(fault.clone()));
        assert!(read(&cached, &content, &stored.digest).await == right, "{fault:?}");
    }
}

#[tokio::test]
async fn an_emptied_bucket_is_missing_and_not_remembered() {
    let _alone = crate::alone().await;
    let (server, store) = fixture().await;
    let stored = store.put(&web(), document("x")).await.unwrap();
    server.empty();
    assert_eq!(read(&store, &document("x"), &stored.digest).await, None);
    assert!(store.put(&web(), document("x")).await.unwrap().written);
}

#[tokio::test]
async fn a_service_that_is_right_keeps_the_contract() {
    let _alone = crate::alone().await;
    let (_server, store) = fixture().await;
    conformance::all(Subject { store: &store, raw: &store }).await;
}

#[tokio::test]
async fn a_stalled_service_costs_no_more_than_its_time() {
    let _alone = crate::alone().await;
    let server = FaultServer::start().await.unwrap();
    let patient = options(&server.endpoint(), "");
    let timeouts = jaas_storage::S3Timeouts { operation: Duration::from_secs(2), ..patient.timeouts };
    let store = S3Store::open(S3Options { timeouts, ..patient }).await.unwrap();
    server.always(Some(Fault::Stall));
    let begun = std::time::Instant::now();
    assert_eq!(store.check().await.unwrap_err().kind, ErrorKind::TimedOut);
    assert!(begun.elapsed() < Duration::from_millis(2500), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_full_bucket_is_emptied_by_one_who_has_just_begun() {
    let _alone = crate::alone().await;
    let (server, store) = fixture().await;
    for text in ["one", "two"] {
        store.put(&web(), document(text)).await.unwrap();
    }
    let full = |call| if call == Call::Put { Fault::Refuse(403, "QuotaExceeded") } else { Fault::None };
    server.choose(move |asked| full(asked.call));
    let new = S3Store::open(options(&server.endpoint(), "prefix")).await.unwrap();
    assert_eq!(new.put(&web(), document("three")).await.unwrap_err().kind, ErrorKind::QuotaReached);
    new.remove(&web(), document("one").revision()).await.unwrap();
    assert_eq!(server.objects().len(), 1);
    new.delete(&web()).await.unwrap();
    assert_eq!(server.objects().len(), 0);
}

#[tokio::test]
async fn deletions_end_unless_the_service_refuses_such_again_and_again() {
    let _alone = crate::alone().await;
    for (refusals, code, plainly) in [
        (0, "AccessDenied", false),
        (1, "AccessDenied", false),
        (9, "AccessDenied", true),
        (9, "SignatureDoesNotMatch", true),
    ] {
        let server = FaultServer::start().await.unwrap();
        let (left, ends) = (AtomicUsize::new(refusals), Arc::new(AtomicBool::new(false)));
        let less = |left: usize| left.checked_sub(1);
        let seen = Arc::clone(&ends);
        server.choose(move |asked| {
            seen.store(asked.presigned, Ordering::SeqCst);
            let refused = asked.presigned && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok();
            if refused { Fault::Refuse(403, code) } else { Fault::None }
        });
        let store = S3Store::open(options(&server.endpoint(), "prefix")).await.unwrap();
        store.put(&web(), document("x")).await.unwrap();
        store.remove(&web(), document("x").revision()).await.unwrap();
        assert_eq!(!ends.load(Ordering::SeqCst), plainly, "{refusals} times {code}");
        assert_eq!(server.objects().len(), 0);
    }
}

#[tokio::test]
async fn a_deletion_is_signed_by_the_clock_of_the_service_and_so_is_what_follows() {
    let _alone = crate::alone().await;
    let server = FaultServer::start().await.unwrap();
    let days = Arc::new(Mutex::new(Vec::new()));
    let signed = Arc::clone(&days);
    server.choose(move |asked| {
        signed.lock().unwrap().push((asked.call, asked.day.clone()));
        Fault::WrongDate
    });
    let store = S3Store::open(options(&server.endpoint(), "prefix")).await.unwrap();
    store.put(&web(), document("one")).await.unwrap();
    store.remove(&web(), document("one").revision()).await.unwrap();
    store.put(&web(), document("two")).await.unwrap();
    let days = days.lock().unwrap();
    for call in [Call::Delete, Call::Put] {
        let (_, day) = days.iter().rfind(|(signed, _)| *signed == call).unwrap();
        assert_eq!(day, "20380101", "{call:?} in {days:?}");
    }
}
