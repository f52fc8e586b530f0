//! A terminal for a program: what it shows on a screen of some width, and what a person types.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, OutputModes, Winsize, tcgetattr, tcsetattr, tcsetwinsize};

/// What a program left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// What the screen got.
    pub screen: String,
    /// What stderr got, where that is no screen.
    pub errors: String,
    /// The exit code; -1 where a signal ended it.
    pub code: i32,
}

/// Runs a program whose stdout is a screen; stderr is a pipe, and nobody can be asked.
///
/// # Errors
/// When there is no pseudo-terminal, or the program cannot be run.
pub fn show(mut command: Command, columns: u16) -> Result<Shown> {
    let (ours, theirs) = pair(columns)?;
    command.stdin(Stdio::null()).stdout(theirs).stderr(Stdio::piped());
    let mut child = command.spawn().context("starting the program")?;
    // The screen ends once nobody else holds it.
    drop(command);
    let mut errors = child.stderr.take().context("the program's stderr")?;
    let said = std::thread::spawn(move || {
        let mut text = Vec::new();
        errors.read_to_end(&mut text).map(|_| text)
    });
    let screen = read(File::from(ours), |_| ());
    let errors = said.join().map_err(|_| anyhow::anyhow!("reading stderr"))?.context("reading stderr")?;
    let code = child.wait().context("waiting for the program")?.code().unwrap_or(-1);
    Ok(Shown { screen: text(&screen), errors: text(&errors), code })
}

/// A program with a person before it: stdin, stdout and stderr are one terminal.
pub struct Session {
    child: Child,
    keyboard: File,
    said: Arc<(Mutex<Vec<u8>>, Condvar)>,
    reader: std::thread::JoinHandle<Vec<u8>>,
}

impl Session {
    /// Starts a program.
    ///
    /// # Errors
    /// As [`show`].
    pub fn start(mut command: Command, columns: u16) -> Result<Self> {
        let (ours, theirs) = pair(columns)?;
        let again = |fd: &OwnedFd| fd.try_clone().context("sharing the terminal");
        command.stdin(again(&theirs)?).stdout(again(&theirs)?).stderr(theirs);
        let child = command.spawn().context("starting the program")?;
        drop(command);
        let said: Arc<(Mutex<Vec<u8>>, Condvar)> = Arc::default();
        let (screen, heard) = (File::from(again(&ours)?), Arc::clone(&said));
        let reader = std::thread::spawn(move || {
            read(screen, |bytes| {
                heard.0.lock().unwrap_or_else(PoisonError::into_inner).extend(bytes);
                heard.1.notify_all();
            })
        });
        Ok(Self { child, keyboard: File::from(ours), said, reader })
    }

    /// Waits until the program has shown this.
    ///
    /// # Errors
    /// When it has not in that time, with what it has.
    pub fn expect(&self, wanted: &str, patience: Duration) -> Result<()> {
        let deadline = Instant::now() + patience;
        let mut said = self.said.0.lock().unwrap_or_else(PoisonError::into_inner);
        while !text(&said).contains(wanted) {
            let left = deadline.saturating_duration_since(Instant::now());
            ensure!(!left.is_zero(), "no `{wanted}` within {patience:?}:\n{}", text(&said));
            said = self.said.1.wait_timeout(said, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(())
    }

    /// Types a line.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn enter(&mut self, line: &str) -> Result<()> {
        writeln!(self.keyboard, "{line}").context("typing")
    }

    /// Waits for the end: what was shown, what was typed included, and the exit code.
    ///
    /// # Errors
    /// When the program cannot be waited for.
    pub fn end(mut self) -> Result<(String, i32)> {
        let code = self.child.wait().context("waiting for the program")?.code().unwrap_or(-1);
        let said = self.reader.join().map_err(|_| anyhow::anyhow!("reading the screen"))?;
        Ok((text(&said), code))
    }
}

/// Both ends of a terminal: ours, and the program's.
fn pair(columns: u16) -> Result<(OwnedFd, OwnedFd)> {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).context("opening a terminal")?;
    grantpt(&ours).and_then(|()| unlockpt(&ours)).context("unlocking the terminal")?;
    let name = ptsname(&ours, Vec::new()).context("naming the terminal")?;
    let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::CLOEXEC;
    let theirs =
        rustix::fs::open(name.as_c_str(), flags, rustix::fs::Mode::empty()).context("opening its other end")?;
    let size = Winsize { ws_row: 50, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&theirs, size).context("setting its size")?;
    let mut modes = tcgetattr(&theirs).context("reading its modes")?;
    modes.output_modes.remove(OutputModes::OPOST);
    tcsetattr(&theirs, OptionalActions::Now, &modes).context("setting its modes")?;
    Ok((ours, theirs))
}

/// Everything until nobody holds the other end any more, which Linux tells as an error.
fn read(mut screen: File, mut each: impl FnMut(&[u8])) -> Vec<u8> {
    let (mut all, mut part) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = screen.read(&mut part) {
        let news = part.get(..count).unwrap_or_default();
        each(news);
        all.extend(news);
    }
    all
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

    use super::*;

    #[test]
    fn a_screen_has_a_width_and_its_program_an_end() {
        let mut command = Command::new("sh");
        command.args(["-c", "test -t 1 && ! test -t 2 && stty size <&1 && echo no >&2; exit 3"]);
        let shown = show(command, 80).unwrap();
        assert_eq!(shown, Shown { screen: "50 80\n".to_owned(), errors: "no\n".to_owned(), code: 3 });
    }

    #[test]
    fn a_question_is_seen_and_answered() {
        let mut command = Command::new("sh");
        command.args(["-c", "printf 'sure? '; read answer; echo got $answer; test $answer = y"]);
        let mut session = Session::start(command, 80).unwrap();
        session.expect("sure? ", Duration::from_secs(20)).unwrap();
        session.enter("n").unwrap();
        let (said, code) = session.end().unwrap();
        assert!(said.contains("sure? ") && code == 1, "{said}");
    }
}
