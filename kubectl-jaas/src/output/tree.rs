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

/// The object, and below it what hangs on it; for a screen of that width, or for a pipe where nothing is wrapped.
pub(super) fn drawing(root: &Node, is_ascii: bool, width: Option<u16>) -> Screen {
    let lines = if is_ascii { &ASCII } else { &CURVED };
    let mut drawn = Vec::new();
    let pen = Pen { lines, width: width.map_or(usize::MAX, usize::from) };
    pen.text(root, "", if root.children.is_empty() { "" } else { lines.down }, &mut drawn);
    pen.draw(root, "", &mut drawn);
    let mut screen = Screen::default();
    screen.drawing(drawn.join("\n"));
    screen
}

struct Pen<'a> {
    lines: &'a Lines,
    width: usize,
}

impl Pen<'_> {
    fn draw(&self, node: &Node, prefix: &str, drawn: &mut Vec<String>) {
        let lines = self.lines;
        let last = node.children.len().saturating_sub(1);
        for (position, child) in node.children.iter().enumerate() {
            let (branch, below) = if position == last { (lines.last, "   ") } else { (lines.inner, lines.down) };
            let inner = format!("{prefix}{below}");
            let further = format!("{inner}{}", if child.children.is_empty() { "" } else { lines.down });
            self.text(child, &format!("{prefix}{branch}"), &further, drawn);
            self.draw(child, &inner, drawn);
        }
    }

    /// One line, or several where it would be too wide.
    fn text(&self, node: &Node, first: &str, further: &str, drawn: &mut Vec<String>) {
        let Node { kind, namespace, name, role, state, detail, .. } = node;
        let place = if namespace.is_empty() { name.clone() } else { format!("{namespace}/{name}") };
        let parts = [role.as_str(), kind, &place, state, detail];
        let mut line = first.to_owned();
        let mut is_begun = false;
        for part in parts.into_iter().filter(|part| !part.is_empty()) {
            if is_begun && line.chars().count() + 2 + part.chars().count() > self.width {
                drawn.push(std::mem::replace(&mut line, format!("{further}  ")));
            } else if is_begun {
                line.push_str("  ");
            }
            line.push_str(part);
            is_begun = true;
        }
        drawn.push(line);
    }
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
        let drawn = |is_ascii| drawing(&root, is_ascii, None).render(None, &Paint::default());
        assert_eq!(drawn(false), "K  n/a\n├─ K  b  ready\n│  └─ K  c\n└─ K  d\n");
        assert_eq!(drawn(true), "K  n/a\n+- K  b  ready\n|  `- K  c\n`- K  d\n");
    }

    #[test]
    fn a_line_that_is_too_wide_goes_on_below() {
        let leaf = Node { kind: "K".into(), name: "x".repeat(70), state: "ready".into(), ..Node::default() };
        let middle = Node { children: vec![leaf.clone()], detail: "why".into(), ..leaf.clone() };
        let root = Node { kind: "K".into(), name: "a".into(), children: vec![middle, leaf], ..Node::default() };
        let long = "x".repeat(70);
        let expected = format!(
            "K  a\n+- K  {long}\n|  |    ready  why\n|  `- K  {long}\n|       ready\n`- K  {long}\n     ready\n"
        );
        assert_eq!(drawing(&root, true, Some(80)).render(None, &Paint::default()), expected);
        let unwrapped = drawing(&root, true, None).render(None, &Paint::default());
        assert_eq!(unwrapped.lines().count(), 4, "{unwrapped}");
    }
}
