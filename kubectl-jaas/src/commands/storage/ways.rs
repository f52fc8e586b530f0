//! Ways to the store for a command that has a session already.

use jaas_findings::facts::Flags;

use super::super::{Error, Invocation, find};
use super::ground;
use crate::cli::{OperatorArgs, RoadArgs};
use crate::facts;
use crate::operator::Operator;
use crate::road::{Need, Opened, Site};
use crate::session::{Session, Writes};

/// What a road begins with.
pub(in crate::commands) struct Ways<'a> {
    session: &'a Session,
    place: &'a OperatorArgs,
    road: &'a RoadArgs,
    writes: Writes,
    operator: Option<Operator>,
    flags: Flags,
    namespace: String,
}

impl<'a> Ways<'a> {
    /// Finds the operator. Where the road leads past it, it need not be seen.
    ///
    /// # Errors
    /// It cannot be seen and is needed, or there are several.
    pub(in crate::commands) async fn find(
        session: &'a Session,
        place: &'a OperatorArgs,
        road: &'a RoadArgs,
        writes: Writes,
    ) -> Result<Self, Error> {
        let leads_past = road.admin_address.is_some() || road.path.is_some();
        let operator = match find::operator(session, place).await {
            Err(Error::Session(_)) if leads_past => None,
            found => found?,
        };
        if operator.is_none() && !leads_past {
            return Err(find::none(place));
        }
        let named = operator.as_ref().map(|operator| operator.namespace().to_owned());
        let namespace = named.or(place.operator_namespace.clone()).unwrap_or_default();
        let flags = facts::settings(operator.as_ref());
        Ok(Self { session, place, road, writes, operator, flags, namespace })
    }

    /// The first road that can do what is needed, which is said.
    ///
    /// # Errors
    /// None can.
    pub(in crate::commands) async fn open(&self, need: Need, invocation: &Invocation<'_>) -> Result<Opened, Error> {
        ground::open(&self.site(invocation), need, invocation).await
    }

    /// Where roads begin.
    pub(in crate::commands) fn site<'b>(&'b self, invocation: &'b Invocation<'_>) -> Site<'b> {
        Site {
            session: self.session,
            run: invocation.run,
            operator: self.operator.as_ref(),
            namespace: &self.namespace,
            flags: &self.flags,
            args: self.road,
            place: self.place,
            writes: self.writes,
        }
    }
}
