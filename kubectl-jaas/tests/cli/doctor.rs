//! `doctor` and `storage doctor` against a server that shows an installation.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::apiserver::{ApiServer, Mood};
use super::installation::{Installation, PODS, PROXY};
use super::plugin::Plugin;

fn codes(document: &Value) -> Vec<&str> {
    let findings = document["diagnosis"]["findings"].as_array().unwrap();
    findings.iter().map(|finding| finding["code"].as_str().unwrap()).collect()
}

fn check<'a>(document: &'a Value, code: &str) -> &'a Value {
    let checks = document["diagnosis"]["checks"].as_array().unwrap();
    checks.iter().find(|check| check["code"] == code).unwrap()
}

#[test]
fn a_healthy_installation_is_0_at_every_depth_and_only_reviews_are_posted() {
    let made = Installation::of(&["web", "api"]);
    for depth in ["quick", "standard", "full"] {
        for command in ["doctor", "storage doctor", "storage check", "check-storage"] {
            let ran = made.plugin.run(&format!("{command} --depth {depth} -o json"));
            assert_eq!((ran.code, codes(&ran.document())), (0, vec![]), "{command} {depth}: {ran:?}");
        }
    }
    let document = made.plugin.run("doctor --depth full -o json").document();
    assert_eq!((&document["kind"], &document["result"]["exitCode"]), (&json!("DoctorReport"), &json!(0)));
    assert_eq!(document["diagnosis"]["version"], "findings.jaas.metio.wtf/v1");
    assert_eq!(
        (&document["diagnosis"]["route"], &document["metadata"]["scope"]["snippets"]),
        (&json!("auto"), &json!(2))
    );
    for code in ["A501", "A503", "A504", "P110", "N304", "K010", "K011", "S400", "S415"] {
        assert_eq!(check(&document, code)["state"], "ok", "{code}");
    }
    // A listing of the store is out of sight, which is said and is no failure.
    assert_eq!(check(&document, "G604")["state"], "unknown");
    let writes = made.server.writes();
    let others: Vec<_> =
        writes.iter().filter(|it| !it.contains("subjectaccessreviews") && !it.starts_with("HEAD ")).collect();
    assert_eq!(others, Vec::<&String>::new());
}

#[test]
fn quick_asks_the_api_server_only() {
    let made = Installation::of(&["web"]);
    made.server.store(PROXY, []);
    let ran = made.plugin.run("doctor --depth quick");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(made.server.requests().iter().all(|request| !request.contains("/proxy/")));
}

#[test]
fn a_missing_file_is_4_and_can_be_left_out_by_code_object_area_or_level() {
    let made = Installation::of(&["web", "api"]);
    made.server.store(PROXY, made.files().into_iter().skip(1));
    let ran = made.plugin.run("doctor -o json");
    let document = ran.document();
    assert_eq!((ran.code, codes(&document)), (4, vec!["A501"]), "{ran:?}");
    assert_eq!(document["diagnosis"]["findings"][0]["subjects"][0]["name"], "web");
    assert_eq!(document["diagnosis"]["triage"]["roots"][0]["code"], "A501");
    let screen = made.plugin.run("doctor");
    assert_eq!(screen.code, 4);
    assert!(
        screen.stdout.contains("operator  jaas-system/jaas 0.1.0   1/1 ready\nstore     local, pvc/jaas-storage\n"),
        "{}",
        screen.stdout
    );
    assert!(
        screen.stdout.contains("A501   error     1 current artifact of 2 cannot be fetched: team-a/web"),
        "{}",
        screen.stdout
    );
    let next: Vec<_> = screen.stderr.lines().filter(|line| line.starts_with("next: ")).collect();
    assert!((1..=3).contains(&next.len()), "{}", screen.stderr);
    assert_eq!(made.plugin.run("doctor -o name").stdout, "jsonnetsnippet.jaas.metio.wtf/web\n");
    for format in ["wide", "short", "markdown", "yaml", "ndjson"] {
        let ran = made.plugin.run(&format!("doctor -o {format}"));
        assert_eq!((ran.code, ran.stdout.contains("error")), (4, true), "{format}: {ran:?}");
    }
    let ticket = made.plugin.run("doctor -o markdown").stdout;
    assert!(ticket.contains("| A501 | error |") && ticket.contains("```text\nkubectl "), "{ticket}");
    for flags in ["--skip A501", "--suppress A501=team-a/web", "--fail-on critical", "--fail-on none", "--only leader"]
    {
        assert_eq!(made.plugin.run(&format!("doctor {flags}")).code, 0, "{flags}");
    }
    assert_eq!(made.plugin.run("doctor leader queue").code, 0);
    assert_eq!(made.plugin.run("doctor --suppress A501=team-a/api").code, 4);
    let skipped = made.plugin.run("doctor --skip A501 -o json").document();
    assert_eq!(check(&skipped, "A501")["state"], "skipped");
    for wrong in ["doctor nonsense", "doctor --skip X", "doctor --suppress A501", "doctor storage --only network"] {
        assert_eq!(made.plugin.run(wrong).code, 2, "{wrong}");
    }
}

#[test]
fn damage_is_found_by_reading_only() {
    let made = Installation::of(&["web"]);
    let mut files = made.files();
    *files[0].1.last_mut().unwrap() ^= 1;
    made.server.store(PROXY, files);
    assert_eq!(made.plugin.run("storage doctor").code, 0);
    let ran = made.plugin.run("storage doctor --depth full -o json");
    assert_eq!((ran.code, codes(&ran.document())), (4, vec!["A503"]), "{ran:?}");
}

#[test]
fn the_announced_address_is_asked_where_the_route_is_direct() {
    let made = Installation::of(&["web"]);
    made.server.store("/files/", made.files());
    let right = made.plugin.run("storage doctor --route direct --depth full -o json");
    assert_eq!((right.code, check(&right.document(), "A503")["state"].clone()), (0, json!("ok")), "{right:?}");
    made.server.store("/files/", []);
    let ran = made.plugin.run("storage doctor --route direct -o json");
    assert_eq!((ran.code, codes(&ran.document())), (4, vec!["A501"]), "{ran:?}");
}

#[test]
fn a_storage_server_that_nobody_reaches_is_unknown_and_never_fine() {
    let made = Installation::of(&["web"]);
    made.server.store("/elsewhere/", []);
    let ran = made.plugin.run("doctor");
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stdout.contains("no endpoints available for service"), "{}", ran.stdout);
    let document = made.plugin.run("doctor -o json").document();
    assert_eq!(
        (&check(&document, "A501")["state"], &document["result"]["outcome"]),
        (&json!("unknown"), &json!("partial"))
    );
}

#[test]
fn a_missing_right_is_named_and_makes_3() {
    let made = Installation::of(&["web"]);
    made.server.forbid("/api/v1/namespaces/jaas-system/services");
    let ran = made.plugin.run("doctor --depth quick -o json");
    let document = ran.document();
    assert_eq!(ran.code, 3, "{ran:?}");
    let why = &check(&document, "N304")["why"];
    assert_eq!(why, &json!(["no right: list services in namespace jaas-system"]));
    assert!(codes(&document).contains(&"K001"), "{document:#}");
    assert!(
        ran.stderr.contains("hint: the rights that are missing: kubectl jaas auth doctor --yaml"),
        "{}",
        ran.stderr
    );
}

#[test]
fn without_any_right_it_is_7_and_signed_out_too() {
    for (mood, code) in [(Mood::Forbids, 7), (Mood::Unauthorized, 7)] {
        let server = ApiServer::start(mood, &[]);
        let ran = Plugin::new(server.url()).run("doctor");
        assert_eq!(ran.code, code, "{ran:?}");
    }
}

#[test]
fn what_a_snippet_says_becomes_a_finding_with_its_cause() {
    let made = Installation::of(&["web", "api"]);
    made.first_says("False", "EvaluationFailed", "main.jsonnet:1:1: boom");
    let ran = made.plugin.run("doctor -o json");
    assert_eq!((ran.code, codes(&ran.document())), (4, vec!["R717"]), "{ran:?}");
    made.first_says("False", "StorageFull", "no space left on device");
    let ran = made.plugin.run("storage doctor --depth quick -o json");
    assert_eq!((ran.code, codes(&ran.document())), (4, vec!["S401"]), "{ran:?}");
    let next = ran.document()["next"].clone();
    assert!(next.as_array().unwrap().iter().any(|next| next.to_string().contains("storage prune --expired")), "{next}");
}

#[test]
fn no_operator_and_several_of_them_are_told() {
    let made = Installation::of(&["web"]);
    made.server.answer_with("/apis/apps/v1/deployments", json!({"metadata": {}, "items": []}));
    let ran = made.plugin.run("doctor --depth quick -o json");
    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(codes(&ran.document()).contains(&"K002"), "{ran:?}");
    let one = |name: &str| json!({"metadata": {"namespace": name, "name": "jaas"}});
    made.server.answer_with("/apis/apps/v1/deployments", json!({"metadata": {}, "items": [one("a"), one("b")]}));
    let ran = made.plugin.run("doctor");
    assert_eq!((ran.code, ran.stderr.contains("a/jaas, b/jaas")), (2, true), "{ran:?}");
}

#[test]
fn a_pod_that_is_not_ready_is_the_cause_that_is_shown_first() {
    let made = Installation::of(&["web"]);
    let waiting = json!({"name": "jaas", "image": "", "imageID": "", "ready": false, "restartCount": 7,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}}});
    let pod = json!({"metadata": {"name": "jaas-1", "creationTimestamp": "2026-01-01T00:00:00Z"}, "spec": {"containers": [{"name": "jaas"}]},
        "status": {"phase": "Running", "containerStatuses": [waiting]}});
    made.server.answer_with(PODS, json!({"metadata": {}, "items": [pod]}));
    let ran = made.plugin.run("doctor --depth quick -o json");
    assert_eq!(ran.code, 4, "{ran:?}");
    assert_eq!(ran.document()["diagnosis"]["triage"]["roots"][0]["code"], "P102", "{ran:?}");
}

#[test]
fn a_thousand_snippets_are_judged_in_under_three_seconds() {
    let names: Vec<_> = (0..1000).map(|number| format!("s{number:04}")).collect();
    let made = Installation::of(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let begun = Instant::now();
    let ran = made.plugin.run("doctor --depth quick -o json");
    let took = begun.elapsed();
    println!("doctor --depth quick over 1000 snippets: {took:?}");
    assert_eq!((ran.code, &ran.document()["metadata"]["scope"]["snippets"]), (0, &json!(1000)));
    assert!(took < Duration::from_secs(3), "{took:?}");
}
