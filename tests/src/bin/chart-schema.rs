//! Prints the schema of the chart's values; `just generate` keeps it beside them.

use std::io::Write;

use anyhow::Result;

fn main() -> Result<()> {
    let schema = jaas_tests::schema::of_chart(&jaas_tests::runner::root().join("charts/jaas"))?;
    Ok(std::io::stdout().write_all(schema.as_bytes())?)
}
