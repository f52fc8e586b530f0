//! What a call does to which objects, as messages and RBAC rules need it. Pure.

use std::fmt;

/// A call to the API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    verb: &'static str,
    group: &'static str,
    resource: &'static str,
    needs: &'static [&'static str],
    namespace: Option<String>,
    name: Option<String>,
    way_out: Option<&'static str>,
}

impl Call {
    /// The API group of the resource.
    pub(crate) fn group(&self) -> &'static str {
        self.group
    }

    /// A call on a resource. `needs` are all verbs that the command will want of it, so that a person who lacks
    /// rights learns of all at once.
    pub(crate) fn new(
        verb: &'static str,
        group: &'static str,
        resource: &'static str,
        needs: &'static [&'static str],
    ) -> Self {
        Self { verb, group, resource, needs, namespace: None, name: None, way_out: None }
    }

    /// The same call in one namespace, or in all for `None`.
    pub(crate) fn within(mut self, namespace: Option<&str>) -> Self {
        self.namespace = namespace.map(str::to_owned);
        self
    }

    /// The same call on one object.
    pub(crate) fn named(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// The same call, and what helps whoever may not make it, other than the right.
    pub(crate) fn or_else(mut self, way_out: &'static str) -> Self {
        self.way_out = Some(way_out);
        self
    }

    /// The watch that follows a list.
    pub(crate) fn watching(&self) -> Self {
        Self { verb: "watch", ..self.clone() }
    }

    /// Resource and group, as kubectl takes them.
    pub(crate) fn kind(&self) -> String {
        match self.group {
            "" => self.resource.to_owned(),
            group => format!("{}.{group}", self.resource),
        }
    }

    /// The smallest rule that allows the call, and where it must stand.
    pub(crate) fn missing_rule(&self) -> String {
        let place = match &self.namespace {
            Some(namespace) => format!("a Role in namespace `{namespace}`"),
            None => "a ClusterRole".to_owned(),
        };
        let rule = rule(&place, self.group, self.resource, self.needs);
        match self.way_out {
            Some(way_out) => format!("{way_out}; or {rule}"),
            None => rule,
        }
    }
}

/// A rule as YAML, with a first line that says where it belongs.
pub(super) fn rule(place: &str, group: &str, resource: &str, verbs: &[&str]) -> String {
    let verbs = verbs.iter().map(|verb| format!("\"{verb}\"")).collect::<Vec<_>>().join(", ");
    format!(
        "this rule is missing, in {place} that is bound to you:\n  rules:\n    - apiGroups: [\"{group}\"]\n      \
         resources: [\"{resource}\"]\n      verbs: [{verbs}]"
    )
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        match (&self.namespace, &self.name) {
            (Some(namespace), Some(name)) => write!(f, " `{namespace}/{name}`"),
            (Some(namespace), None) => write!(f, " in namespace `{namespace}`"),
            (None, Some(name)) => write!(f, " `{name}`"),
            (None, None) => write!(f, " in all namespaces"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_names_operation_and_object() {
        let call = Call::new("patch", "jaas.metio.wtf", "jsonnetsnippets", &["patch"]).within(Some("a"));
        assert_eq!(call.to_string(), "patch jsonnetsnippets in namespace `a`");
        assert_eq!(call.named("web").to_string(), "patch jsonnetsnippets `a/web`");
    }

    #[test]
    fn the_missing_rule_is_yaml_of_the_least_that_helps() {
        let call = Call::new("list", "jaas.metio.wtf", "jsonnetsnippets", &["list", "watch"]).within(Some("a"));
        assert_eq!(
            call.missing_rule(),
            "this rule is missing, in a Role in namespace `a` that is bound to you:\n  rules:\n    \
             - apiGroups: [\"jaas.metio.wtf\"]\n      resources: [\"jsonnetsnippets\"]\n      \
             verbs: [\"list\", \"watch\"]"
        );
    }
}
