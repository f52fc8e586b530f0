//! Cuts messages that an API server would refuse for their length. Pure.

/// What stands at the end of a message that was cut.
const MARKER: &str = " … (cut)";

/// `text` in at most `limit` bytes, cut between two characters and marked. The limit must leave room for the marker.
pub fn truncate(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(limit.saturating_sub(MARKER.len()));
    format!("{}{MARKER}", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_message_stays_as_it_is() {
        assert_eq!(truncate("abc", 3), "abc");
    }

    #[test]
    fn a_long_message_is_cut_between_characters_and_marked() {
        let text = "ä".repeat(100);
        let cut = truncate(&text, 50);
        assert_eq!(cut, format!("{}{MARKER}", "ä".repeat(20)));
        assert!(cut.len() <= 50);
    }
}
