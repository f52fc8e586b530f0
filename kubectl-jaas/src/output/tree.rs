//! The screen of `tree`. Pure.

use super::screen::Screen;
use crate::view::Node;

/// The characters that a tree is drawn with.
struct Lines {
    inner: &'static str,
    last: &'static str,
    down: &'static str,
}

const CURVED: Lines = Lines { inner: "├─ ", last: "└─ ", down: "│  " };
const ASCII: Lines = Lines { inner: "+- ", last: "`- ", down: "|  " };

/// The object, and below it what hangs on it.
pub(super) fn drawing(root: &Node, is_ascii: bool) -> Screen {
    let mut drawn = vec![text(root)];
    draw(root, "", if is_ascii { &ASCII } else { &CURVED }, &mut drawn);
    let mut screen = Screen::default();
    screen.drawing(drawn.join("\n"));
    screen
}

fn draw(node: &Node, prefix: &str, lines: &Lines, drawn: &mut Vec<String>) {
    let last = node.children.len().saturating_sub(1);
    for (position, child) in node.children.iter().enumerate() {
        let (branch, below) = if position == last { (lines.last, "   ") } else { (lines.inner, lines.down) };
        drawn.push(format!("{prefix}{branch}{}", text(child)));
        draw(child, &format!("{prefix}{below}"), lines, drawn);
    }
}

fn text(node: &Node) -> String {
    let Node { kind, namespace, name, role, state, detail, .. } = node;
    let place = if namespace.is_empty() { name.clone() } else { format!("{namespace}/{name}") };
    let parts = [role.as_str(), kind, &place, state, detail];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ")
}

#[cfg(test)]
mod tests {
    use super::super::style::Paint;
    use super::*;

    #[test]
    fn branches_are_drawn_in_both_alphabets() {
        let leaf = |name: &str| Node { kind: "K".into(), name: name.into(), ..Node::default() };
        let middle = Node { children: vec![leaf("c")], state: "ready".into(), ..leaf("b") };
        let root = Node { children: vec![middle, leaf("d")], namespace: "n".into(), ..leaf("a") };
        let drawn = |is_ascii| drawing(&root, is_ascii).render(None, &Paint::default());
        assert_eq!(drawn(false), "K  n/a\n├─ K  b  ready\n│  └─ K  c\n└─ K  d\n");
        assert_eq!(drawn(true), "K  n/a\n+- K  b  ready\n|  `- K  c\n`- K  d\n");
    }
}
