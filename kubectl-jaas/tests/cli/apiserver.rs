//! As much of an API server and an operator as the plugin sees of them, on a loopback port.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

use serde_json::{Value, json};

/// How the server and its operator behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// The operator answers; a snippet whose name begins with `bad` fails.
    Answers,
    /// Requests are written, and nobody answers.
    Silent,
    /// A snippet is deleted instead of answered.
    Deletes,
    /// Whatever is written was written by somebody else first.
    Conflicts,
    /// Writes are forbidden.
    ForbidsWrites,
    /// Everything is forbidden.
    Forbids,
    /// Nobody is signed in.
    Unauthorized,
}

#[derive(Default)]
struct World {
    snippets: BTreeMap<String, Value>,
    events: Vec<Value>,
    version: u64,
    requests: Vec<String>,
    /// What was sent with each PATCH.
    patches: Vec<Value>,
    /// Answers to GET by path, before everything else.
    answers: BTreeMap<String, String>,
    /// Answers to POST and DELETE by path.
    posted: BTreeMap<String, (u16, String)>,
    /// What was sent with each of these.
    bodies: Vec<(String, Value)>,
    /// Paths that are never answered.
    hung: Vec<String>,
    /// Paths whose GET is forbidden.
    forbidden: Vec<String>,
    /// Beginning of the paths of a group that this server does not serve.
    unserved: Option<String>,
    /// Beginning of the paths that a storage server answers; none where nobody does.
    storage: Option<String>,
    /// What that server has, by what follows.
    files: BTreeMap<String, Vec<u8>>,
}

/// A running server; its threads end with the test process.
#[derive(Clone)]
pub(crate) struct ApiServer {
    mood: Mood,
    url: String,
    world: Arc<(Mutex<World>, Condvar)>,
}

impl ApiServer {
    /// Starts a server with snippets `namespace/name`; a `!` at the end suspends one.
    pub(crate) fn start(mood: Mood, snippets: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = Self { mood, url, world: Arc::default() };
        for path in snippets {
            server.create(path.trim_end_matches('!'), path.ends_with('!'));
        }
        let acceptor = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let server = acceptor.clone();
                std::thread::spawn(move || server.serve(stream));
            }
        });
        server
    }

    /// Answers GET of that path so from now on.
    pub(crate) fn answer_with(&self, path: &str, body: impl ToString) {
        self.world.0.lock().unwrap().answers.insert(path.to_owned(), body.to_string());
    }

    /// Answers POST and DELETE of that path so from now on.
    pub(crate) fn take(&self, path: &str, code: u16, body: impl ToString) {
        self.world.0.lock().unwrap().posted.insert(path.to_owned(), (code, body.to_string()));
    }

    /// Never answers that path from now on.
    pub(crate) fn hang(&self, path: &str) {
        self.world.0.lock().unwrap().hung.push(path.to_owned());
    }

    /// Blocks until a request has arrived there.
    pub(crate) fn wait_for(&self, path: &str) {
        let (world, changed) = &*self.world;
        let has_none = |world: &mut World| world.requests.iter().all(|request| !request.contains(path));
        drop(changed.wait_while(world.lock().unwrap(), has_none).unwrap());
    }

    /// What was sent there by POST and DELETE.
    pub(crate) fn taken(&self, path: &str) -> Vec<Value> {
        let bodies = &self.world.0.lock().unwrap().bodies;
        bodies.iter().filter(|(known, _)| known == path).map(|(_, body)| body.clone()).collect()
    }

    /// Answers GET of that path as if there was nothing.
    pub(crate) fn forget(&self, path: &str) {
        self.world.0.lock().unwrap().answers.remove(path);
    }

    /// Knows no path that begins so, as of a kind that is not installed.
    pub(crate) fn unknown(&self, prefix: &str) {
        self.world.0.lock().unwrap().unserved = Some(prefix.to_owned());
    }

    /// Forbids GET of that path from now on.
    pub(crate) fn forbid(&self, path: &str) {
        self.world.0.lock().unwrap().forbidden.push(path.to_owned());
    }

    /// Paths that begin so are answered as a storage server does, from these files.
    pub(crate) fn store(&self, prefix: &str, files: impl IntoIterator<Item = (String, Vec<u8>)>) {
        let world = &mut *self.world.0.lock().unwrap();
        world.storage = Some(prefix.to_owned());
        world.files = files.into_iter().collect();
    }

    /// Every request, as `METHOD path?query`.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.world.0.lock().unwrap().requests.clone()
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Every request that could change something, as `METHOD path?query`.
    pub(crate) fn writes(&self) -> Vec<String> {
        let requests = &self.world.0.lock().unwrap().requests;
        requests.iter().filter(|request| !request.starts_with("GET ")).cloned().collect()
    }

    /// What was sent with each PATCH.
    pub(crate) fn patches(&self) -> Vec<Value> {
        self.world.0.lock().unwrap().patches.clone()
    }

    /// Blocks until a write has arrived.
    pub(crate) fn wait_for_write(&self) {
        let (world, changed) = &*self.world;
        let has_none = |world: &mut World| world.requests.iter().all(|request| request.starts_with("GET "));
        drop(changed.wait_while(world.lock().unwrap(), has_none).unwrap());
    }

    fn create(&self, path: &str, suspend: bool) {
        let (namespace, name) = path.split_once('/').unwrap();
        let mut world = self.world.0.lock().unwrap();
        world.version += 1;
        let version = world.version.to_string();
        let snippet = json!({
            "apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet",
            "metadata": {"namespace": namespace, "name": name, "generation": 1, "resourceVersion": version},
            "spec": {"suspend": suspend},
        });
        world.snippets.insert(path.to_owned(), snippet);
    }

    fn serve(&self, stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        let mut stream = stream;
        loop {
            let mut start = String::new();
            reader.read_line(&mut start).ok().filter(|read| *read > 0)?;
            let mut length = 0;
            loop {
                let mut header = String::new();
                reader.read_line(&mut header).ok()?;
                if header.trim().is_empty() {
                    break;
                }
                if let Some(value) = header.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().ok()?;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).ok()?;
            let mut words = start.split_whitespace();
            let (method, target) = (words.next()?, words.next()?);
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            {
                let (world, changed) = &*self.world;
                world.lock().unwrap().requests.push(format!("{method} {target}"));
                changed.notify_all();
            }
            if self.world.0.lock().unwrap().unserved.as_ref().is_some_and(|prefix| path.starts_with(prefix)) {
                let head =
                    "HTTP/1.1 404 X\r\ncontent-type: text/plain\r\ncontent-length: 19\r\n\r\n404 page not found\n";
                stream.write_all(head.as_bytes()).ok()?;
                continue;
            }
            if self.world.0.lock().unwrap().hung.iter().any(|known| known == path) {
                let (world, changed) = &*self.world;
                drop(changed.wait_while(world.lock().unwrap(), |_| true));
            }
            if query.contains("watch=true") {
                return self.watch(&mut stream, query);
            }
            if let Some((code, bytes)) = self.file(path) {
                let head = format!("HTTP/1.1 {code} X\r\ncontent-length: {}\r\n\r\n", bytes.len());
                stream.write_all(head.as_bytes()).ok()?;
                if method != "HEAD" {
                    stream.write_all(&bytes).ok()?;
                }
                continue;
            }
            let known = {
                let world = self.world.0.lock().unwrap();
                let is_open = method == "GET" && !world.forbidden.iter().any(|known| known == path);
                world.answers.get(path).cloned().filter(|_| is_open)
            };
            let posted = {
                let world = &mut *self.world.0.lock().unwrap();
                let posted = world.posted.get(path).cloned().filter(|_| matches!(method, "POST" | "DELETE"));
                if posted.is_some() {
                    world.bodies.push((path.to_owned(), serde_json::from_slice(&body).unwrap_or_default()));
                }
                posted
            };
            let (code, text) = match known {
                Some(text) => (200, text),
                None if posted.is_some() => posted.unwrap(),
                None => {
                    let (code, answer) = self.answer(method, path, query, &body);
                    (code, answer.to_string())
                }
            };
            let head = format!(
                "HTTP/1.1 {code} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                text.len()
            );
            stream.write_all(head.as_bytes()).ok()?;
            stream.write_all(text.as_bytes()).ok()?;
        }
    }

    fn file(&self, path: &str) -> Option<(u16, Vec<u8>)> {
        let world = self.world.0.lock().unwrap();
        let name = path.strip_prefix(world.storage.as_ref()?)?;
        Some(world.files.get(name).map_or((404, Vec::new()), |bytes| (200, bytes.clone())))
    }

    fn answer(&self, method: &str, path: &str, query: &str, body: &[u8]) -> (u16, Value) {
        match self.mood {
            Mood::Unauthorized => return status(401, "Unauthorized", ""),
            Mood::Forbids => return status(403, "jsonnetsnippets is forbidden: User \"ann\" cannot list", ""),
            Mood::ForbidsWrites if method != "GET" => {
                return status(403, "jsonnetsnippets is forbidden: User \"ann\" cannot patch", "web");
            }
            _ => {}
        }
        if method == "GET" && self.world.0.lock().unwrap().forbidden.iter().any(|known| known == path) {
            return status(403, "forbidden: User \"ann\" cannot", "");
        }
        if path.contains("/proxy/") {
            return status(503, "no endpoints available for service", "jaas-storage");
        }
        if path == "/api/v1/namespaces/kube-system" {
            return (
                200,
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system", "uid": "6d1f0c1e"}}),
            );
        }
        if method == "POST" && path.ends_with("subjectaccessreviews") {
            let mut review: Value = serde_json::from_slice(body).unwrap();
            review["status"] = json!({"allowed": review["spec"]["resourceAttributes"]["verb"] != "patch"});
            return (201, review);
        }
        if method == "POST" && path.ends_with("/events") {
            return (201, serde_json::from_slice(body).unwrap());
        }
        if path.ends_with("/deployments") {
            let pod = json!({"spec": {"containers": [{"name": "operator", "image": "ghcr.io/metio/jaas:2026.8.18"}]}});
            let item = json!({"metadata": {"namespace": "jaas-system", "name": "jaas"},
                "spec": {"replicas": 2, "selector": {}, "template": pod}, "status": {"readyReplicas": 2}});
            return (200, json!({"metadata": {"resourceVersion": "1"}, "items": [item]}));
        }
        let namespace = path.split("/namespaces/").nth(1).and_then(|rest| rest.split('/').next());
        if method == "PATCH" {
            self.world.0.lock().unwrap().patches.push(serde_json::from_slice(body).unwrap());
            let key = format!("{}/{}", namespace.unwrap_or_default(), path.rsplit('/').next().unwrap_or_default());
            if self.mood == Mood::Conflicts {
                return status(409, "the object has been modified", &key);
            }
            return self.patch(&key, query, &serde_json::from_slice(body).unwrap());
        }
        let (kind, name) = path.rsplit_once('/').unwrap_or_default();
        if kind.ends_with("/jsonnetsnippets") {
            let key = format!("{}/{name}", namespace.unwrap_or_default());
            let found = self.world.0.lock().unwrap().snippets.get(&key).cloned();
            return found.map_or_else(|| status(404, "not found", name), |snippet| (200, snippet));
        }
        if !path.ends_with("/jsonnetsnippets") {
            let is_list = ["pods", "events", "externalartifacts"].iter().any(|plural| path.ends_with(plural));
            return if is_list { (200, json!({"metadata": {}, "items": []})) } else { status(404, "not found", name) };
        }
        let world = self.world.0.lock().unwrap();
        let is_meant = |key: &&String| namespace.is_none_or(|namespace| key.starts_with(&format!("{namespace}/")));
        let items: Vec<_> = world.snippets.iter().filter(|(key, _)| is_meant(key)).map(|(_, item)| item).collect();
        (200, json!({"metadata": {"resourceVersion": world.version.to_string()}, "items": items}))
    }

    fn patch(&self, key: &str, query: &str, patch: &Value) -> (u16, Value) {
        let (world, changed) = &*self.world;
        let world = &mut *world.lock().unwrap();
        let Some(snippet) = world.snippets.get(key) else { return status(404, "not found", key) };
        let mut snippet = snippet.clone();
        if query.contains("dryRun=All") {
            return (200, snippet);
        }
        world.version += 1;
        if patch["metadata"]["annotations"].is_object() {
            snippet["metadata"]["annotations"] = patch["metadata"]["annotations"].clone();
        }
        if patch["spec"].is_object() {
            snippet["spec"]["suspend"] = json!(patch["spec"]["suspend"] == true);
            snippet["metadata"]["generation"] = json!(snippet["metadata"]["generation"].as_i64().unwrap() + 1);
        }
        snippet["metadata"]["resourceVersion"] = json!(world.version.to_string());
        let asked = snippet.clone();
        world.events.push(json!({"type": "MODIFIED", "object": asked.clone()}));
        world.version += 1;
        snippet["metadata"]["resourceVersion"] = json!(world.version.to_string());
        if self.mood == Mood::Answers {
            snippet["status"] = answer(&snippet);
            world.events.push(json!({"type": "MODIFIED", "object": snippet.clone()}));
        }
        if self.mood == Mood::Deletes {
            world.events.push(json!({"type": "DELETED", "object": snippet.clone()}));
        }
        world.snippets.insert(key.to_owned(), snippet);
        changed.notify_all();
        (200, asked)
    }

    /// Sends every event that is younger than the version asked for, for as long as the client listens.
    fn watch(&self, stream: &mut TcpStream, query: &str) -> Option<()> {
        let from =
            query.split('&').find_map(|pair| pair.strip_prefix("resourceVersion=")).and_then(|it| it.parse().ok());
        let from: u64 = from.unwrap_or(0);
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
            .ok()?;
        let (world, changed) = &*self.world;
        let mut sent = 0;
        loop {
            let guard = changed.wait_while(world.lock().unwrap(), |world| world.events.len() == sent).unwrap();
            let news = guard.events[sent..].to_vec();
            sent = guard.events.len();
            drop(guard);
            for event in news {
                let version = event["object"]["metadata"]["resourceVersion"].as_str().and_then(|it| it.parse().ok());
                if version.unwrap_or(0) > from {
                    let line = format!("{event}\n");
                    stream.write_all(format!("{:x}\r\n{line}\r\n", line.len()).as_bytes()).ok()?;
                }
            }
        }
    }
}

/// The status that an operator writes for a request.
fn answer(snippet: &Value) -> Value {
    let is_bad = snippet["metadata"]["name"].as_str().unwrap_or_default().starts_with("bad");
    let (ready, reason, message) = match (snippet["spec"]["suspend"] == true, is_bad) {
        (true, _) => ("False", "Suspended", "spec.suspend is true"),
        (_, true) => ("False", "EvaluationFailed", "main.jsonnet:1:1: boom"),
        _ => ("True", "Synced", "published"),
    };
    json!({
        "observedGeneration": snippet["metadata"]["generation"],
        "lastHandledReconcileAt": snippet["metadata"]["annotations"]["reconcile.fluxcd.io/requestedAt"],
        "conditions": [{"type": "Ready", "status": ready, "reason": reason, "message": message,
            "lastTransitionTime": "2026-11-22T14:33:01Z"}]
    })
}

fn status(code: u16, message: &str, name: &str) -> (u16, Value) {
    let details = json!({"name": name, "group": "jaas.metio.wtf", "kind": "jsonnetsnippets"});
    let reason = if code == 404 { "NotFound" } else { "" };
    let value = json!({"kind": "Status", "reason": reason, "apiVersion": "v1", "status": "Failure", "message": message, "code": code, "details": details});
    (code, value)
}
