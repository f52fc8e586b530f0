//! Values for the screens and documents of a report.

use super::*;
use crate::exit::Exit;
use crate::snippet::Key;
use crate::view::TargetOutcome;

const FORMATS: [Format; 8] = [
    Format::Table,
    Format::Wide,
    Format::Short,
    Format::Markdown,
    Format::Json,
    Format::Yaml,
    Format::Ndjson,
    Format::Name,
];

fn args(output: Format) -> OutputArgs {
    OutputArgs { output, color: crate::cli::ColorWhen::Never, ascii: false, quiet: true }
}

fn target(name: &str, outcome: TargetOutcome) -> Target {
    Target::snippet(&Key { namespace: "team-a".into(), name: name.into() }, outcome)
}

fn report(kind: Kind, exit: Exit) -> Report {
    let mut report = Report::begin(kind, &Run::start());
    report.targets = vec![
        target("api", TargetOutcome::Failed)
            .because("EvaluationFailed", "main.jsonnet:14:3: field does not exist: replicas, while manifesting")
            .after(0.25),
        target("batch", TargetOutcome::Skipped).because("Suspended", "spec.suspend is true"),
        target("web", TargetOutcome::Synced).because("Synced", "published").after(0.125),
    ];
    report.figures.insert("seconds", 0.3);
    report.figures.insert("answersPerSecond", 6.7);
    report.finish(exit, "said".to_owned(), None);
    report
}

fn shown(report: &Report, format: Format, width: Option<u16>) -> String {
    let mut out = Vec::new();
    write_report(&mut out, report, args(format), width, &Paint::default()).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn no_format_changes_the_exit_code() {
    let run = Run::start();
    for exit in Exit::ALL {
        for format in FORMATS {
            let report = report(Kind::ReconcileReport, exit);
            let (mut out, mut err) = (Vec::new(), Vec::new());
            let console = Console::new(args(format), &run);
            assert_eq!(console.finish_to(&mut out, &mut err, &report, exit).unwrap(), exit);
            let text = String::from_utf8(out).unwrap();
            let code = match format {
                Format::Json | Format::Ndjson => serde_json::from_str::<serde_json::Value>(&text).unwrap(),
                Format::Yaml => serde_saphyr::from_str::<serde_json::Value>(&text).unwrap(),
                Format::Table | Format::Wide | Format::Short | Format::Markdown | Format::Name => continue,
            };
            assert_eq!(code["result"]["exitCode"], exit.code(), "{format:?}");
        }
    }
}

#[test]
fn the_overview_fits_a_screen_of_80_columns() {
    let expected = "\
SNIPPETS  SYNCED  FAILED  SKIPPED  SECONDS  PER SECOND
3         1       1       1        0.3      6.7

REASON            COUNT  FIRST         MESSAGE
EvaluationFailed  1      team-a/api    main.jsonnet:14:3: field does not exist:
                                       replicas, while manifesting
Suspended         1      team-a/batch  spec.suspend is true
";
    assert_eq!(shown(&report(Kind::ReconcileReport, Exit::Partial), Format::Table, Some(80)), expected);
}

#[test]
fn wide_has_a_line_for_each_snippet() {
    let expected = "\
NAMESPACE  NAME   OUTCOME  REASON            SECONDS  MESSAGE
team-a     api    failed   EvaluationFailed  0.250    main.jsonnet:14:3: field does not exist: replicas, while manifesting
team-a     batch  skipped  Suspended                  spec.suspend is true
team-a     web    synced   Synced            0.125    published
";
    assert_eq!(shown(&report(Kind::ReconcileReport, Exit::Partial), Format::Wide, None), expected);
}

#[test]
fn names_are_those_that_were_asked() {
    let names = "jsonnetsnippet.jaas.metio.wtf/api\njsonnetsnippet.jaas.metio.wtf/web\n";
    assert_eq!(shown(&report(Kind::ReconcileReport, Exit::Done), Format::Name, None), names);
}

#[test]
fn the_document_has_its_agreed_shape() {
    let text = shown(&report(Kind::ReconcileReport, Exit::Partial), Format::Json, None);
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["apiVersion"], "cli.jaas.metio.wtf/v1");
    assert_eq!(document["kind"], "ReconcileReport");
    assert_eq!(document["metadata"]["cluster"]["uid"], "unknown");
    assert_eq!(document["metadata"]["run"].as_str().unwrap().len(), 10);
    assert_eq!(document["metadata"]["scope"]["allNamespaces"], false);
    assert_eq!(document["result"]["outcome"], "partial");
    assert_eq!(document["result"]["counts"], serde_json::json!({"failed": 1, "skipped": 1, "synced": 1}));
    assert_eq!(document["targets"][0]["object"]["kind"], "JsonnetSnippet");
    assert_eq!(document["targets"][0]["outcome"], "failed");
    assert_eq!(document["targets"][0]["seconds"], 0.25);
}

#[test]
fn a_chat_gets_a_sentence_and_a_ticket_a_table() {
    let mut report = report(Kind::ReconcileReport, Exit::Partial);
    report.next.push(crate::view::Next { command: "kubectl jaas status".to_owned(), why: String::new() });
    assert_eq!(shown(&report, Format::Short, None), "said\nnext: kubectl jaas status\n");
    let ticket = shown(&report, Format::Markdown, Some(80));
    assert!(ticket.starts_with("| SNIPPETS | SYNCED | FAILED | SKIPPED | SECONDS | PER SECOND |\n| --- |"), "{ticket}");
    assert!(ticket.contains("| Suspended | 1 | team-a/batch | spec.suspend is true |\n"), "{ticket}");
}
