//! `auth`: what commands need, and what the caller has.

mod needs;
mod reviews;
mod roles;
mod tenant;

use futures::{StreamExt as _, stream};

use self::needs::{NEEDS, Need, Place};
use super::{Error, Invocation, Verdict, find};
use crate::cli::{AuthArgs, Format};
use crate::deployments::USUAL_NAMESPACE;
use crate::exit::Exit;
use crate::session::{Session, Writes};
use crate::view::{Detail, Report, Right};

/// Questions under way at once.
const AT_ONCE: usize = 16;
/// First word of a question about a snippet's ServiceAccount.
const TENANT: &str = "tenant";
/// Other names of commands.
const ALIASES: [(&str, &str); 5] = [
    ("check-storage", "storage doctor"),
    ("storage check", "storage doctor"),
    ("prune", "storage prune"),
    ("find-orphans", "storage find-orphans"),
    ("reconcile-all", "reconcile"),
];
/// Namespace of Flux, where nobody says otherwise.
const DEFAULT_FLUX_NAMESPACE: &str = "flux-system";

/// Asks for each right, or answers with the roles that hold them.
pub(super) async fn run(args: &AuthArgs, invocation: &Invocation<'_>, report: &mut Report) -> Result<Verdict, Error> {
    if let Some((TENANT, name)) = args.command().as_deref().and_then(|command| command.split_once(' ')) {
        return tenant::run(name, args, invocation, report).await;
    }
    let needs = chosen(args.command().as_deref())?;
    let session = Session::open(invocation.connection, invocation.run, Writes::Refused).await?;
    report.at(&session.destination);
    // Where it cannot be seen, its usual namespace is meant.
    let seen = find::operator(&session, &args.operator).await.ok().flatten();
    let found = args.operator.operator_namespace.clone();
    let found = found.or_else(|| seen.as_ref().map(|it| it.namespace().to_owned()));
    let flux = seen.as_ref().and_then(|it| it.argument("flux-namespace")).filter(|name| !name.is_empty());
    let places = Places {
        snippets: (!args.all_namespaces).then(|| session.namespace.clone()),
        operator: found.unwrap_or_else(|| USUAL_NAMESPACE.to_owned()),
        flux: flux.unwrap_or(DEFAULT_FLUX_NAMESPACE).to_owned(),
    };
    invocation.listener.say(&format!("rights {places}; {}", session.destination));
    let mut rights: Vec<Right> = needs.iter().flat_map(|need| rights(need, &places)).collect();
    let mut stop = invocation.stop.clone();
    let ask = async {
        let answers: Vec<_> =
            stream::iter(&rights).map(|right| reviews::mine(&session, right)).buffered(AT_ONCE).collect().await;
        answers.into_iter().collect::<Result<Vec<_>, _>>()
    };
    let answers = tokio::select! {
        answers = ask => answers?,
        signal = stop.signalled() => return Err(Error::Stopped(signal)),
    };
    for (right, answer) in rights.iter_mut().zip(answers) {
        right.allowed = Some(answer);
    }
    let mut verdict = judge(&rights, args.command().as_deref());
    // Of several commands a screen shows only what is missing.
    if invocation.format == Format::Table && rights.windows(2).any(|pair| pair[0].command != pair[1].command) {
        verdict.message.push_str("; -o wide shows each");
    }
    report.detail = Some(Detail::Rights(rights));
    Ok(verdict)
}

/// The roles that a command needs, as YAML. Asks nobody.
///
/// # Errors
/// A word that is no command.
pub(super) fn yaml(args: &AuthArgs, namespace: Option<&str>) -> Result<String, Error> {
    let command = args.command();
    let needs = chosen(command.as_deref())?;
    let places = Places {
        snippets: (!args.all_namespaces).then(|| namespace.unwrap_or("default").to_owned()),
        operator: args.operator.operator_namespace.clone().unwrap_or_else(|| USUAL_NAMESPACE.to_owned()),
        flux: DEFAULT_FLUX_NAMESPACE.to_owned(),
    };
    let name = command.map_or("kubectl-jaas".to_owned(), |name| format!("kubectl-jaas-{}", name.replace(' ', "-")));
    Ok(roles::yaml(&name, &needs, &places))
}

/// Whether the arguments ask for a snippet's ServiceAccount, which takes a cluster also for YAML.
pub(super) fn is_of_a_tenant(args: &AuthArgs) -> bool {
    args.words.first().is_some_and(|word| word == TENANT)
}

/// Commands that have needs, in their order.
pub(crate) fn commands() -> Vec<&'static str> {
    let mut names: Vec<_> = NEEDS.iter().flat_map(Need::commands).collect();
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
    /// Namespace of Flux.
    flux: String,
}

impl Places {
    fn of(&self, place: Place) -> Option<&str> {
        match place {
            Place::Snippets => self.snippets.as_deref(),
            Place::Operator => Some(&self.operator),
            Place::Flux => Some(&self.flux),
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

/// The needs of a command, of all that begin with it, or of every command.
fn chosen(command: Option<&str>) -> Result<Vec<(String, &'static Need)>, Error> {
    let command = command.map(|name| ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, name)| name));
    let is_meant = |name: &str| match command {
        None => true,
        Some(command) => name == command || name.strip_prefix(command).is_some_and(|rest| rest.starts_with(' ')),
    };
    let meant: Vec<_> = commands().into_iter().filter(|name| is_meant(name)).collect();
    let needs = meant.iter().flat_map(|name| {
        NEEDS.iter().filter(|need| need.commands().any(|it| it == *name)).map(|need| ((*name).to_owned(), need))
    });
    match command {
        Some(name) if meant.is_empty() => Err(Error::NoSuchCommand(name.to_owned())),
        _ => Ok(needs.collect()),
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
        name: need.name.to_owned(),
        optional: need.optional,
        allowed: None,
    };
    need.verbs.iter().map(right).collect()
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
