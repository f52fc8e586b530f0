//! What every command on the store begins with: session, operator, settings, road.

use futures::FutureExt as _;
use jaas_api::ExternalArtifact;
use jaas_findings::facts::{Flags, Inventory};

use super::super::{Error, Invocation, find};
use crate::cli::{OperatorArgs, RoadArgs, Route};
use crate::deployments;
use crate::facts::{self, Scope};
use crate::interrupt::Signal;
use crate::operator::Operator;
use crate::road::{self, Need, Opened, Site};
use crate::session::{self, Session, Writes};
use crate::snippet::Snippet;
use crate::view::{Detail, Found, Report, StoreView};

/// What every command on the store begins with.
pub(in crate::commands) struct Ground {
    pub(in crate::commands) session: Session,
    pub(in crate::commands) operator: Option<Operator>,
    pub(in crate::commands) flags: Flags,
    namespace: String,
    writes: Writes,
}

impl Ground {
    /// Opens the session and finds the operator. Where the road leads past it, it need not be seen.
    ///
    /// # Errors
    /// There is no session, or no operator where one is needed.
    pub(in crate::commands) async fn open(
        invocation: &Invocation<'_>,
        place: &OperatorArgs,
        road: &RoadArgs,
        writes: Writes,
        report: &mut Report,
    ) -> Result<Self, Error> {
        let session = Session::open(invocation.connection, invocation.run, writes).await?;
        report.at(&session.destination);
        let leads_past = road.admin_address.is_some() || road.path.is_some();
        let operator = match find::operator(&session, place).await {
            Ok(Some(operator)) => Some(operator),
            Ok(None) if leads_past => None,
            Ok(None) => return Err(find::none(place)),
            Err(Error::Session(session::Error::Forbidden { .. })) if leads_past => None,
            Err(error) => return Err(error),
        };
        if invocation.format.is_document()
            && let Some(uid) = session.cluster_uid().await
        {
            report.metadata.cluster.uid = uid;
        }
        let namespace = match (&operator, &place.operator_namespace) {
            (Some(operator), _) => operator.namespace().to_owned(),
            (None, Some(namespace)) => namespace.clone(),
            (None, None) => deployments::USUAL_NAMESPACE.to_owned(),
        };
        let flags = facts::settings(operator.as_ref());
        Ok(Self { session, operator, flags, namespace, writes })
    }

    /// Where roads begin.
    pub(in crate::commands) fn site<'a>(
        &'a self,
        invocation: &'a Invocation<'_>,
        place: &'a OperatorArgs,
        args: &'a RoadArgs,
    ) -> Site<'a> {
        Site {
            session: &self.session,
            run: invocation.run,
            operator: self.operator.as_ref(),
            namespace: &self.namespace,
            flags: &self.flags,
            args,
            place,
            writes: self.writes,
        }
    }

    /// Namespace of the operator.
    pub(in crate::commands) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Where the operator keeps artifacts.
    pub(in crate::commands) fn place(&self) -> String {
        self.operator.as_ref().map(|operator| operator.store().to_string()).unwrap_or_default()
    }

    /// What was found, with the road by which it came.
    pub(in crate::commands) fn view(&self, opened: Option<&Opened>, found: Found) -> Detail {
        Detail::Store(Box::new(StoreView {
            operator: self.operator.as_ref().map(Operator::path),
            place: self.place(),
            road: opened.map(|opened| opened.road.kind().word()),
            via: opened.map(|opened| opened.road.words()).unwrap_or_default(),
            tried: opened.map(|opened| opened.tried.clone()).unwrap_or_default(),
            found,
        }))
    }
}

/// The first road that leads there, which is said, and so is every one that does not.
///
/// # Errors
/// None does.
pub(in crate::commands) async fn open(
    site: &Site<'_>,
    need: Need,
    invocation: &Invocation<'_>,
) -> Result<Opened, Error> {
    match road::open(site, need).await {
        Ok(opened) => {
            for failure in opened.tried.iter().filter(|_| site.args.route == Route::Auto) {
                invocation.listener.say(&format!("road {failure}"));
            }
            invocation.listener.say(&format!("by the {}", opened.road.words()));
            Ok(opened)
        }
        Err(tried) => Err(Error::NoRoad { need: need.words(), tried }),
    }
}

/// Looks, unless a signal comes first: then nothing was done.
///
/// # Errors
/// Those of the look, and the signal.
pub(super) async fn look<T>(
    invocation: &Invocation<'_>,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let mut stop = invocation.stop.clone();
    tokio::select! {
        biased;
        signal = stop.signalled() => Err(Error::Stopped(signal)),
        result = work => result,
    }
}

/// The signal that came already, if one did.
pub(super) fn stopped(invocation: &Invocation<'_>) -> Option<Signal> {
    invocation.stop.clone().signalled().now_or_never()
}

/// Snippets and ExternalArtifacts of a namespace, or of all, as they are now.
///
/// # Errors
/// One of the lists failed.
pub(in crate::commands) async fn objects(
    session: &Session,
    namespace: Option<&str>,
) -> Result<(Vec<Snippet>, Vec<ExternalArtifact>), session::Error> {
    let scope = Scope { namespace, labels: None };
    tokio::try_join!(facts::list_snippets(session, &scope), facts::list_artifacts(session, &scope))
}

/// Fails where a listing is not whole: what is not seen cannot be judged.
///
/// # Errors
/// Names the namespaces that are missing.
pub(in crate::commands) fn whole(inventory: &Inventory, omitted: &[String]) -> Result<(), Error> {
    if inventory.complete && omitted.is_empty() {
        return Ok(());
    }
    let (what, how) = match omitted {
        [] => ("the listing of the store is not complete; nothing was changed".to_owned(), "run it again".to_owned()),
        names => (
            format!("you may not list the store in {}; nothing was changed", crate::hint::few(names)),
            "narrow it with -n, or see the rights: kubectl jaas auth storage --yaml".to_owned(),
        ),
    };
    Err(Error::Refused { what, how })
}
