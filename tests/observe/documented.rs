//! The reference of metrics names what there is, and nothing else.

use std::collections::BTreeSet;

use jaas_tests::wait::eventually;

use crate::bench::{Bench, PATIENCE};

const PAGE: &str = include_str!("../../docs/reference/metrics.md");

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
