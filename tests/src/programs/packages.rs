//! Programs of the system that tests start: found on `PATH`, or installed from Debian's archive.

use std::env;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// A program, and the Debian package that brings it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tool {
    /// Name of the program.
    pub program: &'static str,
    /// Name of the package.
    pub package: &'static str,
}

/// Makes one system call of a process fail, or the last one.
pub const STRACE: Tool = Tool { program: "strace", package: "strace" };
/// Makes a file system in a file.
pub const MKFS_EXT4: Tool = Tool { program: "mkfs.ext4", package: "e2fsprogs" };
/// Mounts it.
pub const MOUNT: Tool = Tool { program: "mount", package: "mount" };
/// Unmounts it.
pub const UMOUNT: Tool = Tool { program: "umount", package: "mount" };
/// Shuts a file system down.
pub const PERL: Tool = Tool { program: "perl", package: "perl-base" };
/// What the fault matrix needs.
pub const FAULTS: &[Tool] = &[STRACE, MKFS_EXT4, MOUNT, UMOUNT, PERL];

/// Installs what is missing, as root on Debian and its descendants; elsewhere a person must.
///
/// # Errors
/// When a program is missing and cannot be installed: which, and how to get it.
pub fn ensure(tools: &[Tool]) -> Result<()> {
    let packages = packages_of(&missing(tools));
    if packages.is_empty() {
        return Ok(());
    }
    let command = format!("apt-get install -y --no-install-recommends {}", packages.join(" "));
    let names: Vec<_> = missing(tools).iter().map(|tool| tool.program).collect();
    let names = names.join(", ");
    ensure!(is_on_path("apt-get"), "{names} not found on PATH: install them; on Debian by `{command}`");
    ensure!(rustix::process::geteuid().is_root(), "{names} not found on PATH: run `{command}` as root");
    eprintln!("{command}");
    // A machine that never installed anything has no lists yet.
    if install(&packages).is_err() {
        apt_get(&["update"])?;
        install(&packages)?;
    }
    let names: Vec<_> = missing(tools).iter().map(|tool| tool.program).collect();
    ensure!(names.is_empty(), "`{command}` brought no {}: install it by hand", names.join(", "));
    Ok(())
}

fn install(packages: &[&str]) -> Result<()> {
    apt_get(&[&["install", "-y", "--no-install-recommends"], packages].concat())
}

fn apt_get(args: &[&str]) -> Result<()> {
    let shown = format!("apt-get {}", args.join(" "));
    let output = Command::new("apt-get")
        .args(["-o", "DPkg::Lock::Timeout=120"])
        .args(args)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .output()
        .with_context(|| format!("running `{shown}`"))?;
    if !output.status.success() {
        bail!("`{shown}` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

fn missing(tools: &[Tool]) -> Vec<Tool> {
    tools.iter().filter(|tool| !is_on_path(tool.program)).copied().collect()
}

fn packages_of(tools: &[Tool]) -> Vec<&'static str> {
    let mut packages: Vec<_> = tools.iter().map(|tool| tool.package).collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

fn is_on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| Path::new(&folder).join(program).is_file())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_there_is_not_installed_and_each_package_only_once() {
        let shell = Tool { program: "sh", package: "no-such-package" };
        assert!(ensure(&[shell]).is_ok());
        let nowhere = Tool { program: "no-such-program", package: "mount" };
        assert_eq!(missing(&[shell, nowhere]), [nowhere]);
        assert_eq!(packages_of(&[UMOUNT, STRACE, MOUNT]), ["mount", "strace"]);
    }
}
