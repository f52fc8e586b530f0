//! Damaged artifacts are set aside and rendered again; others stay as they are.

use std::fs;

use jaas_api::admin::{self as wire, Action, ActionOutcome};
use jaas_tests::http;
use jaas_tests::wait::eventually;

use crate::bench::{Bench, PATIENCE};

#[tokio::test]
async fn damage_is_set_aside_and_what_is_missing_is_rendered_again() {
    let bench = Bench::new("repair", &[]).await;
    for name in ["good", "bad", "gone"] {
        bench.create(name, &format!("'{name}'"), 1).await;
    }
    bench.owned().await;
    let [good, bad, gone] =
        [bench.announced("good").await, bench.announced("bad").await, bench.announced("gone").await];
    let right = fs::read(bench.file(&bad)).unwrap();
    let mut wrong = right.clone();
    wrong[20] ^= 1;
    bench.write(&bad, &wrong);
    fs::remove_file(bench.file(&gone)).unwrap();
    let all = [&*good, &bad, &gone];
    use ActionOutcome::{Kept, Missing, SetAside, WouldSetAside};
    let outcomes = |done: Vec<wire::ActionDone>| done.into_iter().map(|done| done.outcome).collect::<Vec<_>>();
    let (dry, _) = bench.act(Action::Repair, &all, true).await;
    assert_eq!(outcomes(dry), [Kept, WouldSetAside, Missing]);
    assert_eq!(fs::read(bench.file(&bad)).unwrap(), wrong, "a dry run changes nothing");
    assert!(!bench.file(&gone).exists(), "a dry run brings nothing back");

    let body = serde_json::json!({"action": "repair", "items": all.map(|path| serde_json::json!({"path": path}))});
    let request = http::client().unwrap().post(bench.operator.admin_url(wire::ACTIONS)).bearer_auth(&bench.token);
    let request = request.header(wire::RUN_HEADER, "run-01/../x").header(wire::ACTOR_HEADER, "kim");
    let answer = http::read(request.body(body.to_string())).await.unwrap();
    let lines: Vec<wire::ActionLine> = crate::bench::lines(&answer);
    let done = lines.into_iter().filter_map(|line| match line {
        wire::ActionLine::Item(done) => Some(done),
        wire::ActionLine::End(_) => None,
    });
    let done: Vec<_> = done.collect();
    assert!(done[1].why.contains(&format!("{bad}.trash-run-01x")), "{done:?}");
    assert_eq!(outcomes(done), [Kept, SetAside, Missing]);
    assert_eq!(fs::read(bench.file(&format!("{bad}.trash-run-01x"))).unwrap(), wrong, "a person can look at it");
    for path in [&bad, &gone] {
        eventually("the artifact to be rendered again", PATIENCE, async || {
            fs::read(bench.file(path)).map_err(|error| error.to_string())
        })
        .await
        .unwrap();
    }
    assert_eq!(fs::read(bench.file(&bad)).unwrap(), right);
    let (again, _) = bench.act(Action::Repair, &all, false).await;
    assert_eq!(outcomes(again), [Kept, Kept, Kept], "a second run changes nothing");
    bench.logged("\"claimedActor\":\"kim\"").await;
}
