#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::evaluate::evaluate;
use crate::evaluate::tests::request;
use crate::request::{Failure, Output, Rendered};

fn manifests(code: &str) -> Result<Rendered, Failure> {
    let prelude =
        "local object(kind, name, more={}) = { apiVersion: 'v1', kind: kind, metadata: { name: name } } + more; ";
    let mut request = request(&format!("{prelude}{code}"));
    request.output = Output::Manifests { allow_empty: false };
    evaluate(&request)
}

/// `Kind name` of each document.
fn check(code: &str, expected: &[&str]) {
    let rendered = manifests(code).unwrap();
    let text = String::from_utf8(rendered.bytes).unwrap();
    let field = |document: &str, name: &str| {
        let (_, rest) = document.split_once(&format!("\"{name}\": \"")).unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    };
    let found: Vec<_> = text
        .split("---\n")
        .skip(1)
        .map(|document| format!("{} {}", field(document, "kind"), field(document, "name")))
        .collect();
    assert_eq!(found, expected, "{code}");
    assert_eq!(rendered.objects, Some(u32::try_from(expected.len()).unwrap()));
}

fn refused(code: &str, expected: &str) {
    assert_eq!(manifests(code), Err(Failure::InvalidManifests(expected.to_owned())), "{code}");
}

#[test]
fn each_object_is_one_document() {
    assert_eq!(
        manifests("[object('Service', 'b'), object('ConfigMap', 'a', { data: {} })]"),
        Ok(Rendered {
            bytes: concat!(
                "---\n{\n   \"apiVersion\": \"v1\",\n   \"data\": { },\n   \"kind\": \"ConfigMap\",\n",
                "   \"metadata\": {\n      \"name\": \"a\"\n   }\n}\n",
                "---\n{\n   \"apiVersion\": \"v1\",\n   \"kind\": \"Service\",\n",
                "   \"metadata\": {\n      \"name\": \"b\"\n   }\n}\n",
            )
            .into(),
            objects: Some(2),
        })
    );
}

#[test]
fn objects_are_found_in_arrays_and_objects_at_any_depth() {
    check("object('A', 'top')", &["A top"]);
    check("{ x: { y: [[object('A', 'deep')], null] }, z: null }", &["A deep"]);
}

#[test]
fn an_object_is_not_searched() {
    check("object('Outer', 'a', { spec: { template: object('Inner', 'b') } })", &["Outer a"]);
}

#[test]
fn hidden_fields_are_not_there() {
    check("{ shown: object('A', 'a'), hidden:: object('B', 'b') }", &["A a"]);
    refused("{ x: object('A', 'a') + { metadata:: super.metadata } }", "$.x is a A without metadata.name");
    refused(
        "{ x: object('A', 'a') + { kind:: 'A' }, y: object('B', 'b') }",
        "$.x.apiVersion is a string, not a Kubernetes object\n\
         $.x.metadata.name is a string, not a Kubernetes object",
    );
}

#[test]
fn a_list_stands_for_its_items() {
    check("{ apiVersion: 'v1', kind: 'List', items: [object('B', 'b'), object('A', 'a')] }", &["A a", "B b"]);
    check(
        "[{ apiVersion: 'v1', kind: 'ServiceList', items: null, metadata: {} }, object('AllowList', 'a', { spec: {} })]",
        &["AllowList a"],
    );
    check("object('PickList', 'a', { items: 'none' })", &["PickList a"]);
}

#[test]
fn documents_are_ordered_by_group_kind_namespace_and_name() {
    check(
        "local at(space) = { metadata+: { namespace: space } };
         [object('Z', '9', { apiVersion: 'apps/v1' }), object('B', '8', at('z')), object('B', '7', at('a')),
          object('B', '6'), object('B', '5'), object('A', '4'), object('A', '3', { apiVersion: 'apps/v2' })]",
        &["A 4", "B 5", "B 6", "B 7", "B 8", "A 3", "Z 9"],
    );
}

#[test]
fn an_object_without_a_name_is_refused_with_its_path() {
    refused(
        "{ a: [1, object('Job', '')][1:], b: object('Pod', 'x') + { metadata: { generateName: 'x-' } } }",
        "$.a[0] is a Job without metadata.name\n$.b is a Pod without metadata.name",
    );
}

#[test]
fn objects_with_one_identity_are_refused_with_all_paths() {
    refused(
        "{ a: object('Deployment', 'web', { apiVersion: 'apps/v1' }),
           'b c': [object('Deployment', 'web', { apiVersion: 'apps/v1beta1' })],
           other: object('Deployment', 'web', { metadata+: { namespace: 'x' } }) }",
        "$.a, $[\"b c\"][0] are all Deployment.apps web",
    );
    refused(
        "local pod = object('Pod', 'web', { metadata+: { namespace: 'x' } }); { items: { l: [pod, pod, pod] } }",
        "$.items.l[0], $.items.l[1], $.items.l[2] are all Pod x/web",
    );
}

#[test]
fn a_value_that_cannot_be_applied_is_refused_with_its_path() {
    refused(
        "{ a: object('A', 'a'), n: 1, b: [true] }",
        "$.b[0] is a boolean, not a Kubernetes object\n$.n is a number, not a Kubernetes object",
    );
}

#[test]
fn many_findings_are_counted() {
    let Err(Failure::InvalidManifests(text)) = manifests("std.range(1, 50) + [object('A', 'a')]") else { panic!() };
    assert_eq!(text.lines().count(), 21);
    assert!(text.ends_with("\n… and 30 more"), "{text}");
}

#[test]
fn no_object_is_a_failure_unless_it_is_allowed() {
    for code in ["'text'", "{ title: 'a dashboard', panels: [1] }"] {
        assert_eq!(manifests(code), Err(Failure::NoManifests), "{code}");
    }
    for code in ["{}", "[]", "null", "{ a: [null, {}] }"] {
        assert_eq!(manifests(code), Err(Failure::NoManifests), "{code}");
        let mut request = request(code);
        request.output = Output::Manifests { allow_empty: true };
        assert_eq!(evaluate(&request), Ok(Rendered { bytes: Vec::new(), objects: Some(0) }), "{code}");
    }
}

#[test]
fn an_error_inside_of_an_object_names_its_path() {
    let Err(Failure::Evaluation(text)) = manifests("{ a: [object('A', 'a', { spec: { b: error 'no' } })] }") else {
        panic!()
    };
    assert!(text.starts_with("runtime error: no\n"), "{text}");
    assert!(text.ends_with("\n    while writing $.a[0].spec.b"), "{text}");
}

#[test]
fn an_assertion_that_fails_fails_the_evaluation() {
    for code in ["{ assert false: 'no', a: object('A', 'a') }", "object('A', 'a', { assert false: 'no' })"] {
        let Err(Failure::Evaluation(text)) = manifests(code) else { panic!("{code}") };
        assert!(text.starts_with("assert failed: no\n"), "{text}");
    }
}

#[test]
fn a_function_cannot_be_written() {
    let Err(Failure::InvalidManifests(text)) = manifests("{ a: function(x) [x], b: object('A', 'a') }") else {
        panic!()
    };
    assert_eq!(text, "$.a is a function, not a Kubernetes object");
}
