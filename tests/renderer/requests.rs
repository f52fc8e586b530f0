//! Routes, statuses and bodies, request by request.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;

use super::raw::{ask, get};
use super::{renderer, write};

const FILES: [(&str, &str); 14] = [
    ("snippets/empty/main.jsonnet", "{}"),
    ("snippets/deep/er/main.jsonnet", "{ deep: [1, true] }"),
    ("snippets/with space/main.jsonnet", "'ä'"),
    (
        "snippets/hello/main.jsonnet",
        "function(name='nobody', rest=[]) { hello: name, rest: rest, type: std.type(name) }",
    ),
    ("snippets/needs/main.jsonnet", "function(name) { name: name }"),
    ("snippets/broken/main.jsonnet", "{ a: error 'secret words' }"),
    ("snippets/syntax/main.jsonnet", "{ a: "),
    ("snippets/variables/main.jsonnet", "[std.extVar(name) for name in ['a', 'b', 'c', 'd']]"),
    (
        "snippets/imports/main.jsonnet",
        "[import 'beside.libsonnet', import 'lib/x.libsonnet', importstr '../shared.txt']",
    ),
    ("snippets/imports/beside.libsonnet", "'beside'"),
    ("snippets/shared.txt", "shared"),
    ("snippets/climbs/main.jsonnet", "importstr '../../secret.txt'"),
    ("secret.txt", "secret words"),
    ("single.jsonnet", "{ file: std.thisFile }"),
];

const LIBRARIES: [(&str, &str); 2] =
    [("first/lib/x.libsonnet", "'of the first'"), ("last/lib/x.libsonnet", "'of the last'")];

#[tokio::test]
async fn each_request_has_the_status_and_the_body_of_the_contract() {
    let files = [&FILES[..], &LIBRARIES[..]].concat();
    let args = [
        "--snippet-directory=later",
        "--snippet=single.jsonnet",
        "--snippet=gone.jsonnet",
        "--library-path=first",
        "--library-path=missing",
        "--library-path=last",
        "--ext-var=b=flag",
        "--ext-var=c==x",
    ];
    let env = [("JAAS_EXT_VAR_a", "env"), ("JAAS_EXT_VAR_b", "env"), ("JAAS_EXT_VAR_d", "")];
    let renderer = renderer(&files, &args, &env).await;
    let port = renderer.port();

    // Documents, byte by byte.
    for (path, body) in [
        ("/jsonnet/empty", "{ }\n"),
        ("/jsonnet/empty/", "{ }\n"),
        ("/jsonnet/empty?unused=1", "{ }\n"),
        ("/jsonnet/deep/er", "{\n   \"deep\": [\n      1,\n      true\n   ]\n}\n"),
        ("/jsonnet/deep%2Fer", "{\n   \"deep\": [\n      1,\n      true\n   ]\n}\n"),
        ("/jsonnet/with%20space", "\"ä\"\n"),
        ("/jsonnet/hello", "{\n   \"hello\": \"nobody\",\n   \"rest\": [ ],\n   \"type\": \"string\"\n}\n"),
        ("/jsonnet/hello?name=x", "{\n   \"hello\": \"x\",\n   \"rest\": [ ],\n   \"type\": \"string\"\n}\n"),
        ("/jsonnet/hello?name", "{\n   \"hello\": \"\",\n   \"rest\": [ ],\n   \"type\": \"string\"\n}\n"),
        (
            "/jsonnet/hello?name=1%2B1&bad=%zz",
            "{\n   \"hello\": \"1+1\",\n   \"rest\": [ ],\n   \"type\": \"string\"\n}\n",
        ),
        (
            "/jsonnet/hello?rest=a+b&rest=%22&name=x",
            "{\n   \"hello\": \"x\",\n   \"rest\": [\n      \"a b\",\n      \"\\\"\"\n   ],\n   \"type\": \"string\"\n}\n",
        ),
        ("/jsonnet/variables", "[\n   \"env\",\n   \"flag\",\n   \"=x\",\n   \"\"\n]\n"),
        ("/jsonnet/imports", "[\n   \"beside\",\n   \"of the last\",\n   \"shared\"\n]\n"),
        ("/jsonnet/single.jsonnet", "{\n   \"file\": \"single.jsonnet\"\n}\n"),
    ] {
        let answer = get(port, path).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, body), "{path}: {answer:?}");
        assert_eq!(answer.field("content-type"), "application/json", "{path}");
        assert_eq!(answer.field("content-length"), body.len().to_string(), "{path}");
    }

    // Problems.
    for (path, status, code) in [
        ("/jsonnet/", 404, "snippet_not_found"),
        ("/jsonnet/nothing", 404, "snippet_not_found"),
        ("/jsonnet/deep", 404, "snippet_not_found"),
        ("/jsonnet/empty/main.jsonnet", 404, "snippet_not_found"),
        ("/jsonnet/%2e%2e/secret.txt", 404, "snippet_not_found"),
        ("/jsonnet/%2e%2e%2fsnippets%2fempty", 404, "snippet_not_found"),
        ("/jsonnet/%2Fetc%2Fpasswd", 404, "snippet_not_found"),
        ("/jsonnet/a%00b", 404, "snippet_not_found"),
        ("/jsonnet/%ff", 404, "snippet_not_found"),
        ("/jsonnet/broken", 400, "evaluation_failed"),
        ("/jsonnet/syntax", 400, "evaluation_failed"),
        ("/jsonnet/needs", 400, "evaluation_failed"),
        ("/jsonnet/hello?other=1", 400, "evaluation_failed"),
        ("/jsonnet/gone.jsonnet", 400, "evaluation_failed"),
        ("/jsonnet/climbs", 400, "evaluation_failed"),
    ] {
        let answer = get(port, path).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{path}: {answer:?}");
        assert!(!answer.body.contains("secret words"), "{answer:?}");
        assert_eq!(answer.field("content-length"), answer.body.len().to_string(), "{path}");
    }
    assert_eq!(
        get(port, "/jsonnet/a%22b").await.json(),
        json!({
            "type": "https://jaas.projects.metio.wtf/errors/snippet_not_found", "title": "Snippet not found", "status": 404,
            "detail": "snippet \"a\\\"b\" not found", "code": "snippet_not_found", "snippet": "a\"b",
        })
    );
    assert_eq!(get(port, "/jsonnet/").await.json().get("snippet"), None);
    assert_eq!(
        get(port, "/jsonnet/broken").await.json(),
        json!({
            "type": "https://jaas.projects.metio.wtf/errors/evaluation_failed", "title": "Jsonnet evaluation failed", "status": 400,
            "detail": "evaluation failed", "code": "evaluation_failed", "snippet": "broken",
        })
    );
    assert!(renderer.process().log().contains("secret words"), "the log says what clients are not told");

    // Methods, of which only GET renders. They are judged before the snippet.
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
        for path in ["/jsonnet/empty", "/jsonnet/nothing", "/jsonnet/"] {
            let answer = ask(port, method, path).await;
            assert_eq!((answer.status, answer.code().as_str()), (405, "method_not_allowed"), "{method} {path}");
            assert_eq!((answer.field("allow"), answer.json().get("snippet")), ("GET", None), "{method} {path}");
        }
        assert_eq!(ask(port, method, "/other").await.status, 404, "{method}");
    }
    let head = ask(port, "HEAD", "/jsonnet/empty").await;
    assert_eq!((head.status, head.field("allow"), head.body.as_str()), (405, "GET", ""));
    assert!(matches!(ask(port, "CONNECT", "renderer:80").await.status, 400 | 404 | 405));

    // What is no snippet at all, and other spellings.
    for path in ["/", "/other", "/jsonnetx/empty", "/start", "/ready", "/live", "/metrics", "/favicon.ico"] {
        let answer = get(port, path).await;
        assert_eq!((answer.status, answer.body.as_str()), (404, "404 page not found\n"), "{path}");
        assert_eq!(answer.field("content-type"), "text/plain; charset=utf-8", "{path}");
    }
    for (path, place) in [
        ("/jsonnet", "/jsonnet/"),
        ("/jsonnet?a=b", "/jsonnet/?a=b"),
        ("/jsonnet/../x", "/x"),
        ("/jsonnet/./empty?a=%20", "/jsonnet/empty?a=%20"),
        ("/jsonnet//empty", "/jsonnet/empty"),
        ("//jsonnet/../../etc/passwd", "/etc/passwd"),
        ("//evil.example/x", "/evil.example/x"),
        ("/./%5cevil.example", "/%5cevil.example"),
    ] {
        let answer = get(port, path).await;
        assert_eq!((answer.status, answer.field("location")), (307, place), "{path}: {answer:?}");
    }
    assert_eq!(get(port, "/jsonnet/%zz").await.status, 400);

    // Names and queries of any length.
    let long = "x".repeat(5000);
    assert_eq!(get(port, &format!("/jsonnet/{long}")).await.code(), "snippet_not_found");
    let query = format!("/jsonnet/hello?name={}", "y".repeat(60_000));
    assert_eq!(get(port, &query).await.json()["hello"].as_str().unwrap().len(), 60_000);
    let pairs = (0..8000).map(|n| format!("rest={n}")).collect::<Vec<_>>().join("&");
    let answer = get(port, &format!("/jsonnet/hello?{}", &pairs[..60_000])).await;
    assert_eq!(answer.status, 200);
    assert!(answer.json()["rest"].as_array().unwrap().len() > 6000);
    let huge = get(port, &format!("/jsonnet/hello?name={}", "z".repeat(100_000))).await;
    assert!(matches!(huge.status, 414 | 431), "{}", huge.status);
    assert_eq!(get(port, "/jsonnet/empty").await.status, 200, "and nothing is the worse for it");

    let metrics = jaas_tests::http::get(&renderer.metrics_url()).await.unwrap().text();
    for series in [
        r#"jaas_renderer_http_requests_total{method="GET",code="400"}"#,
        r#"jaas_renderer_http_requests_total{method="HEAD",code="405"}"#,
        r#"jaas_renderer_http_requests_total{method="other",code="405"}"#,
        r#"jaas_eval_duration_seconds_count{result="rendered"}"#,
    ] {
        assert!(metrics.contains(series), "{series} is not in\n{metrics}");
    }
}

#[tokio::test]
async fn files_are_read_anew_and_no_link_leads_out() {
    let renderer = renderer(&FILES, &["--snippet-directory=later"], &[]).await;
    let (port, folder) = (renderer.port(), renderer.directory());
    assert_eq!(get(port, "/jsonnet/new").await.status, 404);
    write(&folder, "later/new/main.jsonnet", "1").unwrap();
    assert_eq!(get(port, "/jsonnet/new").await.body, "1\n", "a folder that was not there at the start");
    write(&folder, "later/new/main.jsonnet", "2").unwrap();
    assert_eq!(get(port, "/jsonnet/new").await.body, "2\n");
    write(&folder, "snippets/new/main.jsonnet", "3").unwrap();
    assert_eq!(get(port, "/jsonnet/new").await.body, "3\n", "the first folder comes first");
    fs::remove_dir_all(folder.join("snippets/new")).unwrap();
    assert_eq!(get(port, "/jsonnet/new").await.body, "2\n");

    // As the kubelet swaps a ConfigMap.
    write(&folder, "later/map/..1/main.jsonnet", "'one'").unwrap();
    write(&folder, "later/map/..2/main.jsonnet", "'two'").unwrap();
    symlink("..1", folder.join("later/map/..data")).unwrap();
    symlink("..data/main.jsonnet", folder.join("later/map/main.jsonnet")).unwrap();
    assert_eq!(get(port, "/jsonnet/map").await.body, "\"one\"\n");
    symlink("..2", folder.join("later/map/..next")).unwrap();
    fs::rename(folder.join("later/map/..next"), folder.join("later/map/..data")).unwrap();
    assert_eq!(get(port, "/jsonnet/map").await.body, "\"two\"\n");

    write(&folder, "outside/main.jsonnet", "'secret words'").unwrap();
    symlink("../outside", folder.join("later/relative")).unwrap();
    symlink(folder.join("outside"), folder.join("later/absolute")).unwrap();
    fs::create_dir(folder.join("later/file")).unwrap();
    symlink("../../outside/main.jsonnet", folder.join("later/file/main.jsonnet")).unwrap();
    for name in ["relative", "absolute", "file"] {
        assert_eq!(get(port, &format!("/jsonnet/{name}")).await.code(), "snippet_not_found", "{name}");
    }
    write(&folder, "later/linked/main.jsonnet", "import 'main.libsonnet'").unwrap();
    symlink("../../outside/main.jsonnet", folder.join("later/linked/main.libsonnet")).unwrap();
    let answer = get(port, "/jsonnet/linked").await;
    assert_eq!(answer.code(), "evaluation_failed");
    assert!(!renderer.process().log().contains("secret words"));
    fs::remove_file(folder.join("later/linked/main.libsonnet")).unwrap();
    write(&folder, "later/linked/main.libsonnet", "'inside'").unwrap();
    assert_eq!(get(port, "/jsonnet/linked").await.body, "\"inside\"\n");
}

#[tokio::test]
async fn another_word_may_stand_before_the_names() {
    let renderer = renderer(&FILES, &["--jsonnet-endpoint-path=v1.render_x-y"], &[]).await;
    assert_eq!(get(renderer.port(), "/v1.render_x-y/empty").await.body, "{ }\n");
    assert_eq!(get(renderer.port(), "/jsonnet/empty").await.body, "404 page not found\n");
}
