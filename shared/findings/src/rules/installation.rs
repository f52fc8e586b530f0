//! What is installed, and what it may do. Pure.

use super::answers::count;
use super::outcome::{Outcome, Seen};
use crate::code::Code;
use crate::facts::Facts;
use crate::finding::{Evidence, Finding, Subject};
use crate::known::Why;

/// `K001`, from what all other checks could not learn for want of a right.
pub(crate) fn missing_right(refused: &[Why]) -> Seen {
    Seen::of(refused.iter().collect(), |refused| {
        let rights = Evidence::several("rights", refused.iter().map(|why| why.detail.clone()));
        Finding::new(Code::MissingRight, format!("{} missing", count(rights.count.unwrap_or_default(), "right")))
            .with(rights)
    })
}

/// `K002`.
pub(crate) fn operator_not_found(facts: &Facts) -> Outcome {
    Ok(match facts.operator.deployment.told("the operator's Deployment")? {
        Some(_) => Seen::fine(),
        None => {
            let place = &facts.operator.namespace;
            let place = if place.is_empty() { "in any namespace".to_owned() } else { format!("in {place}") };
            let elsewhere = facts.operator.installations.ok().map(Vec::as_slice).unwrap_or_default();
            let elsewhere = elsewhere.iter().map(Subject::path);
            Seen::from(
                Finding::new(Code::OperatorNotFound, format!("no Deployment of the operator was found {place}"))
                    .with(Evidence::several("Deployments elsewhere", elsewhere)),
            )
        }
    })
}

/// `K003`.
pub(crate) fn several_installations(facts: &Facts) -> Outcome {
    let all = facts.operator.installations.told("the Deployments of the cluster")?;
    if all.len() < 2 {
        return Ok(Seen::fine());
    }
    let finding =
        Finding::new(Code::SeveralInstallations, format!("{} of the operator", count(all.len(), "Deployment")))
            .about(all.iter().cloned())
            .with(Evidence::several("Deployments", all.iter().map(Subject::path)).instead_of("1"));
    Ok(finding.into())
}

/// `K010`.
pub(crate) fn operator_lacks_rights(facts: &Facts) -> Outcome {
    let access = facts.operator.access.told("the rights of the operator's ServiceAccount")?;
    let refused: Vec<_> = access.iter().filter(|access| !access.allowed).collect();
    Ok(Seen::of(refused, |refused| {
        let rights = refused.iter().map(|access| {
            let place =
                access.namespace.as_ref().map_or("every namespace".to_owned(), |name| format!("namespace {name}"));
            format!("{} {} in {place}", access.verb, access.resource)
        });
        let summary =
            format!("{} of {} that the operator needs are refused", refused.len(), count(access.len(), "right"));
        Finding::new(Code::OperatorLacksRights, summary).with(Evidence::several("refused", rights))
    }))
}

/// `K011`.
pub(crate) fn definition_not_served(facts: &Facts) -> Outcome {
    let definitions = facts.operator.definitions.told("the CustomResourceDefinitions")?;
    let absent: Vec<_> = definitions.iter().filter(|definition| !definition.served).collect();
    Ok(Seen::of(absent, |absent| {
        let names = absent.iter().map(|definition| definition.name.clone());
        Finding::new(Code::DefinitionNotServed, format!("{} not served", count(absent.len(), "definition")))
            .about(absent.iter().map(|definition| Subject::new("CustomResourceDefinition", "", &definition.name)))
            .with(Evidence::several("definitions", names))
    }))
}
