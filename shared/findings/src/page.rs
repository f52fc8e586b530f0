//! The registry as people read it: the documentation page, and the text of `explain`. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::causes::{self, Edge};
use crate::code::{Area, Code};
use crate::finding::Danger;
use crate::registry::Entry;

const HEAD: &str = "\
# Findings

What `kubectl jaas doctor` and `kubectl jaas storage doctor` can find. A code is never given to something else. `kubectl jaas explain S401`
prints a section of this page without a cluster; it takes reasons, alerts and metrics too.

A check that could not run is `unknown` and says why. It is never taken for fine.

| severity | meaning |
| --- | --- |
| critical | nobody gets anything new, or somebody gets something wrong |
| error | somebody does not get what they should |
| warning | it will hurt, or makes something else hurt more |
| info | worth knowing |

Commands are marked with what they can cost.

| mark | meaning |
| --- | --- |
| L0 | reads |
| L1 | asks for what the operator would do anyway |
| L2 | what it removes, a render brings back; or it restarts something |
| L3 | nothing brings back what it removes |

Words in capitals are for you to replace. `JAAS_NAMESPACE` is the operator's namespace.

<!-- Written by `cargo run -p jaas-findings --example generate -- page` from the registry of `shared/findings`. -->
";

/// The codes that each alert tells of, as the chart adds them to its annotations: a YAML mapping.
pub fn alerts() -> String {
    let mut alerts: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for code in Code::ALL {
        for alert in code.entry().alerts {
            alerts.entry(alert).or_default().push(code.as_str());
        }
    }
    let mut text =
        "# Written by `cargo run -p jaas-findings --example generate -- alerts` from the registry of shared/findings.\n".to_owned();
    for (alert, codes) in alerts {
        let _ = writeln!(text, "{alert}: {}", codes.join(", "));
    }
    text
}

/// The whole page.
pub fn page() -> String {
    let mut text = HEAD.to_owned();
    for area in Area::ALL {
        let codes: Vec<_> = Code::ALL.iter().copied().filter(|code| code.area() == area).collect();
        // Writing to a string cannot fail.
        let _ = write!(text, "\n## {}\n\n| code | severity | |\n| --- | --- | --- |\n", heading(area));
        for code in &codes {
            let word = code.as_str().to_lowercase();
            let _ = writeln!(text, "| [{code}](#{word}) | {} | {} |", code.severity().word(), code.entry().title);
        }
        for code in codes {
            text.push('\n');
            text.push_str(&section(code));
        }
    }
    text
}

fn heading(area: Area) -> &'static str {
    match area {
        Area::Configuration => "Configuration",
        Area::Pods => "Pods",
        Area::Leader => "Leader",
        Area::Network => "Network",
        Area::Storage => "Storage",
        Area::Reconcile => "Reconcile",
        Area::Queue => "Queue",
        Area::Finalizers => "Finalizers",
        Area::Webhook => "Webhook",
    }
}

fn section(code: Code) -> String {
    let entry = code.entry();
    let mut text =
        format!("### {code}\n\n**{}** ({})\n\n{}\n\n", capital(entry.title), entry.severity.word(), entry.meaning);
    let _ = writeln!(text, "*Why:* {}\n\n```sh", entry.cause);
    for advice in entry.advice {
        let _ = writeln!(text, "{} # {}: {}", advice.command, mark(advice.danger), advice.why);
    }
    text.push_str("```\n");
    let links = |codes: Vec<Code>| {
        codes.iter().map(|code| format!("[{code}](#{})", code.as_str().to_lowercase())).collect::<Vec<_>>().join(", ")
    };
    let facts = [
        ("Explained by", links(neighbours(|edge| (edge.effect == code).then_some(edge.cause)))),
        ("Explains", links(neighbours(|edge| (edge.cause == code).then_some(edge.effect)))),
        ("Reasons", reasons(entry, |word| format!("[{word}](reasons/{}.md)", word.to_lowercase()))),
        ("Alerts", ticked(entry.alerts)),
        ("Metrics", ticked(entry.metrics)),
    ];
    let facts: Vec<_> = facts.iter().filter(|(_, value)| !value.is_empty()).collect();
    if !facts.is_empty() {
        text.push('\n');
    }
    for (key, value) in facts {
        let _ = writeln!(text, "- {key}: {value}");
    }
    text
}

fn ticked(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn reasons(entry: &Entry, show: impl Fn(&str) -> String) -> String {
    entry.reasons.iter().map(|reason| show(reason.as_str())).collect::<Vec<_>>().join(", ")
}

/// Codes at the other end of edges, in the order of the documentation.
fn neighbours(other: impl Fn(&Edge) -> Option<Code>) -> Vec<Code> {
    let found: Vec<_> = causes::edges().iter().filter_map(other).collect();
    Code::ALL.iter().copied().filter(|code| found.contains(code)).collect()
}

/// What a mark says.
fn meaning(danger: Danger) -> &'static str {
    match danger {
        Danger::L0 => "reads",
        Danger::L1 => "asks for what the operator would do anyway",
        Danger::L2 => "what it removes, a render brings back, or it restarts something",
        Danger::L3 => "nothing brings back what it removes",
    }
}

fn mark(danger: Danger) -> &'static str {
    match danger {
        Danger::L0 => "L0",
        Danger::L1 => "L1",
        Danger::L2 => "L2",
        Danger::L3 => "L3",
    }
}

fn capital(title: &str) -> String {
    let mut letters = title.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

/// The text of `explain CODE`: plain lines of at most `width` characters, unless a single word is longer.
pub fn explain(code: Code, width: usize) -> String {
    let entry = code.entry();
    let mut text = format!("{code}  {}  ({}, {})\n", entry.title, entry.severity.word(), entry.area.word());
    for (heading, body) in [("", entry.meaning), ("Why", entry.cause)] {
        let _ = write!(text, "\n{heading}{}", if heading.is_empty() { "" } else { "\n" });
        wrap(&mut text, body, width, if heading.is_empty() { "" } else { "  " });
    }
    text.push_str("\nWhat to type\n");
    for advice in entry.advice {
        let _ = writeln!(text, "  {}", advice.command);
        wrap(&mut text, &format!("{} ({})", advice.why, mark(advice.danger)), width, "      ");
    }
    let mut dangers: Vec<_> = entry.advice.iter().map(|advice| advice.danger).collect();
    dangers.sort();
    dangers.dedup();
    let legend: Vec<_> = dangers.into_iter().map(|danger| format!("{}: {}", mark(danger), meaning(danger))).collect();
    wrap(&mut text, &legend.join("; "), width, "  ");
    let names = |codes: Vec<Code>| codes.iter().map(|code| code.as_str()).collect::<Vec<_>>().join(", ");
    for (heading, body) in [
        ("Explained by", names(neighbours(|edge| (edge.effect == code).then_some(edge.cause)))),
        ("Explains", names(neighbours(|edge| (edge.cause == code).then_some(edge.effect)))),
        ("Reasons", reasons(entry, str::to_owned)),
        ("Alerts", entry.alerts.join(", ")),
        ("Metrics", entry.metrics.join(", ")),
    ] {
        if !body.is_empty() {
            let _ = writeln!(text, "\n{heading}");
            wrap(&mut text, &body, width, "  ");
        }
    }
    text
}

/// Breaks a text at its spaces.
fn wrap(text: &mut String, body: &str, width: usize, indent: &str) {
    let mut line = String::new();
    for word in body.split(' ') {
        let taken = indent.chars().count() + line.chars().count() + 1 + word.chars().count();
        if !line.is_empty() && taken > width {
            let _ = writeln!(text, "{indent}{line}");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    let _ = writeln!(text, "{indent}{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_explain_fits_a_terminal_but_for_command_lines() {
        for code in Code::ALL {
            let text = explain(*code, 80);
            assert!(text.starts_with(code.as_str()), "{text}");
            let is_command = |line: &str| line.starts_with("  kubectl ") || line.starts_with("  helm ");
            let long: Vec<_> = text.lines().filter(|line| line.chars().count() > 80 && !is_command(line)).collect();
            assert_eq!(long, Vec::<&str>::new(), "{code}");
        }
    }

    #[test]
    fn an_explanation_names_reason_metric_and_what_it_explains() {
        let text = explain(Code::VolumeFull, 80);
        for part in [
            "Reasons\n  StorageFull\n",
            "jaas_storage_up",
            "R706",
            "kubectl jaas storage prune --expired --all -A",
            "L0: reads; L1: asks for what the operator would do anyway; L2:",
        ] {
            assert!(text.contains(part), "{part} is missing:\n{text}");
        }
    }
}
