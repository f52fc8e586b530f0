use super::*;
use crate::output::style::Paint;
use crate::view::{OrphanGroup, PruneRow};

fn shown(found: Found, is_wide: bool) -> String {
    let view = StoreView {
        operator: Some("jaas-system/jaas".to_owned()),
        place: "local, pvc/jaas-storage".to_owned(),
        road: Some("admin"),
        via: "admin endpoint of jaas-6f7d9-x2v9q".to_owned(),
        tried: Vec::new(),
        found,
    };
    let text = screen(&view, is_wide).render(Some(80), &Paint::default());
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(text.contains("road      admin endpoint of jaas-6f7d9-x2v9q\n"), "{text}");
    text
}

#[test]
fn the_space_is_told_with_its_share() {
    let space = Space {
        bytes: 9 << 30,
        files: 7,
        free_bytes: Some(1 << 30),
        total_bytes: Some(10 << 30),
        free_inodes: Some(100),
        full_in_seconds: Some(3 * 86_400),
        ..Space::default()
    };
    let text = shown(Found::Space(space), false);
    assert!(text.contains("fills   in 3d, if it goes on as in the last hours\n"), "{text}");
    assert!(
        text.contains("stored  9.0 GiB in 7 files\nvolume  9.0 GiB of 10.0 GiB used (90%), 1.0 GiB free\n"),
        "{text}"
    );
}

#[test]
fn many_snippets_are_summed_up_unless_all_are_wanted() {
    let stored = Sum { files: 1, bytes: 1 << 20 };
    let uses: Vec<_> = (0..25)
        .map(|number| Use {
            namespace: "team-a".to_owned(),
            name: format!("web-{number}"),
            exists: number > 0,
            stored,
            ..Use::default()
        })
        .collect();
    let text = shown(Found::Uses(uses.clone()), false);
    assert!(text.contains("team-a/web-0") && text.contains("no snippet"), "{text}");
    assert!(text.contains("5 others") && text.contains("5.0 MiB") && !text.contains("(5)"), "{text}");
    let all = shown(Found::Uses(uses), true);
    assert!(all.contains("1.0 MiB (1)") && !all.contains("others"), "{all}");
}

#[test]
fn a_plan_has_a_row_for_each_snippet_and_a_total() {
    let row = |name: &str, remove| PruneRow {
        namespace: "team-a".to_owned(),
        name: name.to_owned(),
        stored: 5,
        keep: 5 - remove,
        remove,
        bytes: remove << 20,
        oldest: Some(864_000),
        note: String::new(),
    };
    let deed = |outcome| Deed {
        path: "team-a/web/sha256-1.tar.gz".to_owned(),
        outcome,
        bytes: 1,
        why: "it is named".to_owned(),
    };
    let prune = Prune {
        level: "expired",
        snippets: vec![row("web", 3), row("api", 0)],
        in_grace: Sum { files: 9, bytes: 1024 },
        items: vec![deed("removed"), deed("kept")],
        ..Prune::default()
    };
    let text = shown(Found::Prune(prune), false);
    assert!(text.contains("team-a/web  5       2     3       3.0 MiB  10d"), "{text}");
    assert!(text.contains("total       10      7     3       3.0 MiB"), "{text}");
    assert!(text.contains("in grace  1.0 KiB (9)") && text.contains("kept") && !text.contains("  removed  "), "{text}");
}

#[test]
fn orphans_are_grouped_with_their_reasons() {
    let group = |class, place: &str, files, why: &str| OrphanGroup {
        class,
        place: place.to_owned(),
        sum: Sum { files, bytes: files << 20 },
        age: Some(777_600),
        why: why.to_owned(),
    };
    let groups = vec![
        group("prefix", "team-x/old-dash", 3, "snippet gone"),
        group("external", "team-x/old-dash", 0, "ExternalArtifact without snippet"),
    ];
    let text = shown(Found::Orphans(Orphans { groups, ..Orphans::default() }), false);
    assert!(text.contains("prefix    team-x/old-dash  3      3.0 MiB  9d"), "{text}");
    assert!(text.contains("external  team-x/old-dash  -      -        9d"), "{text}");
}

#[test]
fn a_proof_is_one_line_in_both_alphabets() {
    let mut seen = Proof {
        namespace: "team-a".to_owned(),
        name: "web".to_owned(),
        revision: format!("sha256:{}", "0123456789".repeat(6)),
        path: String::new(),
        role: "current",
        state: "ok",
        code: None,
        bytes: Some(2048),
        why: String::new(),
    };
    assert_eq!(proof(&seen, false, false), "√  team-a/web  current  012345678901  2.0 KiB");
    assert_eq!(proof(&seen, true, false), "ok  team-a/web  current  012345678901  2.0 KiB");
    seen = Proof { state: "damaged", code: Some("A503"), why: "its bytes hash to x".to_owned(), ..seen };
    assert_eq!(proof(&seen, true, false), "x  team-a/web  current  012345678901  A503 its bytes hash to x");
    assert!(proof(&seen, false, true).contains(&seen.revision));
}
