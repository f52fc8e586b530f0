//! Libraries in folders of the operator: laid out as the kubelet lays out volumes, followed as they change, and reaching exactly those who
//! import from them. There is no kubelet here: the folders are made, and swapped, by hand.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use jaas_tests::controlplane::ControlPlane;
use jaas_tests::wait::eventually;
use serde_json::{Value, json};

use crate::field::{Field, PATIENCE, message, one_file, status};

/// A folder for libraries.
struct Shelf(PathBuf);

impl Shelf {
    async fn new(name: &str) -> Self {
        let plane = ControlPlane::shared().await.unwrap();
        let path = plane.work().join(format!("libraries-{name}"));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn flag(&self) -> String {
        format!("--library-path={}", self.0.display())
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A ConfigMap that is mounted under this name gets this content, in one step: a new folder, then the link to it.
    fn swap(&self, name: &str, version: u32, files: &[(&str, &str)]) {
        let folder = self.0.join(name);
        let data = format!("..2026_11_23_{version}");
        fs::create_dir_all(folder.join(&data)).unwrap();
        for (file, text) in files {
            fs::write(folder.join(&data).join(file), text).unwrap();
            let link = folder.join(file);
            if !is_there(&link) {
                symlink(format!("..data/{file}"), link).unwrap();
            }
        }
        symlink(&data, folder.join("..data_tmp")).unwrap();
        fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    }
}

fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

fn version(field: &jaas_api::JsonnetSnippet) -> Option<String> {
    field.metadata.resource_version.clone()
}

async fn renders(field: &Field, name: &str, text: &str) {
    let revision = jaas_storage::Revision::of_document(text.as_bytes()).to_string();
    field.until(name, &format!("renders {text:?}"), |it| status(it).revision.as_ref() == Some(&revision)).await;
}

/// Asks for a reconcile of everything else, so that what was going to happen has happened, and answers the snippet's version.
async fn version_of(field: &Field, name: &str) -> Option<String> {
    version(&field.snippets.get(name).await.unwrap())
}

#[tokio::test]
async fn a_swap_is_followed_by_those_who_import_from_it_and_a_restart_writes_nothing() {
    let shelf = Shelf::new("swap").await;
    shelf.swap("map", 1, &[("main.libsonnet", "{v: 1}"), ("text.txt", "one")]);
    shelf.write("tree/main.libsonnet", "import 'deep/x.libsonnet'");
    shelf.write("tree/deep/x.libsonnet", "(import 'map').v");
    shelf.write("other/main.libsonnet", "5");
    let mut field = Field::with("mounted", &[&shelf.flag()]).await;
    for (name, code) in [
        ("user", "(import 'map').v"),
        ("through", "import 'tree'"),
        ("text", "importstr 'map/text.txt'"),
        ("unrelated", "import 'other'"),
        ("none", "{}"),
    ] {
        field.create_file(name, code).await;
        field.synced(name).await;
    }
    assert_eq!(field.fetch("through").await, one_file("rendered.json", "1\n"));
    let user = field.synced("user").await;
    assert_eq!(status(&user).mounted_libraries, ["map"]);
    assert_eq!(status(&field.synced("through").await).mounted_libraries, ["map", "tree"]);
    let before = [version_of(&field, "unrelated").await, version_of(&field, "none").await];

    shelf.swap("map", 2, &[("main.libsonnet", "{v: 2}"), ("text.txt", "two")]);
    renders(&field, "user", "2\n").await;
    renders(&field, "through", "2\n").await;
    renders(&field, "text", "\"two\"\n").await;
    field.fetch("user").await;

    // The same bytes in another folder are no change: neither this nor the restart writes anything.
    let all = ["user", "through", "text", "unrelated", "none"];
    let mut settled = Vec::new();
    for name in all {
        field.synced(name).await;
        settled.push(version_of(&field, name).await);
    }
    assert_eq!([settled[3].clone(), settled[4].clone()], before, "only those who import from it were rendered");
    let reconciled = |log: &str, name: &str| {
        log.lines()
            .filter(|line| line.contains("\"Reconciled\"") && line.contains(&format!("\"name\":\"{name}\"")))
            .count()
    };
    assert_eq!(reconciled(&field.operator.log(), "unrelated"), 1, "it was not even looked at");
    shelf.swap("map", 3, &[("main.libsonnet", "{v: 2}"), ("text.txt", "two")]);
    field.operator.restart().await.unwrap();
    field.operator.wait_ready().await.unwrap();
    field.logged("Mounted libraries are read").await;
    for name in all {
        // Once after the restart, which finds nothing to do.
        eventually(format!("{name} to be looked at"), PATIENCE, async || {
            let log = field.operator.log();
            let looks = log.rsplit("\"Starting JaaS\"").next().map_or(0, |log| reconciled(log, name));
            if looks > 0 { Ok(()) } else { Err(looks) }
        })
        .await
        .unwrap();
    }
    // One that is rendered now comes after everything that the restart had to do.
    field.create_file("last", "(import 'map').v").await;
    field.synced("last").await;
    for (name, settled) in all.iter().zip(settled) {
        assert_eq!(version_of(&field, name).await, settled, "{name} was written by the restart");
    }
    let log = field.operator.log();
    let since = log.rsplit("\"Starting JaaS\"").next().unwrap();
    let outcomes: Vec<_> =
        since.lines().filter(|line| line.contains("\"Reconciled\"") && !line.contains("\"last\"")).collect();
    assert!(outcomes.iter().all(|line| line.contains("\"unchanged\"")), "{outcomes:#?}");
}

#[tokio::test]
async fn a_library_may_come_later_go_and_have_the_name_of_a_snippets_own() {
    let [first, last] = [Shelf::new("first").await, Shelf::new("last").await];
    first.write("both/main.libsonnet", "'first'");
    let field = Field::with("later", &[&first.flag(), &last.flag()]).await;
    field.create_file("both", "import 'both'").await;
    field.create_file("waits", "import 'late/x.libsonnet'").await;
    field.create_library("own", json!({"main.libsonnet": "'own'"})).await;
    let libraries = json!([{"kind": "JsonnetLibrary", "name": "own", "importPath": "taken"}]);
    field.create("own", json!({"files": {"main.jsonnet": "import 'taken'"}, "libraries": libraries})).await;
    field.synced("both").await;
    field.synced("own").await;
    let refused = field.judged("waits", "EvaluationFailed").await;
    assert!(message(&refused).contains("matches no sibling file or library alias"), "{}", message(&refused));

    last.write("both/main.libsonnet", "'last'");
    renders(&field, "both", "\"last\"\n").await;
    first.write("late/x.libsonnet", "'late'");
    renders(&field, "waits", "\"late\"\n").await;
    first.write("taken/main.libsonnet", "'mounted'");
    let refused = field.judged("own", "InvalidSpec").await;
    assert!(message(&refused).contains("spec.libraries[0] importPath \"taken\" shadows"), "{}", message(&refused));
    assert_eq!(field.fetch("own").await, one_file("rendered.json", "\"own\"\n"), "what was published stays");

    fs::remove_dir_all(first.0.join("taken")).unwrap();
    field.synced("own").await;
    fs::remove_dir_all(first.0.join("late")).unwrap();
    field.judged("waits", "EvaluationFailed").await;
    fs::remove_dir_all(last.0.join("both")).unwrap();
    renders(&field, "both", "\"first\"\n").await;
}

#[tokio::test]
async fn what_cannot_be_mounted_is_told_and_what_leads_out_is_never_read() {
    let shelf = Shelf::new("trouble").await;
    let secret = Shelf::new("trouble-secret").await;
    secret.write("key.libsonnet", "'secret'");
    shelf.write("lib/main.libsonnet", "1");
    symlink(secret.0.join("key.libsonnet"), shelf.0.join("lib/absolute.libsonnet")).unwrap();
    symlink("../../libraries-trouble-secret/key.libsonnet", shelf.0.join("lib/relative.libsonnet")).unwrap();
    fs::create_dir(shelf.0.join("large")).unwrap();
    fs::File::create(shelf.0.join("large/main.libsonnet")).unwrap().set_len((16 << 20) + 1).unwrap();
    let nowhere = format!("--library-path={}", shelf.0.join("nowhere").display());
    let field = Field::with("trouble", &[&shelf.flag(), &nowhere]).await;
    field.create_file("fine", "import 'lib'").await;
    field.synced("fine").await;
    for name in ["absolute", "relative"] {
        field.create_file(name, &format!("import 'lib/{name}.libsonnet'")).await;
        let refused = field.judged(name, "EvaluationFailed").await;
        assert!(message(&refused).contains("not found in library \"lib\""), "{}", message(&refused));
    }
    field.create_file("large", "import 'large'").await;
    let refused = field.judged("large", "LibraryNotFound").await;
    let words = message(&refused);
    for part in ["mounted library \"large\" cannot be used", "16777217 bytes", "tell its administrator"] {
        assert!(words.contains(part), "{part} is missing in {words}");
    }
    let ready = field.get(&field.operator.management_url("/ready")).await;
    assert_eq!(ready.status, 200);
    let body: Value = serde_json::from_slice(&ready.body).unwrap();
    let told = body["libraries"].to_string();
    for part in ["nowhere", "does not exist", "absolute.libsonnet", "relative.libsonnet", "16777217"] {
        assert!(told.contains(part), "{part} is missing in {told}");
    }
    assert!(!field.operator.log().contains("secret'"), "nothing of it is told");

    fs::write(shelf.0.join("large/main.libsonnet"), "2").unwrap();
    renders(&field, "large", "2\n").await;
    fs::create_dir(shelf.0.join("nowhere")).unwrap();
    fs::remove_file(shelf.0.join("lib/absolute.libsonnet")).unwrap();
    fs::remove_file(shelf.0.join("lib/relative.libsonnet")).unwrap();
    field.logged("The mounted libraries are well again").await;
    let ready = field.get(&field.operator.management_url("/ready")).await;
    assert_eq!(ready.text(), "{\"status\":\"ok\"}");
}
