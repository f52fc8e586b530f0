//! What the pages tell to type is typed, and what they name exists.
//!
//! [`stage`] installs by the chart, with real Helm, on a real control plane; [`jaas_tests::cluster`] tells what of a cluster is played,
//! and [`scenes`] what is prepared for a page. Every command of a page is then run by a shell as it stands there. [`elsewhere`] lists
//! what cannot be run here, and why. A page that tells nobody anything to type needs no scene; a new page's commands are run without
//! further ado.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test reports by panicking")]

mod elsewhere;
mod migration;
mod names;
mod page;
mod run;
mod scenes;
mod stage;
mod words;
