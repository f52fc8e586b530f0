//! The reference of metrics names what there is, and nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use jaas_tests::wait::eventually;

use crate::bench::{Bench, PATIENCE};

const PAGE: &str = include_str!("../../docs/reference/metrics.md");
const LINES: &str = include_str!("../../docs/reference/logs.md");

/// Everything in the files of a folder that end so.
fn read(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("documented.rs") {
            *text += &fs::read_to_string(&path).unwrap();
        }
    }
}

#[test]
fn every_documented_line_is_written_and_waited_for_by_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (mut operator, mut tests) = (String::new(), String::new());
    read(&root.join("operator/src"), &mut operator);
    read(&root.join("tests"), &mut tests);
    let (here, elsewhere) = LINES.split_once("\n## ").unwrap();
    let first = |page: &'static str, column: usize| {
        let rows = page.lines().filter(|row| row.starts_with("| `"));
        let cells = rows.filter_map(move |row| row.split('|').nth(column));
        cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect::<Vec<_>>()
    };
    let written = first(here, 1);
    assert!(written.len() > 25, "{written:?}");
    for line in written {
        assert!(operator.contains(line), "the operator never writes {line:?}");
        assert!(tests.contains(line), "no test has seen {line:?}");
    }
    for line in first(elsewhere, 1) {
        assert!(!operator.contains(line), "the operator does write {line:?}");
    }
}

/// Names in the first column of the page's tables.
fn documented() -> BTreeSet<String> {
    let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let cells = rows.flat_map(|cell| cell.split(['`', ',', ' ', '|']));
    cells.filter(|word| word.contains('_')).map(ToOwned::to_owned).collect()
}

/// Names in a scrape, without what a histogram adds.
fn scraped(metrics: &str) -> BTreeSet<String> {
    let types = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    types.map(|(name, kind)| if kind == "counter" { format!("{name}_total") } else { name.to_owned() }).collect()
}

#[tokio::test]
async fn every_metric_is_documented_and_every_documented_one_is_there() {
    let bench = Bench::new("documented", &[]).await;
    bench.create("web", "1").await;
    bench.judged("web", "Synced").await;
    let known = documented();
    let source = ["metrics.rs", "metrics/flow.rs", "metrics/leadership.rs", "metrics/process.rs", "metrics/queue.rs"]
        .into_iter()
        .chain(["metrics/ready.rs", "metrics/watches.rs", "metrics/webhook.rs"])
        .map(|file| concat!(env!("CARGO_MANIFEST_DIR"), "/../operator/src/telemetry/").to_owned() + file)
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect::<String>();
    // A family without a series is in no scrape, so that what is named is looked for where it is registered.
    for name in &known {
        let registered = format!("\"{}\"", name.strip_suffix("_total").unwrap_or(name));
        assert!(source.contains(&registered), "{name} is documented and does not exist");
    }
    eventually("a scrape", PATIENCE, async || {
        let metrics = bench.operator.metrics().await.map_err(|error| format!("{error:#}"))?;
        let unknown: Vec<_> = scraped(&metrics).difference(&known).cloned().collect();
        if unknown.is_empty() { Ok(()) } else { Err(format!("not documented: {unknown:?}")) }
    })
    .await
    .unwrap();
}
