//! `auth`: what commands need, and what the caller has.

mod needs;
mod roles;

use futures::{StreamExt as _, stream};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::Api;
use kube::api::PostParams;

use self::needs::{NEEDS, Need, Place};
use super::{Error, Invocation, Verdict};
use crate::cli::AuthArgs;
use crate::exit::Exit;
use crate::session::{Call, Session, Writes};
use crate::view::{Detail, Report, Right};

/// Questions under way at once.
const AT_ONCE: usize = 16;
/// Namespace of an operator that nobody named.
const DEFAULT_OPERATOR_NAMESPACE: &str = "jaas-system";

/// Asks for each right, or answers with the roles that hold them.
pub(super) async fn run(args: &AuthArgs, invocation: &Invocation<'_>, report: &mut Report) -> Result<Verdict, Error> {
    let needs = chosen(args.command.as_deref())?;
    let session = Session::open(invocation.connection, invocation.run, Writes::Refused).await?;
    report.at(&session.destination);
    let places = Places {
        snippets: (!args.all_namespaces).then(|| session.namespace.clone()),
        operator: args.operator.operator_namespace.clone().unwrap_or_else(|| DEFAULT_OPERATOR_NAMESPACE.to_owned()),
    };
    invocation.listener.say(&format!("rights {places}; {}", session.destination));
    let mut rights: Vec<Right> = needs.iter().flat_map(|need| rights(need, &places)).collect();
    let mut stop = invocation.stop.clone();
    let ask = async {
        let answers: Vec<_> =
            stream::iter(&rights).map(|right| allowed(&session, right)).buffered(AT_ONCE).collect().await;
        answers.into_iter().collect::<Result<Vec<_>, _>>()
    };
    let answers = tokio::select! {
        answers = ask => answers?,
        signal = stop.signalled() => return Err(Error::Stopped(signal)),
    };
    for (right, answer) in rights.iter_mut().zip(answers) {
        right.allowed = Some(answer);
    }
    let verdict = judge(&rights, args.command.as_deref());
    report.detail = Some(Detail::Rights(rights));
    Ok(verdict)
}

/// The roles that a command needs, as YAML. Asks nobody.
///
/// # Errors
/// A word that is no command.
pub(super) fn yaml(args: &AuthArgs, namespace: Option<&str>) -> Result<String, Error> {
    let needs = chosen(args.command.as_deref())?;
    let places = Places {
        snippets: (!args.all_namespaces).then(|| namespace.unwrap_or("default").to_owned()),
        operator: args.operator.operator_namespace.clone().unwrap_or_else(|| DEFAULT_OPERATOR_NAMESPACE.to_owned()),
    };
    let name = args.command.as_deref().map_or("kubectl-jaas".to_owned(), |name| format!("kubectl-jaas-{name}"));
    Ok(roles::yaml(&name, &needs, &places))
}

/// Commands that have needs, in their order.
pub(crate) fn commands() -> Vec<&'static str> {
    let mut names: Vec<_> = NEEDS.iter().flat_map(|need| need.commands.iter().copied()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Where rights are asked for.
struct Places {
    /// Namespace of snippets; `None` for all.
    snippets: Option<String>,
    /// Namespace of the operator.
    operator: String,
}

impl Places {
    fn of(&self, place: Place) -> Option<&str> {
        match place {
            Place::Snippets => self.snippets.as_deref(),
            Place::Operator => Some(&self.operator),
            Place::Everywhere => None,
        }
    }
}

impl std::fmt::Display for Places {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.snippets {
            Some(namespace) => write!(f, "on snippets in namespace `{namespace}`")?,
            None => f.write_str("on snippets in all namespaces")?,
        }
        write!(f, ", on the operator in namespace `{}`", self.operator)
    }
}

fn chosen(command: Option<&str>) -> Result<Vec<(String, &'static Need)>, Error> {
    let named = |name: &str| {
        NEEDS
            .iter()
            .filter(|need| need.commands.contains(&name))
            .map(|need| (name.to_owned(), need))
            .collect::<Vec<_>>()
    };
    match command {
        None => Ok(commands().into_iter().flat_map(named).collect()),
        Some(name) if commands().contains(&name) => Ok(named(name)),
        Some(name) => Err(Error::NoSuchCommand(name.to_owned())),
    }
}

fn rights((command, need): &(String, &Need), places: &Places) -> Vec<Right> {
    let namespace = places.of(need.place).unwrap_or_default();
    let resource =
        if need.group.is_empty() { need.resource.to_owned() } else { format!("{}.{}", need.resource, need.group) };
    let right = |verb: &&str| Right {
        command: command.clone(),
        verb: (*verb).to_owned(),
        resource: resource.clone(),
        namespace: namespace.to_owned(),
        optional: need.optional,
        allowed: None,
    };
    need.verbs.iter().map(right).collect()
}

async fn allowed(session: &Session, right: &Right) -> Result<bool, Error> {
    let (resource, group) = right.resource.split_once('.').unwrap_or((&right.resource, ""));
    let (resource, subresource) = resource.split_once('/').map_or((resource, None), |(name, sub)| (name, Some(sub)));
    let attributes = ResourceAttributes {
        group: Some(group.to_owned()),
        resource: Some(resource.to_owned()),
        subresource: subresource.map(str::to_owned),
        verb: Some(right.verb.clone()),
        namespace: Some(right.namespace.clone()).filter(|name| !name.is_empty()),
        ..ResourceAttributes::default()
    };
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() },
        ..Default::default()
    };
    let reviews: Api<SelfSubjectAccessReview> = Api::all(session.client.clone());
    let call = Call::new("create", "authorization.k8s.io", "selfsubjectaccessreviews", &["create"]);
    let answer = session.call(&call, reviews.create(&PostParams::default(), &review)).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

fn judge(rights: &[Right], command: Option<&str>) -> Verdict {
    let missing: Vec<_> = rights.iter().filter(|right| right.allowed == Some(false) && !right.optional).collect();
    let message =
        format!("{} of {} rights are there", rights.iter().filter(|it| it.allowed == Some(true)).count(), rights.len());
    match command {
        Some(command) if !missing.is_empty() => Verdict {
            exit: Exit::Forbidden,
            message: format!("{message}; `{command}` does not work without the others"),
            hint: Some(format!("the smallest role: kubectl jaas auth {command} --yaml")),
        },
        _ => Verdict { exit: Exit::Done, message, hint: None },
    }
}

#[cfg(test)]
#[path = "auth/tests.rs"]
mod tests;
