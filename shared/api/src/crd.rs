//! The CustomResourceDefinitions, generated from the Rust types. Pure.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::Value;

use crate::library::LibraryDefinition;
use crate::snippet::SnippetDefinition;

/// The definitions of both kinds, in the order in which they are documented.
///
/// # Errors
/// Only if the generated definitions were no valid JSON for their own type, which a test excludes.
pub fn definitions() -> Result<Vec<CustomResourceDefinition>, serde_json::Error> {
    [SnippetDefinition::crd(), LibraryDefinition::crd()].into_iter().map(adjust).collect()
}

/// Adjusts what the derive macro writes to what the Go implementation's definitions say.
fn adjust(crd: CustomResourceDefinition) -> Result<CustomResourceDefinition, serde_json::Error> {
    let mut crd = serde_json::to_value(crd)?;
    if let Some(versions) = crd.pointer_mut("/spec/versions").and_then(Value::as_array_mut) {
        for schema in versions.iter_mut().filter_map(|version| version.pointer_mut("/schema/openAPIV3Schema")) {
            // An object without `spec` is admitted; the reconcile answers it with a reason.
            if let Some(root) = schema.as_object_mut() {
                root.remove("required");
            }
            drop_nullable(schema);
        }
    }
    serde_json::from_value(crd)
}

/// A field that may be `null` keeps the `null`, and then `has()` in our own rules says yes to a value that has no size.
fn drop_nullable(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if map.get("nullable") == Some(&Value::Bool(true)) {
                map.remove("nullable");
            }
            if let Some(Value::Array(values)) = map.get_mut("enum") {
                values.retain(|value| !value.is_null());
            }
            map.values_mut().for_each(drop_nullable);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nullable),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_name_both_kinds() {
        let names: Vec<_> = definitions()
            .into_iter()
            .flatten()
            .map(|crd| (crd.spec.names.kind, crd.spec.names.short_names.unwrap_or_default()))
            .collect();
        assert_eq!(
            names,
            [
                ("JsonnetSnippet".to_owned(), vec!["jsnip".to_owned()]),
                ("JsonnetLibrary".to_owned(), vec!["jlib".to_owned()])
            ]
        );
    }

    #[test]
    fn an_object_without_spec_can_be_read() {
        let snippet: crate::JsonnetSnippet =
            serde_json::from_value(serde_json::json!({"metadata": {"name": "a", "namespace": "b"}}))
                .unwrap_or_default();
        assert_eq!(snippet.metadata.name.as_deref(), Some("a"));
        assert_eq!(snippet.spec, crate::snippet::SnippetSpec::default());
    }
}
