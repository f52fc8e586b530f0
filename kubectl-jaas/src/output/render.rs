//! The screen of `render`. Pure.

use super::screen::Screen;
use super::table::Table;
use crate::view::{Detail, Rendered, Report};

/// What was rendered, byte for byte.
pub(super) fn text(report: &Report) -> String {
    match &report.detail {
        Some(Detail::Rendered(rendered)) => rendered.text.clone(),
        _ => String::new(),
    }
}

/// Sizes and times.
pub(super) fn figures(rendered: &Rendered) -> Screen {
    let mut screen = Screen::default();
    let seconds = &rendered.seconds;
    let fold = |pick: fn(f64, f64) -> f64| seconds.iter().copied().reduce(pick).unwrap_or_default();
    let times = format!("{} runs, fastest {:.3}s, slowest {:.3}s", seconds.len(), fold(f64::min), fold(f64::max));
    screen.facts([
        ("bytes", rendered.bytes.to_string()),
        ("objects", rendered.objects.map(|count| count.to_string()).unwrap_or_default()),
        ("time", if seconds.is_empty() { String::new() } else { times }),
    ]);
    let mut table = Table::new(&["ENTRY", "BYTES"]);
    for entry in &rendered.largest {
        table.row([entry.key.clone(), entry.bytes.to_string()]);
    }
    screen.table(table);
    screen
}
