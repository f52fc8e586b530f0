//! Whether the container has the memory that its settings need.
//!
//! Where a container reaches its limit, the kubelet has everything in it killed at once. So a limit that evaluations could reach
//! is refused at the start, when somebody is looking.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::config::Config;

/// What is left to the operator itself beside its caches, with idle workers: enough for a thousand snippets where each of three workers
/// keeps the 14 MiB that it may. 22 MiB without a snippet, 46 MiB for each thousand and 4 MiB of idle workers were measured
/// (`cargo figures --hostile`).
const OWN: u64 = 128 << 20;
/// How often the cache of sources is held: as it was downloaded, and twice as much of what was unpacked.
const SOURCE_CACHES: u64 = 3;
/// Where control groups are mounted.
const GROUPS: &str = "/sys/fs/cgroup";
/// Limits from here on stand for none.
const UNLIMITED: u64 = 1 << 60;

/// Memory that the settings need, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    storage_cache: u64,
    source_cache: u64,
    evaluations: u64,
    evaluation: u64,
}

impl Need {
    /// What these settings need. The HTTP renderer alone keeps neither artifacts nor sources.
    pub fn of(config: &Config) -> Self {
        Self {
            storage_cache: if config.operator { config.storage.cache_bytes } else { 0 },
            source_cache: if config.operator { config.sources.cache_bytes } else { 0 },
            evaluations: u64::try_from(config.evaluation.max_concurrent).unwrap_or(u64::MAX),
            evaluation: config.evaluation.memory_bytes,
        }
    }

    /// The sum.
    pub fn bytes(&self) -> u64 {
        let caches = self.storage_cache.saturating_add(self.source_cache.saturating_mul(SOURCE_CACHES));
        OWN.saturating_add(caches).saturating_add(self.evaluations.saturating_mul(self.evaluation))
    }

    /// Judges a limit; `None` is none.
    ///
    /// # Errors
    /// [`TooLittle`] where the sum is larger.
    pub fn fits(self, limit: Option<u64>) -> Result<(), TooLittle> {
        match limit {
            Some(limit) if limit < self.bytes() => Err(TooLittle { limit, need: self }),
            _ => Ok(()),
        }
    }
}

/// Lets as many evaluations run as the limit holds, where nobody said how many, and judges the limit.
///
/// # Errors
/// [`TooLittle`] where it does not hold what was said, or not even one.
pub fn settle(config: &mut Config, limit: Option<u64>) -> Result<(), TooLittle> {
    let need = Need::of(config);
    if let (true, Some(limit)) = (config.evaluation.is_bounded_by_memory, limit) {
        let rest = limit.saturating_sub(Need { evaluations: 0, ..need }.bytes());
        let held = usize::try_from(rest / need.evaluation.max(1)).unwrap_or(usize::MAX);
        config.evaluation.max_concurrent = config.evaluation.max_concurrent.min(held).max(1);
    }
    Need::of(config).fits(limit)
}

/// The container may use less memory than its settings need.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "the container's memory limit is {}, and the settings need {}: {} for the operator, {} for --storage-cache, {} for three times --source-cache, {} for {} evaluations (--max-concurrent-evals) of {} (--evaluation-memory). Raise the limit (chart value resources.memory) or lower these flags",
    Size(*.limit), Size(.need.bytes()), Size(OWN), Size(.need.storage_cache), Size(.need.source_cache.saturating_mul(SOURCE_CACHES)),
    Size(.need.evaluations.saturating_mul(.need.evaluation)), .need.evaluations, Size(.need.evaluation)
)]
pub struct TooLittle {
    limit: u64,
    need: Need,
}

/// Bytes in the unit that the chart's values have, rounded up.
struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}Mi", self.0.div_ceil(1 << 20))
    }
}

/// The memory limit of this process, in bytes; `None` where there is none, or none that can be read.
pub fn limit() -> Option<u64> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    limit_of(&own, Path::new(GROUPS))
}

/// The lowest limit of a group and of those around it. In a container the group's own folder is often mounted in the place of
/// the root, under which its path does not exist.
fn limit_of(own: &str, mounted: &Path) -> Option<u64> {
    let files = own.lines().filter_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        let (root, file) = match controllers {
            "" => (mounted.to_owned(), "memory.max"),
            several if several.split(',').any(|controller| controller == "memory") => {
                (mounted.join("memory"), "memory.limit_in_bytes")
            }
            _ => return None,
        };
        let path = PathBuf::from(path.trim_start_matches('/'));
        Some(path.ancestors().map(|group| root.join(group).join(file)).collect::<Vec<_>>())
    });
    let limits = files.flatten().filter_map(|file| fs::read_to_string(file).ok()?.trim().parse().ok());
    limits.filter(|limit: &u64| *limit < UNLIMITED).min()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;

    use clap::Parser as _;

    use super::*;
    use crate::config::Args;

    const NEED: Need = Need { storage_cache: 64 << 20, source_cache: 32 << 20, evaluations: 2, evaluation: 256 << 20 };

    fn groups(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn a_limit_below_the_sum_is_refused_with_the_sum() {
        assert_eq!(NEED.fits(None), Ok(()));
        assert_eq!(NEED.fits(Some(800 << 20)), Ok(()));
        assert_eq!(
            NEED.fits(Some((800 << 20) - 1)).unwrap_err().to_string(),
            "the container's memory limit is 800Mi, and the settings need 800Mi: 128Mi for the operator, 64Mi for --storage-cache, 96Mi for three times --source-cache, 512Mi for 2 evaluations (--max-concurrent-evals) of 256Mi (--evaluation-memory). Raise the limit (chart value resources.memory) or lower these flags"
        );
    }

    #[test]
    fn a_number_that_nobody_chose_gives_way_to_the_limit() {
        let config = |args: &[&str]| {
            let needed =
                ["", "--enable-flux-integration", "--storage-path=/store", "--storage-base-url=http://jaas.test"];
            let args = Args::try_parse_from(needed.iter().chain(args)).unwrap();
            Config::new(args.run, BTreeMap::new()).unwrap()
        };
        // 288 MiB for the operator and its caches, and 256 MiB for each evaluation.
        let config_of = |args: &[&str], limit: u64| {
            let mut config = config(args);
            settle(&mut config, Some(limit << 20)).map(|()| config.evaluation.max_concurrent)
        };
        assert_eq!(config_of(&[], 288 + 256), Ok(1));
        assert_eq!(config_of(&[], 288 + 3 * 256 - 1), Ok(2));
        assert_eq!(config_of(&[], 288 + 256 - 1).unwrap_err().need.evaluations, 1);
        assert_eq!(config_of(&["--max-concurrent-evals=2"], 288 + 2 * 256), Ok(2));
        assert_eq!(config_of(&["--max-concurrent-evals=2"], 288 + 256).unwrap_err().need.evaluations, 2);
        let alone = Args::try_parse_from(["", "--max-concurrent-evals=1"]).unwrap().run;
        let alone = Need::of(&Config::new(alone, BTreeMap::new()).unwrap());
        assert_eq!(alone.bytes(), (128 + 256) << 20, "the HTTP renderer alone keeps nothing");
    }

    #[test]
    fn the_lowest_limit_around_a_group_counts() {
        let folder = groups(&[
            ("memory.max", "max\n"),
            ("pod/memory.max", "1000\n"),
            ("pod/container/memory.max", "2000\n"),
            ("pod/other/memory.max", "1\n"),
        ]);
        assert_eq!(limit_of("0::/pod/container\n", folder.path()), Some(1000));
        assert_eq!(limit_of("0::/pod/container/sub\n", folder.path()), Some(1000));
        assert_eq!(limit_of("0::/\n", folder.path()), None);
    }

    #[test]
    fn the_older_kind_of_group_is_read_too() {
        let folder = groups(&[
            ("memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("memory/pod/memory.limit_in_bytes", "5000"),
        ]);
        let own = "9:name=systemd:/\n4:memory:/pod\n3:cpuset:/\n0::/\n";
        assert_eq!(limit_of(own, folder.path()), Some(5000));
        assert_eq!(limit_of("4:memory:/\n", folder.path()), None);
        let mounted = groups(&[("memory/memory.limit_in_bytes", "7000")]);
        assert_eq!(limit_of("4:memory:/kubepods/pod1/c1\n", mounted.path()), Some(7000), "its own folder is the root");
    }
}
