//! A deletion that the network delivers late.

use std::time::{Duration, Instant};

use jaas_storage::{Presence, S3Store, Store};
use jaas_tests::apiproxy::{Moment, Proxy};
use jaas_tests::s3::{Server, Software};
use jaas_tests::wait::eventually;

use crate::{document, options, store, web};

/// For how long a deletion counts, and a moment.
const TOO_LATE: Duration = Duration::from_secs(6);

#[tokio::test]
async fn a_deletion_that_arrives_late_does_not_take_what_was_written_again() {
    let _alone = crate::alone().await;
    for software in [Software::Versitygw, Software::Minio] {
        let server = Server::start(software).await.unwrap();
        let proxy = Proxy::to_http(&server.endpoint()).await.unwrap();
        let old = S3Store::open(options(&proxy.endpoint(), "")).await.unwrap();
        let content = document("again");
        old.put(&web(), content.clone()).await.unwrap();

        proxy.forget_calls();
        let mut held = proxy.stop_nth(1, Moment::BeforeSending, |call| call.method == "DELETE");
        let sent = Instant::now();
        // The first try waits, and another one does what is asked.
        old.remove(&web(), content.revision()).await.unwrap();
        let first = held.next().await.unwrap();
        let new = store(&server, "").await;
        assert!(new.put(&web(), content.clone()).await.unwrap().written, "{software:?}");
        tokio::time::sleep(TOO_LATE.saturating_sub(sent.elapsed())).await;
        first.release();
        let answered = async || proxy.calls().into_iter().find(|call| call.method == "DELETE")?.status;
        let status = eventually("the answer to the late deletion", Duration::from_secs(10), answered).await.unwrap();
        assert_eq!(status, 403, "{software:?}");
        let presence = new.presence(&web(), content.revision()).await.unwrap();
        assert!(matches!(presence, Presence::Intact { .. }), "{software:?}: {presence:?}");
    }
}

#[tokio::test]
async fn what_somebody_else_removed_meanwhile_is_written_again() {
    let _alone = crate::alone().await;
    let server = Server::start(Software::Versitygw).await.unwrap();
    let (ours, other) = (store(&server, "").await, store(&server, "").await);
    let content = document("known");
    assert!(ours.put(&web(), content.clone()).await.unwrap().written);
    assert!(!ours.put(&web(), content.clone()).await.unwrap().written);
    other.remove(&web(), content.revision()).await.unwrap();
    // What was looked at just now is believed for this long.
    tokio::time::sleep(Duration::from_millis(2100)).await;
    assert!(ours.put(&web(), content.clone()).await.unwrap().written);
}
