//! Content is judged inside the operator.

use jaas_api::admin::{self as wire, AUDIENCE, Verified, VerifiedState};
use jaas_storage::Digest;
use jaas_tests::controlplane::ControlPlane;
use serde_json::json;

use crate::bench::{Bench, STORAGE, account, lines, token};

#[tokio::test]
async fn each_artifact_is_what_it_is() {
    let plane = ControlPlane::shared().await.unwrap();
    let other = plane.namespace("theirs").await.unwrap();
    let bench = Bench::beside("verify", &[], &[&other]).await;
    bench.create("web", "1", 1).await;
    bench.create("bad", "2", 1).await;
    let (intact, damaged) = (bench.announced("web").await, bench.announced("bad").await);
    let mut bytes = std::fs::read(bench.file(&damaged)).unwrap();
    bytes[20] ^= 1;
    bench.write(&damaged, &bytes);
    let missing = intact.replace("/web/", "/none/");
    let theirs = intact.replace(&bench.namespace.name, &other.name);
    bench.write(&theirs, b"theirs");
    let namespace = &bench.namespace;
    account(plane, namespace, "reader", &[(Some(&namespace.name), &["get"], STORAGE)]).await;
    let reader = token(plane, namespace, "reader", AUDIENCE).await;
    let items =
        [&intact, &missing, &damaged, &theirs, ".jaas-owner.json", "../../etc/passwd", "", &format!("{intact}/..")]
            .map(str::to_owned);
    let answer = bench.post(&reader, wire::VERIFY, json!({ "items": items })).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let found: Vec<Verified> = lines(&answer);
    assert_eq!(found.iter().map(|verified| &verified.path).collect::<Vec<_>>(), items.iter().collect::<Vec<_>>());
    use VerifiedState::{Damaged, Intact, Missing, Refused};
    let states: Vec<_> = found.iter().map(|verified| verified.state).collect();
    assert_eq!(states, [Intact, Missing, Damaged, Refused, Refused, Refused, Refused, Refused]);
    let right = std::fs::read(bench.file(&intact)).unwrap();
    assert_eq!(found[0].digest, Some(Digest::of(&right).to_string()));
    assert_eq!(found[0].bytes, Some(right.len() as u64));
    assert!(found[1..].iter().all(|verified| !verified.why.is_empty() && verified.digest.is_none()), "{found:?}");
    assert!(found[3].why.contains(&other.name), "{:?}", found[3]);
    assert_eq!(std::fs::read(bench.file(&damaged)).unwrap(), bytes, "looking repairs nothing");
}
