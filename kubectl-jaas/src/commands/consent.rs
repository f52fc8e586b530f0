//! Whether a change may be made: by its danger, by flags, or by asking.

use std::io::{self, BufRead, IsTerminal as _};

use super::{Error, Invocation};
use crate::cli::ChangeArgs;

/// What a change may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Danger {
    /// Nothing: it may be done twice.
    Nudge,
    /// Something that comes back by itself.
    Bounded,
    /// Something that nothing brings back, or that nobody can promise.
    Severe,
}

/// What follows from danger, flags and streams.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Consent {
    /// It may be made.
    Given,
    /// Somebody must say yes.
    Ask,
    /// Somebody must type these words.
    AskFor(String),
    /// Nobody can say so; the text tells how to say it beforehand.
    Impossible(String),
}

/// Asks where it must be asked.
///
/// # Errors
/// Refused, declined, or nobody can be asked; a signal came.
pub(super) async fn consent(
    danger: Danger,
    question: &str,
    words: &str,
    said: Option<&str>,
    change: &ChangeArgs,
    invocation: &Invocation<'_>,
) -> Result<(), Error> {
    let is_attended = io::stdin().is_terminal() && io::stderr().is_terminal();
    let expected = match decide(danger, words, said, change, is_attended) {
        Consent::Given => return Ok(()),
        Consent::Impossible(how) => {
            return Err(Error::Refused { what: "nobody can be asked; nothing was changed".to_owned(), how });
        }
        Consent::Ask => {
            invocation.listener.ask(&format!("{question} [y/N]"));
            None
        }
        Consent::AskFor(words) => {
            invocation.listener.ask(&format!("{question}\nTo go on, type: {words}\n>"));
            Some(words)
        }
    };
    let mut stop = invocation.stop.clone();
    let answer = tokio::task::spawn_blocking(|| answer(&mut io::stdin().lock()));
    let answer = tokio::select! {
        answer = answer => answer.unwrap_or_default(),
        signal = stop.signalled() => return Err(Error::Stopped(signal)),
    };
    if is_yes(&answer, expected.as_deref()) {
        return Ok(());
    }
    Err(Error::Refused { what: "declined; nothing was changed".to_owned(), how: String::new() })
}

fn decide(danger: Danger, words: &str, said: Option<&str>, change: &ChangeArgs, is_attended: bool) -> Consent {
    if change.dry_run.is_some() {
        return Consent::Given;
    }
    match (danger, said) {
        (Danger::Nudge, _) => Consent::Given,
        (Danger::Bounded, _) if change.yes => Consent::Given,
        (Danger::Bounded, _) if is_attended => Consent::Ask,
        (Danger::Bounded, _) => Consent::Impossible("look with --dry-run, then add --yes".to_owned()),
        (Danger::Severe, Some(said)) if said == words => Consent::Given,
        (Danger::Severe, Some(_)) => Consent::Impossible(format!("what was meant by --confirm is now: '{words}'")),
        (Danger::Severe, None) if is_attended => Consent::AskFor(words.to_owned()),
        (Danger::Severe, None) if change.yes => Consent::Impossible(format!(
            "--yes does not do for what nothing brings back: if that is what you want, add --confirm '{words}'"
        )),
        (Danger::Severe, None) => Consent::Impossible(format!("if that is what you want, add --confirm '{words}'")),
    }
}

/// One line; nothing where the stream ends or breaks, which is no yes.
fn answer(input: &mut impl BufRead) -> String {
    let mut line = String::new();
    match input.read_line(&mut line) {
        Ok(_) => line.trim().to_owned(),
        Err(_) => String::new(),
    }
}

fn is_yes(answer: &str, expected: Option<&str>) -> bool {
    match expected {
        Some(words) => answer == words,
        None => matches!(answer.to_lowercase().as_str(), "y" | "yes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::DryRun;

    const WORDS: &str = "delete lease a/b";

    fn change(yes: bool) -> ChangeArgs {
        ChangeArgs { yes, ..ChangeArgs::default() }
    }

    #[test]
    fn a_nudge_is_never_asked_for_and_a_dry_run_neither() {
        assert_eq!(decide(Danger::Nudge, "", None, &change(false), true), Consent::Given);
        let dry = ChangeArgs { dry_run: Some(DryRun::Client), ..ChangeArgs::default() };
        for danger in [Danger::Nudge, Danger::Bounded, Danger::Severe] {
            assert_eq!(decide(danger, WORDS, None, &dry, false), Consent::Given);
        }
    }

    #[test]
    fn what_comes_back_needs_a_yes_from_somebody() {
        assert_eq!(decide(Danger::Bounded, "", None, &change(true), false), Consent::Given);
        assert_eq!(decide(Danger::Bounded, "", None, &change(false), true), Consent::Ask);
        let Consent::Impossible(how) = decide(Danger::Bounded, "", None, &change(false), false) else { panic!() };
        assert_eq!(how, "look with --dry-run, then add --yes");
    }

    #[test]
    fn what_does_not_come_back_needs_the_very_words() {
        let decided = |said, is_attended| decide(Danger::Severe, WORDS, said, &change(true), is_attended);
        assert_eq!(decided(Some(WORDS), false), Consent::Given);
        assert!(matches!(decided(Some("delete lease a/c"), true), Consent::Impossible(_)));
        assert_eq!(decided(None, true), Consent::AskFor(WORDS.to_owned()));
        let Consent::Impossible(how) = decided(None, false) else { panic!() };
        assert!(how.starts_with("--yes does not do ") && how.ends_with(&format!("add --confirm '{WORDS}'")), "{how}");
    }

    #[test]
    fn only_yes_is_yes() {
        let given = |text: &str| is_yes(&answer(&mut text.as_bytes()), None);
        assert!(given("y\n") && given("YES\n"));
        assert!(!given("") && !given("\n") && !given("n\n") && !given("yy\n"));
        assert!(is_yes(WORDS, Some(WORDS)) && !is_yes("y", Some(WORDS)));
    }
}
