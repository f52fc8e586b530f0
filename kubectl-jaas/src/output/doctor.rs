//! The screen of `doctor`: where to begin, what follows from it, what could not be looked at. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jaas_findings::finding::State;
use jaas_findings::{Code, Document, Finding, Severity};

use super::reconcile;
use super::screen::Screen;
use super::table::Table;
use crate::facts::hinders;
use crate::hint::count;
use crate::view::{Diagnosis, Report};

/// Rows of a table on a screen; `wide` shows all.
const LIMIT: usize = 20;
/// Things that a row names.
const NAMES: usize = 3;
/// Longest text of a single thing that was seen, in characters.
const SEEN: usize = 120;

/// Causes first, then what they explain, then what nobody could look at.
pub(super) fn overview(found: &Diagnosis, report: &Report, is_wide: bool) -> Screen {
    let mut screen = Screen::default();
    let document = &found.document;
    let scope = &report.metadata.scope;
    let place = if scope.all_namespaces { "all namespaces".to_owned() } else { scope.namespaces.join(", ") };
    screen.facts([
        ("operator", found.operator.clone().unwrap_or_default()),
        ("store", found.store.clone().unwrap_or_default()),
        (
            "scope",
            format!("{} in {place}   depth {}   route {}", count(scope.snippets, "snippet"), found.depth, found.route),
        ),
    ]);
    screen.table(causes(document));
    screen.table(others(document, is_wide));
    screen.table(unseen(document, is_wide));
    if is_wide {
        screen.table(evidence(document));
    }
    screen
}

fn causes(document: &Document) -> Table {
    let mut table = Table::new(&["CAUSE", "SEVERITY", "WHAT", "EXPLAINS"]);
    for root in &document.triage.roots {
        let Some(finding) = document.findings.iter().find(|finding| finding.code == root.code) else { continue };
        let explains = codes(&root.explains);
        table.row([root.code.to_string(), root.severity.word().to_owned(), what(finding), explains]);
    }
    table
}

/// Findings that are no causes.
fn others(document: &Document, is_wide: bool) -> Table {
    let roots: BTreeSet<_> = document.triage.roots.iter().map(|root| root.code).collect();
    let mut table = Table::new(&["ALSO", "SEVERITY", "WHAT", "BECAUSE"]);
    let is_meant =
        |finding: &&Finding| !roots.contains(&finding.code) && (is_wide || finding.severity > Severity::Info);
    for finding in document.findings.iter().filter(is_meant) {
        let severity = finding.severity.word().to_owned();
        table.row([finding.code.to_string(), severity, what(finding), codes(&finding.causes)]);
    }
    table
}

/// What is the case and with what, in one line.
fn what(finding: &Finding) -> String {
    let names: BTreeSet<_> = finding.subjects.iter().map(|subject| subject.path()).collect();
    let more = names.len().saturating_sub(NAMES);
    let shown: Vec<_> = names.into_iter().take(NAMES).collect();
    match (shown.is_empty(), more) {
        (true, _) => finding.summary.clone(),
        (false, 0) => format!("{}: {}", finding.summary, shown.join(", ")),
        (false, more) => format!("{}: {} and {more} more", finding.summary, shown.join(", ")),
    }
}

fn codes(codes: &[Code]) -> String {
    codes.iter().map(|code| code.as_str()).collect::<Vec<_>>().join(" ")
}

/// Why checks could not look, each reason once. What was not wanted, or what no road of this version leads to, is only for those who
/// want to see all.
fn unseen(document: &Document, is_wide: bool) -> Table {
    let mut reasons: BTreeMap<&str, Vec<Code>> = BTreeMap::new();
    for check in document.checks.iter().filter(|check| matches!(check.state, State::Unknown | State::Finding)) {
        for why in check.why.iter().filter(|why| is_wide || hinders(why)) {
            reasons.entry(why).or_default().push(check.code);
        }
    }
    let mut table = Table::new(&["NOT CHECKED", "BECAUSE"]);
    let limit = if is_wide { usize::MAX } else { LIMIT };
    for (why, all) in reasons.iter().take(limit) {
        let more = all.len().saturating_sub(if is_wide { usize::MAX } else { NAMES });
        let shown = codes(all.get(..all.len() - more).unwrap_or_default());
        let shown = if more == 0 { shown } else { format!("{shown} +{more}") };
        table.row([shown, (*why).to_owned()]);
    }
    table
}

fn evidence(document: &Document) -> Table {
    let mut table = Table::new(&["CODE", "EVIDENCE", "SEEN", "EXPECTED"]);
    for finding in &document.findings {
        for evidence in &finding.evidence {
            let shown: Vec<_> = evidence.first.iter().take(NAMES).map(|text| cut(text)).collect();
            let more = evidence.count.unwrap_or(evidence.first.len()).saturating_sub(shown.len());
            let seen = match (shown.is_empty(), more) {
                (true, _) => cut(&evidence.observed),
                (false, 0) => format!("{}: {}", evidence.observed, shown.join(", ")),
                (false, more) => format!("{}: {} and {more} more", evidence.observed, shown.join(", ")),
            };
            let expected = evidence.expected.clone().unwrap_or_default();
            table.row([finding.code.to_string(), evidence.key.clone(), seen, expected]);
        }
    }
    table
}

/// A text that leaves room for others; documents have it in full.
fn cut(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let is_whole = line.len() == text.trim_end().len() && line.chars().count() <= SEEN;
    if is_whole {
        line.to_owned()
    } else {
        format!("{}…", line.chars().take(SEEN - 1).collect::<String>().trim_end())
    }
}

/// Snippets that findings concern, for other commands.
pub(super) fn names(found: &Diagnosis) -> String {
    let subjects = found.document.findings.iter().flat_map(|finding| &finding.subjects);
    let snippets = subjects.filter(|subject| subject.kind == "JsonnetSnippet");
    snippets.map(|subject| subject.name.as_str()).collect::<BTreeSet<_>>().into_iter().map(reconcile::name).collect()
}

#[cfg(test)]
mod tests {
    use jaas_findings::{Check, Subject};
    use jiff::Timestamp;

    use super::*;
    use crate::output::style::Paint;
    use crate::run::Run;
    use crate::view::Kind;

    fn diagnosis() -> Diagnosis {
        let snippets = ["web", "api", "grid", "batch"].map(|name| Subject::new("JsonnetSnippet", "team-a", name));
        let full = Finding::new(Code::VolumeFull, "nothing new can be stored");
        let mut silent =
            Finding::new(Code::SilentFailure, "4 snippets Ready although publishing fails").about(snippets);
        silent.causes = vec![Code::VolumeFull];
        let check =
            |code: Code, why: &str| Check { code, area: code.area(), state: State::Unknown, why: vec![why.to_owned()] };
        let checks = vec![
            check(Code::NoLeader, "no right: get leases in jaas-system"),
            check(Code::LeaderStuck, "no right: get leases in jaas-system"),
            check(Code::Residue, "not offered: by the API server"),
        ];
        let document =
            Document::new(Timestamp::UNIX_EPOCH, jaas_findings::Diagnosis { findings: vec![full, silent], checks });
        let (operator, store) = (Some("jaas-system/jaas 1   1/1 ready".to_owned()), Some("local, pvc/x".to_owned()));
        Diagnosis { operator, store, depth: "standard", route: "service-proxy", document }
    }

    fn shown(is_wide: bool) -> String {
        let report = Report::begin(Kind::DoctorReport, &Run::start());
        overview(&diagnosis(), &report, is_wide).render(Some(80), &Paint::default())
    }

    #[test]
    fn a_screen_begins_with_causes_and_fits() {
        let text = shown(false);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        let expected = "CAUSE  SEVERITY  WHAT                       EXPLAINS\n\
                        S401   critical  nothing new can be stored  R706\n";
        assert!(text.contains(expected), "{text}");
        let cause = text.find("CAUSE").unwrap();
        assert!(cause < text.find("ALSO").unwrap() && cause < text.find("NOT CHECKED").unwrap(), "{text}");
        assert!(text.contains("fails: team-a/api,") && text.contains("team-a/batch, team-a/grid and 1 more"), "{text}");
        assert!(text.contains("P110 P112    no right: get leases in jaas-system"), "{text}");
        assert!(!text.contains("not offered"), "{text}");
        assert!(shown(true).contains("not offered: by the API server"), "{}", shown(true));
    }

    #[test]
    fn evidence_names_a_few_things_and_cuts_long_ones() {
        let long = format!("{}\nat main.jsonnet:1", "x".repeat(300));
        let texts = (0..25).map(|number| format!("{number:02}")).chain([long]);
        let finding = Finding::new(Code::NotReady, "").with(jaas_findings::Evidence::several("conditions", texts));
        let found = jaas_findings::Diagnosis { findings: vec![finding], checks: Vec::new() };
        let text = evidence(&Document::new(Timestamp::UNIX_EPOCH, found)).render(None, &Paint::default());
        assert!(text.contains("26: 00, 01, 02 and 23 more\n"), "{text}");
        let cut = cut(&format!("{}\nat main.jsonnet:1", "x".repeat(300)));
        assert!(cut.chars().count() == SEEN && cut.ends_with('…'), "{cut}");
        assert_eq!((super::cut("one\ntwo"), super::cut("one")), ("one…".to_owned(), "one".to_owned()));
    }

    #[test]
    fn names_are_those_of_snippets() {
        let kind = "jsonnetsnippet.jaas.metio.wtf";
        assert_eq!(names(&diagnosis()), format!("{kind}/api\n{kind}/batch\n{kind}/grid\n{kind}/web\n"));
    }
}
