//! `explain` without any cluster.

use super::plugin::Plugin;

#[test]
fn a_reason_is_explained_without_a_cluster_and_in_any_case() {
    for word in ["ArtifactLost", "artifactlost"] {
        let explained = Plugin::without_server().run(&format!("explain {word}"));
        assert_eq!((explained.code, explained.stderr.as_str()), (0, ""));
        assert!(explained.stdout.starts_with("# ArtifactLost\n"), "{}", explained.stdout);
    }
}

#[test]
fn an_unknown_reason_is_2_in_every_format() {
    for format in ["table", "json"] {
        let refused = Plugin::without_server().run(&format!("explain Broken -o {format}"));
        assert_eq!(refused.code, 2);
        assert!(refused.stderr.contains("`Broken` is no reason of a JsonnetSnippet"), "{}", refused.stderr);
        assert!(refused.stderr.contains("ArtifactLost"), "{}", refused.stderr);
    }
}
