//! The commands on the store, against an API server and an admin endpoint that are played: refusals, formats, exit codes.

use jaas_storage::Content;
use jaas_storage::artifact::Digest;
use serde_json::{Value, json};

use super::installation::{Installation, PROXY, SNIPPETS};
use super::plugin::{Plugin, Ran, finish};

const TOKEN: &str = "/api/v1/namespaces/jaas-system/serviceaccounts/jaas-oncall/token";
const CAPABILITIES: &str = "/admin/v1/capabilities";
const STATS: &str = "/admin/v1/storage/stats";
const INVENTORY: &str = "/admin/v1/storage/inventory";
const VERIFY: &str = "/admin/v1/storage/verify";
const ACTIONS: &str = "/admin/v1/storage/actions";
/// Older than every limit.
pub(crate) const OLD: u64 = 400_000;

fn lines(documents: &[Value]) -> String {
    documents.iter().map(|document| format!("{document}\n")).collect()
}

pub(crate) fn file(path: &str, class: &str, bytes: u64, age: u64) -> Value {
    json!({"file": {"path": path, "class": class, "bytes": bytes, "age": age, "version": "v1"}})
}

fn end() -> Value {
    json!({"end": {"complete": true, "omitted": [], "files": 0}})
}

/// An installation whose endpoint answers, with the right files of its snippets and these others.
pub(crate) struct Ward {
    pub(crate) made: Installation,
}

impl Ward {
    pub(crate) fn of(names: &[&str], others: &[Value]) -> Self {
        let made = Installation::of(names);
        let server = &made.server;
        server.take(TOKEN, 201, json!({"status": {"token": "t", "expirationTimestamp": "2030-01-01T00:00:00Z"}}));
        server.answer_with(
            CAPABILITIES,
            json!({"apiLevel": 1, "backend": "local", "leads": true, "replica": "jaas-1_x"}),
        );
        let ward = Self { made };
        ward.stats(json!({}));
        ward.holds(others);
        ward
    }

    /// The endpoint's stats, with some of them as given.
    fn stats(&self, other: Value) {
        let mark = json!({"cluster": "6d1f0c1e", "release": "jaas-system/jaas"});
        let mut stats = json!({"place": "/var/lib/jaas", "ownerKnown": true, "owner": mark, "identity": mark,
            "usage": {"bytes": 5000, "files": 5, "freeBytes": 1 << 20, "totalBytes": 10 << 20, "freeInodes": 100},
            "health": {"state": "fine"},
            "settings": {"artifactGcGrace": 300, "maxWithdrawWait": 3600, "sweepMaxTmpAge": 1800, "watchNamespaces": []}});
        for (key, value) in other.as_object().unwrap() {
            stats[key] = value.clone();
        }
        self.made.server.answer_with(STATS, stats);
    }

    fn holds(&self, others: &[Value]) {
        let right = self.made.files().into_iter().map(|(path, bytes)| file(&path, "revision", bytes.len() as u64, 100));
        let all: Vec<_> = right.chain(others.iter().cloned()).chain([end()]).collect();
        self.made.server.answer_with(INVENTORY, lines(&all));
    }

    /// What the endpoint says became of files.
    pub(crate) fn does(&self, done: &[(&str, &str)]) {
        let items = done
            .iter()
            .map(|(path, outcome)| json!({"item": {"path": path, "outcome": outcome, "bytes": 10, "why": "so"}}));
        let end = json!({"end": {"removed": done.len(), "bytes": 10 * done.len()}});
        self.made.server.take(ACTIONS, 200, lines(&items.chain([end]).collect::<Vec<_>>()));
    }

    pub(crate) fn run(&self, line: &str) -> Ran {
        self.made.plugin.run(&format!("{line} --admin-address {}", self.made.server.url()))
    }

    pub(crate) fn acted(&self) -> Vec<Value> {
        self.made.server.taken(ACTIONS)
    }
}

/// The path of some revision of team-a/web that nothing names.
pub(crate) fn beyond() -> String {
    let content = Content::document("rendered.json", b"older".to_vec());
    format!("team-a/web/{}.tar.gz", content.revision().to_string().replace(':', "-"))
}

fn store(ran: &Ran) -> Value {
    ran.document()["store"].clone()
}

#[test]
fn looks_tell_the_road_and_change_nothing() {
    let ward = Ward::of(&["web"], &[file(&beyond(), "revision", 4000, OLD)]);
    let space = ward.run("storage df -o json");
    assert_eq!((space.code, &store(&space)["road"]), (0, &json!("admin")), "{space:?}");
    assert_eq!(store(&space)["space"]["freeBytes"], 1 << 20);
    let uses = store(&ward.run("storage du -o json"));
    assert_eq!((&uses["uses"][0]["name"], &uses["uses"][0]["expired"]["bytes"]), (&json!("web"), &json!(4000)));
    let files = store(&ward.run("storage ls -o json"));
    let held: Vec<_> = files["files"].as_array().unwrap().iter().map(|it| it["heldBy"].as_str().unwrap()).collect();
    assert_eq!(held, ["current", "expired"]);
    let info = ward.run("storage info");
    assert!(info.stdout.contains("jaas-system/jaas of cluster 6d1f0c1e, which is this one"), "{info:?}");
    for format in ["table", "wide", "short", "markdown", "yaml", "ndjson"] {
        for command in ["info", "df", "du", "ls", "find-orphans"] {
            let ran = ward.run(&format!("storage {command} -o {format}"));
            assert_eq!(ran.code, 0, "{command} {format}: {ran:?}");
        }
    }
    assert!(ward.acted().is_empty());
}

#[test]
fn verify_streams_what_it_reads_and_names_what_is_wrong() {
    let ward = Ward::of(&["web", "api"], &[]);
    let digest = |bytes: &[u8]| Digest::of(bytes).to_string();
    let files = ward.made.files();
    let answers = [
        json!({"path": files[0].0, "state": "damaged", "why": "the archive is damaged"}),
        json!({"path": files[1].0, "state": "intact", "digest": digest(&files[1].1), "bytes": 7}),
    ];
    ward.made.server.take(VERIFY, 200, lines(&answers));
    let ran = ward.run("storage verify --all -o json");
    assert_eq!(
        (ran.code, &ran.document()["result"]["counts"]),
        (4, &json!({"ok": 1, "missing": 0, "damaged": 1, "unread": 0}))
    );
    assert_eq!(store(&ran)["proofs"][1]["code"], "A503", "{ran:?}");
    let streamed = ward.run("storage verify --all -o ndjson");
    let kinds: Vec<Value> =
        streamed.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["kind"].clone()).collect();
    assert_eq!(kinds, ["Proof", "Proof", "VerifyReport"]);
    let table = ward.run("storage verify --all");
    assert!(table.stdout.contains("×  team-a/web") && table.stdout.contains("√  team-a/api"), "{table:?}");
    assert!(table.stderr.contains("next: kubectl jaas storage repair web -n team-a"), "{table:?}");
    assert_eq!(ward.run("storage verify --all -o name").stdout, "jsonnetsnippet.jaas.metio.wtf/web\n");
    assert_eq!(ward.run("storage verify nobody").code, 6);
    assert_eq!(ward.run("storage verify").code, 2);
    assert_eq!(ward.run("storage verify --all --sample 9/7").code, 2);
    // Half an answer is no proof of the rest.
    ward.made.server.take(VERIFY, 200, lines(&answers[1..]));
    assert_eq!(ward.run("storage verify --all").code, 3);
}

#[test]
fn without_an_endpoint_the_storage_server_is_asked_and_a_listing_is_3() {
    let made = Installation::of(&["web"]);
    let verified = made.plugin.run("storage verify --all -o json");
    assert_eq!((verified.code, &store(&verified)["road"]), (0, &json!("service-proxy")), "{verified:?}");
    let tried: Vec<_> = store(&verified)["tried"].as_array().unwrap().iter().map(|it| it["road"].clone()).collect();
    assert_eq!(tried, ["admin", "port-forward"]);
    for command in ["df", "du", "ls", "find-orphans", "prune --expired --all", "sweep", "repair --all"] {
        let ran = made.plugin.run(&format!("storage {command}"));
        assert_eq!(ran.code, 3, "{command}: {ran:?}");
        assert!(ran.stderr.contains("--admin-bind-address is not set"), "{command}: {}", ran.stderr);
        assert!(ran.stderr.contains("operator.admin.enabled=true"), "{command}: {}", ran.stderr);
    }
    let info = made.plugin.run("storage info");
    assert_eq!((info.code, info.stdout.contains("admin    off")), (0, true), "{info:?}");
    for (route, command) in [("s3", "prune --expired --all"), ("path", "sweep"), ("service-proxy", "ls")] {
        let ran = made.plugin.run(&format!("storage {command} --route {route}"));
        assert_eq!((ran.code, ran.stderr.contains("--route admin")), (3, true), "{route}: {ran:?}");
    }
    let writes = made.server.writes();
    assert!(writes.iter().all(|write| write.starts_with("HEAD ")), "{writes:?}");
}

#[test]
fn a_missing_right_on_the_token_is_7_with_the_rule() {
    let ward = Ward::of(&["web"], &[]);
    let forbidden = json!({"kind": "Status", "status": "Failure", "code": 403, "message": "forbidden: no", "details": {"name": "jaas-oncall"}});
    ward.made.server.take(TOKEN, 403, forbidden);
    let ran = ward.run("storage ls");
    assert_eq!(ran.code, 7, "{ran:?}");
    assert!(ran.stderr.contains("resources: [\"serviceaccounts/token\"]"), "{}", ran.stderr);
    let gone = json!({"kind": "Status", "status": "Failure", "code": 404, "reason": "NotFound", "message": "no", "details": {"name": "jaas-oncall"}});
    ward.made.server.take(TOKEN, 404, gone);
    let ran = ward.run("storage ls");
    assert_eq!((ran.code, ran.stderr.contains("--admin-account")), (3, true), "{ran:?}");
}

#[test]
fn whoever_may_not_enter_a_pod_is_told_the_rule_and_gets_there_by_another_road() {
    let made = Installation::of(&["web"]);
    made.server.forbid("/api/v1/namespaces/jaas-system/pods/jaas-1/portforward");
    let refused = made.plugin.run("storage fetch web --list --route port-forward");
    assert_eq!(refused.code, 7, "{refused:?}");
    assert!(refused.stderr.contains("resources: [\"pods/portforward\"]"), "{}", refused.stderr);
    let other = made.plugin.run("storage fetch web --list -o json");
    assert_eq!((other.code, &store(&other)["road"]), (0, &json!("service-proxy")), "{other:?}");
    assert!(other.stderr.contains("road port-forward: not allowed"), "{}", other.stderr);
    // A road that nobody may take hides nothing that another one shows.
    assert_eq!(made.plugin.run("doctor").code, 0);
}

#[test]
fn a_prune_shows_its_plan_asks_and_tells_what_became_of_it() {
    let (beyond, young) = (beyond(), "team-a/web/sha256-00.tar.gz");
    let ward = Ward::of(&["web"], &[file(&beyond, "revision", 4000, OLD), file(young, "revision", 1, 10)]);
    let asked = ward.run("storage prune --expired --all");
    assert_eq!((asked.code, ward.acted().len()), (5, 0), "{asked:?}");
    let planned = ward.run("prune --expired --all --dry-run -o json");
    let plan = &store(&planned)["prune"];
    assert_eq!(
        (planned.code, &plan["doomed"], &plan["inGrace"]["files"]),
        (0, &json!({"files": 1, "bytes": 4000}), &json!(1))
    );
    assert!(planned.document()["result"]["message"].as_str().unwrap().contains("there would be no undo"));
    assert!(ward.acted().is_empty());

    ward.does(&[(&beyond, "removed")]);
    let done = ward.run("storage prune --expired web --yes --reason INC-4711");
    assert_eq!(done.code, 0, "{done:?}");
    let sent = ward.acted();
    assert_eq!(sent.len(), 1);
    assert_eq!(
        (&sent[0]["action"], &sent[0]["items"], &sent[0]["dryRun"], &sent[0]["reason"]),
        (&json!("prune-expired"), &json!([{"path": beyond, "version": "v1"}]), &json!(false), &json!("INC-4711"))
    );
    let writes = ward.made.server.writes();
    assert!(writes.iter().any(|write| write.contains("/namespaces/team-a/events")), "{writes:?}");

    for (outcome, code) in [("changed", 9), ("kept", 9), ("failed", 3), ("missing", 0)] {
        ward.does(&[(&beyond, outcome)]);
        let ran = ward.run("storage prune --expired --all --yes");
        assert_eq!(ran.code, code, "{outcome}: {ran:?}");
    }
    ward.does(&[(&beyond, "would-remove")]);
    let tried = ward.run("storage prune --expired --all --dry-run=server");
    assert_eq!((tried.code, &ward.acted().last().unwrap()["dryRun"]), (0, &json!(true)), "{tried:?}");
    for wrong in ["--all", "--expired", "--expired --keep 1 --all", "--expired --all web", "--keep 0 --all"] {
        assert_eq!(ward.run(&format!("storage prune {wrong}")).code, 2, "{wrong}");
    }
    ward.holds(&[]);
    let nothing = ward.run("storage prune --beyond-keep --all");
    assert_eq!((nothing.code, nothing.stderr.contains("nothing to remove")), (0, true), "{nothing:?}");
}

#[test]
fn a_listing_that_is_not_whole_dooms_nothing() {
    let ward = Ward::of(&["web"], &[]);
    let parts =
        [file(&beyond(), "revision", 1, OLD), json!({"end": {"complete": false, "omitted": ["team-b"], "files": 1}})];
    ward.made.server.answer_with(INVENTORY, lines(&parts));
    let ran = ward.run("storage prune --expired --all --yes");
    assert_eq!((ran.code, ran.stderr.contains("`team-b`")), (5, true), "{ran:?}");
    // A listing without its end broke off.
    ward.made.server.answer_with(INVENTORY, lines(&parts[..1]));
    let ran = ward.run("storage prune --expired --all --yes");
    assert_eq!((ran.code, ran.stderr.contains("broke off")), (3, true), "{ran:?}");
    assert!(ward.acted().is_empty());
}

#[test]
fn roll_back_targets_need_the_very_words() {
    let ward = Ward::of(&["web"], &[file(&beyond(), "revision", 1, OLD)]);
    let ran = ward.run("storage prune web --keep 1 --yes");
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(ran.stderr.contains("add --confirm 'keep 1 of team-a/web'"), "{}", ran.stderr);
    let planned = ward.run("storage prune web --keep 1 --dry-run");
    assert!(planned.stderr.contains("--confirm 'keep 1 of team-a/web'"), "{planned:?}");
    assert!(ward.acted().is_empty() && ward.made.server.patches().is_empty());
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_tells_what_may_be_gone_and_how_to_go_on() {
    let interrupt = |path: &str, line: &str| {
        let ward = Ward::of(&["web"], &[file(&beyond(), "revision", 4000, OLD)]);
        let address = ward.made.server.url().to_owned();
        ward.made.server.hang(path);
        let child = ward.made.plugin.start(&format!("{line} --admin-address {address} -o json"));
        ward.made.server.wait_for(path);
        std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        (finish(child), ward.acted().len())
    };
    let (acting, _) = interrupt(ACTIONS, "storage prune --expired --all --yes");
    assert_eq!(acting.code, 130, "{acting:?}");
    assert!(acting.stderr.contains("1 asked for without an answer, so they may be gone"), "{}", acting.stderr);
    assert!(acting.stderr.contains("to go on: kubectl jaas storage prune --expired --all --yes"), "{}", acting.stderr);
    // Whoever interrupts a look has changed nothing, whatever flags say.
    let (looking, acted) = interrupt(INVENTORY, "storage prune --expired web --yes");
    assert_eq!((looking.code, acted), (130, 0), "{looking:?}");
    assert!(looking.stderr.contains("stopped before anything was done"), "{}", looking.stderr);
}

pub(crate) fn orphan() -> String {
    beyond().replace("team-a/web", "team-x/old")
}

#[test]
fn orphans_are_told_with_the_words_that_remove_them() {
    let ward = Ward::of(
        &["a", "b", "c", "d", "e"],
        &[file(&orphan(), "revision", 10, OLD), file("lost+found", "foreign", 0, OLD)],
    );
    let found = ward.run("find-orphans -o json");
    let orphans = &store(&found)["orphans"];
    assert_eq!((found.code, &orphans["confirm"]), (4, &json!("delete 1 in jaas-system")), "{found:?}");
    let groups: Vec<_> = orphans["groups"].as_array().unwrap().iter().map(|it| it["class"].clone()).collect();
    assert_eq!(groups, ["prefix", "foreign"]);
    for line in ["--delete", "--delete --yes", "--delete --confirm x"] {
        let ran = ward.run(&format!("storage find-orphans {line}"));
        assert_eq!((ran.code, ward.acted().len()), (5, 0), "{line}: {ran:?}");
    }
    ward.does(&[(&orphan(), "removed")]);
    let done = ward.made.plugin.run_words(&[
        "storage",
        "find-orphans",
        "--delete",
        "--confirm",
        "delete 1 in jaas-system",
        "--admin-address",
        ward.made.server.url(),
    ]);
    assert_eq!((done.code, ward.acted().len()), (0, 1), "{done:?}");
    assert_eq!(ward.acted()[0]["action"], "delete-orphans");
    ward.holds(&[]);
    assert_eq!(ward.run("storage find-orphans --delete").code, 0, "none is left");
    assert_eq!(ward.run("storage find-orphans --class nonsense").code, 2);
    assert_eq!(ward.run("storage find-orphans --confirm x").code, 2);
}

#[test]
fn nothing_is_removed_from_a_store_in_doubt() {
    let orphans: Vec<_> =
        (0..3).map(|n| file(&orphan().replace("old", &format!("old-{n}")), "revision", 10, OLD)).collect();
    let ward = Ward::of(&["a", "b"], &orphans);
    let refused = |words: &str| {
        let ran = ward.run("storage find-orphans --delete");
        assert_eq!((ran.code, ran.stderr.contains(words)), (5, true), "{words}: {ran:?}");
    };
    refused("more than a fifth");
    ward.stats(json!({"owner": null}));
    refused("carries no mark");
    ward.stats(json!({"owner": {"cluster": "other", "release": "x/y"}}));
    refused("that of x/y in cluster other");
    ward.stats(json!({"guarded": "the store is not known to be ours"}));
    refused("not known to be ours");
    ward.stats(json!({}));
    ward.made.server.answer_with(SNIPPETS, json!({"metadata": {}, "items": []}));
    refused("no snippet exists at all");
    assert!(ward.acted().is_empty());
}

#[test]
fn namespaces_that_nobody_may_list_stay_undecided() {
    let ward = Ward::of(&["web"], &[file(&orphan(), "revision", 10, OLD)]);
    ward.made.server.forbid(SNIPPETS);
    ward.made.server.forbid("/apis/jaas.metio.wtf/v1/namespaces/team-x/jsonnetsnippets");
    let ran = ward.run("storage find-orphans -o json");
    assert_eq!(ran.code, 3, "{ran:?}");
    assert_eq!(store(&ran)["orphans"]["groups"][0]["class"], "unknown");
}

#[test]
fn a_sweep_never_goes_below_the_operators_limit() {
    let half = "team-a/web/x.tar.gz.tmp";
    let ward = Ward::of(&["web"], &[file(half, "tmp", 10, OLD), file("team-a/web/y.tar.gz.tmp", "tmp", 10, 60)]);
    let young = ward.run("storage sweep --older-than 1m --yes");
    assert_eq!((young.code, young.stderr.contains("30m")), (5, true), "{young:?}");
    assert_eq!(ward.run("storage sweep --multipart --yes").code, 5);
    assert_eq!(ward.run("storage sweep").code, 5);
    let planned = store(&ward.run("storage sweep --dry-run -o json"));
    assert_eq!((&planned["sweep"]["due"]["files"], &planned["sweep"]["young"]["files"]), (&json!(1), &json!(1)));
    assert!(ward.acted().is_empty());
    ward.does(&[(half, "removed")]);
    let done = ward.run("storage sweep --yes");
    assert_eq!(
        (done.code, &ward.acted()[0]["olderThan"], &ward.acted()[0]["items"]),
        (0, &json!(1800), &json!([])),
        "{done:?}"
    );
    ward.holds(&[]);
    assert_eq!((ward.run("storage sweep --yes").code, ward.acted().len()), (0, 1), "a second run asks for nothing");
}

#[test]
fn a_fetched_file_was_proven_and_is_never_written_over() {
    let made = Installation::of(&["web"]);
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("web.tar.gz");
    let fetch = |flags: &str| made.plugin.run(&format!("storage fetch web {flags}"));
    let kept = fetch(&format!("-O {}", target.display()));
    assert_eq!(kept.code, 0, "{kept:?}");
    assert_eq!(std::fs::read(&target).unwrap(), made.files()[0].1);
    let again = fetch(&format!("-O {}", target.display()));
    assert_eq!((again.code, again.stderr.contains("--force")), (5, true), "{again:?}");
    assert_eq!(fetch(&format!("-O {} --force", target.display())).code, 0);
    assert!(fetch("--list").stdout.contains("3 bytes  rendered.json"));
    assert_eq!(fetch("--cat rendered.json").stdout, "web");
    assert_eq!(fetch("--cat nothing").code, 2);
    assert_eq!((fetch("").code, fetch("sha256:99 --list").code), (2, 6));
    let mut files = made.files();
    *files[0].1.last_mut().unwrap() ^= 1;
    made.server.store(PROXY, files);
    let beside = folder.path().join("other.tar.gz");
    let damaged = fetch(&format!("-O {}", beside.display()));
    assert_eq!((damaged.code, beside.exists()), (4, false), "{damaged:?}");
    assert!(damaged.stderr.contains("A503"), "{damaged:?}");
    made.server.store(PROXY, []);
    assert_eq!(fetch("--list").code, 4);
}

#[test]
fn a_mounted_folder_is_read_and_never_changed() {
    let made = Installation::of(&["web"]);
    let folder = tempfile::tempdir().unwrap();
    for (path, bytes) in made.files() {
        let target = folder.path().join(path);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::write(target, bytes).unwrap();
    }
    let run = |line: &str| made.plugin.run(&format!("storage {line} --path {}", folder.path().display()));
    for line in ["df", "du", "ls", "verify --all", "fetch web --cat rendered.json", "find-orphans"] {
        let ran = run(&format!("{line} -o json"));
        assert_eq!((ran.code, &store(&ran)["road"]), (0, &json!("path")), "{line}: {ran:?}");
    }
    for line in ["prune --expired --all --yes", "sweep --yes", "repair --all --yes", "find-orphans --delete"] {
        let ran = run(line);
        assert_eq!((ran.code, ran.stderr.contains("through the leader")), (3, true), "{line}: {ran:?}");
    }
    let wrong = made.plugin.run("storage ls --path /no/such/folder");
    assert_eq!((wrong.code, wrong.stderr.contains("is no folder")), (3, true), "{wrong:?}");
    assert!(!std::path::Path::new("/no/such/folder").exists());
}

#[test]
fn advice_is_a_command_with_the_charts_own_values() {
    let made = Installation::of(&["web"]);
    let resize = made.plugin.run("storage advise resize --to 20Gi");
    assert_eq!(resize.code, 0, "{resize:?}");
    assert!(resize.stdout.contains("kubectl patch pvc jaas-storage -n jaas-system"), "{}", resize.stdout);
    assert!(resize.stdout.contains("--set operator.storage.persistence.size=20Gi"), "{}", resize.stdout);
    for topic in ["limits", "memory", "ownership"] {
        assert_eq!(made.plugin.run(&format!("storage advise {topic}")).code, 0, "{topic}");
    }
    let there = made.plugin.run("storage advise persistence");
    assert_eq!((there.code, there.stderr.contains("on pvc/jaas-storage already")), (5, true), "{there:?}");
    assert_eq!(made.plugin.run("storage advise resize --to 1Mi").code, 5);
    assert_eq!(made.plugin.run("storage advise nonsense").code, 2);
    assert!(made.server.writes().iter().all(|write| write.starts_with("HEAD ")));
}

#[test]
fn repair_refuses_what_would_not_be_rendered_and_leaves_right_files_alone() {
    let ward = Ward::of(&["web"], &[]);
    let files = ward.made.files();
    let intact =
        json!({"path": files[0].0, "state": "intact", "digest": Digest::of(&files[0].1).to_string(), "bytes": 7});
    ward.made.server.take(VERIFY, 200, lines(&[intact]));
    let fine = ward.run("storage repair --all");
    assert_eq!((fine.code, fine.stderr.contains("nothing is damaged")), (0, true), "{fine:?}");
    ward.made.server.take(VERIFY, 200, lines(&[json!({"path": files[0].0, "state": "damaged", "why": "x"})]));
    assert_eq!(ward.run("storage repair --all").code, 5, "nobody can be asked");
    let planned = ward.run("storage repair web --dry-run -o json");
    assert_eq!((planned.code, &store(&planned)["repairs"][0]["outcome"]), (0, &json!("would-repair")), "{planned:?}");
    ward.does(&[(&files[0].0, "failed")]);
    let failed = ward.run("storage repair web --yes -o json");
    assert_eq!((failed.code, &store(&failed)["repairs"][0]["outcome"]), (3, &json!("failed")), "{failed:?}");
    assert!(ward.made.server.patches().is_empty());
}

#[test]
fn every_one_of_them_says_8_when_nobody_answers_and_takes_connection_flags() {
    for line in [
        "info",
        "df",
        "du",
        "ls",
        "verify --all",
        "fetch web --list",
        "prune --expired --all --yes",
        "sweep --yes",
        "find-orphans",
        "repair --all --yes",
        "advise limits",
    ] {
        for format in ["table", "json", "ndjson"] {
            let ran = Plugin::without_server().run(&format!("storage {line} --as ann -o {format}"));
            assert_eq!(ran.code, 8, "{line} {format}: {ran:?}");
        }
        assert_eq!(Plugin::without_server().run(&format!("storage {line} --context nope")).code, 2, "{line}");
    }
}

#[test]
fn help_has_examples_and_fits_a_screen() {
    for command in ["info", "df", "du", "ls", "verify", "fetch", "prune", "sweep", "find-orphans", "repair", "advise"] {
        let help = Plugin::without_server().run(&format!("storage {command} --help"));
        assert!(
            help.stdout.contains("Examples\n") && help.stdout.contains("Exit codes:"),
            "{command}: {}",
            help.stdout
        );
        assert!(help.stdout.lines().all(|line| line.chars().count() <= 80), "{command}: {}", help.stdout);
    }
}
