//! Finds the Kubernetes objects inside of a value.
//!
//! An object with `apiVersion` and `kind` is one, and is not searched any further; a list of objects (`kind: List` or
//! `…List`, with `items`) stands for its items. Arrays and all other objects are searched, `null` is nothing, and any
//! other value beside an object is refused, since it can only be there by mistake. Without any object the value is
//! something else altogether, such as a dashboard.

use std::collections::BTreeMap;

use jrsonnet_evaluator::{ObjValue, Val, ensure_sufficient_stack, val::ArrValue};

use crate::manifest::{self, Path, Step, Unwritable};
use crate::request::Failure;

/// How many findings a failure lists.
const LISTED: usize = 20;

/// What no two objects may share. Versions of one group are served from the same objects, so only the group counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Identity {
    group: String,
    kind: String,
    namespace: String,
    name: String,
}

struct Found {
    path: String,
    text: String,
}

/// The documents of all objects in `value` ordered by identity, and how many they are.
pub(crate) fn manifests(value: &Val, allow_empty: bool) -> Result<Result<(String, u32), Failure>, Unwritable> {
    let mut search = Search::default();
    search.value(value)?;
    let nothing = search.taken == 0;
    if nothing && !allow_empty {
        return Ok(Err(Failure::NoManifests));
    }
    Ok(search.finish())
}

#[derive(Default)]
struct Search {
    path: Vec<Step>,
    /// Objects that were met, good or bad.
    taken: u32,
    objects: BTreeMap<Identity, Vec<Found>>,
    findings: Vec<String>,
}

impl Search {
    fn value(&mut self, value: &Val) -> Result<(), Unwritable> {
        match value {
            Val::Null => Ok(()),
            Val::Arr(elements) => ensure_sufficient_stack(|| self.array(elements)),
            Val::Obj(object) => ensure_sufficient_stack(|| self.object(object)),
            Val::Bool(_) | Val::Num(_) | Val::Str(_) | Val::Func(_) => {
                self.findings.push(format!(
                    "{} is a {}, not a Kubernetes object",
                    Path(&self.path),
                    value.value_type().name()
                ));
                Ok(())
            }
        }
    }

    fn array(&mut self, elements: &ArrValue) -> Result<(), Unwritable> {
        for (index, element) in elements.iter().enumerate() {
            self.step(Step::Element(index), element)?;
        }
        Ok(())
    }

    fn object(&mut self, object: &ObjValue) -> Result<(), Unwritable> {
        object.run_assertions()?;
        let (Some(version), Some(kind)) = (text(object, "apiVersion")?, text(object, "kind")?) else {
            for (name, value) in object.iter() {
                self.step(Step::Field(name.to_string()), value)?;
            }
            return Ok(());
        };
        let items = if kind.ends_with("List") { visible(object, "items")? } else { None };
        match items {
            Some(items @ (Val::Arr(_) | Val::Null)) => self.step(Step::Field("items".to_owned()), Ok(items)),
            _ => self.take(object, &version, kind),
        }
    }

    fn step(&mut self, step: Step, value: jrsonnet_evaluator::Result<Val>) -> Result<(), Unwritable> {
        if self.path.len() == manifest::DEEPEST {
            return Err(manifest::too_deep().into());
        }
        self.path.push(step.clone());
        let searched = value.map_err(Unwritable::from).and_then(|value| self.value(&value));
        self.path.pop();
        searched.map_err(|error| error.within(|| step))
    }

    fn take(&mut self, object: &ObjValue, version: &str, kind: String) -> Result<(), Unwritable> {
        self.taken += 1;
        let path = Path(&self.path).to_string();
        let text = manifest::json(&Val::Obj(object.clone()))?;
        let (namespace, name) = match visible(object, "metadata")? {
            Some(Val::Obj(metadata)) => (self::text(&metadata, "namespace")?, self::text(&metadata, "name")?),
            _ => (None, None),
        };
        let Some(name) = name else {
            self.findings.push(format!("{path} is a {kind} without metadata.name"));
            return Ok(());
        };
        let identity = Identity {
            group: version.split_once('/').map_or_else(String::new, |(group, _)| group.to_owned()),
            kind,
            namespace: namespace.unwrap_or_default(),
            name,
        };
        self.objects.entry(identity).or_default().push(Found { path, text });
        Ok(())
    }

    fn finish(mut self) -> Result<(String, u32), Failure> {
        for (identity, found) in &self.objects {
            if found.len() > 1 {
                let paths: Vec<_> = found.iter().map(|found| found.path.as_str()).collect();
                self.findings.push(format!("{} are all {identity}", paths.join(", ")));
            }
        }
        if !self.findings.is_empty() {
            return Err(Failure::InvalidManifests(list(&self.findings)));
        }
        let mut stream = String::new();
        let mut objects = 0;
        for found in self.objects.values().flatten() {
            stream.push_str("---\n");
            stream.push_str(&found.text);
            objects += 1;
        }
        Ok((stream, objects))
    }
}

fn list(findings: &[String]) -> String {
    let mut listed = findings[..findings.len().min(LISTED)].join("\n");
    if findings.len() > LISTED {
        listed.push_str(&format!("\n… and {} more", findings.len() - LISTED));
    }
    listed
}

/// The field as it is written: hidden ones are not.
fn visible(object: &ObjValue, name: &str) -> jrsonnet_evaluator::Result<Option<Val>> {
    if object.has_field(name.into()) { object.get(name.into()) } else { Ok(None) }
}

/// The field if it is a string that says anything.
fn text(object: &ObjValue, name: &str) -> jrsonnet_evaluator::Result<Option<String>> {
    Ok(match visible(object, name)? {
        Some(Val::Str(text)) if !text.is_empty() => Some(text.to_string()),
        _ => None,
    })
}

impl std::fmt::Display for Identity {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.kind)?;
        if !self.group.is_empty() {
            write!(formatter, ".{}", self.group)?;
        }
        formatter.write_str(" ")?;
        if !self.namespace.is_empty() {
            write!(formatter, "{}/", self.namespace)?;
        }
        formatter.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests;
