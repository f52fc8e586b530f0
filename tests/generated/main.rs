//! Files that are generated from the code are what the code generates.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test reports by panicking")]

use std::fs;
use std::process::Command;

use jaas_tests::environment;
use jaas_tests::runner::root;

#[test]
fn the_charts_generated_files_are_current() {
    let operator = environment::value(environment::OPERATOR).unwrap();
    for (what, file) in
        [("crds", "crds/crds.yaml"), ("rbac", "rbac/operator.yaml"), ("tenant-rbac", "rbac/tenant.yaml")]
    {
        let path = root().join("charts/jaas/files").join(file);
        let output = Command::new(&operator).args(["generate", what]).output().unwrap();
        assert!(output.status.success());
        let printed = String::from_utf8(output.stdout).unwrap();
        let kept = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            kept == printed,
            "charts/jaas/files/{file} is not what `jaas-operator generate {what}` prints; run `just generate`"
        );
    }
}

#[test]
fn every_reason_has_its_page_and_every_flag_its_row() {
    for reason in jaas_api::Reason::ALL {
        let page = root().join(format!("docs/reasons/{}.md", reason.as_str().to_lowercase()));
        let text = fs::read_to_string(&page).unwrap_or_else(|_| panic!("{} is missing", page.display()));
        assert!(text.contains(reason.as_str()), "{} does not name its reason", page.display());
    }
    let operator = environment::value(environment::OPERATOR).unwrap();
    let help = Command::new(operator).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let page = fs::read_to_string(root().join("docs/reference/flags.md")).unwrap();
    let flags = help.split_whitespace().filter(|word| word.starts_with("--"));
    let names: Vec<_> = flags
        .map(|word| word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()))
        .map(|word| word.split(['=', '[']).next().unwrap_or(word))
        .collect();
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        assert!(
            name == "--help" || page.contains(&format!("`{name}`")),
            "docs/reference/flags.md does not name {name}"
        );
    }
}
