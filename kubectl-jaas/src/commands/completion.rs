//! `completion`: scripts for shells, and the file by which kubectl completes.

use std::io;
use std::path::{Path, PathBuf};

use clap_complete::env::Shells;

use crate::cli::{CompletionArgs, Shell};
use crate::complete::{ARGUMENT, PROGRAM};

/// Variable by which the scripts ask this program.
pub(crate) const VARIABLE: &str = "COMPLETE";
/// Name of this program.
const NAME: &str = "kubectl-jaas";

/// Why there is no script.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CompletionError {
    /// The script could not be written.
    #[error("cannot write {}: {cause}", .path.display())]
    Write { path: PathBuf, cause: io::Error },
    /// There is another file of that name.
    #[error("{} is there already and is not ours", .0.display())]
    Foreign(PathBuf),
    /// The program does not know where it is, or has no script for that shell.
    #[error("cannot set up completion: {0}")]
    Failed(String),
}

/// The text for stdout.
///
/// # Errors
/// What could not be written.
pub(super) fn run(args: &CompletionArgs) -> Result<String, CompletionError> {
    let name = match args.shell {
        Shell::Kubectl => return Ok(shim().trim_end().to_owned()),
        Shell::Install => return install(args.directory.as_deref()),
        Shell::Bash => "bash",
        Shell::Zsh => "zsh",
        Shell::Fish => "fish",
        Shell::Powershell => "powershell",
    };
    let shells = Shells::builtins();
    let shell = shells.completer(name).ok_or_else(|| CompletionError::Failed(format!("no script for {name}")))?;
    let mut script = Vec::new();
    shell
        .write_registration(VARIABLE, NAME, NAME, NAME, &mut script)
        .map_err(|error| CompletionError::Failed(error.to_string()))?;
    Ok(String::from_utf8_lossy(&script).trim_end().to_owned())
}

/// The program that kubectl runs.
fn shim() -> String {
    format!("#!/bin/sh\n# Written by: kubectl jaas completion install\nexec {NAME} {ARGUMENT} \"$@\"\n")
}

fn install(directory: Option<&Path>) -> Result<String, CompletionError> {
    let own = std::env::current_exe().map_err(|error| CompletionError::Failed(error.to_string()))?;
    let directory = directory.or_else(|| own.parent()).unwrap_or(Path::new("."));
    let path = directory.join(PROGRAM);
    match std::fs::read_to_string(&path) {
        Ok(present) if present == shim() => return Ok(format!("{} is there already", path.display())),
        Ok(_) => return Err(CompletionError::Foreign(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(cause) => return Err(CompletionError::Write { path, cause }),
    }
    write(&path).map_err(|cause| CompletionError::Write { path: path.clone(), cause })?;
    Ok(format!("wrote {}; kubectl's own completion finds it where the folder is in PATH", path.display()))
}

fn write(path: &Path) -> io::Result<()> {
    std::fs::write(path, shim())?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(shell: Shell, directory: Option<&Path>) -> CompletionArgs {
        CompletionArgs { shell, directory: directory.map(Path::to_owned) }
    }

    #[test]
    fn every_shell_has_a_script() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Powershell] {
            assert!(run(&args(shell, None)).unwrap().contains(NAME), "{shell:?}");
        }
    }

    #[test]
    fn an_installed_file_is_kept_and_a_foreign_one_too() {
        let directory = tempfile::tempdir().unwrap();
        let install = || run(&args(Shell::Install, Some(directory.path())));
        assert!(install().unwrap().starts_with("wrote "));
        assert!(install().unwrap().ends_with("is there already"));
        let path = directory.path().join(PROGRAM);
        std::fs::write(&path, "mine").unwrap();
        assert!(matches!(install(), Err(CompletionError::Foreign(_))));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    }
}
