//! `render` and `tree --cycles` follow Flux sources. What source-controller does is played by hand: see [`jaas_tests::upstream`].

use std::path::PathBuf;

use jaas_sources::digest::Algorithm;
use jaas_tests::cluster::{Settings, Store};
use jaas_tests::controlplane::Identity;
use jaas_tests::upstream::{Archives, Reply, Source, Trap, archive};
use serde_json::{Value, json};

use super::bench::{Bench, document, exits, text};
use super::installed::Ward;

fn digest(bytes: &[u8]) -> String {
    let mut hasher = Algorithm::Sha256.hasher();
    hasher.update(bytes);
    hasher.finish().to_string()
}

/// An installation, and a server of archives that its operator may ask.
struct Stream {
    ward: Ward,
    archives: Archives,
}

impl Stream {
    async fn new() -> Self {
        let archives = Archives::start().await.unwrap();
        // The plugin goes by the operator's own rule: these archives, and Services of the cluster.
        let args = vec![format!("{},*.svc", archives.flag())];
        let ward = Ward::new(Settings { store: Store::Claim, args, ..Settings::default() }).await;
        Self { ward, archives }
    }

    async fn source(&self, kind: &'static str, name: &str) -> Source {
        let client = self.ward.plane.admin().await.unwrap();
        Source::create(&client, kind, &self.ward.namespace.name, name).await.unwrap()
    }

    async fn publish(&self, kind: &'static str, name: &str, files: &[(&str, &str)]) -> Source {
        let source = self.source(kind, name).await;
        let (bytes, path) = (archive(&files.iter().copied().collect()).unwrap(), format!("/{name}.tar.gz"));
        source.announces(&self.archives.url(&path), &digest(&bytes), "main@sha1:1").await.unwrap();
        self.archives.set(&path, Reply::Bytes(bytes));
        source
    }

    fn object(&self, kind: &str, name: &str, spec: Value) -> Value {
        let metadata = json!({"name": name, "namespace": self.ward.namespace.name});
        json!({"apiVersion": "jaas.metio.wtf/v1", "kind": kind, "metadata": metadata, "spec": spec})
    }

    /// A file with a snippet on a source.
    fn file(&self, name: &str, kind: &str, source: &str) -> PathBuf {
        let spec = json!({"sourceRef": {"kind": kind, "name": source}});
        let path = self.ward.plane.work().join(format!("{}-{name}.yaml", self.ward.namespace.name));
        std::fs::write(&path, self.object("JsonnetSnippet", name, spec).to_string()).unwrap();
        path
    }

    /// Renders a snippet, or a file of one.
    async fn render(&self, what: &str, code: i32) -> (String, String) {
        let rendered = self.ward.operator(&["render", what]).await;
        exits(&rendered, code);
        (text(&rendered.stdout), text(&rendered.stderr))
    }
}

#[tokio::test]
async fn what_is_rendered_here_is_what_the_operator_publishes_of_sources() {
    let stream = Stream::new().await;
    let program = "import 'lib/x.libsonnet'";
    stream.publish("GitRepository", "repo", &[("env/main.jsonnet", program), ("other/main.jsonnet", "no")]).await;
    stream
        .publish(
            "OCIRepository",
            "vendored",
            &[("vendor/x.libsonnet", "{v: importstr 'y.txt'}"), ("vendor/y.txt", "why")],
        )
        .await;
    let library = json!({"sourceRef": {"kind": "OCIRepository", "name": "vendored", "path": "./vendor/"}});
    let tenant = |mut spec: Value| {
        spec["serviceAccountName"] = json!("tenant");
        spec
    };
    let web = tenant(json!({"sourceRef": {"kind": "GitRepository", "name": "repo", "path": "env"},
        "libraries": [{"kind": "JsonnetLibrary", "name": "lib"}]}));
    let base = tenant(
        json!({"files": {"main.jsonnet": "import 'part.libsonnet'", "part.libsonnet": "{part: 1}"}, "output": "source"}),
    );
    let chained = tenant(json!({"sourceRef": {"kind": "ExternalArtifact", "name": "base"}}));
    let objects = [
        stream.object("JsonnetLibrary", "lib", library),
        stream.object("JsonnetSnippet", "web", web),
        stream.object("JsonnetSnippet", "base", base),
        stream.object("JsonnetSnippet", "chained", chained),
    ];
    stream.ward.plane.apply_objects(&objects).await.unwrap();
    exits(&stream.ward.jaas(&["wait", "ready", "web", "base", "chained"]).await, 0);

    for (name, expected) in [("web", "{\n   \"v\": \"why\"\n}\n"), ("chained", "{\n   \"part\": 1\n}\n")] {
        assert_eq!(stream.render(name, 0).await.0, expected);
        let published = stream.ward.operator(&["diff", name, "--exit-code"]).await;
        exits(&published, 0);
    }

    // A Service's address is not resolved here: the archive comes through a Pod behind it.
    let artifact = stream.ward.kubectl(&["get", "externalartifact", "base", "-o", "json"]).await;
    let artifact: Value = serde_json::from_slice(&artifact.stdout).unwrap();
    let told = |field: &str| artifact["status"]["artifact"][field].as_str().unwrap().to_owned();
    let inside = stream.source("GitRepository", "inside").await;
    let url = format!("http://jaas-storage.{}.svc:8082/{}", stream.ward.namespace.name, told("path"));
    inside.announces(&url, &told("digest"), "main@sha1:2").await.unwrap();
    let file = stream.file("inside", "GitRepository", "inside");
    assert_eq!(stream.render(file.to_str().unwrap(), 0).await.0, "{\n   \"part\": 1\n}\n");
}

#[tokio::test]
async fn what_cannot_be_had_is_told_with_the_cause() {
    let stream = Stream::new().await;
    let files = [("main.jsonnet", "1")];
    stream.source("GitRepository", "new").await;
    stream.publish("GitRepository", "changed", &files).await;
    stream
        .archives
        .set("/changed.tar.gz", Reply::Bytes(archive(&[("main.jsonnet", "2")].into_iter().collect()).unwrap()));
    stream.publish("GitRepository", "gone", &files).await;
    stream.archives.set("/gone.tar.gz", Reply::Status(404, String::new()));
    let trap = Trap::start().await.unwrap();
    let forbidden = stream.source("GitRepository", "forbidden").await;
    let bytes = archive(&files.into_iter().collect()).unwrap();
    forbidden.announces(&format!("http://127.0.0.1:{}/x.tar.gz", trap.port()), &digest(&bytes), "1").await.unwrap();
    let nowhere = stream.source("GitRepository", "nowhere").await;
    nowhere.announces("http://nobody.flux-system.svc/x.tar.gz", &digest(&bytes), "1").await.unwrap();
    for (source, parts) in [
        ("new", &["GitRepository", "not yet populated", "wait until the source is ready"][..]),
        ("changed", &["its bytes hash to sha256:", "is announced"]),
        ("gone", &["no road leads to http://127.0.0.1", "404"]),
        ("forbidden", &["--allowed-source-hosts"]),
        ("nowhere", &["no road leads to http://nobody.flux-system.svc/", "service-proxy", "port-forward"]),
    ] {
        let file = stream.file(source, "GitRepository", source);
        let (shown, said) = stream.render(file.to_str().unwrap(), 5).await;
        assert_eq!(shown, "", "{source}");
        for part in parts {
            assert!(said.contains(part), "{source}: {part:?} is missing in {said}");
        }
    }
    assert_eq!(trap.came(), 0, "nobody went there");

    // With the person's own rights, and no others.
    let missing = stream.file("missing", "GitRepository", "missing");
    stream.render(missing.to_str().unwrap(), 6).await;
    let namespace = &stream.ward.namespace.name;
    let args = ["jaas", "render", missing.to_str().unwrap(), "-n", namespace];
    let nobody = Identity::service_account(namespace, "default");
    let refused = super::bench::kubectl(stream.ward.plane, &nobody, &args, &super::bench::plugin_folder()).await;
    exits(&refused, 7);
    assert!(text(&refused.stderr).contains("gitrepositories"), "{}", text(&refused.stderr));
}

#[tokio::test]
async fn circles_are_shown_with_the_way() {
    let bench = Bench::new().await;
    let place = &bench.namespace.name;
    let object = |kind: &str, name: &str, spec: Value| json!({"apiVersion": "jaas.metio.wtf/v1", "kind": kind, "metadata": {"name": name, "namespace": place}, "spec": spec});
    let chained = |name: &str| json!({"kind": "ExternalArtifact", "name": name});
    let libraries = json!([{"kind": "JsonnetLibrary", "name": "lib"}]);
    let objects = [
        object("JsonnetSnippet", "x", json!({"serviceAccountName": "tenant", "sourceRef": chained("y")})),
        object(
            "JsonnetSnippet",
            "y",
            json!({"serviceAccountName": "tenant", "files": {"main.jsonnet": "1"}, "libraries": libraries}),
        ),
        object("JsonnetLibrary", "lib", json!({"sourceRef": chained("x")})),
        object("JsonnetSnippet", "into", json!({"serviceAccountName": "tenant", "sourceRef": chained("x")})),
        object("JsonnetSnippet", "out", json!({"serviceAccountName": "tenant", "sourceRef": chained("a")})),
    ];
    bench.plane.apply_objects(&objects).await.unwrap();
    // Circles are named from their first part in the alphabet, libraries after snippets.
    let way = format!(
        "JsonnetSnippet {place}/x → JsonnetSnippet {place}/y → JsonnetLibrary {place}/lib → JsonnetSnippet {place}/x"
    );
    for name in ["x", "y", "into"] {
        let shown = bench.admin(&["tree", name, "--cycles"]).await;
        exits(&shown, 4);
        assert!(text(&shown.stdout).contains(&way), "{name}: {}", text(&shown.stdout));
        assert!(text(&shown.stderr).contains("1 cycle found"), "{}", text(&shown.stderr));
        let told = bench.admin(&["tree", name, "--cycles", "-o", "json"]).await;
        exits(&told, 4);
        let cycle = &document(&told)["tree"]["children"][0];
        assert_eq!(
            (cycle["role"].as_str(), cycle["detail"].as_str()),
            (Some("cycle"), Some(way.as_str())),
            "{cycle:#}"
        );
    }
    for name in ["a", "out"] {
        let shown = bench.admin(&["tree", name, "--cycles"]).await;
        exits(&shown, 0);
        assert!(text(&shown.stderr).contains("no cycle"), "{}", text(&shown.stderr));
    }
    exits(&bench.admin(&["tree", "nobody", "--cycles"]).await, 6);
}

#[tokio::test]
async fn the_role_that_auth_prints_is_enough_to_render_from_a_source() {
    let stream = Stream::new().await;
    let ward = &stream.ward;
    let place = ward.namespace.name.as_str();
    stream.publish("GitRepository", "repo", &[("main.jsonnet", "1 + 1")]).await;
    let spec = json!({"serviceAccountName": "tenant", "sourceRef": {"kind": "GitRepository", "name": "repo"}});
    let account =
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "ann", "namespace": place}});
    let flux = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "flux-system"}});
    ward.plane.apply_objects(&[stream.object("JsonnetSnippet", "web", spec), account, flux]).await.unwrap();
    let ann = Identity::service_account(place, "ann");
    let path = super::bench::plugin_folder();
    let render = ["jaas", "render", "web", "-n", place, "--operator-namespace", place];
    let render = async || super::bench::kubectl(ward.plane, &ann, &render, &path).await;
    exits(&render().await, 7);

    let role = ward.operator(&["auth", "render", "--yaml"]).await;
    exits(&role, 0);
    ward.plane.apply(&text(&role.stdout)).await.unwrap();
    for (namespace, name) in [(place, "ann"), ("flux-system", place)] {
        let role = "--role=kubectl-jaas-render";
        let account = format!("--serviceaccount={place}:ann");
        let args = ["create", "rolebinding", name, role, &account, "-n", namespace];
        exits(&super::bench::kubectl(ward.plane, &Identity::Admin, &args, &path).await, 0);
    }
    let rendered = async || {
        let rendered = render().await;
        if rendered.status.success() { Ok(text(&rendered.stdout)) } else { Err(text(&rendered.stderr)) }
    };
    let rendered = jaas_tests::wait::eventually("the rights", super::bench::PATIENCE, rendered).await.unwrap();
    assert_eq!(rendered.trim(), "2");
}
