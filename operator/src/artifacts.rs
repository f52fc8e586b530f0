//! Which files must exist, and what is done about those that do not.

pub mod catalog;
pub mod condition;
pub mod custody;
pub mod forecast;
pub mod heal;
pub mod orphans;
pub mod room;
pub mod scrub;
pub mod sweep;
