//! Every procedure of the page about recovering storage: an installation is broken that way, then the command finds it and repairs it.
//!
//! API server, operator and S3 server are real; [`jaas_tests::cluster`] tells what is played. Much heals by itself: then the test holds
//! that off, so that there is something to find, and shows that it happens once nothing is in its way. The page of `docs/` has a row for
//! each test here, see [`page`].
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test reports by panicking")]

mod bed;
mod bucket;
mod leader;
mod page;

mod pods;
mod reach;
mod residue;

mod room;
mod volume;
