//! Flags of `storage` and its commands. Pure.

mod change;
mod look;

use clap::Subcommand;

pub(crate) use change::{LevelArgs, OrphanArgs, OrphanClass, PruneArgs, RepairArgs, SweepArgs};
pub(super) use change::{ORPHAN_EXAMPLES, PRUNE_EXAMPLES};
pub(crate) use look::{AdviseArgs, DuArgs, FetchArgs, LsArgs, Sample, StoreArgs, Topic, VerifyArgs};

use super::doctor::CheckArgs;

/// Examples of `storage`.
pub(super) const EXAMPLES: &str = "\
Examples
  # is every announced artifact there?
  kubectl jaas storage doctor
  # how full is it, and who fills it?
  kubectl jaas storage df
  kubectl jaas storage du
  # prove every stored byte
  kubectl jaas storage verify --all
  # free room: shows the plan, then asks
  kubectl jaas storage prune --expired --all
  # files that no snippet owns
  kubectl jaas storage find-orphans";

/// What can be done with the store.
#[derive(Debug, Subcommand)]
pub(crate) enum StorageCommand {
    /// Check the store, what is in it, and the way to it.
    #[command(alias = "check")]
    Doctor(CheckArgs),
    /// Show what the store is, and what decides about its files.
    #[command(after_help = look::INFO_EXAMPLES)]
    Info(StoreArgs),
    /// Show how much is taken and free.
    #[command(after_help = look::DF_EXAMPLES)]
    Df(StoreArgs),
    /// Show who fills the store, largest first.
    #[command(after_help = look::DU_EXAMPLES)]
    Du(DuArgs),
    /// List files of the store.
    #[command(after_help = look::LS_EXAMPLES)]
    Ls(LsArgs),
    /// Prove stored bytes: that they are what is announced, and hold what their name says.
    #[command(after_help = look::VERIFY_EXAMPLES)]
    Verify(VerifyArgs),
    /// Download one artifact, and keep it only if it is right.
    #[command(after_help = look::FETCH_EXAMPLES)]
    Fetch(FetchArgs),
    /// Remove stored revisions that nobody needs. Shows a plan first.
    #[command(alias = "gc", after_help = change::PRUNE_EXAMPLES)]
    Prune(PruneArgs),
    /// Remove what writes that never ended left behind.
    #[command(after_help = change::SWEEP_EXAMPLES)]
    Sweep(SweepArgs),
    /// List stored files that no snippet owns, and say why; --delete removes them.
    #[command(after_help = change::ORPHAN_EXAMPLES)]
    FindOrphans(OrphanArgs),
    /// Set damaged artifacts aside and have them rendered again.
    #[command(after_help = change::REPAIR_EXAMPLES)]
    Repair(RepairArgs),
    /// Print what to change in the chart's values. Changes nothing.
    #[command(after_help = look::ADVISE_EXAMPLES)]
    Advise(AdviseArgs),
}

/// Bytes as people write them: `20Gi`, `500MiB`, `1G`, or a number.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let wrong = || "expected a size such as `500Mi` or `2Gi`".to_owned();
    let text = text.trim().trim_end_matches(['B', 'b']);
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" => 1,
        "k" => 1_000,
        "m" => 1_000_000,
        "g" => 1_000_000_000,
        "t" => 1_000_000_000_000,
        "ki" => 1 << 10,
        "mi" => 1 << 20,
        "gi" => 1 << 30,
        "ti" => 1 << 40,
        _ => return Err(wrong()),
    };
    number.checked_mul(factor).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_people_write_them() {
        assert_eq!(size("20Gi"), Ok(20 << 30));
        assert_eq!(size("500MiB"), Ok(500 << 20));
        assert_eq!((size("1G"), size("7")), (Ok(1_000_000_000), Ok(7)));
        for wrong in ["", "Gi", "1.5Gi", "-1", "99999999999Ti"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
