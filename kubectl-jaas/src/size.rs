//! Bytes as people read them: one spelling for findings, the operator's messages and every screen.

pub(crate) use jaas_findings::size::words;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_spelled_as_in_the_operators_messages() {
        for bytes in [0, 1, 1023, 1024, 1536, (1 << 20) - 1, 1 << 20, 10 << 30, 3 << 40] {
            assert_eq!(words(bytes), jaas_storage::store::error::bytes_shown(bytes));
        }
    }
}
