//! Pages, and the commands on them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use jaas_tests::runner::root;
use regex::Regex;

/// Programs that the pages have people run.
pub(crate) const TOOLS: [&str; 9] =
    ["cargo", "curl", "flux", "helm", "jaas-operator", "just", "kubectl", "podman", "skopeo"];
/// A page of findings for each code, whose commands are judged by another measure; see [`crate::run`].
pub(crate) const FINDINGS: &str = "docs/findings.md";
/// Every row of it names the test that runs its command; see `tests/runbook/page.rs`.
const RUNBOOK: &str = "docs/plugin/runbook.md";

/// A page.
pub(crate) struct Page {
    /// Its path below the repository's root.
    pub(crate) name: String,
    pub(crate) text: String,
}

/// What is to be typed in one shell, one line after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) commands: Vec<String>,
}

impl Page {
    /// All pages for people, in an order in which an installation grows.
    pub(crate) fn all() -> Vec<Self> {
        let mut names: Vec<_> =
            ["README.md", "SECURITY.md", "CONTRIBUTING.md", "examples/README.md"].map(str::to_owned).into();
        let mut folders = vec![root().join("docs")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|it| it == "md") {
                    names.push(path.strip_prefix(root()).unwrap().display().to_string());
                }
            }
        }
        names.sort();
        names.into_iter().map(|name| Self { text: read(&root().join(&name)), name }).collect()
    }

    /// Its commands in their order: those of a fenced block in one shell, those between the lines each in its own.
    pub(crate) fn blocks(&self) -> Vec<Block> {
        if self.name == RUNBOOK {
            return Vec::new();
        }
        let mut blocks = Vec::new();
        for (language, text) in parts(&self.text) {
            match language.as_deref() {
                Some("sh") => blocks.push(Block { commands: lines(&text, "") }),
                Some("console") => blocks.push(Block { commands: lines(&text, "$ ") }),
                Some(_) => {}
                None => {
                    let commands = spans(&text).into_iter().filter(|span| is_command(span));
                    blocks.extend(commands.map(|command| Block { commands: vec![command] }));
                }
            }
        }
        let mut known = BTreeSet::new();
        blocks.retain(|block| !block.commands.is_empty() && known.insert(block.commands.clone()));
        blocks
    }

    /// Words in code, between the lines and in all fenced blocks.
    pub(crate) fn code(&self) -> Vec<String> {
        let code = |(language, text): (Option<String>, String)| match language {
            Some(_) => vec![text],
            None => spans(&text),
        };
        parts(&self.text).into_iter().flat_map(code).collect()
    }

    /// The text without code in blocks.
    pub(crate) fn prose(&self) -> String {
        parts(&self.text).into_iter().filter(|(language, _)| language.is_none()).map(|(_, text)| text).collect()
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Fenced blocks with their language, and what stands between them without one.
fn parts(text: &str) -> Vec<(Option<String>, String)> {
    let mut parts = vec![(None, String::new())];
    for line in text.lines() {
        let is_inside = parts.last().is_some_and(|(language, _)| language.is_some());
        match line.strip_prefix("```") {
            Some(_) if is_inside => parts.push((None, String::new())),
            Some(language) => parts.push((Some(language.to_owned()), String::new())),
            None => parts.last_mut().unwrap().1 += &format!("{line}\n"),
        }
    }
    assert!(parts.last().unwrap().0.is_none(), "a block that does not end: {:?}", parts.last());
    parts
}

/// Commands of a block, without comments; one that goes on after a backslash is one.
fn lines(body: &str, prompt: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in body.lines() {
        let new = line.strip_prefix(prompt);
        let line = if goes_on { Some(line.trim_start()) } else { new };
        let Some(line) = line.filter(|line| !line.is_empty()) else { continue };
        let rest = line.strip_suffix('\\');
        let text = rest.unwrap_or(line);
        match commands.last_mut() {
            Some(last) if goes_on => *last += text,
            _ => commands.push(text.to_owned()),
        }
        goes_on = rest.is_some();
    }
    let comment = Regex::new(r" +# .*$").unwrap();
    commands.iter().map(|command| comment.replace(command, "").trim_end().to_owned()).collect()
}

/// What stands between backquotes; a line's end is a blank.
fn spans(prose: &str) -> Vec<String> {
    let span = Regex::new(r"`([^`]+)`").unwrap();
    // A paragraph at a time, so that a stray backquote does not turn everything after it inside out.
    let paragraphs = prose.split("\n\n");
    let found = paragraphs.flat_map(|it| span.captures_iter(it).map(|found| found[1].to_owned()).collect::<Vec<_>>());
    found.map(|span| span.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// Whether it is to be typed: a program, and something that it is to do.
fn is_command(span: &str) -> bool {
    let mut words = span.split(' ');
    let program = words.next().unwrap_or_default();
    let is_tool = TOOLS.contains(&program) || program.starts_with("JAAS_") && program.contains('=');
    is_tool && words.next().is_some()
}

#[test]
fn commands_are_found_in_blocks_and_between_the_lines() {
    let text = "# A\n\nType `kubectl jaas\nstatus` or `kubectl`.\n\n```sh\na -b \\\n  -c # why\nd\n```\n```console\n$ e\nf\n```\n```text\ng\n```\n";
    let page = Page { name: "docs/a.md".to_owned(), text: text.to_owned() };
    let commands: Vec<_> = page.blocks().into_iter().map(|block| block.commands).collect();
    assert_eq!(commands, [vec!["kubectl jaas status"], vec!["a -b -c", "d"], vec!["e"]]);
}
