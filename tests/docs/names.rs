//! What the pages name exists: flags, metrics, alerts, values of the chart, codes, files, links.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use jaas_tests::environment;
use jaas_tests::runner::root;
use regex::Regex;
use serde_json::Value;

use crate::page::{Page, TOOLS};

/// Names that are not ours, and whose they are.
const FOREIGN: [(&str, &str); 12] = [
    ("--count", "cargo figures"),
    ("--feature-gates", "kustomize-controller"),
    ("--hostile", "cargo figures"),
    ("--idle", "cargo figures"),
    ("--name", "a flag of anybody's, as an example of how values are written"),
    ("--recovery", "cargo figures"),
    ("--reuse-values", "helm upgrade"),
    ("--rounds", "cargo figures"),
    ("--server-side", "helm upgrade"),
    ("--test", "cargo test"),
    ("service.name", "OpenTelemetry"),
    ("service.version", "OpenTelemetry"),
];

/// Every place with this in code that is not typed, or in all code.
fn found(pattern: &str, text: impl Fn(&Page) -> String) -> BTreeMap<String, BTreeSet<String>> {
    let pattern = Regex::new(pattern).unwrap();
    let mut found = BTreeMap::<String, BTreeSet<String>>::new();
    for page in Page::all() {
        for name in pattern.captures_iter(&text(&page)).filter_map(|it| it.get(1)) {
            found.entry(name.as_str().to_owned()).or_default().insert(page.name.clone());
        }
    }
    found
}

/// Fails with what is on a page and not among what is known.
#[track_caller]
fn all_known(what: &str, found: &BTreeMap<String, BTreeSet<String>>, is_known: impl Fn(&str) -> bool) {
    assert!(!found.is_empty(), "no {what} on any page: the pattern is wrong");
    let foreign: BTreeSet<_> = FOREIGN.iter().map(|(name, _)| *name).collect();
    let unknown: Vec<_> =
        found.iter().filter(|(name, _)| !is_known(name) && !foreign.contains(name.as_str())).collect();
    assert!(unknown.is_empty(), "{what} that do not exist: {unknown:#?}");
}

fn code(page: &Page) -> String {
    page.code().join("\n")
}

/// Code that is no command: those are run, so that what they name is there.
fn not_typed(page: &Page) -> String {
    let typed: BTreeSet<_> = page.blocks().into_iter().flat_map(|block| block.commands).collect();
    let bare = |line: &str| {
        line.split(" # ").next().unwrap_or_default().trim_start_matches("$ ").trim_end_matches('\\').trim().to_owned()
    };
    let is_typed = |line: &&str| typed.iter().any(|command| command.contains(&bare(line)));
    code(page).lines().filter(|line| !is_typed(line)).map(|line| format!("{line}\n")).collect()
}

fn help(program: &str, words: &[&str]) -> String {
    let output = Command::new(environment::path(program).unwrap()).args(words).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// All help of a program: its own, and that of each command below.
fn helps(program: &str) -> String {
    let (mut all, mut left) = (String::new(), vec![Vec::<String>::new()]);
    let command = Regex::new(r"(?m)^  ([a-z][a-z-]+)(?:  |$)").unwrap();
    while let Some(words) = left.pop() {
        let args: Vec<_> = words.iter().map(String::as_str).chain(["--help"]).collect();
        let text = help(program, &args);
        let commands = text.split("\nExamples\n").next().unwrap_or_default();
        for name in command.captures_iter(commands).map(|it| it[1].to_owned()) {
            if name != "help" && !words.contains(&name) && words.len() < 3 {
                left.push([words.clone(), vec![name]].concat());
            }
        }
        all += &text;
    }
    all
}

#[test]
fn flags_exist() {
    let flag = Regex::new(r"--[a-z][a-z0-9-]+").unwrap();
    let text = helps(environment::OPERATOR) + &helps(environment::PLUGIN) + &help(environment::PLUGIN, &["options"]);
    let known: BTreeSet<_> = flag.find_iter(&text).map(|it| it.as_str().to_owned()).collect();
    assert!(known.len() > 80, "{known:?}");
    all_known("flags", &found(r"(?m)(?:^|[\s\[(])(--[a-z][a-z0-9-]+)", not_typed), |name| known.contains(name));
}

#[test]
fn metrics_exist() {
    // `tests/observe` compares this page with a scrape.
    let reference = fs::read_to_string(root().join("docs/reference/metrics.md")).unwrap();
    let row = Regex::new(r"(?m)^\| (`[^|]+) \|").unwrap();
    let known: String = row.captures_iter(&reference).map(|it| it[1].to_owned()).collect();
    let is_known = |name: &str| {
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        [name, family].iter().any(|name| known.contains(&format!("`{name}`")))
    };
    let pattern = r"\b((?:jaas_[a-z]+|controller_runtime|workqueue)_[a-z_]+[a-z])\b";
    all_known("metrics", &found(pattern, |page| code(page).replace("jaas_tests", "")), is_known);
    let pattern = Regex::new(pattern).unwrap();
    for file in ["files/alerts.yaml", "files/dashboard.jsonnet"] {
        let text = fs::read_to_string(root().join("charts/jaas").join(file)).unwrap();
        let names: BTreeSet<_> = pattern.captures_iter(&text).map(|it| it[1].to_owned()).collect();
        assert!(names.len() > 5, "{file}: {names:?}");
        let unknown: Vec<_> = names.iter().filter(|name| !is_known(name)).collect();
        assert!(unknown.is_empty(), "{file}: {unknown:?}");
    }
}

#[test]
fn alerts_exist() {
    let rules = fs::read_to_string(root().join("charts/jaas/files/alerts.yaml")).unwrap();
    // The one that the Go implementation has and this one needs no more is told as such.
    let is_known = |name: &str| rules.contains(&format!("alert: {name}\n")) || name == "JaaSEvalLeakedGoroutines";
    all_known("alerts", &found(r"\b(JaaS[A-Z][A-Za-z]+)\b", |page| page.text.clone()), is_known);
    let alert = Regex::new(r"alert: (\w+)").unwrap();
    for name in alert.captures_iter(&rules).map(|it| it[1].to_owned()) {
        let page = root().join(format!("docs/alerts/{}.md", name.to_lowercase()));
        assert!(page.exists(), "{} is missing", page.display());
    }
}

#[test]
fn values_of_the_chart_exist() {
    let read = |file: &str| fs::read_to_string(root().join("charts/jaas").join(file)).unwrap();
    let values: Value = serde_saphyr::from_str(&read("values.yaml")).unwrap();
    let refused = read("files/refused.yaml");
    let groups: Vec<_> = values.as_object().unwrap().keys().cloned().collect();
    let pattern = format!(r"(?m)(?:^|[\s=])((?:{})(?:\.[a-zA-Z0-9]+)+)(?:$|[\s:=])", groups.join("|"));
    all_known("values", &found(&pattern, code), |name| walks(&values, name) || refused.contains(name));
}

/// Whether there is such a value.
fn walks(values: &Value, name: &str) -> bool {
    let mut at = values;
    for key in name.split('.') {
        match at.get(key) {
            Some(below) => at = below,
            None => return at.as_object().is_some_and(serde_json::Map::is_empty),
        }
    }
    true
}

#[test]
fn findings_exist() {
    let page = fs::read_to_string(root().join(crate::page::FINDINGS)).unwrap();
    all_known("codes", &found(r"\b([A-Z]\d{3})\b", |page| page.text.clone()), |code| {
        page.contains(&format!("### {code}\n"))
    });
}

#[test]
fn files_exist() {
    let path =
        r"(?m)(?:^|\s)((?:\.ci|charts|docs|examples|kubectl-jaas|operator|shared|tests)/[A-Za-z0-9_./-]+)(?:$|\s)";
    all_known("files", &found(path, code), |name| root().join(name).exists());
}

#[test]
fn programs_are_known() {
    let assigned = Regex::new(r"^[A-Z_]+=").unwrap();
    for page in Page::all() {
        for command in page.blocks().into_iter().flat_map(|block| block.commands) {
            let program = command.split(' ').next().unwrap_or_default();
            let is_known =
                TOOLS.contains(&program) || ["echo", "mkdir"].contains(&program) || assigned.is_match(program);
            assert!(is_known, "{}: `{command}`", page.name);
        }
    }
}

/// What cargo is told to do is there: its short forms, and programs of tests.
#[test]
fn commands_of_cargo_exist() {
    let config = fs::read_to_string(root().join(".cargo/config.toml")).unwrap();
    let tests = fs::read_to_string(root().join("tests/Cargo.toml")).unwrap();
    for page in Page::all() {
        for command in page.blocks().into_iter().flat_map(|block| block.commands) {
            let words: Vec<_> = command.split(' ').skip_while(|word| *word != "cargo").collect();
            let [_, verb, rest @ ..] = &words[..] else { continue };
            let is_known = config.contains(&format!("\n{verb} = ")) || ["test", "run"].contains(verb);
            assert!(is_known, "{}: `{command}`", page.name);
            for pair in rest.windows(2).filter(|pair| pair[0] == "--test") {
                assert!(tests.contains(&format!("name = \"{}\"", pair[1])), "{}: `{command}`", page.name);
            }
        }
    }
}

#[test]
fn every_foreign_name_still_occurs() {
    let text: String = Page::all().iter().map(code).collect();
    let unused: Vec<_> = FOREIGN.iter().filter(|(name, _)| !text.contains(name)).collect();
    assert!(unused.is_empty(), "no page has these any more: {unused:?}");
}

#[test]
fn links_lead_somewhere() {
    let link = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let mut wrong = Vec::new();
    let others = ["ARCHITECTURE.md", "CHANGELOG.md"]
        .map(|name| Page { name: name.to_owned(), text: fs::read_to_string(root().join(name)).unwrap() });
    for page in Page::all().into_iter().chain(others) {
        let folder = Path::new(&page.name).parent().unwrap().to_owned();
        for target in link.captures_iter(&page.prose()).map(|it| it[1].to_owned()) {
            if target.starts_with("https://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let path = if file.is_empty() { root().join(&page.name) } else { root().join(&folder).join(file) };
            let is_there = path.exists() && (anchor.is_empty() || anchors(&path).contains(anchor));
            if !is_there {
                wrong.push(format!("{}: {target}", page.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The names that headings of a page have in links.
fn anchors(path: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(path).unwrap();
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let name = |heading: &str| {
        let kept =
            heading.to_lowercase().chars().filter(|it| it.is_alphanumeric() || " -_".contains(*it)).collect::<String>();
        kept.replace(' ', "-")
    };
    headings.map(name).collect()
}

#[test]
fn every_page_is_reached_from_the_first() {
    let pages = Page::all();
    let link = Regex::new(r"\]\(([^)#\s]+\.md)").unwrap();
    let (mut reached, mut left) = (BTreeSet::new(), vec!["README.md".to_owned()]);
    while let Some(name) = left.pop() {
        if !reached.insert(name.clone()) {
            continue;
        }
        let Some(page) = pages.iter().find(|page| page.name == name) else { continue };
        let folder = root().join(&name).parent().unwrap().to_owned();
        for target in link.captures_iter(&page.text).map(|it| it[1].to_owned()) {
            if let Ok(path) = folder.join(target).canonicalize() {
                left.extend(path.strip_prefix(root().canonicalize().unwrap()).ok().map(|it| it.display().to_string()));
            }
        }
    }
    let lost: Vec<_> = pages.iter().map(|page| &page.name).filter(|name| !reached.contains(*name)).collect();
    assert!(lost.is_empty(), "no link leads to {lost:?}");
}
