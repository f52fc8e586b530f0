//! The validating webhook: refuses what the reconciler would refuse anyway, while somebody still looks.
//!
//! [`judge`] decides, by the reconciler's own checks; [`review`] is what goes over the wire, [`serve`] the routes. What the API server
//! trusts is [`certificate`]'s: made by the leader and shared in a Secret ([`rotate`]), or mounted and read again when it changes
//! ([`mounted`]). [`bundle`] is the list of authorities in the configuration of the webhook. [`trouble`] is what the probe tells of all that,
//! and [`audit`] counts what was there before anybody was asked.

pub mod audit;
pub mod bundle;
pub mod certificate;
pub mod judge;
pub mod mounted;
pub mod review;
pub mod rotate;
pub mod serve;
pub mod tls;
pub mod trouble;
