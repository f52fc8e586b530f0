//! Power cuts: what was not flushed is gone.
//!
//! The store lies in an ext4 image on a loop device. While several writers change it, the file system is shut down without a flush
//! of its journal: from that instant nothing more reaches the image. Then it is mounted again, which replays the journal, the store
//! is opened, and it must hold what it had acknowledged, whole, and nothing damaged. A quarter of the cuts fall into the recovery
//! from the cut before.
//!
//! The file system is shut down rather than the image copied, because a copy takes milliseconds in which the image changes. It
//! would show the journal of one instant beside the tables of another, a state that no disk ever had, and the store could be blamed
//! or excused for it. A shut-down is one instant, and a mount for each cut costs only some ten milliseconds. What it does not show
//! is a disk that forgets what it was told to flush.
//!
//! The contract speaks of [`Store::put`](jaas_storage::Store::put) alone where it promises durability. Taken from it:
//!
//! - A put that was answered holds, whether or not the cut had begun, until the start of a removal, a deletion or a setting aside.
//! - What was removed, deleted or set aside may come back, in whole: its bytes were right before, and they are so again. Only
//!   where the file system gives freed blocks away before the removal is on the disk (`data=writeback`) may it come back damaged;
//!   it must not open then, and a recovery must end it.
//! - What was set aside is under its new name or its old one, and whole.
//! - A mark that was answered is there, and never damaged.
//!
//! Beside the store a naive writer writes, renames and forgets, under the same cuts. If it loses nothing, the cuts were none, and
//! the class ends with an error.

mod artifacts;
mod check;
mod control;
mod disk;
mod ledger;
mod load;
mod site;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use rand::Rng;
use rand::SeedableRng;
use rand::rngs::StdRng;

use self::artifacts::Pool;
use self::check::Finding;
use self::control::{Harm, Naive};
use self::disk::{Disk, Format, Image};
use self::ledger::Ledger;
use self::load::{Kind, Load};
use self::site::Site;
use crate::tally::{Plan, Scale, Tally, Violation};

/// How long writers work before the power fails, in microseconds.
const WORK: std::ops::Range<u64> = 1_000..50_000;
/// How long a recovery works before the power fails again, in microseconds.
const RECOVERY: std::ops::Range<u64> = 200..8_000;

/// Runs the class.
///
/// # Errors
/// When a case cannot be set up, or when a writer that flushes nothing lost nothing; what the store does wrong is a violation.
pub async fn run(plan: &Plan) -> Result<Tally> {
    disk::require_rights()?;
    let (cuts, cuts_per_image) = match plan.scale {
        Scale::Sample => (12, 4),
        Scale::Full => (2_000, 25),
    };
    let mut rng = StdRng::seed_from_u64(plan.seed);
    let pool = Arc::new(Pool::draw(&mut rng)?);
    let mut tally = Tally::new("power cuts");
    let mut harm = Harm::default();
    while tally.cases < cuts {
        let budget = cuts_per_image.min(cuts - tally.cases);
        let format = Format::draw(&mut rng);
        image(plan, &mut tally, &mut harm, Scene { pool: &pool, format, budget }, &mut rng).await?;
    }
    ensure!(
        harm.cuts > 0,
        "a writer that flushes nothing lost nothing in {} power cuts: they cut nothing",
        tally.cases
    );
    Ok(tally)
}

/// What the cuts of one image have in common.
struct Scene<'a> {
    pool: &'a Arc<Pool>,
    format: Format,
    budget: u64,
}

/// All cuts of one image, each on what the one before left.
async fn image(plan: &Plan, tally: &mut Tally, harm: &mut Harm, scene: Scene<'_>, rng: &mut StdRng) -> Result<()> {
    let image = Image::make(scene.format)?;
    let ledger = Arc::new(Ledger::default());
    let open = |disk: &Disk| Site::open(disk, scene.pool, &ledger);
    let mut disk = image.mount()?;
    let mut site = open(&disk)?;
    let mut kind = Kind::Work;
    for cut in 1..=scene.budget {
        let after = rng.random_range(match kind {
            Kind::Work => WORK,
            Kind::Recovery => RECOVERY,
        });
        let naive = Naive::start(&disk, scene.pool, tally.cases);
        let load = Load::start(&site, kind, rng)?;
        tokio::time::sleep(Duration::from_micros(after)).await;
        ledger.power_fails();
        disk.cut().await?;
        load.stop().await?;
        let written = naive.stop().await?;
        drop((site, disk));

        disk = image.mount()?;
        site = open(&disk)?;
        harm.add(control::judge(&disk, &written)?);
        let mut findings: Vec<Finding> = ledger.power_returns();
        findings.extend(check::after_the_cut(&site).await?);
        let case = format!("seed {}, cut {}, {}, {kind:?} for {after} µs", plan.seed, tally.cases + 1, scene.format);
        kind = if cut < scene.budget && rng.random_ratio(1, 4) { Kind::Recovery } else { Kind::Work };
        if kind == Kind::Work {
            findings.extend(check::recovered(&site).await?);
        }
        tally.case(plan, findings.into_iter().map(|found| found.in_case(&case)));
        plan.progress.set_message(harm.to_string());
    }
    drop((site, disk));
    image.retire()
}

impl Finding {
    fn in_case(self, case: &str) -> Violation {
        Violation { case: case.to_owned(), invariant: self.invariant.to_owned(), seen: self.seen }
    }
}
