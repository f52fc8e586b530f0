//! Which files must exist, and what is done about those that do not.

pub mod catalog;
pub mod heal;
pub mod orphans;
pub mod sweep;
