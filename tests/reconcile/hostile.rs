//! Snippets that would take the process down harm themselves alone.
//!
//! Of programs by chance a sample runs here; a thousand and more by
//! `JAAS_SEED=1 JAAS_SNIPPETS=1000 cargo verify -- -p jaas-tests --test reconcile programs_by_chance -- --nocapture`.

use std::collections::BTreeMap;
use std::env;
use std::time::Duration;

use futures::{StreamExt, stream};
use jaas_api::RECONCILE_REQUEST;
use jaas_tests::controlplane::ControlPlane;
use jaas_tests::hostile;
use jaas_tests::operator::{Operator, OperatorOptions};
use jaas_tests::wait::{self, eventually};
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::json;

use crate::field::{Field, PATIENCE, message, one_file, status};
use crate::memory::{forget_peak, peak};

/// How much more memory the operator itself may come to use by evaluating everything once more, in bytes.
const FLAT: u64 = 20 << 20;

/// What each of so many snippets was told, by name, once each has a verdict and the answer to this request, if any.
async fn verdicts(
    field: &Field,
    count: usize,
    request: Option<&str>,
    patience: Duration,
) -> BTreeMap<String, (String, String)> {
    let told = async || {
        let list = field.snippets.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        let told: BTreeMap<_, _> = list
            .items
            .iter()
            .filter_map(|snippet| {
                let status = status(snippet);
                let ready = status.ready()?;
                let is_answered = request.is_none() || status.last_handled_reconcile_at.as_deref() == request;
                let is_judged = status.observed_generation == snippet.metadata.generation && ready.reason != "Pending";
                let name = snippet.metadata.name.clone()?;
                (is_judged && is_answered).then(|| (name, (ready.reason.clone(), ready.message.clone())))
            })
            .collect();
        if told.len() == count { Ok(told) } else { Err(format!("{} of {count}", told.len())) }
    };
    eventually("a verdict over each", patience, told).await.unwrap()
}

/// Has everything evaluated once more: nothing may add up, and the process that began goes on.
async fn holds_still(field: &Field, process: i32, count: usize, patience: Duration) {
    let before = forget_peak(process);
    let ask = Patch::Merge(json!({"metadata": {"annotations": {RECONCILE_REQUEST: "again"}}}));
    for snippet in field.snippets.list(&ListParams::default()).await.unwrap().items {
        field.snippets.patch(&snippet.metadata.name.unwrap(), &PatchParams::default(), &ask).await.unwrap();
    }
    verdicts(field, count, Some("again"), patience).await;
    let risen = peak(process).saturating_sub(before);
    assert!(risen < FLAT, "the operator's memory rose from {before} by {risen} bytes");
    assert!(field.operator.process().exit().is_none());
    assert_eq!(field.operator.process().pid(), process);
}

#[tokio::test]
async fn endless_and_greedy_snippets_leave_the_operator_and_the_others_alone() {
    let field = Field::with("hostile", &["--evaluation-timeout=8s", "--evaluation-memory=160Mi"]).await;
    let process = field.operator.process().pid();
    field.create_file("endless", "local f(n) = if n < 0 then 0 else f(n - 1) + f(n - 1); f(60)").await;
    field.create_file("greedy", "std.makeArray(1000000000, function(n) [n])").await;
    field.create_file("deep", "{ a: ({} + $).a }").await;
    for n in 0..10 {
        field.create_file(&format!("good{n}"), &n.to_string()).await;
    }
    for n in 0..10 {
        field.synced(&format!("good{n}")).await;
    }
    let endless = field.judged("endless", "EvaluationTimeout").await;
    let scene = |name: &str| {
        format!("entry file {}/{name}/main.jsonnet, last file loaded {0}/{name}/main.jsonnet", field.namespace.name)
    };
    let (said, place) = (message(&endless), scene("endless"));
    assert!(said.starts_with(&format!("evaluation exceeded 8s; {place}, ")), "{said}");
    let rest = " of 160 MiB of memory in use (runbook: https://jaas.projects.metio.wtf/runbooks/evaluationtimeout/)";
    assert!(said.ends_with(rest), "{said}");
    let (greedy, place) = (field.judged("greedy", "EvaluationOutOfMemory").await, scene("greedy"));
    let said = message(&greedy);
    assert!(said.starts_with("evaluation needs more memory than its limit of 160 MiB, "), "{said}");
    assert!(said.ends_with(&format!("; {place} (kubectl jaas explain EvaluationOutOfMemory)")), "{said}");
    let (deep, place) = (field.judged("deep", "EvaluationTooDeep").await, scene("deep"));
    let said = message(&deep);
    assert!(said.contains("nests deeper than its stack") && said.contains(&place), "{said}");
    let metrics = field.operator.metrics().await.unwrap();
    for layer in ["landlock", "seccomp"] {
        assert!(metrics.contains(&format!("jaas_eval_isolated{{layer=\"{layer}\"}} 1")), "{metrics}");
    }
    assert_eq!(field.operator.process().pid(), process);
    assert!(field.operator.process().exit().is_none());

    field.patch("endless", json!({"spec": {"files": {"main.jsonnet": "'good'"}}})).await;
    field.synced("endless").await;
    assert_eq!(field.fetch("endless").await, one_file("rendered.json", "\"good\"\n"));
}

#[tokio::test]
async fn each_hostile_program_is_told_what_it_did_and_the_operator_goes_on() {
    let patience = Duration::from_secs(300);
    let args = ["--evaluation-timeout=10s", "--evaluation-memory=160Mi", "--max-concurrent-evals=4"];
    let field = Field::with("named", &args).await;
    let process = field.operator.process().pid();
    let programs = hostile::named();
    for program in &programs {
        field.create(program.name, json!({"files": program.files})).await;
    }
    let told = verdicts(&field, programs.len(), None, patience).await;
    for program in &programs {
        let (reason, message) = &told[program.name];
        assert!(program.reasons.contains(&reason.as_str()), "{}: {reason}: {message}", program.name);
        let names_it = ["EvaluationTimeout", "EvaluationOutOfMemory", "EvaluationTooDeep"].contains(&reason.as_str());
        let entry = format!("entry file {}/{}/main.jsonnet", field.namespace.name, program.name);
        assert!(!names_it || message.contains(&entry), "{}: {message}", program.name);
        assert!(!message.contains("root:"), "a file of the machine: {message}");
    }
    holds_still(&field, process, programs.len(), patience).await;
}

#[tokio::test]
async fn any_number_of_libraries_costs_no_more_than_an_evaluation_takes() {
    let field = Field::with("aliases", &["--evaluation-memory=96Mi"]).await;
    let process = field.operator.process().pid();
    field.create_library("large", json!({"data.txt": "x".repeat(1 << 20)})).await;
    // Half of the memory is what an evaluation may be given.
    let libraries: Vec<_> =
        (0..400).map(|n| json!({"kind": "JsonnetLibrary", "name": "large", "importPath": format!("a{n}")})).collect();
    field.create("many", json!({"files": {"main.jsonnet": "1"}, "libraries": libraries})).await;
    let refused = field.judged("many", "EvaluationOutOfMemory").await;
    let told = message(&refused);
    // As many as it takes to be too many, and no more of them.
    assert!(told.contains("files and variables of 50332"), "{told}");
    assert!(told.contains("exceed the 50331648 bytes that an evaluation takes"), "{told}");
    field.patch("many", json!({"spec": {"libraries": libraries[..8]}})).await;
    field.synced("many").await;
    assert_eq!(field.operator.process().pid(), process);
}

#[tokio::test]
async fn programs_by_chance_are_told_what_they_did_and_the_operator_goes_on() {
    let number = |variable: &str, otherwise: u64| {
        env::var(variable).ok().map_or(otherwise, |text| text.parse::<u64>().expect(variable))
    };
    let (seed, count) = (number("JAAS_SEED", 7), number("JAAS_SNIPPETS", 60));
    // A few seconds for each that does not end by itself.
    let patience = Duration::from_secs(120 + 3 * count);
    let args = ["--evaluation-timeout=2s", "--evaluation-memory=128Mi", "--max-concurrent-evals=4"];
    let field = Field::with("chance", &args).await;
    let process = field.operator.process().pid();
    let creates = stream::iter(0..count).map(async |n| {
        field.create_file(&format!("p{n}"), &hostile::by_chance(seed, n)).await;
    });
    creates.buffer_unordered(8).collect::<Vec<_>>().await;
    let total = usize::try_from(count).unwrap();
    let told = verdicts(&field, total, None, patience).await;
    let mut tally = BTreeMap::<&str, usize>::new();
    for (name, (reason, message)) in &told {
        *tally.entry(reason).or_default() += 1;
        assert!(hostile::REASONS.contains(&reason.as_str()), "{name} of seed {seed}: {reason}: {message}");
        // Each end of a worker has a cause that is understood.
        assert!(!message.contains("evaluation worker"), "{name} of seed {seed}: {reason}: {message}");
    }
    eprintln!("seed {seed}: {tally:?}");
    assert!(tally.len() > 2, "too much alike for this to say something: {tally:?}");
    holds_still(&field, process, total, patience).await;
}

#[tokio::test]
async fn a_tenant_is_published_while_twenty_endless_snippets_of_another_run() {
    let plane = ControlPlane::shared().await.unwrap();
    let (quiet, noisy) = (plane.namespace("quiet").await.unwrap(), plane.namespace("noisy").await.unwrap());
    let mut options = OperatorOptions::watching([quiet.name.as_str(), noisy.name.as_str()]);
    // Far more than all the changes of the quiet tenant take, however busy the machine is.
    options.args = vec!["--evaluation-timeout=5m".to_owned(), "--max-concurrent-evals=2".to_owned()];
    let operator = Operator::ready(plane, options).await.unwrap();
    let client = plane.admin().await.unwrap();
    let snippet = |namespace: &str, name: &str, code: &str| {
        json!({"apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"serviceAccountName": "tenant", "files": {"main.jsonnet": code}}})
    };
    let endless = "local f(n) = if n < 0 then 0 else f(n - 1) + f(n - 1); f(60)";
    let noise: Vec<_> = (0..20).map(|n| snippet(&noisy.name, &format!("endless{n}"), endless)).collect();
    plane.apply_objects(&noise).await.unwrap();
    let runs = async || {
        let metrics = operator.metrics().await?;
        anyhow::ensure!(metrics.contains("jaas_eval_in_flight 1"), "nothing is evaluated");
        Ok(())
    };
    eventually("an endless evaluation", PATIENCE, runs).await.unwrap();
    let snippets: Api<jaas_api::JsonnetSnippet> = Api::namespaced(client.clone(), &quiet.name);
    for n in 0..10 {
        plane.apply_objects(&[snippet(&quiet.name, "web", &n.to_string())]).await.unwrap();
        let rendered = |it: &jaas_api::JsonnetSnippet| {
            status(it).observed_generation == it.metadata.generation
                && status(it).ready().is_some_and(|ready| ready.reason == "Synced")
        };
        wait::object(&snippets, "web", "is published", PATIENCE, rendered).await.unwrap();
    }
    // None of the culprits has come to its end, so nobody waited for one.
    let culprits: Api<jaas_api::JsonnetSnippet> = Api::namespaced(client, &noisy.name);
    for culprit in culprits.list(&ListParams::default()).await.unwrap().items {
        assert!(status(&culprit).ready().is_none_or(|ready| ready.reason == "Pending"), "{culprit:?}");
    }
    assert!(operator.metrics().await.unwrap().contains("jaas_eval_in_flight 1"));
}
