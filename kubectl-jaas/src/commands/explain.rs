//! `explain`: what a code, reason, alert or metric means and what to type, without a cluster; or why a snippet is as it is.

mod events;
mod page;

use jaas_api::Reason;
use jaas_findings::{Code, page as registry, registry as table};

use super::{Error, Invocation, one};
use crate::session::{self, Session, Writes};
use crate::view::Report;

/// How many findings a search names.
const FOUND: usize = 10;
/// Width of the text.
const WIDTH: usize = 80;

/// The page of a reason, as the documentation has it.
fn text_of(reason: Reason) -> &'static str {
    macro_rules! page {
        ($name:literal) => {
            include_str!(concat!("../../../docs/reasons/", $name, ".md"))
        };
    }
    match reason {
        Reason::Pending => page!("pending"),
        Reason::Synced => page!("synced"),
        Reason::InvalidSpec => page!("invalidspec"),
        Reason::LibraryNotFound => page!("librarynotfound"),
        Reason::CrossNamespaceRefRejected => page!("crossnamespacerefrejected"),
        Reason::ExternalVariableConflict => page!("externalvariableconflict"),
        Reason::ServiceAccountMissing => page!("serviceaccountmissing"),
        Reason::EvaluationFailed => page!("evaluationfailed"),
        Reason::EvaluationTimeout => page!("evaluationtimeout"),
        Reason::EvaluationOutOfMemory => page!("evaluationoutofmemory"),
        Reason::EvaluationTooDeep => page!("evaluationtoodeep"),
        Reason::SourceRefNotYetSupported => page!("sourcerefnotyetsupported"),
        Reason::SourceNotReady => page!("sourcenotready"),
        Reason::SourceFetchFailed => page!("sourcefetchfailed"),
        Reason::DependencyCycle => page!("dependencycycle"),
        Reason::ArtifactTooLarge => page!("artifacttoolarge"),
        Reason::Suspended => page!("suspended"),
        Reason::RBACDenied => page!("rbacdenied"),
        Reason::StorageUnavailable => page!("storageunavailable"),
        Reason::StorageFull => page!("storagefull"),
        Reason::StorageReadOnly => page!("storagereadonly"),
        Reason::StorageDenied => page!("storagedenied"),
        Reason::BucketMissing => page!("bucketmissing"),
        Reason::ClockSkew => page!("clockskew"),
        Reason::ArtifactConflict => page!("artifactconflict"),
        Reason::NoManifests => page!("nomanifests"),
        Reason::InvalidManifests => page!("invalidmanifests"),
        Reason::ArtifactLost => page!("artifactlost"),
        Reason::ApiUnavailable => page!("apiunavailable"),
    }
}

/// A word that names nothing that can be explained.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{0}` is no code, no reason of a JsonnetSnippet or of an Event, no alert and no metric, and no finding speaks of it"
)]
pub(crate) struct UnknownWord(String);

impl UnknownWord {
    /// Words that would have been understood.
    pub(crate) fn hint(&self) -> String {
        let known: Vec<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        format!("a code such as S401, or one of {}", known.join(", "))
    }
}

/// What is known of words without a cluster; `None` for one that may be the name of a snippet and is no topic. Whoever names a namespace
/// means a snippet.
pub(super) fn text(words: &[String], names_namespace: bool) -> Option<Result<String, Error>> {
    let unknown = |words: &str| Some(search(words).ok_or_else(|| UnknownWord(words.to_owned()).into()));
    let [word] = words else { return unknown(&words.join(" ")) };
    match explain(word) {
        Some(text) => Some(Ok(text)),
        None if is_name(word) && !names_namespace && is_topic(word) => {
            let other = format!("\n\nA snippet of that name\n  kubectl jaas explain {word} -n NAMESPACE");
            Some(Ok(search(word).unwrap_or_default() + &other))
        }
        None if is_name(word) => None,
        None => unknown(word),
    }
}

/// The findings that speak of these words, those with most of them first.
fn search(words: &str) -> Option<String> {
    let wanted: Vec<_> = words
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| word.chars().count() > 2)
        .map(str::to_lowercase)
        .collect();
    let hits = |code: Code| {
        let entry = code.entry();
        let (title, text) = (entry.title.to_lowercase(), format!("{} {}", entry.meaning, entry.cause).to_lowercase());
        let count = |text: &str| wanted.iter().filter(|word| text.contains(word.as_str())).count();
        // What stands in the title is what it is about.
        (
            wanted.iter().filter(|word| title.contains(word.as_str()) || text.contains(word.as_str())).count(),
            count(&title),
        )
    };
    let mut found: Vec<_> =
        Code::ALL.iter().map(|code| (hits(*code), *code)).filter(|((all, _), _)| *all > 0).collect();
    found.sort_by_key(|(hits, _)| std::cmp::Reverse(*hits));
    let most = found.first()?.0.0;
    let best: Vec<_> = found.iter().filter(|((all, _), _)| *all == most).take(FOUND).map(|(_, code)| *code).collect();
    let mut text = format!("Findings that speak of `{words}`\n");
    for code in &best {
        text.push_str(&format!("  {code}  {}\n", code.entry().title));
    }
    text.push_str(&format!("\nMore of one\n  kubectl jaas explain {}", best.first()?));
    Some(text)
}

/// Whether a finding is about this very word, going by its title.
fn is_topic(word: &str) -> bool {
    let is_it = |other: &str| other.eq_ignore_ascii_case(word);
    word.len() > 3 && Code::ALL.iter().any(|code| code.entry().title.split(|it: char| !it.is_alphanumeric()).any(is_it))
}

/// Whether a snippet can be called so, with its namespace or without.
fn is_name(word: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.' | b'/');
    !word.is_empty() && word.bytes().all(is_plain)
}

/// What a snippet says of itself, and what that means.
///
/// # Errors
/// There is no such snippet, or it cannot be asked for.
pub(super) async fn snippet(word: &str, invocation: &Invocation<'_>, report: &mut Report) -> Result<String, Error> {
    let session = Session::open(invocation.connection, invocation.run, Writes::Refused).await?;
    report.at(&session.destination);
    let key = one::key(word, &session, invocation, "explain")?;
    let found = match one::get(&session, &key, report).await {
        Err(Error::Session(session::Error::NotFound { .. })) if search(word).is_some() => {
            let found = search(word).unwrap_or_default();
            return Ok(format!("There is no snippet {key}.\n\n{found}"));
        }
        got => got?,
    };
    let ready = found.status.as_ref().and_then(|status| status.ready());
    Ok(match ready {
        None => format!("{key} has no Ready condition yet\n\n{}", page::fit(text_of(Reason::Pending), WIDTH)),
        Some(ready) => {
            let meaning = explain(&ready.reason).unwrap_or_default();
            let said = format!("{key} is Ready={}: {} {}", ready.status, ready.reason, ready.message);
            let said: String = said.lines().map(|line| page::wrap(line, WIDTH, "  ")).collect();
            format!("{said}\n{meaning}")
        }
    })
}

/// The page of a reason and the codes that it leads to, or the sections of the codes that the word leads to.
fn explain(word: &str) -> Option<String> {
    if let Some(event) = events::find(word) {
        return Some(event.text(WIDTH));
    }
    let codes = table::find(word);
    let reason = Reason::ALL.iter().find(|reason| reason.as_str().eq_ignore_ascii_case(word));
    if let Some(reason) = reason {
        let mut text = page::fit(text_of(*reason), WIDTH).trim_end().to_owned();
        if !codes.is_empty() {
            text.push_str("\n\nFindings that tell of it\n");
        }
        for code in codes {
            text.push_str(&format!("  kubectl jaas explain {code}  # {}\n", code.entry().title));
        }
        return Some(text);
    }
    let sections: Vec<_> = codes.into_iter().map(section).collect();
    (!sections.is_empty()).then(|| sections.join("\n"))
}

/// The section of a code. Commands that this version does not take are marked.
fn section(code: Code) -> String {
    let mark = |line: &str| match line.strip_prefix("  ") {
        Some(command) if !crate::cli::takes(command) => format!("{line}  # comes with a later version\n"),
        _ => format!("{line}\n"),
    };
    registry::explain(code, WIDTH).lines().map(mark).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_page_of_its_own() {
        for reason in Reason::ALL {
            let text = explain(&reason.as_str().to_lowercase()).unwrap();
            assert!(text.starts_with(&format!("{reason}\n")), "{reason}: {text}");
        }
    }

    #[test]
    fn codes_alerts_and_metrics_are_explained_and_reasons_lead_to_codes() {
        assert!(explain("s401").unwrap().starts_with("S401  "));
        let alert = explain("JaaSStorageSweepFailures").unwrap();
        assert!(["S405  ", "G603  ", "G609  "].iter().all(|head| alert.contains(head)), "{alert}");
        assert!(explain("jaas_eval_outstanding_timed_out").unwrap().starts_with("Q804  "));
        assert!(explain("StorageFull").unwrap().contains("  kubectl jaas explain S401  # "));
    }

    #[test]
    fn words_lead_to_the_findings_that_speak_of_them() {
        let found = |words: &str| search(words).map(|text| text.lines().nth(1).unwrap_or_default().trim().to_owned());
        assert_eq!(found("quota nearly full").as_deref(), Some("S402  volume or quota nearly full"));
        assert_eq!(found("image pulled").as_deref(), Some("P104  the image cannot be pulled"));
        assert_eq!(found("Nobody leads!").as_deref(), Some("P110  nobody leads"));
        assert_eq!((found("xyzzy"), found("a")), (None, None));
        assert!(search("full").is_some_and(|text| text.lines().count() <= FOUND + 4));
    }

    #[test]
    fn a_command_of_a_later_version_says_so_and_no_other_does() {
        for code in jaas_findings::Code::ALL {
            let text = explain(code.as_str()).unwrap();
            for line in text.lines().filter(|line| line.starts_with("  kubectl jaas ")) {
                let (command, note) = line.trim().split_once("  # ").unwrap_or((line.trim(), ""));
                assert_eq!(crate::cli::takes(command), note != "comes with a later version", "{line}");
            }
        }
    }

    #[test]
    fn a_word_that_no_snippet_can_be_called_is_unknown() {
        let text = |line: &str| text(&line.split(' ').map(str::to_owned).collect::<Vec<_>>(), false);
        let error = text("Brokken").unwrap().unwrap_err();
        let unknown = "`Brokken` is no code, no reason of a JsonnetSnippet or of an Event, no alert and no metric, and no finding speaks of it";
        assert_eq!(error.to_string(), unknown);
        assert!(error.hint().is_some_and(|hint| hint.starts_with("a code such as S401, or one of Pending, Synced")));
        assert!(text("web").is_none() && text("team-a/web").is_none());
    }

    #[test]
    fn a_topic_is_explained_without_a_cluster_unless_a_namespace_is_named() {
        let words = ["quota".to_owned()];
        let told = text(&words, false).unwrap().unwrap();
        assert!(told.starts_with("Findings that speak of `quota`\n") && told.contains("  S401  "), "{told}");
        assert!(told.ends_with("  kubectl jaas explain quota -n NAMESPACE"), "{told}");
        assert!(text(&words, true).is_none());
        for name in ["web", "a", "api", "broken", "dashboards", "quotas"] {
            assert!(!is_topic(name), "{name}");
        }
    }
}
