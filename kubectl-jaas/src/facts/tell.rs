//! From a failed call to the reason for which a fact is not known. Pure.

use jaas_findings::Why;
use jaas_findings::known::Obstacle;

use crate::session::Error;

/// Whether a right is missing.
pub(super) fn is_refused(error: &Error) -> bool {
    matches!(error, Error::Forbidden { .. })
}

/// Whether a reason for which a check did not look, as documents have it, is more than that nobody asked for it, or that this version
/// cannot tell.
pub(crate) fn hinders(why: &str) -> bool {
    let is = |obstacle| why.starts_with(&Why::new(obstacle, "").to_string());
    !is(Obstacle::NotAsked) && !is(Obstacle::NotOffered)
}

/// Whether a reason for which a check did not look is a missing right.
pub(crate) fn is_missing_right(why: &str) -> bool {
    why.starts_with(&Why::new(Obstacle::NoRight, "").to_string())
}

/// What stood in the way. A missing right is named as one would say it: `list pods in namespace jaas-system`.
pub(crate) fn why(error: &Error) -> Why {
    match error {
        Error::Forbidden { call, .. } => Why::new(Obstacle::NoRight, call.to_string().replace('`', "")),
        Error::TimedOut { call, .. } => Why::new(Obstacle::TimedOut, call.to_string().replace('`', "")),
        Error::NoKind { call } => Why::new(Obstacle::NotOffered, format!("{} by this cluster", call.kind())),
        other => Why::new(Obstacle::Failed, other.to_string().replace('`', "")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Call;

    #[test]
    fn only_what_stood_in_the_way_hinders() {
        for (obstacle, expected) in [
            (Obstacle::NoRight, true),
            (Obstacle::NoRoad, true),
            (Obstacle::TimedOut, true),
            (Obstacle::Failed, true),
            (Obstacle::NotAsked, false),
            (Obstacle::NotOffered, false),
        ] {
            let why = Why::new(obstacle, "x").to_string();
            assert_eq!(hinders(&why), expected, "{why}");
            assert_eq!(is_missing_right(&why), obstacle == Obstacle::NoRight, "{why}");
        }
    }

    #[test]
    fn a_missing_right_is_named_and_everything_else_has_a_word_of_its_own() {
        let call = || Box::new(Call::new("list", "", "pods", &["list"]).within(Some("jaas-system")));
        let forbidden = Error::Forbidden { call: call(), message: String::new(), rule: String::new() };
        assert_eq!(why(&forbidden).to_string(), "no right: list pods in namespace jaas-system");
        let late = Error::TimedOut { call: call(), after: std::time::Duration::from_secs(1) };
        assert_eq!(why(&late).to_string(), "timed out: list pods in namespace jaas-system");
        assert_eq!(why(&Error::NoKind { call: call() }).why, Obstacle::NotOffered);
        assert_eq!(why(&Error::NotFound { call: call() }).why, Obstacle::Failed);
    }
}
