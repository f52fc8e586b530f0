//! Implements [`kube::Resource`] for a namespaced kind.

/// Why not the struct that `CustomResource` derives: it cannot be read from an object without `spec`, which the Go
/// implementation's definition admits, and one such object would make every list of the kind unreadable.
macro_rules! namespaced_resource {
    ($kind:ident, $group:expr, $version:expr, $plural:expr, $spec:ty, $status:ty) => {
        impl kube::Resource for $kind {
            type DynamicType = ();
            type Scope = k8s_openapi::NamespaceResourceScope;

            fn kind(_: &()) -> std::borrow::Cow<'_, str> {
                stringify!($kind).into()
            }
            fn group(_: &()) -> std::borrow::Cow<'_, str> {
                $group.into()
            }
            fn version(_: &()) -> std::borrow::Cow<'_, str> {
                $version.into()
            }
            fn plural(_: &()) -> std::borrow::Cow<'_, str> {
                $plural.into()
            }
            fn meta(&self) -> &kube::core::ObjectMeta {
                &self.metadata
            }
            fn meta_mut(&mut self) -> &mut kube::core::ObjectMeta {
                &mut self.metadata
            }
        }

        impl $kind {
            /// An object of this kind as a client would create it.
            pub fn new(namespace: &str, name: &str, spec: $spec) -> Self {
                Self {
                    api_version: Some(format!("{}/{}", $group, $version)),
                    kind: Some(stringify!($kind).to_owned()),
                    metadata: kube::core::ObjectMeta {
                        namespace: Some(namespace.to_owned()),
                        name: Some(name.to_owned()),
                        ..Default::default()
                    },
                    spec,
                    status: None,
                }
            }
        }
    };
}

pub(crate) use namespaced_resource;
