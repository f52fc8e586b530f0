//! `render` of files, without any cluster.

use std::io::Write as _;

use super::plugin::{Plugin, Ran};

fn render(ending: &str, text: &str, flags: &str) -> Ran {
    let mut file = tempfile::Builder::new().suffix(ending).tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    Plugin::without_server().run(&format!("render {} {flags}", file.path().display()))
}

const SNIPPET: &str = "\
kind: JsonnetSnippet
metadata: {name: web, namespace: team-a}
spec:
  files: {main.jsonnet: \"{x: (import 'l/x').y, r: std.extVar('region')}\"}
  libraries: [{kind: JsonnetLibrary, name: lib, importPath: l}]
---
kind: JsonnetLibrary
metadata: {name: lib}
spec: {files: {x: '{y: 1}'}}
";

#[test]
fn a_file_is_rendered_byte_for_byte() {
    let ran = render(".yaml", SNIPPET, "--ext-var region=eu");
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    let value: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(value, serde_json::json!({"x": 1, "r": "eu"}));
    let program = render(".jsonnet", "1 + 1", "");
    assert_eq!((program.code, program.stdout.as_str()), (0, "2\n"));
}

#[test]
fn figures_come_instead_of_the_text() {
    let stats = render(".jsonnet", "{small: 1, large: 'aaaaaaaaaaaaaaaaaaaa'}", "--stats");
    assert!(stats.stdout.contains("ENTRY  BYTES\nlarge  22\nsmall  1\n"), "{}", stats.stdout);
    let document = render(".jsonnet", "1", "--time --runs 3 -o json").document();
    assert_eq!(document["rendered"]["seconds"].as_array().unwrap().len(), 3);
}

#[test]
fn what_does_not_evaluate_is_4_and_endless_ones_end() {
    let wrong = render(".jsonnet", "error 'no'", "");
    assert_eq!((wrong.code, wrong.stdout.as_str()), (4, ""));
    assert!(wrong.stderr.contains("no"), "{}", wrong.stderr);
    let endless = "local f(n) = if n == 0 then 0 else f(n - 1) tailstrict; std.foldl(function(a, b) f(400), std.range(1, 1e9), 0)";
    let endless = render(".jsonnet", endless, "--evaluation-timeout 1s");
    assert_eq!(endless.code, 4, "{endless:?}");
}

#[test]
fn files_from_flux_need_the_server_and_wrong_files_are_2() {
    let flux = "kind: JsonnetSnippet\nmetadata: {name: web}\nspec: {sourceRef: {kind: GitRepository, name: g}}";
    assert_eq!(render(".yaml", flux, "").code, 8);
    assert_eq!(render(".yaml", "kind: ConfigMap", "").code, 2);
    assert_eq!(Plugin::without_server().run("render ./nope.yaml").code, 2);
}
